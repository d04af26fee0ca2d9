//! The account that is served: what was kept of it, and what the template wants in it.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use crate::emulators::{DynamoDb, Emulators, Kinesis};
use crate::error::Error;
use crate::findings::{Finding, shown};
use crate::kept::{Account, Kept};
use crate::template::Template;

/// The file of the streams.
pub(super) fn streams(account: &Account) -> PathBuf {
    account.streams()
}

/// Takes the served account for this process alone, as long as the file lives.
pub(super) fn claim(kept: &Kept, fresh: bool) -> Result<(Account, File), Error> {
    let account = kept.serve();
    kept.make(&account)?;
    let path = account.file("lock");
    let lock = File::create(&path).map_err(|source| Error::writing(&path, source))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let folder = shown(&account.folder).display();
            return Err(Error::Option(format!(
                "another `cargo tidemill serve` works on {folder}: end that one, or use the one that is up"
            )));
        }
        Err(TryLockError::Error(source)) => return Err(Error::writing(&path, source)),
    }
    if fresh {
        forget(&account)?;
    }
    Ok((account, lock))
}

/// Whether a process has the account for itself.
pub(super) fn is_claimed(account: &Account) -> bool {
    // Shared, so that two that look do not see each other.
    let lock = File::open(account.file("lock")).map(|lock| lock.try_lock_shared());
    matches!(lock, Ok(Err(TryLockError::WouldBlock)))
}

/// Deletes everything but the lock.
fn forget(account: &Account) -> Result<(), Error> {
    let tables = account.tables();
    // What SQLite keeps beside its file is of the file's name.
    let sidecar = |end: &str| tables.with_extension(format!("sqlite{end}"));
    for path in [tables.clone(), sidecar("-wal"), sidecar("-shm"), streams(account)] {
        match fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => return Err(Error::writing(&path, source)),
            _ => {}
        }
    }
    Ok(())
}

/// Opens what was kept, and creates what the template has besides. Says where the two differ.
pub(super) async fn open(account: &Account, template: &Template) -> Result<(Emulators, Vec<Finding>), Error> {
    let dynamodb = DynamoDb::open(&account.tables()).await?;
    let kinesis = Kinesis::new();
    if streams(account).is_file() {
        kinesis.restore(&streams(account)).await?;
    }
    let mut differences = Vec::new();
    for stream in &template.streams {
        if !kinesis.has_stream(&stream.name).await {
            kinesis.create_stream(&stream.name, stream.shards).await?;
            continue;
        }
        let open = kinesis.open_shards(&stream.name).await?;
        if open != stream.shards as usize {
            let message = format!(
                "stream `{}` has {} shards here, but {open} in {}: --fresh begins anew",
                stream.name,
                stream.shards,
                shown(&account.folder).display()
            );
            differences.push(Finding { file: template.path.clone(), line: None, message });
        }
    }
    for table in &template.tables {
        if !dynamodb.has_table(&table.name)? {
            dynamodb.create_table(table)?;
        }
    }
    Ok((Emulators::of(kinesis, dynamodb, template), differences))
}

pub(super) fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|source| Error::writing(path, source))
}
