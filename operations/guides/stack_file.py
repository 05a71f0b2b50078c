"""docs/guide/stack-file.md, made from the models: every key with what it takes, so that the page cannot fall behind."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from components.config import StackConfig, alert_settings, base, kubernetes, metrics, own_files, products, services
from components.config.load import FOLDER
from components.config.stack import PRODUCTS
from operations.guides.page import keep_current

GUIDE_FILE = FOLDER.parent / "docs" / "guide" / "stack-file.md"

INTRO = """\
# The stack file

<!-- Made from components/config by `./observatory schema`; change the models, or operations/guides/stack_file.py. -->

One file describes one environment: `stacks/Pulumi.<environment>.yaml`. It is Pulumi's own configuration file, and the
stack is one object in it, `observatory:stack`. Secrets stand beside that object, encrypted by Pulumi.

```yaml
# yaml-language-server: $schema=schema.json
config:
  observatory:stack:
    environment: staging
    retention: {time: 15d, size: 20GB}
    alerting:
      channels:
        team-chat: {type: slack, url: {secret: slackUrl}, channel: "#alerts"}
      default_channels: [team-chat]
  observatory:slackUrl:
    secure: v1:...        # written by `pulumi config set --secret`
```

Only `environment` is required. Everything else has a default, and the defaults are a whole stack on loopback.

- The first line gives editors with a YAML language server completion and checks while you type, from
  `stacks/schema.json`.
- A key that is not on this page is an error. So is a value that does not fit, and so are values that do not fit
  together. Each error names the file, the key, the value and what is allowed.
- `./observatory validate <environment>` checks the file and everything rendered from it, and starts nothing.
- Environments differ in values only. [`./observatory new`](new-stack.md) makes a new one.
- Where a default is written as `-`, there is none: the key is off until you set it.
"""

KINDS: tuple[tuple[Any, str, str], ...] = (
    (
        base.Duration,
        "duration",
        "A number with its unit, as Prometheus writes it: `15s`, `1m30s`, `30d`. Units: y, w, d, h, m, s, ms.",
    ),
    (base.Size, "size", "`512MB`, `20GB`; units KB, MB, GB, TB, in powers of 1024."),
    (kubernetes.ClaimSize, "size of a claim", "10MB to 1024TB, with the units of a size."),
    (base.Name, "name", "Lower-case letters, digits and single hyphens, beginning with a letter: `team-chat`."),
    (base.Label, "label", "A Prometheus label name: letters, digits and underscores, not beginning with a digit."),
    (base.PortNumber, "port", "1 to 65535."),
    (base.Url, "URL", "`http://` or `https://`, without a login in it: logins are secrets and have keys of their own."),
    (base.Target, "target", "`host` or `host:port`; IPv6 addresses in brackets."),
    (products.Published, "published port", "`9090`, or with an address `127.0.0.1:9090`; `null` publishes nothing."),
    (products.Address, "address", "An IP address of the engine's host: `127.0.0.1`, `0.0.0.0`, `::1`."),
    (products.ImageReference, "image", "Repository with tag or digest: `mirror.example.com/jaeger:2.20.0`."),
    (
        metrics.MetricName,
        "metric",
        "A metric's name in Prometheus, without the suffix of a histogram's series: `http_request_duration_seconds`.",
    ),
    (
        services.Pattern,
        "pattern",
        "A regular expression that has to match a whole metric name: `http_.*`, `go_gc_duration_seconds`.",
    ),
    (own_files.RuleFile, "rule file", "Path of a YAML file below the stack file's folder: `rules/shop.yaml`."),
    (own_files.DashboardFile, "dashboard file", "Path of a JSON file below the stack file's folder."),
    (own_files.GrafanaFolder, "folder", "Of Grafana: letters, digits, spaces and `_ ( ) & + -`."),
    (metrics.LabelValues, "label values", "The values that are expected, `[open, paid]`, or their number, `12`."),
    (metrics.Share, "share", "`99.9%` or `0.999`; from 50 % up to, but below 100 %."),
    (kubernetes.LabelName, "label of Kubernetes", "Name of a label or annotation: `app`, `app.kubernetes.io/name`."),
    (kubernetes.LabelValue, "label value", "Letters, digits, `.`, `_` and `-`, at most 63; may be empty."),
    (kubernetes.ObjectName, "object name", "Name of a Kubernetes object: lower-case letters, digits, `.` and `-`."),
    (kubernetes.HostName, "host name", "`grafana.example.com`, in lower case."),
    (
        alert_settings.AlertSettings,
        "settings of an alert",
        "`off`, or its parameters, `for` and `severity`: `{threshold: 2%, for: 10m}`. See [alerts](alerts.md).",
    ),
    (
        base.Secret,
        "secret",
        "`{secret: name}`; the value is set by Pulumi, see [Secrets of a stack](operating.md#secrets-of-a-stack).",
    ),
)
"""Types that keys share: as the models name them, as the page does, and what they take."""

EXAMPLES: dict[str, str] = {
    "ports": """\
