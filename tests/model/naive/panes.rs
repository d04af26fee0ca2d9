//! Windows: which records each holds, and when it gives a result.

use serde_json::Value;

use super::{Bad, Cause, Event, Kind, Operator, Outcome, Sent, Span, Taken, key_order};

/// What a window's events give: results, or none because they could not be made.
pub(crate) type Values = fn(&[Event]) -> Option<Vec<Value>>;

/// Windows over all events that were ever kept.
#[derive(Clone)]
pub(crate) struct Panes {
    pub(crate) kind: Kind,
    /// How long after its end a window takes events.
    pub(crate) lateness: i64,
    /// An early result each so many events.
    pub(crate) early_count: Option<usize>,
    /// An early result each such interval.
    pub(crate) early_interval: Option<i64>,
    /// Whether values are summed in 64 bits, so that sums may overflow.
    pub(crate) sums: bool,
    pub(crate) values: Values,
    kept: Vec<Kept>,
    sessions: Vec<Session>,
    firings: Vec<Firing>,
}

#[derive(Clone)]
struct Kept {
    event: Event,
    /// The watermark when it came.
    watermark: i64,
}

/// Events, by their number in `kept`, that are one session. Events of those it merged lie in the order of their start.
#[derive(Clone)]
struct Session {
    key: String,
    events: Vec<usize>,
    /// When it is to give an early result.
    early: Option<i64>,
}

/// A window of a key and its events.
#[derive(Clone)]
struct Group {
    key: String,
    window: Span,
    events: Vec<usize>,
    early: Option<i64>,
}

#[derive(Clone)]
struct Firing {
    key: String,
    window: Span,
    timing: &'static str,
    events: Vec<usize>,
    /// Whether there were results that no later one has called void.
    holds: bool,
}

impl Panes {
    pub(crate) fn new(kind: Kind, values: Values) -> Self {
        Self {
            kind,
            lateness: 0,
            early_count: None,
            early_interval: None,
            sums: false,
            values,
            kept: Vec::new(),
            sessions: Vec::new(),
            firings: Vec::new(),
        }
    }

    fn is_gone(&self, (_, end): Span, watermark: i64) -> bool {
        watermark >= end.saturating_add(self.lateness)
    }

    fn sum(&self, events: &[usize]) -> i128 {
        events.iter().map(|at| i128::from(self.kept[*at].event.value)).sum()
    }

    fn overflows(&self, sum: i128) -> bool {
        self.sums && i64::try_from(sum).is_err()
    }

    /// Whether the sum leaves its range on the way, put together from the sums of slices.
    fn sum_of_slices_overflows(&self, events: &[usize]) -> bool {
        let slice = |at: usize| self.kind.slice(self.kept[at].event.time);
        let ends = (1..=events.len()).filter(|n| *n == events.len() || slice(events[*n]) != slice(events[n - 1]));
        ends.into_iter().any(|n| self.overflows(self.sum(&events[..n])))
    }

    /// The first multiple of the interval that neither the event nor the watermark has reached, if before the end.
    fn instant(&self, kept: &Kept, (_, end): Span) -> Option<i64> {
        let interval = self.early_interval?;
        let next = (kept.event.time.max(kept.watermark).div_euclid(interval) + 1) * interval;
        (next < end).then_some(next)
    }

    /// The events that no result of the window, or of one that became part of it, has told of.
    fn news<'g>(&'g self, group: &'g Group) -> impl Iterator<Item = usize> + 'g {
        let is_session = matches!(self.kind, Kind::Session { .. });
        let told = move |at: &usize| {
            self.firings
                .iter()
                .filter(|firing| firing.key == group.key && (is_session || firing.window == group.window))
                .any(|firing| firing.events.contains(at))
        };
        group.events.iter().copied().filter(move |at| !told(at))
    }

    /// A window of a key: its events in the order of slices, then of arrival.
    fn group(&self, key: &str, window: Span) -> Group {
        let inside = |at: &usize| {
            let event = &self.kept[*at].event;
            event.key == key && (window.0..window.1).contains(&event.time)
        };
        let mut events: Vec<usize> = (0..self.kept.len()).filter(inside).collect();
        let group = Group { key: key.to_owned(), window, events: events.clone(), early: None };
        let early =
            self.early_interval.and_then(|_| self.news(&group).find_map(|at| self.instant(&self.kept[at], window)));
        events.sort_by_key(|at| self.kind.slice(self.kept[*at].event.time));
        Group { events, early, ..group }
    }

