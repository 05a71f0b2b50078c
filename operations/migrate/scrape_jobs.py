"""Scrape jobs of a prometheus.yml: services, probes, or what the stack does by itself."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from components.config.base import is_duration, seconds
from components.config.services import BlackboxProbe, MonitoredService, target_problem
from components.config.stack import OWN_JOBS
from operations.migrate import names
from operations.migrate.clients import client_settings
from operations.migrate.output import Bundle, attempt
from operations.migrate.relabelling import relabelled
from operations.migrate.report import Node
from operations.migrate.scrape_targets import discovery, split, static_targets

OWN = {
    "prometheus": (r"prometheus|prom", 9090),
    "node-exporter": (r"node-?exporter|node_exporter", 9100),
    "cadvisor": (r"cadvisor", 8080),
    "alertmanager": (r"alert-?manager", 9093),
    "grafana": (r"grafana", 3000),
    "blackbox-exporter": (r"blackbox(-?exporter)?", 9115),
    "jaeger": (r"jaeger", 14269),
}
"""The stack's own programs: what they are called elsewhere, and their usual port."""
MODULES = ("http_2xx", "http_post_2xx", "tcp_connect", "tls_connect", "dns", "icmp")
_SETTINGS = ("job_name", "scrape_interval", "scrape_timeout", "metrics_path", "params", "scheme")
_LIMITS = ("sample_limit", "target_limit", "label_limit")
_LONGEST = 150
"""Seconds between two scrapes at most: at twice this a series counts as gone."""
_ELSEWHERE = "write the targets to a file, or give the service `discovery: {dns: ...}` or `{docker: ...}`"


def own_program(host: str, port: int | None = None) -> str:
    """Which of the stack's own programs a host on the same network is; empty where it is none."""
    if "." in host and not host.replace(".", "").isdigit():
        return ""
    for name, (pattern, usual) in OWN.items():
        if re.fullmatch(pattern, host, re.IGNORECASE) or (
            host in ("localhost", "127.0.0.1", "host.docker.internal") and port == usual
        ):
            return name
    return ""


def migrate_jobs(bundle: Bundle, jobs: Node, folder: Path | None, team: str) -> None:
    """Every scrape job is one item. `folder` is where files that they name are looked for."""
    for job in jobs.items():
        attempt(bundle, job, "scrape job", partial(_job, bundle, job, folder, team))


def _job(bundle: Bundle, job: Node, folder: Path | None, team: str) -> None:
    if not isinstance(job.value, dict) or not isinstance(job.value.get("job_name"), str):
        bundle.report.impossible(job, "scrape job", job.place, "it has no job_name")
    elif _is_probe(job.value):
        _probes(bundle, job, team)
    elif program := _own_job(job.value):
        _replaced(bundle, job, program)
    else:
        _service(bundle, job, folder, team)


def _replaced(bundle: Bundle, job: Node, program: str) -> None:
    """A job of one of the stack's own programs, which are all scraped in the stack's own way."""
    differences = [f'the stack\'s own {program} takes its place, with job="{program}"']
    usual = bundle.stack.get("scrape", {}).get("interval", "1m")
    if (interval := job.value.get("scrape_interval")) and str(interval) != usual:
        differences.append(f"is scraped as often as all others, not every {interval}")
    if labels := sorted({label for _, given in static_targets(job.value) for label in given}):
        differences.append(f"without the labels {', '.join(labels)}")
    todo = "write that name into queries of yours that select the old one"
    name = job.value["job_name"]
    bundle.report.approximated(job, "scrape job", name, "; ".join(differences), todo, (*_SETTINGS, "static_configs"))
    bundle.report.rest(job, f"the stack scrapes its own {program} in its own way")


def _own_job(job: Mapping[str, Any]) -> str:
    if any(key.endswith("_sd_configs") for key in job):
        return ""
    programs = {own_program(*split(target)) for target, _ in static_targets(job)}
    return programs.pop() if len(programs) == 1 else ""


def _is_probe(job: Mapping[str, Any]) -> bool:
    steps = job.get("relabel_configs") or ()
    moved = any(isinstance(step, dict) and step.get("target_label") == "__param_target" for step in steps)
    return moved and bool(static_targets(job)) and not any(key.endswith("_sd_configs") for key in job)


