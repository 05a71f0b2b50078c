"""The table of metrics.yaml: what Datadog's metrics and tags are called here."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path
from typing import Any

from components.yaml_text import load
from operations.migrate import names

_TABLE = Path(__file__).with_name("metrics.yaml")


@cache
def _table() -> dict[str, Any]:
    content: dict[str, Any] = load(_TABLE.read_text(encoding="utf-8"))
    return content


def label(tag: str) -> str:
    """The label that a tag becomes."""
    return str(_table()["tags"].get(tag.lower())) if tag.lower() in _table()["tags"] else names.label(tag)


def metric(name: str) -> Mapping[str, Any]:
    """How a metric is called here: by the table; aws.* as YACE calls it; else by its own name, which is a guess."""
    table = _table()["metrics"]
    if name in table:
        return {"exact": True, **table[name]}
    for pattern, entry in table.items():
        if "*" in pattern and fnmatchcase(name, pattern):
            return {"exact": True, **entry}
    own = names.metric(name)
    if name.startswith("aws."):
        statistic = "" if own.endswith(("_average", "_sum", "_maximum", "_minimum")) else "_average"
        if own.endswith(("_count", "_requests", "_errors", "_hits", "_messages_sent")):
            statistic = "_sum"
        return {"expr": f"{own}{statistic}{{$m}}", "exact": False, "cloudwatch": True}
    return {"expr": f"{own}{{$m}}", "exact": False, "guess": own}
