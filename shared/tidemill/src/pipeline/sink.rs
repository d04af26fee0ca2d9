//! Where outputs go.

/// A Kinesis stream by its logical name. The function reads the physical name or ARN from `TIDEMILL_STREAM_<NAME>`,
/// upper case with `_` for `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kinesis {
    logical_name: String,
    plain: bool,
}

impl Kinesis {
    /// The stream with this logical name (1 to 64 of `a-z 0-9 -`). Each output is a CloudEvents 1.0 event in JSON, whose
    /// `source` and `id` tell repeats.
    pub fn stream(logical_name: &str) -> Self {
        Self { logical_name: logical_name.to_owned(), plain: false }
    }

    /// Sends the bare value in place of an event. Repeats after a retry can then not be told from results.
    #[must_use]
    pub fn plain(self) -> Self {
        Self { plain: true, ..self }
    }

    /// The logical name.
    pub fn logical_name(&self) -> &str {
        &self.logical_name
    }

    /// Whether the bare value is sent.
    pub const fn is_plain(&self) -> bool {
        self.plain
    }
}
