//! A run's figures while it goes on, for a person.

use jiff::Timestamp;

use crate::history::Sample;

use super::summary::{grouped, many};

/// How fast records are processed, over the whole run so far.
pub(super) fn rate(now: &Sample) -> String {
    match (now.records * 1_000).checked_div(now.ms) {
        Some(rate) if now.records > 0 => format!("{}/s", grouped(rate)),
        _ => String::new(),
    }
}

/// The figures under the bar: labels and values.
pub(super) fn figures(now: &Sample, fault: Option<(&'static str, u64)>) -> Vec<(&'static str, String)> {
    let Sample { batches, failed, results, late, quarantined, open, closed, state_bytes, .. } = *now;
    let mut lines = vec![
        ("batches", format!("{}, {}", grouped(batches), many(failed, "failure", "failures"))),
        ("results", format!("{}, {} late, {} quarantined", grouped(results), grouped(late), grouped(quarantined))),
    ];
    if let Some(watermark) = watermark(now) {
        lines.push(("watermark", watermark));
        let state = bytes(state_bytes);
        lines.push(("windows", format!("{} open, {} closed, state {state}", grouped(open), grouped(closed))));
    }
    if let Some((what, count)) = fault {
        lines.push(("faults", format!("{}, the last: {what}", grouped(count))));
    }
    lines
}

/// All of it in one line.
pub(super) fn line(now: &Sample, done: u64, total: u64) -> String {
    let Sample { batches, failed, results, .. } = *now;
    let mut line = format!(
        "{} of {} records, {}, {}, {} results",
        grouped(done),
        grouped(total),
        many(batches, "batch", "batches"),
        many(failed, "failure", "failures"),
        grouped(results)
    );
    if let Some(watermark) = watermark(now) {
        line.push_str(&format!(", watermark {watermark}"));
    }
    line
}

/// The watermark, and how far it is behind the highest event time.
fn watermark(now: &Sample) -> Option<String> {
    let watermark = now.watermark?;
    let time = Timestamp::from_millisecond(watermark).ok()?;
    let time = time.strftime("%Y-%m-%d %H:%M:%S");
    Some(match now.highest.and_then(|highest| u64::try_from(highest.saturating_sub(watermark)).ok()) {
        Some(behind) => format!("{time}, {} behind the newest event", span(behind)),
        None => time.to_string(),
    })
}

/// A span of time in its largest two units.
pub(super) fn span(millis: u64) -> String {
    let seconds = millis / 1_000;
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{}.{} s", seconds, millis % 1_000 / 100),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes} min"),
        _ => format!("{} d {hours} h", grouped(days)),
    }
}

/// An amount of bytes in its unit.
pub(super) fn bytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
    let of = |unit: u32| bytes as f64 / f64::from(unit);
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} KB", of(1_000)),
        1_000_000..1_000_000_000 => format!("{:.1} MB", of(1_000_000)),
        _ => format!("{:.1} GB", of(1_000_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Sample {
        Sample {
            ms: 2_000,
            records: 25_000,
            batches: 50,
            failed: 1,
            watermark: Some(1_357_000_000_000),
            highest: Some(1_357_021_660_000),
            open: 12,
            opened: 112,
            closed: 100,
            results: 1_100,
            late: 3,
            state_bytes: 4_250,
            ..Sample::default()
        }
    }

    #[test]
    fn figures_are_told_in_a_few_short_lines() {
        let lines = figures(&now(), Some(("timed out", 4)));
        let lines: Vec<String> = lines.iter().map(|(label, value)| format!("{label} {value}")).collect();
        assert_eq!(
            lines,
            [
                "batches 50, 1 failure",
                "results 1,100, 3 late, 0 quarantined",
                "watermark 2013-01-01 00:26:40, 6 h 1 min behind the newest event",
                "windows 12 open, 100 closed, state 4.2 KB",
                "faults 4, the last: timed out",
            ]
        );
        assert!(lines.iter().all(|line| line.len() < 78));
        assert_eq!(rate(&now()), "12,500/s");
    }

    #[test]
    fn without_a_watermark_nothing_is_said_of_windows() {
        let now = Sample { watermark: None, ..now() };
        assert_eq!(figures(&now, None).len(), 2);
        assert_eq!(line(&now, 5, 10), "5 of 10 records, 50 batches, 1 failure, 1,100 results");
        assert_eq!(rate(&Sample::default()), "");
    }

    #[test]
    fn spans_and_sizes_are_told_in_their_units() {
        assert_eq!(
            [span(900), span(61_000), span(3_660_000), span(90_000_000)],
            ["0.9 s", "1 min 1 s", "1 h 1 min", "1 d 1 h"]
        );
        assert_eq!([bytes(999), bytes(1_500), bytes(2_500_000)], ["999 B", "1.5 KB", "2.5 MB"]);
    }
}
