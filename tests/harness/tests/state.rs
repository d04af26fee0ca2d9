//! What `state` shows of journals, and what it says where there is nothing to show.

#[path = "support/journal.rs"]
mod journal;
#[path = "state/moving.rs"]
mod moving;
mod support;

use ciborium::{Value as Cbor, cbor};
use journal::{FIVE, cell, change, data, encoded, init, journal, output};
use serde_json::{Value, json};
use support::{Outcome, Project, SCENARIO, TEMPLATE};

const JFK: &[u8] = b"\x63JFK";
const FORTY_TWO: &[u8] = b"\x18\x2a";
const JFK_TO_LAX: &[u8] = b"\x82\x63JFK\x63LAX";

/// A kept run: `departures` on two shards, `routes` on one.
fn project() -> Project {
    let project = Project::new(TEMPLATE, SCENARIO);
    let departures = data(
        2,
        &[
            // (8, -45, 39), (12, 379, 123)
            change(JFK, 0, Some(b"\x83\x08\x38\x2c\x18\x27")),
            change(JFK, 2, Some(b"\x83\x0c\x19\x01\x7b\x18\x7b")),
            change(FORTY_TWO, 1, Some(b"\x83\x01\x00\xf6")),
            change(JFK, -1, None),
        ],
        &[
            output("JFK", &json!({"specversion": "1.0", "id": "7-2-0", "data": {"flights": 5}})),
            output("LGA", &json!("\u{1b}[2J")),
        ],
    );
    let (first, second, routes) = (journal("departures", 0), journal("departures", 1), journal("routes", 0));
    let tuple = data(2, &[change(JFK_TO_LAX, 0, Some(b"\x05"))], &[]);
    project.keep(&[
        (first.clone(), vec![init(&first), departures]),
        (second.clone(), vec![init(&second)]),
        (routes.clone(), vec![init(&routes), tuple]),
    ]);
    project
}

#[track_caller]
fn shown(project: &Project, arguments: &[&str]) -> Vec<String> {
    let outcome = project.tidemill(&[&["state"], arguments].concat());
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let lines: Vec<String> = outcome.stdout.lines().map(str::to_owned).collect();
    assert!(lines.iter().all(|line| line.chars().count() <= 80), "{}", outcome.stdout);
    lines
}

#[track_caller]
fn json_of(project: &Project, arguments: &[&str]) -> Value {
    let outcome = project.tidemill(&[&["state", "--json"], arguments].concat());
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    outcome.stdout.parse().expect("no JSON")
}

#[track_caller]
fn assert_refused(outcome: &Outcome, parts: &[&str]) {
    assert_eq!(outcome.code, Some(2), "{}", outcome.stderr);
    assert_eq!(outcome.stdout, "");
    for part in parts {
        assert!(outcome.stderr.contains(part), "no `{part}` in:\n{}", outcome.stderr);
    }
}

#[test]
fn pipelines_and_shards_are_listed_with_where_they_stand() {
    assert_eq!(
        shown(&project(), &[]),
        [
            "departures  arn:aws:kinesis:us-east-1:000000000000:stream/in",
            "  shard                 commit  watermark             cells  bytes",
            "  shardId-000000000000       2  2013-01-31T17:14:00Z      3    120",
            "    data, 1 part, at 49680515409358873387554671875540874409417932758577053698/3",
            "  shardId-000000000001       1  none yet                  0      0",
            "    init, 1 part, before the first record",
            "routes  arn:aws:kinesis:us-east-1:000000000000:stream/in",
            "  shard                 commit  watermark             cells  bytes",
            "  shardId-000000000000       2  2013-01-31T17:14:00Z      1     41",
            "    data, 1 part, at 49680515409358873387554671875540874409417932758577053698/3",
        ]
    );
}

#[test]
fn a_pipeline_is_shown_with_its_keys() {
    let lines = shown(&project(), &["departures"]);
    assert_eq!(
        lines[lines.len() - 3..],
        [
            "  key  windows  first start           last end",
            "  42         1  2013-01-31T18:00:00Z  2013-01-31T19:00:00Z",
            "  JFK        2  2013-01-31T17:00:00Z  2013-01-31T20:00:00Z",
        ]
    );
}

