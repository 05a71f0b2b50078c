"""Diagnoses of the containers themselves, as the platform sees them: also when nothing in them answers."""

from __future__ import annotations

from collections.abc import Iterator

from components.config.stack import DEMO
from operations.doctor.facts import Facts, Program
from operations.doctor.findings import Diagnosis, Finding, Severity

RECENTLY = 15 * 60
"""Seconds for which a restart is news."""
NEARLY_FULL = 0.9
"""Share of its memory limit from which a program is about to be ended for it."""
ENDED = (
    "container-missing",
    "container-stopped",
    "container-restarting",
    "container-out-of-memory",
    "container-paused",
)
"""Reasons for which a program does not answer; the first of them that holds is told."""
GONE = (*ENDED, "container-unhealthy")


def last_words(program: Program, count: int = 3) -> str:
    """The end of a log, for a finding."""
    lines = [line.text.strip()[:300] for line in program.log if line.text.strip()][-count:]
    return "".join(f"\n{line}" for line in lines)


def _programs(facts: Facts, *states: str) -> Iterator[tuple[str, Program]]:
    return ((name, each) for name, each in facts.programs.items() if not states or each.state in states)


def missing(facts: Facts) -> Iterator[Finding]:
    """A planned container that is not there at all."""
    for name, _ in _programs(facts, "missing"):
        yield Finding(name, f"there is no container {facts.container(name)}", facts.up)


def stopped(facts: Facts) -> Iterator[Finding]:
    """One that ended and is left so."""
    for name, each in _programs(facts, "exited", "created", "dead", "waiting"):
        if not each.out_of_memory:
            why = f": {each.error}" if each.error else ""
            saw = f"its container is {each.state} with code {each.exit_code}{why}{last_words(each)}"
            yield Finding(name, saw, facts.up)


def paused(facts: Facts) -> Iterator[Finding]:
    """One that somebody froze."""
    for name, _ in _programs(facts, "paused"):
        yield Finding(name, "its container is paused", f"{facts.docker} unpause {facts.container(name)}")


def out_of_memory(facts: Facts) -> Iterator[Finding]:
    """One that the kernel ended because it had reached its limit."""
    for name, each in _programs(facts):
        if each.out_of_memory and (each.state != "running" or facts.now - each.started < RECENTLY):
            saw = f"the kernel ended it for its memory limit, now {mebibytes(each.memory_limit)}; it is {each.state}"
            yield Finding(name, saw, _more_memory(facts, name, each))


def restarting(facts: Facts) -> Iterator[Finding]:
    """One that crashed, and was started again by the platform, in the last minutes."""
    for name, each in _programs(facts, "restarting", "running"):
        crashed = each.restarts > 0 and facts.now - each.started < RECENTLY
        if (each.state == "restarting" or crashed) and not each.out_of_memory:
            saw = f"it crashed and was started again {each.restarts} times, last {ago(facts.now - each.started)}"
            yield Finding(name, saw + last_words(each), f"{facts.logs(name)}: its last words before the start say why")


def unhealthy(facts: Facts) -> Iterator[Finding]:
    """One that runs, and whose health check fails."""
    for name, each in _programs(facts, "running"):
        if each.failing_probes > 1:
            output = each.probe_output.strip()[:200] or "no output"
            saw = f"its health check has failed {each.failing_probes} times in a row: {output}"
            # In a cluster a pod that fails its health check is started again without anybody.
            again = "" if facts.config.kubernetes else f"\nif it hangs: {facts.docker} restart {facts.container(name)}"
            yield Finding(name, saw, f"{facts.logs(name)}{again}")


def memory(facts: Facts) -> Iterator[Finding]:
    """One that is about to reach its limit."""
    for name, each in _programs(facts, "running"):
        if each.memory_limit and each.memory > NEARLY_FULL * each.memory_limit:
            share = each.memory / each.memory_limit
            saw = f"it uses {mebibytes(each.memory)} of {mebibytes(each.memory_limit)} ({share:.0%})"
            yield Finding(name, saw, _more_memory(facts, name, each))


def _more_memory(facts: Facts, name: str, program: Program) -> str:
    service = facts.plan.service(name)
    group = service.group if service else name
    planned = service.resources.memory if service else 0
    wanted = max(2 * program.memory_limit // 2**20, planned)
    if group in DEMO:
        return f"less traffic of the demo, whose limits are fixed, or `demo: false`; then {facts.deploy}"
    advice = f"`resources.{group}.memory: {wanted}MB` in the stack file, then {facts.deploy}"
    if group == "prometheus":
        advice += "\nor fewer series: see `cardinality` and ./observatory size; or a shorter `retention.time`"
    return advice


def mebibytes(size: int) -> str:
    """A size for people."""
    return f"{size / 2**20:.0f} MiB"


def ago(seconds: float) -> str:
    """How long ago something was."""
    return f"{seconds:.0f} s ago" if seconds < 120 else f"{seconds / 60:.0f} min ago"


_PLATFORM = ("platform",)
DIAGNOSES = (
    Diagnosis(
        "container-missing",
        Severity.CRITICAL,
        "A planned container is not there: it was removed by hand.",
        missing,
        _PLATFORM,
    ),
    Diagnosis(
        "container-stopped",
        Severity.CRITICAL,
        "A container ended and nobody starts it again: it was stopped by hand, or cannot start.",
        stopped,
        _PLATFORM,
    ),
    Diagnosis("container-paused", Severity.CRITICAL, "Somebody froze a container.", paused, _PLATFORM),
    Diagnosis(
        "container-out-of-memory",
        Severity.CRITICAL,
        "The kernel ended a program at its memory limit.",
        out_of_memory,
        _PLATFORM,
    ),
    Diagnosis(
        "container-restarting",
        Severity.WARNING,
        "A program crashes, and the platform starts it again and again.",
        restarting,
        _PLATFORM,
    ),
    Diagnosis(
        "container-unhealthy",
        Severity.CRITICAL,
        "A program runs, but does not answer its own health check.",
        unhealthy,
        _PLATFORM,
        explained_by=ENDED,
    ),
    Diagnosis(
        "memory-near-limit",
        Severity.WARNING,
        "A program is about to be ended for its memory limit.",
        memory,
        _PLATFORM,
        explained_by=("container-out-of-memory",),
    ),
)
