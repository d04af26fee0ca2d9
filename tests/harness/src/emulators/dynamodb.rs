//! DynamoDB, emulated in process and served on loopback.

use std::net::SocketAddr;
use std::path::Path;

use dynoxide::Database;
use dynoxide::actions::scan::ScanRequest;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::error::Error;
use crate::findings::shown;
use crate::template::Table;

/// The emulated tables, served until this is dropped.
pub struct DynamoDb {
    database: Database,
    address: SocketAddr,
    _server: JoinSet<()>,
}

impl DynamoDb {
    /// An empty account, in memory.
    pub async fn start() -> Result<Self, Error> {
        Self::serving(Database::memory().map_err(|error| refused("start", &error))?).await
    }

    /// The account whose tables lie in a file. It is made if it is not there.
    pub async fn open(file: &Path) -> Result<Self, Error> {
        let what = format!("open {} (`--fresh` begins anew)", shown(file).display());
        Self::serving(Database::new(text(file, &what)?).map_err(|error| refused(&what, &error))?).await
    }

    /// A copy in memory of the tables in a file, which may be in use and stays as it is.
    pub async fn copy_of(file: &Path) -> Result<Self, Error> {
        let what = format!("read {}", shown(file).display());
        let database = Database::memory().map_err(|error| refused("start", &error))?;
        database.restore_from(text(file, &what)?).map_err(|error| refused(&what, &error))?;
        Self::serving(database).await
    }

    async fn serving(database: Database) -> Result<Self, Error> {
        let (listener, address) = super::listen().await?;
        let mut server = JoinSet::new();
        server.spawn(serve(listener, database.clone()));
        Ok(Self { database, address, _server: server })
    }

    /// Its items, without a request.
    pub(super) fn direct(&self) -> Items {
        Items(self.database.clone())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Writes all tables to a file that is not there yet.
    pub fn save(&self, file: &Path) -> Result<(), Error> {
        let what = format!("write {}", shown(file).display());
        self.database.vacuum_into(text(file, &what)?).map_err(|error| refused(&what, &error))
    }

    /// Whether there is a table of that name.
    pub fn has_table(&self, name: &str) -> Result<bool, Error> {
        let found = self.database.get_table_metadata(name);
        found.map(|table| table.is_some()).map_err(|error| refused("look for a table", &error))
    }

    /// Creates a table.
    pub fn create_table(&self, table: &Table) -> Result<(), Error> {
        let what = format!("create table `{}`", table.name);
        let request = serde_json::from_value(table.request.clone());
        let request = request.map_err(|error| refused(&what, &error))?;
        self.database.create_table(request).map(drop).map_err(|error| refused(&what, &error))
    }

    /// All items of a table, each with its attributes as DynamoDB writes them.
    pub fn items(&self, table: &str) -> Result<Vec<Value>, Error> {
        let what = format!("scan table `{table}`");
        let mut items = Vec::new();
        let mut from = None;
        loop {
            let request =
                ScanRequest { table_name: table.to_owned(), exclusive_start_key: from, ..ScanRequest::default() };
            let page = self.database.scan(request).map_err(|error| refused(&what, &error))?;
            for item in page.items.iter().flatten() {
                items.push(serde_json::to_value(item).map_err(|error| refused(&what, &error))?);
            }
            from = page.last_evaluated_key;
            if from.is_none() {
                return Ok(items);
            }
        }
    }
}

/// The items of an account, one by one.
pub(super) struct Items(Database);

impl Items {
    /// The item of a key, as it is now.
    pub(super) fn get(&self, table: &str, key: &Value) -> Option<Value> {
        let request = serde_json::from_value(json!({"TableName": table, "Key": key, "ConsistentRead": true})).ok()?;
        serde_json::to_value(self.0.get_item(request).ok()?.item?).ok()
    }

    #[cfg(test)]
    pub(super) fn put(&self, table: &str, item: &Value) {
        let request = serde_json::from_value(json!({"TableName": table, "Item": item})).unwrap();
        self.0.put_item(request).unwrap();
    }
}

async fn serve(listener: TcpListener, database: Database) {
    dynoxide::server::serve_on(listener, database).await;
}

fn refused(what: &str, why: &dyn std::fmt::Display) -> Error {
    Error::Emulator { service: "DynamoDB", what: what.to_owned(), why: why.to_string() }
}

/// SQLite names its files by text.
fn text<'a>(file: &'a Path, what: &str) -> Result<&'a str, Error> {
    file.to_str().ok_or_else(|| refused(what, &"the path is no UTF-8 text"))
}
