//! `doctor --aws`, against an endpoint that answers as AWS would.

use std::net::Ipv4Addr;
use std::process::{Command, Output};
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use serde_json::{Value, json};

/// What the command did.
struct Outcome {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

const SOURCE: &str = "arn:aws:kinesis:eu-west-1:123456789012:stream/in";

/// An account with one pipeline, and a function that is none.
#[derive(Clone)]
struct Deployed {
    function: Value,
    mappings: Value,
    /// What is told of every stream and table, unless it is the status of a refusal.
    stream: Result<Value, u16>,
    table: Value,
    expires: &'static str,
    /// The action that the role may not.
    denied: &'static str,
    unreserved: u64,
}

impl Deployed {
    fn in_order() -> Self {
        let variables = json!({
            "TIDEMILL_JOURNAL_TABLE": "journal", "TIDEMILL_STREAM_OUT": "out", "TIDEMILL_QUARANTINE": "bad",
            "TIDEMILL_SOURCE": SOURCE,
        });
        let key = |name: &str, kind: &str| json!({"AttributeName": name, "KeyType": kind});
        let text = |name: &str| json!({"AttributeName": name, "AttributeType": "S"});
        Self {
            function: json!({
                "FunctionName": "flights", "Timeout": 60, "MemorySize": 512, "Role": "arn:aws:iam::123456789012:role/r",
                "FunctionArn": "arn:aws:lambda:eu-west-1:123456789012:function:flights",
                "Environment": {"Variables": variables},
            }),
            mappings: json!([{
                "EventSourceArn": SOURCE, "ParallelizationFactor": 1, "MaximumRetryAttempts": -1, "State": "Enabled",
                "MaximumRecordAgeInSeconds": -1, "TumblingWindowInSeconds": 0, "StartingPosition": "TRIM_HORIZON",
                "FunctionResponseTypes": ["ReportBatchItemFailures"], "LastProcessingResult": "OK",
            }]),
            stream: Ok(json!({"RetentionPeriodHours": 168, "OpenShardCount": 4, "MaxRecordSizeInKiB": 1024})),
            table: json!({
                "KeySchema": [key("pk", "HASH"), key("sk", "RANGE")],
                "AttributeDefinitions": [text("pk"), text("sk")],
            }),
            expires: "DISABLED",
            denied: "",
            unreserved: 1_000,
        }
    }

    fn answer(&self, path: &str, target: &str, body: &str) -> (StatusCode, String) {
        let other = json!({"FunctionName": "other", "Environment": {"Variables": {"LEVEL": "1"}}});
        let answer = match (path, target) {
            // The second page.
            ("/2015-03-31/functions/?Marker=a%2Fb", _) => json!({"Functions": [self.function]}),
            ("/2015-03-31/functions/", _) => json!({"Functions": [other], "NextMarker": "a/b"}),
            ("/2015-03-31/event-source-mappings/?FunctionName=flights", _) => {
                let queue = json!({"EventSourceArn": "arn:aws:sqs:eu-west-1:123456789012:q"});
                let mut all = self.mappings.as_array().cloned().unwrap_or_default();
                all.push(queue);
                json!({"EventSourceMappings": all})
            }
            ("/2016-08-19/account-settings/", _) => {
                json!({"AccountLimit": {"UnreservedConcurrentExecutions": self.unreserved}})
            }
            ("/2019-09-30/functions/flights/concurrency", _) => json!({}),
            (_, "Kinesis_20131202.DescribeStreamSummary") => match &self.stream {
                Ok(stream) => json!({"StreamDescriptionSummary": stream}),
                Err(status) => {
                    let status = StatusCode::from_u16(*status).expect("a status");
                    return (status, json!({"__type": "ResourceNotFoundException"}).to_string());
                }
            },
            (_, "DynamoDB_20120810.DescribeTable") => json!({"Table": self.table}),
            (_, "DynamoDB_20120810.DescribeTimeToLive") => {
                json!({"TimeToLiveDescription": {"TimeToLiveStatus": self.expires}})
            }
            _ if body.contains("Action=SimulatePrincipalPolicy") => return (StatusCode::OK, self.simulated(body)),
            _ => return (StatusCode::NOT_FOUND, format!("{path} {target}")),
        };
        (StatusCode::OK, answer.to_string())
    }

