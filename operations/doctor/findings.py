"""What a diagnosis found, and how findings that follow from one another are told as one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from operations.doctor.facts import Facts


class Severity(StrEnum):
    """How much it matters: critical stops the monitoring or a part of it, a note is wrong only if nobody meant it."""

    CRITICAL = "critical"
    WARNING = "warning"
    NOTE = "note"


_ORDER = list(Severity)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: where, what was seen, and what to do. A diagnosis leaves the first two fields out."""

    where: str
    """The service, target or file that it is about."""
    saw: str
    remedy: str
    """A command, or the key of the stack file to change; several are several lines."""
    diagnosis: str = ""
    severity: Severity = Severity.WARNING
    consequences: tuple[str, ...] = ()
    """Further findings that this one explains: diagnosis and place of each."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One known failure. `look` is pure: it reads facts and finds it in none, one or several places."""

    name: str
    severity: Severity
    means: str
    """What it means for people, as the guide says it."""
    look: Callable[[Facts], Iterable[Finding]]
    needs: tuple[str, ...] = ()
    """Sources without which it cannot be told: platform, prometheus, alertmanager, grafana, grafana-login."""
    query: str = ""
    """What Prometheus is asked for it; `$window` is a range of a few scrapes."""
    explained_by: tuple[str, ...] = ()
    """Diagnoses that, at the same place, are the reason for this one."""


def diagnose(facts: Facts, diagnoses: Sequence[Diagnosis]) -> list[Finding]:
    """All findings, the gravest first, each with those that follow from it."""
    found = []
    for diagnosis in diagnoses:
        if not any(source in facts.missing for source in diagnosis.needs):
            found += [
                replace(each, diagnosis=diagnosis.name, severity=_graver(each, diagnosis))
                for each in diagnosis.look(facts)
            ]
    return sorted(_folded(found, {each.name: each for each in diagnoses}), key=lambda each: _ORDER.index(each.severity))


def _graver(finding: Finding, diagnosis: Diagnosis) -> Severity:
    """A finding may be less grave than its diagnosis usually is; it says so by being a note."""
    return Severity.NOTE if finding.severity is Severity.NOTE else diagnosis.severity


def _folded(found: Sequence[Finding], diagnoses: Mapping[str, Diagnosis]) -> list[Finding]:
    """Findings without those that another one at the same place explains; that one names them."""
    explained: dict[int, list[str]] = {}
    roots = []
    for index, finding in enumerate(found):
        reason = _reason(finding, found, diagnoses[finding.diagnosis])
        if reason is None:
            roots.append(index)
        else:
            explained.setdefault(reason, []).append(f"{finding.diagnosis}: {finding.where}")
    # A reason may have a reason itself: what it explains goes to the first of the chain.
    for index in list(explained):
        root: int | None = index
        while root is not None and root not in roots:
            root = _reason(found[root], found, diagnoses[found[root].diagnosis])
        if root is not None and root != index:
            explained.setdefault(root, []).extend(explained.pop(index))
    return [replace(found[index], consequences=tuple(dict.fromkeys(explained.get(index, ())))) for index in roots]


def _reason(finding: Finding, found: Sequence[Finding], diagnosis: Diagnosis) -> int | None:
    for index, other in enumerate(found):
        same_place = other.where == finding.where or other.where in finding.where.split(", ")
        if other is not finding and same_place and other.diagnosis in diagnosis.explained_by:
            return index
    return None


def not_looked_at(facts: Facts, diagnoses: Sequence[Diagnosis]) -> dict[str, str]:
    """Diagnosis to why it could not be made."""
    return {
        each.name: next(facts.missing[source] for source in each.needs if source in facts.missing)
        for each in diagnoses
        if any(source in facts.missing for source in each.needs)
    }


def is_wrong(findings: Sequence[Finding]) -> bool:
    """Whether something has to be done; notes alone are no reason."""
    return any(each.severity is not Severity.NOTE for each in findings)


def as_json(facts: Facts, findings: Sequence[Finding], diagnoses: Sequence[Diagnosis]) -> dict[str, Any]:
    """The report for scripts; keys are only ever added."""
    return {
        "environment": facts.plan.environment,
        "ok": not is_wrong(findings),
        "findings": [asdict(each) | {"severity": str(each.severity)} for each in findings],
        "diagnoses": [each.name for each in diagnoses],
        "not_looked_at": not_looked_at(facts, diagnoses),
    }
