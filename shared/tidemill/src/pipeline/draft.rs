//! What the stages have collected so far.

use std::time::Duration;

use tidemill_core::{OutOfOrder, Processor, millis};

use super::Kinesis;
use crate::settings::QUARANTINE_SINK;

/// Name, options and problems of a pipeline in the making.
pub(super) struct Draft {
    pub(super) name: String,
    pub(super) late: Option<Kinesis>,
    pub(super) processor: Option<Box<dyn Processor>>,
    pub(super) summary: String,
    pub(super) problems: Vec<String>,
}

impl Draft {
    pub(super) fn named(name: &str) -> Self {
        let mut draft =
            Self { name: name.to_owned(), late: None, processor: None, summary: String::new(), problems: Vec::new() };
        if !is_name(name) {
            draft.problem(format!("the pipeline's name {name:?}: a name is 1 to 64 of a-z, 0-9 and -, first a letter"));
        }
        draft
    }

    pub(super) fn problem(&mut self, problem: String) {
        self.problems.push(problem);
    }

    pub(super) fn check_sink(&mut self, sink: &Kinesis) {
        let name = sink.logical_name();
        if name == QUARANTINE_SINK {
            self.problem(format!("a sink is called {name:?}: that name is kept for the quarantine. Give it another"));
        } else if !is_name(name) {
            self.problem(format!(
                "the sink's logical name {name:?}: a name is 1 to 64 of a-z, 0-9 and -, first a letter; the physical stream \
                 stands in the environment"
            ));
        }
    }

    pub(super) fn check_bounds(&mut self, out_of_order: OutOfOrder) {
        for (what, duration) in [("out-of-orderness bound", out_of_order.bound()), ("max_ahead", out_of_order.ahead())]
        {
            if millis(duration).is_none() || !duration.subsec_nanos().is_multiple_of(1_000_000) {
                self.problem(format!("{what} of {duration:?}: it must be whole milliseconds, at most 9,998 years"));
            }
        }
        let text = |duration: Duration| format!("{duration:?}");
        self.summary = format!(
            "records at most {} out of order, event times at most {} ahead of arrival",
            text(out_of_order.bound()),
            text(out_of_order.ahead())
        );
    }
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}
