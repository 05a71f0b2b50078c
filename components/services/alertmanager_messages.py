"""What a message says in each channel: which template of alertmanager.tmpl stands in which of the channel's fields."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.config.channels import (
    Channel,
    EmailChannel,
    OpsGenieChannel,
    PagerDutyChannel,
    SlackChannel,
)
from components.context import Context
from components.rules import grafana_url

TEMPLATES = "templates/observatory.tmpl"
"""Path of the templates below Alertmanager's configuration folder; a reload reads them again."""


@dataclass(frozen=True, slots=True)
class Links:
    """Where the buttons lead when the alerts of a message do not share one page; empty: there is no such button."""

    dashboards: str = ""
    runbooks: str = ""


def links(context: Context) -> Links:
    """The list of dashboards where Grafana is deployed, and the runbooks where they are published."""
    shown = context.config.grafana.enabled and context.image("grafana")
    return Links(f"{grafana_url(context)}/dashboards" if shown else "", context.config.alerting.runbooks_url or "")


def template_text() -> str:
    """The templates, as they stand beside this module."""
    return Path(__file__).with_name("alertmanager.tmpl").read_text(encoding="utf-8")


def message(channel: Channel, targets: Links) -> dict[str, Any]:
    """The fields of a channel that hold text; none for a webhook, whose body is data."""
    buttons = _buttons(targets)
    if isinstance(channel, SlackChannel):
        return {
            "color": _text("slack.color"),
            "title": _text("slack.title"),
            "fallback": _text("slack.title"),
            "text": _text("slack.text"),
            "actions": [{"type": "button", "text": text, "url": url} for text, url in buttons.items()],
        }
    if isinstance(channel, PagerDutyChannel):
        return {
            "description": _text("title"),
            "severity": _text("pagerduty.severity"),
            "source": "{{ or .CommonLabels.instance .CommonLabels.service .CommonLabels.environment .ExternalURL }}",
            "component": "{{ .CommonLabels.service }}",
            "group": "{{ .CommonLabels.team }}",
            "class": "{{ or .CommonLabels.alertname .CommonLabels.category }}",
            "details": {"firing": _text("pagerduty.firing"), "resolved": _text("pagerduty.resolved")},
            "links": [{"text": text, "href": url} for text, url in buttons.items()],
        }
    if isinstance(channel, EmailChannel):
        return {
            "headers": {"Subject": _text("title")},
            "text": _text("text"),
            "html": _text("email.html"),
        }
    if isinstance(channel, OpsGenieChannel):
        return {
            "message": _text("title"),
            "description": _text("text"),
            "source": "{{ .ExternalURL }}",  # the default is longer than the 100 characters that are allowed
            "priority": _text("opsgenie.priority"),
            "tags": _text("opsgenie.tags"),
            "entity": "{{ or .CommonLabels.service .CommonLabels.instance }}",
            "details": buttons,
        }
    return {}


def _text(name: str) -> str:
    return f'{{{{ template "observatory.{name}" . }}}}'


def _buttons(targets: Links) -> dict[str, str]:
    """Text to address: the page that all alerts of the message share, else the given one.

    Alerts of one name share a dashboard also where the links set its filters to different things.
    """
    unfiltered = '(and .CommonLabels.alertname (reReplaceAll "[?].*" "" (index .Alerts 0).Annotations.dashboard_url))'
    buttons = {}
    for text, shared, otherwise in (
        ("Dashboard", f".CommonAnnotations.dashboard_url {unfiltered}", targets.dashboards),
        ("Runbook", ".CommonAnnotations.runbook_url", targets.runbooks),
    ):
        if otherwise:
            # A JSON string is a string of Go's templates as well, whatever is in the address.
            buttons[text] = f"{{{{ or {shared} {json.dumps(otherwise)} }}}}"
    return buttons | {"Silence": _text("silence")}
