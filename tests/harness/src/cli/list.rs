//! `cargo tidemill list`.

use std::path::Path;
use std::process::ExitCode;

use crate::error::Error;
use crate::findings::Findings;
use crate::input;
use crate::scenario::Scenario;
use crate::template::Template;

use super::style::Style;
use super::summary::grouped;

/// Prints the scenarios beside the template. One that cannot be read fails the command, after
/// the others were listed.
pub(super) fn run(template: Option<&Path>) -> Result<ExitCode, Error> {
    let here = std::env::current_dir().map_err(|source| Error::system("tell the current folder", source))?;
    let template = Template::locate(template, &here)?;
    let folder = template.parent().unwrap_or(&here);
    let mut findings = Findings::default();
    let mut scenarios = Vec::new();
    for name in Scenario::names(folder) {
        scenarios.extend(Scenario::load(folder, &name, &mut findings)?);
    }
    print(&scenarios);
    findings.into_warnings()?;
    Ok(ExitCode::SUCCESS)
}

fn print(scenarios: &[Scenario]) {
    let style = Style::of_stdout();
    let width = |of: fn(&Scenario) -> usize| scenarios.iter().map(of).max().unwrap_or(0);
    let name_width = width(|scenario| scenario.name.chars().count());
    let function_width = width(|scenario| chain(scenario).chars().count());
    for scenario in scenarios {
        let (Scenario { name, title, .. }, function) = (scenario, chain(scenario));
        // A scenario without its input is among the findings.
        let records = input::count(&scenario.input).unwrap_or(0);
        println!(
            "{}  {function:<function_width$}  {:>10} records  {title}",
            style.bold(&format!("{name:<name_width$}")),
            grouped(records as u64),
        );
    }
    if scenarios.is_empty() {
        eprintln!("no scenario here; one is a folder in events/ with a scenario.toml");
    }
}

/// The functions that records and results pass.
fn chain(scenario: &Scenario) -> String {
    scenario.functions.join(" > ")
}
