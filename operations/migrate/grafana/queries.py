"""Whether a dashboard's query is one that Prometheus reads, with something in place of Grafana's variables."""

from __future__ import annotations

import re

from operations.migrate.rules import unreadable

_STRING = re.compile(r'("(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'|`[^`]*`)')
_RANGE = re.compile(r"\[[^\]\[]*[$][^\]\[]*\]")
_VARIABLE = re.compile(r"\$\{\w+(?::[\w.]+)?\}|\$\w+|\[\[\w+(?::\w+)?\]\]")
_AS_NAME = re.compile(rf"(?:\w*(?:{_VARIABLE.pattern})\w*)+")
_OFFSET = re.compile(rf"\boffset\s+-?(?:{_VARIABLE.pattern})")


def problem(expression: str) -> str:
    """What is wrong with a query; empty where nothing is, or where only Grafana could tell.

    A variable may stand for a number, a name or a whole expression, so a query is fine if any of these makes it so.
    """
    if not expression.strip() or _VARIABLE.fullmatch(expression.strip()):
        return ""
    first = ""
    for filler in ("1", "x", "up"):
        why = unreadable(_filled(expression, filler))
        if not why:
            return ""
        first = first or why
    return first


def _filled(expression: str, filler: str) -> str:
    text = _RANGE.sub(lambda match: "[5m:1m]" if ":" in _VARIABLE.sub("", match[0]) else "[5m]", expression)
    text = re.sub(r"\[\[(\w+)(?::\w+)?\]\]", r"$\1", text)
    text = _OFFSET.sub("offset 5m", text)
    parts = _STRING.split(text)
    # Even parts are outside of strings; inside of them a variable is some text.
    return "".join(
        _VARIABLE.sub("x", part) if index % 2 else _AS_NAME.sub(lambda match: _name(match, filler), part)
        for index, part in enumerate(parts)
    )


def _name(match: re.Match[str], filler: str) -> str:
    whole = _VARIABLE.fullmatch(match[0])
    return filler if whole else _VARIABLE.sub("x", match[0])
