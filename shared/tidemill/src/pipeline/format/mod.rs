//! How payloads become events: one file a format. A format of one's own implements [`Format`](crate::Format).

mod cbor;
mod gzip;
mod inflate;
mod json;
mod names;
mod owned;
mod plain;
mod protobuf;
mod text;
mod upstream;
mod zstandard;

pub use cbor::Cbor;
pub use gzip::Gzip;
pub use json::{Borrows, Json, JsonRef};
pub use owned::OwnedFormat;
pub use protobuf::Protobuf;
pub use text::Text;
pub use upstream::Upstream;
pub use zstandard::Zstd;
