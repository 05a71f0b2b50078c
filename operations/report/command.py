"""`report`: stacks of the working tree beside those of a revision, or beside what is deployed."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Literal

from components.config.load import FOLDER, stack_name, stack_path
from components.plan import plan_stack_file
from operations import console
from operations.errors import CommandError
from operations.policies.check import Plans
from operations.report.base import base_of
from operations.report.change import SECTIONS, Change
from operations.report.compare import compared
from operations.report.deployed import IN_CLUSTER, NOTE, OPERATED, comparable, comparable_cluster, deployed_of
from operations.report.markdown import markdown
from operations.report.policy import policy_changes
from operations.report.report import Report, Reports, as_json, dangers_named, sentence
from operations.report.snapshot import Snapshot, of_plan, taken
from operations.report.terminal import lines
from toolchain.progress import Progress

DEPLOYED = "deployed"
Form = Literal["terminal", "markdown", "json"]


def reported(stacks: Sequence[str], base: str, fail_on: Sequence[str] = (), today: date | None = None) -> Reports:
    """The reports on stacks. Bad stack files, revisions and names are errors before anything is planned elsewhere."""
    gate, progress = dangers_named(fail_on), Progress(passing=True)
    if base == DEPLOYED:
        reports = []
        for stack in stacks:
            with progress.step(stack, "compared with what is deployed", "compared"):
                reports.append(_beside_deployed(stack))
        described = "what is deployed"
    else:
        after = []
        for stack in stacks:
            with progress.step(stack, "planned as it is now", "planned"):
                after.append(taken(stack))
        with progress.step(", ".join(stacks), f"planned as {base} has it", "planned"):
            found = base_of(base, stacks)
        described = f"{base} ({found.commit[:10]})" if not found.commit.startswith(base) else base
        notes = (found.note,) if found.note else ()
        reports = [
            _report(stack, old, new, base, notes, renamed)
            for stack, old, new, renamed in zip(stacks, found.snapshots, after, found.renamed, strict=True)
        ]
    day, plans = today or datetime.now(UTC).date(), Plans()
    with progress.step("policy", "stacks compared with each other", "compared"):
        judged = tuple(_with_policy(report, day, plans) for report in reports)
    return Reports(described, judged, gate)


def _beside_deployed(stack: str) -> Report:
    (before, in_cluster), (config, plan) = deployed_of(stack), plan_stack_file(stack)
    after = of_plan(config, plan)
    if before is None:
        return _report(stack, before, comparable(after, None), DEPLOYED, ())
    if in_cluster != bool(config.kubernetes):
        now, then = ("Kubernetes" if each else "Docker" for each in (config.kubernetes, in_cluster))
        hint = "an `up` would remove all there, and make all anew here; destroy it first, or use another stack"
        raise CommandError(f"--base deployed: {stack} is deployed on {then}, and planned for {now}", hint)
    if not in_cluster:
        return _report(stack, before, comparable(after, before), DEPLOYED, (NOTE,))
    from operations.report.deployed_cluster import snapshot_of_plan

    after = comparable_cluster(after, snapshot_of_plan(config, plan), before)
    if before.operated != after.operated:
        which = "by" if before.operated else "without"
        told = f"--base deployed: {stack} is deployed {which} the Prometheus operator, and planned the other way"
        raise CommandError(told, "name a revision: of what the operator runs not everything can be read")
    return _report(stack, before, after, DEPLOYED, (NOTE, IN_CLUSTER, *([OPERATED] if before.operated else [])))


def _report(
    stack: str, before: Snapshot | None, after: Snapshot, base: str, notes: tuple[str, ...], renamed: str = ""
) -> Report:
    if before is None:
        new = f"{stack} is new: {'it was never deployed' if base == DEPLOYED else f'{base} does not have it'}"
        before, notes = Snapshot(environment=after.environment), (*notes, new)
    changes = compared(before, after)
    if renamed:
        what = "another one to Pulumi: that of before, with its data, stays as it is"
        changes.append(Change("data", "stack", what, stack_name(renamed), stack_name(stack), "data-loss"))
        changes.sort(key=lambda change: list(SECTIONS).index(change.section))
    return Report(stack, after.environment, tuple(changes), notes)


def _with_policy(report: Report, today: date, plans: Plans) -> Report:
    broken: list[Change] = policy_changes(stack_path(report.stack, FOLDER), today, plans)
    return Report(report.stack, report.environment, (*report.changes, *broken), report.notes)


def report_command(stacks: Sequence[str], base: str, fail_on: Sequence[str], form: Form) -> int:
    """Print the reports; 1 where there is a danger that the call is told to fail on."""
    reports = reported(stacks, base, fail_on)
    if form == "json":
        console.print_json(as_json(reports))
    elif form == "markdown":
        console.say(markdown(reports).rstrip("\n"))
    else:
        console.say("\n".join(lines(reports)))
    for report, change in reports.failures:
        console.note(f"{report.stack}: {change.danger}: {sentence(change)}")
    return 1 if reports.failures else 0
