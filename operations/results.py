"""What a check found, and how a list of findings is shown: a line each, as JSON, or as a JUnit report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any
from xml.etree import ElementTree as ET


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    FAILED = "failed"
    NOT_CHECKED = "not checked"


@dataclass(frozen=True, slots=True)
class Result:
    """One check: what was found, what to do where it failed, and how many seconds it took."""

    name: str
    status: Status
    detail: str = ""
    remedy: str = ""
    seconds: float = 0.0


def passed(results: Sequence[Result]) -> bool:
    """Whether nothing failed. What could not be checked is no failure, but it is always shown."""
    return all(result.status is not Status.FAILED for result in results)


def as_json(environment: str, results: Sequence[Result]) -> dict[str, Any]:
    """The report for scripts; keys are only ever added."""
    checks = [
        asdict(result) | {"status": str(result.status), "seconds": round(result.seconds, 3)} for result in results
    ]
    return {"environment": environment, "ok": passed(results), "checks": checks}


def summary(results: Sequence[Result]) -> str:
    """One line that says how many checks ended how."""
    counts = {status: sum(result.status is status for result in results) for status in Status}
    parts = [f"{counts[Status.OK]} ok"]
    parts += [f"{counts[status]} {status}" for status in (Status.FAILED, Status.NOT_CHECKED) if counts[status]]
    return ", ".join(parts)


def as_junit(suite: str, results: Sequence[Result]) -> str:
    """The report as CI systems read it."""
    counts = {status: sum(result.status is status for result in results) for status in Status}
    root = ET.Element(
        "testsuite",
        name=suite,
        tests=str(len(results)),
        failures=str(counts[Status.FAILED]),
        skipped=str(counts[Status.NOT_CHECKED]),
        time=f"{sum(result.seconds for result in results):.3f}",
    )
    for result in results:
        case = ET.SubElement(root, "testcase", classname=suite, name=result.name, time=f"{result.seconds:.3f}")
        if result.status is Status.FAILED:
            ET.SubElement(case, "failure", message=result.detail).text = result.remedy
        elif result.status is Status.NOT_CHECKED:
            ET.SubElement(case, "skipped", message=result.detail)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"
