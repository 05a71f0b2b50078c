"""Options of the test run."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest --update-golden tests/test_golden.py` writes tests/golden/ anew; review the difference."""
    parser.addoption("--update-golden", action="store_true", help="rewrite the files in tests/golden/")