ports:
  bind_address: 10.0.0.5      # needs `access`
  grafana: 443
  jaeger: 127.0.0.1:16686
  otlp_grpc: 127.0.0.1:4317
  otlp_http: null
access:
  password: {secret: accessPassword}
  tls: {ca: {secret: tlsCa}, certificate: {secret: tlsCertificate}, key: {secret: tlsKey}}
""",
    "kubernetes": """\
platform: kubernetes
kubernetes:
  context: production
  storage_class: fast
  volumes: {prometheus: 120GB}
  trace_namespaces: [shop]
  ingress:
    hosts: {grafana: grafana.example.com}
    tls_secret: observatory-tls
""",
    "storage": """\
storage:
  backend: s3
  bucket:
    name: acme-metrics
    region: eu-central-1
    endpoint: https://s3.example.com
    path_style: true
    credentials: {access_key: {secret: s3AccessKey}, secret_key: {secret: s3SecretKey}}
  retention: {raw: 90d, five_minutes: 1y, one_hour: forever}
""",
    "backup": """\
backup:
  to: {folder: /srv/backup}
  password: {secret: backupPassword}
  schedule: "02:30"
  keep: {daily: 7, weekly: 4, monthly: 6}
""",
    "federation[]": """\
federation:
  - {name: eu, url: "https://prometheus.eu.example.com"}
  - name: us
    url: https://prometheus.us.example.com
    interval: 30s
    authentication: {basic: {username: observatory, password: {secret: usPassword}}}
    tls: {ca: {secret: usCa}, server_name: prometheus}
""",
    "services[].discovery.kubernetes": """\
platform: kubernetes
kubernetes: {context: production}
services:
  - name: checkout
    team: payments
    port: 8080
    discovery: {kubernetes: {namespaces: [shop], labels: {app: checkout}}}
""",
    "services[]": """\
services:
  - name: checkout
    team: payments
    port: 8080
    discovery: {static: {targets: [checkout-1.example.com, checkout-2.example.com]}}
  - name: search
    team: discovery
    scheme: https
    port: 443
    path: /internal/metrics
    interval: 30s
    discovery: {dns: {names: [search.example.com]}}
    authentication: {bearer: {token: {secret: searchToken}}}
""",
    "services[].objectives": """\
services:
  - name: checkout
    team: payments
    port: 8080
    discovery: {static: {targets: [checkout-1.example.com, checkout-2.example.com]}}
    exposes: [http, database]
    metrics:
      checkout_orders_total: {type: counter, labels: {state: [open, paid, refused]}}
    objectives:
      availability: {target: 99.9%, window: 30d}
      latency: {target: 99%, threshold: 500ms}
    channels: [payments-chat]
alerting:
  channels: {payments-chat: {type: webhook, url: "https://chat.example.com/hook"}}
alerts:
  APIHighErrorRate: {threshold: 2%, for: 10m}
  HighRequestRate: off
""",
    "services[].discovery": """\
