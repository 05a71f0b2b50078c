"""A kubectl for tests: a pod is a folder, in which the real script of the backup runs. PODS names their folder.

What it was asked is in `asked`; a line `prometheus fetch` in `refuse` lets that fail. As many
queries of Prometheus fail as there are letters in `starting`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "components" / "services" / "backup.sh"


def pods() -> Path:
    """Where the pods are."""
    return Path(os.environ["PODS"])


def script(owner: str, *arguments: str) -> int:
    """The exit code of the script beside a program."""
    pod = pods() / owner
    state = pod / "data" / f"{owner}-data" / ".backup"
    state.mkdir(parents=True, exist_ok=True)
    known = {"HERE": pod / "here", "DATA": pod / "data", "STATE": state, "HOME": state, "TMPDIR": state / "tmp"}
    variables = {**os.environ, **{name: str(path) for name, path in known.items()}}
    inside, outside = "/data/", f"{pod}/data/"
    words = [outside + word.removeprefix(inside) if word.startswith(inside) else word for word in arguments]
    done = subprocess.run(
        ["sh", str(SCRIPT), *words], env=variables, stdout=subprocess.PIPE, text=True, timeout=120, check=False
    )
    sys.stdout.write(done.stdout.replace(outside, inside))
    return done.returncode


def execute(owner: str, program: str, *rest: str) -> int:
    """A command in a container."""
    if program == "promtool":
        starting = pods() / "starting"
        if starting.exists() and (left := starting.read_text()):
            starting.write_text(left[1:])
            print("query error: 503\ncommand terminated with exit code 1", file=sys.stderr)
            return 1
        print(json.dumps([{"metric": {}, "value": [0, "7"]}]))
    elif program == "amtool":
        print("[]")
    else:
        _, *arguments = rest
        refused = pods() / "refuse"
        if refused.exists() and f"{owner} {arguments[0]}" in refused.read_text().splitlines():
            print("error: the disk is gone\ncommand terminated with exit code 1", file=sys.stderr)
            return 1
        if code := script(owner, *arguments):
            print(f"command terminated with exit code {code}", file=sys.stderr)
            return code
    return 0


def main(words: list[str]) -> int:
    """What kubectl would do."""
    with (pods() / "asked").open("a") as asked:
        asked.write(" ".join(words) + "\n")
    own = words[: words.index("--")] if "--" in words else words
    owners = [word.removesuffix("-0") for word in own if word.endswith("-0")]
    command = next(word for word in words if not word.startswith("--"))
    if command == "exec":
        return execute(owners[0], *words[len(own) + 1 :])
    if command == "get":
        uid = (pods() / owners[0] / "uid").read_text()
        ready = [{"type": "Ready", "status": "True"}]
        print(json.dumps({"metadata": {"uid": uid}, "status": {"conditions": ready}}))
        return 0
    assert command == "delete"
    for owner in owners:  # in the new pod the init container runs first
        uid_file = pods() / owner / "uid"
        uid_file.write_text(f"{uid_file.read_text()}+")
        assert script(owner, "take", f"{owner}-data") == 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
