"""What ends a process lets it clean up; what is ignored from the start, as by nohup, stays ignored."""

import os
import pty
import signal
import subprocess
import sys

import pytest

from toolchain.machine import ROOT

# Gets the signal, and once more while it cleans up where that is a closed terminal's: the shell and the kernel send it.
PROGRAM = """
import os, signal, sys, time
from toolchain.interrupts import on_interrupt
def interrupt(_number, _frame):
    raise KeyboardInterrupt
on_interrupt(interrupt)
print("ready", flush=True)
sys.stdin.read()
number = int(sys.argv[1])
try:
    os.kill(os.getpid(), number)
    time.sleep(0.1)
except KeyboardInterrupt:
    print("cleaning up", flush=True)
    print("cleaning up", file=sys.stderr, flush=True)
    if number == signal.SIGHUP:
        os.kill(os.getpid(), number)
        time.sleep(0.1)
    sys.exit(130)
"""
INTERRUPTS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def start(number: signal.Signals, stream: int, *before: str) -> "subprocess.Popen[str]":
    """The program, which gets the signal as soon as its input ends."""
    command = [*before, sys.executable, "-c", PROGRAM, str(int(number))]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=stream, stderr=stream, text=True)


@pytest.mark.parametrize("number", INTERRUPTS)
def test_it_cleans_up(number: signal.Signals) -> None:
    with start(number, subprocess.PIPE) as process:
        said = process.communicate(timeout=120)
    assert (process.returncode, *said) == (130, "ready\ncleaning up\n", "cleaning up\n")


@pytest.mark.parametrize("number", INTERRUPTS)
def test_what_is_ignored_from_the_start_stays_so(number: signal.Signals) -> None:
    ignoring = f"trap '' {number.name.removeprefix('SIG')}; exec \"$@\""
    with start(number, subprocess.PIPE, "sh", "-c", ignoring, "sh") as process:
        said = process.communicate(timeout=120)
    assert (process.returncode, *said) == (0, "ready\n", "")


def test_it_cleans_up_without_the_terminal_that_was_closed() -> None:
    """Each word to it is an error from then on, which would be the end of the cleaning up."""
    ours, its = pty.openpty()
    with start(signal.SIGHUP, its) as process:
        os.close(its)
        with os.fdopen(ours, "rb", buffering=0) as terminal:
            assert terminal.readline() == b"ready\r\n"
        process.communicate(timeout=120)
    assert process.returncode == 130
