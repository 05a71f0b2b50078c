"""The script of the backup, run on folders of a test by the real restic."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from operations.programs import find

SCRIPT = Path(__file__).resolve().parents[2] / "components" / "services" / "backup.sh"


def ready(folder: Path, volume: str, state: Path) -> dict[str, str]:
    """The environment of the script, with one volume and a repository in `folder`."""
    restic = find("restic")
    if restic is None:
        pytest.skip("restic is not here; `python3 -m toolchain ready --for e2e` gets it")
    for each in (folder / "here" / "secrets", folder / "data" / volume, state):
        each.mkdir(parents=True, exist_ok=True)
    (folder / "here" / "secrets" / "password").write_text("of the test\n")
    (folder / "here" / "stack.json").write_text("{}\n")
    (folder / "here" / "settings").write_text(
        f"ENVIRONMENT=test\nBACKUP=stack\nRESTIC_REPOSITORY={folder}/repository\nAWS_DEFAULT_REGION=''\n"
        f"BUCKET_LOOKUP=auto\nPERIOD=86400\nOFFSET=0\nKEEP='--keep-daily 7'\nVOLUMES={volume}\n"
    )
    return {
        "PATH": f"{restic.parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "HERE": str(folder / "here"),
        "STATE": str(state),
        "FAILED": str(folder / "failed"),
        "DATA": str(folder / "data"),
        "TMPDIR": str(state / "tmp"),
    }


def start(environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    """Begin a run of the script, as its image does."""
    pipe = subprocess.PIPE
    return subprocess.Popen(["sh", str(SCRIPT), *arguments], env=environment, stdout=pipe, stderr=pipe, text=True)


def run(environment: dict[str, str], *arguments: str) -> tuple[int, str, str]:
    """Run the script to its end: exit code, answer, what it tells people."""
    with start(environment, *arguments) as process:
        output, errors = process.communicate(timeout=900)
        return process.returncode, output, errors


def script(environment: dict[str, str], *arguments: str) -> str:
    """Run the script to its success; what it answers."""
    code, output, errors = run(environment, *arguments)
    assert code == 0, errors
    return output
