"""A docker-compose file of a monitoring stack, with the files that it mounts: dockprom and its like."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from operations.errors import CommandError
from operations.migrate import names
from operations.migrate.alertmanager_file import migrate_alertmanager
from operations.migrate.compose_grafana import migrate_provisioning
from operations.migrate.compose_settings import (
    fitting_ports,
    migrate_command,
    migrate_environment,
    migrate_limits,
    migrate_ports,
    named_file,
)
from operations.migrate.compose_variables import variables
from operations.migrate.mounted import Mounted, configs, mounts
from operations.migrate.output import Bundle, attempt
from operations.migrate.prometheus_file import migrate_prometheus
from operations.migrate.report import Node
from operations.migrate.rules import migrate_rules
from operations.migrate.sources import mapping, read_yaml

_PRODUCTS = (
    ("prometheus", r"(^|/)prometheus(:|@|$)"),
    ("alertmanager", r"(^|/)alertmanager(:|@|$)"),
    ("grafana", r"(^|/)grafana(-oss|-enterprise)?(:|@|$)"),
    ("node-exporter", r"(^|/)node[-_]exporter(:|@|$)"),
    ("cadvisor", r"(^|/)cadvisor(:|@|$)"),
    ("blackbox-exporter", r"(^|/)blackbox[-_]exporter(:|@|$)"),
    ("jaeger", r"(^|/)(all-in-one|jaeger)(:|@|$)"),
)
_BY_ONE = "migrate each such file by itself, or paste it in here"
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
    "configs",
    "secrets",
)
_ORCHESTRATION += ("volumes", "hostname", "healthcheck", "deploy", "logging", "privileged", "devices", "cap_add")
_ORCHESTRATION += ("network_mode", "extra_hosts", "pid", "security_opt", "mem_limit", "cpus", "links", "tty", "init")
_ORCHESTRATION += ("stdin_open", "platform", "pull_policy", "profiles", "stop_grace_period", "ulimits")


def migrate_compose(bundle: Bundle, path: Path, team: str) -> None:
    """The compose file and everything beside it that its monitoring programs are given."""
    root = mapping(read_yaml(path), "compose file")
    services = root.get("services")
    if services is None and any(isinstance(each, dict) and "image" in each for each in root.value.values()):
        services = root  # the first version of the format had no `services`
    if services is None or not isinstance(services.value, dict):
        raise CommandError(f"{path} is no compose file: it has no services")
    products = {str(each.path[-1]): product_of(each.value, str(each.path[-1])) for each in services.items()}
    if not any(products.values()):
        raise CommandError(
            f"{path} has no monitoring in it", "it names no image of Prometheus, Grafana, an exporter ..."
        )
    bundle.stack["docker"] = {}
    given = partial(_given, path.parent, variables(path.parent / ".env"), root.value.get("configs"))
    taken: set[str] = set()
    for each in services.items():
        product = products[str(each.path[-1])]
        if not isinstance(each.value, dict):
            bundle.report.impossible(each, "service", str(each.path[-1]), "it is no mapping")
        elif product:
            attempt(bundle, each, "service", partial(_product, bundle, each, product, given, team, taken))
        else:
            why = "is no part of a monitoring stack here"
            todo = "keep it running where it is; what it exposes is scraped if prometheus.yml said so"
            bundle.report.impossible(each, "service", str(each.path[-1]), why, todo)
    fitting_ports(bundle)
    _exporters(bundle, set(products.values()))
    _networks(bundle, root, path)
    _top_level(bundle, root)


def _top_level(bundle: Bundle, root: Node) -> None:
    """What stands beside the services."""
    for key in ("version", "name", "x-common"):
        if found := root.get(key):
            bundle.report.carried(found, "key", key, "nothing here depends on it")
    if found := root.get("volumes"):
        for each in found.items():
            why = "the stack makes volumes of its own, which are empty"
            todo = "to keep what is in it, copy it into the new volume while both programs are stopped"
            bundle.report.impossible(each, "volume", str(each.path[-1]), why, todo)
    if (included := root.get("include")) is not None:
        bundle.report.impossible(included, "key", "include", "files that it includes are not followed", _BY_ONE)
    for key in ("configs", "secrets"):
        if given := root.get(key):
            how = "files that monitoring programs are given by it are read; secrets are set anew"
            bundle.report.approximated(given, "key", key, how)
    bundle.report.rest(root, "is no part of a monitoring stack here")


def product_of(service: Any, name: str) -> str:
    """Which product of the stack a compose service is: by its image, or by its name where the image is one's own."""
    if not isinstance(service, dict):
        return ""
    image = str(service.get("image") or "")
    known = next((product for product, pattern in _PRODUCTS if re.search(pattern, image)), "")
    called = re.sub(r"[^a-z]", "", name.lower())
    alike = (product for product, _ in _PRODUCTS if product.replace("-", "") == called)
    own = next(alike, "")
    return known or (own if not image or own in re.sub(r"[^a-z-]", "", image.replace("_", "-").lower()) else "")


