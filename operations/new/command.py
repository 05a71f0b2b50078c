"""`new`: asks what is open, lets the models judge, and writes the stack file or shows what it would bring."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.config import Problem, StackConfig, StackFileError
from components.config.base import NAME_PATTERN
from components.config.load import FOLDER, KEY, parse_stack
from components.plan import image_catalogue, plan_stack
from components.services.grafana import ADMIN_PASSWORD, SECRET_KEY
from components.spec import Plan
from components.yaml_text import load
from operations import console
from operations.new import file
from operations.new.choices import EXPORTERS, SECRETS
from operations.new.commented import stack_text
from operations.new.dialogue import TAKE, Answers, Question, fill, on_terminal
from operations.new.found import Found
from operations.new.wishes import Wishes, exposing, service, stack_data
from operations.plan import describe, lines
from operations.results import as_json
from operations.validate import secret_names, validate_plan

Asker = Callable[[Question], str]


def wishes(environment: str, answers: Mapping[str, Any], found: Sequence[Found] = ()) -> Wishes:
    """The answers as what is wanted; a service that is named wins over one of that name that was found."""
    platform, team = answers["platform"], answers["team"]
    given = [service(text, team, platform, answers.get("namespace") or "default") for text in answers["service"]]
    names = {each["name"] for each in given}
    taken = [each for each in found if each.service and each.service["name"] not in names]
    services = exposing([*given, *(each.service for each in taken if each.service)], answers["exposes"])
    bucket = {"name": answers["bucket"], "region": answers["bucket_region"], "endpoint": answers["bucket_endpoint"]}
    return Wishes(
        environment=environment,
        stack=answers["stack"],
        platform=platform,
        context=answers["context"],
        services=services,
        networks=tuple(dict.fromkeys([*answers["network"], *(name for each in taken for name in each.networks)])),
        retention=answers["retention"],
        interval=answers["interval"],
        tracing=answers["tracing"],
        channels=tuple(answers["channel"]),
        mail={name: answers[f"mail_{name}"] for name in ("to", "from", "server")},
        presets=tuple(answers["preset"]),
        exporters=tuple(answers["exporter"] if answers["exporter"] is not None else EXPORTERS),
        high_availability=answers["high_availability"],
        grafana_database=answers["grafana_database"],
        storage=answers["storage"],
        bucket=bucket if any(bucket.values()) else {},
        access=answers["access"],
        demo=answers["demo"],
        port_offset=answers["port_offset"],
    )


def _found(given: Mapping[str, Any], quiet: bool) -> list[Found]:
    """What discovery finds, where it is asked for, and told as it is."""
    if not given["discover"]:
        return []
    team = given["team"] or "platform"
    if given["platform"] == "kubernetes":
        from operations.new import on_kubernetes

        found = on_kubernetes.discover(given["context"] or "", team)
    else:
        from operations.new import on_docker

        found = on_docker.discover("", team)
    if not quiet:
        told = [_told(each) for each in sorted(found, key=lambda each: each.service is None)]
        console.note("\n".join(console.table(told, ["FOUND", "SERVICE", "WHY"])) if told else "nothing else runs there")
    return found


def _told(found: Found) -> list[str]:
    why = f"{found.why}; {found.advice}" if found.advice and not found.service else found.why
    if found.service and "exposes" in found.service:
        why += f"; exposes {', '.join(found.service['exposes'])}"
    return [found.origin, str(found.service["name"]) if found.service else "-", why]


def secrets(config: StackConfig, plan: Plan, stack: str) -> list[dict[str, str]]:
    """Each secret that somebody has to set, the command for it, and what its value is.

    Not those that `certs` or the first deployment makes; but those of what is left out on this machine, too.
    """
    others = {ADMIN_PASSWORD, SECRET_KEY}
    if access := config.access:
        others |= {access.password.secret, access.tls.ca.secret, access.tls.certificate.secret, access.tls.key.secret}
    return [
        {
            "name": name,
            "command": f"pulumi config set --secret observatory:{name} --stack {stack}",
            "value": _meaning(name),
        }
        for name in secret_names((*plan.services, *plan.withheld))
        if name not in others
    ]


def _meaning(secret: str) -> str:
    words = (text for name, text in SECRETS.items() if secret.lower().endswith(name.lower()))
    return next(words, "its value")


def _steps(path: Path, config: StackConfig, wanted: Sequence[Mapping[str, str]], stack: str) -> list[tuple[str, str]]:
    """What to do next: commands, and why."""
    name = stack if path.resolve().parent == FOLDER.resolve() else str(path)
    steps = [(f"pulumi stack init {stack}", "makes the stack in Pulumi's backend")]
    steps += [(each["command"], f"asks for the {each['value']}") for each in wanted]
    if config.access:
        steps.append((f"./observatory certs {name}", "makes certificate and password"))
    up = f"pulumi up --stack {stack}" + ("" if name == stack else f" --config-file {path}")
    return [*steps, (up, "deploys"), (f"./observatory verify {name}", "proves that it works")]


@dataclass(frozen=True, slots=True)
class Made:
    """A stack file that is ready to be written, and what it would bring."""

    path: Path
    text: str
    config: StackConfig
    plan: Plan
    found: Sequence[Found]


def made(stack: str, given: Mapping[str, Any], force: bool, ask: Asker | None, quiet: bool) -> Made:
    """The file for these options; `ask` gets what they leave open. Errors come before anything is touched."""
    path, environment = file.place(stack)
    name = str(file.shown(path))
    if not re.fullmatch(NAME_PATTERN, environment):
        reason = "must be lower-case letters, digits and single hyphens, beginning with a letter"
        raise StackFileError(name, [Problem("environment", reason, environment)])
    old = file.kept(path, force)
    found = _found(given, quiet)
    if ask and any(each.service for each in found) and ask(TAKE) != "yes":
        found = []

    def data_of(answers: Answers) -> dict[str, Any]:
        data = stack_data(wishes(environment, answers, found))
        parse_stack(data, name)
        return data

    text = file.with_kept(stack_text(data_of(fill(given, ask, data_of))), old)
    # What is judged and planned is what is written, word by word.
    config = parse_stack(load(text)["config"][KEY], name)
    return Made(path, text, config, plan_stack(config, image_catalogue(config)), found)


def new_command(
    stack: str, given: Mapping[str, Any], *, dry_run: bool, force: bool, yes: bool, json: bool, ask: Asker | None = None
) -> int:
    """Write the stack file, or with `dry_run` show it and its plan, checked by all programs that are here.

    `ask` stands for a person; by default there is one on a terminal, unless `yes` or `json` is given.
    """
    if ask is None and sys.stdin.isatty() and not (yes or json):
        ask = on_terminal
    new = made(stack, given, force or dry_run, ask, quiet=json)
    environment = new.config.environment
    checks = as_json(environment, validate_plan(new.config, new.plan)) if dry_run else {"ok": True}
    if not dry_run:
        file.write(new.path, new.text, force)
    wanted = secrets(new.config, new.plan, environment)
    steps = _steps(new.path, new.config, wanted, environment)
    if json:
        answer = {"file": str(new.path), "written": not dry_run, "text": new.text, "secrets": wanted}
        answer |= {"next": [command for command, _ in steps], "found": [_as_data(each) for each in new.found]}
        answer |= {"plan": describe(new.config, new.plan), "validation": checks} if dry_run else {}
        console.print_json(answer)
    elif dry_run:
        console.say(new.text)
        console.say("\n".join(lines(describe(new.config, new.plan))))
        _show(checks)
        console.note(f"\ndry run: {file.shown(new.path)} was not written")
    else:
        console.say(f"wrote {file.shown(new.path)}")
        for note in new.plan.notes:
            console.note(note)
        commands = [(command, f"# {why}") for command, why in steps]
        console.say("\n".join(["", "Next:", *(f"  {line}" for line in console.table(commands))]))
    return 0 if checks["ok"] else 1


def _as_data(found: Found) -> dict[str, Any]:
    return {
        "origin": found.origin,
        "why": found.why,
        "service": dict(found.service) if found.service else None,
        "networks": list(found.networks),
        "advice": found.advice,
    }


def _show(checks: Mapping[str, Any]) -> None:
    """In short what `validate` says: what is wrong, what could not be checked, and how much was fine."""
    fine = sum(each["status"] == "ok" for each in checks["checks"])
    console.say(f"\n{fine} checks of what would be deployed are fine")
    for each in checks["checks"]:
        if each["status"] != "ok":
            console.say(f"{each['status']}: {each['name']}: {each['detail']}")
