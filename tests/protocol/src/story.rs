//! A run told as a story: who did what, one line an action.

use std::fmt::Write as _;

use stateright::Path;

use crate::record::{Kind, Record};
use crate::rules::commit::Draft;
use crate::world::state::{At, Message, Operator, State};
use crate::world::{Action, Retry};

/// What happened on this path, one line an action, and the name of the property that it broke.
pub fn story(broken: &str, path: Path<State, Action>) -> String {
    let steps = path.into_vec();
    let mut text = String::new();
    for (number, pair) in steps.windows(2).enumerate() {
        let ([(before, Some(action)), (after, _)], number) = (pair, number + 1) else { continue };
        let _ = writeln!(text, "{number:>3}. {}", line(before, action, after));
    }
    let _ = writeln!(text, "     That breaks: {broken}.");
    text
}

fn name(environment: usize) -> char {
    char::from(b'A' + environment as u8)
}

fn line(before: &State, action: &Action, after: &State) -> String {
    match *action {
        Action::Deliver { environment, shard, first, last } => {
            format!("The event source gives {} events {first}..={last} of shard {shard}.", name(environment))
        }
        Action::Tick { environment, shard, .. } => {
            format!("The schedule wakes {} for shard {shard}.", name(environment))
        }
        Action::Upgrade { environment } => {
            format!("The operator has {} upgrade the journal's format.", name(environment))
        }
        Action::Perform { environment } => performed(before, environment, after),
        Action::PickHead { environment, slot } => format!("{} begins to read at slot {slot}.", name(environment)),
        Action::Send { environment, index, is_answered } => {
            let lost = if is_answered { "" } else { "; the answer is lost" };
            format!("{} sends output {index} of record {}{lost}.", name(environment), held(before, environment))
        }
        Action::LoseAnswer { environment } => match &before.environments[environment].at {
            At::Put(draft) => {
                let outcome = if is_stored(&draft.record, before, after, environment) { "stored" } else { "conflict" };
                format!("{} puts {}: {outcome}, but the answer is lost.", name(environment), told(draft))
            }
            _ => format!("{} waits for an answer.", name(environment)),
        },
        Action::Delay { environment, .. } => match &before.environments[environment].at {
            At::Put(draft) => format!("{}'s put of {} stays in the network.", name(environment), told(draft)),
            _ => {
                format!("{}'s output of record {} stays in the network.", name(environment), held(before, environment))
            }
        },
        Action::GiveUpPut { environment } => format!("{} gives up waiting and fails.", name(environment)),
        Action::Choose { environment, .. } => match &after.environments[environment].at {
            At::WriteImages(draft) | At::Put(draft) | At::LowerMark(draft) => {
                format!("{} is to write {}.", name(environment), told(draft))
            }
            _ => format!("{} chooses parts.", name(environment)),
        },
        Action::TimeOut { environment, retry } => {
            format!("{} times out and goes on as a zombie{}.", name(environment), told_retry(retry))
        }
        Action::Crash { environment, retry } => format!("{} crashes{}.", name(environment), told_retry(retry)),
        Action::Fail { environment, retry } => {
            format!("{} answers with an error{}.", name(environment), told_retry(retry))
        }
        Action::Land { message } => match &before.network[message] {
            Message::Put(_, record) => format!("The delayed put of record {} lands.", record.number),
            Message::Output { number, .. } => format!("The delayed output of record {number} lands."),
        },
        Action::Collect { image, .. } => {
            let id = image.0;
            format!("The collector deletes the image of cells {}..={} as of {}.", id.first, id.last, id.as_of)
        }
        Action::Free { journal, slot } => match &after.tables[journal].slots[slot] {
            Some(record) if record.is_freed => format!("A sweep puts the Seal of journal {journal} again: freed."),
            Some(record) => format!("The sweep empties record {} of journal {journal}.", record.number),
            None => format!("The sweep deletes a slot of journal {journal}."),
        },
        Action::Operate { number } => {
            format!("The operator switches the event source off, to go back to record {number}.")
        }
        Action::OperatorGoesOn { .. } => match (&before.operator, &after.operator) {
            (_, Operator::Done) => "The operator is done; the event source is on again.".to_owned(),
            (Operator::Writing(_), Operator::Deleting(_)) => "The operator finds a record 1: deletes again.".to_owned(),
            (_, Operator::Forgetting(_)) => "The operator finds no slot left.".to_owned(),
            (_, Operator::Writing(_)) => "The operator takes the mark's due time back.".to_owned(),
            _ => "The operator deletes a slot.".to_owned(),
        },
    }
}

