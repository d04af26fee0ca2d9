//! `state export`, `import`, `restore` and `drop` of journals in a kept run.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::journal::{change, data, init, journal, output};
use crate::support::{Outcome, Project, SCENARIO, TEMPLATE};

const JFK: &[u8] = b"\x63JFK";

/// A kept run: `departures` on two shards, the second without records yet, and `routes`.
fn project() -> Project {
    let project = Project::new(TEMPLATE, SCENARIO);
    let changes = [change(JFK, 0, Some(b"\x05")), change(JFK, 2, Some(b"\x06"))];
    let departures = data(2, &changes, &[output("JFK", &json!({"id": "7-2-0"}))]);
    let (first, second, routes) = (journal("departures", 0), journal("departures", 1), journal("routes", 0));
    project.keep(&[
        (first.clone(), vec![init(&first), departures]),
        (second.clone(), vec![init(&second)]),
        (routes.clone(), vec![init(&routes)]),
    ]);
    project
}

/// The same, whose first shard was split.
fn split() -> Project {
    let project = Project::new(TEMPLATE, SCENARIO);
    let (parent, child) = (journal("departures", 0), journal("departures", 1));
    let seal = json!({
        "inc": 7, "ring": 4, "n": 2, "kind": "seal", "oldest": 0,
        "progress": {"watermark": 5, "highest": 7, "arrival": 120_000},
    });
    project.keep(&[(parent.clone(), vec![init(&parent), seal]), (child.clone(), vec![init(&child)])]);
    project
}

#[track_caller]
fn done(project: &Project, arguments: &[&str]) -> String {
    let outcome = project.tidemill(&[&["state"], arguments].concat());
    assert_eq!(outcome.code, Some(0), "{}\n{}", outcome.stdout, outcome.stderr);
    outcome.stdout
}

#[track_caller]
fn refused(project: &Project, arguments: &[&str], parts: &[&str]) {
    let Outcome { code, stdout, stderr } = project.tidemill(&[&["state"], arguments].concat());
    assert_eq!(code, Some(2), "{stdout}\n{stderr}");
    for part in parts {
        assert!(stderr.contains(part), "no `{part}` in:\n{stderr}");
    }
}

#[track_caller]
fn holds(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no `{part}` in:\n{text}");
    }
}

fn json_of(project: &Project, arguments: &[&str]) -> Value {
    done(project, &[&["--json"], arguments].concat()).parse().expect("JSON")
}

fn exported(project: &Project) -> PathBuf {
    done(project, &["export", "departures", "--to", "d.zst"]);
    project.folder().join("d.zst")
}

#[test]
fn an_export_tells_what_it_holds_and_does_not_overwrite() {
    let project = project();
    let told = done(&project, &["export", "departures", "--to", "d.zst"]);
    holds(
        &told,
        &[
            "shardId-000000000000  commit 2: 2 cells, 72 bytes, 1 outputs perhaps unsent",
            "shardId-000000000001  commit 1: 0 cells, 0 bytes",
            "d.zst: ",
        ],
    );
    refused(&project, &["export", "departures", "--to", "d.zst"], &["d.zst", "it is there already: give another name"]);
    refused(&project, &["export", "nothing", "--to", "e.zst"], &["no journal of pipeline `nothing`", "departures"]);
    assert!(!project.folder().join("e.zst").exists() && !project.folder().join("d.zst.partial").exists());
}

#[test]
fn an_import_is_told_first_and_brings_all_of_it_under_another_name() {
    let project = project();
    exported(&project);
    let told = done(&project, &["import", "d.zst", "--as", "departures-2", "--function", "Two"]);
    holds(
        &told,
        &[
            "state of `departures`, exported 20",
            "begins 2 shards of `departures-2`",
            "aws lambda create-event-source-mapping --function-name Two",
            "--event-source-arn arn:aws:kinesis:us-east-1:000000000000:stream/in",
            // The second shard has had no record.
            "--starting-position TRIM_HORIZON",
            "nothing was changed: --yes does it",
        ],
    );
    refused(&project, &["departures-2"], &["no journal of pipeline `departures-2`"]);
    done(&project, &["import", "d.zst", "--as", "departures-2", "--yes"]);

    let (old, new) = (json_of(&project, &["departures"]), json_of(&project, &["departures-2"]));
    for shard in 0..2 {
        let (old, new) = (&old["shards"][shard], &new["shards"][shard]);
        for field in ["position", "progress", "open_cells", "open_keys", "keys"] {
            assert_eq!(old[field], new[field], "{field}");
        }
        assert_ne!(old["incarnation"], new["incarnation"]);
        assert_eq!((&new["commit"], &new["kind"]), (&json!(1), &json!("init")));
    }
    let unsent = json_of(&project, &["departures-2", "--shard", "0", "--commit", "1"]);
    assert_eq!(unsent["outputs"][0]["data"]["id"], "7-2-0");
    refused(
        &project,
        &["import", "d.zst", "--as", "departures-2", "--yes"],
        &["has journals", "--as", "state restore"],
    );
    refused(&project, &["import", "d.zst", "--as", "a/b"], &["is no pipeline's name"]);
}

