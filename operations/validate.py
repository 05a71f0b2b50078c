"""`validate`: the stack file, then everything rendered from it, checked by the products' own programs."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components.config import StackConfig, StackFileError
from components.config.load import stack_path
from components.notes import stack_notes
from components.plan import plan_stack_file
from components.spec import Plan, Service
from operations import console, programs
from operations.chain import chain_checks
from operations.consistency import (
    dashboard_problems,
    dashboards,
    datasource_problems,
    datasources,
    grafana_of,
    name_problems,
    port_problems,
)
from operations.layout import laid_out
from operations.policies.check import Plans, policy_results
from operations.results import Result, Status, as_json

Finder = Callable[[str], Path | None]


@dataclass(frozen=True, slots=True)
class ProgramCheck:
    """One run of a product's program over files of the copy."""

    name: str
    program: str
    arguments: tuple[str, ...]
    folder: str
    remedy: str
    others: str = ""
    """The beginning of what is said of files that a check of their own is about: not said twice."""


_SOURCES = {
    "config": "the values in the stack file, or components/services/{service}.py, make this file",
    "rules": "correct the file of the same name in rules/",
}


def program_checks(plan: Plan) -> Iterator[ProgramCheck]:
    """Which program checks what; in the order of the plan."""
    for service in (*plan.services, *plan.withheld):
        paths = [file.path for file in service.files]
        made = _SOURCES["config"].format(service=service.name.replace("-", "_"))
        rules = sorted(path for path in paths if path.startswith("rules/"))
        lint = ("--lint=all", "--lint-fatal")
        for path, name, program, arguments in (
            ("prometheus.yml", "scrape configuration", "promtool", ("check", "config", *lint, "prometheus.yml")),
            ("alertmanager.yml", "routes and receivers", "amtool", ("check-config", "alertmanager.yml")),
            ("web.yml", "web configuration", "promtool", ("check", "web-config", "web.yml")),
            ("blackbox.yml", "probe modules", "blackbox_exporter", ("--config.check", "--config.file=blackbox.yml")),
            ("jaeger.yaml", "configuration", "jaeger", ("validate", "--config=file:jaeger.yaml")),
        ):
            if path in paths:
                others = f"Checking {service.name}/rules/" if rules else ""
                yield ProgramCheck(f"{service.name}: {name}", program, arguments, service.name, made, others)
        if rules:
            # Thanos' ruler knows fields of groups that Prometheus does not.
            more = ("--ignore-unknown-fields",) if "prometheus.yml" not in paths else ()
            check_rules = ("check", "rules", *lint, *more, *rules)
            yield ProgramCheck(f"{service.name}: rules", "promtool", check_rules, service.name, _SOURCES["rules"])


def run_program(check: ProgramCheck, copy: Path, find: Finder) -> Result:
    """Run one program; without it the check is not made, which is said."""
    program = find(check.program)
    if program is None:
        return Result(check.name, Status.NOT_CHECKED, f"{check.program} is not on this machine; `make ready` gets it")
    start = time.monotonic()
    answer = programs.run(program, check.arguments, copy / check.folder)
    seconds = time.monotonic() - start
    text = answer.text.replace(f"{copy}/", "")
    if answer.code == 0:
        return Result(check.name, Status.OK, f"{check.program} {' '.join(check.arguments[:2])}", "", seconds)
    if check.program == "jaeger" and 'unknown command "validate"' in text:
        return Result(check.name, Status.NOT_CHECKED, "this jaeger has no command `validate`", "", seconds)
    bad = _complaints(text)
    own = [block for block in bad if not (check.others and block.startswith(check.others))]
    if bad and not own:
        return Result(check.name, Status.OK, f"{check.program} {' '.join(check.arguments[:2])}", "", seconds)
    detail = "\n".join(own) or text or f"exit code {answer.code}"
    return Result(check.name, Status.FAILED, detail, check.remedy, seconds)


