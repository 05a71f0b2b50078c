"""Ports, environment, limits and flags of a compose service, as far as a stack file has keys for them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from components.config.base import is_duration
from operations.migrate.compose_variables import filled, of_env_files
from operations.migrate.mounted import Mounted
from operations.migrate.output import Bundle
from operations.migrate.report import Node

_USUAL = {"prometheus": 9090, "alertmanager": 9093, "grafana": 3000}
_JAEGER = {16686: "jaeger", 4317: "otlp_grpc", 4318: "otlp_http", 9411: "zipkin"}
"""Port of the container to the key of `ports`."""
_BINARY = {"": 1, "b": 1, "k": 2**10, "m": 2**20, "g": 2**30}


def migrate_ports(bundle: Bundle, node: Node, product: str, known: Mapping[str, str]) -> None:
    """What is published, in all its forms: `8080`, `80:8080`, `127.0.0.1:80:8080/tcp`, or a mapping."""
    ports = node.get("ports")
    for each in ports.items() if ports else ():
        published, inside, text = _published(each.value, known)
        key = _JAEGER.get(inside, "") if product == "jaeger" else product if product in _USUAL else ""
        others = {number for name, number in bundle.stack.get("ports", {}).items() if name != key}
        if not key or not 0 < published < 65536:
            bundle.report.impossible(each, "port", f"{product} {text}", "the stack publishes no port of it")
        elif published in others:
            why = f"{published} is another program's here, and all ports are published on one address"
            bundle.report.impossible(each, "port", f"{product} {text}", why, f"give it another: ports.{key}")
        else:
            bundle.stack.setdefault("ports", {})[key] = published
            how = "published on 127.0.0.1 alone: on another address it needs `access:`"
            bundle.report.approximated(each, "port", f"{product} {text}", how, "add `access:`, then `bind_address`")


def _published(value: Any, known: Mapping[str, str]) -> tuple[int, int, str]:
    """The published port, the container's own, and both as text; 0 where not known. Of ranges the first counts."""
    text = f"{value.get('published', '')}:{value.get('target', '')}" if isinstance(value, dict) else str(value)
    parts = filled(text, known).split("/", maxsplit=1)[0].split(":")
    numbers = [int(match[0]) if (match := re.match(r"\d+", part)) else 0 for part in (*parts[-2:-1], parts[-1])]
    return numbers[0], numbers[-1], text.strip(":")


def fitting_ports(bundle: Bundle) -> None:
    """A program that published nothing gives way where its usual port is another's by now."""
    ports = bundle.stack.get("ports", {})
    for product, usual in _USUAL.items():
        if product not in ports and usual in ports.values():
            ports[product] = None
            bundle.notes.append(f"`ports.{product}` is null: its usual port, {usual}, is another program's.")


def migrate_environment(bundle: Bundle, node: Node, product: str, files: Mounted, known: Mapping[str, str]) -> None:
    """Variables of the service itself, and of the files that it names."""
    found = node.get("environment")
    listed = found is not None and isinstance(found.value, list)
    for each in found.items() if found else ():
        text = str(each.value) if listed else f"{each.path[-1]}={each.value}"
        name, _, value = text.partition("=")
        where = f"{node.file}: {node.place}.environment.{name}"
        _variable(bundle, each, product, name, filled(value, known), where)
    for each in of_env_files(bundle, node, files):
        name = str(each.path[-1])
        _variable(bundle, each, product, name, filled(str(each.value), known), f"{each.file}: {name}")


def _variable(bundle: Bundle, each: Node, product: str, name: str, plain: str, where: str) -> None:
    """What became of one variable. Values are never told: a name does not say what is secret."""
    report = bundle.report
    settings: dict[str, Any] = {}
    if product != "grafana":
        report.impossible(each, "environment", name, "the stack sets this itself")
    elif name in ("GF_SECURITY_ADMIN_PASSWORD", "GF_SECURITY_ADMIN_PASSWORD__FILE"):
        settings["admin_password"] = bundle.secret("grafanaPassword", where)
        report.carried(each, "environment", name, "is the secret grafanaPassword, to be set")
    elif name == "GF_SECURITY_ADMIN_USER" and re.fullmatch(r"[A-Za-z0-9._@-]+", plain):
        settings["admin_user"] = plain
        report.carried(each, "environment", name, f"grafana.admin_user: {plain}")
    elif name == "GF_SERVER_ROOT_URL" and re.fullmatch(r"https?://[^\s/@$%]+(/[^\s$%]*)?", plain):
        settings["root_url"] = plain
        report.carried(each, "environment", name, f"grafana.root_url: {plain}")
    elif name in ("GF_USERS_ALLOW_SIGN_UP", "GF_AUTH_ANONYMOUS_ENABLED") and plain.lower() == "false":
        report.carried(each, "environment", name, "is always so here")
    elif name == "GF_INSTALL_PLUGINS":
        todo = f"grafana.plugins: [name@version], for {plain}"
        report.impossible(each, "environment", name, "a plugin needs a version here", todo)
    else:
        report.impossible(each, "environment", name, "has no key in a stack file", "see docs/guide/stack-file.md")
    if settings:
        bundle.stack.setdefault("grafana", {}).update(settings)


