"""Discovery on a Docker engine: which running containers answer with metrics, and how Prometheus would reach them.

It reads the list of containers and asks their ports for metrics. It starts, publishes, connects and changes nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from components.config.base import NAME_PATTERN
from operations.errors import CommandError
from operations.new.found import Exposition, Found, ask, merged, named, service

OURS = ("observatory.environment", "observatory.helper")
"""Labels of what belongs to a stack already."""
SCRAPE, PORT, PATH, SCHEME = (f"prometheus.io/{name}" for name in ("scrape", "port", "path", "scheme"))
EXPORTERS = {
    "postgres(ql)?|postgis|timescaledb": "PostgreSQL: run postgres_exporter beside it, and scrape that at port 9187",
    "redis|valkey": "Redis: run redis_exporter beside it, and scrape that at port 9121",
    "mysql|mariadb": "MySQL: run mysqld_exporter beside it, and scrape that at port 9104",
    "mongo(db)?": "MongoDB: run mongodb_exporter beside it, and scrape that at port 9216",
    "memcached": "Memcached: run memcached_exporter beside it, and scrape that at port 9150",
    "kafka": "Kafka: run kafka_exporter beside it, and scrape that at port 9308",
    "elasticsearch|opensearch": "Elasticsearch: run elasticsearch_exporter beside it, and scrape that at port 9114",
    "rabbitmq": "RabbitMQ: switch its plugin rabbitmq_prometheus on, which answers at port 15692",
    "nginx": "nginx: run nginx-prometheus-exporter beside it, and scrape that at port 9113",
    "cassandra|janusgraph": "a JVM: run jmx_exporter as its agent, and scrape that",
}
"""Programs by the last part of their image's name, which have no metrics of their own, and what gets them some."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Where a container answers with metrics, as it is asked from the network that it is on."""

    port: int
    published: int | None
    exposition: Exposition | None


def discover(host: str, team: str) -> list[Found]:
    """What runs on the engine at `host` (empty: DOCKER_HOST or the local socket). CommandError where none answers."""
    import docker
    from docker.errors import DockerException

    try:
        client = docker.DockerClient(base_url=host, timeout=20) if host else docker.from_env(timeout=20)
        containers = [each.attrs for each in client.containers.list(ignore_removed=True)]
        client.close()
    except DockerException as error:
        raise CommandError(f"the Docker engine does not answer: {error}", "`docker info` tells more") from None
    others = [each for each in containers if not {*OURS} & {*(each["Config"].get("Labels") or {})}]
    engine = host or os.environ.get("DOCKER_HOST", "")
    with ThreadPoolExecutor(max_workers=16) as pool:
        return merged(pool.map(lambda each: look_at(each, team, engine), others))


def look_at(container: Mapping[str, Any], team: str, engine: str = "") -> Found:
    """What one container, as the engine describes it, has to offer."""
    origin = container["Name"].lstrip("/")
    labels: Mapping[str, str] = container["Config"].get("Labels") or {}
    advice = known_image(container["Config"]["Image"])
    if labels.get(SCRAPE) == "false":
        return Found(origin, f"its label {SCRAPE} is false")
    scheme, path = labels.get(SCHEME, "http"), labels.get(PATH, "/metrics")
    answers = [_asked(container, port, scheme, path, engine) for port in _ports(container, labels)]
    best = max(answers, key=lambda each: each.exposition.series if each.exposition else 0, default=None)
    labelled = labels.get(SCRAPE) == "true"
    if best is None or (best.exposition is None and not labelled):
        ports = ", ".join(str(each.port) for each in answers) or "none is exposed"
        return Found(origin, f"no metrics at {path} (ports: {ports})", advice=advice)
    reached = _reached(container, best)
    if isinstance(reached, str):
        return Found(origin, reached, advice=advice)
    target, networks = reached
    project = labels.get("com.docker.compose.project", "")
    name = named(labels.get("com.docker.compose.service") or origin, project)
    given: dict[str, Any] = {"discovery": {"static": {"targets": [target]}}}
    given |= {"path": path} if path != "/metrics" else {}
    given |= {"scheme": scheme} if scheme != "http" else {}
    owner = labels.get("team", "")
    team = owner if re.fullmatch(NAME_PATTERN, owner) else team
    return Found(origin, _why(best, path, labelled), service(name, team, given, best.exposition), networks)


def _why(answer: Answer, path: str, labelled: bool) -> str:
    if answer.exposition is None:
        return f"has the label {SCRAPE}, but did not answer from here"
    text = f"answers at {answer.port}{path} with {answer.exposition.series} series"
    return f"{text}, and has the label {SCRAPE}" if labelled else text


def known_image(image: str) -> str:
    """What gets metrics out of a program that has none, by its image; empty for an unknown one."""
    name = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return next((text for pattern, text in EXPORTERS.items() if re.fullmatch(pattern, name)), "")


def _ports(container: Mapping[str, Any], labels: Mapping[str, str]) -> list[int]:
    """The port that a label names, else all that are exposed."""
    if labels.get(PORT, "").isdecimal():
        return [int(labels[PORT])]
    exposed = {**(container["Config"].get("ExposedPorts") or {}), **(container["NetworkSettings"].get("Ports") or {})}
    return sorted({int(port) for port, _, kind in (each.partition("/") for each in exposed) if kind == "tcp"})


def _asked(container: Mapping[str, Any], port: int, scheme: str, path: str, engine: str) -> Answer:
    """Ask a port, first as it is published, then at the container's own address, which only a local engine has."""
    settings = container["NetworkSettings"]
    bindings = (settings.get("Ports") or {}).get(f"{port}/tcp") or []
    published = next((int(each["HostPort"]) for each in bindings if each["HostIp"] in ("0.0.0.0", "::", "")), None)
    machine = urlsplit(engine)
    remote = machine.hostname if machine.scheme in ("tcp", "ssh") else None
    places = [f"{remote or '127.0.0.1'}:{each['HostPort']}" for each in bindings]
    if not remote:
        networks = settings.get("Networks") or {}
        places += [f"{each['IPAddress']}:{port}" for each in networks.values() if each.get("IPAddress")]
        places += [f"127.0.0.1:{port}"] if "host" in networks else []
    found = next((got for place in places if (got := ask(f"{scheme}://{place}{path}"))), None)
    return Answer(port, published, found)


def _reached(container: Mapping[str, Any], answer: Answer) -> tuple[str, tuple[str, ...]] | str:
    """The target as Prometheus would name it and the networks that it has to join, or why there is no way."""
    networks = sorted(container["NetworkSettings"].get("Networks") or {})
    if "host" in networks:
        return f"host.docker.internal:{answer.port}", ()
    own = list(_with_names(networks))
    if own:
        return f"{container['Name'].lstrip('/')}:{answer.port}", (own[0],)
    if answer.published:
        return f"host.docker.internal:{answer.published}", ()
    return "has metrics, but is on Docker's default network alone, where it has no name: connect it to one of yours"


def _with_names(networks: list[str]) -> Iterator[str]:
    return (name for name in networks if name not in ("bridge", "host", "none"))
