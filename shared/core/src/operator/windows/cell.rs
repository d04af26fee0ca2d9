//! What is stored of a window.

use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Deserializer, Serialize};

use crate::{EventTime, Span, Timing};

/// What one cell holds: a window, or a slice that windows share. Fields have names, and one that this code does not know
/// is refused, never dropped.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "S: Deserialize<'de>"))]
pub(crate) struct WindowCell<S> {
    /// What is kept of the records; `None` for a window whose records lie in slices, and one that began anew.
    #[serde(
        rename = "acc",
        default = "nothing",
        skip_serializing_if = "Option::is_none",
        deserialize_with = "something"
    )]
    pub(super) accumulator: Option<S>,
    #[serde(default, skip_serializing_if = "BoxedPane::is_fresh")]
    pub(super) pane: BoxedPane,
}

/// What a window has sent, and what it is to send.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PaneState {
    /// How often it fired.
    #[serde(rename = "i", default, skip_serializing_if = "is_zero")]
    pub(super) next_index: u32,
    /// Whether it gave its on-time result, or a late one.
    #[serde(rename = "c", default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) closed: bool,
    /// Records since it fired, where they are counted.
    #[serde(rename = "n", default, skip_serializing_if = "is_none")]
    pub(super) news: u64,
    /// When it is to give an early result.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    pub(super) early: Option<EventTime>,
    /// Whether it fired and nothing was sent of it so far: there was no result, or none could be made.
    #[serde(rename = "s", default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) silent: bool,
    /// Windows that gave results and are part of this one since, until a result has said so.
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) replaces: Vec<Span>,
}

impl<S> WindowCell<S> {
    /// A window whose records lie elsewhere.
    pub(super) fn marker() -> Self {
        Self { accumulator: None, pane: BoxedPane::default() }
    }
}

/// The same in little space: most windows have sent nothing and are to send nothing but their result.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "PaneState", into = "PaneState")]
pub(super) struct BoxedPane(Option<Box<PaneState>>);

static FRESH: PaneState =
    PaneState { next_index: 0, closed: false, news: 0, early: None, silent: false, replaces: Vec::new() };

impl BoxedPane {
    fn is_fresh(&self) -> bool {
        **self == FRESH
    }
}

impl Deref for BoxedPane {
    type Target = PaneState;

    fn deref(&self) -> &PaneState {
        self.0.as_deref().unwrap_or(&FRESH)
    }
}

impl DerefMut for BoxedPane {
    fn deref_mut(&mut self) -> &mut PaneState {
        self.0.get_or_insert_default()
    }
}

impl From<PaneState> for BoxedPane {
    fn from(pane: PaneState) -> Self {
        Self((pane != FRESH).then(|| Box::new(pane)))
    }
}

impl From<BoxedPane> for PaneState {
    fn from(pane: BoxedPane) -> Self {
        pane.0.map_or(Self::default(), |pane| *pane)
    }
}

impl PaneState {
    /// Whether something was sent of it.
    pub(super) const fn has_results(&self) -> bool {
        self.next_index > 0 && !self.silent
    }

    /// After a firing, of which something was sent or nothing.
    pub(super) fn fired(&self, timing: Timing, sent: bool) -> Self {
        Self {
            next_index: self.next_index.saturating_add(1),
            closed: self.closed || timing != Timing::Early,
            silent: !sent && !self.has_results(),
            replaces: if sent { Vec::new() } else { self.replaces.clone() },
            ..Self::default()
        }
    }
}

fn nothing<S>() -> Option<S> {
    None
}

/// What stands there is the accumulator, also where the accumulator is itself an option and holds nothing.
fn something<'de, S: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Option<S>, D::Error> {
    S::deserialize(deserializer).map(Some)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_none(count: &u64) -> bool {
    *count == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec;

    fn holding<S>(accumulator: S) -> WindowCell<S> {
        WindowCell { accumulator: Some(accumulator), ..WindowCell::marker() }
    }

    #[test]
    fn a_window_that_only_counts_is_stored_as_it_always_was() {
        let bytes = codec::encode(&holding(7_u64)).expect("encodes");
        assert_eq!(bytes, b"\xa1\x63acc\x07");
    }

    #[test]
    fn an_accumulator_that_holds_nothing_is_still_there() {
        let bytes = codec::encode(&holding(None::<u64>)).expect("encodes");
        let cell: WindowCell<Option<u64>> = codec::decode(&bytes).expect("decodes");
        assert_eq!(cell.accumulator, Some(None));
        let marker: WindowCell<Option<u64>> =
            codec::decode(&codec::encode(&WindowCell::<Option<u64>>::marker()).expect("encodes")).expect("decodes");
        assert_eq!(marker.accumulator, None);
    }
}
