//! Worlds that break a rule which the protocol stands on: each must be found out.

macro_rules! mutants {
    ($($name:ident: $broken:literal,)*) => {
        /// Which rule is broken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Mutant {
            $(#[doc = $broken] $name,)*
        }

        impl Mutant {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// What the world does.
            pub const fn broken(self) -> &'static str {
                match self { $(Self::$name => $broken,)* }
            }
        }
    };
}

mutants! {
    EarlyAcknowledgement: "The sink acknowledges before all has arrived, and loses the rest.",
    UnconditionalPut: "The store puts whatever stands in the slot.",
    ConflictAsStored: "The store calls a conflict a success.",
    LostPutAsStored: "The store calls a put that was lost a success.",
    MarkAhead: "The flush mark says one commit more than was flushed.",
    DueNotLowered: "The store acknowledges that a due time was lowered, and does not lower it.",
    MarkOfAnotherLife: "A flush mark of a journal that was dropped counts for the one that is begun in its place.",
    LostPart: "An image is acknowledged and not there.",
    StaleReads: "Reads are of some commits ago.",
    DrainedTooSoon: "The source calls a shard that has records waiting drained.",
    StaleListing: "The source lists shards that were split or merged as open.",
    ShiftedTick: "The time of a tick is an hour ahead.",
    Renumbered: "Records that come again have other numbers.",
    ChildrenFirst: "The mapping goes on to children before the parents are through.",
    UnsentLeftBehind: "A restore leaves behind what is not known to be sent.",
    UnconditionalDeletion: "The store deletes whatever stands in the slot.",
    RestoreUnderWay: "A restore does not wait until invocations have ended.",
    ParentsExportedFirst: "An export reads parents before their children.",
}
