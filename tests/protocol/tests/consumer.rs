//! A consumer drops repeats and nothing else, also where its stream is split and merged.

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

#[test]
fn every_broken_rule_is_caught() {
    for mutant in ConsumerMutant::ALL {
        let is_caught = [false, true].into_iter().any(|begins_divided| {
            let consumer = Consumer { begins_divided, mutant: Some(mutant), ..CONSUMER };
            let checker = consumer.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
            let found = checker.discoveries().into_iter().find(|(name, _)| !name.starts_with("all is accepted"));
            if let Some((name, path)) = &found {
                let story: Vec<String> = path.clone().into_actions().iter().map(|sent| format!("  {sent}")).collect();
                println!("{mutant:?}\n{}\n  That breaks: {name}.", story.join("\n"));
            }
            found.is_some()
        });
        assert!(is_caught, "{mutant:?} is not caught");
    }
}
