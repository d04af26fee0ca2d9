//! Freezing a process between its invocations, as Lambda does behind a response: what a function leaves running in
//! the background stands still, and goes on in the middle of a later invocation or never.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html>

#[cfg(unix)]
use rustix::process::{Pid, Signal, kill_process};

/// Stops a process; it does nothing any more until it is [thawed](thaw) or killed.
#[cfg(unix)]
pub(super) fn freeze(process: Option<u32>) {
    signal(process, Signal::STOP);
}

/// Lets a process go on.
#[cfg(unix)]
pub(super) fn thaw(process: Option<u32>) {
    signal(process, Signal::CONT);
}

/// A process that has ended, and is not waited for yet, takes any signal.
#[cfg(unix)]
fn signal(process: Option<u32>, signal: Signal) {
    let process = process.and_then(|process| i32::try_from(process).ok()).and_then(Pid::from_raw);
    if let Some(process) = process {
        let _ = kill_process(process, signal);
    }
}

/// Other systems have no such signal: there it goes on.
#[cfg(not(unix))]
pub(super) fn freeze(_: Option<u32>) {}

/// See [`freeze`].
#[cfg(not(unix))]
pub(super) fn thaw(_: Option<u32>) {}
