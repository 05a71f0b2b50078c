"""Finds promtool, the program that decides whether rules and queries are right."""

import os
import shutil
import subprocess
from pathlib import Path


def promtool() -> str:
    """Return the program: $PROMTOOL, else the newest that this project prepared, else the one on PATH."""
    if given := os.environ.get("PROMTOOL"):
        return given
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "observatory" / "programs" / "prometheus"
    prepared = sorted(cache.glob("[0-9]*/bin/promtool"), key=lambda path: path.stat().st_mtime)
    found = str(prepared[-1]) if prepared else shutil.which("promtool")
    if found is None:
        # A skipped test would look like a passed one, and these are the only proof that an alert fires.
        raise AssertionError("promtool is needed: `make ready` prepares it, or set PROMTOOL to its path")
    return found


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run promtool and return what it said; the caller judges the exit code."""
    return subprocess.run(  # noqa: PLW1510  the exit code is the result
        [promtool(), *map(str, arguments)], capture_output=True, text=True, timeout=900
    )
