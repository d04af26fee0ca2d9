//! How the function is built.

use std::path::PathBuf;

use toml::Value;

use super::{Diagnosis, Level, Subject, diagnosis};

pub(super) fn examine(subject: &Subject<'_>, found: &mut Vec<Diagnosis>) {
    let runtime = subject.setting("Runtime").and_then(|node| Some((subject.template.text(node)?, node.line)));
    if let Some((runtime, line)) = runtime.filter(|(runtime, _)| runtime != "provided.al2023") {
        found.push(subject.error(
            line,
            format!("Runtime is {runtime}"),
            "a Rust function is a program of its own, and cargo lambda links it for Amazon Linux 2023",
            "set Runtime: provided.al2023",
        ));
    }
    let method = subject.node.at(&["Metadata", "BuildMethod"]).and_then(|node| subject.template.text(node));
    if method.as_deref() != Some("rust-cargolambda") {
        let line = subject.node.get("Metadata").map_or(subject.node.line, |node| node.line);
        found.push(subject.warning(
            line,
            "there is no BuildMethod: rust-cargolambda",
            "`sam build` would not know how to build it",
            "set BuildMethod: rust-cargolambda under Metadata, and BuildProperties: {Binary: …}",
        ));
        return;
    }
    found.extend(unwinds(subject));
}

/// A panic of a closure must unwind: it is caught, and the record goes to the quarantine.
fn unwinds(subject: &Subject<'_>) -> Option<Diagnosis> {
    let code = subject.setting("CodeUri").and_then(|node| subject.template.text(node));
    let manifest: PathBuf = subject.template.folder().join(code.unwrap_or_default()).join("Cargo.toml");
    // `./Cargo.toml` is the same file under another name.
    let manifest: PathBuf = manifest.components().collect();
    // A project that builds otherwise has no manifest here.
    let text = std::fs::read_to_string(&manifest).ok()?;
    let table = text.parse::<toml::Table>().ok()?;
    let panic = table.get("profile").and_then(|profile| profile.get("release")?.get("panic").and_then(Value::as_str));
    if panic == Some("unwind") {
        return None;
    }
    let line = text.lines().position(|line| line.trim() == "[profile.release]").map_or(1, |index| index + 1);
    let why = "cargo lambda builds with panic = \"abort\" unless the manifest that it is started with says otherwise: a panic \
               of a closure would end the process each time its record comes, until the crash guard finds it";
    let fix = String::from("write panic = \"unwind\" under [profile.release]");
    let what = String::from("a release does not say panic = \"unwind\"");
    Some(diagnosis(Level::Error, subject.id, &manifest, line, what, why, fix))
}
