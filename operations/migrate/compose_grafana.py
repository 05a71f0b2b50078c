"""What a compose project gives its Grafana: provisioned datasources, and dashboards wherever they are mounted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from operations.migrate.grafana.boards import migrate_board, safe_folder
from operations.migrate.mounted import Mounted, mounts
from operations.migrate.output import Bundle
from operations.migrate.report import Node
from operations.migrate.sources import read_json, read_yaml


def migrate_provisioning(bundle: Bundle, files: Mounted, service: dict[str, Any]) -> None:
    """Every provisioning file, and every dashboard below what the container is given."""
    home = "/etc/grafana/provisioning"
    for path in (*files.all(home, "*.yml"), *files.all(home, "*.yaml")):
        node = read_yaml(path, files.name(path))
        kinds = [key for key in ("datasources", "providers", "notifiers", "groups", "contactPoints") if node.get(key)]
        for key in kinds:
            table = node.get(key)
            for each in table.items() if table else ():
                _provisioned(bundle, key, each)
        bundle.report.rest(node, "the stack provisions Grafana itself")
    folders = {home, "/var/lib/grafana/dashboards", "/etc/grafana/dashboards", "/dashboards", *dict(mounts(service))}
    seen: set[Path] = set()
    for folder in sorted(folders):
        for path in files.all(folder, "*.json"):
            if path.resolve() not in seen:
                seen.add(path.resolve())
                migrate_board(bundle, read_json(path, files.name(path)), safe_folder("Migrated"))


def _provisioned(bundle: Bundle, key: str, node: Node) -> None:
    data = node.value if isinstance(node.value, dict) else {}
    name = str(data.get("name") or node.place)
    if key == "datasources" and data.get("type") in ("prometheus", "alertmanager", "jaeger"):
        how = f"the stack's own {data['type']} takes its place; dashboards ask it by a variable"
        bundle.report.carried(node, "datasource", name, how)
    elif key == "datasources":
        bundle.report.impossible(node, "datasource", name, f"the stack has no {data.get('type')}", "keep it elsewhere")
    elif key == "providers":
        bundle.report.carried(node, "dashboard provider", name, "dashboards are named by dashboard_files")
    else:
        why = "alerts are rules of Prometheus here, and go to Alertmanager"
        bundle.report.impossible(node, key, name, why, "write it as a rule, and its receiver as a channel")