/// The number of the record that an environment's view is at, of the journal that it works on.
fn held(state: &State, environment: usize) -> u8 {
    let environment = &state.environments[environment];
    let journal = environment.tasks.last().map_or(0, |task| task.journal);
    environment.views[journal].as_ref().map_or(0, |view| view.number)
}

fn performed(before: &State, e: usize, after: &State) -> String {
    let journal = before.environments[e].tasks.last().map_or(0, |task| task.journal);
    let who = format!("{} (journal {journal})", name(e));
    match &before.environments[e].at {
        At::Load => match &after.environments[e].views[journal] {
            Some(view) => format!("{who} loads record {}.", view.number),
            None => format!("{who} finds nothing that it can load."),
        },
        At::LoadRecords { .. } => format!("{who} reads the next record."),
        At::LoadImages { .. } => format!("{who} reads the next image."),
        At::CatchUp { .. } => match &after.environments[e].views[journal] {
            Some(view) if view.number > held(before, e) => format!("{who} catches up to record {}.", view.number),
            Some(_) => format!("{who} finds nothing behind record {}.", held(before, e)),
            None => format!("{who} cannot follow: it will load."),
        },
        At::AskMark => format!("{who} asks the mark whether anything is due."),
        At::ReadMark => format!("{who} reads the flush mark: {:?}.", before.tables[journal].mark),
        At::WriteMark => format!("{who} writes the flush mark; it is {:?}.", after.tables[journal].mark),
        At::LowerMark(draft) => {
            format!(
                "{who} lowers the due time for record {}; the mark is {:?}.",
                draft.record.number, after.tables[journal].mark
            )
        }
        At::WriteImages(_) | At::WriteImagesLate(_) => format!("{who} writes an image."),
        At::Put(draft) => {
            let outcome = if is_stored(&draft.record, before, after, e) { "stored" } else { "conflict" };
            format!("{who} puts {}: {outcome}.", told(draft))
        }
        At::LookAtSource => format!("{who} looks whether records wait in the stream."),
        At::Verify => format!("{who} looks whether record {} still stands.", held(before, e)),
        At::Return { is_success: true } => format!("{who} reports success."),
        At::Return { is_success: false } => format!("{who} reports an error."),
        At::Idle | At::Send { .. } | At::Plan(_) => format!("{who} waits."),
    }
}

fn is_stored(record: &Record, before: &State, after: &State, e: usize) -> bool {
    let journal = before.environments[e].tasks.last().map_or(0, |task| task.journal);
    let holds = |state: &State| state.tables[journal].record(record.number) == Some(record);
    holds(after) && !holds(before)
}

fn told(draft: &Draft) -> String {
    let record = &draft.record;
    let kind = match record.kind {
        Kind::Init => "Init",
        Kind::Data => "Data",
        Kind::Tick => "Tick",
        Kind::Seal => "Seal",
    };
    let parts: Vec<String> =
        record.parts.iter().map(|part| format!("{}-{} as of {}", part.first, part.last, part.as_of)).collect();
    let named = if parts.is_empty() { String::new() } else { format!(", names parts {}", parts.join(" and ")) };
    format!(
        "record {} ({kind}, incarnation {}, position {}, W {}, {} outputs{named})",
        record.number,
        record.incarnation,
        record.progress.position,
        record.progress.watermark,
        record.outputs.len(),
    )
}

fn told_retry(retry: Retry) -> &'static str {
    match retry {
        Retry::Same => "",
        Retry::Halves => "; the event source will send both halves of the batch",
        Retry::Never => "; the event source gives the batch up",
    }
}
