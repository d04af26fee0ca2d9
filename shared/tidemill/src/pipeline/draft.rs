//! What the stages have collected so far.

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_core::{OutOfOrder, millis};

use super::enrich::Enricher;
use super::{Engine, Routes, Sink};
use crate::settings::QUARANTINE_SINK;

/// Name, options, sinks and problems of a pipeline in the making.
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) late: Option<Sink>,
    /// The sinks of results: the main one, which comes last, has number 0.
    further: Vec<Sink>,
    /// The sinks of side outputs, by the output's name.
    pub(super) sides: BTreeMap<&'static str, u16>,
    /// What asks other services before the step.
    pub(super) enricher: Option<Box<dyn Enricher>>,
    pub(super) out_of_order: Option<OutOfOrder>,
    pub(super) routes: Routes,
    pub(super) summary: String,
    pub(super) problems: Vec<String>,
}

impl Draft {
    pub(super) fn named(name: &str) -> Self {
        let mut draft = Self {
            name: name.to_owned(),
            late: None,
            further: Vec::new(),
            sides: BTreeMap::new(),
            enricher: None,
            out_of_order: None,
            routes: Routes::Record,
            summary: String::new(),
            problems: Vec::new(),
        };
        if !is_name(name) {
            draft.problem(format!("the pipeline's name {name:?}: a name is 1 to 64 of a-z, 0-9 and -, first a letter"));
        }
        draft
    }

    pub(super) fn problem(&mut self, problem: String) {
        self.problems.push(problem);
    }

    /// Another sink of results; its number. One that is known keeps its number.
    pub(super) fn further_sink(&mut self, sink: Sink) -> u16 {
        let known = self.further.iter().position(|known| *known == sink);
        let index = known.unwrap_or_else(|| {
            self.further.push(sink);
            self.further.len() - 1
        });
        u16::try_from(index + 1).unwrap_or_else(|_| {
            self.problem("a pipeline has at most 65,535 sinks".to_owned());
            0
        })
    }

    /// All sinks of results in the order of their numbers; what is wrong with them becomes problems.
    pub(super) fn finish_sinks(&mut self, main: Sink) -> Vec<Sink> {
        let sinks: Vec<Sink> = std::iter::once(main).chain(std::mem::take(&mut self.further)).collect();
        let late = self.late.clone();
        for sink in sinks.iter().chain(&late) {
            self.check_sink(sink);
        }
        for (at, sink) in sinks.iter().enumerate() {
            if sinks[..at].iter().any(|other| other.logical_name() == sink.logical_name()) {
                self.problem(format!("two sinks are called {:?}: give one another name", sink.logical_name()));
            }
        }
        match late {
            Some(Sink::Table(table)) => self.problem(format!(
                "late records cannot go to the table {:?}: they have no pane. Give them a stream",
                table.logical_name()
            )),
            Some(late) if sinks.iter().any(|sink| sink.logical_name() == late.logical_name()) => {
                self.problem(format!(
                    "late records and results both go to {:?}: a consumer could not tell them apart. Give one another stream",
                    late.logical_name()
                ));
            }
            _ => {}
        }
        sinks
    }

    fn check_sink(&mut self, sink: &Sink) {
        let name = sink.logical_name();
        if name == QUARANTINE_SINK {
            self.problem(format!("a sink is called {name:?}: that name is kept for the quarantine. Give it another"));
        } else if !is_name(name) {
            self.problem(format!(
                "the sink's logical name {name:?}: a name is 1 to 64 of a-z, 0-9 and -, first a letter; the physical name \
                 stands in the environment"
            ));
        }
    }

    pub(super) fn check_version(&mut self, version: u32, engine: &Engine) {
        let Engine::Keyed(processor) = engine else { return };
        if let Some(latest) = processor.migrates_from().last().filter(|latest| **latest >= version) {
            self.problem(format!(
                "state of version {latest} is migrated, and the pipeline is of version {version}: say `.version(n)`, with \
                 an n above it"
            ));
        }
    }

    pub(super) fn check_bounds(&mut self, out_of_order: OutOfOrder) {
        self.check_duration("out-of-orderness bound", out_of_order.bound());
        self.check_duration("max_ahead", out_of_order.ahead());
        if let Some(idle) = out_of_order.idle() {
            self.check_duration("idle_after", idle);
        }
        self.out_of_order = Some(out_of_order);
        self.summary = format!(
            "records at most {:?} out of order, event times at most {:?} ahead of arrival",
            out_of_order.bound(),
            out_of_order.ahead()
        );
    }

    /// The duration in milliseconds; what is wrong with it becomes a problem.
    pub(super) fn check_duration(&mut self, what: &str, duration: Duration) -> i64 {
        let whole = millis(duration).filter(|_| duration.subsec_nanos().is_multiple_of(1_000_000));
        whole.unwrap_or_else(|| {
            self.problem(format!("{what} of {duration:?}: it must be whole milliseconds, at most 9,998 years"));
            0
        })
    }
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}
