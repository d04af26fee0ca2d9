//! How much CPU time a process has used.

use std::time::Duration;

/// The unit of the kernel's answer: USER_HZ is 100 wherever Linux runs.
const TICK: Duration = Duration::from_millis(10);

/// User and system time of a process that was not waited for yet. `None` where the system does
/// not tell.
pub(super) fn used(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    ticks(&stat).map(|ticks| TICK * ticks)
}

/// Fields 14 and 15. The second field is the program's name in parentheses and may hold anything,
/// spaces and parentheses included.
fn ticks(stat: &str) -> Option<u32> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_ascii_whitespace().skip(11).map(str::parse::<u32>);
    let (user, system) = (times.next()?.ok()?, times.next()?.ok()?);
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_found_behind_any_name() {
        let stat = "4242 (a ) b (c) S 1 4242 4242 0 -1 4194304 100 0 0 0 37 5 0 0 20 0 3 0 100 1 2 3";
        assert_eq!(ticks(stat), Some(42));
        assert_eq!(ticks("garbage"), None);
    }
}
