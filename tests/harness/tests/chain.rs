//! Functions that are chained through streams (`fixtures/function` is all of them).

mod support;

use serde_json::Value;
use support::{Outcome, Project, SCENARIO, TEMPLATE};

const BOTH: &str = "[\"Function\", \"Second\"]";
/// What a function sends when a shard's input ends.
const ENDED: &str = "drained";

/// `Function` reads `in` and writes to `mid`, `Second` reads that and writes to `out`.
fn template(second_variables: &str) -> String {
    let first = TEMPLATE
        .replace("  Out:", "  Mid: {Type: AWS::Kinesis::Stream, Properties: {Name: mid, ShardCount: 2}}\n  Out:")
        .replace("TIDEMILL_STREAM_OUT: !Ref Out", "TIDEMILL_STREAM_OUT: !Ref Mid");
    format!(
        "{first}  Second:
    Type: AWS::Serverless::Function
    Metadata: {{BuildProperties: {{Binary: function}}}}
    Properties:
      Timeout: 2
      Environment: {{Variables: {{ID_BY_KEY: 1, TIDEMILL_STREAM_OUT: !Ref Out{second_variables}}}}}
      Events:
        In:
          Type: Kinesis
          Properties: {{Stream: !GetAtt Mid.Arn, StartingPosition: LATEST, FunctionResponseTypes: [ReportBatchItemFailures]}}
"
    )
}

fn project(template: &str, keys: &[String]) -> Project {
    let project = Project::new(template, &scenario(BOTH));
    project.write("Cargo.toml", include_str!("fixtures/function/Cargo.toml"));
    project.write("src/main.rs", include_str!("fixtures/function/src/main.rs"));
    project.write("events/test/input.jsonl", &lines(keys));
    project
}

fn scenario(functions: &str) -> String {
    SCENARIO.replace("function = \"Function\"", &format!("functions = {functions}"))
}

fn keys(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("key{number}")).collect()
}

fn lines(keys: &[String]) -> String {
    keys.iter().map(|key| format!("{{\"key\":\"{key}\"}}\n")).collect()
}

#[track_caller]
fn json(outcome: &Outcome) -> Value {
    assert_ne!(outcome.code, Some(2), "{}", outcome.stderr);
    outcome.stdout.parse().expect("no JSON")
}

#[test]
fn the_second_function_gets_what_the_first_one_sends_and_ends_behind_it() {
    let keys = keys(25);
    let project = project(&template(", TIDEMILL_JOURNAL_TABLE: !Ref Journal"), &keys);
    // The end of the first one's input is a record of the second one, whose own two shards end then.
    let ends = [ENDED; 3].map(String::from);
    project.write("events/test/expected.jsonl", &lines(&[keys.as_slice(), &ends].concat()));
    let report = json(&project.tidemill(&["replay", "test", "--json"]));
    assert_eq!(report["differences"], Value::Null);
    assert_eq!((report["verdict"].as_str(), report["results"].as_u64()), (Some("holds"), Some(28)));
    assert_eq!((report["function"].as_str(), report["records"].as_u64()), (Some("Function > Second"), Some(25)));
    let of = |place: usize, what: &str| report["functions"][place][what].as_u64();
    assert_eq!((of(0, "records"), of(1, "records")), (Some(25), Some(26)));
    assert_eq!(
        report["batches"].as_u64(),
        of(0, "batches").zip(of(1, "batches")).map(|(first, second)| first + second)
    );

    let outcome = project.tidemill(&["replay", "test"]);
    for part in ["test > Function > Second", "25 in 3 batches", "  function      Second"] {
        assert!(outcome.stdout.contains(part), "{}", outcome.stdout);
    }
    let listed = project.tidemill(&["list"]).stdout;
    assert!(listed.contains("Function > Second"), "{listed}");
}

#[test]
fn a_stateless_function_is_told_of_no_end() {
    let keys = keys(5);
    let project = project(&template(""), &keys);
    let mut expected = keys.clone();
    expected.push(ENDED.to_owned());
    project.write("events/test/expected.jsonl", &lines(&expected));
    let report = json(&project.tidemill(&["replay", "test", "--json"]));
    assert_eq!(
        (report["verdict"].as_str(), report["functions"][1]["requests"]["PutItem slot"].as_u64()),
        (Some("holds"), None)
    );
}

#[test]
fn kills_reach_every_function_of_a_chain_and_lose_nothing() {
    for second in ["", ", TIDEMILL_JOURNAL_TABLE: !Ref Journal"] {
        let keys = keys(40);
        let project = project(&template(second), &keys);
        let ends = if second.is_empty() { 1 } else { 3 };
        let ends = vec![String::from(ENDED); ends];
        project.write("events/test/expected.jsonl", &lines(&[keys.as_slice(), &ends].concat()));
        let options =
            ["replay", "test", "--batch-size", "2", "--kill", "12", "--seed", "5", "--environments", "2", "--json"];
        let report = json(&project.tidemill(&options));
        assert_eq!((report["verdict"].as_str(), report["kills"].as_u64()), (Some("holds"), Some(12)));
        for place in 0..2 {
            let kinds = report["functions"][place]["kills_by_kind"].as_object().expect("no kills");
            assert_eq!(kinds.values().filter_map(Value::as_u64).sum::<u64>(), 6, "{kinds:?}");
        }
    }
}

#[test]
fn what_goes_between_may_be_compared_too() {
    let keys = keys(3);
    let template = template(", TIDEMILL_JOURNAL_TABLE: !Ref Journal")
        .replace("TIDEMILL_STREAM_OUT: !Ref Mid", "TIDEMILL_STREAM_OUT: !Ref Mid, TIDEMILL_STREAM_BETWEEN: !Ref Mid");
    let project = project(&template, &keys);
    let between = [keys.as_slice(), &[String::from(ENDED)]].concat();
    project.write("events/test/between.jsonl", &lines(&between));
    let scenario = format!("{}[expect_streams]\nbetween = \"between.jsonl\"\n", scenario(BOTH));
    project.write("events/test/scenario.toml", &scenario);
    let outcome = project.tidemill(&["replay", "test"]);
    assert!(
        outcome.stdout.contains("as expected: 4 in stream between (between.jsonl)"),
        "{}{}",
        outcome.stdout,
        outcome.stderr
    );

    project.write("events/test/scenario.toml", &scenario.replace("between =", "out ="));
    let outcome = project.tidemill(&["replay", "test"]);
    assert!(outcome.stderr.contains(":5: expect_streams.out: its functions mean different ones"), "{}", outcome.stderr);
}

#[test]
fn functions_that_are_not_chained_are_refused() {
    let project = project(&template(""), &keys(1));
    for (functions, why) in [
        (
            "[\"Second\", \"Function\"]",
            "`Function` reads the stream `in`, which no function before it in `functions` writes to; they write to out",
        ),
        ("[\"Function\", \"Function\"]", "functions has `Function` twice"),
        ("[\"Function\", \"Third\"]", "`Third` is no resource of template.yaml"),
    ] {
        project.write("events/test/scenario.toml", &scenario(functions));
        let outcome = project.tidemill(&["replay", "test"]);
        assert_eq!(outcome.code, Some(2));
        assert!(outcome.stderr.contains(&format!("scenario.toml:2: {why}")), "{}", outcome.stderr);
    }
}
