//! How payloads become events: one file a format. A format of one's own implements [`Format`](crate::Format).

mod cbor;
mod compressed;
mod json;
mod protobuf;

pub use cbor::Cbor;
pub use compressed::{Gzip, OwnedFormat, Zstd};
pub use json::{Borrows, Json, JsonRef};
pub use protobuf::Protobuf;
