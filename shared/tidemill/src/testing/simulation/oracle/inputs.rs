//! What each journal took in, as its commits have it.

use std::collections::BTreeMap;

use tidemill_core::SequenceNumber;
use tidemill_journal::Kind;

use crate::testing::simulation::subject::{Batch, Input};
use crate::testing::simulation::world::World;

/// Records and ticks as the journal took them.
pub(super) fn inputs_of(world: &World, shard: &str) -> Vec<Input> {
    let all = world.stream.batch(shard, 0, usize::MAX);
    let (mut inputs, mut position) = (Vec::new(), None);
    let state = world.lock();
    for commit in state.ledger.journals.get(&world.journal(shard)).into_iter().flatten() {
        let record = &commit.record;
        let reached = record.position.as_ref().map(|position| position.sequence.clone());
        let is_taken = |sequence: &SequenceNumber| {
            Some(sequence) > position.as_ref()
                && Some(sequence) <= reached.as_ref()
                && Some(sequence) >= commit.sender.batch_first.as_ref()
        };
        let taken: Batch = all.iter().filter(|(sequence, ..)| is_taken(sequence)).cloned().collect();
        match (inputs.last_mut(), record.kind, record.tick) {
            (_, Kind::Tick, Some(now)) => inputs.push(Input::Tick(now, record.progress.watermark)),
            (Some(Input::End), Kind::Drain, _) => {}
            (_, Kind::Drain, _) => inputs.push(Input::End),
            (_, _, _) if taken.is_empty() => {}
            (Some(Input::Records(before)), ..) => before.extend(taken),
            _ => inputs.push(Input::Records(taken)),
        }
        position = reached;
    }
    inputs
}

/// Every record is taken, or was left out by a mapping made anew.
pub(super) fn check_complete(
    world: &World,
    shard: &str,
    inputs: &[Input],
    skipped: &BTreeMap<String, Vec<(usize, usize)>>,
) -> Result<(), String> {
    let mut taken = inputs.iter().filter_map(Input::records).flatten().map(|(sequence, ..)| sequence).peekable();
    for (number, (sequence, ..)) in world.stream.batch(shard, 0, usize::MAX).iter().enumerate() {
        if taken.next_if_eq(&sequence).is_some() {
            continue;
        }
        let is_skipped = skipped.get(shard).into_iter().flatten().any(|(from, to)| (*from..*to).contains(&number));
        if !is_skipped {
            return Err(format!("record {sequence} of {shard} was never taken"));
        }
        world.count("records left out");
    }
    Ok(())
}

/// Where a commit leaves records out, it says so: unless the journal had none before, or its writer's look failed.
pub(super) fn check_gaps(world: &World, shard: &str) -> Result<(), String> {
    let all = world.stream.batch(shard, 0, usize::MAX);
    let state = world.lock();
    let commits = state.ledger.journals.get(&world.journal(shard)).map_or(&[][..], Vec::as_slice);
    for [before, commit] in commits.array_windows() {
        let Some(position) = &before.record.position else { continue };
        let is_left_out = |sequence: &SequenceNumber| {
            *sequence > position.sequence
                && Some(sequence) < commit.sender.batch_first.as_ref()
                && Some(sequence) < commit.record.position.as_ref().map(|reached| &reached.sequence)
        };
        let left_out = all.iter().filter(|(sequence, ..)| is_left_out(sequence)).count();
        let number = commit.record.number;
        match &commit.record.gap {
            None if left_out > 0 && !commit.sender.is_blind => {
                return Err(format!("{number} of {shard} leaves out {left_out} records behind {position} untold"));
            }
            Some(gap) if left_out == 0 => return Err(format!("{number} of {shard} tells of a gap behind {gap}")),
            _ => {}
        }
    }
    Ok(())
}
