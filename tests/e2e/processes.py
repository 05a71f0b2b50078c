"""Programs that tests run on this machine, ended."""

from __future__ import annotations

import subprocess


def end(process: subprocess.Popen[bytes], seconds: float = 20) -> None:
    """Ask a program to end; by force when it takes too long, so that what the test has found is what is told."""
    process.terminate()
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