def _complaints(text: str) -> list[str]:
    """What a program has said against files, file by file, without its words about those that are fine."""
    return [block for block in text.split("\n\n") if block and ("SUCCESS" not in block or "FAILED" in block)]


def plan_checks(plan: Plan) -> list[Result]:
    """What can be said about the plan without any program."""
    found = [
        _judged("names are unique", name_problems(plan), "give one of them another name in the stack file"),
        _judged("ports are unique", port_problems(plan), "give one of them another port under `ports:`"),
    ]
    grafana = grafana_of(plan)
    if grafana:
        sources = datasources(grafana)
        texts = dashboards(grafana)
        count = f"{len(sources)} datasources"
        found.append(
            _judged("grafana: datasources", datasource_problems(sources), "see components/services/grafana.py", count)
        )
        count = f"{len(texts)} dashboards"
        found.append(_judged("grafana: dashboards", dashboard_problems(texts, sources), "see dashboards/", count))
        reason = "Grafana has no command that checks it; a deployment does"
        found.append(Result("grafana: grafana.ini", Status.NOT_CHECKED, reason))
    return found


def _judged(name: str, problems: Sequence[str], remedy: str, fine: str = "") -> Result:
    if problems:
        return Result(name, Status.FAILED, "\n".join(problems), remedy)
    return Result(name, Status.OK, fine)


def unchecked_secrets(plan: Plan) -> list[Result]:
    """Secrets have no value here, which is part of the truth about a result."""
    names = secret_names((*plan.services, *plan.withheld))
    if not names:
        return []
    detail = f"made-up values stood for {', '.join(names)}"
    return [Result("secrets", Status.NOT_CHECKED, detail)]


def secret_names(services: Sequence[Service]) -> list[str]:
    """Names of all secrets, each once."""
    return list(dict.fromkeys(name for service in services for name in service.secrets))


def validate_plan(config: StackConfig, plan: Plan, find: Finder = programs.find) -> list[Result]:
    """All checks of one plan; independent programs run at the same time."""
    from concurrent.futures import ThreadPoolExecutor

    with laid_out(plan) as copy, ThreadPoolExecutor() as pool:
        by_programs = list(pool.map(lambda check: run_program(check, copy, find), program_checks(plan)))
    return [*plan_checks(plan), *chain_checks(config, plan), *by_programs, *unchecked_secrets(plan)]


def validate_command(stacks: Sequence[str], json: bool) -> int:
    """Validate stacks and print what was found; all of them, also when one fails."""
    plans = Plans()
    reports = [_validate(stack, json, len(stacks) > 1, plans) for stack in stacks]
    ok = all(report["ok"] for report in reports)
    if json:
        console.print_json(reports[0] if len(reports) == 1 else {"ok": ok, "stacks": reports})
    return 0 if ok else 1


def _validate(stack: str, quiet: bool, heading: bool, plans: Plans) -> dict[str, Any]:
    """The report on one stack; unless it is to be quiet, each result is printed as soon as it is there."""
    start = time.monotonic()
    if heading and not quiet:
        console.say(console.paint(stack, "bold"))
    try:
        config, plan = plan_stack_file(stack)
    except StackFileError as error:
        if not quiet:
            console.note(str(error))
        detail = "\n".join(str(problem).strip() for problem in error.problems)
        return as_json(stack, [Result("stack file", Status.FAILED, detail, f"correct {error.file}")])
    model = Result("stack file", Status.OK, f"environment {config.environment}", "", time.monotonic() - start)
    results = [model, *validate_plan(config, plan), *policy_results(stack_path(stack), datetime.now(UTC).date(), plans)]
    if not quiet:
        width = max(len(result.name) for result in results)
        for result in results:
            console.say("\n".join(console.result_lines(result, width)))
        for name in plan.unavailable:
            console.note(f"{name} would not be deployed here: its image cannot be had; its files were checked")
        for note in stack_notes(config, (*plan.services, *plan.withheld)):
            console.note(note)
        console.say(console.verdict(results, time.monotonic() - start) + ("\n" if heading else ""))
    return as_json(plan.environment, results)
