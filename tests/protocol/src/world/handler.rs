//! The way of an invocation: what an environment does next. Local computation only; every remote operation is a step of
//! the model of its own, so that anything may happen between two of them.

use super::World;
use super::state::{At, Goal, State, Task};
use crate::record::Kind;
use crate::rules::commit;
use crate::rules::{flush, init, seal, tick};
use crate::step;
use crate::{Code, Mutant, Violation};

impl Task {
    pub(crate) const fn new(journal: usize, goal: Goal) -> Self {
        Self {
            journal,
            goal,
            is_absent: false,
            is_drained: false,
            has_followed: false,
            asks_mark: false,
            is_asked: false,
        }
    }
}

impl World {
    /// Goes on until a remote operation stands before the environment.
    pub(super) fn proceed(&self, state: &mut State, e: usize) {
        loop {
            let Some(task) = state.environments[e].tasks.last().copied() else {
                state.environments[e].at = At::Return { is_success: true };
                return;
            };
            if task.asks_mark {
                state.environments[e].at = At::AskMark;
                return;
            }
            let next = if task.is_absent { self.begin(state, e, task) } else { self.next(state, e, task) };
            match next {
                Some(at) => {
                    state.environments[e].at = at;
                    return;
                }
                None => continue,
            }
        }
    }

    fn done(state: &mut State, e: usize) -> Option<At> {
        state.environments[e].tasks.pop();
        None
    }

    fn also(state: &mut State, e: usize, task: Task) -> Option<At> {
        state.environments[e].tasks.push(task);
        None
    }

    /// `init`: the only writer of record 1. Recursive: every parent is sealed first.
    fn begin(&self, state: &mut State, e: usize, task: Task) -> Option<At> {
        let parents = &self.config.shards[task.journal].parents;
        let environment = &state.environments[e];
        let view = |parent: usize| environment.views[parent].as_ref();
        let is_sealed = |parent: &&usize| view(**parent).is_some_and(|view| view.kind == Kind::Seal);
        if task.goal == Goal::Look {
            return Self::done(state, e);
        }
        if task.goal == Goal::Tick && !self.is(Mutant::TickBeginsAsRoot) {
            let unknown = parents.iter().find(|parent| view(**parent).is_none_or(|view| !view.is_current));
            if let Some(parent) = unknown.filter(|_| !task.is_asked) {
                // Each parent once: what has no record 1 is not sealed.
                let looks = parents.iter().map(|parent| Task::new(*parent, Goal::Look)).collect::<Vec<_>>();
                debug_assert!(looks.iter().any(|look| look.journal == *parent));
                if let Some(own) = state.environments[e].tasks.last_mut() {
                    own.is_asked = true;
                }
                state.environments[e].tasks.extend(looks);
                return None;
            }
            let sealed = parents.iter().filter(is_sealed).count();
            let is_enough = if self.is(Mutant::TickNeedsAllSealed) { sealed == parents.len() } else { sealed > 0 };
            if self.is(Mutant::TickNeverBegins) || !is_enough {
                return Self::done(state, e);
            }
        }
        let is_root = self.is(Mutant::NoRecursion) && task.goal == Goal::Seal
            || self.is(Mutant::TickBeginsAsRoot) && task.goal == Goal::Tick;
        let parents: &[usize] = if is_root { &[] } else { parents };
        let unsealed =
            parents.iter().enumerate().find(|(at, p)| seal::is_wanted(view(**p), *at == 0, self.config.mutant));
        if let Some((_, parent)) = unsealed {
            return Self::also(state, e, Task::new(*parent, Goal::Seal));
        }
        let sealed: Vec<_> =
            parents.iter().filter_map(|p| view(*p).map(|view| (&self.config.shards[*p], view))).collect();
        if sealed.iter().any(|(_, view)| view.is_freed) {
            return self.refuse_freed(state, task.journal);
        }
        let inherited = init::inherit(&self.config.shards[task.journal], &sealed, self.config.mutant);
        let inherited_format = sealed.iter().map(|(_, view)| view.format).max();
        let is_newest = self.is(Mutant::ChildBeginsInNewestFormat) && inherited_format.is_some();
        let format = match environment.code {
            Code::New if is_newest => 2,
            code => code.writes(inherited_format.unwrap_or(1), self.config.mutant),
        };
        let draft = init::init(state.next_incarnation, format, inherited);
        state.next_incarnation += 1;
        Some(self.ready(draft))
    }

