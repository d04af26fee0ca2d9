//! Worlds that break a rule which the protocol stands on: each must be found out.

/// Which rule is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mutant {
    /// The sink acknowledges before all has arrived, and loses the rest.
    EarlyAcknowledgement,
    /// The store puts whatever stands in the slot.
    UnconditionalPut,
    /// The store calls a conflict a success.
    ConflictAsStored,
    /// The store calls a put that was lost a success.
    LostPutAsStored,
    /// The flush mark says one commit more than was flushed.
    MarkAhead,
    /// A flush mark of a journal that was dropped counts for the one that is begun in its place.
    MarkOfAnotherLife,
    /// An image is acknowledged and not there.
    LostPart,
    /// Reads are of some commits ago.
    StaleReads,
    /// The source calls a shard that has records waiting drained.
    DrainedTooSoon,
    /// The source lists shards that were split or merged as open.
    StaleListing,
    /// The time of a tick is an hour ahead.
    ShiftedTick,
    /// Records that come again have other numbers.
    Renumbered,
    /// The mapping goes on to children before the parents are through.
    ChildrenFirst,
    /// A restore leaves behind what is not known to be sent.
    UnsentLeftBehind,
    /// The store deletes whatever stands in the slot.
    UnconditionalDeletion,
    /// A restore does not wait until invocations have ended.
    RestoreUnderWay,
    /// An export reads parents before their children.
    ParentsExportedFirst,
}

impl Mutant {
    pub(crate) const ALL: [Self; 17] = [
        Self::EarlyAcknowledgement,
        Self::UnconditionalPut,
        Self::ConflictAsStored,
        Self::LostPutAsStored,
        Self::MarkAhead,
        Self::MarkOfAnotherLife,
        Self::LostPart,
        Self::StaleReads,
        Self::DrainedTooSoon,
        Self::StaleListing,
        Self::ShiftedTick,
        Self::Renumbered,
        Self::ChildrenFirst,
        Self::UnsentLeftBehind,
        Self::UnconditionalDeletion,
        Self::RestoreUnderWay,
        Self::ParentsExportedFirst,
    ];
}
