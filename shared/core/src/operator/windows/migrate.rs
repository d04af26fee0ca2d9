//! Reading what earlier versions of a pipeline kept of its windows.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;

use super::cell::WindowCell;
use crate::reject::guard;
use crate::{Corrupt, codec};

/// Makes a cell of an accumulator `S` of the bytes of an earlier one.
type MigrateFn<S> = Box<dyn Fn(&[u8]) -> Result<WindowCell<S>, Corrupt> + Send + Sync>;

/// How accumulators of earlier versions of a pipeline become those of type `S`.
pub struct Migrations<S>(BTreeMap<u32, MigrateFn<S>>);

impl<S> Default for Migrations<S> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<S: 'static> Migrations<S> {
    /// Accumulators that `version` kept as `T` are read by `migrate`. Whether the version had none so far.
    pub fn add<T, F>(&mut self, version: u32, migrate: F) -> bool
    where
        T: DeserializeOwned + 'static,
        F: Fn(T) -> S + Send + Sync + 'static,
    {
        let cell = move |bytes: &[u8]| {
            let WindowCell { accumulator, pane } = codec::decode::<WindowCell<T>>(bytes)?;
            let migrated = guard("the migration", || Ok(accumulator.map(&migrate)));
            let accumulator =
                migrated.map_err(|reject| Corrupt(format!("of version {version}: {}", reject.message)))?;
            Ok(WindowCell { accumulator, pane })
        };
        self.0.insert(version, Box::new(cell)).is_none()
    }

    /// The versions, ascending.
    pub fn versions(&self) -> impl Iterator<Item = u32> {
        self.0.keys().copied()
    }

    /// The cell in the bytes that `version` wrote; `None` if nothing was said of it.
    pub(super) fn migrate(&self, version: u32, bytes: &[u8]) -> Option<Result<WindowCell<S>, Corrupt>> {
        self.0.get(&version).map(|migrate| migrate(bytes))
    }
}