@dataclass(frozen=True, slots=True)
class _Given:
    """What a service is given from beside the compose file: files, and variables of the whole project."""

    files: Mounted
    known: Mapping[str, str]


def _given(folder: Path, known: Mapping[str, str], declared: Any, service: dict[str, Any]) -> _Given:
    return _Given(Mounted(folder, {**dict(mounts(service)), **dict(configs(service, declared))}), known)


def _product(
    bundle: Bundle,
    node: Node,
    product: str,
    given: Callable[[dict[str, Any]], _Given],
    team: str,
    taken: set[str],
) -> None:
    report, name, own = bundle.report, str(node.path[-1]), given(node.value)
    migrate_limits(bundle, node, product, own.known)
    limits = "the same limits" if product in bundle.stack.get("resources", {}) else "its own limits"
    how = f"the stack's own {product} takes its place, with {limits}, its own image and health check"
    report.approximated(node, "service", name, how, keys=tuple(key for key in _ORCHESTRATION if key in node.value))
    migrate_ports(bundle, node, product, own.known)
    migrate_environment(bundle, node, product, own.files, own.known)
    migrate_command(bundle, node, product, own.known)
    if product == "prometheus":
        _prometheus(bundle, own.files, named_file(node.value, own.known), team, taken)
    elif product == "alertmanager":
        _alertmanager(bundle, own.files, named_file(node.value, own.known))
    elif product == "grafana":
        migrate_provisioning(bundle, own.files, node.value)
    if (extended := node.get("extends")) is not None:
        report.impossible(extended, "key", "extends", "the service that it extends is not followed", _BY_ONE)
    report.rest(node, f"the stack sets this itself for {product}")


def _prometheus(bundle: Bundle, files: Mounted, named: str, team: str, taken: set[str]) -> None:
    inside = named or "/etc/prometheus/prometheus.yml"
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


_PROMETHEUS_1 = re.compile(r"^\s*(ALERT\s+\w+|[\w:]+(\{.*\})?\s*=\s)", re.MULTILINE)


def migrate_rule_file(bundle: Bundle, path: Path, name: str, taken: set[str], team: str) -> None:
    """One file of rules, with every rule of it an item. One that cannot be read is told, and the rest goes on."""
    try:
        node = read_yaml(path, name)
        why = "it has no groups"
    except CommandError as error:
        node, why = Node(name, (), None), error.message
    groups = node.get("groups") if isinstance(node.value, dict) else None
    if groups is None:
        todo = "correct it, then migrate again"
        if isinstance(node.value, str | None) and _PROMETHEUS_1.search(path.read_text("utf-8", "replace")):
            why, todo = "it is in the format of Prometheus 1", "`promtool update rules` of Prometheus 2.0 rewrites it"
        bundle.report.impossible(node, "rule file", name, why, todo)
        return
    stem = names.unique(names.slug(path.name.split(".")[0], "rules"), bundle.rules)
    migrate_rules(bundle, groups, stem, taken, names.slug(team, "team"))
    bundle.report.rest(node, "a rule file has groups alone")


def _alertmanager(bundle: Bundle, files: Mounted, named: str) -> None:
    usual = ("/etc/alertmanager/alertmanager.yml", "/etc/alertmanager/config.yml")
    for inside in (named, *usual) if named else usual:
        path = files.find(inside)
        if path and path.is_file():
            migrate_alertmanager(bundle, mapping(read_yaml(path, files.name(path)), "alertmanager.yml"))
            return
    bundle.notes.append(
        "The file of Alertmanager was not found beside the compose file: routes and receivers are missing."
    )


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
