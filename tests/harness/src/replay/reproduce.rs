//! Keeping the event at which a function failed.

use crate::error::Error;
use crate::kept::Kept;
use crate::mapping::Link;

use super::prepare::Prepared;

impl Prepared {
    /// Writes the event of a function that does not get on beside the template, and says how to see it again. Any other
    /// error, and one whose event cannot be written, is left as it is.
    pub(super) fn reproducible(&self, error: Error, links: &[Link]) -> Error {
        let Error::Stuck(stuck) = error else { return error };
        let mut pools = links.iter().map(|link| &link.mapping.pool);
        let pool = pools.find(|pool| pool.deployment().function.id == stuck.function);
        let failed = pool.and_then(|pool| Some((pool.failed()?, pool.deployment().function.code.name())));
        let Some((event, binary)) = failed else { return Error::Stuck(stuck) };
        match Kept::beside(self.template.folder()).keep_failed(&stuck.function, &event) {
            Ok(event) => Error::Reproducible { stuck, binary, event },
            Err(_) => Error::Stuck(stuck),
        }
    }
}
