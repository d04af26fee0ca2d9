//! Instructions and allocations, counted by valgrind: the same on a busy machine as on an idle one.

use std::env::current_exe;
use std::process::Command;

use crate::run::Way;

/// How many events a count is made of. The first of them find empty tables and cold paths; so they do in each version.
pub(crate) const EVENTS: u64 = 20_000;

/// What valgrind counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counter {
    Instructions,
    Allocations,
}

impl Counter {
    /// What taking a workload so far costs, an event, without making the events.
    ///
    /// # Errors
    /// valgrind is not there, or said something else.
    pub(crate) fn count(self, workload: &str, way: Way) -> Result<f64, String> {
        let (whole, making) = (self.total(workload, way)?, self.total(workload, Way::None)?);
        Ok((whole as f64 - making as f64) / EVENTS as f64)
    }

    fn total(self, workload: &str, way: Way) -> Result<u64, String> {
        let options: &[&str] = match self {
            Self::Instructions => &["--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"],
            Self::Allocations => &["--tool=dhat", "--dhat-out-file=/dev/null"],
        };
        let program = current_exe().map_err(|error| format!("this program does not know where it is: {error}"))?;
        let events = EVENTS.to_string();
        let run = ["run", workload, way.name(), "--events", &events];
        let done = Command::new("valgrind").args(options).arg(program).args(run).output();
        let done =
            done.map_err(|error| format!("valgrind cannot be run: {error}. Install it: apt-get install valgrind"))?;
        let said = String::from_utf8_lossy(&done.stderr);
        self.read(&said).filter(|_| done.status.success()).ok_or_else(|| format!("valgrind failed:\n{said}"))
    }

    /// `==7== I   refs:      47,491,844`, `==7== Total:     4,148,556 bytes in 64,497 blocks`.
    fn read(self, said: &str) -> Option<u64> {
        let number = said.lines().find_map(|line| match self {
            Self::Instructions => line.split_once("refs:").map(|(_, number)| number),
            Self::Allocations => line.split_once("Total:")?.1.split_once(" in ")?.1.strip_suffix(" blocks"),
        });
        number?.trim().replace(',', "").parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_totals_are_found() {
        assert_eq!(Counter::Instructions.read("==7== \n==7== I   refs:      47,491,844\n"), Some(47_491_844));
        let said = "==7== Total:     4,148,556 bytes in 64,497 blocks\n==7== At t-gmax: 1 bytes in 2 blocks";
        assert_eq!(Counter::Allocations.read(said), Some(64_497));
        assert_eq!(Counter::Allocations.read("valgrind: no such file"), None);
    }
}
