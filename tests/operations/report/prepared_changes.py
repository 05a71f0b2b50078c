"""Two stacks as they were reviewed, and five changes of them, each as a pull request might hold it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from components.yaml_text import dump
from tests.operations.report.repository import Repository
from tests.support import ACCESS, COPIED, changed

SHOP: dict[str, Any] = {
    "environment": "shop",
    "access": ACCESS,
    "ports": {"alertmanager": "127.0.0.1:9093"},
    "retention": {"time": "30d", "size": "40GB"},
    "services": [
        {
            "name": "checkout",
            "team": "payments",
            "port": 8080,
            "discovery": {"static": {"targets": ["checkout-1.example.com", "checkout-2.example.com"]}},
            "exposes": ["http"],
        },
        {
            "name": "search",
            "team": "discovery",
            "port": 80,
            "discovery": {"static": {"targets": ["search.example.com"]}},
        },
    ],
    "tracing": {"retention": "7d"},
    "backup": {**COPIED, "schedule": "6h"},
    "alerting": {
        "channels": {
            "team-chat": {"type": "slack", "url": {"secret": "slackUrl"}, "channel": "#alerts"},
            "on-call": {"type": "pagerduty", "routing_key": {"secret": "pagerdutyKey"}},
        },
        "default_channels": ["team-chat"],
        "routes": [{"match": {"severity": ["critical", "emergency"]}, "channels": ["on-call", "team-chat"]}],
    },
    "resources": {"prometheus": {"memory": "2GB", "cpus": 1}},
}
CLUSTER: dict[str, Any] = {
    "environment": "cluster",
    "platform": "kubernetes",
    "kubernetes": {
        "context": "production",
        "volumes": {"prometheus": "50GB"},
        "ingress": {"hosts": {"grafana": "grafana.example.com"}, "tls_secret": "observatory-tls"},
    },
    "high_availability": {"alertmanager": 3},
    "storage": {"backend": "s3", "bucket": {"name": "metrics", "region": "eu-central-1"}},
}
POLICY: dict[str, Any] = {"rules": [{"id": "shop-like-canary", "stack": "shop", "not_weaker_than": "canary"}]}
STACKS = {"shop": SHOP, "canary": {**SHOP, "environment": "canary"}, "cluster": CLUSTER}


def _write(repository: Repository, name: str, **changes: Any) -> None:
    stack = changed(STACKS[name], **changes)
    repository.write(f"stacks/Pulumi.{name}.yaml", dump({"config": {"observatory:stack": stack}}))


def quieter_alerts(repository: Repository) -> str:
    """Numbers in a rule file and in a stack file, an alert that is off, one that asks something else, a new one."""
    repository.replace(
        "rules/http.yaml", "threshold: {default: 1%, unit: ratio", "threshold: {default: 2%, unit: ratio"
    )
    repository.replace("rules/http.yaml", "threshold: {default: 500ms, unit", "threshold: {default: 300ms, unit")
    repository.replace(
        "rules/http.yaml",
        "expr: service:http_requests_failed:rate5m / service:http_requests:rate5m\n",
        "expr: service:http_requests_failed:rate5m / (service:http_requests:rate5m > 1)\n",
    )
    _write(
        repository,
        "shop",
        alerts={
            "HighRequestRate": False,
            "TargetDown": {"for": "20m"},
            "ServiceDown": {"severity": "warning"},
            "High5xxErrorRate": {"threshold": "3%", "severity": "emergency"},
        },
    )
    return "shop"


def other_receivers(repository: Repository) -> str:
    """Warnings of one team go to a channel of its own at working hours only; another channel has another place."""
    _write(
        repository,
        "shop",
        alerting__channels={
            **SHOP["alerting"]["channels"],
            "team-chat": {"type": "slack", "url": {"secret": "slackUrl"}, "channel": "#alerts-all"},
            "payments-chat": {"type": "slack", "url": {"secret": "paymentsSlackUrl"}, "channel": "#payments"},
        },
        alerting__routes=[
            *SHOP["alerting"]["routes"],
            {
                "match": {"team": "payments"},
                "channels": ["payments-chat"],
                "mute": ["weekend"],
                "repeat_interval": "12h",
            },
        ],
        alerting__time_intervals={"weekend": [{"weekdays": ["saturday", "sunday"]}]},
        alerting__group_wait="1m",
    )
    return "shop"


def less_kept(repository: Repository) -> str:
    """Samples for a week, no traces, volumes without protection, rarer copies of less, no login."""
    _write(
        repository,
        "shop",
        retention={"time": "7d", "size": "10GB"},
        tracing={"backend": "none"},
        access=None,
        data={"keep": False},
        backup={**COPIED, "schedule": "24h", "keep": {"daily": 2}, "include": ["grafana"]},
    )
    return "shop"


def open_to_others(repository: Repository) -> str:
    """A new service, one that goes, one that moved; a port for other hosts; another image; more memory."""
    checkout, _ = SHOP["services"]
    stack = changed(
        SHOP,
        services=[
            changed(checkout, discovery__static__targets=["checkout-1.example.com", "checkout-3.example.com"]),
            {
                "name": "basket",
                "team": "payments",
                "port": 9000,
                "discovery": {"dns": {"names": ["basket.example.com"]}},
                "instances": 3,
                "exposes": ["http", "cache"],
                "authentication": {"bearer": {"token": {"secret": "basketToken"}}},
            },
        ],
        ports={"alertmanager": "10.0.0.5:9093"},
        dashboards=["services", "red", "stack", "alerts"],
        resources={"prometheus": {"memory": "4GB", "cpus": 2}},
        images={"overrides": {"jaeger": "mirror.example.com/jaeger:2.99.0"}},
    )
    repository.write("stacks/Pulumi.shop.yaml", dump({"config": {"observatory:stack": stack}}))
    return "shop"


def another_cluster(repository: Repository) -> str:
    """A smaller claim, one Alertmanager in place of three, another bucket, another namespace."""
    _write(
        repository,
        "cluster",
        kubernetes__volumes={"prometheus": "20GB"},
        kubernetes__namespace="watching",
        high_availability={},
        storage__bucket__name="metrics-2",
    )
    return "cluster"


PREPARED: dict[str, Callable[[Repository], str]] = {
    "quieter-alerts": quieter_alerts,
    "other-receivers": other_receivers,
    "less-kept": less_kept,
    "open-to-others": open_to_others,
    "another-cluster": another_cluster,
}
"""Name to what makes the change; it returns the stack to report on."""
