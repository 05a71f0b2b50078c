"""YAML as this project reads and writes it: the safe subset, by the C library, order kept, no aliases."""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import yaml
from yaml.nodes import MappingNode, ScalarNode, SequenceNode

_BaseLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BaseDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


DEEPEST = 1000
"""Levels of a document; the C library recurses for each, and some ten thousand end the process itself."""
_BLOCK = re.compile(rf"^(?: {{{DEEPEST}}}|(?:[-?:] +){{{DEEPEST}}})", re.MULTILINE)


class _Loader(_BaseLoader):  # type: ignore[misc]
    """Refuses what YAML itself would take: a key that stands twice, of which only the last would count."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key, _ in node.value:
            name = (key.tag, str(key.value))
            if name in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value} is there twice", key.start_mark
                )
            seen.add(name)
        return super().construct_mapping(node, deep)


class _Dumper(_BaseDumper):  # type: ignore[misc]
    def ignore_aliases(self, _data: Any) -> bool:
        return True

    def represent_data(self, data: Any) -> Any:
        """The short way for what nearly everything is made of; thousands of rules take a third of the time."""
        kind = type(data)
        if kind is str:
            return ScalarNode("tag:yaml.org,2002:str", data)
        represent = self.represent_data
        if kind is dict:
            pairs = [(represent(key), represent(value)) for key, value in data.items()]
            return MappingNode("tag:yaml.org,2002:map", pairs, flow_style=False)
        if kind is list:
            items = [represent(item) for item in data]
            return SequenceNode("tag:yaml.org,2002:seq", items, flow_style=False)
        return super().represent_data(data)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Without the search for cycles: the tree of a document has none, and each search looks at all of it again."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _too_deep(text: str) -> bool:
    """Whether a document may be too deep to be read safely. Texts with that many open brackets do not occur."""
    if _BLOCK.search(text):
        return True
    if text.count("[") + text.count("{") <= DEEPEST:  # nearly every text; counting them costs nothing
        return False
    depth = 0
    for sign in re.findall(r"[\[\]{}]", text):
        depth = depth + 1 if sign in "[{" else max(0, depth - 1)
        if depth > DEEPEST:
            return True
    return False


def load(text: str) -> Any:
    """The data of one document. Raises `yaml.YAMLError`."""
    if _too_deep(text):
        raise yaml.YAMLError(f"not readable: it is nested deeper than {DEEPEST} levels")
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  (a safe loader)
    except (ValueError, LookupError, AttributeError, RecursionError) as error:  # a date like 2026-13-01, too deep
        raise yaml.YAMLError(f"not readable: {error}") from None


def dump(data: Any) -> str:
    """The text of one document, the same for the same data."""
    with _no_collection():
        text: str = yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
    return text
