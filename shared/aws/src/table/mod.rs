//! The latest result of each key and window, in a DynamoDB table.

mod held;
mod row;
mod sink;

use std::fmt;

pub use sink::TableSink;

use crate::fault::Kind;

/// A sink's table: partition key `pk` and sort key `sk`, both strings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkTable {
    /// The logical name, as pipelines and journals have it.
    pub sink: String,
    /// The table's name, or its ARN.
    pub table: String,
    /// The environment variable that names the table, for messages.
    pub variable: String,
}

impl SinkTable {
    /// What to mend so that `action` is not refused for this reason; `None` if waiting may be enough.
    pub(crate) fn fix(&self, kind: Kind, action: &str) -> Option<String> {
        match kind {
            Kind::Passing => None,
            Kind::Absent => Some(format!(
                "there is no such table in this account and region, or it is not active yet. Create it, or correct {}",
                self.variable
            )),
            Kind::Denied => Some(format!("allow the function's role {action} on the table")),
            Kind::Untrusted => Some("correct the credentials of this process".to_owned()),
            Kind::Rejected => Some(
                "the same request will never succeed. The table's partition key must be `pk`, its sort key `sk`, both \
                 strings"
                    .to_owned(),
            ),
        }
    }
}

impl fmt::Display for SinkTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "table `{}` of sink `{}`", self.table, self.sink)
    }
}