#[test]
fn a_key_is_shown_with_its_open_windows() {
    assert_eq!(
        shown(&project(), &["departures", "--key", "JFK"]),
        [
            "JFK  2 open windows",
            "  start                 end                   acc.0  acc.1  acc.2",
            "  2013-01-31T17:00:00Z  2013-01-31T18:00:00Z      8    -45     39",
            "  2013-01-31T19:00:00Z  2013-01-31T20:00:00Z     12    379    123",
            "  shardId-000000000000 of departures: commit 2, watermark 2013-01-31T17:14:00Z",
        ]
    );
}

#[test]
fn keys_are_written_as_text_as_numbers_and_as_tuples() {
    let project = project();
    assert_eq!(shown(&project, &["departures", "--key", "42"])[0], "42  1 open window");
    for tuple in ["[\"JFK\", \"LAX\"]", "JFK/LAX"] {
        let lines = shown(&project, &["routes", "--key", tuple]);
        assert_eq!(
            lines[..2],
            ["[\"JFK\",\"LAX\"]  1 open window", "  start                 end                   acc"]
        );
    }
}

#[test]
fn a_commit_is_shown_with_its_changes_and_outputs() {
    let lines = shown(&project(), &["departures", "--shard", "0", "--commit", "2"]);
    for line in [
        "departures commit 2  shardId-000000000000",
        "  kind         data",
        "  highest      2013-01-31T23:14:00Z",
        "  arrival      2013-02-01T00:00:00Z",
        "  incarnation  0000000000000007",
        "  ring         slot 2 of 4",
        "4 changes",
        "  JFK  2013-01-31T19:00:00Z  2013-01-31T20:00:00Z     12    379    123",
        "  JFK  2013-01-31T16:00:00Z  2013-01-31T17:00:00Z                       removed",
        "2 outputs",
        "  out   JFK  {\"flights\":5}",
        "  out   LGA  \"\\u001b[2J\"",
    ] {
        assert!(lines.iter().any(|found| found == line), "no `{line}` in {lines:#?}");
    }
}

#[test]
fn json_holds_everything_in_full() {
    let project = project();
    let shards = json_of(&project, &["departures"]);
    let first = &shards["shards"][0];
    assert_eq!(first["position"]["sub_sequence_number"], 3);
    assert_eq!(first["progress"]["watermark"], "2013-01-31T17:14:00.000Z");
    assert_eq!(shards["shards"][1]["progress"]["watermark"], Value::Null);
    assert_eq!((&first["open_cells"], &first["open_keys"]), (&json!(3), &json!(2)));
    assert_eq!(first["producers"], json!([]));

    let keys = json_of(&project, &["departures", "--key", "JFK"]);
    let cell = json!({
        "kind": "window", "window_start": "2013-01-31T17:00:00.000Z", "window_end": "2013-01-31T18:00:00.000Z",
        "value": [8, -45, 39], "removed": false,
    });
    assert_eq!(keys["keys"][0]["cells"][0], cell);
    assert_eq!(keys["keys"][0]["shard"]["journal"]["pipeline"], "departures");

    let commit = json_of(&project, &["departures", "--shard", "0", "--commit", "2"]);
    assert_eq!(commit["outputs"][0]["data"]["id"], "7-2-0");
    assert_eq!(commit["changes"][3]["removed"], true);
}

