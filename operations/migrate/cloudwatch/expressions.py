"""Metric math and rules of composite alarms in PromQL: the part that alarms are mostly made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from lark import Lark, Transformer
from lark.exceptions import UnexpectedInput, VisitError

_GRAMMAR = Path(__file__).with_name("math.lark")
_SIMPLE = {"ABS": "abs", "CEIL": "ceil", "FLOOR": "floor", "LOG": "ln", "LOG10": "log10"}
_TOGETHER = {"SUM": "sum", "AVG": "avg", "MAX": "max", "MIN": "min"}
_ARRAYS = ("METRICS",)


class CannotSay(ValueError):
    """Why an expression has no form in PromQL."""


class _Math(Transformer[Any, Any]):
    """Turns the tree into PromQL; an array is a list of expressions."""

    def __init__(self, named: Callable[[str], str], everything: Callable[[str], list[str]], period: int) -> None:
        super().__init__()
        self._named, self._everything, self._period = named, everything, period

    def number(self, parts: list[Any]) -> str:
        return str(parts[0])

    def text(self, parts: list[Any]) -> tuple[str]:
        return (str(parts[0])[1:-1],)

    def reference(self, parts: list[Any]) -> str:
        return self._named(str(parts[0]))

    def array(self, parts: list[Any]) -> list[str]:
        return [_one(part) for part in parts]

    def negative(self, parts: list[Any]) -> str:
        return f"(-1 * {_one(parts[0])})"

    def power(self, parts: list[Any]) -> Any:
        return parts[0] if parts[1] is None else f"({_one(parts[0])} ^ {_one(parts[1])})"

    def add(self, parts: list[Any]) -> str:
        return f"({_one(parts[0])} + {_one(parts[1])})"

    def sub(self, parts: list[Any]) -> str:
        return f"({_one(parts[0])} - {_one(parts[1])})"

    def mul(self, parts: list[Any]) -> str:
        return f"({_one(parts[0])} * {_one(parts[1])})"

    def div(self, parts: list[Any]) -> str:
        return f"({_one(parts[0])} / {_one(parts[1])})"

    def compared(self, parts: list[Any]) -> Any:
        left, sign, right = parts
        return left if sign is None else f"({_one(left)} {sign} bool {_one(right)})"

    def every(self, parts: list[Any]) -> Any:
        # Conditions are 0 or 1, so their product is 1 where all of them hold.
        return parts[0] if len(parts) == 1 else "(" + " * ".join(map(_one, parts)) + ")"

    def any_of(self, parts: list[Any]) -> Any:
        return parts[0] if len(parts) == 1 else "clamp_max(" + " + ".join(map(_one, parts)) + ", 1)"

    def call(self, parts: list[Any]) -> Any:
        name, arguments = str(parts[0]).upper(), [part for part in parts[1:] if part is not None]
        if name == "METRICS":
            return self._everything(arguments[0][0] if arguments and isinstance(arguments[0], tuple) else "")
        if name in _TOGETHER and arguments:
            return _together(name, arguments[0])
        if name in _SIMPLE and arguments:
            return f"{_SIMPLE[name]}({_one(arguments[0])})"
        if name == "FILL" and len(arguments) == 2:
            filler = _one(arguments[1])
            if filler.upper() in ("REPEAT", "LINEAR"):
                return f"last_over_time(({_one(arguments[0])})[1h:])"
            return f"(({_one(arguments[0])}) or on () vector({filler}))"
        if name == "IF" and len(arguments) == 3:
            condition, then, other = map(_one, arguments)
            return f"(({_vector(then)} and on () ({condition}) != 0) or on () {_vector(other)})"
        if name == "PERIOD":
            return str(self._period)
        if name == "RATE" and arguments:
            return f"deriv(({_one(arguments[0])})[{2 * self._period}s:{self._period}s])"
        if name == "DIFF" and arguments:
            inner = _one(arguments[0])
            return f"({inner} - last_over_time(({inner})[1m:1m] offset {self._period}s))"
        if name == "RUNNING_SUM":
            raise CannotSay("RUNNING_SUM() begins with the graph, of which a rule has none")
        raise CannotSay(f"the function {name}() has none like it in PromQL")


def _one(part: Any) -> str:
    if isinstance(part, str):
        return part
    raise CannotSay("an array of metrics stands where one is expected")


def _vector(text: str) -> str:
    return f"vector({text})" if text.replace(".", "", 1).isdigit() else f"({text})"


def _together(name: str, argument: Any) -> str:
    """Of several metrics, one value at each time; of one metric over the whole time, which a rule does not know."""
    if not isinstance(argument, list):
        raise CannotSay(f"{name}() of one metric is over the whole graph, of which a rule has none")
    if not argument:
        raise CannotSay(f"{name}() of no metric")
    if len(argument) == 1:
        return str(argument[0])
    if name == "SUM":
        return "(" + " + ".join(argument) + ")"
    if name == "AVG":
        return f"(({' + '.join(argument)}) / {len(argument)})"
    labelled = [f'label_replace({each}, "part", "{number}", "", "")' for number, each in enumerate(argument)]
    return f"{name.lower()}({' or '.join(labelled)})"


class _Rule(Transformer[Any, str]):
    """The rule of a composite alarm; `conditions` are expressions that are true while an alarm is."""

    def __init__(self, conditions: Mapping[str, str]) -> None:
        super().__init__()
        self._conditions = conditions
        self.differs: list[str] = []

    def state(self, parts: list[Any]) -> str:
        state, name = str(parts[0]), str(parts[1]).strip("\"'").rpartition(":alarm:")[2]
        if name not in self._conditions:
            raise CannotSay(f"it is made of alarm {name}, which is not there or could not be carried over")
        if state == "INSUFFICIENT_DATA":
            raise CannotSay("missing data is no state of a rule")
        if state == "OK":
            self.differs.append("OK means that the other does not alert, also where it has no data")
            return f"absent({self._conditions[name]})"
        return f"({self._conditions[name]})"

    def constant(self, _parts: list[Any]) -> str:
        raise CannotSay("it has a constant in it")

    def rule_not(self, parts: list[Any]) -> str:
        return f"absent({parts[0]})"

    def rule_every(self, parts: list[Any]) -> str:
        return str(parts[0]) if len(parts) == 1 else "(" + " and on () ".join(parts) + ")"

    def rule_any(self, parts: list[Any]) -> str:
        return str(parts[0]) if len(parts) == 1 else "(" + " or on () ".join(parts) + ")"


@cache
def _parser() -> Lark:
    return Lark(_GRAMMAR.read_text(encoding="utf-8"), parser="lalr", start=["math", "rule"], maybe_placeholders=True)


def _transformed(text: str, start: str, transformer: Any) -> Any:
    try:
        return transformer.transform(_parser().parse(text.strip(), start=start))
    except UnexpectedInput:
        raise CannotSay(f"`{text[:60]}` cannot be read") from None
    except VisitError as error:
        if isinstance(error.orig_exc, CannotSay):
            raise error.orig_exc from None
        raise CannotSay(f"`{text[:60]}` cannot be read: {error.orig_exc}") from None


def math(text: str, named: Callable[[str], str], everything: Callable[[str], list[str]], period: int) -> str:
    """Metric math in PromQL; `named` gives the expression of an id, `everything` those whose id has some text."""
    return _one(_transformed(text, "math", _Math(named, everything, period)))


def rule(text: str, conditions: Mapping[str, str]) -> tuple[str, list[str]]:
    """The rule of a composite alarm in PromQL, and what differs."""
    transformer = _Rule(conditions)
    return str(_transformed(text, "rule", transformer)), transformer.differs
