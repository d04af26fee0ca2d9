//! The file that a pipeline's state is exported to: JSON Lines, compressed by zstd.
//!
//! ```text
//! {"tidemill_state":{"version":1,"pipeline":"departures","exported":"2026-11-24T12:00:00.000Z","by":"tidemill 0.1.0"}}
//! {"shard":{"schema":{"journal":{…},"fingerprint":{…},"starting_sequence":"…","hash_range":{…}},"incarnation":"0f…",
//!           "commit":24,"kind":"data","ring":1024,"format":2,"position":{"sequence":"…","sub":0},"progress":{…}}}
//! {"output":["out","JFK","<base64>"]}             not known to be sent: sink, partition key, bytes
//! {"cell":["<base64>","<base64>","<base64>"]}     key, slot, value, as they are stored (CBOR)
//! {"end":{"outputs":1,"cells":312}}               of the shard
//! {"complete":{"shards":1,"crc32":"…"}}           CRC-32 of all lines before, ends of lines included
//! ```
//!
//! A shard is as of one commit, which its line names; shards need not be of one moment. `zstdcat FILE | head -2` shows what
//! a file is of. A version that is not known is refused. So is a file that is cut short or changed: nothing is done with
//! one before all of it was read once. At any time one shard's state is in memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use crc32fast::Hasher;
use serde::{Deserialize, Serialize};
use tidemill_core::{Change, EventTime, Position, Progress};
use tidemill_journal::{Format, Incarnation, Kind, Output, Ring, Schema, Snapshot, State};

use crate::error::Error;

use super::cells::Cells;

/// What is written, and all that is read.
const VERSION: u32 = 1;
const LEVEL: i32 = 3;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Line {
    TidemillState(Header),
    Shard(Box<Head>),
    Output(String, String, String),
    Cell(String, String, String),
    End { outputs: u64, cells: u64 },
    Complete { shards: u64, crc32: String },
}

/// What a file says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    version: u32,
    /// The pipeline.
    pub pipeline: String,
    /// When, by the clock of the machine that did it.
    pub exported: String,
    /// The program that wrote it.
    pub by: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    schema: Schema,
    incarnation: String,
    commit: u64,
    kind: Kind,
    ring: Ring,
    format: u8,
    position: Option<Position>,
    progress: Progress,
    /// When what the journal held was freed, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    freed: Option<EventTime>,
}

/// One shard's journal, as it was exported.
pub struct Exported {
    /// All but the state.
    pub snapshot: Snapshot,
    /// The life that it was exported from.
    pub incarnation: Incarnation,
    /// The commit that it is as of.
    pub commit: u64,
    cells: Cells,
}

/// What is in a file that was read to its end.
pub struct Contents {
    /// What it says of itself.
    pub header: Header,
    /// Its shards, without what they hold.
    pub shards: Vec<Summary>,
}

/// A shard in a file.
#[derive(Clone, Debug)]
pub struct Summary {
    /// All but the state.
    pub snapshot: Snapshot,
    /// The life that it was exported from.
    pub incarnation: Incarnation,
    /// The commit that it is as of.
    pub commit: u64,
    /// How many cells it has.
    pub cells: usize,
    /// About how many bytes they take.
    pub bytes: usize,
}

impl Exported {
    pub(super) const fn new(snapshot: Snapshot, incarnation: Incarnation, commit: u64, cells: Cells) -> Self {
        Self { snapshot, incarnation, commit, cells }
    }

    /// Its state.
    pub fn state(&self) -> &(impl State + use<>) {
        &self.cells
    }

    /// How much there is of it.
    pub fn summary(&self) -> Summary {
        Summary {
            snapshot: self.snapshot.clone(),
            incarnation: self.incarnation,
            commit: self.commit,
            cells: self.cells.count(),
            bytes: self.cells.bytes(),
        }
    }
}

/// Writes a file. It has its name only once it is complete.
pub struct Writer {
    out: zstd::Encoder<'static, BufWriter<File>>,
    hash: Hasher,
    path: PathBuf,
    shards: u64,
}

impl Writer {
    /// Begins a file, which must not be there.
    pub fn create(path: &Path, pipeline: &str, now: EventTime) -> Result<Self, Error> {
        if path.exists() {
            let there = io::Error::new(io::ErrorKind::AlreadyExists, "it is there already: give another name");
            return Err(Error::writing(path, there));
        }
        let failed = |source| Error::writing(path, source);
        let file = BufWriter::new(File::create(partial(path)).map_err(failed)?);
        let mut out = zstd::Encoder::new(file, LEVEL).map_err(failed)?;
        out.include_checksum(true).map_err(failed)?;
        let mut writer = Self { out, hash: Hasher::new(), path: path.to_owned(), shards: 0 };
        let header = Header {
            version: VERSION,
            pipeline: pipeline.to_owned(),
            exported: now.to_string(),
            by: concat!("tidemill ", env!("CARGO_PKG_VERSION")).to_owned(),
        };
        writer.line(&Line::TidemillState(header))?;
        Ok(writer)
    }

    /// Appends a shard.
    pub fn shard(&mut self, exported: &Exported) -> Result<(), Error> {
        let Snapshot { schema, ring, format, kind, position, progress, outputs, freed } = exported.snapshot.clone();
        let (incarnation, commit, format) = (exported.incarnation.to_string(), exported.commit, format.version());
        self.line(&Line::Shard(Box::new(Head {
            schema,
            incarnation,
            commit,
            kind,
            ring,
            format,
            position,
            progress,
            freed,
        })))?;
        for Output { sink, partition_key, data } in &outputs {
            self.line(&Line::Output(sink.clone(), partition_key.clone(), base64(data)))?;
        }
        let mut cells = 0;
        for Change { key, slot, value } in exported.cells.changes() {
            cells += 1;
            self.line(&Line::Cell(base64(&key), base64(&slot), base64(&value.unwrap_or_default())))?;
        }
        self.shards += 1;
        self.line(&Line::End { outputs: outputs.len() as u64, cells })
    }

