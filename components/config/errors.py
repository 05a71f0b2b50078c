"""Bad stack files end in one clear message: the file, the key, the value, what is allowed, a hint."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails


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


def key_path(location: Iterable[int | str]) -> str:
    """The way to a value as people write it: `services[0].authentication.basic`."""
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif not part.startswith("function-"):
            path += f".{part}" if path else part
    return path


def _value_at(data: Any, location: Iterable[int | str]) -> Any:
    for part in location:
        try:
            data = data[part]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _model_at(model: Any, location: Sequence[int | str]) -> type[BaseModel] | None:
    """The model class that stands at a location, found through annotations; for naming the allowed keys."""
    for part in location:
        candidates = _models_in(model)
        fields = next((c.model_fields for c in candidates if part in c.model_fields), None)
        if fields is not None and isinstance(part, str):
            model = fields[part].annotation
    return next(iter(_models_in(model)), None)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]


def _shown(value: Any) -> str:
    """A value for the message. Long ones are cut."""
    if value is None or isinstance(value, dict | list):
        return ""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _problem(error: ErrorDetails, data: Any, model: type[BaseModel]) -> Problem:
    location = error["loc"]
    key, kind = key_path(location), error["type"]
    if kind == "extra_forbidden":
        owner = _model_at(model, location[:-1])
        allowed = sorted(owner.model_fields) if owner else []
        near = difflib.get_close_matches(str(location[-1]), allowed, n=1)
        hint = f"did you mean {near[0]}?" if near else ""
        return Problem(key, f"unknown key; allowed here: {', '.join(allowed) or 'none'}", hint=hint)
    message = error["msg"].removeprefix("Value error, ")
    secret_here = "must name a secret" in message
    value = "" if kind == "missing" or secret_here else _shown(_value_at(data, location))
    if kind == "missing":
        message = "is required"
    elif kind == "string_pattern_mismatch":
        message = f"must match {error.get('ctx', {}).get('pattern', 'the pattern')}"
    message = message[0].lower() + message[1:]
    hint = ""
    if "\nhint: " in message:
        message, hint = message.split("\nhint: ", 1)
    return Problem(key, message, value, hint)


def stack_file_error(file: str, error: ValidationError, data: Any, model: type[BaseModel]) -> StackFileError:
    """Turn pydantic's findings about `data` into one error with a line for each."""
    problems = [_problem(detail, data, model) for detail in error.errors(include_url=False)]
    return StackFileError(file, list(dict.fromkeys(problems)))
