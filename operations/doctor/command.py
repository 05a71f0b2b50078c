"""The command: gather, diagnose, tell."""

from __future__ import annotations

import time
from pathlib import Path

from components.plan import plan_stack_file
from operations import console
from operations.doctor.facts import Facts
from operations.doctor.findings import Finding, Severity, as_json, diagnose, is_wrong, not_looked_at
from operations.doctor.gather import gather, reached
from operations.doctor.registry import DIAGNOSES
from operations.verify import Secrets, connect, endpoint_ports

_COLOUR = {Severity.CRITICAL: "red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}


def doctor_command(stack: str, json: bool, password_file: Path | None, ca_file: Path | None) -> int:
    """Look at a running stack and print what is wrong with it."""
    start = time.monotonic()
    config, plan = plan_stack_file(stack)
    ways = sorted(endpoint_ports(config))
    with reached(config, plan, ways if config.kubernetes else []) as (there, reasons):
        endpoints, unreachable = connect(config, there, Secrets(stack, password_file, ca_file))
        try:
            facts = gather(config, there, stack, endpoints, {**unreachable, **reasons}, DIAGNOSES)
        finally:
            for endpoint in endpoints.values():
                endpoint.close()
    findings = diagnose(facts, DIAGNOSES)
    if json:
        console.print_json(as_json(facts, findings, DIAGNOSES))
    else:
        _tell(facts, findings, time.monotonic() - start)
    return 1 if is_wrong(findings) else 0


def _tell(facts: Facts, findings: list[Finding], seconds: float) -> None:
    for finding in findings:
        console.say("\n".join(finding_lines(finding)))
    skipped = not_looked_at(facts, DIAGNOSES)
    for reason in dict.fromkeys(skipped.values()):
        names = ", ".join(name for name, why in skipped.items() if why == reason)
        console.say(console.paint(f"not looked at: {names}\n{'':15}{reason}", "dim"))
    counts = [f"{sum(each.severity is severity for each in findings)} {severity}" for severity in Severity]
    told = ", ".join(count for count in counts if not count.startswith("0 ")) or "nothing is wrong"
    looked = len(DIAGNOSES) - len(skipped)
    text = f"{told}: {looked} known failures looked for in {seconds:.1f} s"
    console.say(console.paint(text, "red" if is_wrong(findings) else "green"))


def finding_lines(finding: Finding) -> list[str]:
    """A finding: what it is and where, what was seen, what to do, what else it explains."""
    head = console.paint(f"{finding.severity.upper():<8}", _COLOUR[finding.severity])
    lines = [f"{head}  {finding.diagnosis}: {console.paint(finding.where, 'bold')}"]
    for title, text in (("saw:", finding.saw), ("do:", finding.remedy), ("so too:", "\n".join(finding.consequences))):
        for number, line in enumerate(text.splitlines()):
            lines.append(f"{'':10}{title if not number else '':<8}{line}")
    return lines
