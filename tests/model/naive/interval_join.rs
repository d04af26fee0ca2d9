//! Pairs of events of a key whose times lie near each other.

use serde_json::json;

use super::{Cause, Event, Operator, Outcome, Sent, Taken};

/// All events that were not late. An event with a value divisible by 3 is on no side, an odd one on the right.
#[derive(Clone)]
pub(crate) struct IntervalJoin {
    pub(crate) before: i64,
    pub(crate) after: i64,
    pub(crate) kept: Vec<Event>,
}

/// Whether an event is on the left side, if on any.
fn is_left(event: &Event) -> Option<bool> {
    (event.value % 3 != 0).then_some(event.value % 2 == 0)
}

impl Operator for IntervalJoin {
    fn take(&mut self, event: &Event, watermark: i64) -> Taken {
        let Some(left) = is_left(event) else { return Taken::Kept(Vec::new()) };
        if event.time < watermark {
            return Taken::Late;
        }
        let pair = |other: &Event| if left { (event.clone(), other.clone()) } else { (other.clone(), event.clone()) };
        let near =
            |(left, right): &(Event, Event)| (left.time - self.before..=left.time + self.after).contains(&right.time);
        let partners = self.kept.iter().filter(|other| other.key == event.key && is_left(other) == Some(!left));
        let mut partners: Vec<&Event> = partners.collect();
        partners.sort_by_key(|partner| partner.time);
        let pairs: Vec<(Event, Event)> = partners.into_iter().map(pair).filter(near).collect();
        let sent = |(left, right): (Event, Event)| {
            let (key, cause) = (event.key.clone(), Cause::Record(event.id));
            Outcome::Sent(Sent { key, sink: 0, cause, value: json!([left.id, right.id]) })
        };
        self.kept.push(event.clone());
        Taken::Kept(pairs.into_iter().map(sent).collect())
    }

    fn fire(&mut self, _: i64) -> Vec<Outcome> {
        Vec::new()
    }
}
