//! The Lambda Runtime API, served to one process.
//!
//! `GET …/invocation/next` hands out an invocation, `POST …/invocation/{id}/response` and
//! `…/error` take what came of it, `POST …/init/error` takes why the process cannot start.

mod invocation;
mod server;

pub use invocation::{FunctionError, Invocation, Reply, Request};
pub use server::RuntimeApi;