/// A kept run of `alerts`, which has cells of all kinds, behind two producers.
fn alerts() -> Project {
    let project = Project::new(TEMPLATE, SCENARIO);
    let alerts = journal("alerts", 0);
    let bytes = |value: Cbor| Cbor::Bytes(encoded(&value));
    let cbor = |value: Result<Cbor, ciborium::value::Error>| value.expect("a value");
    let jfk = |slot, value| cell(JFK, &cbor(slot), Some(&cbor(value)));
    let mut changes = vec![
        jfk(cbor!({"s" => FIVE}), cbor!({"acc" => [2, 10]})),
        jfk(cbor!({"w" => [FIVE, FIVE + 7_200_000]}), cbor!({"pane" => {"i" => 1, "n" => 2}})),
        jfk(cbor!({"w" => [FIVE - 3_600_000, FIVE + 3_600_000]}), cbor!({})),
        jfk(cbor!({"v" => "count"}), cbor!({"v" => 7, "x" => FIVE})),
        jfk(cbor!({"l" => ["delays", 3]}), cbor!({"v" => 15})),
        jfk(cbor!({"m" => ["routes", bytes(cbor(cbor!(["LAX", 2])))]}), cbor!({"v" => true})),
        jfk(cbor!({"t" => FIVE}), cbor!({})),
        jfk(cbor!({"b" => [0, FIVE, 0]}), cbor!({"l" => "departed"})),
        jfk(cbor!({"b" => [1, FIVE, 0]}), cbor!({"r" => "landed"})),
        jfk(cbor!({"v" => "kept"}), cbor!({"k" => [[FIVE, 9], [FIVE, 8]]})),
        jfk(cbor!({"new" => 1}), cbor!({"of" => "tomorrow"})),
    ];
    changes.extend((0..25).map(|id| jfk(cbor!({"d" => bytes(Cbor::Integer(id.into()))}), cbor!(FIVE + id))));
    let place = |number: &str| cbor!({"sequence" => number, "sub" => 0});
    let counted = encoded(&Cbor::Text("departures/arn:aws:kinesis:r:1:stream/in/shardId-0/0a".to_owned()));
    let relayed = encoded(&Cbor::Text("relay/arn:aws:kinesis:r:1:stream/in/shardId-1".to_owned()));
    changes.extend([
        cell(&counted, &cbor(cbor!("p")), Some(&cbor(cbor!({"n" => 12, "i" => [[0, 3], [5, 5]]})))),
        cell(&relayed, &cbor(cbor!("f")), Some(&cbor(place("9")))),
        cell(&relayed, &cbor(cbor!({"o" => [cbor(place("9")), 0]})), Some(&Cbor::Null)),
        cell(&relayed, &cbor(cbor!({"o" => [cbor(place("8")), 0]})), None),
    ]);
    project.keep(&[(alerts.clone(), vec![init(&alerts), data(2, &changes, &[])])]);
    project
}

#[test]
fn each_kind_of_what_a_key_has_is_shown_by_its_name() {
    let mut lines = shown(&alerts(), &["alerts", "--key", "JFK"]);
    assert_eq!(lines[0], "JFK  2 open windows, 1 slice, 1 value, 1 list element, 1 map entry, 1 timer, 1 …");
    assert_eq!(
        lines.split_off(1),
        [
            "  start                 end                   slices",
            "  2013-01-31T16:00:00Z  2013-01-31T18:00:00Z       1",
            "  2013-01-31T17:00:00Z  2013-01-31T19:00:00Z       1",
            "    next pane 1, 2 events since the last pane",
            "  slice from            acc.0  acc.1",
            "  2013-01-31T17:00:00Z      2     10",
            "  value  expires               holds",
            "  count  2013-01-31T17:00:00Z      7",
            "  list    element  expires  holds",
            "  delays        3  never       15",
            "  map     entry      expires  holds",
            "  routes  [\"LAX\",2]  never    true",
            "  timer",
            "  2013-01-31T17:00:00Z",
            "  left                  event",
            "  2013-01-31T17:00:00Z  \"departed\"",
            "  right                 event",
            "  2013-01-31T17:00:00Z  \"landed\"",
            "  rank  time                  expires  event",
            "     1  2013-01-31T17:00:00Z  never        9",
            "     2  2013-01-31T17:00:00Z  never        8",
            "  cell       holds.of",
            "  {\"new\":1}  \"tomorrow\"",
            "  25 ids remembered, the next one until 2013-01-31T17:00:00Z: --ids lists them",
            "  shardId-000000000000 of alerts: commit 2, watermark 2013-01-31T17:14:00Z",
        ]
    );
}

