"""The most memory that a process has had."""

from __future__ import annotations

import resource
import sys
from pathlib import Path


def peak_mebibytes() -> float:
    """Of this process: on Linux without what its parent had before the start, which getrusage includes."""
    try:
        status = Path("/proc/self/status").read_text()
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        unit = 2**20 if sys.platform == "darwin" else 2**10
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
