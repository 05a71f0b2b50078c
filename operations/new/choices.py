"""What `new` can be asked for. The models decide what there is; here stand only the names that people say for it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from components.config.errors import near
from components.config.products import Exporters, Tracing
from components.config.stack import DASHBOARDS, StackConfig
from components.config.storage import Storage
from operations.errors import UsageError

STACKS: tuple[str, ...] = get_args(StackConfig.model_fields["stack"].annotation)
PLATFORMS: tuple[str, ...] = get_args(StackConfig.model_fields["platform"].annotation)
TRACING: tuple[str, ...] = get_args(Tracing.model_fields["backend"].annotation)
STORAGE: tuple[str, ...] = get_args(Storage.model_fields["backend"].annotation)
EXPORTERS: tuple[str, ...] = tuple(name for name, field in Exporters.model_fields.items() if field.annotation is bool)
"""Those that are only switched on; others have settings of their own, which the guide of the stack file tells."""
BUCKETS = ("thanos", "s3")
"""Backends that keep samples in a bucket, for which one has to be named."""
MAY_HAVE_BUCKET = (*BUCKETS, "cortex")
"""Those that can use one."""

PRESETS: Mapping[str, str] = {
    "red-metrics": "red",
    "four-golden": "golden-signals",
    "business-kpis": "business",
    "sre-slos": "slo",
    "security": "security",
}
"""What a set of dashboards is called by people who ask for it, and the dashboard that it is."""
PRESET_NAMES: tuple[str, ...] = (*PRESETS, *(name for name in DASHBOARDS if name not in PRESETS.values()))
ALWAYS = ("stack", "alerts", "team", "services", "node", "containers", "probes", "cluster", "workloads", "thanos")
"""Dashboards of the stack, its machines and its alerts, which every choice of presets keeps."""


def _email(mail: Mapping[str, str]) -> dict[str, Any]:
    return {
        "to": mail["to"].split(","),
        "from": mail["from"],
        "smarthost": mail["server"],
        "username": mail["from"],
        "password": {"secret": "smtpPassword"},
    }


CHANNELS: Mapping[str, Callable[[Mapping[str, str]], dict[str, Any]]] = {
    "slack": lambda _: {"url": {"secret": "slackUrl"}},
    "pagerduty": lambda _: {"routing_key": {"secret": "pagerdutyKey"}},
    "email": _email,
    "webhook": lambda _: {"url": {"secret": "webhookUrl"}},
    "opsgenie": lambda _: {"api_key": {"secret": "opsgenieKey"}},
}
"""Type of a channel to its settings; every credential of theirs is the name of a secret."""
CHANNEL_NAMES = {
    "slack": "team-chat",
    "pagerduty": "on-call",
    "email": "mail",
    "webhook": "webhook",
    "opsgenie": "opsgenie",
}
PAGERS = ("pagerduty", "opsgenie")
"""Channels that wake somebody: they get what is critical, and nothing else where there is another channel."""
SECRETS = {
    "slackUrl": "address of the incoming webhook",
    "pagerdutyKey": "integration key of type Events API v2",
    "smtpPassword": "password of the sender at the mail server",
    "webhookUrl": "address that alerts are posted to",
    "opsgenieKey": "key of an integration of type API",
    "s3AccessKey": "access key of the bucket",
    "s3SecretKey": "its secret key",
    "grafanaDatabase": "password of Grafana's database user",
}
"""Secrets that a new stack file may name, in words."""


def chosen(option: str, value: str, allowed: Sequence[str], hint: str = "") -> str:
    """The value, where it is one of those; a UsageError that names them otherwise."""
    if value in allowed:
        return value
    message = f"{option} {value}: is not to be had; allowed: {', '.join(allowed)}"
    raise UsageError(message, near(value, allowed) or hint)


def exporter(value: str) -> str:
    """An exporter by its key, or by the name of its program."""
    hint = "scrape it as a service: `--service postgres=db-exporter:9187`"
    return chosen("--exporter", value.removesuffix("-exporter"), EXPORTERS, hint)


def dashboard(value: str) -> str:
    """The dashboard of a preset, or that of a dashboard's own name."""
    return PRESETS.get(value) or chosen("--preset", value, (*PRESETS, *DASHBOARDS))