services:
  - {name: by-address, team: web, port: 8080, discovery: {static: {targets: [one.example.com, two.example.com:81]}}}
  - {name: by-file, team: web, discovery: {file: {file: targets/web.yaml}}}
  - {name: by-label, team: web, discovery: {docker: {host: "tcp://docker-proxy:2375"}}}
  - {name: by-name, team: web, discovery: {dns: {names: [_metrics._tcp.example.com], type: SRV}}}
""",
    "services[].authentication": """\
services:
  - name: ledger
    team: payments
    scheme: https
    discovery: {static: {targets: ["ledger.example.com:443"]}}
    authentication:
      oauth2:
        client_id: prometheus
        client_secret: {secret: ledgerClient}
        token_url: https://login.example.com/token
  - name: vault
    team: security
    scheme: https
    discovery: {static: {targets: ["vault.example.com:8200"]}}
    tls: {ca: {secret: vaultCa}, certificate: {secret: vaultCertificate}, key: {secret: vaultKey}}
""",
    "probes[]": """\
probes:
  - {name: shop, target: "https://shop.example.com/health", team: web}
  - {name: mail, target: "mail.example.com:25", module: tcp_connect, interval: 1m}
""",
    "alerting": """\
alerting:
  channels:
    team-chat: {type: slack, url: {secret: slackUrl}, channel: "#alerts"}
    on-call: {type: webhook, url: {secret: onCallUrl}}
    dead-man: {type: webhook, url: {secret: deadManUrl}, send_resolved: false}
  default_channels: [team-chat]
  routes:
    - {match: {severity: [critical, emergency]}, channels: [on-call, team-chat], repeat_interval: 1h}
  dead_mans_switch: {channel: dead-man}
  runbooks_url: https://git.example.com/observatory/blob/main/runbooks
""",
    "resources.<name>": """\
resources:
  prometheus: {memory: 4GB, cpus: 2}
  grafana: {memory: 1GB}
""",
    "images": """\
images:
  registry: mirror.example.com/hub
  overrides: {jaeger: "mirror.example.com/tracing/jaeger:2.20.0"}
""",
}
"""Below the section of a key; tests read each as a part of a stack file."""

NOTES: dict[str, str] = {
    "ports": "A port on another address than loopback needs [`access`](#access). Jaeger's four ports have no login, so "
    "they are refused there; put a proxy with a login before them.",
    "storage": "A bare word is the backend: `storage: local`.",
    "federation[]": "See [a global server over regions](federation.md).",
    "resources.<name>": f"Products: {', '.join(f'`{name}`' for name in PRODUCTS)}. What is not set keeps the product's "
    "own default; `./observatory plan` shows the result.",
    "images": f"Overrides name a product: {', '.join(f'`{name}`' for name in PRODUCTS)}. "
    "An override wins over `registry`.",
    "services[]": "Each service becomes one scrape job of its name. Its series carry the labels `service`, `team` and "
    "`environment`.",
    "alerting": "Alerts that no channel takes are shown in Alertmanager and Grafana only. A worse alert silences the "
    "milder one of the same name, service and instance.",
}


_CHOOSES = {"type": "Chooses the kind, and with it the other keys."}


def guide_text() -> str:
    """The whole page."""
    lines = [INTRO, "## All keys", "", *_table(StackConfig, ""), "", "## Kinds of values", ""]
    lines += [f"- **{name}**: {text}" for _, name, text in KINDS]
    for path, model in sections():
        depth = path.replace(".<name>", "").count(".")
        lines += ["", f"{'#' * min(2 + depth, 4)} {_title(path)}", "", inspect.getdoc(model) or ""]
        if path in NOTES:
            lines += ["", NOTES[path]]
        lines += ["", *_table(model, path)]
        if path in EXAMPLES:
            lines += ["", "```yaml", EXAMPLES[path].rstrip(), "```"]
    return "\n".join(lines) + "\n"


def guide_command(check: bool) -> int:
    """Write the page; with `check` only say whether it is current."""
    return keep_current(GUIDE_FILE, guide_text(), check)


def sections(model: type[BaseModel] = StackConfig, path: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Every model below the stack with the path of its key, in the order of the keys; secrets are a kind of value."""
    for key, hint, _ in _keys(model):
        for suffix, inner in _models(hint):
            below = f"{path}.{key}{suffix}" if path else key + suffix
            yield below, inner
            yield from sections(inner, below)


