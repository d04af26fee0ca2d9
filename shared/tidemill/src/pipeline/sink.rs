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

/// A DynamoDB table by its logical name, one item a key and window: the last result holds. The function reads the
/// physical name from `TIDEMILL_TABLE_<NAME>`.
///
/// The table has the string keys `pk` (the key's text) and `sk` (the window's start and end, `-` without one). A late
/// copy of an earlier result never overwrites a later one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    logical_name: String,
}

impl Table {
    /// The table with this logical name (1 to 64 of `a-z 0-9 -`).
    pub fn named(logical_name: &str) -> Self {
        Self { logical_name: logical_name.to_owned() }
    }

    /// The logical name.
    pub fn logical_name(&self) -> &str {
        &self.logical_name
    }
}

/// Where results go: a [`Kinesis`] stream or a DynamoDB [`Table`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// A stream.
    Kinesis(Kinesis),
    /// A table.
    Table(Table),
}

impl Sink {
    /// The logical name.
    pub fn logical_name(&self) -> &str {
        match self {
            Self::Kinesis(stream) => stream.logical_name(),
            Self::Table(table) => table.logical_name(),
        }
    }

    /// Whether the bare value is sent.
    pub const fn is_plain(&self) -> bool {
        match self {
            Self::Kinesis(stream) => stream.is_plain(),
            Self::Table(_) => false,
        }
    }
}

impl From<Kinesis> for Sink {
    fn from(stream: Kinesis) -> Self {
        Self::Kinesis(stream)
    }
}

impl From<Table> for Sink {
    fn from(table: Table) -> Self {
        Self::Table(table)
    }
}
