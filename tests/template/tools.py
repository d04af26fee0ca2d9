"""The programs that the checks of the template run, and what they say."""

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PINNED = {
    "cargo-lambda": ["cargo-lambda==1.9.2", "ziglang==0.17.1"],
    "ministack": ["ministack[full]==1.5.33"],
    "sam": ["aws-sam-cli==1.170.0"],
}
BEGAN = time.monotonic()


def say(text):
    print(f"[{time.monotonic() - BEGAN:5.1f} s] {text}", flush=True)


def fail(text):
    raise SystemExit(f"{Path(sys.argv[0]).name}: {text}")


def target():
    """Where cargo builds, as it says itself."""
    command = ["cargo", "metadata", "--offline", "--no-deps", "--format-version", "1"]
    return Path(json.loads(subprocess.check_output(command, cwd=ROOT))["target_directory"])


def tool(name):
    """The folder of programs of a tool, which is installed if need be: one each, since what they pin differs."""
    home = target() / "deploy-tools" / name
    stamp = home / "installed"
    if not stamp.exists() or stamp.read_text() != str(PINNED[name]):
        say(f"installs {PINNED[name][0]}")
        shutil.rmtree(home, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        pip = [home / "bin/pip", "install", "--quiet", "--disable-pip-version-check", *PINNED[name]]
        subprocess.run(pip, check=True)
        stamp.write_text(str(PINNED[name]))
    return home / "bin"