#[test]
fn ids_are_listed_if_asked_for() {
    let lines = shown(&alerts(), &["alerts", "--key", "JFK", "--ids"]);
    let first = lines.iter().position(|line| line == "  id  remembered until").expect("a heading");
    assert_eq!(lines[first + 1], "  0   2013-01-31T17:00:00Z");
    assert_eq!(lines[first + 25], "  24  2013-01-31T17:00:00.024Z");
}

#[test]
fn producers_are_no_keys_and_have_a_table_of_their_own() {
    let project = alerts();
    let lines = shown(&project, &["alerts"]);
    assert!(lines[2].contains("  36  "), "{lines:#?}");
    assert!(lines[4].starts_with("  key  windows  slices  values  elements  entries  timers  left"), "{lines:#?}");
    assert_eq!(
        lines[5..],
        [
            "  JFK        2       1       1         1        1       1     1      1       2 …",
            "  producer                    taken",
            "  departures/in/shardId-0/0a  commit 12, outputs 0 to 3, 5",
            "  relay/in/shardId-1          1 output",
            "    and all before 9",
        ]
    );
    assert_refused(
        &project.tidemill(&["state", "alerts", "--key", "relay/arn:aws:kinesis:r:1:stream/in/shardId-1"]),
        &["nothing is kept for key `relay/", "there are keys JFK"],
    );
}

#[test]
fn a_commit_shows_changes_by_the_same_names() {
    let lines = shown(&alerts(), &["alerts", "--commit", "2"]);
    for line in [
        "40 changes",
        "  key  slice from            acc.0  acc.1",
        "  JFK  2013-01-31T17:00:00Z      2     10",
        "  key  map     entry      expires  holds",
        "  JFK  routes  [\"LAX\",2]  never    true",
        "  key  id  remembered until",
        "  and 5 more: --json has them all",
        "  departures/in/shardId-0/0a  commit 12, outputs 0 to 3, 5",
        "  relay/in/shardId-1          1 output, 1 forgotten",
    ] {
        assert!(lines.iter().any(|found| found == line), "no `{line}` in {lines:#?}");
    }
}

#[test]
fn json_names_each_kind() {
    let project = alerts();
    let shards = json_of(&project, &["alerts"]);
    let producers = json!([
        {
            "producer": "relay/arn:aws:kinesis:r:1:stream/in/shardId-1",
            "floor": {"sequence_number": "9", "sub_sequence_number": 0},
            "outputs": [{"sequence_number": "9", "sub_sequence_number": 0, "index": 0}],
        },
        {
            "producer": "departures/arn:aws:kinesis:r:1:stream/in/shardId-0/0a",
            "commit": 12, "output_ranges": [[0, 3], [5, 5]],
        },
    ]);
    assert_eq!(shards["shards"][0]["producers"], producers);
    let cells = shards["shards"][0]["keys"][0]["cells"].as_array().expect("cells").clone();
    assert_eq!(cells.len(), 36);
    for cell in [
        json!({"kind": "slice", "slice_start": "2013-01-31T17:00:00.000Z", "value": [2, 10], "removed": false}),
        json!({"kind": "value", "name": "count", "value": 7, "expires": "2013-01-31T17:00:00.000Z", "removed": false}),
        json!({"kind": "element", "name": "delays", "number": 3, "value": 15, "expires": null, "removed": false}),
        json!({"kind": "entry", "name": "routes", "entry": ["LAX", 2], "value": true, "expires": null, "removed": false}),
        json!({"kind": "timer", "time": "2013-01-31T17:00:00.000Z", "depth": 0, "value": null, "removed": false}),
        json!({"kind": "left", "time": "2013-01-31T17:00:00.000Z", "number": 0, "value": "departed", "removed": false}),
        json!({"kind": "id", "id": 0, "expires": "2013-01-31T17:00:00.000Z", "value": null, "removed": false}),
        json!({"kind": "other", "slot": {"new": 1}, "value": {"of": "tomorrow"}, "removed": false}),
    ] {
        assert!(cells.contains(&cell), "no {cell} in {cells:#?}");
    }
    let changes = &json_of(&project, &["alerts", "--commit", "2"])["changes"];
    let forgotten = json!({
        "key": "relay/arn:aws:kinesis:r:1:stream/in/shardId-1", "kind": "producer", "removed": true, "value": null,
        "output": {"sequence_number": "8", "sub_sequence_number": 0, "index": 0},
    });
    assert_eq!(changes[39], forgotten);
}

