"""Receivers of Alertmanager as channels: one for each integration. Their secrets are only named."""

from __future__ import annotations

import re
from typing import Any

from pydantic import TypeAdapter, ValidationError

from components.config.alerting import OWN_RECEIVERS
from components.config.channels import Channel
from operations.migrate import names
from operations.migrate.output import Bundle
from operations.migrate.report import Node

_CHANNEL: TypeAdapter[Any] = TypeAdapter(Channel)
_SINGULAR = {"slack_configs": "slack", "pagerduty_configs": "pagerduty", "email_configs": "email"}
_SINGULAR |= {"webhook_configs": "webhook", "opsgenie_configs": "opsgenie"}
_TEXTS = {"title", "text", "html", "headers", "username", "icon_emoji", "icon_url", "color", "fallback", "footer"}
_TEXTS |= {"pretext", "title_link", "actions", "fields", "short_fields", "link_names", "mrkdwn_in", "message"}
_TEXTS |= {"description", "details", "client", "client_url", "severity", "class", "component", "group", "images"}
_TEXTS |= {"links", "note", "priority", "tags", "source", "image_url", "thumb_url", "callback_id", "max_alerts"}


def channels_of(
    bundle: Bundle, receiver: Node, general: dict[str, Any], unused: frozenset[str]
) -> dict[str, list[str]]:
    """The receiver's name to those of the channels that it becomes; none where it is among `unused`."""
    report = bundle.report
    name = receiver.value.get("name") if isinstance(receiver.value, dict) else None
    if not isinstance(name, str):
        report.impossible(receiver, "receiver", receiver.place, "it has no name")
        return {}
    made: list[str] = []
    if name in unused and any(key.endswith("_configs") for key in receiver.value):
        report.impossible(receiver, "receiver", name, "no route leads to it, or none that could be carried over")
        return {name: []}
    kinds = [key for key in receiver.value if key.endswith("_configs") and receiver.value[key]]
    for key in kinds:
        node = receiver.get(key)
        for each in node.items() if node else ():
            if key not in _SINGULAR:
                todo = "send to a program of yours by a webhook, and have that pass it on"
                report.impossible(
                    each, "receiver", f"{name} {key.removesuffix('_configs')}", "not a channel here", todo
                )
                continue
            alone = len(kinds) == 1 and len(receiver.value[key]) == 1
            channel = _add(bundle, each, name if alone else f"{name}-{_SINGULAR[key]}", _SINGULAR[key], general)
            made += [channel] if channel else []
    report.carried(receiver, "receiver", name, f"channels: {', '.join(made) or 'none'}", keys=("name",))
    report.rest(receiver, "a receiver has no such setting here")
    return {name: made}


def _add(bundle: Bundle, node: Node, wanted: str, kind: str, general: dict[str, Any]) -> str:
    """Put one integration among the channels; returns its name there, empty where it cannot be one."""
    data = node.value if isinstance(node.value, dict) else {}
    channels = bundle.stack["alerting"].setdefault("channels", {})
    name = names.slug(wanted, "channel")
    name = f"{name}-channel" if name in (*OWN_RECEIVERS, "access", "null") else name
    name = names.unique(name, channels)
    differences: list[str] = []
    secrets = len(bundle.secrets)
    channel = _MAKERS[kind](bundle, node, name, general, differences)
    if "send_resolved" in data:
        channel["send_resolved"] = bool(data["send_resolved"])
    elif kind == "email":
        channel["send_resolved"] = False  # Alertmanager's own default, which is true for all others but Slack
    elif kind == "slack":
        channel["send_resolved"] = False
    texts = sorted(_TEXTS & {*data})
    if texts:
        differences.append(f"messages are the product's own, without {', '.join(texts)}")
    try:
        _CHANNEL.validate_python(channel)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"][1:]))
        why = f"{where}: {first['msg']}".removeprefix(": ").replace("Value error, ", "")
        del bundle.secrets[secrets:]
        bundle.report.impossible(node, f"{kind} receiver", wanted, why, "write the channel by hand")
        if not channels:
            del bundle.stack["alerting"]["channels"]
        return ""
    channels[name] = channel
    known = {*_KEYS[kind], "send_resolved", *texts}
    lost = [key for key in data if key not in known]
    if lost:
        differences.append(f"not {', '.join(map(str, lost))}")
    bundle.report.judged(node, f"{kind} receiver", wanted, differences, f"is channel {name}")
    return name


