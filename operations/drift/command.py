"""`drift`: asks Pulumi, the engine and the running programs at the same time, and tells what is not as planned."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

from components.config import StackConfig
from components.plan import plan_stack_file
from components.spec import Plan
from operations import console
from operations.cluster import forwarded
from operations.drift.engine import engine_findings
from operations.drift.findings import KINDS, MEANING, REMEDY, Drift, Finding, Kind, Unchecked
from operations.drift.programs import alert_findings, configuration_findings
from operations.drift.resources import resource_findings
from operations.errors import CommandError, UsageError
from operations.pulumi_cli import Pulumi
from operations.running import Running
from operations.verify import Secrets, connect, endpoint_ports

Found = Iterable[Finding | Unchecked]
_OF_ENGINE: tuple[Kind, ...] = ("files", "settings", "strangers", "volumes")
"""Kinds of findings that are looked for on a Docker engine."""


def find_drift(
    stack: str, config: StackConfig, plan: Plan, secrets: Secrets, patience: float, ignored: Collection[Kind]
) -> Drift:
    """All findings but those of ignored kinds. CommandError where the stack is not deployed or nothing can be asked."""
    pulumi = Pulumi.of(stack)
    if not pulumi.resources():
        raise CommandError(f"{stack} is not deployed", "`pulumi up` deploys it")
    with forwarded(config, plan, endpoint_ports(config)) as reached:
        endpoints, unreachable = connect(config, reached, secrets)

        def running() -> Running:
            """One for each question: checks that are done end theirs."""
            return Running(config, plan, endpoints, patience, unreachable)

        questions: list[tuple[set[Kind], Callable[[], Found]]] = [
            ({"resources"}, lambda: resource_findings(pulumi, "resources")),
            ({"not-deployed"}, lambda: resource_findings(pulumi, "not-deployed")),
            ({"configuration"}, lambda: configuration_findings(running())),
            ({"silences"}, lambda: alert_findings(running())),
            ({*_OF_ENGINE}, lambda: _on_platform(config, plan, pulumi.variables)),
        ]
        wanted = [ask for kinds, ask in questions if kinds - {*ignored}]
        try:
            with ThreadPoolExecutor(max_workers=len(questions)) as pool:
                found = [each for answer in pool.map(lambda ask: list(ask()), wanted) for each in answer]
        finally:
            for endpoint in endpoints.values():
                endpoint.close()
    return Drift.of(each for each in found if each.kind not in ignored)


def _on_platform(config: StackConfig, plan: Plan, variables: Mapping[str, str]) -> Iterator[Finding | Unchecked]:
    if config.platform == "kubernetes":
        reason = "in a cluster Pulumi compares every object itself: see its findings"
        yield from (Unchecked(kind, reason) for kind in _OF_ENGINE)
        return
    yield from engine_findings(config, plan, variables)


def as_data(environment: str, drift: Drift) -> dict[str, Any]:
    """The report for scripts; keys are only ever added."""
    return {
        "environment": environment,
        "drift": bool(drift.findings),
        "findings": [{**asdict(each), "remedy": REMEDY[each.kind]} for each in drift.findings],
        "unchecked": [asdict(each) for each in drift.unchecked],
    }


def lines(environment: str, drift: Drift) -> list[str]:
    """The same for people."""
    found = []
    for kind, group in groupby(drift.findings, lambda each: each.kind):
        found.append(console.paint(f"{MEANING[kind]} ({kind})", "bold"))
        found += [f"  {line}" for line in console.table([[each.subject, each.detail] for each in group])]
        found += [f"  {console.paint('remedy:', 'bold')} {REMEDY[kind]}", ""]
    for kind, reasons in groupby(drift.unchecked, lambda each: each.kind):
        found += [f"not checked ({kind}): {each.reason}" for each in reasons]
    count = len(drift.findings)
    text = f"{environment}: {count} finding{'s' * (count != 1)}" if count else f"{environment}: no drift"
    text += f", {len(drift.unchecked)} not checked" if drift.unchecked else ""
    return [*found, console.paint(text, "red" if count else "green")]


def drift_command(
    stack: str,
    ignore: Collection[str],
    timeout: float,
    password_file: Path | None,
    ca_file: Path | None,
    json: bool,
) -> int:
    """Print what was found; 1 where there is drift."""
    ignored = [kind for kind in KINDS if kind in ignore]
    if unknown := [kind for kind in ignore if kind not in KINDS]:
        raise UsageError(f"--ignore {unknown[0]}: is no kind of findings; kinds: {', '.join(KINDS)}")
    config, plan = plan_stack_file(stack)
    console.note("asking Pulumi, the platform and the programs; nothing is changed")
    drift = find_drift(stack, config, plan, Secrets(stack, password_file, ca_file), timeout, ignored)
    if json:
        console.print_json(as_data(plan.environment, drift))
    else:
        console.say("\n".join(lines(plan.environment, drift)))
    return 1 if drift.findings else 0
