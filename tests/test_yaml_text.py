"""The quick way of writing YAML writes what PyYAML itself writes."""

from __future__ import annotations

import gc
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from components.yaml_text import dump, load

_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
_DATA = st.recursive(
    _SCALARS, lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


def _as_lists(data: Any) -> Any:
    """Tuples come back as lists, which is how YAML has them."""
    if isinstance(data, dict):
        return {key: _as_lists(value) for key, value in data.items()}
    return [_as_lists(value) for value in data] if isinstance(data, list | tuple) else data


@given(_DATA)
@example("\x85")  # a line break to YAML, which PyYAML's own Python writer loses
def test_dump_writes_what_can_be_read_back(data: Any) -> None:
    assert load(dump(data)) == _as_lists(data)


def test_dump_writes_the_text_of_pyyaml() -> None:
    data = {
        "words": ["yes", "012", "1e3", "", " a", "a: b", "# c", "line\nbreak", "x " * 100],
        "same": [{"a": 1}] * 2,
        "empty": [{}, []],
        "numbers": (1, 0.1, True, None),
        3: {"k": ("v",)},
    }
    dumper: Any = type("Quick", (getattr(yaml, "CSafeDumper", yaml.SafeDumper),), {"ignore_aliases": lambda *_: True})
    assert dump(data) == yaml.dump(data, Dumper=dumper, sort_keys=False, width=120, allow_unicode=True)


@pytest.mark.parametrize("enabled", [True, False])
def test_dump_leaves_the_garbage_collector_as_it_was(enabled: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if enabled else gc.disable)()
        dump({"a": 1})
        with pytest.raises(yaml.YAMLError):
            dump({"a": object()})
        assert gc.isenabled() is enabled
    finally:
        (gc.enable if before else gc.disable)()


@pytest.mark.parametrize("text", ["[" * 100_000, "a: " + "{a: " * 20_000, "- " * 50_000 + "x", " " * 5000 + "x: 1"])
def test_a_document_without_end_is_an_error_and_not_the_end_of_the_process(text: str) -> None:
    with pytest.raises(yaml.YAMLError, match="nested deeper than"):
        load(text)


def test_many_brackets_that_are_closed_again_are_fine() -> None:
    assert load("\n".join(["a: 'x{y}[z]'", *(f"k{number}: [{{}}]" for number in range(2000))]))["a"] == "x{y}[z]"