    /// Nothing begins with what is deleted. Whoever meets it was too slow: the child has begun.
    fn refuse_freed(&self, state: &mut State, journal: usize) -> Option<At> {
        if state.tables[journal].slots[state.tables[journal].slot(1)].is_none() {
            state.breaks(Violation::Progress);
        }
        Some(At::Return { is_success: false })
    }

    /// Flush, then the rest of a firing, then what the task asks for. `None` if the task is done or another comes first.
    fn next(&self, state: &mut State, e: usize, task: Task) -> Option<At> {
        let mutant = self.config.mutant;
        let Some(view) = &state.environments[e].views[task.journal] else { return Some(At::Load) };
        // A tick follows first: nobody else may come to send what a crash left unsent of a batch that was given up.
        let must_follow = task.goal == Goal::Tick && !task.has_followed && !self.is(Mutant::TickRestsOnCache);
        if (view.is_wary || must_follow) && !view.is_current {
            return Some(At::CatchUp { after_conflict: false, has_moved: false });
        }
        if task.goal == Goal::Look {
            return if view.is_current || view.kind == Kind::Seal { Self::done(state, e) } else { Some(At::Load) };
        }
        if task.goal == Goal::Upgrade && view.kind != Kind::Seal {
            return self.upgrade(state, e, task.journal);
        }
        let is_seal_unflushed = task.goal == Goal::Seal && self.is(Mutant::NoFlushBeforeSeal);
        if flush::is_wanted(view, mutant) && !is_seal_unflushed {
            let asks = self.config.marks && !view.is_own;
            return Some(if asks { At::ReadMark } else { At::Send { acknowledged: 0 } });
        }
        if view.kind == Kind::Seal && !self.is(Mutant::CommitAfterSeal) {
            return self.behind_seal(state, e, task);
        }
        let is_firing = step::is_due(&view.cells, view.progress.watermark, &self.config.events, mutant);
        let has_fresh = matches!(task.goal, Goal::Batch(_, last) if last > view.progress.position);
        let leaves_rest = (self.is(Mutant::FreshBeforeFiring) && has_fresh) || self.is(Mutant::FiringNeverResumed);
        let seals_inside = task.goal == Goal::Seal && seal::may_seal(is_firing, mutant);
        if is_firing && !leaves_rest && !seals_inside {
            return Some(self.fire(state, e, task.journal));
        }
        match task.goal {
            Goal::Batch(first, last) => self.batch(state, e, task.journal, first, last),
            Goal::Tick => self.tick(state, e, task),
            Goal::Seal => self.seal(state, e, task),
            Goal::Upgrade => self.upgrade(state, e, task.journal),
            Goal::Look => Self::done(state, e),
        }
    }

    /// Nothing follows a Seal (I6). Fresh records are refused loudly; a batch that is all in is done.
    fn behind_seal(&self, state: &mut State, e: usize, task: Task) -> Option<At> {
        let Some(view) = &state.environments[e].views[task.journal] else { return Some(At::Load) };
        let Goal::Batch(_, last) = task.goal else { return Self::done(state, e) };
        if last > view.progress.position || self.is(Mutant::SealRefusesAll) {
            return Some(At::Return { is_success: false });
        }
        if view.is_current { Self::done(state, e) } else { Some(At::Verify) }
    }