#[test]
fn a_restore_takes_the_place_of_what_is_there() {
    let project = project();
    exported(&project);
    let before = json_of(&project, &["departures"]);
    let told = done(&project, &["restore", "d.zst"]);
    holds(
        &told,
        &[
            "put-function-concurrency --function-name FUNCTION",
            "delete-event-source-mapping --uuid UUID",
            "in the place of commit 2\n",
            "a mapping's position cannot be changed, so it is made anew",
            "nothing was changed: --yes does it",
        ],
    );
    assert_eq!(json_of(&project, &["departures"]), before);
    done(&project, &["restore", "d.zst", "--yes"]);
    let after = json_of(&project, &["departures"]);
    assert_eq!((&after["shards"][0]["commit"], &after["shards"][0]["keys"]), (&json!(1), &before["shards"][0]["keys"]));
    // Again: it stands at the first record of another life now.
    holds(&done(&project, &["restore", "d.zst"]), &["in the place of commit 1 of another life"]);
    assert_eq!(json_of(&project, &["routes"])["shards"][0]["commit"], 1, "others are left alone");
}

#[test]
fn a_restore_of_an_earlier_state_says_what_is_sent_again() {
    let project = project();
    exported(&project);
    let later = journal("departures", 0);
    let records = vec![init(&later), data(2, &[], &[]), data(3, &[change(JFK, 2, None)], &[])];
    project.keep(&[(later, records)]);
    holds(
        &done(&project, &["restore", "d.zst"]),
        &["in the place of commit 3: what 1 commits sent is sent again", "where there is nothing"],
    );
}

#[test]
fn a_drop_keeps_a_copy_and_begins_empty() {
    let project = project();
    refused(&project, &["drop", "departures", "--yes"], &["--keep <FILE>"]);
    let told = done(&project, &["drop", "departures", "--keep", "d.zst"]);
    holds(&told, &["shardId-000000000000  deleted, begins empty", "nothing was changed: --yes does it"]);
    assert!(!project.folder().join("d.zst").exists());
    done(&project, &["drop", "departures", "--keep", "d.zst", "--yes"]);
    let after = json_of(&project, &["departures"]);
    for shard in 0..2 {
        let shard = &after["shards"][shard];
        assert_eq!((&shard["commit"], &shard["position"], &shard["open_cells"]), (&json!(1), &Value::Null, &json!(0)));
    }
    done(&project, &["restore", "d.zst", "--yes"]);
    assert_eq!(json_of(&project, &["departures"])["shards"][0]["open_cells"], 2);
    done(&project, &["drop", "departures", "--discard", "--yes"]);
}

#[test]
fn a_shard_that_came_of_another_begins_when_that_is_through() {
    let project = split();
    let told = done(&project, &["drop", "departures", "--keep", "d.zst", "--yes"]);
    holds(
        &told,
        &[
            "shardId-000000000000  deleted, begins empty",
            "shardId-000000000001  deleted, begins when its parents are through",
        ],
    );
    assert_eq!(json_of(&project, &["departures"])["shards"].as_array().map(Vec::len), Some(1));
    // The Seal comes back with the rest.
    done(&project, &["restore", "d.zst", "--yes"]);
    let after = json_of(&project, &["departures"]);
    let shard = |number: usize| (&after["shards"][number]["kind"], &after["shards"][number]["commit"]);
    assert_eq!((shard(0), shard(1)), ((&json!("seal"), &json!(2)), (&json!("init"), &json!(1))));
}

