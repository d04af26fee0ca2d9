//! The emulated AWS account: its streams, tables and queues live in this process and go with it.
//!
//! A function reaches them through the [`Front`] of its environment only, so that what is counted
//! is the function's own traffic and what is cut off is one process.

mod arrival;
mod bucket;
mod call;
mod clock;
mod dynamodb;
mod fault;
mod front;
mod gaps;
mod kinesis;
mod limits;
pub(crate) mod lineage;
mod meter;
mod queues;
mod snapshot;
mod stale;

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;

pub use call::Call;
pub use dynamodb::DynamoDb;
pub use front::Front;
pub use kinesis::{Kinesis, Record, ShardContent};
pub use limits::Limits;
pub use lineage::Shard;
pub use meter::{Meter, Usage};
pub use queues::Queues;

use crate::chaos::Faults;
use crate::error::Error;
use crate::template::{Table, Template};

/// Bodies up to the size that DynamoDB takes; Kinesis takes less.
const MAX_BODY: usize = 16 << 20;

/// The account that a replay runs against.
pub struct Emulators {
    /// Its streams.
    pub kinesis: Kinesis,
    /// Its tables.
    pub dynamodb: DynamoDb,
    /// What shards take of functions in a second; all there is if `None`.
    pub limits: Option<Arc<Limits>>,
    /// Its queues.
    pub queues: Queues,
    /// What goes wrong with functions' requests and batches.
    pub faults: Arc<Faults>,
    /// Its tables that functions write results to.
    pub result_tables: Arc<BTreeSet<String>>,
    /// What reads may answer that are not strongly consistent, where there are faults.
    stale: Option<Arc<stale::Stale>>,
}

impl Emulators {
    /// An account with the template's streams, tables and queues. The source has `shards` shards,
    /// whatever the template says.
    pub async fn start(template: &Template, source: &str, shards: u32) -> Result<Self, Error> {
        let kinesis = Kinesis::new();
        let dynamodb = DynamoDb::start().await?;
        for stream in &template.streams {
            let shards = if stream.name == source { shards } else { stream.shards };
            kinesis.create_stream(&stream.name, shards).await?;
        }
        for table in &template.tables {
            dynamodb.create_table(table)?;
        }
        Ok(Self::of(kinesis, dynamodb, template))
    }

    /// These streams and tables, and the template's queues, empty.
    pub(crate) fn of(kinesis: Kinesis, dynamodb: DynamoDb, template: &Template) -> Self {
        let queues = Queues::default();
        template.queues().for_each(|(_, name)| queues.create(name));
        Self {
            kinesis,
            dynamodb,
            limits: None,
            queues,
            faults: Arc::default(),
            result_tables: Arc::default(),
            stale: None,
        }
    }

    /// From now on these faults happen to functions.
    pub fn disturb(&mut self, faults: Faults, template: &Template) {
        let sinks: Vec<Table> =
            template.tables.iter().filter(|table| self.result_tables.contains(&table.name)).cloned().collect();
        // Journals are read with strong consistency alone.
        self.stale = (!sinks.is_empty()).then(|| Arc::new(stale::Stale::new(self.dynamodb.direct(), &sinks)));
        self.faults = Arc::new(faults);
    }

    /// From now on shards take of functions as much as on AWS, and no more.
    pub async fn limit(&mut self, template: &Template) -> Result<(), Error> {
        self.limits = Some(Arc::new(Limits::read(&self.kinesis, &template.streams).await?));
        Ok(())
    }
}

/// A loopback port of the system's choice.
pub(crate) async fn listen() -> Result<(TcpListener, SocketAddr), Error> {
    listen_on(0).await
}

/// A loopback port; 0 is one of the system's choice.
pub(crate) async fn listen_on(port: u16) -> Result<(TcpListener, SocketAddr), Error> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => Error::PortInUse(port),
        _ => Error::system(format!("listen on port {port} of loopback"), source),
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}
