"""Whether stacks keep the policy beside them: findings, those that an exception covers, and exceptions that ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from components.config import StackFileError
from operations.policies.model import Exception_, Policy, Rule, policy_of
from operations.policies.weaker import Weakness, weaknesses
from operations.report.snapshot import Snapshot, taken
from operations.results import Result, Status


@dataclass(frozen=True, slots=True)
class Finding:
    """A weakness by a rule of the policy. `ended` is the exception that covered it until its last day."""

    rule: Rule
    weakness: Weakness
    ended: Exception_ | None = None

    @property
    def id(self) -> str:
        """As an exception names it."""
        return f"{self.rule.id}/{self.weakness.id}"

    def __str__(self) -> str:
        rule, found = self.rule, self.weakness
        ended = f"; its exception ended on {self.ended.until}" if self.ended else ""
        return f"{self.id}: {rule.stack} has {found.own}, {rule.not_weaker_than} has {found.other}{ended}"


@dataclass(frozen=True, slots=True)
class Judgement:
    """What one rule found: what is broken, what is covered, and exceptions that cover nothing."""

    rule: Rule
    broken: tuple[Finding, ...]
    covered: tuple[Exception_, ...]
    idle: tuple[Exception_, ...]


def judged(policy: Policy, rule: Rule, own: Snapshot, other: Snapshot, today: date) -> Judgement:
    """One rule over two plans."""
    exceptions = {each.id: each for each in policy.exceptions if each.id.startswith(f"{rule.id}/")}
    found = [Finding(rule, weakness) for aspect in rule.in_ for weakness in weaknesses(aspect, own, other)]
    broken, covered = [], []
    for finding in found:
        exception = exceptions.get(finding.id)
        if exception and exception.until >= today:
            covered.append(exception)
        else:
            broken.append(Finding(rule, finding.weakness, exception))
    used = {finding.id for finding in found}
    return Judgement(rule, tuple(broken), tuple(covered), tuple(e for e in exceptions.values() if e.id not in used))


class Plans:
    """Stacks by folder and name, each planned once."""

    def __init__(self) -> None:
        self._known: dict[tuple[Path, str], Snapshot] = {}

    def __call__(self, folder: Path, stack: str) -> Snapshot:
        """The plan of one stack. Raises a StackFileError where its file is bad."""
        if (folder, stack) not in self._known:
            self._known[folder, stack] = taken(stack, folder)
        return self._known[folder, stack]


def judgements(stack_files: Iterable[Path], today: date, plans: Plans) -> list[Judgement]:
    """Every rule that one of these stack files has a part in, on either side; nothing where no policy is beside it."""
    found: dict[tuple[Path, str], Judgement] = {}
    for file in stack_files:
        folder, name = file.parent, file.name.removeprefix("Pulumi.").rsplit(".", 1)[0]
        policy = policy_of(folder)
        for rule in policy.rules if policy else ():
            if policy and name in (rule.stack, rule.not_weaker_than) and (folder, rule.id) not in found:
                own, other = plans(folder, rule.stack), plans(folder, rule.not_weaker_than)
                found[folder, rule.id] = judged(policy, rule, own, other, today)
    return list(found.values())


def policy_results(stack_file: Path, today: date, plans: Plans) -> list[Result]:
    """The rules about one stack as `validate` shows them."""
    try:
        return [_result(judgement) for judgement in judgements([stack_file], today, plans)]
    except StackFileError as error:
        detail = "\n".join(str(problem).strip() for problem in error.problems)
        return [Result("policy", Status.FAILED, detail, f"correct {error.file}")]


def _result(judgement: Judgement) -> Result:
    rule = judgement.rule
    name = f"policy: {rule.stack} is not weaker than {rule.not_weaker_than}"
    if judgement.broken:
        remedy = f"make {rule.stack} as strong, or except it in policy.yaml, with a reason and a last day"
        return Result(name, Status.FAILED, "\n".join(map(str, judgement.broken)), remedy)
    details = [", ".join(rule.in_)]
    details += [f"excepted until {each.until}: {each.id}" for each in judgement.covered]
    details += [f"needs no exception any more, take it out: {each.id}" for each in judgement.idle]
    return Result(name, Status.OK, "\n".join(details))
