//! Figures as people and programs read them.

use serde::Serialize;

use crate::cpu;
use crate::load::load;
use crate::run::{Cost, Way, run};
use crate::workload::{Clicks, Windows, Workload};

/// One measurement as a line of JSON.
pub(crate) fn line(cost: &Cost) {
    let line = serde_json::json!({
        "events": cost.events,
        "batches": cost.batches,
        "cpu_seconds": cost.cpu.as_secs_f64(),
        "events_per_cpu_second": cost.events_per_second(),
        "longest_ms": cost.longest.as_secs_f64() * 1e3,
        "bytes": cost.bytes,
        "outputs": cost.outputs,
        "requests": cost.requests,
        "write_units": cost.write_units,
        "peak_memory_kb": cpu::peak_memory(),
    });
    println!("{line}");
}

/// Points of a curve, each as a line of JSON.
pub(crate) fn lines<T: Serialize>(points: &[T]) {
    for point in points {
        println!("{}", serde_json::to_string(point).expect("a point serialises"));
    }
}

/// The phases of each workload.
pub(crate) fn table(workloads: &[Workload], events: u64, batch: usize) {
    println!("{:<34} {HEAD}", format!("{events} events in batches of {batch}"));
    for workload in workloads {
        row(workload.name(), workload, events, batch);
    }
    println!("peak memory {:.0} MB", cpu::peak_memory() as f64 / 1024.0);
}

const HEAD: &str = "events a CPU-second   without envelope   MB a CPU-second   ns an event: decode   step   commit   \
                    write units a batch   longest batch";

fn row(name: &str, workload: &Workload, events: u64, batch: usize) {
    let [decode, step, whole] = [Way::Decode, Way::Step, Way::Whole].map(|way| run(workload, way, events, batch));
    let nanos = |cost: &Cost| cost.cpu.as_secs_f64() * 1e9 / cost.events as f64;
    println!(
        "{name:<34} {:>19.0} {:>18.0} {:>17.0} {:>21.0} {:>6.0} {:>8.0} {:>21.1} {:>12.1} ms",
        whole.events_per_second(),
        1e9 / (nanos(&whole) - nanos(&decode)),
        whole.bytes as f64 / 1e6 / whole.cpu.as_secs_f64(),
        nanos(&decode),
        nanos(&step) - nanos(&decode),
        nanos(&whole) - nanos(&step),
        whole.write_units as f64 / whole.batches as f64,
        whole.longest.as_secs_f64() * 1e3,
    );
}

/// Clicks, varied in one respect each.
pub(crate) fn sweeps(events: u64) {
    let plain = Clicks::PLAIN;
    println!("{:<34} {HEAD}", "clicks: 1,000 keys, 60 s windows");
    let vary = |name: String, clicks: Clicks, batch: usize| row(&name, &Workload::Clicks(clicks), events, batch);
    for keys in [10, 1_000, 10_000, 100_000, 1_000_000] {
        vary(format!("keys {keys}"), Clicks { keys, ..plain }, 500);
    }
    for batch in [10, 100, 1_000, 7_000] {
        vary(format!("batch {batch}"), plain, batch);
    }
    for open in [1, 10, 60] {
        vary(format!("open windows {open}"), Clicks { windows: Windows::Sliding(open), ..plain }, 500);
    }
    for gap in [1, 10, 60] {
        vary(format!("sessions, gap {gap} s"), Clicks { windows: Windows::Sessions(gap), ..plain }, 500);
    }
    for payload in [100, 1_000, 10_000] {
        // An invocation holds 6 MB at most.
        vary(format!("payload {payload} B"), Clicks { payload, ..plain }, 500.min(4_000_000 / payload));
    }
}

/// What a new environment does before its first batch, by keys with an open window.
pub(crate) fn loads(keys: &[u64]) {
    println!("{:<34} {:>10} {:>10} {:>10}", "cold load of", "state", "requests", "CPU time");
    for keys in keys {
        let load = load(*keys);
        let (megabytes, millis) = (load.state_bytes as f64 / 1e6, load.cpu.as_secs_f64() * 1e3);
        println!("{:<34} {megabytes:>7.1} MB {:>10} {millis:>7.0} ms", format!("keys {keys}"), load.requests);
    }
}
