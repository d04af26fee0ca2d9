//! How much memory a process has used.

/// The most memory that a process has had at once, in bytes. `None` where the system does not tell.
pub(super) fn peak(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    high_water_mark(&status)
}

fn high_water_mark(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_peak_is_found() {
        assert_eq!(high_water_mark("Name:\tf\nVmPeak:\t  99 kB\nVmHWM:\t    12 kB\n"), Some(12 << 10));
        assert_eq!(high_water_mark("Name:\tf\n"), None);
    }
}
