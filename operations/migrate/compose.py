"""A docker-compose file of a monitoring stack, with the files that it mounts: dockprom and its like."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import Any

from operations.errors import CommandError
from operations.migrate import names
from operations.migrate.alertmanager_file import migrate_alertmanager
from operations.migrate.compose_settings import migrate_command, migrate_environment, migrate_ports, split_words
from operations.migrate.grafana.boards import migrate_board, safe_folder
from operations.migrate.mounted import Mounted, mounts
from operations.migrate.output import Bundle, attempt
from operations.migrate.prometheus_file import migrate_prometheus
from operations.migrate.report import Node
from operations.migrate.rules import migrate_rules
from operations.migrate.sources import mapping, read_json, read_yaml

_PRODUCTS = (
    ("prometheus", r"(^|/)prometheus(:|@|$)"),
    ("alertmanager", r"(^|/)alertmanager(:|@|$)"),
    ("grafana", r"(^|/)grafana(-oss|-enterprise)?(:|@|$)"),
    ("node-exporter", r"(^|/)node[-_]exporter(:|@|$)"),
    ("cadvisor", r"(^|/)cadvisor(:|@|$)"),
    ("blackbox-exporter", r"(^|/)blackbox[-_]exporter(:|@|$)"),
    ("jaeger", r"(^|/)(all-in-one|jaeger)(:|@|$)"),
)
_ORCHESTRATION: tuple[str, ...] = (
    "image",
    "container_name",
    "build",
    "restart",
    "depends_on",
    "expose",
    "networks",
    "labels",
    "user",
)
_ORCHESTRATION += ("volumes", "hostname", "healthcheck", "deploy", "logging", "privileged", "devices", "cap_add")
_ORCHESTRATION += ("network_mode", "extra_hosts", "pid", "security_opt", "mem_limit", "cpus", "links", "tty", "init")
_ORCHESTRATION += ("env_file", "stdin_open", "platform", "pull_policy", "profiles", "stop_grace_period", "ulimits")


def migrate_compose(bundle: Bundle, path: Path, team: str) -> None:
    """The compose file and everything beside it that its monitoring programs are given."""
    root = mapping(read_yaml(path), "compose file")
    services = root.get("services")
    if services is None and any(isinstance(each, dict) and "image" in each for each in root.value.values()):
        services = root  # the first version of the format had no `services`
    if services is None or not isinstance(services.value, dict):
        raise CommandError(f"{path} is no compose file: it has no services")
    products = {str(each.path[-1]): product_of(each.value) for each in services.items()}
    if not any(products.values()):
        raise CommandError(
            f"{path} has no monitoring in it", "it names no image of Prometheus, Grafana, an exporter ..."
        )
    bundle.stack["docker"] = {}
    taken: set[str] = set()
    for each in services.items():
        product = products[str(each.path[-1])]
        if not isinstance(each.value, dict):
            bundle.report.impossible(each, "service", str(each.path[-1]), "it is no mapping")
        elif product:
            attempt(bundle, each, "service", partial(_product, bundle, each, product, path.parent, team, taken))
        else:
            why = "is no part of a monitoring stack here"
            todo = "keep it running where it is; what it exposes is scraped if prometheus.yml said so"
            bundle.report.impossible(each, "service", str(each.path[-1]), why, todo)
    _exporters(bundle, set(products.values()))
    _networks(bundle, root, path)
    for key in ("version", "name", "x-common"):
        if found := root.get(key):
            bundle.report.carried(found, "key", key, "nothing here depends on it")
    if found := root.get("volumes"):
        for each in found.items():
            why = "the stack makes volumes of its own, which are empty"
            todo = "to keep the samples, copy Prometheus' data folder into the new volume while both are stopped"
            bundle.report.impossible(each, "volume", str(each.path[-1]), why, todo)
    bundle.report.rest(root, "is no part of a monitoring stack here")


def product_of(service: Any) -> str:
    """Which product of the stack a compose service is, by its image; empty for none."""
    image = str(service.get("image") or "") if isinstance(service, dict) else ""
    return next((product for product, pattern in _PRODUCTS if re.search(pattern, image)), "")


def _product(bundle: Bundle, node: Node, product: str, folder: Path, team: str, taken: set[str]) -> None:
    report, name = bundle.report, str(node.path[-1])
    files = Mounted(folder, dict(mounts(node.value)))
    how = f"the stack's own {product} takes its place, with its own image, limits and health check"
    report.approximated(node, "service", name, how, keys=tuple(key for key in _ORCHESTRATION if key in node.value))
    migrate_ports(bundle, node, product)
    migrate_environment(bundle, node, product)
    migrate_command(bundle, node, product)
    if product == "prometheus":
        _prometheus(bundle, files, node.value, team, taken)
    elif product == "alertmanager":
        _alertmanager(bundle, files, node.value)
    elif product == "grafana":
        _grafana(bundle, files, node.value)
    report.rest(node, f"the stack sets this itself for {product}")


def _prometheus(bundle: Bundle, files: Mounted, service: dict[str, Any], team: str, taken: set[str]) -> None:
    command = service.get("command") or ()
    flags = [str(flag).strip("'\"") for flag in (split_words(command) if isinstance(command, str) else command)]
    named = [flag.partition("=")[2] for flag in flags if flag.lstrip("-").startswith("config.file=")]
    inside = named[0] if named else "/etc/prometheus/prometheus.yml"
    path = files.find(inside)
    if path is None or not path.is_file():
        bundle.notes.append(f"{inside} was not found beside the compose file: its scrape jobs and rules are missing.")
        return
    root = mapping(read_yaml(path, files.name(path)), "prometheus.yml")
    migrate_prometheus(bundle, root, path.parent, team)
    home = inside.rpartition("/")[0]
    seen: set[Path] = set()
    for pattern in root.value.get("rule_files") or ():
        whole = str(pattern) if str(pattern).startswith("/") else f"{home}/{pattern}"
        for file in files.all(whole.rpartition("/")[0], whole.rpartition("/")[2]):
            if file not in seen and file.suffix in (".yml", ".yaml", ".rules"):
                seen.add(file)
                migrate_rule_file(bundle, file, files.name(file), taken, team)
        if not seen:
            bundle.notes.append(f"Rule files {pattern} were not found beside the compose file.")


def migrate_rule_file(bundle: Bundle, path: Path, name: str, taken: set[str], team: str) -> None:
    """One file of rules, with every rule of it an item."""
    node = read_yaml(path, name)
    groups = node.get("groups") if isinstance(node.value, dict) else None
    if groups is None:
        bundle.report.impossible(node, "rule file", name, "it has no groups: the format of Prometheus 1, or empty")
        return
    stem = names.unique(names.slug(path.name.split(".")[0], "rules"), bundle.rules)
    migrate_rules(bundle, groups, stem, taken, names.slug(team, "team"))
    bundle.report.rest(node, "a rule file has groups alone")


def _alertmanager(bundle: Bundle, files: Mounted, service: dict[str, Any]) -> None:
    command = service.get("command") or ()
    flags = [str(flag).strip("'\"") for flag in (split_words(command) if isinstance(command, str) else command)]
    named = [flag.partition("=")[2] for flag in flags if flag.lstrip("-").startswith("config.file=")]
    for inside in (*named, "/etc/alertmanager/alertmanager.yml", "/etc/alertmanager/config.yml"):
        path = files.find(inside)
        if path and path.is_file():
            migrate_alertmanager(bundle, mapping(read_yaml(path, files.name(path)), "alertmanager.yml"))
            return
    bundle.notes.append(
        "The file of Alertmanager was not found beside the compose file: routes and receivers are missing."
    )


def _grafana(bundle: Bundle, files: Mounted, service: dict[str, Any]) -> None:
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


def _exporters(bundle: Bundle, products: set[str]) -> None:
    """Only what ran before runs on; the rest of the defaults is switched off."""
    settings = {"node": "node-exporter" in products, "cadvisor": "cadvisor" in products}
    settings["blackbox"] = "blackbox-exporter" in products or bool(bundle.stack.get("probes"))
    bundle.stack["exporters"] = settings
    if "jaeger" not in products:
        bundle.stack["tracing"] = {"backend": "none"}
    if "grafana" not in products:
        bundle.stack["grafana"] = {"enabled": False}


def _networks(bundle: Bundle, root: Node, path: Path) -> None:
    """Services that are scraped by their names are on the project's network, which Prometheus has to join."""
    found = root.get("networks")
    declared = [str(each.path[-1]) for each in found.items()] if found else []
    project = re.sub(r"[^a-z0-9_-]", "", str(root.value.get("name") or path.resolve().parent.name).lower()) or "project"
    own = {}
    for name in declared or ["default"]:
        table = found.value.get(name) if found and isinstance(found.value, dict) else None
        external = isinstance(table, dict) and (table.get("name") or (name if table.get("external") else None))
        own[name] = str(external or f"{project}_{name}")
    inside = any(
        "." not in target.rpartition(":")[0] and not target.startswith(("localhost", "host.docker"))
        for service in bundle.stack.get("services") or ()
        for target in service["discovery"].get("static", {}).get("targets", ())
    )
    if inside:
        bundle.stack["docker"]["networks"] = [
            name for name in own.values() if re.fullmatch(r"[A-Za-z0-9][\w.-]*", name)
        ]
        bundle.notes.append(
            "`docker.networks` names the networks of the compose project, where the scraped services are; "
            "`docker network ls` shows whether they are called so."
        )
    if not bundle.stack["docker"]:
        del bundle.stack["docker"]
    for each in found.items() if found else ():
        name = str(each.path[-1])
        how = f"as docker.networks: {own[name]}" if inside else "the stack has a network of its own"
        bundle.report.approximated(each, "network", name, how)
