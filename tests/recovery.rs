//! Every single request of a run goes wrong once, in every way: the results stay what they were.

use departures::departures;
use tidemill::handler::{Handler, Limits, Work};
use tidemill_core::Record;
use tidemill_journal::{Deadline, Incarnation, Ring};
use tidemill_tests::{Flight, Received, Stepped, Wrong, records};
use tokio::time::Instant;

const STREAM: &str = "arn:aws:kinesis:us-east-1:123456789012:stream/flights";
const SHARD: &str = "shardId-000000000000";
const HOUR: i64 = 3_600_000;
const SINKS: [&str; 3] = ["departures", "late-flights", "quarantine"];

/// A run goes round its ring of four slots several times, with results, late flights and damaged lines throughout.
fn flights() -> Vec<Flight> {
    let flight = |number: i64| match number % 11 {
        3 => Flight { partition_key: "JFK".to_owned(), payload: b"{".to_vec() },
        7 => Flight::new("LGA", (number - 30) * HOUR, number),
        rest => Flight::new(if rest % 2 == 0 { "JFK" } else { "EWR" }, number * HOUR, number),
    };
    (0..66).map(flight).collect()
}

fn environment(world: &Stepped) -> Handler<&Stepped, &Stepped> {
    let limits = Limits { ring: Ring::of(4).expect("a ring"), ..Limits::default() };
    let draw = Box::new(|| Incarnation(1));
    Handler::new(departures().expect("the pipeline is sound"), world, world, limits, draw)
}

/// Sends a piece of work until it is done. A process that dies is followed by another, and the dead one's requests that
/// are under way still arrive.
async fn send<'w>(world: &'w Stepped, process: &mut Handler<&'w Stepped, &'w Stepped>, work: Work<'_>) {
    for _ in 0..20 {
        let over = Deadline::at(Instant::now());
        let result = tokio::select! {
            biased;
            result = process.handle(STREAM, SHARD, work, over) => Some(result),
            () = world.died() => None,
        };
        match result {
            Some(Ok(done)) if done.is_complete() => return,
            Some(_) => {}
            None => *process = environment(world),
        }
    }
    panic!("twenty invocations are not enough for {work:?}");
}

/// Two processes take turns on the batches, then the input ends.
async fn play(world: &Stepped, batches: &[&[Record<'_>]]) -> Received {
    let mut processes = [environment(world), environment(world)];
    for (number, batch) in batches.iter().enumerate() {
        // Views fall behind by one record, by a few, and by more than the ring holds.
        let process = &mut processes[usize::from([2, 4, 5].contains(&(number % 11)))];
        send(world, process, Work::Records(batch)).await;
    }
    for process in &mut processes {
        send(world, process, Work::Drain).await;
    }
    world.inbox.received()
}

fn assert_same(received: &Received, undisturbed: &Received, what: &str) {
    for sink in SINKS {
        assert_eq!(received.sorted(sink), undisturbed.sorted(sink), "{sink}, {what}");
    }
}

#[test]
fn any_request_may_go_wrong_in_any_way() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let flights = flights();
    let all = records(&flights);
    let batches: Vec<&[Record<'_>]> = all.chunks(3).collect();

    let world = Stepped::default();
    let undisturbed = runtime.block_on(play(&world, &batches));
    let steps = world.steps();
    assert!(SINKS.iter().all(|sink| undisturbed.sorted(sink).len() > 3), "{undisturbed:?}");
    assert_eq!(undisturbed.sorted("quarantine").len(), 6, "only the damaged lines");

    for step in 1..=steps {
        for how in Wrong::ALL {
            let world = Stepped::going_wrong(step, how);
            let received = runtime.block_on(play(&world, &batches));
            assert_same(&received, &undisturbed, &format!("step {step} of {steps}: {how:?}"));
        }
    }
    println!("{steps} requests, each gone wrong in {} ways: the same results", Wrong::ALL.len());
}
