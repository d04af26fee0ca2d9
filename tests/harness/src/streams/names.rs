//! Which stream is meant.

use std::path::Path;

use crate::error::Error;
use crate::findings::{Findings, listed};
use crate::near::did_you_mean;
use crate::template::{Template, logical_name};

use super::place::Streams;

/// The name of the stream that a user means: its own, the logical id of the template's resource, or the name by which
/// a pipeline calls it. Case, hyphens and underscores do not matter. An ARN is taken as it is.
pub async fn resolve(streams: &Streams, written: &str, template: Option<&Path>) -> Result<String, Error> {
    if written.starts_with("arn:") {
        return Ok(written.to_owned());
    }
    let there = streams.names().await?;
    find(written, &there, &called(template)).ok_or_else(|| {
        let names = || there.iter().map(String::as_str);
        Error::NotFound(format!(
            "no stream `{written}` in {}; there are {}{}",
            streams.from,
            listed(names()),
            did_you_mean(written, names())
        ))
    })
}

/// The stream of `there` that is meant; `called` are other names of streams, each with the name itself.
pub(super) fn find(written: &str, there: &[String], called: &[(String, String)]) -> Option<String> {
    let exact = there.iter().find(|name| *name == written);
    let alike = || there.iter().find(|name| plain(name) == plain(written));
    let by_other_name = || {
        let names = called.iter().filter(|(name, _)| plain(name) == plain(written)).map(|(_, stream)| stream);
        names.into_iter().find(|stream| there.contains(stream))
    };
    exact.or_else(alike).or_else(by_other_name).cloned()
}

/// Other names of the template's streams: logical ids, and what pipelines call them.
pub(crate) fn called(template: Option<&Path>) -> Vec<(String, String)> {
    let here = std::env::current_dir().ok();
    let path = here.and_then(|here| Template::locate(template, &here).ok());
    // Without a template, or with one that is none, there are no other names.
    let mut findings = Findings::default();
    let Some(Ok(Some(template))) = path.map(|path| Template::load(&path, &mut findings)) else {
        return Vec::new();
    };
    let ids = template.streams.iter().map(|stream| (stream.id.clone(), stream.name.clone()));
    let given = template.given(&mut findings);
    let variables = given.iter().flat_map(|given| &given.variables);
    let sinks = variables.filter_map(|(name, stream)| {
        let logical = name.strip_prefix("TIDEMILL_STREAM_").or_else(|| name.strip_prefix("TIDEMILL_"))?;
        Some((logical_name(logical), stream.clone()))
    });
    ids.chain(sinks).collect()
}

fn plain(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_goes_by_several_names() {
        let there = ["LateFlights", "stack-Out-1X", "out"].map(String::from);
        let called = [("Out", "stack-Out-1X"), ("results", "stack-Out-1X"), ("gone", "other")];
        let called = called.map(|(name, stream)| (name.to_owned(), stream.to_owned()));
        let found = |written| find(written, &there, &called);
        assert_eq!(found("out").as_deref(), Some("out"));
        assert_eq!(found("late-flights").as_deref(), Some("LateFlights"));
        assert_eq!(found("RESULTS").as_deref(), Some("stack-Out-1X"));
        assert_eq!((found("gone"), found("other")), (None, None));
    }
}