def _slack(bundle: Bundle, node: Node, name: str, _general: dict[str, Any], differences: list[str]) -> dict[str, Any]:
    data = node.value
    made: dict[str, Any] = {"type": "slack"}
    where = f"{node.file}: {node.place}.api_url" if data.get("api_url") else f"{node.file}: global.slack_api_url"
    made["url"] = bundle.secret(names.secret(name, "url"), where)
    channel = str(data.get("channel") or "")
    if channel and not re.match(r"[#@CDG]", channel):
        channel = f"#{channel}"
    if channel and re.fullmatch(r"[#@][^\s{}]+|[CDG][A-Z0-9]{7,}", channel):
        made["channel"] = channel
    elif channel:
        differences.append(f"channel {channel} is no channel's name; the webhook's own is used")
    return made


def _pagerduty(
    bundle: Bundle, node: Node, name: str, general: dict[str, Any], differences: list[str]
) -> dict[str, Any]:
    data = node.value
    key = "routing_key" if data.get("routing_key") or data.get("routing_key_file") else "service_key"
    if key == "service_key":
        differences.append("Events API v1 became v2: make an integration of that type in PagerDuty")
    made = {
        "type": "pagerduty",
        "routing_key": bundle.secret(names.secret(name, "key"), f"{node.file}: {node.place}.{key}"),
    }
    url = str(data.get("url") or general.get("pagerduty_url") or "")
    return made | ({"api_url": url} if url.startswith("http") and key == "routing_key" else {})


def _email(bundle: Bundle, node: Node, name: str, general: dict[str, Any], differences: list[str]) -> dict[str, Any]:
    data = node.value

    def value(key: str, whole: str) -> Any:
        return data.get(key, general.get(whole))

    made: dict[str, Any] = {
        "type": "email",
        "to": [each for each in re.split(r"[,;\s]+", str(data.get("to") or "")) if each],
        "from": _address(str(value("from", "smtp_from") or "")),
        "smarthost": str(value("smarthost", "smtp_smarthost") or ""),
    }
    user = value("auth_username", "smtp_auth_username")
    if user:
        made["username"] = str(user)
        where = f"{node.file}: auth_password of this receiver, or global.smtp_auth_password"
        made["password"] = bundle.secret(names.secret(name, "password"), where)
    if value("require_tls", "smtp_require_tls") is False:
        if user:
            differences.append("the connection has to be encrypted here, for a password goes over it")
        else:
            made["require_tls"] = False
    return made


def _address(text: str) -> str:
    match = re.search(r"<([^>]+)>", text)
    return match[1] if match else text


def _webhook(bundle: Bundle, node: Node, name: str, _general: dict[str, Any], differences: list[str]) -> dict[str, Any]:
    data = node.value
    url = str(data.get("url") or "")
    path = re.sub(r"^https?://[^/?#]*", "", url)
    plain = re.fullmatch(r"https?://[^\s/@?#]+(/[^\s?#]*)?", url) and not re.search(r"[A-Za-z0-9_-]{20,}", path)
    made: dict[str, Any] = {"type": "webhook"}
    where = f"{node.file}: {node.place}.url"
    made["url"] = url if plain else bundle.secret(names.secret(name, "url"), where)
    client = data.get("http_config") or {}
    if client.get("authorization") or client.get("bearer_token") or client.get("bearer_token_file"):
        made["bearer_token"] = bundle.secret(names.secret(name, "token"), f"{node.file}: {node.place}.http_config")
    elif client:
        differences.append(f"not http_config with {', '.join(map(str, client))}")
    return made


def _opsgenie(bundle: Bundle, node: Node, name: str, general: dict[str, Any], differences: list[str]) -> dict[str, Any]:
    data = node.value
    where = f"{node.file}: {node.place}.api_key, or global.opsgenie_api_key"
    made: dict[str, Any] = {"type": "opsgenie", "api_key": bundle.secret(names.secret(name, "key"), where)}
    responders = []
    for each in data.get("responders") or ():
        plain = all("{" not in str(value) for value in each.values())
        if plain:
            responders.append({key: str(value) for key, value in each.items()})
        else:
            differences.append("a responder that is a template is left out")
    made |= {"responders": responders} if responders else {}
    url = str(data.get("api_url") or general.get("opsgenie_api_url") or "")
    return made | ({"api_url": url} if url.startswith("http") else {})


_MAKERS = {"slack": _slack, "pagerduty": _pagerduty, "email": _email, "webhook": _webhook, "opsgenie": _opsgenie}
_KEYS = {
    "slack": {"api_url", "api_url_file", "channel"},
    "pagerduty": {"routing_key", "routing_key_file", "service_key", "service_key_file", "url"},
    "email": {"to", "from", "smarthost", "auth_username", "auth_password", "auth_password_file", "require_tls"},
    "webhook": {"url", "url_file", "http_config"},
    "opsgenie": {"api_key", "api_key_file", "api_url", "responders"},
}
