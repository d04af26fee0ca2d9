#!/usr/bin/env python3
"""Measures tidemill and Apache Flink side by side: the same file, this machine, one after the other by turns.

  cargo build --release --bin nexgen --bin tidemill-bench
  python3 tests/bench/flink.py FOLDER [--queries w1,w2,w3] [--events 1000000] [--runs 5]

FOLDER holds `run.sh`, which runs Flink: `./run.sh Oracle perf <input.jsonl> blackhole <query>` with REPS in its
environment, and prints a line of JSON for each run with `job_cpu_ms`, the CPU time of the whole process meanwhile. The
first four runs warm the JVM up and do not count. Flink reads the lines from the file; tidemill gets them as Lambda sends
them, in base64 within the event's envelope, 500 an invocation. While one is measured, the other stands still.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
from pathlib import Path

WARM_UP = 4


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--queries", default="w1,w2,w3")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--release", type=Path, default=Path(os.environ.get("CARGO_TARGET_DIR", "target")) / "release")
    arguments = parser.parse_args()
    events = arguments.release / f"nexmark-{arguments.events}.jsonl"
    if not events.exists():
        subprocess.run([arguments.release / "nexgen", str(arguments.events), "--output", events], check=True)
    print(f"{arguments.events} events; events a CPU-second, median (least to most) of {arguments.runs} runs by turns")
    print(f"{'':6}{'tidemill':>34}{'Flink, warm':>34}{'ratio':>24}")
    for query in arguments.queries.split(","):
        print(row(query, measure(query, events.resolve(), arguments)), flush=True)


def measure(query, events, arguments):
    """Pairs of events a CPU-second: tidemill's, Flink's."""
    command = ["./run.sh", "Oracle", "perf", str(events), "blackhole", query]
    environment = os.environ | {"REPS": str(WARM_UP + arguments.runs)}
    flink = subprocess.Popen(command, cwd=arguments.folder, env=environment, stdout=subprocess.PIPE, text=True)
    pairs = []
    try:
        for line in flink.stdout:
            run = json.loads(line) if line.startswith("{") else {"rep": 0}
            if run["rep"] > WARM_UP:
                flink.send_signal(signal.SIGSTOP)
                ours = tidemill(query, events, arguments)
                flink.send_signal(signal.SIGCONT)
                pairs.append((ours, arguments.events / run["job_cpu_ms"] * 1_000))
        flink.wait()
    finally:
        flink.kill()
    if len(pairs) != arguments.runs:
        sys.exit(f"Flink gave {len(pairs)} runs of {query} in place of {arguments.runs}: see its output above")
    return pairs


def tidemill(query, events, arguments):
    bench = [arguments.release / "tidemill-bench", "run", query, "whole", "--input", events, "--events", str(arguments.events)]
    done = subprocess.run(bench, check=True, stdout=subprocess.PIPE)
    return json.loads(done.stdout)["events_per_cpu_second"]


def row(query, pairs):
    ours, theirs = zip(*pairs)
    ratios = [one / other for one, other in pairs]
    spread = lambda values, form: f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"
    return f"{query:6}{spread(ours, ',.0f'):>34}{spread(theirs, ',.0f'):>34}{spread(ratios, '.1f'):>24}"


main()