    fn simulated(&self, form: &str) -> String {
        let actions = form.split('&').filter_map(|pair| pair.strip_prefix("ActionNames.member.")?.split_once('='));
        let result = |(_, action): (&str, &str)| {
            let action = action.replace("%3A", ":");
            let decision = if action == self.denied { "implicitDeny" } else { "allowed" };
            format!("<member><EvalActionName>{action}</EvalActionName><EvalDecision>{decision}</EvalDecision></member>")
        };
        actions.map(result).collect()
    }
}

/// Answers a request that is signed for its service.
async fn answer(deployed: Arc<Deployed>, request: Request) -> (StatusCode, String) {
    let (head, body) = request.into_parts();
    let header = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
    let (signed, target) = (header("authorization"), header("x-amz-target"));
    let path = head.uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let body = axum::body::to_bytes(body, 1 << 20).await.expect("a body");
    let body = String::from_utf8_lossy(&body).into_owned();
    let service = match target.split('_').next() {
        Some("Kinesis") => "eu-west-1/kinesis",
        Some("DynamoDB") => "eu-west-1/dynamodb",
        _ if body.contains("SimulatePrincipalPolicy") => "us-east-1/iam",
        _ => "eu-west-1/lambda",
    };
    if !signed.starts_with("AWS4-HMAC-SHA256 Credential=key/") || !signed.contains(service) {
        return (StatusCode::FORBIDDEN, format!("not signed for {service}: {signed}"));
    }
    deployed.answer(&path, &target, &body)
}

/// Runs the command against such an account.
fn doctor(deployed: Deployed, arguments: &[&str]) -> Outcome {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let listener = runtime.block_on(tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let deployed = Arc::new(deployed);
    let answer = move |request: Request| answer(Arc::clone(&deployed), request);
    runtime.spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.args(["doctor", "--aws"]).args(arguments);
    command.env("AWS_ENDPOINT_URL", url).env("AWS_REGION", "eu-west-1");
    command.env("AWS_ACCESS_KEY_ID", "key").env("AWS_SECRET_ACCESS_KEY", "secret");
    command.env_remove("AWS_PROFILE").env_remove("AWS_SESSION_TOKEN");
    command
        .env("AWS_CONFIG_FILE", "/dev/null")
        .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
        .env("NO_PROXY", "127.0.0.1");
    let Output { status, stdout, stderr } = command.output().expect("cannot run the command");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Outcome { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
}

/// What is found, as `level what`.
#[track_caller]
fn found(change: impl FnOnce(&mut Deployed)) -> Vec<String> {
    let mut deployed = Deployed::in_order();
    change(&mut deployed);
    let outcome = doctor(deployed, &["--json"]);
    assert_ne!(outcome.code, Some(2), "{}", outcome.stderr);
    let found: Vec<Value> = serde_json::from_str(&outcome.stdout).expect("JSON");
    let errors = found.iter().any(|found| found["level"] == "error");
    assert_eq!(outcome.code, Some(i32::from(errors)));
    assert!(found.iter().all(|found| found["of"] == "flights" && found.get("file").is_none()), "{found:?}");
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    found.iter().map(|found| format!("{} {}", text(&found["level"]), text(&found["what"]))).collect()
}

#[test]
fn what_is_deployed_in_order_is_said_to_be() {
    let outcome = doctor(Deployed::in_order(), &[]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(0), "✓ flights: in order\n"), "{}", outcome.stderr);
    let outcome = doctor(Deployed::in_order(), &["flights"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let outcome = doctor(Deployed::in_order(), &["other"]);
    assert_eq!(outcome.code, Some(2));
    let why = "`other` is no function here with variables of tidemill's; there are flights";
    assert!(outcome.stderr.contains(why), "{}", outcome.stderr);
}

#[test]
fn an_event_source_that_loses_or_mixes_records_is_found() {
    for (name, value, expected) in [
        ("ParallelizationFactor", json!(4), "error ParallelizationFactor is 4"),
        ("MaximumRetryAttempts", json!(3), "error MaximumRetryAttempts is 3"),
        ("MaximumRecordAgeInSeconds", json!(3_600), "error MaximumRecordAgeInSeconds is 3600"),
        ("FunctionResponseTypes", json!([]), "error FunctionResponseTypes lacks ReportBatchItemFailures"),
        ("FilterCriteria", json!({"Filters": [{"Pattern": "{}"}]}), "error the event source filters records"),
        ("StartingPosition", json!("LATEST"), "warning StartingPosition is LATEST"),
        ("State", json!("Disabled"), "warning its event source is disabled"),
        (
            "LastProcessingResult",
            json!("PROBLEM: Function call failed"),
            "warning its event source says `PROBLEM: Function call failed`",
        ),
    ] {
        assert_eq!(found(|of| of.mappings[0][name] = value), [expected]);
    }
    let twice = found(|of| {
        let mut second = of.mappings[0].clone();
        second["EventSourceArn"] = json!(format!("{SOURCE}2/consumer/c:1"));
        of.mappings = json!([of.mappings[0].clone(), second]);
    });
    assert_eq!(twice, ["error 2 Kinesis event sources feed it"]);
    assert_eq!(found(|of| of.mappings = json!([])), ["error no Kinesis stream feeds it"]);
}

#[test]
fn a_function_and_its_account_are_looked_at() {
    let variable = |name: &'static str, value: &'static str| {
        found(move |of| of.function["Environment"]["Variables"][name] = json!(value))
    };
    assert_eq!(variable("TIDEMILL_STREAM_OUT", "in"), ["error TIDEMILL_STREAM_OUT is the function's own source"]);
    assert_eq!(variable("TIDEMILL_QUARANTINE", ""), ["error TIDEMILL_QUARANTINE is not set"]);
    assert_eq!(variable("TIDEMILL_ALLOW_DRAIN", "1"), ["error TIDEMILL_ALLOW_DRAIN is set"]);
    let other = format!("error TIDEMILL_SOURCE is {SOURCE}s, and {SOURCE} feeds it");
    assert_eq!(variable("TIDEMILL_SOURCE", "ins"), [other]);
    assert_eq!(found(|of| of.function["Timeout"] = json!(3)), ["error Timeout is 3 s"]);
    assert_eq!(found(|of| of.function["MemorySize"] = json!(128)), ["warning MemorySize is 128 MB"]);
    assert_eq!(
        found(|of| of.unreserved = 3),
        ["warning the account has 3 invocations at once to share, and its source has 4 shards"]
    );
    assert_eq!(
        found(|of| of.denied = "dynamodb:ConditionCheckItem"),
        ["error its role may not dynamodb:ConditionCheckItem on \
          arn:aws:dynamodb:eu-west-1:123456789012:table/journal"]
    );
}

#[test]
fn streams_and_tables_are_looked_at() {
    let streams = found(|of| of.stream = Err(400));
    assert_eq!(streams.len(), 3, "{streams:?}");
    assert!(streams.contains(&format!("error there is no stream {SOURCE}")), "{streams:?}");
    let day = found(|of| of.stream = Ok(json!({"RetentionPeriodHours": 24, "OpenShardCount": 1})));
    assert_eq!(day, [format!("warning stream {SOURCE} keeps records for a day")]);
    let large = found(|of| of.stream = Ok(json!({"RetentionPeriodHours": 168, "MaxRecordSizeInKiB": 10_240})));
    assert_eq!(large.len(), 3, "{large:?}");
    assert_eq!(found(|of| of.expires = "ENABLED"), ["error items of table journal expire by TTL"]);
    let keys = found(|of| of.table["KeySchema"] = json!([{"AttributeName": "pk", "KeyType": "HASH"}]));
    assert_eq!(keys, ["error the keys of table journal are others"]);
}