def _probes(bundle: Bundle, job: Node, team: str) -> None:
    """A job of the blackbox exporter: one probe for each target."""
    data, name = job.value, job.value["job_name"]
    asked = (data.get("params") or {}).get("module") or ["http_2xx"]
    wanted = str(asked[0] if isinstance(asked, list) else asked)
    differences: list[str] = []
    probes = bundle.stack.setdefault("probes", [])
    for target, labels in static_targets(data):
        module = wanted if wanted in MODULES else _module(wanted)
        address = f"http://{target}" if module.startswith("http") and "://" not in target else target
        taken = {probe["name"] for probe in probes}
        own = names.unique(names.slug(f"{name}-{re.sub(r'^https?://', '', target)}", "probe"), taken)
        probe: dict[str, Any] = {"name": own, "target": address, "module": module, "team": names.slug(team, "team")}
        interval = _interval(data, differences)
        probe |= {"interval": interval} if interval else {}
        wrong = _invalid(BlackboxProbe, probe) or target_problem(BlackboxProbe.model_validate(probe))
        if wrong:
            differences.append(f"not {target}: {wrong}")
            continue
        if module != wanted:
            differences.append(f"module {wanted} of your own became {module}")
        if labels:
            differences.append(f"labels {', '.join(labels)} are left out")
        probes.append(probe)
    differences.append('one probe for each target, all with job="probe" and the label `probe`')
    keys = (*_SETTINGS, "static_configs", "relabel_configs")
    bundle.report.approximated(job, "probes", name, "; ".join(dict.fromkeys(differences)), keys=keys)
    if not probes:
        del bundle.stack["probes"]
    bundle.report.rest(job, "the stack's own blackbox exporter is asked in its own way")


def _module(wanted: str) -> str:
    for part, module in (
        ("icmp", "icmp"),
        ("ping", "icmp"),
        ("dns", "dns"),
        ("tls", "tls_connect"),
        ("ssl", "tls_connect"),
    ):
        if part in wanted:
            return module
    return "tcp_connect" if "tcp" in wanted or "ssh" in wanted else "http_2xx"


def _service(bundle: Bundle, job: Node, folder: Path | None, team: str) -> None:
    data, report = job.value, bundle.report
    services = bundle.stack.setdefault("services", [])
    differences: list[str] = []
    name = _service_name(data["job_name"], {service["name"] for service in services})
    if name != data["job_name"]:
        differences.append(f"is called {name}, and so is its job label")
    extra = dict(bundle.extra)
    found_by, labels, keys, port = discovery(bundle, job, name, folder, differences)
    if found_by is None:
        kinds = [key for key in data if key.endswith("_sd_configs")]
        why = f"targets by {', '.join(kinds)} are not known here" if kinds else "it names no target"
        report.impossible(job, "scrape job", data["job_name"], differences[-1] if differences[1:] else why, _ELSEWHERE)
        _drop_empty(bundle, "services")
        return
    service: dict[str, Any] = {
        "name": name,
        "team": names.slug(labels.pop("team", team), "team"),
        "discovery": found_by,
    }
    service |= {"port": port} if port else {}
    service |= _settings(data, differences)
    known = [*_SETTINGS, *_LIMITS, *keys]
    secrets = len(bundle.secrets)
    client, used = client_settings(bundle, job, name, differences)
    service |= client
    changed, more = relabelled(job, labels, differences)
    service |= changed
    labels = service.pop("labels", labels)
    reserved = sorted({"service", "environment", "job", "instance"} & {*labels})
    differences += [f"label {name}={labels.pop(name)} is the stack's own" for name in reserved]
    service |= {"labels": labels} if labels else {}
    if wrong := _invalid(MonitoredService, service):
        del bundle.secrets[secrets:]
        bundle.extra = extra
        report.impossible(job, "scrape job", data["job_name"], wrong, "write the service by hand")
        _drop_empty(bundle, "services")
        return
    services.append(service)
    report.judged(job, "scrape job", data["job_name"], differences, keys=(*known, *used, *more))
    report.rest(job, "the stack sets this itself, or has no such setting", "see docs/guide/stack-file.md, `services`")


def _service_name(job: str, taken: set[str]) -> str:
    name = names.slug(job, "job")
    if name in OWN_JOBS or name.startswith(("probe-", "federate-")):
        name = f"my-{name}"
    return names.unique(name, taken)


def _settings(data: Mapping[str, Any], differences: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if interval := _interval(data, differences):
        found["interval"] = interval
    if timeout := data.get("scrape_timeout"):
        found["timeout"] = min(str(timeout), interval or str(timeout), key=seconds)
    if path := data.get("metrics_path"):
        found["path"] = str(path) if str(path).startswith("/") else f"/{path}"
    if isinstance(params := data.get("params"), dict):
        found["params"] = {str(k): [str(v) for v in (vs if isinstance(vs, list) else [vs])] for k, vs in params.items()}
    if data.get("scheme"):
        found["scheme"] = str(data["scheme"]).lower()
    return found | {key: data[key] for key in _LIMITS if data.get(key)}


def _interval(data: Mapping[str, Any], differences: list[str]) -> str | None:
    interval = data.get("scrape_interval")
    if not interval or not is_duration(str(interval)):
        return None
    if seconds(str(interval)) > _LONGEST:
        differences.append(f"is scraped every 2m30s in place of {interval}: beyond that, series have gaps")
        return "2m30s"
    if seconds(str(interval)) < 1:
        differences.append(f"is scraped every 1s in place of {interval}")
        return "1s"
    return str(interval)


def _drop_empty(bundle: Bundle, key: str) -> None:
    if not bundle.stack[key]:
        del bundle.stack[key]


def _invalid(model: Any, data: Mapping[str, Any]) -> str:
    """What the stack file's model has against some data; empty where nothing."""
    try:
        model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        return f"{where}: {first['msg'].removeprefix('Value error, ')}".removeprefix(": ")
    return ""
