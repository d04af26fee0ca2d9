//! Where records go that are given up.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::emulators::Queues;

/// Queues, and a folder that stands for S3.
#[derive(Debug)]
pub struct Destinations {
    /// The id of the mapping, as objects' keys have it.
    pub mapping: String,
    /// The account's queues.
    pub queues: Queues,
    /// The folder of the buckets, one folder for each; it comes to be when something is written.
    pub buckets: PathBuf,
    lost: Mutex<Vec<String>>,
}

impl Destinations {
    /// Queues of an account, and a folder of buckets.
    pub fn new(mapping: impl Into<String>, queues: Queues, buckets: impl Into<PathBuf>) -> Self {
        Self { mapping: mapping.into(), queues, buckets: buckets.into(), lost: Mutex::default() }
    }

    /// What could not be sent anywhere, in words.
    pub fn lost(&self) -> Vec<String> {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn note_lost(&self, what: String) {
        self.lost.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    }

    pub(super) fn write(&self, bucket: &str, key: &str, object: &[u8]) -> Result<(), String> {
        let file = self.buckets.join(bucket).join(key);
        let folder = file.parent().unwrap_or(Path::new("."));
        let written = fs::create_dir_all(folder).and_then(|()| fs::write(&file, object));
        written.map_err(|error| format!("cannot write {}: {error}", file.display()))
    }
}
