"""Matchers of a route in all three ways to write them, as the label sets that a route goes by here."""

from __future__ import annotations

import re
from typing import Any

_MATCHER = re.compile(r'\s*([A-Za-z_][A-Za-z0-9_]*)\s*(=~|!~|!=|=)\s*(?:"((?:[^"\\]|\\.)*)"|([^",]*))\s*')
Matches = tuple[dict[str, list[str]], dict[str, list[str]]]
"""Label to values that it has to have, and label to those that it must not have."""


class CannotBeSaid(Exception):
    """Why a matcher has no form in a stack file."""


def matchers_of(data: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Label, operator and value of each matcher, of all three ways to write them."""
    found = [(str(label), "=", str(value)) for label, value in (data.get("match") or {}).items()]
    found += [(str(label), "=~", str(value)) for label, value in (data.get("match_re") or {}).items()]
    written = data.get("matchers") or []
    for text in [written] if isinstance(written, str) else written:
        rest = str(text).strip().removeprefix("{").removesuffix("}")
        while rest:
            match = _MATCHER.match(rest)
            if match is None:
                raise CannotBeSaid(f"matcher {text} cannot be read")
            value = re.sub(r"\\(.)", r"\1", match[3]) if match[3] is not None else match[4].strip().strip("'")
            found.append((match[1], match[2], value))
            rest = rest[match.end() :].removeprefix(",")
    return found


def narrowed(above: Matches, matchers: list[tuple[str, str, str]]) -> Matches:
    """What a route matches, with what those above it match. Raises `CannotBeSaid`."""
    match, not_match = ({label: list(values) for label, values in found.items()} for found in above)
    for label, operator, text in matchers:
        values = _values(label, operator, text)
        if operator.startswith("!"):
            not_match[label] = list(dict.fromkeys([*not_match.get(label, ()), *values]))
        elif label in match:
            both = [value for value in match[label] if value in values]
            if not both:
                raise CannotBeSaid(f"label {label} would need two values at once")
            match[label] = both
        else:
            match[label] = values
    return match, not_match


def _values(label: str, operator: str, text: str) -> list[str]:
    """The values that a matcher allows; of a regular expression, where it is nothing but a list of them."""
    if "~" not in operator:
        return [text]
    inner = text.removeprefix("^").removesuffix("$")
    while inner.startswith(("(?:", "(")) and inner.endswith(")") and inner.count("(") == 1:
        inner = inner.removeprefix("(?:").removeprefix("(")[:-1]
    values = [re.sub(r"\\([.\-/])", r"\1", value) for value in inner.split("|")]
    if any(re.search(r"[\\^$.*+?()\[\]{}]", re.sub(r"\\[.\-/]", "", value)) for value in inner.split("|")):
        raise CannotBeSaid(f'{label}{operator}"{text}" is no list of values, and routes here go by values')
    return values
