"""Options of the test run."""

from __future__ import annotations

import signal

import hypothesis
import pytest

# A shell without job control lets what it starts in the background ignore Ctrl-C, and so all that this starts; the
# tests of interruptions need programs that do not.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Speed is judged by benchmarks: on a busy machine any example may take long.
hypothesis.settings.register_profile("observatory", deadline=None)
hypothesis.settings.load_profile("observatory")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest --update-golden tests/test_golden.py` writes tests/golden/ anew; review the difference."""
    parser.addoption("--update-golden", action="store_true", help="rewrite the files in tests/golden/")
