"""What counts as a difference between a planned and a running configuration."""

from __future__ import annotations

from typing import Any

import pytest

from operations.differences import differences, same_value


@pytest.mark.parametrize(
    ("planned", "running", "same"),
    [
        ("1m", "60s", True),
        ("1m30s", "90s", True),
        ("7d", "1w", True),
        ("0s", "0s", True),
        ("1m", "61s", False),
        ("4GB", "4GiB", True),
        ("1GB", "1024MB", True),
        ("4GB", "4MiB", False),
        ("hunter2", "<secret>", True),
        ("a  b\n", "a b", True),
        ("a", "b", False),
        (1, "1", True),
        (1, 2, False),
        (True, 1, True),
        (True, "True", False),
        (False, True, False),
    ],
)
def test_same_value(planned: Any, running: Any, same: bool) -> None:
    assert same_value(planned, running) is same


@pytest.mark.parametrize(
    ("planned", "running", "found"),
    [
        ({"a": 1}, {"a": 1, "default": 2}, []),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, ["a.b: 1 is planned, 2 runs"]),
        ({"a": {"b": 1}}, {}, ["a: is missing"]),
        ({"a": {"b": 1}}, {"a": "text"}, ["a: is missing"]),
        ({"a": None, "b": [], "c": False, "d": {}}, {}, []),
        ({"a": []}, {"a": None}, []),
        ({"a": [1]}, {"a": None}, ["a: is missing"]),
        ({"a": [1, 2]}, {"a": [1]}, ["a: 2 entries are planned, 1 run"]),
        ({"a": [{"name": "x", "v": 1}]}, {"a": [{"name": "x", "v": 2}]}, ["a[x].v: 1 is planned, 2 runs"]),
        ({"a": [1, 2]}, {"a": [2, 1]}, ["a[0]: 1 is planned, 2 runs", "a[1]: 2 is planned, 1 runs"]),
        ({}, {"webhook_configs": [{}]}, ["webhook_configs: runs, but is not planned"]),
        ({"a": {}}, {"a": {"basic_auth": {"username": "x"}}}, ["a.basic_auth: runs, but is not planned"]),
        ({}, {"continue": False, "webhook_configs": []}, []),
    ],
)
def test_differences(planned: Any, running: Any, found: list[str]) -> None:
    assert list(differences(planned, running)) == found


def test_nothing_runs() -> None:
    assert list(differences({"a": 1}, None)) == ["the file: is missing"]


def test_the_order_of_matchers_says_nothing() -> None:
    def rule(*matchers: str) -> dict[str, Any]:
        return {"inhibit_rules": [{"target_matchers": list(matchers), "equal": ["b", "a"]}]}

    assert list(differences(rule('b!=""', 'a="1"'), rule('a="1"', 'b!=""'))) == []
    (found,) = differences(rule('b!=""', 'a="1"'), rule('a="2"', 'b!=""'))
    assert "target_matchers" in found
