//! The configurations: each turns on what it is about, and little else.

use crate::Code::{New, Old};
use crate::config::{Budget, Config, Operation, Shard};
use crate::rules::renewal::Freedom;
use crate::step::Event;

const FREE: Freedom = Freedom { early: false, reshape: true, again: false };

fn shard(parents: &[usize], cells: (u8, u8), first: u8, last: u8) -> Shard {
    Shard { parents: parents.to_vec(), cells, first, last }
}

/// The fencing core: crashes, zombies, lost answers, bisected batches, a ring of two.
pub(crate) fn fencing() -> Config {
    let events = vec![Event::at(0, 1).emits(), Event::at(1, 2).emits(), Event::at(0, 3).emits()];
    let budget = Budget { crashes: 1, zombies: 1, lost: 1, ..Budget::default() };
    Config { budget, ..Config::of("fencing", events) }
}

/// Puts that land late, and environments that give up waiting.
pub(crate) fn unanswered() -> Config {
    let events = vec![Event::at(0, 1).emits(), Event::at(1, 2), Event::at(0, 3).emits()];
    let budget = Budget { zombies: 1, late: 1, errors: 1, ..Budget::default() };
    Config { budget, ..Config::of("unanswered", events) }
}

/// Outputs with lost and late answers, flush marks, batches that are given up.
pub(crate) fn flushing() -> Config {
    let events = vec![Event::at(0, 1).emits(), Event::at(1, 2).emits(), Event::at(0, 3).emits()];
    let budget = Budget { crashes: 1, late: 1, give_ups: 1, ..Budget::default() };
    Config { budget, marks: true, ..Config::of("flushing", events) }
}

/// Loads that read slot by slot while others commit.
pub(crate) fn torn() -> Config {
    let events = vec![Event::at(0, 1), Event::at(1, 2), Event::at(2, 3), Event::at(3, 4)];
    let budget = Budget { crashes: 1, zombies: 1, ..Budget::default() };
    Config { budget, batch: 1, ring: 4, torn_loads: true, ..Config::of("torn loads", events) }
}

/// Firings that take several commits, with a timer that is set below what has fired.
pub(crate) fn firing() -> Config {
    let events = vec![
        Event::at(0, 1).sets(3).then(5),
        Event::at(1, 2).sets(3),
        Event::at(0, 4),
        Event::at(1, 5),
        Event::at(0, 0).sets(2),
    ];
    let budget = Budget { zombies: 1, ..Budget::default() };
    Config { budget, cap: 1, shards: vec![shard(&[], (0, 3), 1, 4)], ring: 3, ..Config::of("firing", events) }
}

/// Ticks among batches.
pub(crate) fn ticking() -> Config {
    let events = vec![Event::at(0, 1).sets(6), Event::at(1, 2).sets(5), Event::at(0, 4)];
    let budget = Budget { zombies: 1, ticks: 2, ..Budget::default() };
    Config { budget, cap: 1, ring: 3, ..Config::of("ticking", events) }
}

/// Ticks that rest on the due time beside the flush mark.
pub(crate) fn due() -> Config {
    let events = vec![Event::at(0, 1), Event::at(1, 2).sets(6), Event::at(0, 3).sets(5)];
    let budget = Budget { crashes: 1, zombies: 1, ticks: 1, ..Budget::default() };
    Config { budget, batch: 1, marks: true, due_times: true, ring: 3, ..Config::of("due times", events) }
}

/// The same with batches that are sent again in halves, so that holders of one record make different things due.
pub(crate) fn due_halves() -> Config {
    let budget = Budget { crashes: 0, ..due().budget };
    Config { budget, batch: 2, name: "due times, halves", ..due() }
}

/// The same where a batch may be given up: ticks that do not rest on the mark send what was left.
pub(crate) fn due_given_up() -> Config {
    let events = vec![Event::at(0, 1).emits().sets(2), Event::at(1, 2).emits(), Event::at(0, 3).emits()];
    let budget = Budget { ticks: 1, late: 0, ..flushing().budget };
    Config { events, due_times: true, budget, name: "due times, given up", ..flushing() }
}

