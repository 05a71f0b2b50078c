"""Bad stack files end in one clear message: the file, the key, the value, what is allowed, a hint."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from components.config.base import NOT_NAMED, Secret


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in a stack file. `key` is its path, such as `services[0].scheme`."""

    key: str
    message: str
    value: str = ""
    hint: str = ""

    def __str__(self) -> str:
        value = f" (is {self.value})" if self.value else ""
        hint = f"\n      hint: {self.hint}" if self.hint else ""
        return f"  {self.key or 'the stack'}{value}: {self.message}{hint}"


class StackFileError(Exception):
    """A stack file that cannot be used; its text is meant for people and complete."""

    def __init__(self, file: str, problems: Sequence[Problem]):
        self.file = file
        self.problems = tuple(problems)
        super().__init__(
            f"{file}: {len(problems)} problem{'s' * (len(problems) > 1)}\n" + "\n".join(map(str, problems))
        )


class RelationError(ValueError):
    """Values that are fine alone and wrong together; carries one problem for each relation that does not hold."""

    def __init__(self, problems: Sequence[Problem]):
        self.problems = tuple(problems)
        super().__init__(f"{len(problems)} relations do not hold")


def _in_data(location: Iterable[int | str], data: Any, kind: str) -> tuple[int | str, ...]:
    """The part of pydantic's location that exists in the data: without names of union members and the like."""
    parts = tuple(location)
    found: list[int | str] = []
    for index, part in enumerate(parts):
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            if kind not in ("missing", "invalid_key") or index < len(parts) - 1:
                continue
        found.append(part)
    return tuple(found)


def key_path(location: Iterable[int | str]) -> str:
    """The way to a value as people write it: `services[0].authentication.basic`."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            path += f".{part}" if path else part
    return path


def _value_at(data: Any, location: Iterable[int | str]) -> Any:
    for part in location:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _models_on_the_way(model: Any, location: Iterable[int | str]) -> Iterator[list[type[BaseModel]]]:
    """The model classes that may stand at each step of a location, found through annotations."""
    yield _models_in(model)
    for part in location:
        fields = next((c.model_fields for c in _models_in(model) if part in c.model_fields), None)
        if fields is not None and isinstance(part, str):
            model = fields[part].annotation
            yield _models_in(model)


def _allowed_keys(model: Any, location: Sequence[int | str]) -> list[str]:
    """The keys of the model at a location, as they are written; of a union, those of the member that was meant."""
    models = list(_models_on_the_way(model, location))[-1]
    tagged = [
        m for m in models if "type" in m.model_fields and {*get_args(m.model_fields["type"].annotation)} & {*location}
    ]
    return sorted(field.alias or name for m in (tagged or models)[:1] for name, field in m.model_fields.items())


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]


def _shown(value: Any) -> str:
    """A value for the message. Long ones are cut, and a login inside of a URL is not repeated."""
    if value is None or isinstance(value, dict | list):
        return ""
    try:
        text = re.sub(r"//[^/\s]*@", "//...@", repr(value))
    except ValueError:  # Python refuses to print numbers of thousands of digits
        return "a number with too many digits"
    return text if len(text) <= 60 else text[:57] + "..."


def near(name: object, allowed: Iterable[str]) -> str:
    """The hint where something known is spelled nearly like it; nothing otherwise."""
    found = difflib.get_close_matches(str(name), [*allowed], n=1)
    return f"did you mean {found[0]}?" if found else ""


def _secret_example(location: Iterable[int | str]) -> str:
    """A name for the secret at a key: `bearerToken` at `services[0].authentication.bearer.token`."""
    words = re.findall("[A-Za-z0-9]+", " ".join([part for part in location if isinstance(part, str)][-2:]))
    return "".join([*map(str.lower, words[:1]), *map(str.capitalize, words[1:])])


_SAID_SIMPLER = {
    "missing": "is required",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_type": "must be a whole number",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "finite_number": "must be a number that is not infinite",
    "model_type": "must be a mapping of keys to values",
    "model_attributes_type": "must be a mapping of keys to values",
    "dict_type": "must be a mapping of keys to values",
    "tuple_type": "must be a list",
    "string_type": "must be text",
}


def _problems(error: ErrorDetails, data: Any, model: type[BaseModel]) -> list[Problem]:
    kind = error["type"]
    reason = error.get("ctx", {}).get("error")
    if isinstance(reason, RelationError):
        return list(reason.problems)
    location = _in_data(error["loc"], data, kind)
    if kind.startswith("union_tag"):
        return [_untagged(error, key_path(location), _value_at(data, location))]
    key = key_path(location)
    if kind == "extra_forbidden":
        allowed = _allowed_keys(model, error["loc"][:-1])
        message = f"unknown key; allowed here: {', '.join(allowed) or 'none'}"
        return [Problem(key, message, hint=near(location[-1], allowed))]
    message = error["msg"].removeprefix("Value error, ")
    # Text in place of a mapping may be a secret that was written one level too high.
    hidden = kind in ("missing", "model_type", "model_attributes_type")
    hidden = hidden or any(Secret in models for models in _models_on_the_way(model, error["loc"]))
    value = "" if hidden else _shown(_value_at(data, location))
    message = _SAID_SIMPLER.get(kind, message)
    if kind == NOT_NAMED:
        message = message.replace(";", f", for example {{secret: {_secret_example(location)}}};")
    if error["loc"][-1:] == ("[key]",):
        value, message = "", f"is no key that is allowed here; it {message}"
    message = message[:1].lower() + message[1:]
    message, _, hint = message.partition("\nhint: ")
    if kind == "literal_error":
        hint = near(_value_at(data, location), re.findall("'([^']*)'", error.get("ctx", {}).get("expected", "")))
    return [Problem(key, message, value, hint)]


def _untagged(error: ErrorDetails, key: str, value: Any) -> Problem:
    """A choice between models, such as the type of a channel, that is missing or not to be had."""
    context = error.get("ctx", {})
    tag = str(context.get("discriminator", "")).strip("'")
    if "tag" not in context:
        return Problem(f"{key}.{tag}", "is required")
    expected = context["expected_tags"]
    hint = near(value[tag], re.findall("'([^']*)'", expected))
    return Problem(f"{key}.{tag}", f"must be one of {expected}", _shown(value[tag]), hint)


def stack_file_error(file: str, error: ValidationError, data: Any, model: type[BaseModel]) -> StackFileError:
    """Turn pydantic's findings about `data` into one error with a line for each key."""
    found: dict[str, Problem] = {}
    for detail in error.errors(include_url=False):
        for problem in _problems(detail, data, model):
            first = found.setdefault(problem.key, problem)
            if problem.message not in first.message:  # the members of a union each say what they would take
                found[problem.key] = replace(first, message=f"{first.message}; or {problem.message}")
    return StackFileError(file, [problem for problem in found.values() if not _beside(problem, found)])


def _beside(problem: Problem, found: Iterable[str]) -> bool:
    """Whether it only says what another member of a union would take, where the member that was meant is wrong inside:
    "must be text" for a list of which one entry is wrong."""
    other = problem.message in _SAID_SIMPLER.values() or problem.message.startswith("input should be ")
    return other and any(key.startswith((f"{problem.key}[", f"{problem.key}.")) for key in found)
