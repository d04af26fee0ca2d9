//! The commit protocol as a model that a checker exhausts: the executable specification beside the code.
//!
//! `shared/journal` says how one environment works; this package says what may happen when several do, crash, come late,
//! or run another version. The rules stand in `src/rules/`, one file each, and are named like the code's: `load`,
//! `catch_up`, `flush`, `commit`, `renewal`, `init`, `seal`, `free`, `tick`; `src/world/handler.rs` is the loop that the handler
//! runs. [`stateright`] tries every order of everything in [`Action`] and compares with what really happened
//! (`src/world/observer.rs`). A rule that is changed is changed here first.
//!
//! # To read
//! `table.rs` (what a write is conditioned on), then `rules/`, then `world/handler.rs` (what comes after what), then
//! `world/perform.rs` (each remote operation is one step, and anything may happen between two). [`Violation`] lists what
//! must hold: the invariants I1 to I9 of ARCHITECTURE.md, that results do not depend on how the input was cut, that a
//! deploy is never refused before an upgrade, and that what was delivered comes to its end.
//!
//! # To run
//! ```text
//! cargo test -p tidemill-protocol                                  all small configurations and all mutants
//! cargo test -p tidemill-protocol --test holds -- --nocapture      with state counts
//! TIDEMILL_MODEL=large cargo test -p tidemill-protocol --test holds large -- --nocapture    a quarter of an hour
//! TIDEMILL_MODEL='merge, ticks' ...                                one of the large ones
//! TIDEMILL_MUTANT=NoLowering cargo test -p tidemill-protocol --test mutants -- --nocapture
//! ```
//! A violation is told as a story, one line an action, the shortest that there is. This is the last one, of an environment
//! that lately met a conflict and takes "nothing behind record 2" for "record 2 still stands":
//! ```text
//!  11. A sends output 0 of record 2.
//!  12. A (journal 0) reports success.
//!  13. The operator switches the event source off, to go back to record 1.
//!  14. The operator deletes a slot.
//!  15. The operator deletes a slot.
//!  16. The operator finds no slot left.
//!  17. The operator is done; the event source is on again.
//!  18. The event source gives A events 1..=1 of shard 0.
//!  19. A (journal 0) finds nothing behind record 2.
//!  20. A (journal 0) reports success.
//!      That breaks: I8 success: all is in, fired and flushed.
//! ```
//!
//! # Mutants
//! Each rule has ways to be broken, listed with the mistake behind them in [`Mutant`]. Each must be caught, by an invariant
//! that is named there, in a configuration that is named there. A rule whose mutant nobody catches is not checked at all.
//!
//! # What is left out, and why that is sound
//! - **Windows and keys.** State is four cells; a cell is the log of what happened to it, so that two states are equal only
//!   if the same things happened in the same order. The code writes cells' new values, which may be applied twice unharmed;
//!   here a change that is applied twice shows. What holds for logs holds for values.
//! - **Sizes.** Which part the code renews, divides or unites follows from bytes; here any that the rules allow may be. How
//!   many records and outputs a commit holds follows from caps; here batches are cut and bisected in every way.
//! - **Time** but event time: deadlines and back-off only decide how far an environment comes, and it may stop anywhere.
//! - **The search for the head.** A load begins at the highest record (all read at one moment) or, in the torn
//!   configurations, at any record that holds its slot, then reads item by item: more than the code's search can meet.
//! - **Zombies** are invocations that the event source stopped waiting for. They go on at any speed, with their own view.
//!   In the wild configuration any batch from the present position back may go to anyone at any time.
//! - **Chunks and spills**: immutable, acknowledged before the record that names them, collected when `oldest` passed; as
//!   images are. An image here is one item.
//! - **R from configuration**: R stands in every record and here in the table; two sizes cannot be had.
//! - **Downstream** is the set of outputs that arrived. The order of one commit's outputs is left open by the protocol,
//!   the order across commits is I4. On it stands how a consumer drops repeats, which has a model of its own, [`Consumer`]:
//!   it needs to know nothing of the journal but I4.
//! - **A shard's way to its children**: `early split` delivers children before their parents are done; all others trust the
//!   event source. The exception for parents without any Data commit (an event source that began at LATEST) is left out.
//! - **Faults are budgeted**: one or two of each in a run. Every mutant is found with one.
//!
//! # What the model taught
//! - A due time beside the flush mark needs more than to be lowered before the commit that makes it earlier. The mark must
//!   be raised only when its number grows, and lowering must take the number of the view along; an unconditional write, or a
//!   lowering that keeps the number, is undone by a slow writer ([`Mutant::MarkUnconditional`],
//!   [`Mutant::LowerKeepsNumber`]). A lowering must be acknowledged, too: it is no hint. Holders of one record may lower to
//!   different times, and the earliest counts ([`Mutant::LowerOverEarlier`]). What a crash left unsent no due time tells,
//!   so ticks must read the journal now and then ([`Mutant::MarkAloneCounts`]).
//! - Catching up that finds nothing does not show that a view stands ([`Mutant::CurrentProvesNothing`]).
//! - A drop must begin the new life itself, like a restore: an empty ring would take a late record 1 of the old life, and
//!   results under an incarnation that consumers know are dropped as repeats ([`Mutant::DropLeavesNothing`]).
//! - A restore has no sinks either: what its record has unsent goes along in record 1, under the ids of the old life
//!   ([`Mutant::RestoreLeavesOutputs`]).
//! - Nothing of an old life can write into a new one, but an invocation that was not waited for can go on in it: with its own
//!   batch, which lies behind records that the new life has not got ([`Mutant::OperatorDoesNotWait`]). A restore must wait.
//! - A mark does not tell which life it is of, and ticks believe its due time: a restore must take that back before it begins
//!   ([`Mutant::RestoreLeavesDueTime`]). Whether records wait in the stream must be asked anew in the new life, too: it stands
//!   at another position.
//! - What a sealed parent holds can be deleted once all children have begun, if the Seal is put again first, needing nothing,
//!   and slots keep their numbers ([`Mutant::FreesByDeletion`], [`Mutant::FreesSlotsFirst`]). It is safe under zombies of any
//!   age: the code's day of waiting is grace, not part of the proof. A record that was emptied shows by itself, and must not
//!   count as one that changed nothing ([`Mutant::EmptiedCounts`]). A Seal never has outputs, since all before it are sent;
//!   only a restore could give it some, which the code leaves alone until they are marked.
//! - A child's journal begins in its parents' format, not in the newest: else a split during a rollback refuses the old
//!   code ([`Mutant::ChildBeginsInNewestFormat`]).
//! - An upgrade need not flush, if it carries the unacknowledged outputs along under their ids
//!   ([`Mutant::UpgradeLeavesOutputs`]): I3 then holds for what follows it.
//! - Which incarnation is the present one, a mark does not tell: a zombie of the old life may write its own over the new
//!   one's at any time. I9 speaks of the present incarnation only, so a tick must read the journal now and then all the same.
//! - A batch that is all in is a success also behind a Seal ([`Mutant::SealRefusesAll`]): the event source would send it
//!   for ever, and deliver no child.
//! - A tick must follow what others committed before it finds nothing to do on a cached view: where batches may be given
//!   up, it alone sends what a crash left unsent ([`Mutant::TickRestsOnCache`]).
//! - Sealing inside a firing does no harm in a split, whose children have the parent's W and fire the rest first. In a merge
//!   it does: under the lower W records are taken before what was due ([`Mutant::SealInsideFiring`]).
//! - With s = n − 1 everywhere, the record behind `oldest` names a part, so a load that misses records misses a name too:
//!   to check that names cover all keys already finds a gap. [`Mutant::LoadWithGap`] has to leave both out to be wrong.
//! - An image's id needs its content: without, the loser of a race for record n may leave another encoding under the
//!   winner's name ([`Mutant::ImageIdWithoutContent`]).
//!
//! # Configurations
//! Unique states, depth, and seconds on two busy cores; the small ones on one thread each, two at a time.
//!
//! | small configuration | about | states | depth | s |
//! |---|---|---:|---:|---:|
//! | fencing | crash, zombie, lost answer, bisect; ring of 2 | 126,268 | 41 | 2 |
//! | unanswered | a put that lands late, an environment that gives up | 218,793 | 41 | 4 |
//! | flushing | late outputs, marks, a batch that is given up | 12,874 | 37 | 0 |
//! | torn loads | slot by slot, from any record; ring of 4 | 39,095 | 39 | 1 |
//! | firing | one output a commit, a timer set below what fired | 59,665 | 43 | 2 |
//! | ticking | two ticks among batches | 105,362 | 44 | 2 |
//! | due times | ticks that may rest on the due time in the mark | 96,993 | 45 | 2 |
//! | due times, halves | holders of one record that make different things due | 33,318 | 44 | 1 |
//! | due times, given up | a crash leaves outputs unsent, no batch comes | 50,393 | 42 | 2 |
//! | parts | renewed early, divided, united; ring of 3 | 189,222 | 34 | 7 |
//! | parts reshaped | divided and united at every commit; ring of 2 | 79,704 | 34 | 3 |
//! | parts, torn loads | the same, read image by image | 65,973 | 41 | 2 |
//! | drop | under warm environments and a zombie | 161,713 | 59 | 2 |
//! | drop, late puts | a put of the old life lands any time | 95,380 | 54 | 1 |
//! | restore | to any commit | 279,453 | 59 | 8 |
//! | restore, waited for | once every invocation has ended | 47,732 | 47 | 1 |
//! | restore, marks | with marks of the old life | 89,343 | 57 | 1 |
//! | restore, due times | ticks that may rest on the old life's mark | 33,055 | 54 | 1 |
//! | restore, parts | of a state in parts | 111,062 | 54 | 4 |
//! | versions | two formats, an upgrade, batches anywhere | 198,450 | 42 | 3 |
//! | split | zombie, tick | 297,185 | 52 | 9 |
//! | versions, split | two formats, an upgrade | 6,212 | 37 | 0 |
//! | quiet child | one child without records | 388 | 27 | 0 |
//! | early split | children before their parents are done | 97,942 | 44 | 3 |
//! | freed | a sealed parent loses what it holds; zombie; ring of 3 | 64,630 | 43 | 4 |
//! | freed, torn loads | the same, read item by item | 106,839 | 47 | 6 |
//! | merge | crash, give-up | 4,118 | 37 | 0 |
//! | merge inside a firing | a parent with more to fire | 51,834 | 49 | 2 |
//! | quiet middle | split and merge, a shard between without records | 3,298 | 47 | 0 |
//! | floors | two merges and a split; and 2,187 choices of event times | 510 | 54 | 0 |
//! | consumer | begun whole or divided | 16,611 | 21 | 0 |
//!
//! Large ones, on two threads. They end at ten million generated states; what is cut short is searched that far, breadth
//! first, and is no proof.
//!
//! | large configuration | states | depth | s | |
//! |---|---:|---:|---:|---|
//! | fencing, three environments | 708,187 | 49 | 14 | exhausted |
//! | unanswered, two late | 271,303 | 39 | 6 | exhausted |
//! | flushing, zombies | 1,165,748 | 46 | 14 | exhausted |
//! | firing, lost answers | 1,382,965 | 53 | 21 | exhausted |
//! | ticking, crashes | 680,030 | 50 | 9 | exhausted |
//! | due times, late puts | 3,233,576 | 46 | 44 | cut short |
//! | parts, more commits | 4,519,110 | 35 | 82 | cut short |
//! | parts, torn loads, zombies | 3,213,255 | 46 | 66 | exhausted |
//! | drop, late puts, zombies | 2,135,328 | 66 | 45 | exhausted |
//! | restore, late puts | 3,745,668 | 66 | 76 | cut short |
//! | restore, parts, zombies | 4,531,451 | 84 | 86 | cut short |
//! | versions, three environments | 3,140,659 | 21 | 86 | cut short |
//! | split, crashes | 4,926,688 | 60 | 83 | cut short |
//! | early split, zombies | 2,140,120 | 55 | 95 | exhausted |
//! | merge, zombies | 438,930 | 51 | 6 | exhausted |
//! | merge, ticks | 198,900 | 51 | 2 | exhausted |
//! | merge inside a firing, zombies | 4,140,765 | 62 | 140 | exhausted |
//! | quiet middle, zombies | 873,188 | 67 | 80 | exhausted |

mod config;
mod configurations;
mod consumer;
mod mutant;
mod properties;
mod record;
mod rules;
mod step;
mod story;
mod table;
mod view;
mod world;

pub use config::{Budget, Config, Shard};
pub use configurations::{floors_at, large, small};
pub use consumer::{Consumer, ConsumerMutant, Downstream, Sent};
pub use mutant::Mutant;
pub use properties::Violation;
pub use rules::format::Code;
pub use step::Event;
pub use story::story;
pub use world::{Action, ImageIdOf, Retry, State, World};
