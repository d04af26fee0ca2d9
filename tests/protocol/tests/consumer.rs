//! A consumer drops repeats and nothing else, also where its stream is split and merged.

#[path = "../../support/page.rs"]
mod page;

use stateright::{Checker, HasDiscoveries, Model};
use tidemill_protocol::{Consumer, ConsumerMutant};

const CONSUMER: Consumer = Consumer { begins_divided: false, commits: 3, mutant: None };

#[test]
fn repeats_are_dropped() {
    for begins_divided in [false, true] {
        let checker = Consumer { begins_divided, ..CONSUMER }.checker().spawn_bfs().join();
        println!("divided {begins_divided} | {} | {}", checker.unique_state_count(), checker.max_depth());
        checker.assert_properties();
    }
}

/// What falls, by how few steps.
fn catch(mutant: ConsumerMutant) -> Option<(&'static str, usize)> {
    [false, true].into_iter().find_map(|begins_divided| {
        let consumer = Consumer { begins_divided, mutant: Some(mutant), ..CONSUMER };
        let checker = consumer.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
        let mut found = checker.discoveries().into_iter();
        let (name, path) = found.find(|(name, _)| !name.starts_with("all is accepted"))?;
        let actions = path.into_actions();
        let story: Vec<String> = actions.iter().map(|sent| format!("  {sent}")).collect();
        println!("{mutant:?}\n{}\n  That breaks: {name}.", story.join("\n"));
        Some((name, actions.len()))
    })
}

#[test]
fn every_broken_rule_is_caught() {
    let mut rows = Vec::new();
    for mutant in ConsumerMutant::ALL {
        let Some((falls, steps)) = catch(*mutant) else { panic!("{mutant:?} is not caught") };
        rows.push(format!("| `{mutant:?}` | {} | {falls} | {steps} |", mutant.mistake()));
    }
    page::check_table("mutants of the consumer", "| rule | broken so | falls | steps |", &rows);
}
