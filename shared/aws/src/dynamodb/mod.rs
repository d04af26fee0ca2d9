//! The journal's items in DynamoDB.
//!
//! ```text
//! pk                       sk               attributes
//! <journal>                slot:0000000017  inc (S, 16 hex digits)  num (N)  body (B)
//! <journal>                mark             inc (S)  num (N)  due (N, milliseconds, optional)
//! <journal>/part:<id>      chunk:0000       body (B)  bytes (N)  written (N, milliseconds)  seen (N, the same, see sweep)
//! ```
//!
//! `<journal>` is `<pipeline>/<stream ARN>/<shard>`. All reads are strongly consistent. Parts lie on partition keys of
//! their own: a partition takes 1,000 write units a second, and the ring needs its own.
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/bp-partition-key-design.html>

mod item;
mod listing;
mod request;
mod store;
mod sweep;

pub use listing::list_journals;
pub use request::TABLE_VARIABLE;
pub use store::DynamoStore;