#[test]
fn a_shard_begun_behind_the_export_goes_with_a_restore() {
    let project = split();
    exported(&project);
    let (parent, child, late) = (journal("departures", 0), journal("departures", 1), journal("departures", 2));
    project.keep(&[
        (parent.clone(), vec![init(&parent)]),
        (child.clone(), vec![init(&child)]),
        (late.clone(), vec![init(&late)]),
    ]);
    let told = done(&project, &["restore", "d.zst", "--yes"]);
    holds(&told, &["shardId-000000000002  is not in the file: deleted"]);
    assert_eq!(json_of(&project, &["departures"])["shards"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_file_that_is_cut_short_changed_or_of_something_else_is_refused_before_anything_is_done() {
    let project = project();
    let path = exported(&project);
    let whole = std::fs::read(&path).expect("read");
    let plain = zstd::decode_all(whole.as_slice()).expect("zstd");
    let text = String::from_utf8(plain).expect("JSON Lines");
    let before = json_of(&project, &["departures"]);
    let packed = |text: &str| zstd::encode_all(text.as_bytes(), 1).expect("zstd");
    let without_a_cell: Vec<&str> = text.lines().filter(|line| !line.contains("\"cell\"")).collect();
    for (bytes, why) in [
        (whole[..whole.len() / 2].to_vec(), "Nothing was done with it"),
        (packed(&text[..text.len() - 60]), "Nothing was done with it"),
        (packed(&text.replace("\"commit\":2", "\"commit\":1")), "its checksum does not fit"),
        (packed(&without_a_cell.join("\n")), "the shard is not complete"),
        (packed(&text.replace("\"version\":1", "\"version\":9")), "it is of version 9"),
        (packed("{\"complete\":{\"shards\":0,\"crc32\":\"0\"}}\n"), "its checksum does not fit"),
        (b"no zstd".to_vec(), "d.zst"),
    ] {
        std::fs::write(&path, bytes).expect("written");
        refused(&project, &["restore", "d.zst", "--yes"], &["d.zst", why]);
        refused(&project, &["import", "d.zst", "--as", "x", "--yes"], &["d.zst", why]);
    }
    assert_eq!(json_of(&project, &["departures"]), before);
}

#[test]
fn a_sweep_tells_of_sealed_shards_and_an_export_of_a_freed_one_says_so() {
    let project = Project::new(TEMPLATE, SCENARIO);
    let begun = |shard: u32, began: &str, first: &str, last: &str| {
        let mut record = init(&journal("departures", shard));
        record["schema"]["starting_sequence"] = json!(began);
        record["schema"]["hash_range"] = json!({"first": first, "last": last});
        record
    };
    let (seal, freed) = ("2026-11-24T12:00:00.000Z", 1_795_521_600_000_i64);
    let sealed = |tick: Option<i64>| {
        let mut seal = json!({
            "inc": 7, "ring": 4, "n": 2, "kind": "seal", "oldest": 0,
            "progress": {"watermark": 5, "highest": 7, "arrival": 120_000},
        });
        if let Some(tick) = tick {
            seal["tick"] = json!(tick);
        }
        seal
    };
    let keep = |tick: Option<i64>| {
        project.keep(&[
            (journal("departures", 0), vec![begun(0, "1", "00", "99"), sealed(tick)]),
            (journal("departures", 1), vec![begun(1, "5", "00", "99")]),
        ]);
    };
    keep(None);
    let waiting = "sealed                           1 shards, since whose children have begun no day has passed";
    for arguments in [&["sweep"][..], &["sweep", "--delete"], &["sweep", "--delete"]] {
        holds(&done(&project, arguments), &[waiting]);
    }
    keep(Some(freed));
    assert!(!done(&project, &["sweep"]).contains("sealed"), "nothing is left to be freed");
    let at = |project: &Project| json_of(project, &["departures", "--shard", "0", "--commit", "2"])["freed"].clone();
    assert_eq!(at(&project), json!(seal));
    holds(&done(&project, &["departures", "--shard", "0", "--commit", "2"]), &["freed", "of all that it held"]);
    exported(&project);
    done(&project, &["restore", "d.zst", "--yes"]);
    assert_eq!(at(&project), json!(seal));
}
