//! Spans of time as they are written on a command line.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::streams::From;

/// `10s`, `2m`, `1h30m`, `100ms`.
pub(super) fn parse(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<SignedDuration>().ok().and_then(|parsed| Duration::try_from(parsed).ok());
    parsed.ok_or_else(|| String::from("a span of time is expected, such as 10s, 5m or 1h30m"))
}

/// `latest`, `start`, an instant such as `2026-01-01T00:00:00Z`, or how long ago, such as `10m`.
pub(super) fn from(text: &str) -> Result<From, String> {
    match text {
        "latest" => Ok(From::Latest),
        "start" => Ok(From::Start),
        text => instant(text).map(From::Time),
    }
}

/// An instant, or how long ago it was.
pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Ok(instant);
    }
    let ago = parse(text).ok().and_then(|ago| Timestamp::now().checked_sub(ago).ok());
    ago.ok_or_else(|| String::from("a time is expected, such as 2026-01-01T00:00:00Z, or how long ago, such as 10m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_instants_are_read() {
        assert_eq!(parse("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse("100ms"), Ok(Duration::from_millis(100)));
        assert!(parse("soon").is_err() && parse("-5s").is_err() && parse("5").is_err());
        assert_eq!(from("2026-01-01T00:00:00Z"), Ok(From::Time("2026-01-01T00:00:00Z".parse().unwrap())));
        assert_eq!((from("latest"), from("start")), (Ok(From::Latest), Ok(From::Start)));
        assert!(instant("10m").unwrap() < Timestamp::now() && from("yesterday").is_err());
    }
}
