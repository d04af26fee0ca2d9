//! The local harness: it replays events through the real binaries of a SAM template's functions.
//!
//! ```text
//! events/<scenario>/   records, and what must come of them      scenario, input
//! template.yaml        streams, tables, functions               template
//!       |
//!   emulated Kinesis and DynamoDB, in this process              emulators
//!       |  GetRecords                  ^  each request counted
//!   event source mapping               |  (one front a process)
//!       |  batches                     |                        mapping
//!   Lambda Runtime API  ->  the function's own binary           runtime_api, environment
//!       |
//!       |  results: on to the next function, or compared
//!       |  with the expected ones                                replay
//! ```
//!
//! Two more look at the same account from outside: [`serve`] brings it up for any client, and
//! [`state`] reads the journals in it, or in what [`kept`] runs left behind, or on AWS.
//!
//! Nothing else has to be installed or running: no Docker, no AWS account, no network.

pub mod cargo;
pub mod chaos;
pub mod cli;
mod compressed;
pub mod cost;
pub mod doctor;
pub mod emulators;
pub mod environment;
pub mod error;
pub mod findings;
pub mod history;
pub mod input;
pub mod kept;
pub mod mapping;
mod near;
pub mod new;
pub mod permission;
pub mod progress;
mod random;
pub mod redrive;
pub mod replay;
pub mod report;
pub mod resharding;
pub mod runtime_api;
pub mod scenario;
pub mod serve;
pub mod state;
pub mod streams;
pub mod template;
pub mod watch;

pub use error::Error;
