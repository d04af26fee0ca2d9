//! The ways in which user code can end a process.

use serde::Deserialize;

/// What a record does to the process that reads it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Deed {
    Panic,
    Abort,
    Loop,
    Oom,
}

const MEBIBYTE: usize = 1 << 20;
/// Where nobody says how much memory the function has.
const DEFAULT_MEBIBYTES: usize = 128;

impl Deed {
    /// Does it. There is no way back.
    #[expect(clippy::panic, reason = "that is what it is for")]
    pub(crate) fn perform(self) -> ! {
        match self {
            Self::Panic => panic!("as the record says"),
            Self::Abort => std::process::abort(),
            Self::Loop => spin(),
            Self::Oom => fill_memory(),
        }
    }
}

fn spin() -> ! {
    loop {
        std::hint::spin_loop();
    }
}

/// Allocates without end. Lambda kills a process over the function's memory; where nobody does, this process ends itself
/// there, which is the same from outside.
fn fill_memory() -> ! {
    let limit = std::env::var("AWS_LAMBDA_FUNCTION_MEMORY_SIZE").ok().and_then(|mebibytes| mebibytes.parse().ok());
    let limit = limit.unwrap_or(DEFAULT_MEBIBYTES);
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        // Written to, or else the system would not hand out the memory.
        hoard.push(vec![1; MEBIBYTE]);
        if std::hint::black_box(&hoard).len() > limit {
            std::process::abort();
        }
    }
}
