//! DynamoDB, emulated in process and served on loopback.

use std::net::SocketAddr;

use dynoxide::Database;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::error::Error;
use crate::template::Table;

/// The emulated tables, served until this is dropped.
pub struct DynamoDb {
    database: Database,
    address: SocketAddr,
    _server: JoinSet<()>,
}

impl DynamoDb {
    /// An empty account.
    pub async fn start() -> Result<Self, Error> {
        let database = Database::memory().map_err(|error| refused("start", &error))?;
        let (listener, address) = super::listen().await?;
        let mut server = JoinSet::new();
        server.spawn(serve(listener, database.clone()));
        Ok(Self { database, address, _server: server })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Creates a table.
    pub fn create_table(&self, table: &Table) -> Result<(), Error> {
        let what = format!("create table `{}`", table.name);
        let request = serde_json::from_value(table.request.clone());
        let request = request.map_err(|error| refused(&what, &error))?;
        self.database.create_table(request).map(drop).map_err(|error| refused(&what, &error))
    }
}

async fn serve(listener: TcpListener, database: Database) {
    dynoxide::server::serve_on(listener, database).await;
}

fn refused(what: &str, why: &dyn std::fmt::Display) -> Error {
    Error::Emulator { service: "DynamoDB", what: what.to_owned(), why: why.to_string() }
}
