"""Nothing is lost in silence: every part of a source is in the report, once."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from operations.migrate.report import Node, Outcome, Report, as_json, as_markdown, leaves
from tests.operations.migrate.support import assert_complete

KEYS = st.text("abc_", min_size=1, max_size=4)
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=25,
)


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(TREES, st.integers(0, 10**6))
def test_whatever_was_told_of_the_rest_completes_it(tree: Any, seed: int) -> None:
    """Some parts of a tree are told at random; `rest` tells the others, each once, and nothing twice."""
    root, report, chance = Node("f", (), tree), Report(), random.Random(seed)

    def tell(part: Node) -> None:
        if chance.random() < 0.3:
            report.carried(part, "part", part.place)
            return
        for each in part.items():
            tell(each)

    tell(root)
    told = len(report.items)
    report.rest(root, "nobody has read it")
    assert_complete(report, root)
    assert {item.outcome for item in report.items[told:] if item.detail != "is empty"} <= {Outcome.IMPOSSIBLE}
    before = len(report.items)
    report.rest(root, "again")
    assert len(report.items) == before
    assert len({id(item) for item in report.covered.values()}) == len(report.items)
    assert list(leaves(root))


def test_the_same_part_twice_is_a_mistake() -> None:
    root, report = Node("f", (), {"a": 1}), Report()
    report.carried(root, "key", "a", keys=("a",))
    with pytest.raises(AssertionError, match="reported twice"):
        report.impossible(root, "key", "a", "why", keys=("a",))


def test_the_page_and_the_json_hold_every_item_without_breaking_the_table() -> None:
    report = Report()
    root = Node("f.yml", (), {"a": 1, "b": [2, 3]})
    report.judged(root, "key", "a|b\nc <x>", ["differs"], "detail", "do\\it", keys=("a",))
    report.rest(root, "no | reason")
    text = as_markdown(report, "Title", "1. Do this.")
    assert "0 carried over, 1 approximated, 1 not possible." in text
    assert "| f.yml: b | key | b | no \\| reason |  |" in text
    assert "| f.yml | key | a\\|b c &lt;x> | differs; detail | do\\\\it |" in text
    data = as_json(report, origin="x")
    assert data["count"] == {"carried over": 0, "approximated": 1, "not possible": 1}
    assert [each["outcome"] for each in data["items"]] == ["approximated", "not possible"]
    assert data["origin"] == "x"