    /// Ends the file and gives it its name. How many bytes it has.
    pub fn finish(mut self) -> Result<u64, Error> {
        let crc32 = format!("{:08x}", self.hash.clone().finalize());
        self.line(&Line::Complete { shards: self.shards, crc32 })?;
        let Self { out, path, .. } = self;
        let failed = |source| Error::writing(&path, source);
        let file = out.finish().and_then(|file| file.into_inner().map_err(io::IntoInnerError::into_error));
        let file = file.map_err(failed)?;
        file.sync_all().map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        std::fs::rename(partial(&path), &path).map_err(failed)?;
        Ok(bytes)
    }

    fn line(&mut self, line: &Line) -> Result<(), Error> {
        // Plain data, which serialises.
        let mut text = serde_json::to_vec(line).unwrap_or_default();
        text.push(b'\n');
        self.hash.update(&text);
        self.out.write_all(&text).map_err(|source| Error::writing(&self.path, source))
    }
}

/// What a file is called until it is complete.
fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// Reads a file, shard by shard.
pub struct Reader {
    lines: BufReader<zstd::Decoder<'static, BufReader<File>>>,
    hash: Hasher,
    path: PathBuf,
    number: u64,
    shards: u64,
    /// What it says of itself.
    pub header: Header,
}

impl Reader {
    /// Opens a file.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let failed = |source| Error::reading(path, source);
        let decoder = zstd::Decoder::new(File::open(path).map_err(failed)?).map_err(failed)?;
        let header = Header { version: 0, pipeline: String::new(), exported: String::new(), by: String::new() };
        let lines = BufReader::new(decoder);
        let mut reader = Self { lines, hash: Hasher::new(), path: path.to_owned(), number: 0, shards: 0, header };
        match reader.line()? {
            Line::TidemillState(header) if header.version == VERSION => reader.header = header,
            Line::TidemillState(Header { version, by, .. }) => {
                let why =
                    format!("it is of version {version} (by {by}), this program reads {VERSION}: take a newer one");
                return Err(reader.damaged(why));
            }
            _ => return Err(reader.damaged("it is no export of `state export`")),
        }
        Ok(reader)
    }

    /// Reads a whole file, and says what is in it.
    pub fn check(path: &Path) -> Result<Contents, Error> {
        let mut reader = Self::open(path)?;
        let mut shards = Vec::new();
        while let Some(exported) = reader.shard()? {
            shards.push(exported.summary());
        }
        Ok(Contents { header: reader.header, shards })
    }

    /// The next shard; `None` behind the last one of a file that is whole.
    pub fn shard(&mut self) -> Result<Option<Exported>, Error> {
        let head = match self.line()? {
            Line::Shard(head) => head,
            Line::Complete { shards, .. } if shards == self.shards => return Ok(None),
            _ => return Err(self.damaged("a shard should begin here")),
        };
        let (mut outputs, mut cells, mut count) = (Vec::new(), Cells::default(), 0);
        loop {
            match self.line()? {
                Line::Output(sink, partition_key, data) => {
                    let data = self.bytes(&data)?.into();
                    outputs.push(Output { sink, partition_key, data });
                }
                Line::Cell(key, slot, value) => {
                    count += 1;
                    let change =
                        Change { key: self.bytes(&key)?, slot: self.bytes(&slot)?, value: Some(self.bytes(&value)?) };
                    cells.restore(&change).map_err(|corrupt| self.damaged(corrupt.to_string()))?;
                }
                Line::End { outputs: sent, cells } if sent == outputs.len() as u64 && cells == count => break,
                _ => return Err(self.damaged("the shard is not complete")),
            }
        }
        self.shards += 1;
        let Head { schema, incarnation, commit, kind, ring, format, position, progress, freed } = *head;
        let incarnation = incarnation.parse().map_err(|_| self.damaged("its incarnation is no hexadecimal number"))?;
        let Some(format) = Format::of_version(format) else {
            return Err(self.damaged(format!("it is of a journal in format {format}: take a newer program")));
        };
        if Ring::of(ring.slots()).is_none() {
            return Err(self.damaged("a ring has two slots at least"));
        }
        let snapshot = Snapshot { schema, ring, format, kind, position, progress, outputs, freed };
        Ok(Some(Exported { snapshot, incarnation, commit, cells }))
    }

    fn line(&mut self) -> Result<Line, Error> {
        let mut text = Vec::new();
        self.number += 1;
        let read = self.lines.read_until(b'\n', &mut text);
        read.map_err(|error| self.damaged(error.to_string()))?;
        if text.is_empty() {
            return Err(self.damaged("it ends here: it was cut short"));
        }
        let line: Line = serde_json::from_slice(&text).map_err(|error| self.damaged(error.to_string()))?;
        if let Line::Complete { crc32, .. } = &line
            && *crc32 != format!("{:08x}", self.hash.clone().finalize())
        {
            return Err(self.damaged("its checksum does not fit"));
        }
        self.hash.update(&text);
        Ok(line)
    }

    fn bytes(&self, text: &str) -> Result<Vec<u8>, Error> {
        base64_simd::STANDARD.decode_to_vec(text).map_err(|error| self.damaged(error.to_string()))
    }

    fn damaged(&self, why: impl Into<String>) -> Error {
        let why = format!("line {}: {}. Nothing was done with it", self.number, why.into());
        Error::reading(&self.path, io::Error::new(io::ErrorKind::InvalidData, why))
    }
}

fn base64(bytes: &[u8]) -> String {
    super::cbor::base64(bytes)
}
