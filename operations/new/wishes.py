"""What somebody wants of a new stack, and the data of the stack file that says so."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from components.config.base import is_duration, seconds
from components.config.high_availability import HighAvailability
from components.config.stack import DASHBOARDS, DEFAULT_RETENTION, StackConfig
from components.config.storage import Storage
from operations.errors import UsageError
from operations.new import choices

PORT = 8080
"""Of a service that is given by its name alone."""
SCRAPE_TIMEOUT = "10s"


@dataclass(frozen=True, slots=True)
class Wishes:
    """The answers, in the words of the options. None and empty: as the models have it by default."""

    environment: str
    stack: str = choices.STACKS[0]
    platform: str = choices.PLATFORMS[0]
    context: str = ""
    services: tuple[Mapping[str, Any], ...] = ()
    networks: tuple[str, ...] = ()
    retention: str = DEFAULT_RETENTION
    interval: str = "15s"
    tracing: str = choices.TRACING[0]
    channels: tuple[str, ...] = ()
    """TYPE or NAME=TYPE."""
    mail: Mapping[str, str] = field(default_factory=dict)
    """Of a channel by e-mail: to, from, server."""
    presets: tuple[str, ...] = ()
    exporters: tuple[str, ...] = choices.EXPORTERS
    high_availability: bool = False
    grafana_database: str = ""
    storage: str = choices.STORAGE[0]
    bucket: Mapping[str, str] = field(default_factory=dict)
    """name, region, endpoint."""
    access: bool = False
    demo: bool = False
    port_offset: int = 0


def service(text: str, team: str, platform: str, namespace: str = "default") -> dict[str, Any]:
    """A service from `NAME` or `NAME=HOST:PORT,...`.

    By its name alone it is looked for where its platform would have it: under that name in DNS, or by the label
    `app.kubernetes.io/name` in a namespace of the cluster.
    """
    name, equals, rest = text.partition("=")
    targets = [target for target in rest.split(",") if target]
    if equals and not targets:
        raise UsageError(f"--service {text}: names no target", f"`--service {name}={name}:{PORT}`")
    found: dict[str, Any] = {"name": name, "team": team}
    if platform == "kubernetes" and not targets:
        return {**found, "port": PORT, "discovery": {"kubernetes": {"namespaces": [namespace]}}}
    return {**found, "discovery": {"static": {"targets": targets or [f"{name}:{PORT}"]}}}


def exposing(services: Sequence[Mapping[str, Any]], given: Sequence[str]) -> tuple[dict[str, Any], ...]:
    """The services with the known sets of metrics that they expose, each given as `NAME=SUBJECT,...`."""
    wanted: dict[str, list[str]] = {}
    for text in given:
        name, equals, subjects = text.partition("=")
        if not equals or name not in {each["name"] for each in services}:
            known = ", ".join(each["name"] for each in services) or "none"
            raise UsageError(f"--exposes {text}: must be SERVICE=SET,...; services: {known}")
        wanted.setdefault(name, []).extend(subjects.split(","))
    return tuple(
        {**each, "exposes": list(dict.fromkeys(wanted[each["name"]]))} if each["name"] in wanted else {**each}
        for each in services
    )


def stack_data(wishes: Wishes) -> dict[str, Any]:
    """The stack as its file has it. What is wrong with single values the model says, when it reads them."""
    data: dict[str, Any] = {
        "stack": choices.chosen("--stack", wishes.stack, choices.STACKS),
        "environment": wishes.environment,
        **_placed(wishes),
    }
    data |= _kept(wishes)
    data["scrape"] = {"interval": wishes.interval}
    if is_duration(wishes.interval) and seconds(wishes.interval) < seconds(SCRAPE_TIMEOUT):
        data["scrape"]["timeout"] = wishes.interval
    if wishes.high_availability:
        data["high_availability"] = _replicas(wishes)
    if wishes.services:
        data["services"] = [dict(each) for each in wishes.services]
    if wishes.demo:
        data["demo"] = True
    wanted = {choices.exporter(name) for name in wishes.exporters}
    data["exporters"] = {name: name in wanted for name in choices.EXPORTERS}
    data["tracing"] = {"backend": choices.chosen("--tracing", wishes.tracing, choices.TRACING)}
    if wishes.channels:
        data["alerting"] = _alerting(wishes)
    if wishes.grafana_database:
        data["grafana"] = {
            "database": {"host": wishes.grafana_database, "password": {"secret": "grafanaDatabase"}},
        }
    if wishes.presets:
        asked = {choices.dashboard(name) for name in wishes.presets}
        data["dashboards"] = [name for name in DASHBOARDS if name in {*asked, *choices.ALWAYS}]
    return data


def _placed(wishes: Wishes) -> dict[str, Any]:
    """The platform with its own settings, and how the UIs are protected."""
    data: dict[str, Any] = {"platform": choices.chosen("--platform", wishes.platform, choices.PLATFORMS)}
    if wishes.platform == "kubernetes":
        data["kubernetes"] = {"context": wishes.context} if wishes.context else {}
    elif wishes.context:
        raise UsageError("--context is for --platform kubernetes")
    else:
        data |= {"docker": {"networks": [*wishes.networks]}} if wishes.networks else {}
        data |= {"ports": _ports(wishes)} if wishes.port_offset else {}
    if wishes.access:
        tls = {name: {"secret": f"tls{name.capitalize()}"} for name in ("ca", "certificate", "key")}
        data["access"] = {"password": {"secret": "accessPassword"}, "tls": tls}
    return data


def _ports(wishes: Wishes) -> dict[str, int]:
    """Every port that this stack publishes by default, moved: for a second stack on the same engine."""
    storage = {"thanos": ("thanos", "s3"), "victoria": ("victoria",), "cortex": ("cortex",), "receive": ()}
    published = StackConfig(environment="default").ports.published()
    return {
        name: port + wishes.port_offset
        for name, (_, port) in published.items()
        if wishes.storage in storage.get(name, (wishes.storage,))
        and (wishes.tracing != "none" or name not in ("jaeger", "otlp_grpc", "otlp_http"))
    }


def _kept(wishes: Wishes) -> dict[str, Any]:
    """Retention and storage. Where another store keeps samples, the asked time is that store's: Prometheus' own disk
    needs no more than its default."""
    backend = choices.chosen("--storage", wishes.storage, choices.STORAGE)
    if wishes.bucket and backend not in choices.MAY_HAVE_BUCKET:
        allowed = ", ".join(choices.MAY_HAVE_BUCKET)
        raise UsageError(f"--bucket, --bucket-region and --bucket-endpoint are for --storage {allowed}")
    local = {"retention": {"time": wishes.retention}}
    if backend == "local":
        return local
    storage: dict[str, Any] = {"backend": backend}
    if wishes.bucket:
        bucket: dict[str, Any] = {name: value for name, value in wishes.bucket.items() if value}
        if "endpoint" in bucket:  # not AWS, where the machine's own role would do
            bucket["path_style"] = True
            bucket["credentials"] = {"access_key": {"secret": "s3AccessKey"}, "secret_key": {"secret": "s3SecretKey"}}
        storage["bucket"] = bucket
    if is_duration(wishes.retention) and seconds(wishes.retention) > seconds(DEFAULT_RETENTION):
        if backend in choices.BUCKETS:
            storage["retention"] = dict.fromkeys(("raw", "five_minutes", "one_hour"), wishes.retention)
        elif backend in Storage.model_fields:
            storage[backend] = {"retention": wishes.retention}
        local = {"retention": {"time": DEFAULT_RETENTION}}
    return {**local, "storage": storage}


def _replicas(wishes: Wishes) -> dict[str, Any]:
    """As many of each program as can be of use with what else is asked for."""
    wanted: dict[str, Any] = {"alertmanager": 3}
    if wishes.storage not in ("local", "cortex"):  # where nothing makes the samples of two one
        wanted["prometheus"] = 2
    if wishes.grafana_database:
        wanted["grafana"] = 2
    if wishes.platform == "docker":
        wanted["one_host"] = True
    return {name: wanted[name] for name in HighAvailability.model_fields if name in wanted}


def _alerting(wishes: Wishes) -> dict[str, Any]:
    channels: dict[str, dict[str, Any]] = {}
    for text in wishes.channels:
        name, equals, kind = text.rpartition("=")
        choices.chosen("--channel", kind, tuple(choices.CHANNELS))
        name = name if equals else choices.CHANNEL_NAMES[kind]
        if name in channels:
            raise UsageError(f"--channel {text}: {name} is there twice", f"`--channel another-name={kind}`")
        if kind == "email" and (missing := [each for each in ("to", "from", "server") if not wishes.mail.get(each)]):
            raise UsageError(f"--channel {text}: needs {', '.join(f'--mail-{each}' for each in missing)}")
        channels[name] = {"type": kind, **_named_apart(choices.CHANNELS[kind](wishes.mail), kind, name, channels)}
    pagers = [name for name, channel in channels.items() if channel["type"] in choices.PAGERS]
    others = [name for name in channels if name not in pagers]
    alerting: dict[str, Any] = {"channels": channels, "default_channels": others or pagers}
    if pagers and others:
        critical = {"severity": ["critical", "emergency"]}
        alerting["routes"] = [{"match": critical, "channels": [*pagers, *others]}]
    return alerting


def _named_apart(
    settings: dict[str, Any], kind: str, name: str, others: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Two channels of one type have two credentials, so their secrets need names of their own."""
    if all(other["type"] != kind for other in others.values()):
        return settings
    prefix = re.sub(r"-(\w)", lambda found: found[1].upper(), name)

    def renamed(value: Any) -> Any:
        if isinstance(value, dict) and "secret" in value:
            secret = str(value["secret"])
            return {"secret": prefix + secret[0].upper() + secret[1:]}
        return value

    return {key: renamed(value) for key, value in settings.items()}