def _keys(model: type[BaseModel]) -> Iterator[tuple[str, Any, FieldInfo]]:
    """Each key as it is written, its type with all that is said about it, and the field."""
    hints = get_type_hints(model, include_extras=True)
    for name, field in model.model_fields.items():
        yield field.alias or name, hints[name], field


def _models(hint: Any) -> Iterator[tuple[str, type[BaseModel]]]:
    """The models that stand under a key, with what the path adds for lists, mappings and choices."""
    if isinstance(hint, type) and issubclass(hint, BaseModel):
        if hint is not base.Secret:
            yield "", hint
        return
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        yield from _models(arguments[0])
    elif origin is tuple:
        yield from ((f"[]{suffix}", model) for suffix, model in _models(arguments[0]))
    elif origin is dict:
        yield from ((f".<name>{suffix}", model) for suffix, model in _models(arguments[1]))
    elif origin in (Union, UnionType):
        found = [model for each in arguments for _, model in _models(each)]
        yield from ((f" ({_choice(model)})" if len(found) > 1 else "", model) for model in found)


def _choice(model: type[BaseModel]) -> str:
    return f"type: {get_args(model.model_fields['type'].annotation)[0]}"


def _title(path: str) -> str:
    key, bracket, choice = path.partition(" (")
    return f"`{key}`{bracket}{choice}"


def _anchor(path: str) -> str:
    """The address of a section, as GitHub and GitLab make it from its heading."""
    kept = "".join(c for c in _title(path).lower() if c.isalnum() or c in "_- ")
    return "#" + kept.replace(" ", "-")


def _table(model: type[BaseModel], path: str) -> list[str]:
    rows = ["| Key | Value | Default | Meaning |", "| --- | --- | --- | --- |"]
    for key, hint, field in _keys(model):
        inner = [(f"{path}.{key}{suffix}" if path else key + suffix, each) for suffix, each in _models(hint)]
        about = field.description or (inspect.getdoc(inner[0][1]) if inner else "") or _CHOOSES.get(key, "")
        links = ", ".join(f"[{_title(each)}]({_anchor(each)})" for each, _ in inner)
        cells = (f"`{key}`", links or _value(hint, field), _default(field), about)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return rows


def _value(hint: Any, field: FieldInfo | None = None) -> str:
    """What a key takes, in words."""
    for kind, name, _ in KINDS:
        if hint is kind:
            return name
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        pattern = next((p for each in arguments[1:] if (p := _pattern(each))), "")
        return f"text like `{pattern}`" if pattern else _value(arguments[0], field)
    if origin is Literal:
        return ", ".join(f"`{each}`" for each in arguments)
    if origin is tuple:
        return f"list of {_value(arguments[0])}"
    if origin is dict:
        return f"mapping of {_value(arguments[0])} to {_value(arguments[1])}"
    if origin in (Union, UnionType):
        return " or ".join(_value(each, field) for each in arguments if each is not NoneType)
    limits = _limits(field) if field else ""
    return {str: "text", bool: "`true`, `false`", int: "whole number", float: "number"}[hint] + limits


def _pattern(constraint: Any) -> str:
    """The regular expression of a constraint, if it has one."""
    for each in (constraint, *getattr(constraint, "metadata", ())):
        if pattern := getattr(each, "pattern", None):
            return str(pattern)
    return ""


def _limits(field: FieldInfo) -> str:
    words = {"gt": "more than", "ge": "at least", "le": "at most"}
    found = [
        f"{word} {getattr(each, name):g}"
        for name, word in words.items()
        for each in field.metadata
        if getattr(each, name, None) is not None
    ]
    return f", {' and '.join(found)}" if found else ""


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    default = field.get_default(call_default_factory=True, validated_data={})
    if default is None or default is PydanticUndefined or isinstance(default, BaseModel) or default in ((), {}):
        return "-" if default is None or not isinstance(default, BaseModel) else "see there"
    if isinstance(default, tuple):
        return f"`[{', '.join(map(str, default))}]`"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"