def migrate_limits(bundle: Bundle, node: Node, product: str, known: Mapping[str, str]) -> None:
    """`mem_limit` and `cpus`, or what a swarm calls so; Docker's units are powers of 1024."""
    deploy = node.get("deploy")
    resources = deploy.get("resources") if deploy else None
    limits = resources.get("limits") if resources else None
    inner = limits.value if limits and isinstance(limits.value, dict) else {}
    memory = filled(str(node.value.get("mem_limit") or inner.get("memory") or ""), known).strip().lower()
    cpus = filled(str(node.value.get("cpus") or inner.get("cpus") or ""), known).strip()
    made: dict[str, Any] = {}
    if match := re.fullmatch(r"(\d+(?:\.\d+)?)\s*([bkmg]?)i?b?", memory):
        mebibytes = round(float(match[1]) * _BINARY[match[2]] / 2**20)
        made |= {"memory": f"{mebibytes}MB"} if mebibytes >= 16 else {}
    if re.fullmatch(r"\d*\.?\d+", cpus) and 0.05 < float(cpus) <= 64:
        made["cpus"] = float(cpus)
    if made:
        bundle.stack.setdefault("resources", {})[product] = made
    given = {key: text for key, text in (("memory", memory), ("cpus", cpus)) if text}
    for key, text in given.items():
        if key not in made:
            bundle.notes.append(f"The limit {text} of {product} is none that `resources.{product}.{key}` takes.")


def migrate_command(bundle: Bundle, node: Node, product: str, known: Mapping[str, str]) -> None:
    """Flags, each one item; those that stand in one text are one item together."""
    found = node.get("command")
    if found is None:
        return
    if isinstance(found.value, str):
        text = [_flag(bundle, product, filled(flag, known)) for flag, _ in _joined(split_words(found.value))]
        outcomes = [detail for detail, kept in text if not kept]
        bundle.report.judged(found, "command", product, outcomes, "; ".join(detail for detail, kept in text if kept))
        return
    parts = list(found.items())
    for flag, number in _joined([str(each.value) for each in parts]):
        detail, kept = _flag(bundle, product, filled(flag, known))
        report = bundle.report.carried if kept else bundle.report.impossible
        report(parts[number], "flag", flag, detail)
        if number + 1 < len(parts) and flag == f"{parts[number].value}={parts[number + 1].value}":
            report(parts[number + 1], "value", str(parts[number + 1].value), f"belongs to {parts[number].value}")


def _joined(words: Sequence[str]) -> list[tuple[str, int]]:
    """Flags with their places; a flag whose value is the word after it is one with that."""
    found: list[tuple[str, int]] = []
    for number, word in enumerate(words):
        before = found[-1] if found else ("", -2)
        if not word.startswith("-") and before[1] == number - 1 and re.fullmatch(r"--?[A-Za-z][\w.-]*", before[0]):
            found[-1] = (f"{before[0]}={word}", before[1])
        else:
            found.append((word, number))
    return found


def named_file(service: Mapping[str, Any], known: Mapping[str, str]) -> str:
    """The path that `--config.file` names, inside of the container; empty where no flag does."""
    command = service.get("command") or ()
    words = split_words(command) if isinstance(command, str) else [str(flag).strip("'\"") for flag in command]
    flags = (filled(flag, known).lstrip("-") for flag, _ in _joined(words))
    return next((flag.partition("=")[2] for flag in flags if flag.startswith("config.file=")), "")


def split_words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def _flag(bundle: Bundle, product: str, text: str) -> tuple[str, bool]:
    """What became of one flag, and whether it is kept."""
    name, _, value = text.strip("'\"").lstrip("-").partition("=")
    if (
        product == "prometheus"
        and name in ("storage.tsdb.retention.time", "storage.tsdb.retention")
        and is_duration(value)
    ):
        bundle.stack.setdefault("retention", {})["time"] = value
        return f"retention.time: {value}", True
    if (
        product == "prometheus"
        and name == "storage.tsdb.retention.size"
        and re.fullmatch(r"[1-9]\d*(KB|MB|GB|TB)", value)
    ):
        bundle.stack.setdefault("retention", {})["size"] = value
        return f"retention.size: {value}", True
    if name == "web.external-url" and re.fullmatch(r"https?://[^\s/@$]+(/[^\s$]*)?", value):
        bundle.stack.setdefault("external_urls", {})[product] = value
        return f"external_urls.{product}: {value}", True
    if name in ("config.file", "storage.tsdb.path", "storage.path", "web.enable-lifecycle", "web.listen-address"):
        return "the stack sees to this itself", True
    return f"{name} is set by the stack itself", False