/// Rolling parts: any one may be renewed before its turn, divided, or united with its neighbour.
pub(crate) fn parts() -> Config {
    let events = vec![Event::at(0, 1), Event::at(2, 2), Event::at(0, 3)];
    let budget = Budget { zombies: 1, ..Budget::default() };
    let freedom = Freedom { early: true, reshape: true, again: false };
    Config { batch: 1, budget, freedom, ring: 3, ..Config::of("parts", events) }
}

/// The same with one record more.
pub(crate) fn more_parts() -> Config {
    let events = vec![Event::at(0, 1), Event::at(2, 2), Event::at(0, 3), Event::at(0, 4)];
    let shards = vec![shard(&[], (0, 3), 1, 4)];
    Config { events, shards, name: "parts, more commits", ..parts() }
}

/// Parts that are named again with what changed in them stated again, as often as anyone likes.
pub(crate) fn parts_again() -> Config {
    let freedom = Freedom { early: true, reshape: false, again: true };
    Config { freedom, budget: Budget::default(), name: "parts stated again", ..more_parts() }
}

/// Parts that divide and unite on a ring of two, where each commit renews all of them.
pub(crate) fn reshaped_parts() -> Config {
    Config { freedom: FREE, ring: 2, name: "parts reshaped", ..parts() }
}

/// The same with loads that read item by item.
pub(crate) fn torn_parts() -> Config {
    let budget = Budget { crashes: 1, ..Budget::default() };
    Config { torn_loads: true, budget, name: "parts, torn loads", ..reshaped_parts() }
}

/// A journal that is dropped under warm environments and zombies.
pub(crate) fn dropped() -> Config {
    let events = vec![Event::at(0, 1).emits(), Event::at(1, 2).emits()];
    let budget = Budget { zombies: 1, ..Budget::default() };
    Config { budget, batch: 1, operation: Some(Operation::Drop), ..Config::of("drop", events) }
}

/// The same where a put of the old life may land after the drop.
pub(crate) fn dropped_late() -> Config {
    let budget = Budget { late: 1, ..Budget::default() };
    Config { budget, name: "drop, late puts", ..dropped() }
}

/// A journal that is taken back to an earlier commit.
pub(crate) fn restored() -> Config {
    let budget = Budget { zombies: 1, ..Budget::default() };
    Config { budget, operation: Some(Operation::Restore), name: "restore", ..dropped() }
}

/// A restore as it should be, once every invocation has ended: then results are those of the records in order, too.
pub(crate) fn waited_restore() -> Config {
    let budget = Budget { zombies: 1, late: 1, ..Budget::default() };
    Config { budget, operator_waits: true, name: "restore, waited for", ..restored() }
}

/// A restore, with flush marks of the old life left behind.
pub(crate) fn marked_restore() -> Config {
    Config { marks: true, budget: Budget { crashes: 1, ..Budget::default() }, name: "restore, marks", ..restored() }
}

/// A restore, with ticks that rest on the due time in the mark, which the old life wrote.
pub(crate) fn restored_due() -> Config {
    let events = vec![Event::at(0, 1).sets(3), Event::at(1, 2).emits()];
    let budget = Budget { crashes: 1, ticks: 1, ..Budget::default() };
    Config { events, budget, marks: true, due_times: true, now: 4, name: "restore, due times", ..waited_restore() }
}

/// A restore of a state in parts.
pub(crate) fn restored_parts() -> Config {
    let events = vec![Event::at(0, 1), Event::at(2, 2)];
    Config { events, freedom: FREE, budget: Budget::default(), name: "restore, parts", ..restored() }
}

