//! Figures that must not change unnoticed.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::path::PathBuf;

use crate::run::{Way, run};
use crate::valgrind::{Counter, EVENTS};
use crate::workload::Workload;

/// The variable that, set, accepts the figures as they are.
const ACCEPT: &str = "TIDEMILL_ACCEPT";
/// By how much a figure may differ from the one that was accepted.
const TOLERANCE: f64 = 0.03;
/// Figures by name.
type Figures = BTreeMap<String, f64>;

/// Measures, and compares with what was accepted; whether all of it holds.
///
/// # Errors
/// What could not be measured or read.
pub(crate) fn check(workloads: &[Workload]) -> Result<bool, String> {
    let figures = measure(workloads)?;
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("accepted.toml");
    if env::var_os(ACCEPT).is_some() {
        let text = toml::to_string(&figures).map_err(|error| error.to_string())?;
        std::fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()))?;
        println!("accepted: {}", path.display());
    }
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let accepted: Figures = toml::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut holds = true;
    for name in accepted.keys().chain(figures.keys().filter(|name| !accepted.contains_key(*name))) {
        let verdict = Verdict::of(accepted.get(name).copied(), figures.get(name).copied());
        println!("{name:<40} {verdict}");
        holds &= verdict.holds();
    }
    if !holds {
        println!(
            "\nA change that is meant is accepted by\n  {ACCEPT}=1 cargo run --release --bin tidemill-bench -- gate"
        );
    }
    Ok(holds)
}

fn measure(workloads: &[Workload]) -> Result<Figures, String> {
    let mut figures = Figures::new();
    for workload in workloads {
        let name = workload.name();
        let mut put =
            |figure: &str, value: f64| figures.insert(format!("{name} {figure}"), (value * 1e3).round() / 1e3);
        let instructions = |way| Counter::Instructions.count(name, way);
        let whole = instructions(Way::Whole)?;
        put("instructions an event", whole);
        if name == "w1" {
            let (decode, step) = (instructions(Way::Decode)?, instructions(Way::Step)?);
            put("instructions an event, decode", decode);
            put("instructions an event, step", step - decode);
            put("instructions an event, commit", whole - step);
        }
        put("allocations an event", Counter::Allocations.count(name, Way::Whole)?);
        let cost = run(workload, Way::Whole, 10 * EVENTS, 500);
        put("requests a batch", cost.requests as f64 / cost.batches as f64);
        put("write units a batch", cost.write_units as f64 / cost.batches as f64);
    }
    Ok(figures)
}

struct Verdict {
    accepted: Option<f64>,
    found: Option<f64>,
}

impl Verdict {
    const fn of(accepted: Option<f64>, found: Option<f64>) -> Self {
        Self { accepted, found }
    }

    fn holds(&self) -> bool {
        match (self.accepted, self.found) {
            (Some(accepted), Some(found)) => (found - accepted).abs() <= accepted.abs() * TOLERANCE,
            _ => false,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.accepted, self.found) {
            (Some(accepted), Some(found)) if self.holds() => write!(f, "{found:>10.3}  (accepted: {accepted})"),
            (Some(accepted), Some(found)) => {
                let percent = (found / accepted - 1.0) * 100.0;
                write!(f, "{found:>10.3}  CHANGED by {percent:+.1} % from {accepted}, at most 3 % are allowed")
            }
            (None, Some(found)) => write!(f, "{found:>10.3}  NEW: nothing was accepted"),
            (Some(accepted), None) => write!(f, "      none  MISSING: {accepted} was accepted"),
            (None, None) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_over_three_percent_is_told_with_both_figures() {
        assert!(Verdict::of(Some(100.0), Some(103.0)).holds() && Verdict::of(Some(100.0), Some(97.0)).holds());
        for found in [103.1, 96.9] {
            let verdict = Verdict::of(Some(100.0), Some(found));
            assert!(!verdict.holds());
            let text = verdict.to_string();
            assert!(text.contains(&found.to_string()) && text.contains("from 100"), "{text}");
        }
        assert!(!Verdict::of(None, Some(1.0)).holds() && !Verdict::of(Some(1.0), None).holds());
    }
}