    fn session(&self, session: &Session) -> Group {
        let Kind::Session { gap } = self.kind else { panic!("only sessions are asked") };
        let times = || session.events.iter().map(|at| self.kept[*at].event.time);
        let window = (times().min().expect("an event"), times().max().expect("an event") + gap);
        Group { key: session.key.clone(), window, events: session.events.clone(), early: session.early }
    }

    /// All windows with events, which may be over.
    fn groups(&self) -> Vec<Group> {
        if let Kind::Session { .. } = self.kind {
            return self.sessions.iter().map(|session| self.session(session)).collect();
        }
        let mut all: Vec<(String, Span)> = Vec::new();
        for Kept { event, watermark } in &self.kept {
            let open = self.kind.windows(event.time).into_iter().filter(|window| !self.is_gone(*window, *watermark));
            all.extend(open.map(|window| (event.key.clone(), window)));
        }
        all.sort();
        all.dedup();
        let open = all.into_iter().filter(|(key, window)| !self.is_closed(key, *window));
        open.map(|(key, window)| self.group(&key, window)).collect()
    }

    fn is_closed(&self, key: &str, window: Span) -> bool {
        self.firings.iter().any(|fired| fired.key == key && fired.window == window && fired.timing != "early")
    }

    fn result(&mut self, group: &Group, timing: &'static str) -> Vec<Outcome> {
        let Group { key, window, events, .. } = group.clone();
        let part = |fired: &&mut Firing| {
            fired.key == key && fired.window != window && fired.events.iter().all(|at| events.contains(at))
        };
        let is_session = matches!(self.kind, Kind::Session { .. });
        let index = self.firings.iter().filter(|fired| fired.key == key && fired.window == window).count();
        let overflows = self.sum_of_slices_overflows(&events);
        let held: Vec<Event> = events.iter().map(|at| self.kept[*at].event.clone()).collect();
        let values = (self.values)(&held).filter(|_| !overflows);
        let mut replaces = Vec::new();
        // Nothing is void before a result has said so.
        let holds = values.as_ref().is_some_and(|values| !values.is_empty());
        if holds && is_session {
            for fired in self.firings.iter_mut().filter(part).filter(|fired| fired.holds) {
                fired.holds = false;
                replaces.push(fired.window);
            }
            replaces.sort_unstable();
            replaces.dedup();
        }
        // A result leaves nothing to tell early.
        let same = |session: &&mut Session| session.key == key && session.events == events;
        self.sessions.iter_mut().filter(same).for_each(|session| session.early = None);
        self.firings.push(Firing { key: key.clone(), window, timing, events, holds });
        let Some(values) = values else { return vec![Outcome::Bad(Bad::Pane(key, window))] };
        let index = u32::try_from(index).expect("few");
        let cause = Cause::Pane { window, timing, index, replaces };
        let sent = |value| Outcome::Sent(Sent { key: key.clone(), sink: 0, cause: cause.clone(), value });
        values.into_iter().map(sent).collect()
    }

    /// One more event is in a window.
    fn notice(&mut self, group: &Group, watermark: i64) -> Vec<Outcome> {
        if watermark >= group.window.1 {
            return self.result(group, "late");
        }
        match self.early_count {
            Some(count) if self.news(group).count() >= count => self.result(group, "early"),
            _ => Vec::new(),
        }
    }

    fn take_fixed(&mut self, event: &Event, watermark: i64) -> Taken {
        let all = self.kind.windows(event.time);
        let open: Vec<Span> = all.into_iter().filter(|window| !self.is_gone(*window, watermark)).collect();
        if open.is_empty() {
            return Taken::Late;
        }
        let slice = self.kind.slice(event.time);
        let together = |group: &Group| -> Vec<usize> {
            group.events.iter().copied().filter(|at| self.kind.slice(self.kept[*at].event.time) == slice).collect()
        };
        let window = *open.last().expect("one is open");
        let sum = self.sum(&together(&self.group(&event.key, window)));
        if self.overflows(sum + i128::from(event.value)) {
            return Taken::Failed;
        }
        self.kept.push(Kept { event: event.clone(), watermark });
        let mut outcomes = Vec::new();
        for window in open {
            let group = self.group(&event.key, window);
            outcomes.extend(self.notice(&group, watermark));
        }
        Taken::Kept(outcomes)
    }