#[test]
fn what_is_not_there_is_answered_with_what_is() {
    let project = project();
    for (arguments, parts) in [
        (&["arrivals"][..], &["no journal of pipeline `arrivals`; there are those of departures and routes"][..]),
        (
            &["departures", "--shard", "7"],
            &["no journal of shard `7`; there are those of shardId-000000000000 and shardId-000000000001"],
        ),
        (&["departures", "--key", "LGA"], &["nothing is kept for key `LGA`: there are keys 42 and JFK"]),
        (&["departures", "--commit", "2"], &["which shard's commit?", "give --shard"]),
        (&["routes", "--commit", "9"], &["commit 9 is not in the journal", "its ring holds commits 1 to 2"]),
        (&["--table", "other"], &["Scan of table `other`", "there is no such table", "it is read from"]),
        (&["--run", "other"], &["no run of `other` is kept here (kept are runs of test)", "replay --keep"]),
        (&["--served"], &["nothing was served here yet", "cargo tidemill serve"]),
        (&["--aws"], &["--table NAME", "TIDEMILL_JOURNAL_TABLE"]),
        (&["--endpoint-url", "localhost"], &["`localhost` is no URL"]),
        (&["--key", "JFK"], &["<PIPELINE>"]),
    ] {
        assert_refused(&project.tidemill(&[&["state"], arguments].concat()), parts);
    }
}

#[test]
fn where_nothing_is_kept_it_says_how_to_keep_something() {
    let project = Project::new(TEMPLATE, SCENARIO);
    assert_refused(
        &project.tidemill(&["state"]),
        &["nothing is kept here yet", "cargo tidemill replay --keep --no-drain"],
    );
}

#[test]
fn a_table_without_journals_is_no_riddle() {
    let project = Project::new(TEMPLATE, SCENARIO);
    project.keep(&[]);
    assert_refused(&project.tidemill(&["state"]), &["table `Journal` holds no journal yet"]);
}

#[test]
fn after_the_end_of_input_it_says_why_no_window_is_open() {
    let project = Project::new(TEMPLATE, SCENARIO);
    let journal = journal("departures", 0);
    let mut drained = data(2, &[], &[]);
    drained["kind"] = json!("drain");
    drained["progress"]["watermark"] = json!(i64::MAX);
    project.keep(&[(journal.clone(), vec![init(&journal), drained])]);
    assert!(shown(&project, &[]).iter().any(|line| line.contains("end of input")));
    assert_refused(&project.tidemill(&["state", "departures", "--key", "JFK"]), &["the input has ended", "--no-drain"]);
}

#[test]
fn a_commit_that_the_ring_went_over_is_gone() {
    let project = Project::new(TEMPLATE, SCENARIO);
    let journal = journal("departures", 0);
    // Of four slots, commit 5 takes the place of the first: the part is as of 4 by then.
    let mut fifth = init(&journal);
    fifth["n"] = json!(5);
    fifth["kind"] = json!("data");
    fifth["oldest"] = json!(4);
    fifth["parts"][0]["s"] = json!(4);
    let records = (2..=4).map(|number| data(number, &[], &[]));
    project.keep(&[(journal.clone(), [init(&journal)].into_iter().chain(records).chain([fifth]).collect())]);
    assert_refused(&project.tidemill(&["state", "departures", "--commit", "1"]), &["its ring holds commits 2 to 5"]);
    assert_eq!(shown(&project, &["departures", "--commit", "5"])[0], "departures commit 5  shardId-000000000000");
}

