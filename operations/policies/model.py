"""The policy file: which stack must not be weaker than which other one, in what, and the exceptions to that."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import BeforeValidator, Field, ValidationError, model_validator

from components.config import Problem, StackFileError
from components.config.base import Matching, Model, Name, NotEmpty
from components.config.errors import RelationError, near, stack_file_error
from components.yaml_text import load

FILE = "policy.yaml"
"""Beside the stack files that it is about."""
Aspect = Literal["retention", "replicas", "alerts", "access", "backups", "resources"]
ASPECTS: tuple[Aspect, ...] = get_args(Aspect)
StackName = Annotated[
    str, Matching(r"^[A-Za-z0-9][A-Za-z0-9._-]*$", "the name of a stack: prod stands for Pulumi.prod.yaml")
]


def _check_date(value: Any) -> Any:
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError("must be a date such as 2027-03-31") from None


class Rule(Model):
    """One stack that must not be weaker than another."""

    id: Name = Field(description="By which exceptions and reports name the rule.")
    stack: StackName = Field(description="The stack that has to be as strong.")
    not_weaker_than: StackName = Field(description="The stack that it is compared with.")
    in_: Annotated[tuple[Aspect, ...], NotEmpty()] = Field(
        default=ASPECTS, alias="in", description="What is compared. Default: all of it."
    )


class Exception_(Model):  # noqa: N801  (the builtin has the name)
    """A finding that is accepted, by whom it concerns in writing, and not for ever."""

    id: Annotated[
        str,
        Matching(
            r"^[a-z][a-z0-9-]*(/[A-Za-z0-9._-]+){2}$",
            "the id of a finding as reports show it: prod-like-staging/alerts/APIHighLatency",
        ),
    ] = Field(description="Of the finding: rule/aspect/what.")
    reason: Annotated[str, Matching(r"(?s)^.*\S.*$", "the reason, in words")] = Field(
        description="Why this is right, for whoever reads it next year."
    )
    until: Annotated[date, BeforeValidator(_check_date)] = Field(
        description="Last day on which it holds; the finding counts again after it."
    )


class Policy(Model):
    """The whole file."""

    rules: tuple[Rule, ...] = Field(default=(), description="All of them hold at once.")
    exceptions: tuple[Exception_, ...] = Field(default=(), description="Findings that are accepted for a time.")

    @model_validator(mode="after")
    def _relations(self) -> Self:
        problems = [*_rule_problems(self), *_exception_problems(self)]
        if problems:
            raise RelationError(problems)
        return self


def _rule_problems(policy: Policy) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, rule in enumerate(policy.rules):
        if rule.id in seen:
            yield Problem(f"rules[{index}].id", "is there twice", rule.id)
        seen.add(rule.id)
        if rule.stack == rule.not_weaker_than:
            yield Problem(f"rules[{index}].not_weaker_than", "is the stack itself", rule.stack)


def _exception_problems(policy: Policy) -> Iterator[Problem]:
    rules, seen = {rule.id: rule for rule in policy.rules}, set()
    for index, exception in enumerate(policy.exceptions):
        key = f"exceptions[{index}].id"
        rule, aspect, _ = exception.id.split("/")
        if exception.id in seen:
            yield Problem(key, "is there twice", exception.id)
        seen.add(exception.id)
        if rule not in rules:
            known = ", ".join(rules) or "none"
            yield Problem(key, f"begins with no rule's id; rules: {known}", exception.id, near(rule, rules))
        elif aspect not in rules[rule].in_:
            compared = ", ".join(rules[rule].in_)
            yield Problem(
                key, f"is about {aspect}, which {rule} does not compare; it compares {compared}", exception.id
            )


def policy_of(folder: Path) -> Policy | None:
    """The policy beside stack files; None where there is none. Errors are `StackFileError`s."""
    path = folder / FILE
    name = str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
    if not path.exists():
        return None
    try:
        data = load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise StackFileError(name, [Problem("the file", f"cannot be read: {error}")]) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "the file"
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise StackFileError(name, [Problem(where, f"is not valid YAML: {reason}")]) from None
    if not isinstance(data, dict):
        raise StackFileError(name, [Problem("the file", "must be a mapping with `rules` and `exceptions`")])
    try:
        policy = Policy.model_validate(data)
    except ValidationError as error:
        raise stack_file_error(name, error, data, Policy) from None
    missing = [
        Problem(f"rules[{index}].{key}", f"there is no {folder.name}/Pulumi.{stack}.yaml", stack)
        for index, rule in enumerate(policy.rules)
        for key, stack in (("stack", rule.stack), ("not_weaker_than", rule.not_weaker_than))
        if not (folder / f"Pulumi.{stack}.yaml").is_file()
    ]
    if missing:
        raise StackFileError(name, missing)
    return policy
