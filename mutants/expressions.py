"""The small changes of one PromQL expression, as mistakes make them.

The text is taken apart into tokens and changed at their places; the parser decides what is still PromQL.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import promql_parser as promql

from mutants.equivalence import canonical

_TOKEN = re.compile(
    r"""(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)
    |(?P<duration>(?:\d+(?:ms|[smhdwy]))+)
    |(?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\.\d+)
    |(?P<word>[a-zA-Z_:][\w:]*)
    |(?P<sign>==|!=|>=|<=|=~|!~|[-+*/%^<>=(){}\[\],@:])
    |(?P<space>\s+)""",
    re.VERBOSE,
)
COMPARISONS = ("==", "!=", ">", ">=", "<", "<=")
ARITHMETIC = {"+": "-", "-": "+", "*": "/", "/": "*", "%": "*", "^": "*"}
OPPOSITE = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}
SETS = ("and", "or", "unless")
AGGREGATIONS = {
    "sum": ("avg", "max"),
    "avg": ("sum", "max"),
    "max": ("min", "sum"),
    "min": ("max", "sum"),
    "count": ("sum", "max"),
    "topk": ("bottomk",),
    "bottomk": ("topk",),
    "stddev": ("stdvar",),
    "stdvar": ("stddev",),
}
FUNCTIONS = {
    "rate": ("increase", "delta", "irate"),
    "increase": ("rate", "delta", "irate"),
    "irate": ("rate", "idelta"),
    "delta": ("rate", "increase", "idelta"),
    "deriv": ("rate", "delta"),
    "changes": ("resets", "count_over_time"),
    "resets": ("changes",),
    "avg_over_time": ("max_over_time", "min_over_time", "last_over_time"),
    "max_over_time": ("min_over_time", "avg_over_time", "last_over_time"),
    "min_over_time": ("max_over_time", "avg_over_time", "last_over_time"),
    "sum_over_time": ("avg_over_time", "count_over_time", "last_over_time"),
    "count_over_time": ("sum_over_time", "present_over_time"),
    "last_over_time": ("max_over_time", "min_over_time", "avg_over_time"),
    "stddev_over_time": ("stdvar_over_time", "avg_over_time"),
    "clamp_min": ("clamp_max",),
    "clamp_max": ("clamp_min",),
    "ceil": ("floor",),
    "floor": ("ceil",),
}
LISTS = ("by", "without", "on", "ignoring", "group_left", "group_right")


@dataclass(frozen=True, slots=True)
class Mutation:
    """One change: `change` tells it in a few words, the same for the same place; `text` is the expression after it."""

    change: str
    text: str


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Bracket:
    """What stands in the braces of a selector, in the parentheses of a list of labels, or in those of a range."""

    before: _Token
    """The word before a list; the opening bracket of the others."""
    inside: tuple[_Token, ...]

    def words(self) -> list[str]:
        return [token.text for token in self.inside if token.kind == "word"]

    def matchers(self) -> dict[str, str]:
        """Of a selector: each matcher with its opposite."""
        each = [self.inside[i : i + 3] for i in range(0, len(self.inside), 4)]
        return {
            f"{name.text}{sign.text}{value.text}": f"{name.text}{OPPOSITE[sign.text]}{value.text}"
            for name, sign, value in each
        }

    def edit(self, texts: Iterable[str]) -> _Edit:
        """The same bracket with other things inside."""
        return self.inside[0].start, self.inside[-1].end, ", ".join(text for text in texts if text)


_Edit = tuple[int, int, str]
_Change = tuple[str, tuple[_Edit, ...]]
"""What is told of it, and the places with their new text."""


def mutations(expression: str, units: Mapping[float, str] | None = None) -> list[Mutation]:
    """Every different change of an expression, in the order of the text; raises ValueError when it is not PromQL.

    `units` gives the unit of numbers that are parameters: a `count` moves by whole numbers, as one tenth more would
    be no different; without a unit, so do 0 and 1.
    """
    seen = {canonical(expression)}
    times: Counter[str] = Counter()
    found = []
    for change, edits in _changes(expression, units or {}):
        times[change] += 1
        text = expression
        for start, end, instead in reversed(edits):
            text = text[:start] + instead + text[end:]
        shape = _canonical_or_none(text)
        if shape is not None and shape not in seen:
            seen.add(shape)
            found.append(Mutation(change if times[change] == 1 else f"{change} #{times[change]}", text))
    return found


def _canonical_or_none(expression: str) -> str | None:
    try:
        return canonical(expression)
    except ValueError:
        return None


def _tokens(expression: str) -> list[_Token]:
    found = []
    place = 0
    while place < len(expression):
        match = _TOKEN.match(expression, place)
        if match is None:
            raise ValueError(f"not PromQL at {expression[place : place + 20]!r}")
        place = match.end()
        if match.lastgroup and match.lastgroup != "space":
            found.append(_Token(match.lastgroup, match[0], match.start(), match.end()))
    return found


def _changes(expression: str, units: Mapping[float, str]) -> Iterator[_Change]:
    tokens = _tokens(expression)
    brackets = _brackets(tokens)
    yield from _of_selectors([each for each in brackets if each.before.text == "{"], _joined(tokens, brackets))
    yield from _of_lists_and_ranges(brackets)
    bracketed = {token for bracket in brackets for token in bracket.inside}
    for place, token in enumerate(tokens):
        if token.text == "offset":
            last = next(each for each in tokens[place:] if each.kind == "duration")
            yield f"offset {last.text} removed", ((token.start, last.end, ""),)
        elif token not in bracketed:
            for other in _replacements(tokens, place, units):
                yield f"{token.text} -> {other}", ((token.start, token.end, other),)


def _brackets(tokens: Sequence[_Token]) -> list[_Bracket]:
    """All that are not empty; none of them holds another."""
    found = []
    for place, token in enumerate(tokens):
        of_list = token.text == "(" and place > 0 and tokens[place - 1].text in LISTS
        if of_list or token.text in ("{", "["):
            closing = next(i for i in range(place, len(tokens)) if tokens[i].text in (")", "}", "]"))
            if closing > place + 1:
                found.append(_Bracket(tokens[place - 1] if of_list else token, tuple(tokens[place + 1 : closing])))
    return found


def _of_lists_and_ranges(brackets: Sequence[_Bracket]) -> Iterator[_Change]:
    """Each label left out, each window twice and half as long."""
    for bracket in brackets:
        if bracket.before.text in LISTS:
            words = bracket.words()
            for word in words:
                rest = (other for other in words if other != word)
                yield f"{bracket.before.text} ({word}) dropped", (bracket.edit(rest),)
        elif bracket.before.text == "[":
            window = bracket.inside[0]
            for other in _windows(window.text):
                yield f"window {window.text} -> {other}", ((window.start, window.end, other),)


def _of_selectors(selectors: Sequence[_Bracket], joined: Callable[[str], bool]) -> Iterator[_Change]:
    """Each matcher left out, and each turned round.

    Where all operands are matched on a label, leaving out one of several equal matchers on it would make no
    difference: they go together.
    """
    for selector in selectors:
        for matcher, opposite in selector.matchers().items():
            together = [each for each in selectors if matcher in each.matchers()] if joined(matcher) else [selector]
            if together[0] is selector:
                dropped = (each.edit(other for other in each.matchers() if other != matcher) for each in together)
                yield f"{matcher} dropped", tuple(dropped)
            turned = selector.edit(opposite if other == matcher else other for other in selector.matchers())
            yield f"{matcher} negated", (turned,)


def _joined(tokens: Sequence[_Token], brackets: Sequence[_Bracket]) -> Callable[[str], bool]:
    """Tells of a matcher whether the whole expression keeps its label and is matched on it."""
    words = Counter(token.text for token in tokens)
    mixed = bool(words["or"] or words["without"]) or sum(words[name] for name in AGGREGATIONS) != words["by"]
    lists = [(each.before.text, each.words()) for each in brackets if each.before.text in ("by", "on", "ignoring")]

    def on(matcher: str) -> bool:
        label = re.split(r"[=!]", matcher, maxsplit=1)[0]
        return not mixed and all((label in labels) != (word == "ignoring") for word, labels in lists)

    return on


def _replacements(tokens: Sequence[_Token], place: int, units: Mapping[float, str]) -> tuple[str, ...]:
    token = tokens[place]
    if token.kind == "number":
        return _numbers(token.text, units)
    if token.text in SETS:
        return tuple(word for word in SETS if word != token.text)
    if token.kind == "word" and tokens[place + 1 : place + 2] and tokens[place + 1].text in ("(", "by", "without"):
        return AGGREGATIONS.get(token.text, FUNCTIONS.get(token.text, ()))
    if token.text in COMPARISONS:
        return tuple(sign for sign in COMPARISONS if sign != token.text)
    if token.text in ARITHMETIC and place and (tokens[place - 1].kind != "sign" or tokens[place - 1].text in ")}]"):
        return (ARITHMETIC[token.text],)
    return ()


def _numbers(text: str, units: Mapping[float, str]) -> tuple[str, ...]:
    value = float(text)
    unit = units.get(value, "" if value not in (0, 1) else "count")
    step = max(1, round(value / 10)) if unit == "count" and value.is_integer() else (value or 1) / 10
    return f"{value - step:.12g}", f"{value + step:.12g}"


def _windows(text: str) -> tuple[str, str]:
    length = promql.parse_duration(text)
    return promql.display_duration(length / 2), promql.display_duration(length * 2)


def delays(written: str | None) -> tuple[tuple[str, str | None], ...]:
    """The changes of a `for`: what was changed, and what it is then; none where the rule has none."""
    if written in (None, "0s"):
        return ()
    return (("for removed", None), *((f"for {written} -> {other}", other) for other in _windows(written)))