#[test]
fn two_commits_are_compared_cell_by_cell() {
    let project = Project::new(TEMPLATE, SCENARIO);
    let journal = journal("departures", 0);
    let (jfk, lga): (&[u8], &[u8]) = (b"\x63JFK", b"\x63LGA");
    let commits = [
        data(2, &[change(jfk, 0, Some(b"\x05")), change(jfk, 1, Some(b"\x02")), change(lga, 0, Some(b"\x01"))], &[]),
        data(3, &[change(jfk, 0, Some(b"\x07")), change(lga, 0, None)], &[output("JFK", &json!({"id": "1"}))]),
    ];
    project.keep(&[(journal.clone(), [init(&journal)].into_iter().chain(commits).collect())]);
    let lines = shown(&project, &["diff", "departures", "1", "3"]);
    for line in [
        "departures commits 1 to 3  shardId-000000000000",
        "  watermark    none yet to 2013-01-31T17:14:00Z",
        "  outputs      1",
        "3 cells changed",
        "  JFK  2013-01-31T17:00:00Z  2013-01-31T18:00:00Z    7",
        "  JFK  2013-01-31T18:00:00Z  2013-01-31T19:00:00Z    2",
        "  LGA  2013-01-31T17:00:00Z  2013-01-31T18:00:00Z       removed",
    ] {
        assert!(lines.iter().any(|found| found == line), "no `{line}` in {lines:#?}");
    }
    let outcome = project.tidemill(&["state", "diff", "departures", "2", "3", "--json"]);
    let diff: Value = outcome.stdout.parse().expect("JSON");
    assert_eq!((&diff["from"]["commit"], &diff["to"]["commit"], &diff["outputs"]), (&json!(2), &json!(3), &json!(1)));
    let changes: Vec<_> =
        diff["changes"].as_array().expect("changes").iter().map(|of| (&of["key"], &of["removed"])).collect();
    assert_eq!(changes, [(&json!("JFK"), &json!(false)), (&json!("LGA"), &json!(true))]);
    let refused = |numbers: [&str; 2]| project.tidemill(&["state", "diff", "departures", numbers[0], numbers[1]]);
    assert_refused(&refused(["3", "3"]), &["commit 3 is not before commit 3"]);
    assert_refused(&refused(["2", "9"]), &["commit 4 is not in the journal", "its ring holds commits 1 to 3"]);
}

#[test]
fn an_earlier_state_is_shown_as_far_as_it_is_there() {
    let project = Project::new(TEMPLATE, SCENARIO);
    let journal = journal("departures", 0);
    let mut renewed = data(4, &[change(FORTY_TWO, 1, Some(b"\x01"))], &[]);
    // Nothing was kept when it was made, so that its part has no image.
    renewed["parts"] = json!([{"range": {"first": 0, "last": u64::MAX}, "s": 3}]);
    renewed["oldest"] = json!(3);
    renewed["schema"] = init(&journal)["schema"].clone();
    let mut last = data(5, &[change(JFK, 2, Some(b"\x02"))], &[]);
    last["oldest"] = json!(3);
    let records = [
        init(&journal),
        data(2, &[change(JFK, 0, Some(b"\x08"))], &[]),
        data(3, &[change(JFK, 0, None)], &[]),
        renewed,
        // It lies where the first one did.
        last,
    ];
    let keys = |project: &Project, at: &str| {
        let shown = json_of(project, &["departures", "--at", at])["shards"][0].clone();
        let keys = shown["keys"].as_array().expect("keys").iter().map(|key| key["key"].clone()).collect::<Vec<_>>();
        (shown["commit"].as_u64(), keys)
    };
    project.keep(&[(journal.clone(), records[..4].to_vec())]);
    assert_eq!(keys(&project, "1"), (Some(1), vec![]));
    assert_eq!(keys(&project, "2"), (Some(2), vec![json!("JFK")]));
    assert_eq!(keys(&project, "3"), (Some(3), vec![]));
    project.keep(&[(journal, records.to_vec())]);
    assert_eq!(keys(&project, "4"), (Some(4), vec![json!(42)]));
    assert_eq!(keys(&project, "5"), (Some(5), vec![json!(42), json!("JFK")]));
    let lines = shown(&project, &["departures", "--at", "4", "--key", "42"]);
    assert!(lines[lines.len() - 1].contains("commit 4"), "{lines:#?}");
    let refused = |at: &str| project.tidemill(&["state", "departures", "--at", at]);
    let gone = "as of commit 2 is not there any more: slot 1 holds record 5 and not 1";
    assert_refused(&refused("2"), &[gone, "The earliest state that is there is that of commit 4"]);
    assert_refused(&refused("1"), &["commit 1 is not in the journal", "its ring holds commits 2 to 5"]);
    assert_refused(&refused("9"), &["commit 9 is not in the journal"]);
    assert_refused(&project.tidemill(&["state", "--at", "2"]), &["<PIPELINE>"]);
}