    /// Sessions that are not gone and that the event's own window overlaps or touches become one with it.
    fn take_session(&mut self, event: &Event, watermark: i64) -> Taken {
        let own = self.kind.windows(event.time)[0];
        let touches = |window: Span| window.0 <= own.1 && own.0 <= window.1;
        let (mut met, apart): (Vec<Session>, Vec<Session>) = self.sessions.iter().cloned().partition(|session| {
            let window = self.session(session).window;
            session.key == event.key && !self.is_gone(window, watermark) && touches(window)
        });
        met.sort_by_key(|session| self.session(session).window);
        let end = met.iter().map(|session| self.session(session).window.1).chain([own.1]).max().expect("one");
        if self.is_gone((own.0, end), watermark) {
            return Taken::Late;
        }
        let mut events = Vec::new();
        for session in &met {
            events.extend(&session.events);
            if self.overflows(self.sum(&events)) {
                return Taken::Failed;
            }
        }
        if self.overflows(self.sum(&events) + i128::from(event.value)) {
            return Taken::Failed;
        }
        self.kept.push(Kept { event: event.clone(), watermark });
        events.push(self.kept.len() - 1);
        let mut session = Session { key: event.key.clone(), events, early: None };
        let window = self.session(&session).window;
        let pending = met.iter().filter_map(|session| session.early).min();
        let instant = self.instant(&self.kept[self.kept.len() - 1], window);
        session.early = pending.or(instant);
        self.sessions = apart;
        let group = self.session(&session);
        self.sessions.push(session);
        Taken::Kept(self.notice(&group, watermark))
    }

    /// Each so many events of a key, these or all so far.
    fn take_global(&mut self, event: &Event, (count, running): (usize, bool), watermark: i64) -> Taken {
        let window = (i64::MIN, i64::MAX);
        let so_far = self.group(&event.key, window);
        let since: Vec<usize> = if running { so_far.events } else { self.news(&so_far).collect() };
        if self.overflows(self.sum(&since) + i128::from(event.value)) {
            return Taken::Failed;
        }
        self.kept.push(Kept { event: event.clone(), watermark });
        let group = self.group(&event.key, window);
        let news: Vec<usize> = self.news(&group).collect();
        if news.len() < count {
            return Taken::Kept(Vec::new());
        }
        let (events, timing) = if running { (group.events.clone(), "early") } else { (news, "on_time") };
        Taken::Kept(self.result(&Group { events, ..group }, timing))
    }
}

impl Operator for Panes {
    fn take(&mut self, event: &Event, watermark: i64) -> Taken {
        match self.kind {
            Kind::Session { .. } => self.take_session(event, watermark),
            Kind::Global { count, running } => self.take_global(event, (count, running), watermark),
            _ => self.take_fixed(event, watermark),
        }
    }

    fn fire(&mut self, watermark: i64) -> Vec<Outcome> {
        if matches!(self.kind, Kind::Global { .. }) {
            return Vec::new();
        }
        let due = |group: &Group| match group.early {
            _ if self.is_closed(&group.key, group.window) => None,
            _ if watermark >= group.window.1 => Some((group.window.1, "on_time")),
            Some(early) if watermark >= early => Some((early, "early")),
            _ => None,
        };
        let mut firing: Vec<(i64, &str, Group)> =
            self.groups().into_iter().filter_map(|group| due(&group).map(|(at, timing)| (at, timing, group))).collect();
        firing.sort_by(|(a, _, one), (b, _, other)| {
            (a, key_order(&one.key), one.window).cmp(&(b, key_order(&other.key), other.window))
        });
        firing.into_iter().flat_map(|(_, timing, group)| self.result(&group, timing)).collect()
    }
}
