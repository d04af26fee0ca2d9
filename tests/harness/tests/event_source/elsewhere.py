#!/usr/bin/env python3
"""Asks another endpoint, an emulator or AWS, what `observable.json` asks of the harness.

    AWS_ENDPOINT_URL=http://127.0.0.1:4566 ./elsewhere.py [--quiet SECONDS] [ROW ...]

Without AWS_ENDPOINT_URL it is AWS that is asked, with the usual credentials, which costs a few cents: each row makes a
stream of one shard, a function and a mapping, and deletes them. ROLE_ARN is the role of the functions; on AWS it needs
AWSLambdaKinesisExecutionRole and kinesis:PutRecord. The functions tell what they see on a stream of their own.
Needs boto3. Exits with 1 if any row differs.
"""

import argparse
import io
import json
import os
import sys
import time
import uuid
import zipfile

import boto3

FUNCTION = '''
import base64, json, os
import boto3

CASE = json.loads(os.environ["CASE"])
kinesis = boto3.client("kinesis", endpoint_url=os.environ.get("TRACE_ENDPOINT") or None)
first = True

def handler(event, context):
    global first
    records = [(base64.b64decode(r["kinesis"]["data"]).decode(), r["kinesis"]["sequenceNumber"]) for r in event["Records"]]
    batch = " ".join(data for data, _ in records)
    kinesis.put_record(StreamName=os.environ["TRACE"], PartitionKey="trace", Data=batch.encode())
    if first and "first_answer" in CASE:
        first = False
        return CASE["first_answer"]
    bad = [sequence for data, sequence in records if data in CASE.get("cannot", [])]
    if not bad:
        return {"batchItemFailures": []}
    if CASE["by"] == "report":
        return {"batchItemFailures": [{"itemIdentifier": sequence} for sequence in bad]}
    raise RuntimeError("as told")
'''


def package():
    """The function as a zip file."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        entry = zipfile.ZipInfo("function.py")
        entry.external_attr = 0o644 << 16
        archive.writestr(entry, FUNCTION)
    return out.getvalue()


def stream(kinesis, name):
    """Creates a stream of one shard and returns its ARN."""
    kinesis.create_stream(StreamName=name, ShardCount=1)
    kinesis.get_waiter("stream_exists").wait(StreamName=name, WaiterConfig={"Delay": 1})
    return kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamARN"]


def put_in_order(kinesis, name, records):
    """Puts records one by one: PutRecords promises no order."""
    last = {}
    for data in records:
        put = kinesis.put_record(StreamName=name, PartitionKey="k", Data=data.encode(), **last)
        last = {"SequenceNumberForOrdering": put["SequenceNumber"]}


def watch(kinesis, name, expected, quiet):
    """Reads what the function saw, until nothing came for `quiet` seconds behind what is expected, or far too much."""
    shard = kinesis.list_shards(StreamName=name)["Shards"][0]["ShardId"]
    iterator = kinesis.get_shard_iterator(StreamName=name, ShardId=shard, ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
    seen, last = [], time.monotonic()
    while len(seen) < 2 * len(expected) + 3 and time.monotonic() - last < (quiet if len(seen) >= len(expected) else 6 * quiet):
        answer = kinesis.get_records(ShardIterator=iterator)
        iterator = answer["NextShardIterator"]
        if answer["Records"]:
            seen += [record["Data"].decode() for record in answer["Records"]]
            last = time.monotonic()
        time.sleep(1)
    return seen


def run(case, clients, role, quiet):
    """Runs one row and returns the batches that the function saw."""
    kinesis, function = clients
    name = f"event-source-{uuid.uuid4().hex[:8]}"
    trace = f"{name}-trace"
    undo = []
    try:
        arn = stream(kinesis, name)
        undo.append(lambda: kinesis.delete_stream(StreamName=name))
        stream(kinesis, trace)
        undo.append(lambda: kinesis.delete_stream(StreamName=trace))
        put_in_order(kinesis, name, case["records"])
        function.create_function(
            FunctionName=name, Runtime="python3.12", Handler="function.handler", Role=role, Timeout=30,
            Code={"ZipFile": package()},
            Environment={"Variables": {
                "CASE": json.dumps(case), "TRACE": trace, "TRACE_ENDPOINT": os.environ.get("AWS_ENDPOINT_URL", ""),
            }},
        )
        undo.append(lambda: function.delete_function(FunctionName=name))
        function.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        mapping = function.create_event_source_mapping(
            EventSourceArn=arn, FunctionName=name, StartingPosition="TRIM_HORIZON", **case["mapping"])
        undo.append(lambda: function.delete_event_source_mapping(UUID=mapping["UUID"]))
        return watch(kinesis, trace, case["batches"], quiet)
    finally:
        for step in reversed(undo):
            step()


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("rows", nargs="*", metavar="ROW")
    arguments.add_argument("--quiet", type=float, default=20, help="seconds without an invocation that end a row")
    given = arguments.parse_args()
    with open(os.path.join(os.path.dirname(__file__), "observable.json"), encoding="utf-8") as file:
        cases = json.load(file)
    role = os.environ.get("ROLE_ARN", "arn:aws:iam::000000000000:role/event-source")
    clients = (boto3.client("kinesis"), boto3.client("lambda"))
    differ = 0
    for case in cases:
        if given.rows and case["row"] not in given.rows:
            continue
        seen = run(case, clients, role, given.quiet)
        holds = seen == case["batches"]
        differ += not holds
        print(f"{'holds  ' if holds else 'differs'} {case['row']}" + ("" if holds else f": saw {seen}, expected {case['batches']}"), flush=True)
    sys.exit(1 if differ else 0)


if __name__ == "__main__":
    main()
