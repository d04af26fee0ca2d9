//! Following a stream: its shards side by side, a child when all of its parents have ended.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_kinesis::error::SdkError;
use aws_sdk_kinesis::operation::get_records::{GetRecordsError, GetRecordsOutput};
use aws_sdk_kinesis::primitives::DateTime;
use aws_sdk_kinesis::types::{Shard, ShardIteratorType};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::error::Error;

use super::place::Streams;
use super::taken::Taken;

/// How long a shard is left alone that had nothing: an emulated one, and one of AWS, which five reads a second share.
const LOCAL_PAUSE: Duration = Duration::from_millis(50);
const PAUSE: Duration = Duration::from_secs(1);
/// Records that wait for whoever takes them; reading rests meanwhile.
const WAITING: usize = 10_000;

/// Where to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// With what comes from now on.
    Latest,
    /// With the oldest record that is there.
    Start,
    /// With the first record that arrived then or later.
    Time(Timestamp),
}

/// A stream that is followed until this is dropped.
pub struct Follower {
    records: mpsc::Receiver<Result<Taken, Error>>,
    /// How many shards it began with.
    pub shards: usize,
    _reader: JoinSet<()>,
}

/// What all shards of a stream share.
#[derive(Clone)]
struct Reader {
    streams: Streams,
    stream: String,
    out: mpsc::Sender<Result<Taken, Error>>,
}

/// A shard that is read.
struct Cursor {
    shard: String,
    from: From,
    /// When it began.
    begun: Timestamp,
    iterator: Option<String>,
    /// The last record that was read.
    behind: Option<String>,
}

impl Follower {
    /// Begins to follow. What arrives from now on will come out.
    ///
    /// # Errors
    /// No answer, no such stream, no permission.
    pub async fn begin(streams: &Streams, stream: &str, from: From) -> Result<Self, Error> {
        let (out, records) = mpsc::channel(WAITING);
        let reader = Reader { streams: streams.clone(), stream: stream.to_owned(), out };
        let mut begun = BTreeSet::new();
        let mut cursors = Vec::new();
        let shards = reader.shards().await?;
        let there: BTreeSet<&str> = shards.iter().map(Shard::shard_id).collect();
        for shard in &shards {
            let closed = shard.sequence_number_range().is_some_and(|range| range.ending_sequence_number().is_some());
            let first = match from {
                From::Latest => !closed,
                // Parents that the stream has forgotten have ended.
                From::Start | From::Time(_) => parents(shard).all(|parent| !there.contains(parent)),
            };
            if first {
                cursors.push(Cursor::at(&reader, shard.shard_id(), from).await?);
            }
            if first || from == From::Latest {
                begun.insert(shard.shard_id().to_owned());
            }
        }
        let shards = cursors.len();
        let mut all = JoinSet::new();
        all.spawn(async move {
            if let Err(error) = reader.follow(cursors, begun, from).await {
                // Nobody listens any more if this fails.
                let _ = reader.out.send(Err(error)).await;
            }
        });
        Ok(Self { records, shards, _reader: all })
    }

    /// The next record. Those of one shard come in its order.
    ///
    /// # Errors
    /// What keeps it from reading on.
    pub async fn next(&mut self) -> Result<Taken, Error> {
        let ended = || Err(Error::NotFound(String::from("the stream ended: it was deleted")));
        self.records.recv().await.unwrap_or_else(ended)
    }
}

impl Streams {
    /// All records that a stream holds now, parents before children.
    ///
    /// # Errors
    /// No answer, no such stream, no permission.
    pub async fn all(&self, stream: &str, from: From) -> Result<Vec<Taken>, Error> {
        let (out, _) = mpsc::channel(1);
        let reader = Reader { streams: self.clone(), stream: stream.to_owned(), out };
        let mut all = Vec::new();
        for shard in reader.shards().await? {
            let mut cursor = Cursor::at(&reader, shard.shard_id(), from).await?;
            while let Some(iterator) = cursor.iterator.clone() {
                let Some(answer) = reader.records(&mut cursor, &iterator).await? else {
                    tokio::time::sleep(PAUSE).await;
                    continue;
                };
                let caught_up = answer.records.is_empty() && answer.millis_behind_latest.unwrap_or(0) == 0;
                all.extend(cursor.take(answer));
                if caught_up {
                    break;
                }
            }
        }
        Ok(all)
    }
}

impl Reader {
    /// All shards at once, those that come of them too.
    async fn follow(&self, cursors: Vec<Cursor>, mut begun: BTreeSet<String>, from: From) -> Result<(), Error> {
        // All of a child is new to whoever followed its parents; an instant may lie behind its first records.
        let from = if from == From::Latest { From::Start } else { from };
        let mut ended = BTreeSet::new();
        let mut tasks = JoinSet::new();
        let read = |cursor: Cursor| {
            let reader = self.clone();
            async move { reader.read(cursor).await }
        };
        for cursor in cursors {
            tasks.spawn(read(cursor));
        }
        while let Some(done) = tasks.join_next().await {
            ended.insert(done.unwrap_or_else(|panicked| std::panic::resume_unwind(panicked.into_panic()))?);
            for shard in self.shards().await? {
                let id = shard.shard_id();
                // A parent that was not read had ended before.
                let due = parents(&shard).all(|parent| ended.contains(parent) || !begun.contains(parent));
                if due && parents(&shard).any(|parent| ended.contains(parent)) && begun.insert(id.to_owned()) {
                    tasks.spawn(read(Cursor::at(self, id, from).await?));
                }
            }
        }
        Ok(())
    }

