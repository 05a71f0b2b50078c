"""Alertmanager: groups, silences and delivers alerts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from components.config.alerting import Channel, Route, SlackChannel
from components.config.base import Secret
from components.context import Context
from components.services import prometheus
from components.spec import File, Metrics, Probe, Reload, Service, Volume, secret_token
from components.yaml_text import dump

NAME, PORT = "alertmanager", 9093
NOBODY = "nobody"
"""The receiver of alerts that the stack file sends nowhere: shown in the UIs, delivered to no channel."""
VERIFICATION = "verification"
"""Receiver and alert label of `./observatory verify`: Prometheus acknowledges, so no outside service is needed."""
_FOLDER = "/etc/alertmanager"
_SECRETS = f"{_FOLDER}/current/secrets"


def alertmanager(context: Context) -> Service:
    """Plan Alertmanager with its routes, receivers and message templates."""
    files = (
        File("alertmanager.yml", dump(_config(context))),
        *_channel_secrets(context),
        *context.access.server_files(),
        *context.access.client_files(f"{_FOLDER}/current"),
    )
    service = Service(
        name=NAME,
        product="Alertmanager",
        image=context.image(NAME),
        user="65534:65534",
        resources=context.resources(NAME, memory=128, cpus=0.5),
        config_folder=_FOLDER,
        files=files,
        ports=(context.port("http", PORT, "alertmanager", context.access.scheme),),
        volumes=(Volume("alertmanager-data", "/alertmanager"),),
        reload=Reload(
            "SIGHUP", loaded="Completed loading of configuration file", rejected="Loading configuration file failed"
        ),
        metrics=(Metrics(NAME, PORT, protected=True),),
    )
    folder, scheme = service.mounted_config, context.access.scheme
    args = (
        f"--config.file={folder}/alertmanager.yml",
        "--storage.path=/alertmanager",
        "--data.retention=120h",
        f"--web.external-url={context.external_url(NAME, PORT, 'alertmanager', scheme)}",
        "--cluster.listen-address=",
        "--enable-feature=utf8-strict-mode,receiver-name-in-metrics",
        *context.access.web_args(folder),
    )
    check = ("amtool", f"--alertmanager.url={scheme}://localhost:{PORT}", *context.access.client_args(folder))
    return replace(service, args=args, probe=Probe((*check, "cluster", "show")))


def _config(context: Context) -> dict[str, Any]:
    alerting = context.config.alerting
    receivers = [{"name": NOBODY}, _verification_receiver(context)]
    receivers += [_receiver((name,), alerting.channels) for name in sorted(alerting.channels)]
    routes: list[dict[str, Any]] = [
        {
            "receiver": VERIFICATION,
            "matchers": [f'{VERIFICATION}!=""'],
            "group_by": [VERIFICATION],
            "group_wait": "0s",
            "group_interval": "1s",
            "repeat_interval": "1h",
        }
    ]
    switch = alerting.dead_mans_switch
    routes.append(
        {
            "receiver": switch.channel if switch else NOBODY,
            "matchers": ['alertname="Watchdog"'],
            **(
                {"group_wait": "0s", "group_interval": "1m", "repeat_interval": switch.repeat_interval}
                if switch
                else {}
            ),
        }
    )
    names = set(alerting.channels)
    routes += [_route(route, _joined(route.channels, names, receivers, alerting.channels)) for route in alerting.routes]
    default = (
        _joined(alerting.default_channels, names, receivers, alerting.channels) if alerting.default_channels else NOBODY
    )
    return {
        "global": {"resolve_timeout": "5m"},
        "route": {
            "receiver": default,
            "group_by": list(alerting.group_by),
            "group_wait": alerting.group_wait,
            "group_interval": alerting.group_interval,
            "repeat_interval": alerting.repeat_interval,
            "routes": routes,
        },
        "inhibit_rules": _inhibitions(),
        "receivers": receivers,
    }


def _joined(
    channels: tuple[str, ...], names: set[str], receivers: list[dict[str, Any]], defined: dict[str, Channel]
) -> str:
    """The receiver for a set of channels; several channels become one receiver of their own."""
    name = _receiver_name(channels)
    if name not in names:
        names.add(name)
        receivers.append(_receiver(channels, defined))
    return name


def _receiver_name(channels: tuple[str, ...]) -> str:
    # Alertmanager escapes for a regular expression what it puts into a webhook's body: a comma stays as it is.
    return ",".join(channels)


def _receiver(channels: tuple[str, ...], defined: dict[str, Channel]) -> dict[str, Any]:
    receiver: dict[str, Any] = {"name": _receiver_name(channels)}
    for name in channels:
        kind, settings = _integration(name, defined[name])
        receiver.setdefault(kind, []).append(settings)
    return receiver


def _integration(name: str, channel: Channel) -> tuple[str, dict[str, Any]]:
    if isinstance(channel, SlackChannel):
        settings: dict[str, Any] = {"api_url_file": f"{_SECRETS}/{name}-url", "send_resolved": channel.send_resolved}
        if channel.channel:
            settings["channel"] = channel.channel
        return "slack_configs", settings | _SLACK_MESSAGE
    url = {"url_file": f"{_SECRETS}/{name}-url"} if isinstance(channel.url, Secret) else {"url": channel.url}
    settings = url | {"send_resolved": channel.send_resolved}
    if channel.bearer_token:
        settings["http_config"] = {"authorization": {"credentials_file": f"{_SECRETS}/{name}-token"}}
    return "webhook_configs", settings


_SLACK_MESSAGE: dict[str, Any] = {
    "color": '{{ if eq .Status "firing" }}{{ if eq .CommonLabels.severity "warning" }}warning{{ else }}danger{{ end }}'
    "{{ else }}good{{ end }}",
    "title": '[{{ .Status | toUpper }}{{ if eq .Status "firing" }} {{ .Alerts.Firing | len }}{{ end }}] '
    "{{ .CommonLabels.severity }}: {{ .GroupLabels.alertname }} ({{ .CommonLabels.environment }})",
    "text": "{{ range .Alerts }}*{{ .Annotations.summary }}*\n{{ .Annotations.description }}\n"
    "{{ with .Annotations.runbook_url }}<{{ . }}|Runbook>{{ end }}"
    "{{ with .Annotations.dashboard_url }} <{{ . }}|Dashboard>{{ end }}\n{{ end }}",
}


def _route(route: Route, receiver: str) -> dict[str, Any]:
    matchers = []
    for label, value in route.match.items():
        if isinstance(value, str):
            matchers.append(f"{label}={_quoted(value)}")
        else:
            matchers.append(f"{label}=~{_quoted('|'.join(map(_literal, value)))}")
    timings = {
        key: value for key in ("group_wait", "group_interval", "repeat_interval") if (value := getattr(route, key))
    }
    return {"receiver": receiver, "matchers": matchers, **timings, **({"continue": True} if route.continue_ else {})}


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _literal(text: str) -> str:
    return "".join(f"\\{c}" if c in r"\.+*?()|[]{}^$" else c for c in text)


def _inhibitions() -> list[dict[str, Any]]:
    """A worse alert of the same name silences the milder ones about the same thing."""
    same = ["alertname", "service", "instance"]
    return [
        {"source_matchers": [f'severity="{worse}"'], "target_matchers": [f'severity=~"{milder}"'], "equal": same}
        for worse, milder in (("emergency", "critical|warning"), ("critical", "warning"))
    ]


def _verification_receiver(context: Context) -> dict[str, Any]:
    scheme = context.access.scheme
    webhook: dict[str, Any] = {
        "url": f"{scheme}://{prometheus.NAME}:{prometheus.PORT}/api/v1/query?query=vector(1)",
        "send_resolved": True,
    }
    if client := context.access.client_config(f"{_FOLDER}/current"):
        webhook["http_config"] = client
    return {"name": VERIFICATION, "webhook_configs": [webhook]}


def _channel_secrets(context: Context) -> tuple[File, ...]:
    files = []
    for name, channel in sorted(context.config.alerting.channels.items()):
        if isinstance(channel.url, Secret):
            files.append(File(f"secrets/{name}-url", secret_token(channel.url.secret), reload=False))
        token = getattr(channel, "bearer_token", None)
        if token:
            files.append(File(f"secrets/{name}-token", secret_token(token.secret), reload=False))
    return tuple(files)
