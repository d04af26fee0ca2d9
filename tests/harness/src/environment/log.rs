//! What a function writes to its log.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::task::JoinSet;

use crate::progress::Progress;

/// How much of the end of a log is kept.
const KEPT_LINES: usize = 20;
const KEPT_CHARS: usize = 400;

/// Reads a process's output as it comes, so that the process never waits for a full pipe.
pub(super) struct Log {
    lines: Arc<Mutex<VecDeque<String>>>,
    readers: JoinSet<()>,
}

impl Log {
    pub(super) fn new() -> Self {
        let (lines, readers) = (Arc::default(), JoinSet::new());
        Self { lines, readers }
    }

    /// Follows one of the process's outputs. With `echo` each line is shown to the user.
    pub(super) fn follow(&mut self, output: impl AsyncRead + Unpin + Send + 'static, echo: Option<Arc<dyn Progress>>) {
        let lines = Arc::clone(&self.lines);
        self.readers.spawn(async move {
            let mut output = BufReader::new(output);
            let mut line = Vec::new();
            while matches!(output.read_until(b'\n', &mut line).await, Ok(read) if read > 0) {
                let text = String::from_utf8_lossy(line.trim_ascii_end());
                if !is_metrics(&text) {
                    if let Some(progress) = &echo {
                        progress.log(&text);
                    }
                    if !of_backtrace(&text) {
                        keep(&mut locked(&lines), &text);
                    }
                }
                line.clear();
            }
        });
    }

    /// The last lines, after giving a process that has ended time to have its output read.
    pub(super) async fn tail(mut self) -> Vec<String> {
        let read = async { while self.readers.join_next().await.is_some() {} };
        // A child of the process may hold the pipe open for ever.
        let _ = tokio::time::timeout(Duration::from_millis(200), read).await;
        locked(&self.lines).drain(..).collect()
    }

    /// The last lines of a process that goes on.
    pub(super) fn so_far(&self) -> Vec<String> {
        locked(&self.lines).iter().cloned().collect()
    }
}

fn keep(lines: &mut VecDeque<String>, line: &str) {
    if lines.len() == KEPT_LINES {
        lines.pop_front();
    }
    lines.push_back(line.chars().take(KEPT_CHARS).collect());
}

/// Whether a line is metrics in CloudWatch's embedded format: one an invocation, for machines.
fn is_metrics(line: &str) -> bool {
    line.starts_with(r#"{"_aws":"#)
}

/// Whether a line belongs to a backtrace, which would push out the message before it.
fn of_backtrace(line: &str) -> bool {
    let line = line.trim_start();
    let frame = line.trim_start_matches(|digit: char| digit.is_ascii_digit());
    line.starts_with("at ") || (frame.len() < line.len() && frame.starts_with(": "))
}

fn locked(lines: &Mutex<VecDeque<String>>) -> MutexGuard<'_, VecDeque<String>> {
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_a_panic_is_told_from_its_backtrace() {
        assert!(of_backtrace("  14: tokio::runtime::enter"));
        assert!(of_backtrace("             at ./src/main.rs:14:5"));
        assert!(!of_backtrace("thread 'main' panicked at src/main.rs:14:5:"));
        assert!(!of_backtrace("14 records"));
        assert!(!of_backtrace("key: value"));
    }

    #[tokio::test]
    async fn metrics_are_no_log() {
        let mut log = Log::new();
        let text = "before\n{\"_aws\":{\"Timestamp\":1},\"Records\":5}\n{\"level\":\"INFO\"}\n";
        log.follow(std::io::Cursor::new(text.as_bytes()), None);
        assert_eq!(log.tail().await, ["before", "{\"level\":\"INFO\"}"]);
    }

    #[tokio::test]
    async fn the_last_lines_are_kept_and_cut() {
        let mut log = Log::new();
        let mut text: String = (0..30).map(|n| format!("line {n}\n")).collect();
        text.push_str(&"x".repeat(1_000));
        log.follow(std::io::Cursor::new(text.into_bytes()), None);
        let tail = log.tail().await;
        assert_eq!(tail.len(), KEPT_LINES);
        assert_eq!(tail[0], "line 11");
        assert_eq!(tail[19].len(), KEPT_CHARS);
    }
}