/// Two versions of the code on one journal, before and after its upgrade.
pub(crate) fn versions() -> Config {
    let events = vec![Event::at(0, 1).emits(), Event::at(2, 2).emits(), Event::at(0, 3)];
    let budget = Budget { upgrades: 1, crashes: 1, ..Budget::default() };
    let environments = vec![Old, New];
    Config { budget, environments, batch: 1, ring: 3, wild_source: true, commits: 5, ..Config::of("versions", events) }
}

/// A split: both children go on with their half.
pub(crate) fn split() -> Config {
    let events = vec![Event::at(0, 1).sets(2), Event::at(2, 1).sets(3), Event::at(0, 2), Event::at(2, 4)];
    let shards = vec![shard(&[], (0, 3), 1, 2), shard(&[0], (0, 1), 3, 3), shard(&[0], (2, 3), 4, 4)];
    let budget = Budget { zombies: 1, ticks: 1, ..Budget::default() };
    Config { budget, shards, batch: 1, ring: 12, ..Config::of("split", events) }
}

/// A split while two versions of the code are about.
pub(crate) fn versions_split() -> Config {
    let budget = Budget { upgrades: 1, ..Budget::default() };
    Config { budget, environments: vec![Old, New], name: "versions, split", ..split() }
}

/// A child that never gets a record.
pub(crate) fn quiet_child() -> Config {
    let shards = vec![shard(&[], (0, 3), 1, 2), shard(&[0], (0, 1), 3, 3), shard(&[0], (2, 3), 5, 4)];
    let budget = Budget { crashes: 1, ..Budget::default() };
    Config { budget, shards, name: "quiet child", ..split() }
}

/// Children that are delivered before their parents are done.
pub(crate) fn early_split() -> Config {
    let budget = Budget { crashes: 1, ..Budget::default() };
    Config { budget, early_children: true, name: "early split", ..split() }
}

/// A split, whose parent's state is deleted once both children have begun: under a parent's put that is slow, and slow
/// readers and initialisers. On a ring of three its Seal names images.
pub(crate) fn freed() -> Config {
    let budget = Budget { zombies: 1, sweeps: 1, ..Budget::default() };
    let events = vec![Event::at(0, 1), Event::at(2, 2), Event::at(0, 3), Event::at(2, 4)];
    Config { events, budget, ring: 3, name: "freed", ..split() }
}

/// The same with loads that read item by item.
pub(crate) fn freed_torn() -> Config {
    Config { torn_loads: true, name: "freed, torn loads", ..freed() }
}

/// A merge.
pub(crate) fn merge() -> Config {
    let events = vec![Event::at(0, 1).sets(4), Event::at(2, 2).sets(3), Event::at(0, 5)];
    let shards = vec![shard(&[], (0, 1), 1, 1), shard(&[], (2, 3), 2, 2), shard(&[0, 1], (0, 3), 3, 3)];
    let budget = Budget { crashes: 1, give_ups: 1, ..Budget::default() };
    Config { budget, shards, ring: 12, ..Config::of("merge", events) }
}

/// A merge under zombies.
pub(crate) fn merge_under_zombies() -> Config {
    let budget = Budget { zombies: 1, ..merge().budget };
    Config { budget, name: "merge, zombies", ..merge() }
}

/// A merge of a shard that has much to fire with one that is far behind.
pub(crate) fn merge_firing() -> Config {
    let events =
        vec![Event::at(0, 1).sets(3), Event::at(1, 2).sets(3), Event::at(0, 4), Event::at(2, 1), Event::at(1, 5)];
    let shards = vec![shard(&[], (0, 1), 1, 3), shard(&[], (2, 3), 4, 4), shard(&[0, 1], (0, 3), 5, 5)];
    let budget = Budget { crashes: 1, give_ups: 1, ..Budget::default() };
    Config { budget, shards, batch: 3, cap: 1, ring: 12, ..Config::of("merge inside a firing", events) }
}

