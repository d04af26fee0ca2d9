//! Which query the function is.

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill::{Error, Pipeline, PipelineError};

use crate::queries;

/// The variable that names the query.
pub const QUERY: &str = "NEXMARK_QUERY";
/// The variable that holds the allowed lateness in milliseconds, for the queries whose names begin with `allowed-`; zero
/// if unset.
pub const LATENESS: &str = "NEXMARK_LATENESS_MS";

/// Builds a query; those that allow lateness take it from the argument.
type Build = fn(Duration) -> Result<Pipeline, PipelineError>;

const QUERIES: [(&str, Build); 18] = [
    ("w1", |_| queries::w1()),
    ("w2", |_| queries::w2()),
    ("w3", |_| queries::w3()),
    ("w4", |_| queries::w4()),
    ("q2", |_| queries::q2()),
    ("q3", |_| queries::q3()),
    ("q8", |_| queries::q8()),
    ("q9", |_| queries::q9()),
    ("q11", |_| queries::q11()),
    ("q15", |_| queries::q15()),
    ("q16", |_| queries::q16()),
    ("q17", |_| queries::q17()),
    ("q18", |_| queries::q18()),
    ("q19", |_| queries::q19()),
    ("q20", |_| queries::q20()),
    ("allowed-tumble", queries::allowed_tumble),
    ("allowed-hop", queries::allowed_hop),
    ("allowed-session", queries::allowed_session),
];

/// The names of all queries.
pub fn names() -> impl Iterator<Item = &'static str> {
    QUERIES.iter().map(|(name, _)| *name)
}

/// The query that these variables ask for.
///
/// # Errors
/// [`QUERY`] is unset or names no query, [`LATENESS`] is no number of milliseconds: all that is wrong at once.
pub fn select(variables: &BTreeMap<String, String>) -> Result<Pipeline, Error> {
    let set = |variable| variables.get(variable).map(|value| value.trim()).filter(|value| !value.is_empty());
    match (query(set(QUERY)), lateness(set(LATENESS))) {
        (Ok(build), Ok(lateness)) => Ok(build(lateness)?),
        (query, lateness) => Err(Error::Settings(query.err().into_iter().chain(lateness.err()).collect())),
    }
}

fn query(name: Option<&str>) -> Result<Build, String> {
    let problem = match name {
        Some(name) => match QUERIES.iter().find(|(known, _)| *known == name) {
            Some((_, build)) => return Ok(*build),
            None => format!("{QUERY} is {name:?}, which is no query"),
        },
        None => format!("{QUERY} is not set"),
    };
    Err(format!("{problem}. Set it to one of {}", names().collect::<Vec<_>>().join(", ")))
}

fn lateness(text: Option<&str>) -> Result<Duration, String> {
    let Some(text) = text else { return Ok(Duration::ZERO) };
    text.parse().map(Duration::from_millis).map_err(|error| {
        format!("{LATENESS} is {text:?}: {error}. Set it to a whole number of milliseconds, such as 60000")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(variables: &[(&str, &str)]) -> Result<Pipeline, Error> {
        select(&variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn every_query_is_sound_and_named_after_itself() {
        for name in names() {
            let pipeline = selected(&[(QUERY, name), (LATENESS, "60000")]).unwrap();
            assert_eq!(pipeline.name(), format!("nexmark-{name}"));
        }
    }

    #[test]
    fn without_a_query_all_are_named() {
        let text = selected(&[(QUERY, " ")]).unwrap_err().to_string();
        assert!(text.contains("NEXMARK_QUERY is not set. Set it to one of w1, w2, w3, w4, q2"), "{text}");
    }

    #[test]
    fn everything_wrong_is_told_at_once() {
        let text = selected(&[(QUERY, "q5"), (LATENESS, "1m")]).unwrap_err().to_string();
        assert!(text.contains("NEXMARK_QUERY is \"q5\", which is no query"), "{text}");
        assert!(text.contains("NEXMARK_LATENESS_MS is \"1m\": invalid digit"), "{text}");
    }
}
