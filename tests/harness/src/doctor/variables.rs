//! Variables: what a function is given, against what its program reads.

use memchr::memmem;

use crate::near::near;
use crate::template::{Entry, Node};

use super::ask::{Asked, Description};
use super::function::{NO_QUARANTINE, is_known};
use super::{Diagnosis, Subject};

/// What begins so is read by Lambda, the SDKs, the loader or the C library.
const FOREIGN: [&str; 6] = ["AWS_", "LD_", "LC_", "MALLOC_", "GLIBC_", "OTEL_"];
const FOREIGN_NAMES: [&str; 5] = ["TZ", "PATH", "HOME", "LANG", "TMPDIR"];

/// Compares one function's variables with what its program told.
pub(super) fn examine(subject: &Subject<'_>, asked: &Asked, told: &Description, found: &mut Vec<Diagnosis>) {
    let unread = unread(subject, told);
    for reads in &told.reads {
        let Some(what) = &reads.needed else { continue };
        let is_set = subject.variables().iter().any(|(name, value, _)| {
            // What cannot be resolved here is set all the same.
            *name == reads.name && value.as_ref().is_none_or(|value| !value.trim().is_empty())
        });
        // The template alone tells that the quarantine is missing.
        if !is_set && !NO_QUARANTINE.0.starts_with(&reads.name) {
            lacking(subject, told, &reads.name, what, &unread, found);
        }
    }
    for (name, line) in &unread {
        if meant(told, subject, name).is_none() {
            found.push(idle(subject, told, name, *line));
        }
    }
    foreign(subject, asked, found);
}

/// The function's own variables of tidemill's that the program does not read. Those of `Globals` are for all functions.
fn unread<'a>(subject: &Subject<'a>, told: &Description) -> Vec<(&'a str, usize)> {
    let own = subject.own_variables().iter().map(|entry| (entry.key.as_str(), entry.line));
    own.filter(|(name, _)| is_known(name) && told.reads.iter().all(|reads| reads.name != *name)).collect()
}

/// The needed variable that is not set and that `unread` most likely stands for.
fn meant<'d>(told: &'d Description, subject: &Subject<'_>, unread: &str) -> Option<&'d str> {
    let unset = told.reads.iter().filter(|reads| reads.needed.is_some() && subject.variable(&reads.name).is_none());
    let unset: Vec<&str> = unset.map(|reads| reads.name.as_str()).collect();
    let tail = near(tail(unread), unset.iter().map(|name| self::tail(name)))?;
    unset.into_iter().find(|name| self::tail(name) == tail)
}

/// What names a stream or table, which is all that differs between names.
fn tail(name: &str) -> &str {
    ["TIDEMILL_STREAM_", "TIDEMILL_TABLE_"].iter().find_map(|prefix| name.strip_prefix(prefix)).unwrap_or(name)
}

fn lacking(
    subject: &Subject<'_>,
    told: &Description,
    name: &str,
    what: &str,
    unread: &[(&str, usize)],
    found: &mut Vec<Diagnosis>,
) {
    let why = format!("the function does not start without it: it holds {what}");
    let slip = unread.iter().find(|(unread, _)| meant(told, subject, unread) == Some(name));
    found.push(match slip {
        Some((slip, line)) => subject.error(
            *line,
            format!("{name} is not set, and nothing reads {slip}"),
            &why,
            format!("call it {name}"),
        ),
        None => {
            let line = subject.setting("Environment").map_or(subject.node.line, |node| node.line);
            subject.error(line, format!("{name} is not set"), &why, format!("set {name}: !Ref of it"))
        }
    });
}

fn idle(subject: &Subject<'_>, told: &Description, name: &str, line: usize) -> Diagnosis {
    let pipeline = &told.pipeline;
    let (what, why) = if name == "TIDEMILL_JOURNAL_TABLE" {
        (format!("pipeline `{pipeline}` has no key, and so no journal"), "nothing reads it")
    } else {
        let why = "nothing goes there, unless an earlier version of the pipeline left outputs for it unsent";
        (format!("pipeline `{pipeline}` has no sink of that name"), why)
    };
    subject.warning(line, format!("{name} is set, and {what}"), why, "leave it out, or name the sink in the pipeline")
}

/// Variables of the function's own, whose names must occur in a program that reads them.
fn foreign(subject: &Subject<'_>, asked: &Asked, found: &mut Vec<Diagnosis>) {
    // A layer's programs read variables, too.
    if subject.setting("Layers").is_some() {
        return;
    }
    for entry in subject.own_variables() {
        let name = entry.key.as_str();
        let is_foreign = FOREIGN.iter().any(|prefix| name.starts_with(prefix)) || FOREIGN_NAMES.contains(&name);
        if name.starts_with("TIDEMILL_") || is_foreign || memmem::find(&asked.program, name.as_bytes()).is_some() {
            continue;
        }
        let binary = &asked.binary;
        found.push(subject.warning(
            entry.line,
            format!("{name} is set, and that name does not occur in the program `{binary}`"),
            "nothing reads it, unless its name is put together at run time; a slip leaves the right one unset",
            "correct it, or leave it out",
        ));
    }
}

impl<'a> Subject<'a> {
    /// The variables that are not those of `Globals`.
    fn own_variables(&self) -> &'a [Entry] {
        self.node.at(&["Properties", "Environment", "Variables"]).map_or(&[][..], Node::entries)
    }
}
