//! The first, the last or the best events of a key.

use serde_json::json;

use super::{Cause, Event, Operator, Outcome, Sent, Taken};

#[derive(Clone, Copy, Debug)]
pub(crate) enum Which {
    First,
    Last,
    /// So many with the highest values.
    Top(usize),
}

/// All events since the key was forgotten.
#[derive(Clone)]
pub(crate) struct Kept {
    pub(crate) which: Which,
    pub(crate) ttl: Option<i64>,
    pub(crate) keys: Vec<KeyEvents>,
}

#[derive(Clone)]
pub(crate) struct KeyEvents {
    key: String,
    events: Vec<Event>,
    expires: Option<i64>,
}

impl Kept {
    /// What is kept of events in the order of arrival: the best first.
    fn best(&self, events: &[Event]) -> Vec<Event> {
        let mut events = events.to_vec();
        match self.which {
            Which::First => events.sort_by_key(|event| event.time),
            Which::Last => {
                events.reverse();
                events.sort_by_key(|event| -event.time);
            }
            Which::Top(_) => events.sort_by_key(|event| -event.value),
        }
        events.truncate(if let Which::Top(most) = self.which { most } else { 1 });
        events
    }
}

fn ids(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.id).collect()
}

impl Operator for Kept {
    fn take(&mut self, event: &Event, watermark: i64) -> Taken {
        self.keys.retain(|of_key| of_key.expires.is_none_or(|at| at > watermark));
        let at = self.keys.iter().position(|of_key| of_key.key == event.key);
        let mut of_key = match at {
            Some(at) => self.keys.remove(at),
            None => KeyEvents { key: event.key.clone(), events: Vec::new(), expires: None },
        };
        let before = self.best(&of_key.events);
        of_key.events.push(event.clone());
        let after = self.best(&of_key.events);
        let changed = (0..after.len()).filter(|rank| ids(&after).get(*rank) != ids(&before).get(*rank));
        let sent = |rank: usize| {
            let (key, cause) = (event.key.clone(), Cause::Record(event.id));
            Outcome::Sent(Sent { key, sink: 0, cause, value: json!([rank + 1, after[rank].id]) })
        };
        let outcomes: Vec<Outcome> = changed.map(sent).collect();
        if let (Some(ttl), false) = (self.ttl, outcomes.is_empty()) {
            of_key.expires = Some(event.time.max(watermark) + ttl);
        }
        self.keys.push(of_key);
        Taken::Kept(outcomes)
    }

    fn fire(&mut self, _: i64) -> Vec<Outcome> {
        Vec::new()
    }
}