    /// A shard until it ends; gives its id.
    async fn read(&self, mut cursor: Cursor) -> Result<String, Error> {
        let pause = if self.streams.local { LOCAL_PAUSE } else { PAUSE };
        while let Some(iterator) = cursor.iterator.clone() {
            let Some(answer) = self.records(&mut cursor, &iterator).await? else {
                tokio::time::sleep(pause).await;
                continue;
            };
            let nothing = answer.records.is_empty();
            for taken in cursor.take(answer) {
                if self.out.send(Ok(taken)).await.is_err() {
                    // Nobody listens any more.
                    return Ok(cursor.shard);
                }
            }
            if nothing {
                tokio::time::sleep(pause).await;
            }
        }
        Ok(cursor.shard)
    }

    /// The next records; `None` if there is to be asked again.
    async fn records(&self, cursor: &mut Cursor, iterator: &str) -> Result<Option<GetRecordsOutput>, Error> {
        let error = match self.streams.client.get_records().shard_iterator(iterator).send().await {
            Ok(answer) => return Ok(Some(answer)),
            Err(error) => error,
        };
        match error.as_service_error() {
            Some(GetRecordsError::ProvisionedThroughputExceededException(_)) => Ok(None),
            Some(GetRecordsError::ExpiredIteratorException(_)) => {
                cursor.seek(self).await?;
                Ok(None)
            }
            _ => Err(self.failed(&error)),
        }
    }

    async fn shards(&self) -> Result<Vec<Shard>, Error> {
        let (mut shards, mut page) = (Vec::new(), None);
        loop {
            let request = self.streams.client.list_shards();
            let request = match (page, self.stream.starts_with("arn:")) {
                (Some(page), _) => request.next_token(page),
                (None, true) => request.stream_arn(&self.stream),
                (None, false) => request.stream_name(&self.stream),
            };
            let answer = request.send().await.map_err(|error| self.failed(&error))?;
            shards.extend(answer.shards.unwrap_or_default());
            page = answer.next_token;
            if page.is_none() {
                return Ok(shards);
            }
        }
    }

    fn failed<E, R>(&self, error: &SdkError<E, R>) -> Error
    where
        E: std::error::Error + 'static,
        R: std::fmt::Debug,
    {
        self.streams.failed(&format!("read stream `{}`", self.stream), error)
    }
}

impl Cursor {
    /// The records of an answer; the cursor stands behind them.
    fn take(&mut self, answer: GetRecordsOutput) -> Vec<Taken> {
        let mut all = Vec::new();
        for record in answer.records {
            self.behind = Some(record.sequence_number.clone());
            all.push(Taken {
                shard: Some(self.shard.clone()),
                sequence_number: record.sequence_number,
                partition_key: record.partition_key.unwrap_or_default(),
                arrival: record.approximate_arrival_timestamp.map_or(0.0, |time| time.as_secs_f64()),
                data: record.data.into_inner(),
            });
        }
        self.iterator = answer.next_shard_iterator;
        all
    }

    async fn at(reader: &Reader, shard: &str, from: From) -> Result<Self, Error> {
        let mut cursor = Self { shard: shard.to_owned(), from, begun: Timestamp::now(), iterator: None, behind: None };
        cursor.seek(reader).await?;
        Ok(cursor)
    }

    /// Gets an iterator behind what was read; those of AWS live five minutes.
    async fn seek(&mut self, reader: &Reader) -> Result<(), Error> {
        let at = |time: Timestamp| (ShardIteratorType::AtTimestamp, Some(DateTime::from_millis(time.as_millisecond())));
        let (kind, time) = match (&self.behind, self.from) {
            (Some(_), _) => (ShardIteratorType::AfterSequenceNumber, None),
            (None, From::Latest) if self.iterator.is_none() => (ShardIteratorType::Latest, None),
            (None, From::Latest) => at(self.begun),
            (None, From::Start) => (ShardIteratorType::TrimHorizon, None),
            (None, From::Time(time)) => at(time),
        };
        let request = reader.streams.client.get_shard_iterator().shard_id(&self.shard).shard_iterator_type(kind);
        let request = match reader.stream.starts_with("arn:") {
            true => request.stream_arn(&reader.stream),
            false => request.stream_name(&reader.stream),
        };
        let request = request.set_timestamp(time).set_starting_sequence_number(self.behind.clone());
        let answer = request.send().await.map_err(|error| reader.failed(&error))?;
        self.iterator = answer.shard_iterator;
        Ok(())
    }
}

fn parents(shard: &Shard) -> impl Iterator<Item = &str> {
    shard.parent_shard_id().into_iter().chain(shard.adjacent_parent_shard_id())
}
