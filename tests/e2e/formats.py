"""What Slack, PagerDuty, OpsGenie and the readers of webhooks take: their documented formats as JSON Schemas.

No key is allowed beyond those that are documented. Sources stand beside each format.
"""

from __future__ import annotations

from typing import Any

TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
URL: dict[str, Any] = {"type": "string", "pattern": r"^https?://[^\s<>|]+$"}
WORDS: dict[str, Any] = {"type": "object", "additionalProperties": {"type": "string"}}


def text(longest: int) -> dict[str, Any]:
    return {"type": "string", "minLength": 1, "maxLength": longest}


def only(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    """An object with these keys and no others."""
    return {
        "type": "object",
        "required": [*required],
        "properties": required | (optional or {}),
        "additionalProperties": False,
    }


# https://docs.slack.dev/legacy/legacy-messaging/legacy-secondary-message-attachments
SLACK = only(
    {
        "attachments": {
            "type": "array",
            "minItems": 1,
            "items": only(
                {
                    "fallback": TEXT,
                    "text": text(8000),
                    "title": text(1024),
                    "color": {"enum": ["good", "warning", "danger"]},
                },
                {
                    "title_link": URL,
                    "callback_id": {"type": "string"},
                    "footer": {"type": "string"},
                    "mrkdwn_in": {"type": "array", "items": {"enum": ["pretext", "text", "fallback"]}},
                    "actions": {
                        "type": "array",
                        "maxItems": 5,
                        "items": only({"type": {"const": "button"}, "text": text(75), "url": URL}),
                    },
                },
            ),
        },
    },
    {"channel": {"type": "string", "pattern": "^[#@]"}, "username": TEXT},
)

# https://developer.pagerduty.com/docs/send-alert-event
_PAGERDUTY_PAYLOAD = only(
    {"summary": text(1024), "source": TEXT, "severity": {"enum": ["critical", "error", "warning", "info"]}},
    {"timestamp": TEXT, "component": TEXT, "group": TEXT, "class": TEXT, "custom_details": {"type": "object"}},
)
PAGERDUTY = only(
    {
        "routing_key": {"type": "string", "pattern": "^[0-9a-zA-Z]{32}$"},
        "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
        "dedup_key": text(255),
        "payload": _PAGERDUTY_PAYLOAD,
    },
    {
        "client": TEXT,
        "client_url": URL,
        "links": {"type": "array", "items": only({"href": URL}, {"text": TEXT})},
        "images": {"type": "array", "items": only({"src": URL}, {"href": URL, "alt": TEXT})},
    },
)

# https://docs.opsgenie.com/docs/alert-api
OPSGENIE_CREATE = only(
    {"message": text(130)},
    {
        "alias": text(512),
        "description": text(15000),
        "responders": {
            "type": "array",
            "items": only(
                {"type": {"enum": ["team", "user", "escalation", "schedule"]}},
                {"id": TEXT, "name": TEXT, "username": TEXT},
            ),
        },
        "tags": {"type": "array", "maxItems": 20, "items": text(50)},
        "details": WORDS,
        "entity": text(512),
        "source": text(100),
        "priority": {"enum": ["P1", "P2", "P3", "P4", "P5"]},
    },
)
OPSGENIE_CLOSE = only({}, {"source": text(100), "user": text(100), "note": text(25000)})

# https://prometheus.io/docs/alerting/latest/configuration/#webhook_config
_STATUS = {"enum": ["firing", "resolved"]}
WEBHOOK = only(
    {
        "version": {"const": "4"},
        "groupKey": TEXT,
        "truncatedAlerts": {"const": 0},
        "status": _STATUS,
        "receiver": TEXT,
        "groupLabels": WORDS,
        "commonLabels": WORDS,
        "commonAnnotations": WORDS,
        "externalURL": URL,
        "alerts": {
            "type": "array",
            "minItems": 1,
            "items": only(
                {
                    "status": _STATUS,
                    "labels": WORDS,
                    "annotations": WORDS,
                    "startsAt": TEXT,
                    "endsAt": TEXT,
                    "generatorURL": {"type": "string"},
                    "fingerprint": TEXT,
                }
            ),
        },
    },
    {"notification_reason": TEXT, "routeLabels": {"type": ["object", "null"]}},  # since Alertmanager 0.33 and 0.34
)
