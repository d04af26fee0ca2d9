#!/usr/bin/env python3
"""Builds what a deploy to AWS carries, starts it, and holds it to its bounds.

    artifact.py [FUNCTION]

By the real `sam validate --lint` and `sam build`, which has cargo lambda build each function for arm64 in the release
profile (all of them, or the one named by its logical id). Each must be an arm64 program for the C library that
`provided.al2023` has, and at most 6 MB zipped. `departures` must then read January's flights as Flink does, in full
batches of 6 MB: on another machine than arm64 by qemu, which tells nothing of time, and whose own memory is in what is
said of memory. Time and memory are measured on a program of this machine: `departures` as `cargo build --release` makes
it, with the same batches, is ready within 25 ms and holds at most 64 MB.

Installs what it needs into target/deploy-tools, pinned; qemu and a C library for arm64 by apt, if they are missing.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from tools import ROOT, fail, say, target, tool

MEGABYTE = 1_000_000
ZIPPED_AT_MOST = 6 * MEGABYTE
READY_WITHIN_MS = 25
MEMORY_AT_MOST_MB = 64
# Of Amazon Linux 2023: https://docs.aws.amazon.com/linux/al2023/release-notes/vercmp-AL2-AL2023.5.html
GLIBC = (2, 34)
# e_machine of an ELF file.
AARCH64 = 183
# Starts on a machine that does other things too: the fastest of so many counts.
STARTS = 20
# Batches that nothing but 6 MB bounds.
FULL = ["--batch-size", "10000"]
QEMU, SYSROOT = "qemu-aarch64-static", Path("/usr/aarch64-linux-gnu")
PACKAGES = ["qemu-user-static", "libc6-arm64-cross", "libgcc-s1-arm64-cross"]


def sam_build(functions, folder):
    """The bootstraps of functions by their logical ids."""
    if shutil.which("rustup"):
        subprocess.run(["rustup", "--quiet", "target", "add", "aarch64-unknown-linux-gnu"], cwd=ROOT, check=True)
    path = os.pathsep.join([str(tool("cargo-lambda")), str(tool("sam")), os.environ["PATH"]])
    environment = os.environ | {"PATH": path, "AWS_DEFAULT_REGION": "us-east-1", "SAM_CLI_TELEMETRY": "0"}
    subprocess.run(["sam", "validate", "--lint"], cwd=ROOT, env=environment, check=True)
    say("builds")
    command = ["sam", "build", *functions, "--build-dir", folder / "build", "--cache-dir", folder / "cache"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
    say("built")
    return {bootstrap.parent.name: bootstrap for bootstrap in sorted((folder / "build").glob("*/bootstrap"))}


def zipped(function, bootstrap):
    """Its size as SAM zips it; it must be what the template promises to Lambda."""
    content = bootstrap.read_bytes()
    if content[:4] != b"\x7fELF" or int.from_bytes(content[18:20], "little") != AARCH64:
        fail(f"{function} is no program for arm64")
    needed = max(tuple(map(int, version.split(b"."))) for version in re.findall(rb"GLIBC_(2\.\d+)", content))
    if needed > GLIBC:
        fail(f"{function} needs glibc {needed[0]}.{needed[1]}, and AL2023 has {GLIBC[0]}.{GLIBC[1]}")
    archive = bootstrap.with_suffix(".zip")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as out:
        out.write(bootstrap, "bootstrap")
    size = archive.stat().st_size
    say(f"{function}: {size / MEGABYTE:.2f} MB zipped, of {len(content) / MEGABYTE:.1f} MB; glibc {needed[0]}.{needed[1]}")
    if size > ZIPPED_AT_MOST:
        fail(f"{function} is more than {ZIPPED_AT_MOST / MEGABYTE} MB zipped")


def replay(executable, *arguments):
    """What a replay of January's flights by an executable found; its results must be Flink's, unless told otherwise."""
    harness = ["cargo", "run", "--quiet", "--locked", "--bin", "tidemill", "--", "replay", "departures", "--json"]
    done = subprocess.run([*harness, "--artifact", executable, *arguments], cwd=ROOT, stdout=subprocess.PIPE)
    if done.returncode != 0:
        fail(f"the replay of {executable} ended with {done.returncode}")
    return json.loads(done.stdout)


def is_arm():
    return os.uname().machine == "aarch64"


def started(bootstrap):
    """An executable that is the bootstrap on this machine."""
    if is_arm():
        return bootstrap
    if not shutil.which(QEMU) or not (SYSROOT / "lib/libgcc_s.so.1").exists():
        say(f"installs {', '.join(PACKAGES)}")
        as_root = [] if os.getuid() == 0 else ["sudo"]
        subprocess.run([*as_root, "apt-get", "-qq", "update"], check=True)
        install = ["apt-get", "-qq", "install", "--yes", "--no-install-recommends", *PACKAGES]
        subprocess.run([*as_root, *install], check=True, stdout=subprocess.DEVNULL)
    script = bootstrap.with_name("by-qemu")
    script.write_text(f"#!/bin/sh\nexec {QEMU} -L {SYSROOT} {bootstrap}\n")
    script.chmod(0o755)
    return script


def native():
    subprocess.run(["cargo", "build", "--locked", "--release", "--bin", "departures"], cwd=ROOT, check=True)
    return target() / "release/departures"


def measure(executable):
    full = replay(executable, *FULL)["functions"][0]
    batches = f"{full['records']:,} flights in {full['batches']} batches"
    memory = full["peak_memory_mb"]
    starts = [replay(executable, "--limit", "10", "--expect", "none")["functions"][0] for _ in range(STARTS)]
    ready = sorted(start["longest_init_ms"] for start in starts)
    beginning = f"ready in {ready[0]} ms, {ready[STARTS // 2]} ms the median"
    say(f"on {os.uname().machine}: {beginning}; {batches}, {memory} MB at most")
    if ready[0] > READY_WITHIN_MS:
        fail(f"of {STARTS} starts none was ready within {READY_WITHIN_MS} ms")
    if memory > MEMORY_AT_MOST_MB:
        fail(f"it held more than {MEMORY_AT_MOST_MB} MB")


def main(functions):
    folder = target() / "artifact-test"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    bootstraps = sam_build(functions, folder)
    for function, bootstrap in bootstraps.items():
        zipped(function, bootstrap)
    departures = bootstraps.get("DeparturesFunction")
    if departures:
        found = replay(started(departures), *FULL)
        of, memory = "" if is_arm() else ", by qemu", found["functions"][0]["peak_memory_mb"]
        say(f"arm64{of}: {found['records']:,} flights, {found['results']:,} results as Flink's, {memory} MB at most")
        measure(departures if is_arm() else native())
    say("passed")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
