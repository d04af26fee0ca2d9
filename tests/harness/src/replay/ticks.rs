//! Which functions of a run get scheduled events.

use std::time::Duration;

use crate::error::Error;
use crate::mapping::Ticks;
use crate::template::{Function, Schedule};

use super::chain::Chain;
use super::options::Options;

/// What each function of a chain gets. Without an interval of the options' own those with a schedule do,
/// else all that keep a journal do.
pub(super) fn of(options: &Options, chain: &Chain) -> Result<Vec<Option<Ticks>>, Error> {
    if options.ticks == 0 {
        return match options.tick_minutes {
            None => Ok(vec![None; chain.functions.len()]),
            Some(_) => Err(Error::Option(String::from("--tick says how far ticks are apart: --ticks N sends some"))),
        };
    }
    let ticks: Vec<_> =
        chain.functions.iter().map(|function| of_function(options, function)).collect::<Result<_, _>>()?;
    if ticks.iter().any(Option::is_some) {
        return Ok(ticks);
    }
    Err(Error::Option(match options.tick_minutes {
        None => String::from("--ticks: no function here has a Schedule event; --tick MINUTES sends ticks all the same"),
        Some(_) => String::from("--ticks: no function here keeps a journal, so there is no state to close"),
    }))
}

fn of_function(options: &Options, function: &Function) -> Result<Option<Ticks>, Error> {
    let Function { id, schedule, .. } = function;
    let every = match (options.tick_minutes, schedule) {
        (Some(minutes), _) if schedule.is_some() || function.journal_table().is_some() => {
            Duration::from_secs(u64::from(minutes) * 60)
        }
        (Some(_), _) | (None, None) => return Ok(None),
        (None, Some(schedule)) => schedule.every.ok_or_else(|| {
            Error::Option(format!(
                "--ticks: `{id}` is scheduled by `{}`, of which only rate(…) is read here: give --tick MINUTES",
                schedule.expression
            ))
        })?,
    };
    let schedule = schedule.clone().unwrap_or_else(|| Schedule::of(id));
    Ok(Some(Ticks { schedule, every, count: options.ticks }))
}