#[test]
fn an_endpoint_that_does_not_answer_is_named_soon() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let url = format!("http://{}", free.expect("a port"));
    let outcome = Project::new(TEMPLATE, SCENARIO).tidemill(&["state", "--endpoint-url", &url]);
    assert_refused(&outcome, &["no answer", &format!("is {url} up?"), "cargo tidemill serve"]);
}

#[test]
fn a_journal_that_cannot_be_read_fails_the_command_after_the_others_were_shown() {
    let project = Project::new(TEMPLATE, SCENARIO);
    let (damaged, sound) = (journal("departures", 0), journal("departures", 1));
    let mut first = init(&damaged);
    first["kind"] = json!("data");
    project.keep(&[(damaged.clone(), vec![first]), (sound.clone(), vec![init(&sound)])]);
    let outcome = project.tidemill(&["state"]);
    assert_eq!(outcome.code, Some(2), "{}", outcome.stdout);
    assert!(outcome.stdout.contains("shardId-000000000001"), "{}", outcome.stdout);
    assert!(outcome.stderr.contains("slot 1 (record 1)") && outcome.stderr.contains("shardId-000000000000"));
}

#[test]
fn an_upgrade_is_one_commit_a_journal_and_the_state_stays() {
    let project = project();
    let before = json_of(&project, &["departures", "--key", "JFK"]);
    assert_eq!(
        shown(&project, &["upgrade"]),
        [
            "departures  shardId-000000000000  format 1 -> 2 by commit 3, with 2 unsent",
            "departures  shardId-000000000001  format 1 -> 2 by commit 2",
            "routes  shardId-000000000000  format 1 -> 2 by commit 3",
        ]
    );
    let again = shown(&project, &["upgrade", "departures"]);
    assert_eq!(again, [0, 1].map(|shard| format!("departures  shardId-{shard:012}  format 2 already")));
    let after = json_of(&project, &["departures", "--key", "JFK"]);
    let windows = |shown: &Value| shown["keys"][0]["cells"].as_array().cloned().expect("windows");
    assert_eq!(windows(&before).len(), 2);
    assert_eq!(windows(&after), windows(&before));
    let lines = shown(&project, &["departures", "--shard", "0", "--commit", "3"]);
    assert!(lines.iter().any(|line| line == "2 outputs"), "{lines:?}");
}

#[test]
fn a_sweep_tells_and_stamps_and_takes_no_short_age() {
    let project = project();
    project.strew(&journal("departures", 1), b"cells");
    let line = |what: &str, items, bytes| format!("{what:<24} {items:>9} items {bytes:>15} bytes");
    assert_eq!(
        shown(&project, &["sweep", "departures"]),
        [
            line("in use", 0, 0),
            line("too young to tell", 1, 5),
            line("without an age", 0, 0),
            line("to be deleted", 0, 0),
        ]
    );
    assert_eq!(shown(&project, &["sweep", "routes"])[1], line("too young to tell", 0, 0));
    let swept = shown(&project, &["sweep", "--delete", "--older-than", "2d"]);
    assert_eq!(
        swept[1..],
        [("too young to tell", 1, 5), ("stamped, had no age", 0, 0), ("deleted", 0, 0)].map(|(w, i, b)| line(w, i, b))
    );
    assert_refused(&project.tidemill(&["state", "sweep", "--older-than", "1h"]), &["24h is the least"]);
}