/// A split and a merge with a quiet shard between.
pub(crate) fn quiet_middle() -> Config {
    let events = vec![Event::at(0, 1).sets(5), Event::at(2, 2).emits(), Event::at(2, 3), Event::at(0, 4)];
    let shards = vec![
        shard(&[], (0, 3), 1, 2),
        shard(&[0], (0, 1), 3, 2),
        shard(&[0], (2, 3), 3, 3),
        shard(&[1, 2], (0, 3), 4, 4),
    ];
    let budget = Budget { crashes: 1, ..Budget::default() };
    Config { budget, shards, ring: 12, ..Config::of("quiet middle", events) }
}

/// Watermark floors through two merges and a split.
pub(crate) fn floors() -> Config {
    floors_at([1, 4, 2, 3, 3, 3, 3])
}

/// The same with the seven records at these event times.
pub fn floors_at(times: [u8; 7]) -> Config {
    let cells = [0, 1, 2, 1, 2, 1, 2];
    let events = cells.into_iter().zip(times).map(|(cell, time)| Event::at(cell, time).sets(time + 1)).collect();
    let shards = vec![
        shard(&[], (0, 0), 1, 1),
        shard(&[], (1, 1), 2, 2),
        shard(&[], (2, 3), 3, 3),
        shard(&[0, 1], (0, 1), 4, 4),
        shard(&[2, 3], (0, 3), 5, 5),
        shard(&[4], (0, 1), 6, 6),
        shard(&[4], (2, 3), 7, 7),
    ];
    Config { shards, ring: 12, environments: vec![Old], ..Config::of("floors", events) }
}

/// What the ordinary tests exhaust.
pub fn small() -> Vec<Config> {
    vec![
        fencing(),
        unanswered(),
        flushing(),
        torn(),
        firing(),
        ticking(),
        due(),
        due_halves(),
        due_given_up(),
        parts(),
        parts_again(),
        reshaped_parts(),
        torn_parts(),
        dropped(),
        dropped_late(),
        restored(),
        waited_restore(),
        marked_restore(),
        restored_due(),
        restored_parts(),
        versions(),
        split(),
        versions_split(),
        quiet_child(),
        early_split(),
        freed(),
        freed_torn(),
        merge(),
        merge_firing(),
        quiet_middle(),
        floors(),
    ]
}

/// What takes minutes: more faults, more environments, more commits.
pub fn large() -> Vec<Config> {
    let three = || vec![Old; 3];
    let with = |name, config: Config, change: fn(&mut Budget)| {
        let mut budget = config.budget;
        change(&mut budget);
        Config { name, budget, ..config }
    };
    vec![
        Config {
            environments: three(),
            ..with("fencing, three environments", fencing(), |b| (b.zombies, b.crashes, b.lost) = (2, 0, 0))
        },
        with("unanswered, two late", unanswered(), |b| (b.late, b.errors) = (2, 0)),
        with("flushing, zombies", flushing(), |b| b.zombies = 1),
        with("firing, lost answers", firing(), |b| (b.crashes, b.lost) = (1, 1)),
        with("ticking, crashes", ticking(), |b| b.crashes = 1),
        with("due times, late puts", due(), |b| (b.ticks, b.late) = (2, 1)),
        more_parts(),
        with("parts, torn loads, zombies", torn_parts(), |b| b.zombies = 1),
        with("drop, late puts, zombies", dropped_late(), |b| b.zombies = 1),
        with("restore, late puts", restored(), |b| b.late = 1),
        with("restore, parts, zombies", restored_parts(), |b| b.zombies = 1),
        Config { environments: vec![Old, New, New], ..with("versions, three environments", versions(), |_| ()) },
        with("split, crashes", split(), |b| b.crashes = 1),
        with("early split, zombies", early_split(), |b| b.zombies = 1),
        with("freed, crashes and ticks", freed(), |b| (b.crashes, b.ticks) = (1, 1)),
        merge_under_zombies(),
        with("merge, ticks", merge(), |b| b.ticks = 1),
        with("merge inside a firing, zombies", merge_firing(), |b| b.zombies = 1),
        with("quiet middle, zombies", quiet_middle(), |b| b.zombies = 1),
    ]
}