    fn batch(&self, state: &mut State, e: usize, journal: usize, first: u8, last: u8) -> Option<At> {
        let view = state.environments[e].views[journal].as_ref()?;
        let behind = if self.is(Mutant::NoPositionFilter) && !view.is_own {
            first
        } else {
            first.max(view.progress.position + 1)
        };
        if behind > last {
            let verified = view.is_current || self.is(Mutant::WarmSuccessUnverified);
            return if verified { Self::done(state, e) } else { Some(At::Verify) };
        }
        let mut stepping = self.stepping(view);
        for id in behind..=last {
            let cell = self.config.events[usize::from(id - 1)].cell;
            let is_late = stepping.progress.judges(cell) > self.config.events[usize::from(id - 1)].time;
            stepping.take(id, is_late);
            let mut has_fired = false;
            while stepping.outputs.len() < self.config.cap && stepping.fire_next() {
                has_fired = true;
            }
            if has_fired || stepping.outputs.len() >= self.config.cap {
                break;
            }
        }
        Some(self.commit(state, e, journal, Kind::Data, stepping))
    }

    /// The next outputs of a firing in progress. No record is taken.
    fn fire(&self, state: &mut State, e: usize, journal: usize) -> At {
        let Some(view) = &state.environments[e].views[journal] else { return At::Load };
        let mut stepping = self.stepping(view);
        while stepping.outputs.len() < self.config.cap && stepping.fire_next() {}
        if self.is(Mutant::FiringKeepsTimer) {
            stepping.changes.pop();
        }
        self.commit(state, e, journal, Kind::Data, stepping)
    }

    fn tick(&self, state: &mut State, e: usize, task: Task) -> Option<At> {
        if !task.is_drained && !self.is(Mutant::TickIgnoresBacklog) {
            return Some(At::LookAtSource);
        }
        let view = state.environments[e].views[task.journal].as_ref()?;
        let (events, now) = (&self.config.events, self.config.now);
        let Some(raised) = tick::raises_to(view, now, task.is_drained, events, self.config.mutant) else {
            return Self::done(state, e);
        };
        let mut stepping = self.stepping(view);
        stepping.progress.watermark = raised;
        stepping.progress.floors.retain(|floor| floor.watermark > raised);
        while stepping.outputs.len() < self.config.cap && stepping.fire_next() {}
        Some(self.commit(state, e, task.journal, Kind::Tick, stepping))
    }

    fn seal(&self, state: &mut State, e: usize, task: Task) -> Option<At> {
        let view = state.environments[e].views[task.journal].as_ref()?;
        if self.is(Mutant::NoSeal) || (self.is(Mutant::SealOneParent) && !self.is_first_parent(task.journal)) {
            return if view.is_current { Self::done(state, e) } else { Some(At::Load) };
        }
        if !task.is_drained && !self.is(Mutant::NoDrainCheck) {
            return Some(At::LookAtSource);
        }
        let stepping = self.stepping(view);
        Some(self.commit(state, e, task.journal, Kind::Seal, stepping))
    }

    fn is_first_parent(&self, journal: usize) -> bool {
        self.config.shards.iter().any(|shard| shard.parents.first() == Some(&journal))
    }

    /// A record that changes nothing but the format. A tool has no sinks and cannot flush: outputs that may not be
    /// acknowledged are carried along, so that the last record still holds all that is unflushed.
    fn upgrade(&self, state: &mut State, e: usize, journal: usize) -> Option<At> {
        let view = state.environments[e].views[journal].as_ref()?;
        if view.format == 2 {
            return Self::done(state, e);
        }
        let mut record = commit::draft(view, Kind::Data, self.stepping(view), 2);
        if !view.is_flushed && !self.is(Mutant::UpgradeLeavesOutputs) {
            record.outputs.clone_from(&view.outputs);
        }
        Some(self.plan(state, e, journal, record))
    }

    pub(super) fn is(&self, mutant: Mutant) -> bool {
        self.config.mutant == Some(mutant)
    }

    /// An item that the code does not read: the invocation fails, loudly. Nobody may be refused before an upgrade.
    pub(super) fn refuse(&self, state: &mut State, e: usize) {
        let is_upgraded = state.is_upgraded(self.config.budget);
        if !is_upgraded || state.environments[e].code == Code::New {
            state.breaks(Violation::Deploys);
        }
        state.environments[e].at = At::Return { is_success: false };
    }
}
