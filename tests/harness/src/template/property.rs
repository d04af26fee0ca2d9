//! Reading single properties, with messages that say what was expected.

use std::ops::RangeInclusive;
use std::path::Path;

use crate::findings::Findings;

use super::node::Node;
use super::resolve::Resolver;

/// Reads properties and notes what is wrong with them.
pub(super) struct Reader<'a> {
    pub(super) path: &'a Path,
    pub(super) resolver: &'a Resolver,
    pub(super) findings: &'a mut Findings,
}

impl Reader<'_> {
    pub(super) fn problem(&mut self, line: usize, message: impl Into<String>) {
        self.findings.problem(self.path, Some(line), message);
    }

    pub(super) fn warning(&mut self, line: usize, message: impl Into<String>) {
        self.findings.warning(self.path, Some(line), message);
    }

    /// A property's text. `None` if it is absent, empty, or wrong (which is noted).
    pub(super) fn text(&mut self, node: Option<&Node>) -> Option<String> {
        match self.resolver.text(node?) {
            Ok(text) => Some(text).filter(|text| !text.is_empty()),
            Err(refused) => {
                self.problem(refused.line, refused.message);
                None
            }
        }
    }

    /// A whole number within `range`. `None` if absent or wrong (which is noted).
    pub(super) fn whole(&mut self, node: Option<&Node>, name: &str, range: RangeInclusive<i64>) -> Option<i64> {
        let text = self.text(node)?;
        match text.parse::<i64>() {
            Ok(number) if range.contains(&number) => Some(number),
            _ => {
                let (low, high) = (range.start(), range.end());
                let line = node.map_or(1, |node| node.line);
                self.problem(line, format!("{name} is `{text}`; a whole number from {low} to {high} is expected"));
                None
            }
        }
    }

    /// A whole number as [`Self::whole`], or `default`.
    pub(super) fn whole_or(
        &mut self,
        node: Option<&Node>,
        name: &str,
        range: RangeInclusive<i64>,
        default: u32,
    ) -> u32 {
        self.whole(node, name, range).and_then(|number| u32::try_from(number).ok()).unwrap_or(default)
    }

    /// `true` or `false`; `default` if absent or wrong (which is noted).
    pub(super) fn flag(&mut self, node: Option<&Node>, name: &str, default: bool) -> bool {
        match self.text(node).as_deref() {
            None => default,
            Some("true" | "True" | "yes") => true,
            Some("false" | "False" | "no") => false,
            Some(other) => {
                let line = node.map_or(1, |node| node.line);
                self.problem(line, format!("{name} is `{other}`; true or false is expected"));
                default
            }
        }
    }
}
