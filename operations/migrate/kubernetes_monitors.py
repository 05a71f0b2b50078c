"""ServiceMonitors and PodMonitors in values: services that are discovered in the cluster by labels."""

from __future__ import annotations

import re
from typing import Any

from pydantic import ValidationError

from components.config.base import is_duration, seconds
from components.config.services import MonitoredService
from components.config.stack import OWN_JOBS
from operations.migrate import names
from operations.migrate.output import Bundle
from operations.migrate.report import Node

_KNOWN = {"port", "targetPort", "path", "interval", "scrapeTimeout", "scheme", "params"}


def migrate_monitor(bundle: Bundle, node: Node, pods: bool, team: str) -> None:
    """One monitor: a service for each of its endpoints."""
    data = node.value if isinstance(node.value, dict) else {}
    kind = "PodMonitor" if pods else "ServiceMonitor"
    name = str(data.get("name") or node.place)
    endpoints = data.get("podMetricsEndpoints" if pods else "endpoints") or []
    namespaces = (data.get("namespaceSelector") or {}).get("matchNames") or []
    labels = (data.get("selector") or {}).get("matchLabels") or {}
    differences: list[str] = []
    if not namespaces:
        why = "it looks in all namespaces, or in its own; a service names those that Prometheus may read"
        bundle.report.impossible(node, kind, name, why, "write the service with `discovery: {kubernetes: ...}`")
        return
    if (data.get("selector") or {}).get("matchExpressions"):
        why = "it selects by expressions; a service selects by labels with one value each"
        bundle.report.impossible(node, kind, name, why, "write the service with `discovery: {kubernetes: ...}`")
        return
    services = bundle.stack.setdefault("services", [])
    for endpoint in endpoints:
        made = _service(name, endpoint, pods, team, namespaces, labels, differences)
        wanted = made["name"]
        made["name"] = names.unique(wanted, {each["name"] for each in services})
        try:
            MonitoredService.model_validate(made)
        except ValidationError as error:
            differences.append(str(error.errors(include_url=False, include_input=False)[0]["msg"]))
            continue
        services.append(made)
        if made["name"] != name:
            differences.append(f"an endpoint is the service {made['name']}")
    if not services:
        del bundle.stack["services"]
    lost = [
        key for key in data if key not in ("name", "endpoints", "podMetricsEndpoints", "namespaceSelector", "selector")
    ]
    if lost:
        differences.append(f"without {', '.join(map(str, lost))}")
    if not endpoints:
        bundle.report.impossible(node, kind, name, "it has no endpoints")
        return
    bundle.report.judged(node, kind, name, differences)


def _service(
    name: str,
    endpoint: Any,
    pods: bool,
    team: str,
    namespaces: list[Any],
    labels: dict[str, Any],
    differences: list[str],
) -> dict[str, Any]:
    data = endpoint if isinstance(endpoint, dict) else {}
    own = names.slug(name, "service")
    made: dict[str, Any] = {"name": f"my-{own}" if own in OWN_JOBS else own, "team": names.slug(team, "team")}
    where: dict[str, Any] = {
        "namespaces": [str(each) for each in namespaces],
        "role": "pod" if pods else "endpointslice",
    }
    where["labels"] = {str(key): str(value) for key, value in labels.items()}
    port = data.get("port", data.get("targetPort"))
    if isinstance(port, int):
        made["port"] = port
    else:
        where["port_name"] = str(port or "")
    made["discovery"] = {"kubernetes": where}
    made |= {"path": str(data["path"])} if data.get("path") else {}
    made |= {"scheme": str(data["scheme"]).lower()} if data.get("scheme") else {}
    if is_duration(str(data.get("interval") or "")):
        made["interval"] = str(data["interval"]) if seconds(str(data["interval"])) <= 150 else "2m30s"
        if made["interval"] != data["interval"]:
            differences.append(f"is scraped every 2m30s in place of {data['interval']}")
    if is_duration(str(data.get("scrapeTimeout") or "")):
        made["timeout"] = str(data["scrapeTimeout"])
    if isinstance(data.get("params"), dict):
        made["params"] = {str(key): [str(each) for each in values] for key, values in data["params"].items()}
    lost = [key for key in data if key not in _KNOWN and not re.fullmatch(r"honor\w+", str(key))]
    if lost:
        differences.append(f"an endpoint is without {', '.join(map(str, lost))}")
    return made
