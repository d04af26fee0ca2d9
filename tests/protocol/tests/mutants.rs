//! Every broken rule is caught.
use stateright::{Checker, Model};
use tidemill_protocol::{Mutant, World};

#[test]
fn caught() {
    let only = std::env::var("ONLY").ok();
    for mutant in Mutant::ALL {
        if only.as_ref().is_some_and(|only| *only != format!("{mutant:?}")) { continue; }
        let start = std::time::Instant::now();
        let checker = World::of(mutant.shown_by()).checker().threads(2).target_state_count(2_000_000)
            .finish_when(stateright::HasDiscoveries::AnyFailures).spawn_bfs().join();
        let ds = checker.discoveries();
        let found: Vec<_> = ds.keys().map(|k| k.split_whitespace().next().unwrap_or("")).collect();
        let expected: Vec<_> = mutant.falls().iter().map(|v| v.name()).collect();
        let ok = ds.keys().any(|k| expected.contains(k));
        println!("{} {mutant:?}: {found:?} expected {:?}: {} unique, {} depth, {:.1} s", if ok {"ok"} else {"!!"}, mutant.falls(), checker.unique_state_count(), checker.max_depth(), start.elapsed().as_secs_f32());
        if only.is_some() { for p in ds.values() { for (_, a) in p.clone().into_vec() { println!("    {a:?}"); } } }
    }
}
