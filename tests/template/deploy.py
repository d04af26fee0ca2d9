#!/usr/bin/env python3
"""Deploys template.yaml without an account, and sends flights through it: by the real `sam deploy`, into ministack.

    deploy.py [--keep]

Installs both programs into target/deploy-tools, pinned; builds the functions as `cargo build` does, for the machine's own
architecture. Each resource must come up, the function `departures` must be started by its event source with the
variables that the template gives it, and its results and quarantined records must lie where the outputs of the stack
say. Then `sam delete`: what is to outlive the stack does.

What this does not show: ministack's event source knows no partial failures, bisecting or splits (`cargo tidemill replay`
has them), asks for no permission (`tests/permissions.rs` compares the roles), and knows no alarms over queries: these are
left out. The functions are those of this machine's architecture: `artifact.py` builds the ones for AWS.

Everything listens on loopback alone and is ended here. `--keep` leaves the folder with template and logs.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tools import ROOT, fail, say, target, tool

STACK = "tidemill-deploy-test"
FLIGHTS = 1500
# The pipelines that read flights.
READERS = ["alerts", "by-tail", "departures", "routes"]
# For all of it but the build, seconds.
AT_MOST = 420
# A stack is up in seconds; a start of a function, and its polling event source, take some more.
PATIENCE = 120


def build(template, folder):
    """The template with the code of each function beside it, as `sam build` leaves it, but in the dev profile."""
    functions = [of for of in template["Resources"].values() if of["Type"] == "AWS::Serverless::Function"]
    binaries = [function["Metadata"]["BuildProperties"]["Binary"] for function in functions]
    chosen = [argument for binary in binaries for argument in ("--bin", binary)]
    subprocess.run(["cargo", "build", "--locked", *chosen], cwd=ROOT, check=True)
    for function, binary in zip(functions, binaries):
        code = folder / binary
        code.mkdir()
        shutil.copy(target() / "debug" / binary, code / "bootstrap")
        subprocess.run(["strip", code / "bootstrap"], check=False)
        function["Properties"]["CodeUri"] = binary
    # ministack takes alarms of one metric only; `lint.py` holds the others to CloudFormation's schema.
    queries = [name for name, of in template["Resources"].items() if "Metrics" in of.get("Properties", {})]
    for name in queries:
        del template["Resources"][name]
    say(f"leaves out {len(queries)} alarms over queries: ministack knows none")
    shared = template["Globals"]["Function"]
    shared.pop("CodeUri")
    shared["Architectures"] = ["arm64" if os.uname().machine == "aarch64" else "x86_64"]
    (folder / "template.json").write_text(json.dumps(template))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Account:
    """ministack, in a process group of its own, so that the functions which it starts end with it."""

    def __init__(self, folder):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        own = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        self.environment = own | {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
            "SAM_CLI_TELEMETRY": "0",
            "NO_PROXY": "127.0.0.1,localhost",
        }
        bind = {
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "GATEWAY_PORT": str(port),
            "LAMBDA_EXECUTOR": "local",
            "S3_DATA_DIR": str(folder / "s3"),
            "TMPDIR": str(folder),
        }
        self.log = open(folder / "ministack.log", "w")
        self.process = subprocess.Popen(
            [tool("ministack") / "ministack"],
            env=self.environment | bind,
            cwd=folder,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def wait(self):
        until = time.monotonic() + 60
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        while time.monotonic() < until:
            if self.process.poll() is not None:
                fail(f"ministack ended: see {self.log.name}")
            try:
                return opener.open(f"{self.url}/_ministack/health", timeout=2).read()
            except OSError:
                time.sleep(0.2)
        fail(f"ministack does not answer: see {self.log.name}")

    def end(self):
        for ending in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, ending)
                self.process.wait(10)
            except (ProcessLookupError, subprocess.TimeoutExpired):
                pass
        self.log.close()


def sam(account, folder, *arguments):
    log = folder / f"sam-{arguments[0]}.log"
    with open(log, "w") as out:
        command = [tool("sam") / "sam", *arguments, "--stack-name", STACK, "--region", "us-east-1"]
        done = subprocess.run(
            command, env=account.environment, cwd=folder, stdout=out, stderr=subprocess.STDOUT, timeout=AT_MOST
        )
    if done.returncode != 0:
        print("".join(log.read_text().splitlines(keepends=True)[-20:]))
        fail(f"sam {arguments[0]} ended with {done.returncode}: see {log}")


def client(account, service):
    import boto3

    return boto3.client(
        service,
        endpoint_url=account.url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )


def lines(name):
    return [json.loads(line) for line in (ROOT / "events/departures" / name).read_text().splitlines()]


def put(kinesis, stream):
    """The first flights of January, and behind them a record that no flight is. Returns the watermark."""
    flights = lines("input.jsonl")[:FLIGHTS]
    records = [{"Data": json.dumps(flight), "PartitionKey": flight["origin"]} for flight in flights]
    records.append({"Data": "no flight", "PartitionKey": "JFK"})
    for first in range(0, len(records), 500):
        answer = kinesis.put_records(StreamName=stream, Records=records[first : first + 500])
        if answer["FailedRecordCount"]:
            fail(f"{answer['FailedRecordCount']} records were not taken")
    return max(flight["departed_at"] for flight in flights) - 6 * 3600 * 1000


def read(kinesis, stream):
    """What lies in a stream, from its beginning, once each."""
    events = {}
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        start = {"StreamName": stream, "ShardId": shard["ShardId"], "ShardIteratorType": "TRIM_HORIZON"}
        iterator = kinesis.get_shard_iterator(**start)["ShardIterator"]
        while iterator:
            answer = kinesis.get_records(ShardIterator=iterator)
            for record in answer["Records"]:
                event = json.loads(record["Data"])
                events[event["source"], event["id"]] = event
            iterator = answer.get("NextShardIterator") if answer["Records"] else None
    return list(events.values())


def await_events(kinesis, stream, count, what):
    until = time.monotonic() + PATIENCE
    while True:
        events = read(kinesis, stream)
        if len(events) >= count:
            return events
        if time.monotonic() > until:
            fail(f"{what}: {len(events)} of {count} came within {PATIENCE} s; ministack.log has the function's log")
        time.sleep(0.5)


def same(what, there, expected):
    def sorted_lines(events):
        return sorted(json.dumps(event, sort_keys=True) for event in events)

    if sorted_lines(there) != sorted_lines(expected):
        fail(f"{what} differ: {len(there)} came, {len(expected)} are expected")
    say(f"{len(there)} {what}, as Flink has them")


def run(folder):
    from samcli.yamlhelper import yaml_parse

    build(json.loads(json.dumps(yaml_parse((ROOT / "template.yaml").read_text()))), folder)
    say("built")
    signal.alarm(AT_MOST)
    account = Account(folder)
    try:
        account.wait()
        say("ministack is up")
        sam(account, folder, "deploy", "--template-file", "template.json", "--resolve-s3", "--capabilities",
            "CAPABILITY_IAM", "--no-confirm-changeset", "--no-progressbar")  # fmt: skip
        outputs = check(account)
        sam(account, folder, "delete", "--no-prompts")
        check_left(account, outputs)
    finally:
        account.end()
    say("ended")


def check(account):
    cloudformation, kinesis = client(account, "cloudformation"), client(account, "kinesis")
    stack = cloudformation.describe_stacks(StackName=STACK)["Stacks"][0]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    resources = cloudformation.describe_stack_resources(StackName=STACK)["StackResources"]
    say(f"deployed {len(resources)} resources: {stack['StackStatus']}")
    watermark = put(kinesis, outputs["FlightsStream"])
    expected = [result for result in lines("expected.jsonl") if result["window_end"] <= watermark]
    if not expected:
        fail("the flights close no window")
    results = await_events(kinesis, outputs["DeparturesStream"], len(expected), "results")
    same("results", [result["data"] for result in results], expected)
    refused = await_events(kinesis, outputs["QuarantineStream"], len(READERS), "quarantined records")
    reasons = {entry["source"].split("/")[2]: entry["data"]["reason"] for entry in refused}
    if reasons != dict.fromkeys(READERS, "undecodable"):
        fail(f"quarantined are {reasons}")
    say(f"what is no flight was quarantined once by each of {', '.join(READERS)}")
    return outputs


def check_left(account, outputs):
    kinesis, dynamodb = client(account, "kinesis"), client(account, "dynamodb")
    if outputs["JournalTable"] not in dynamodb.list_tables()["TableNames"]:
        fail("the journal went with the stack")
    left = kinesis.list_streams()["StreamNames"]
    if left != [outputs["QuarantineStream"]]:
        fail(f"of the streams are left {left}")
    say("deleted; the journal and the quarantine outlive the stack, and nothing else")


def main(arguments):
    """Runs itself again with sam's own Python, which has the libraries."""
    python = tool("sam") / "python"
    if Path(sys.prefix) != python.parent.parent:
        return subprocess.run([python, __file__, *arguments]).returncode
    folder = target() / "deploy-test"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    run(folder)
    if "--keep" not in arguments:
        shutil.rmtree(folder)
    say("passed")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
