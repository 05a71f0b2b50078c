"""Ports, environment and flags of a compose service, as far as a stack file has keys for them."""

from __future__ import annotations

import re
import shlex

from components.config.base import is_duration
from operations.migrate.output import Bundle
from operations.migrate.report import Node


def migrate_ports(bundle: Bundle, node: Node, product: str) -> None:
    key = {"prometheus": "prometheus", "alertmanager": "alertmanager", "grafana": "grafana"}.get(product)
    ports = node.get("ports")
    for each in ports.items() if ports else ():
        text = str(each.value.get("published") if isinstance(each.value, dict) else each.value)
        numbers = re.findall(
            r"\d+", text.split("/", maxsplit=1)[0].rsplit("}", 1)[0] if "$" in text else text.split("/", maxsplit=1)[0]
        )
        published = int(numbers[-2] if len(numbers) > 1 else numbers[-1]) if numbers else 0
        if key and 0 < published < 65536:
            bundle.stack.setdefault("ports", {})[key] = published
            how = "published on 127.0.0.1 alone: on another address it needs `access:`"
            bundle.report.approximated(each, "port", f"{product} {text}", how, "add `access:`, then `bind_address`")
        else:
            bundle.report.impossible(each, "port", f"{product} {text}", "the stack publishes no port of it")


def migrate_environment(bundle: Bundle, node: Node, product: str) -> None:
    found = node.get("environment")
    for each in found.items() if found else ():
        text = str(each.value) if isinstance(found and found.value, list) else f"{each.path[-1]}={each.value}"
        name, _, value = text.partition("=")
        settings = bundle.stack.setdefault("grafana", {}) if product == "grafana" else {}
        default = re.fullmatch(r"\$\{\w+:?-([^}]*)\}", value)
        plain = default[1] if default else value
        if product != "grafana":
            bundle.report.impossible(each, "environment", name, "the stack sets this itself")
        elif name in ("GF_SECURITY_ADMIN_PASSWORD", "GF_SECURITY_ADMIN_PASSWORD__FILE"):
            settings["admin_password"] = bundle.secret(
                "grafanaPassword", f"{node.file}: {node.place}.environment.{name}"
            )
            bundle.report.carried(each, "environment", name, "is the secret grafanaPassword, to be set")
        elif name == "GF_SECURITY_ADMIN_USER" and re.fullmatch(r"[A-Za-z0-9._@-]+", plain):
            settings["admin_user"] = plain
            bundle.report.carried(each, "environment", name, f"grafana.admin_user: {plain}")
        elif name == "GF_SERVER_ROOT_URL" and re.fullmatch(r"https?://[^\s/@$%]+(/[^\s$%]*)?", plain):
            settings["root_url"] = plain
            bundle.report.carried(each, "environment", name, f"grafana.root_url: {plain}")
        elif name in ("GF_USERS_ALLOW_SIGN_UP", "GF_AUTH_ANONYMOUS_ENABLED") and plain.lower() == "false":
            bundle.report.carried(each, "environment", name, "is always so here")
        elif name == "GF_INSTALL_PLUGINS":
            todo = f"grafana.plugins: [name@version], for {plain}"
            bundle.report.impossible(each, "environment", name, "a plugin needs a version here", todo)
        else:
            bundle.report.impossible(
                each, "environment", name, "has no key in a stack file", "see docs/guide/stack-file.md"
            )
    if bundle.stack.get("grafana") == {}:
        del bundle.stack["grafana"]


def migrate_command(bundle: Bundle, node: Node, product: str) -> None:
    found = node.get("command")
    if found is None:
        return
    if isinstance(found.value, str):
        flags = [(found, flag) for flag in split_words(found.value)]
        text = [_flag(bundle, product, flag) for _, flag in flags]
        outcomes = [detail for detail, kept in text if not kept]
        bundle.report.judged(found, "command", product, outcomes, "; ".join(detail for detail, kept in text if kept))
        return
    for each in found.items():
        detail, kept = _flag(bundle, product, str(each.value))
        if kept:
            bundle.report.carried(each, "flag", str(each.value), detail)
        else:
            bundle.report.impossible(each, "flag", str(each.value), detail)


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
