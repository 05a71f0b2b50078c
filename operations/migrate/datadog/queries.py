"""Datadog's queries as trees: what is written, before anything is made of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from lark import Lark, Transformer
from lark.exceptions import UnexpectedInput, VisitError

_GRAMMAR = Path(__file__).with_name("grammar.lark")


class Unreadable(ValueError):
    """A query that the grammar does not know."""


@dataclass(frozen=True, slots=True)
class Tag:
    """`env:prod`, `host:web-*`, `$env`, or a bare word; `values` are alternatives."""

    key: str
    values: tuple[str, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Scope:
    """Tags of which all, or of which one at least, has to fit."""

    every: bool
    parts: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Query:
    """`avg:system.cpu.user{env:prod} by {host}`"""

    aggregator: str
    metric: str
    scope: Any
    by: tuple[str, ...] = ()
    methods: tuple[tuple[str, tuple[Any, ...]], ...] = ()


@dataclass(frozen=True, slots=True)
class Call:
    """A function over queries: `top(query, 10, 'mean', 'desc')`; or a method of what is no query."""

    name: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Binary:
    """Two sides and `+`, `-`, `*` or `/`."""

    operator: str
    left: Any
    right: Any


@dataclass(frozen=True, slots=True)
class Number:
    """As it is written."""

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """An argument in quotes, or an option of a function."""

    text: str


@dataclass(frozen=True, slots=True)
class Reference:
    """The name of a query in a formula, or a word among arguments."""

    name: str


@dataclass(frozen=True, slots=True)
class Condition:
    """`avg(last_5m):<expression> > 90`; for changes, `shift` is the time that is compared with."""

    aggregator: str
    window: str
    expression: Any
    compare: str
    threshold: str
    change: str = ""
    shift: str = ""


class _Tree(Transformer[Any, Any]):
    def number(self, parts: list[Any]) -> Number:
        return Number(str(parts[0]))

    def reference(self, parts: list[Any]) -> Reference:
        return Reference(str(parts[0]))

    def text(self, parts: list[Any]) -> Text:
        return Text(str(parts[0])[1:-1])

    def option(self, parts: list[Any]) -> Text:
        return Text(f"{parts[0]}={str(parts[1]).strip(chr(34) + chr(39))}")

    def negative(self, parts: list[Any]) -> Any:
        return Number(f"-{parts[0].text}") if isinstance(parts[0], Number) else Binary("*", Number("-1"), parts[0])

    def arguments(self, parts: list[Any]) -> tuple[Any, ...]:
        return tuple(parts)

    def call(self, parts: list[Any]) -> Call:
        return Call(str(parts[0]), parts[1] or ())

    def method(self, parts: list[Any]) -> Any:
        target, name, arguments = parts[0], str(parts[1]), parts[2] or ()
        if isinstance(target, Query):
            return replace(target, methods=(*target.methods, (name, arguments)))
        return Call(name, (target, *arguments))

    def add(self, parts: list[Any]) -> Binary:
        return Binary("+", *parts)

    def sub(self, parts: list[Any]) -> Binary:
        return Binary("-", *parts)

    def mul(self, parts: list[Any]) -> Binary:
        return Binary("*", *parts)

    def div(self, parts: list[Any]) -> Binary:
        return Binary("/", *parts)

    def tag(self, parts: list[Any]) -> Tag:
        return _tag(str(parts[0]))

    def among(self, parts: list[Any]) -> Tag:
        return Tag(str(parts[0]), tuple(str(each).strip('"') for each in parts[1:]))

    def not_among(self, parts: list[Any]) -> Tag:
        return replace(self.among(parts), negated=True)

    def no(self, parts: list[Any]) -> Any:
        return _negated(parts[0])

    def all_of(self, parts: list[Any]) -> Any:
        return parts[0] if len(parts) == 1 else Scope(True, tuple(parts))

    def any_of(self, parts: list[Any]) -> Any:
        return parts[0] if len(parts) == 1 else Scope(False, tuple(parts))

    def by(self, parts: list[Any]) -> tuple[str, ...]:
        return tuple(map(str, parts))

    def query(self, parts: list[Any]) -> Query:
        aggregator, metric, scope, by = parts
        return Query(str(aggregator or "avg").strip(": \t\n"), str(metric), scope, by or ())

    def queries(self, parts: list[Any]) -> list[Any]:
        return parts

    def signed(self, parts: list[Any]) -> str:
        return "".join(str(part) for part in parts if part is not None)

    def window(self, parts: list[Any]) -> str:
        return str(parts[0])

    def window_of(self, parts: list[Any]) -> tuple[str, str]:
        return str(parts[0]), str(parts[1])

    def head(self, parts: list[Any]) -> tuple[str, list[Any]]:
        return str(parts[0]), parts[1:]

    def condition(self, parts: list[Any]) -> Condition:
        (name, inner), expression, compare, threshold = parts
        first = inner[0]
        if isinstance(first, tuple):
            shift = str(inner[1]) if len(inner) > 1 else ""
            return Condition(first[0], first[1], expression, str(compare), threshold, name, shift)
        return Condition(name, str(first), expression, str(compare), threshold)


def _tag(text: str) -> Tag:
    negated = text.startswith(("!", "-"))
    text = text.lstrip("!-").replace('"', "")
    key, colon, value = text.partition(":")
    return Tag(key, (value,), negated) if colon else Tag("", (text,), negated)


def _negated(part: Any) -> Any:
    """By De Morgan, so that only tags are ever negated."""
    if isinstance(part, Tag):
        return replace(part, negated=not part.negated)
    return Scope(not part.every, tuple(map(_negated, part.parts)))


@cache
def _parser() -> Lark:
    text = _GRAMMAR.read_text(encoding="utf-8")
    return Lark(text, parser="lalr", start=["queries", "condition"], maybe_placeholders=True, keep_all_tokens=False)


def _parsed(text: str, start: str) -> Any:
    try:
        return _Tree().transform(_parser().parse(text.strip(), start=start))
    except UnexpectedInput as error:
        column = getattr(error, "column", 0)
        near = text.strip()[max(0, column - 1) :][:30] if isinstance(column, int) and column > 0 else ""
        raise Unreadable(f"the query cannot be read at `{near}`" if near else "the query ends too early") from None
    except VisitError as error:
        raise Unreadable(f"the query cannot be read: {error.orig_exc}") from None


def parse_queries(text: str) -> list[Any]:
    """One query or formula, or several with commas between."""
    found: list[Any] = _parsed(text, "queries")
    return found


def parse_condition(text: str) -> Condition:
    """The query of a metric monitor."""
    found: Condition = _parsed(text, "condition")
    return found
