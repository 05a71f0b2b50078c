"""Facts about a plan that no product's program checks: names and ports are unique, and references resolve."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any

from components.spec import Plan, Service
from components.yaml_text import load

_BUILT_IN = {"grafana", "-- Grafana --", "-- Mixed --", "-- Dashboard --"}
_ANY_ADDRESS = ("0.0.0.0", "::")


def _twice(values: Iterable[Any]) -> list[Any]:
    return [value for value, count in Counter(values).items() if count > 1]


def name_problems(plan: Plan) -> list[str]:
    """Service, volume, file and scrape job names that are there twice, or files that leave their folder."""
    services = (*plan.services, *plan.withheld)
    found = [f"service {name} is planned twice" for name in _twice(service.name for service in services)]
    volumes = (volume.name for service in services for volume in service.volumes)
    found += [f"volume {name} belongs to two services" for name in _twice(volumes)]
    for service in services:
        paths = [file.path for file in service.files]
        found += [f"{service.name}: file {path} is planned twice" for path in _twice(paths)]
        for path in map(PurePosixPath, paths):
            if path.is_absolute() or ".." in path.parts:
                found.append(f"{service.name}: file {path} leaves the configuration folder")
        if paths and not service.config_folder:
            found.append(f"{service.name}: has files, but no configuration folder")
    found += [f"scrape job {name} is planned twice" for name in _twice(job["job_name"] for job in scrape_jobs(plan))]
    return found


def port_problems(plan: Plan) -> list[str]:
    """Ports that two programs, or one program twice, would listen on."""
    found = []
    services = (*plan.services, *plan.withheld)
    for service in services:
        numbers, names = _twice(port.number for port in service.ports), _twice(port.name for port in service.ports)
        found += [f"{service.name}: two ports have the number {number}" for number in numbers]
        found += [f"{service.name}: two ports are called {name}" for name in names]
    published: dict[int, list[tuple[str, str]]] = {}
    for service in services:
        for port in service.ports:
            if port.published is None:
                continue
            for address, other in published.setdefault(port.published, []):
                if address == port.address or address in _ANY_ADDRESS or port.address in _ANY_ADDRESS:
                    found.append(f"{other} and {service.name} {port.name} are both published on {port.published}")
            published[port.published].append((port.address, f"{service.name} {port.name}"))
    return found


def scrape_jobs(plan: Plan) -> list[dict[str, Any]]:
    """The scrape jobs as Prometheus gets them; empty where none is planned or the file cannot be read."""
    prometheus = plan.service("prometheus")
    for file in prometheus.files if prometheus else ():
        if file.path == "prometheus.yml":
            return list(load(file.content).get("scrape_configs") or [])
    return []


def grafana_of(plan: Plan) -> Service | None:
    """Grafana, deployed or withheld."""
    return next((service for service in (*plan.services, *plan.withheld) if service.name == "grafana"), None)


def datasources(grafana: Service) -> list[dict[str, Any]]:
    """The datasources that Grafana is provisioned with."""
    return [
        source
        for file in grafana.files
        if file.path.startswith("provisioning/datasources/")
        for source in load(file.content).get("datasources") or []
    ]


def dashboards(grafana: Service) -> dict[str, str]:
    """Path to text of each provisioned dashboard; its folder in Grafana is the one it lies in."""
    return {file.path: file.content for file in grafana.files if file.path.startswith("dashboards/")}


def datasource_problems(sources: list[dict[str, Any]]) -> list[str]:
    """Datasources that are there twice or point to one that is not."""
    found = [f"datasource uid {uid} is there twice" for uid in _twice(source.get("uid") for source in sources)]
    found += [f"datasource name {name} is there twice" for name in _twice(source.get("name") for source in sources)]
    defaults = [str(source.get("name")) for source in sources if source.get("isDefault")]
    if sources and len(defaults) != 1:
        found.append(f"exactly one datasource must be the default; these are: {', '.join(defaults) or 'none'}")
    known = {source.get("uid") for source in sources}
    for source in sources:
        for key, uid in _uid_references(source.get("jsonData") or {}):
            if uid not in known:
                found.append(f"datasource {source.get('name')}: {key} is {uid}, and there is no such datasource")
    return found


def _uid_references(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            if isinstance(each, str) and key.lower().endswith("uid"):
                yield key, each
            else:
                yield from _uid_references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _uid_references(each)


def dashboard_problems(texts: Mapping[str, str], sources: list[dict[str, Any]]) -> list[str]:
    """Dashboards that are no JSON, that Grafana would refuse, or whose panels ask a datasource that is not there."""
    found: list[str] = []
    uids: list[str] = []
    titles: list[tuple[str, str]] = []
    for path, text in texts.items():
        try:
            board = json.loads(text)
        except ValueError as error:
            found.append(f"{path} is not valid JSON: {error}")
            continue
        if not isinstance(board, dict):
            found.append(f"{path} is no dashboard: not an object")
            continue
        found += [f"{path} has no {key}" for key in ("uid", "title") if not board.get(key)]
        uids.append(board.get("uid", path))
        titles.append((str(PurePosixPath(path).parent), board.get("title", path)))
        found += [f"{path}: {problem}" for problem in _reference_problems(board, sources)]
    found += [f"dashboard uid {uid} is there twice" for uid in _twice(uids)]
    found += [f"{folder} has two dashboards called {title}" for folder, title in _twice(titles)]
    return found


def _reference_problems(board: dict[str, Any], sources: list[dict[str, Any]]) -> list[str]:
    types = {source.get("uid"): source.get("type") for source in sources}
    variables = {
        variable.get("name"): variable.get("query")
        for variable in (board.get("templating") or {}).get("list") or []
        if variable.get("type") == "datasource"
    }
    problems = [
        f"variable {name} asks for a datasource of type {kind}, and none is provisioned"
        for name, kind in variables.items()
        if kind not in types.values()
    ]
    for reference in _datasource_references(board):
        uid = reference.get("uid") if isinstance(reference, Mapping) else reference
        if uid is None or uid in _BUILT_IN or uid in types:
            continue
        name = str(uid).removeprefix("$").strip("{}").split(":", maxsplit=1)[0]
        if str(uid).startswith("$") and name in variables:
            continue
        problems.append(f"asks datasource {uid}, which is neither provisioned nor a variable")
    return list(dict.fromkeys(problems))


def _datasource_references(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            if key == "datasource":
                yield each
            else:
                yield from _datasource_references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _datasource_references(each)
