"""Checks of Grafana: each datasource works, each dashboard is there as planned."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import Any

from components.config.own_files import is_own
from operations.checks.prometheus import listed
from operations.consistency import dashboards, datasources, grafana_of
from operations.differences import differences
from operations.http import Endpoint
from operations.running import UPDATE, Check, CheckFailed, Running

NAME, LOGIN = "grafana", "grafana-login"


def ready(running: Running) -> str:
    """Grafana and its database answer."""
    health = running.endpoint(NAME).get_json("/api/health")
    if health.get("database") != "ok":
        raise CheckFailed(f"Grafana's database is {health.get('database')}", "see Grafana's log; is its disk full?")
    return running.endpoint(NAME).url


def datasources_work(running: Running) -> str:
    """Each planned datasource is there with its address and reaches its server."""
    endpoint = running.endpoint(LOGIN)
    grafana = grafana_of(running.plan)
    planned = datasources(grafana) if grafana else []
    problems = [problem for source in planned for problem in _datasource(endpoint, source)]
    if problems:
        raise CheckFailed(listed(problems), UPDATE)
    return ", ".join(source["name"] for source in planned)


def _datasource(endpoint: Endpoint, source: dict[str, Any]) -> list[str]:
    name, uid = source["name"], source["uid"]
    try:
        actual = endpoint.get_json(f"/api/datasources/uid/{uid}")
        problems = [
            f"{name}: {key} is {actual.get(key)}, planned is {source[key]}"
            for key in ("type", "url")
            if actual.get(key) != source[key]
        ]
        # Grafana has no health check for this one: so through its proxy, as its pages do.
        if source["type"] == "alertmanager":
            endpoint.get_json(f"/api/datasources/proxy/uid/{uid}/api/v2/status")
        else:
            health = endpoint.get_json(f"/api/datasources/uid/{uid}/health")
            if health.get("status") != "OK":
                problems.append(f"{name}: {health.get('message', health)}")
    except CheckFailed as error:
        if error.status == 404:
            return [f"{name}: Grafana has no such datasource, or not its plugin"]
        if error.status in (0, 401, 403):
            raise
        return [f"{name}: {error.detail}"]
    return problems


def dashboards_are_there(running: Running) -> str:
    """Each planned dashboard is there, in its folder, with every panel as planned."""
    endpoint = running.endpoint(LOGIN)
    grafana = grafana_of(running.plan)
    problems = []
    texts = dashboards(grafana) if grafana else {}
    for path, text in texts.items():
        problems += [f"{path}: {problem}" for problem in _dashboard(endpoint, path, json.loads(text))]
    if problems:
        raise CheckFailed(listed(problems), UPDATE)
    return f"{len(texts)} dashboards"


def _dashboard(endpoint: Endpoint, path: str, planned: dict[str, Any]) -> list[str]:
    try:
        actual = endpoint.get_json(f"/api/dashboards/uid/{planned['uid']}")
    except CheckFailed as error:
        if error.status == 404:
            return ["is not there"]
        raise
    folder = PurePosixPath(path).parent.name
    found = []
    if actual["meta"].get("folderTitle") != folder:
        found.append(f"is in folder {actual['meta'].get('folderTitle')}")
    if is_own(path):  # Grafana itself raises dashboards of older kinds to its own
        return found + ([] if actual["dashboard"].get("title") == planned["title"] else ["has another title"])
    ignored = {"id", "version", "iteration"}
    mine = {key: value for key, value in planned.items() if key not in ignored}
    return found + list(differences(mine, actual["dashboard"]))[:3]


CHECKS = (
    Check("grafana answers", ready, answers=NAME),
    Check("every datasource works", datasources_work, (NAME, LOGIN)),
    Check("every dashboard is there", dashboards_are_there, (NAME, LOGIN)),
)
