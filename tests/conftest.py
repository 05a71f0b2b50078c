"""Options of the test run."""

from __future__ import annotations

import signal

import hypothesis
import pytest

# A shell without job control lets what it starts in the background ignore Ctrl-C, as nohup does a closed terminal, and
# so all that this starts; the tests of interruptions need programs that do not.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)  # still nothing here, but what this starts does not inherit that

# Speed is judged by benchmarks: on a busy machine any example may take long. The examples are the same each time, so
# that a test fails for who has changed something; others are looked for with `pytest --hypothesis-profile=search`.
hypothesis.settings.register_profile("observatory", deadline=None, derandomize=True)
hypothesis.settings.register_profile("search", deadline=None, derandomize=False)
hypothesis.settings.load_profile("observatory")


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest --update-golden tests/test_golden.py` writes tests/golden/ anew; review the difference."""
    parser.addoption("--update-golden", action="store_true", help="rewrite the files in tests/golden/")
