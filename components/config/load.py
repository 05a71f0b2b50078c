"""Reading a stack file: from disk without Pulumi, or from the object that Pulumi hands over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from components.config.errors import Problem, StackFileError, stack_file_error
from components.config.stack import StackConfig
from components.spec import SECRET_TOKEN
from components.yaml_text import load

KEY = "observatory:stack"
FOLDER = Path(__file__).resolve().parents[2] / "stacks"


def stack_path(stack: str, folder: Path = FOLDER) -> Path:
    """The file of a stack's name, or the path itself where one is given."""
    if stack.endswith((".yaml", ".yml")):
        return Path(stack)
    return folder / f"Pulumi.{stack}.yaml"


def _placeholders(data: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Where text looks like our own placeholder of a secret, which a deployment would replace by its value."""
    if isinstance(data, str):
        if SECRET_TOKEN.search(data):
            yield key, data[:60]
    elif isinstance(data, dict):
        for name, value in data.items():
            yield from _placeholders(name, key) if isinstance(name, str) else ()
            yield from _placeholders(value, f"{key}.{name}" if key else str(name))
    elif isinstance(data, list):
        for index, value in enumerate(data):
            yield from _placeholders(value, f"{key}[{index}]")


def stack_name(stack: str) -> str:
    """Pulumi's name of a stack: its file's, whatever its `environment` is."""
    return stack_path(stack).name.removeprefix("Pulumi.").rsplit(".", 1)[0]


def parse_stack(data: Any, file: str) -> StackConfig:
    """Check one stack object; `file` only names it in errors."""
    placeholders = [Problem(key, "must not hold a placeholder of a secret", text) for key, text in _placeholders(data)]
    if placeholders:
        raise StackFileError(file, placeholders)
    try:
        return StackConfig.model_validate(data)
    except ValidationError as error:
        raise stack_file_error(file, error, data, StackConfig) from None


def load_stack_file(stack: str, folder: Path = FOLDER) -> StackConfig:
    """Read and check a stack file. Errors are `StackFileError`s that name what is wrong and what is allowed."""
    path = stack_path(stack, folder)
    name = str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
    try:
        document = load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        stacks = sorted(re.sub(r"^Pulumi\.|\.yaml$", "", p.name) for p in path.parent.glob("Pulumi.*.yaml"))
        raise StackFileError(
            name, [Problem("", "no such file", hint=f"stacks here: {', '.join(stacks) or 'none'}")]
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise StackFileError(name, [Problem("", f"cannot be read: {error}")]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise StackFileError(name, [Problem(where, f"is not valid YAML: {problem}")]) from None
    config = document.get("config") if isinstance(document, dict) else None
    if not isinstance(config, dict) or KEY not in config:
        raise StackFileError(name, [Problem(f"config.{KEY}", "is required", hint="see docs/guide/stack-file.md")])
    return parse_stack(config[KEY], name)
