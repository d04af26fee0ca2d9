//! Rules broken on purpose, each as somebody would break it by mistake.

use crate::configurations as c;
use crate::{Config, Violation};

macro_rules! mutants {
    ($($name:ident: $mistake:literal => $($falls:ident)|+, $configuration:expr;)*) => {
        /// A rule broken on purpose. Each is caught: see [`Mutant::falls`].
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Mutant {
            $(#[doc = $mistake] #[doc = concat!("\n\nFalls: ", $(stringify!($falls), " ",)+)] $name,)*
        }

        impl Mutant {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// What somebody would write by mistake.
            pub const fn mistake(self) -> &'static str {
                match self { $(Self::$name => $mistake,)* }
            }

            /// Which invariants may fall first.
            pub const fn falls(self) -> &'static [Violation] {
                match self { $(Self::$name => &[$(Violation::$falls,)+],)* }
            }

            /// The configuration that shows it.
            pub fn shown_by(self) -> Config {
                match self { $(Self::$name => $configuration,)* }.breaking(self)
            }
        }
    };
}

mutants! {
    UnconditionalPut: "A put without a condition." => I1, c::fencing();
    EmptySlotIsEnough: "An empty slot may be written, whatever stood before it." => I1, c::dropped();
    FirstLapWithoutCheck: "In the first lap only emptiness is checked, not that the slot of n holds n of this incarnation." => I1, c::restored();
    GuardWithoutIncarnation: "The condition compares the number, not the incarnation." => I1, c::dropped();
    SuccessOnConflict: "A failed condition is taken for success: surely the own retry met itself." => I8, c::fencing();
    UnansweredCountsAsStored: "A put without an answer is taken for stored." => I2, c::unanswered();
    NoPositionFilter: "Records are not compared with the position: a redelivered batch is applied again." => Results, c::fencing();
    StepInPlace: "The step works on the view itself, and an error leaves it half done." => I2 | I8, c::unanswered();
    LoadWithGap: "A load takes the records and names that it found behind `oldest` for all there are." => I2, c::torn();
    CatchUpOverGap: "Catching up takes whatever the next slot holds." => I2, c::fencing();
    NoFlushBeforeCommit: "The next commit does not wait for the outputs of the last." => I3 | I8, c::fencing();
    NoFlushAfterCatchUp: "What others committed is taken for flushed." => I3 | I8, c::fencing();
    EmitBeforeCommit: "Outputs are sent before their commit is acknowledged." => I4, c::fencing();
    MarkBeforeAcks: "The flush mark is written before the last output is acknowledged." => I9, c::flushing();
    CallCountsAsAck: "A call that returned counts as an acknowledgement of each record in it." => I3 | I8 | I9, c::flushing();
    MarkWithoutIncarnation: "A flush mark of another incarnation is believed." => I3 | I8 | I9, c::marked_restore();
    WarmSuccessUnverified: "Nothing fresh on a cached view is success, without a look at the table." => I8, c::restored();
    CurrentProvesNothing: "Catching up found nothing, so the view still stands. (Emptiness behind n does not show that n is there.)" => I8, c::restored();
    DropLeavesNothing: "A drop leaves an empty ring to whoever comes first: a late put of the old record 1 begins the old life again, whose results consumers take for repeats." => I1, c::dropped_late();
    RestoreInPlace: "A restore writes a new record 1 over the old one and leaves the other slots." => I1 | I2 | I5, c::restored();
    RestoreKeepsIncarnation: "A restore goes on under the old incarnation." => I2 | I4 | I5, c::restored();
    RestoreNamesOldImages: "A restored record 1 names images of the old life." => I5, c::restored_parts();
    RestoreBeginsBeforeImages: "A restore writes record 1 before the images that it names." => I5, c::restored_parts();
    RestoreForcesRecordOne: "A restore that finds a record 1, begun by a zombie meanwhile, writes over it." => I1 | I2 | I5, c::restored();
    RestoreLeavesOutputs: "A restore, which has no sinks, leaves the last record's outputs behind: what a crash left unsent is lost." => I3 | I8, c::restored();
    RestoreLeavesDueTime: "A restore leaves the mark's due time as it is, by which ticks pass over the new life." => I9, c::restored_due();
    OperatorDoesNotWait: "A restore begins while invocations run: one that loads the new life takes its own batch there, and leaves out the records before it." => Results, c::waited_restore();
    FiredThroughThreshold: "What has fired is remembered as the last (time, key): a timer set below it while firing is lost." => Results | I8, c::firing();
    FreshBeforeFiring: "Fresh records go before the rest of a firing." => Results, c::firing();
    FiringNeverResumed: "A batch without fresh records is done, also inside a firing." => Results | I8, c::firing();
    FiringKeepsTimer: "What fired stays in the state until the whole firing is over." => Results, c::firing();
    TickIgnoresBacklog: "A tick raises the watermark although records wait in the stream." => Results, c::ticking();
    TickRestsOnCache: "A tick on a cached view with nothing due is done: what a crash left unsent of a batch that was given up waits for ever." => Progress, c::flushing();
    NoLowering: "The due time is written after the commit that makes it earlier." => I9, c::due();
    MarkUnconditional: "The mark is written unconditionally: a late write of an old view raises a due time that was lowered since." => I9, c::due();
    LowerKeepsNumber: "Lowering the due time leaves the mark's number, so that a raise of the same view undoes it." => I9, c::due();
    LowerOverEarlier: "Lowering writes its due time over an earlier one that another holder of the same record wrote." => I9, c::due_halves();
    MarkAloneCounts: "Every tick rests on the due time in the mark: what a crash left unsent of a batch that was given up waits for ever." => Progress, c::due_given_up();
    NoRingRule: "No part is renewed because its s leaves the ring." => I5, c::parts();
    RingRuleOffByOne: "A part is renewed when s < n − R, one commit too late." => I5, c::parts();
    UntouchedNeedsNoName: "A part that nothing touched counts as renewed without being named." => I5, c::parts();
    RenameTouched: "A part is named again as of n although a record behind s changed it." => I5, c::parts();
    NameAhead: "A part that nothing touched is named as of n+1, the record that may touch it." => I5, c::parts();
    ImageHoldsOwnChanges: "An image named as of n holds what n+1 changes." => I5, c::parts();
    AgainHoldsOwnChanges: "What is stated again holds what n+1 changes, which is then applied to it." => I2 | I5, c::parts_again();
    AgainIsNoTouch: "What a record states again does not count as changed since the image: who names the part next leaves it out." => I2 | I5, c::parts_again();
    ApplyAtS: "The loader applies records from s on, s included." => I2 | I5, c::parts();
    ApplyAll: "The loader applies all records behind `oldest` to every part." => I2 | I5, c::parts();
    FirstNameCounts: "The loader takes the first name of a part that it meets." => I2 | I5, c::parts();
    MissingPartIsEmpty: "The loader takes an image that is not there for an empty part." => I2, c::torn_parts();
    CatchUpIgnoresNames: "Catching up takes over changes and not names." => I2, c::parts();
    OldestOfNamedOnly: "`oldest` is the smallest s of the parts named in the record." => I5, c::parts();
    OldestIsNewest: "`oldest` is the largest s." => I5, c::parts();
    ImageIdReused: "An image's id is its range alone." => I5, c::parts();
    NameBeforeImage: "The record is put before the images that it names are acknowledged." => I5, c::parts();
    CollectBeforeAck: "Replaced images are deleted before the commit that replaces them is acknowledged." => I5, c::parts();
    CollectOrphans: "Images that no record names are deleted at once." => I5, c::parts();
    DivisionNamesOneHalf: "A division names the half that it wrote first, the other in the next commit." => I5, c::reshaped_parts();
    HalvesKeepOldImage: "Both halves name the undivided image, as of n." => I5, c::reshaped_parts();
    HalvesShareAnId: "The halves' ids differ by s and not by range." => I5, c::reshaped_parts();
    UnionTakesOneImage: "A union names one of the two images for both ranges." => I5, c::reshaped_parts();
    UnionKeepsOldestS: "A united image, written as of n, is named as of the older s of the two." => I5, c::reshaped_parts();
    NewWritesItsOwnFormat: "New code writes its own format at once." => Deploys, c::versions();
    ChildBeginsInNewestFormat: "New code begins a child's journal in its own format, whatever its parents have." => Deploys, c::versions_split();
    UpgradeLeavesOutputs: "An upgrade, which has no sinks, neither sends the last record's outputs nor carries them along." => I3, c::versions();
    OldDropsUnknown: "Old code skips what it does not know of a newer record." => I2 | Results, c::versions();
    NewForgetsOldFormat: "New code reads the old format only until the journal is upgraded; images of before are left." => Deploys | I5, c::versions();
    ImageIdWithoutContent: "An image's id says range and s and not its bytes, which two versions encode differently." => Deploys, c::versions();
    NoSeal: "A child takes its parents' state over without sealing them." => I6, c::split();
    SealOneParent: "A merge seals its first parent only." => I6, c::merge_under_zombies();
    NoRecursion: "A parent without record 1 counts as empty: the state of its own parents is lost." => I6, c::quiet_middle();
    StaleParent: "A Seal that meets a conflict is taken for set, by whoever it was, and the view for its state." => I6, c::merge_under_zombies();
    NoFlushBeforeSeal: "A parent is sealed without sending its last outputs." => I3, c::split();
    CommitAfterSeal: "Behind a Seal records are committed as ever." => I6, c::early_split();
    SealInsideFiring: "A parent is sealed inside a firing; the children have the timers, after all." => Results, c::merge_firing();
    SealRefusesAll: "Behind a Seal every batch fails loudly, also one that is all in." => Progress, c::early_split();
    NoDrainCheck: "A parent is sealed without looking whether it is drained, where children may come first." => I6, c::early_split();
    ParentGoesEarly: "A parent's journal is deleted once one of its children has begun." => I1 | I6, c::split();
    NoHashCut: "A child takes over all cells of its parent." => I6, c::split();
    TickSeals: "A tick seals a shard that has children." => I6, c::split();
    TickBeginsAsRoot: "A tick writes the empty record 1 of a child." => I6, c::split();
    TickNeverBegins: "Only records begin a child's journal: a quiet child's timers never fire." => Progress, c::quiet_child();
    TickNeedsAllSealed: "A tick begins a child's journal once all its parents are sealed." => Progress, c::merge();
    FreesAfterFirstChild: "What a sealed parent holds is deleted once the first of its children has begun." => Progress, c::freed();
    FreesByDeletion: "The slots of a sealed parent are deleted: a late put of the old record 1 begins it again." => I1, c::freed();
    FreesSlotsFirst: "The records before a Seal are emptied before the Seal is put that needs none of them." => I5, c::freed();
    FreesImagesFirst: "Images of a sealed parent are deleted before the Seal is put that needs none of them." => I5, c::freed();
    EmptiedCounts: "An emptied record is taken for one that changed nothing." => I2, c::freed_torn();
    MergeTakesMaximum: "W of a merged shard is the maximum." => I6, c::floors();
    MergeWithoutFloors: "W of a merged shard is the minimum, and that is all." => Results, c::floors();
    HighestIsMaximum: "The highest event time of a merged shard is the maximum: W jumps at the first record." => Results, c::floors();
    ParentsFloorsLost: "A merge keeps its parents' watermarks, not their own floors." => Results, c::floors();
    SplitLosesFloors: "A split does not hand floors on." => Results, c::floors();
    FloorsGoTogether: "When W reaches a floor, all floors go." => Results, c::floors();
}
