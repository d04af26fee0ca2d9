//! What a function's answer says about its batch.

use serde_json::Value;

/// The verdict on a batch.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// All of it is done.
    Done,
    /// All before the record at this index is done; it and what follows are to be sent again.
    Again(usize),
    /// Nothing of it counts as done, and why.
    Refused(String),
}

/// Judges an answer. Without `reports_failures` any answer means success, as the function's
/// settings do not announce that it names failed records.
pub(super) fn judge<'a>(answer: &[u8], batch: impl Iterator<Item = &'a str>, reports_failures: bool) -> Judgement {
    if !reports_failures {
        return Judgement::Done;
    }
    let answer = match serde_json::from_slice(answer) {
        Ok(answer) => answer,
        Err(error) => return Judgement::Refused(format!("its answer is no JSON ({error})")),
    };
    match &answer {
        Value::Null => Judgement::Done,
        Value::String(text) if text.is_empty() => Judgement::Done,
        Value::Array(items) if items.is_empty() => Judgement::Done,
        Value::Object(members) => match members.get("batchItemFailures") {
            None | Some(Value::Null) => Judgement::Done,
            Some(Value::Array(failures)) => lowest(failures, batch),
            Some(other) => refused(other, "batchItemFailures is no list"),
        },
        // Not documented. Taken as a failure, so that a mistake shows here and not on AWS.
        other => refused(other, "its answer is none that Lambda understands"),
    }
}

/// The lowest failed record decides; one that is not in the batch makes the whole answer void.
fn lowest<'a>(failures: &[Value], batch: impl Iterator<Item = &'a str>) -> Judgement {
    let batch: Vec<&str> = batch.collect();
    let mut first = None;
    for failure in failures {
        let index = failure["itemIdentifier"].as_str().and_then(|id| batch.iter().position(|sequence| *sequence == id));
        let Some(index) = index else {
            return refused(failure, "it names a failed record that is not in the batch");
        };
        first = Some(first.map_or(index, |first: usize| first.min(index)));
    }
    first.map_or(Judgement::Done, Judgement::Again)
}

fn refused(value: &Value, why: &str) -> Judgement {
    let text: String = value.to_string().chars().take(200).collect();
    Judgement::Refused(format!("{why}: {text}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(answer: &str) -> Judgement {
        judge(answer.as_bytes(), ["10", "11", "12"].into_iter(), true)
    }

    fn is_refused(answer: &str) -> bool {
        matches!(judged(answer), Judgement::Refused(_))
    }

    #[test]
    fn empty_answers_of_every_kind_are_success() {
        for answer in [r#"{"batchItemFailures":[]}"#, r#"{"batchItemFailures":null}"#, "{}", "null", r#""""#, "[]"] {
            assert_eq!(judged(answer), Judgement::Done, "{answer}");
        }
    }

    #[test]
    fn one_failed_record_means_from_there_on() {
        assert_eq!(judged(r#"{"batchItemFailures":[{"itemIdentifier":"11"}]}"#), Judgement::Again(1));
        assert_eq!(judged(r#"{"batchItemFailures":[{"itemIdentifier":"10"}]}"#), Judgement::Again(0));
    }

    #[test]
    fn of_several_failed_records_the_lowest_decides() {
        let answer = r#"{"batchItemFailures":[{"itemIdentifier":"12"},{"itemIdentifier":"11"}]}"#;
        assert_eq!(judged(answer), Judgement::Again(1));
    }

    #[test]
    fn an_identifier_that_is_empty_null_or_misnamed_fails_the_batch() {
        assert!(is_refused(r#"{"batchItemFailures":[{"itemIdentifier":""}]}"#));
        assert!(is_refused(r#"{"batchItemFailures":[{"itemIdentifier":null}]}"#));
        assert!(is_refused(r#"{"batchItemFailures":[{"foo":"11"}]}"#));
    }

    #[test]
    fn an_identifier_outside_the_batch_fails_the_batch() {
        assert!(is_refused(r#"{"batchItemFailures":[{"itemIdentifier":"123"}]}"#));
        assert!(is_refused(r#"{"batchItemFailures":[{"itemIdentifier":"11"},{"itemIdentifier":"123"}]}"#));
    }

    #[test]
    fn answers_that_lambda_does_not_know_fail_the_batch() {
        for answer in ["", "nonsense", "1", "true", r#""done""#, "[1]", r#"{"batchItemFailures":1}"#] {
            assert!(is_refused(answer), "{answer}");
        }
    }

    #[test]
    fn without_the_setting_every_answer_is_success() {
        let answer = br#"{"batchItemFailures":[{"itemIdentifier":"11"}]}"#;
        assert_eq!(judge(answer, ["11"].into_iter(), false), Judgement::Done);
        assert_eq!(judge(b"nonsense", ["11"].into_iter(), false), Judgement::Done);
    }
}
