#!/usr/bin/env python3
"""Draws docs/growth.svg: cost by records, beside a million idle keys and without.

  pip install matplotlib==3.11.2
  cargo build --release --bin tidemill-bench
  python3 tests/bench/plot.py docs/growth.svg
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

BENCH = Path(os.environ.get("CARGO_TARGET_DIR", "target")) / "release" / "tidemill-bench"
IDLE = [0, 1_000_000]
STYLES = [{"color": "#0b6e99", "linewidth": 4, "alpha": 0.5}, {"color": "#b3450c", "linewidth": 1.5, "marker": "o"}]


def points(idle):
    command = [BENCH, "growth", "--idle", str(idle)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return [{"events": 0, "cpu_seconds": 0, "write_units": 0}, *map(json.loads, lines)]


def main():
    figure, (units, seconds) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    for idle, style in zip(IDLE, STYLES):
        curve = points(idle)
        events = [point["events"] / 1e6 for point in curve]
        label = f"{idle:,} idle keys"
        units.plot(events, [point["write_units"] for point in curve], label=label, **style)
        seconds.plot(events, [point["cpu_seconds"] for point in curve], label=label, **style)
    units.set_ylabel("write units of DynamoDB")
    seconds.set_ylabel("CPU-seconds")
    for axes in (units, seconds):
        axes.set_xlabel("million events")
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(frameon=False)
    figure.savefig(sys.argv[1], metadata={"Date": None})


if __name__ == "__main__":
    main()
