//! The protocol holds in every configuration.
use stateright::{Checker, Model};
use tidemill_protocol::{World, small};

#[test]
fn holds() {
    let only = std::env::var("ONLY").ok();
    for config in small() {
        if only.as_ref().is_some_and(|only| only != config.name) { continue; }
        let name = config.name;
        let cap: usize = std::env::var("CAP").ok().and_then(|c| c.parse().ok()).unwrap_or(3_000_000);
        let start = std::time::Instant::now();
        let checker = World::of(config).checker().threads(2).target_state_count(cap).spawn_bfs().join();
        println!("{name}: {} unique, {} generated, depth {}, {:.1} s, done {}", checker.unique_state_count(), checker.state_count(), checker.max_depth(), start.elapsed().as_secs_f32(), checker.is_done());
        let ds = checker.discoveries();
        for p in checker.model().clone().properties() {
            match (&p.expectation, ds.get(p.name)) {
                (stateright::Expectation::Always, Some(path)) => {
                    println!("  VIOLATED {}", p.name);
                    for (_, a) in path.clone().into_vec() { println!("    {a:?}"); }
                }
                (stateright::Expectation::Sometimes, None) => println!("  NEVER {}", p.name),
                _ => {}
            }
        }
    }
}
