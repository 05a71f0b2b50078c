"""Discovery in a cluster: Services and pods that ask to be scraped by the usual annotations `prometheus.io/...`.

It reads their lists by kubectl, and asks nothing else of the cluster.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from components.config.base import NAME_PATTERN
from components.config.load import parse_stack
from operations.cluster import Cluster
from operations.new.found import Found, named, service

SCRAPE, PORT, PATH, SCHEME = (f"prometheus.io/{name}" for name in ("scrape", "port", "path", "scheme"))
IDENTITY = ("app.kubernetes.io/name", "app.kubernetes.io/component", "app.kubernetes.io/instance", "app", "k8s-app")
"""Labels that say which program something is; others change from release to release."""
SYSTEM = ("kube-system",)
"""What is in there the stack watches itself."""

Thing = Mapping[str, Any]


def discover(context: str, team: str) -> list[Found]:
    """What asks to be scraped in the cluster of this context."""
    cluster = Cluster(
        parse_stack(
            {"environment": "discovery", "platform": "kubernetes", "kubernetes": {"context": context}},
            f"--context {context}",
        )
    )
    answer = cluster.ask("get", "services,pods", "--all-namespaces", "--output=json")
    return proposals(json.loads(answer)["items"], team)


def proposals(things: Sequence[Thing], team: str) -> list[Found]:
    """A service for each Service with the annotation, and for each set of annotated pods that no such Service has."""
    wanted = [each for each in things if _annotations(each).get(SCRAPE) == "true" and _namespace(each) not in SYSTEM]
    services = [each for each in wanted if each["kind"] == "Service"]
    pods = [each for each in wanted if each["kind"] == "Pod" and not any(_selects(one, each) for one in services)]
    found: dict[str, Found] = {}
    for thing in (*services, *pods):
        origin = f"{thing['kind']} {_namespace(thing)}/{thing['metadata']['name']}"
        proposed = _proposed(thing, team, origin)
        name = str(proposed.service["name"]) if proposed.service else origin
        if name in found and proposed.service and found[name].service:
            if proposed.service["discovery"] == found[name].service["discovery"]:  # type: ignore[index]
                continue  # a second pod of the same
            name = named(f"{_namespace(thing)}-{name}")
            proposed = Found(origin, proposed.why, {**proposed.service, "name": name})
        found[name] = proposed
    return list(found.values())


def _proposed(thing: Thing, team: str, origin: str) -> Found:
    pod = thing["kind"] == "Pod"
    annotations, labels = _annotations(thing), thing["metadata"].get("labels") or {}
    identity = {key: labels[key] for key in IDENTITY if key in labels}
    if not identity:
        return Found(origin, f"has none of the labels that would tell it from others: {', '.join(IDENTITY)}")
    ports = list(_pod_ports(thing) if pod else _service_ports(thing))
    port: int | str | None = None
    if annotations.get(PORT, "").isdecimal():
        port = int(annotations[PORT])
    elif len(ports) == 1:
        port = ports[0]
    if port is None:
        return Found(origin, f"has {len(ports)} ports and no annotation {PORT} that says which one")
    name = named(labels.get(IDENTITY[0]) or next(iter(identity.values())) or thing["metadata"]["name"])
    discovery: dict[str, Any] = {"namespaces": [_namespace(thing)], "labels": identity}
    discovery |= {"role": "pod"} if pod else {}
    discovery |= {"port_name": port} if isinstance(port, str) else {}
    given: dict[str, Any] = {"port": port} if isinstance(port, int) else {}
    given["discovery"] = {"kubernetes": discovery}
    path, scheme = annotations.get(PATH, "/metrics"), annotations.get(SCHEME, "http")
    given |= {"path": path} if path != "/metrics" else {}
    given |= {"scheme": scheme} if scheme != "http" else {}
    owner = str(labels.get("team", ""))
    team = owner if re.fullmatch(NAME_PATTERN, owner) else team
    return Found(origin, f"has the annotation {SCRAPE}", service(name, team, given, None))


def _service_ports(thing: Thing) -> Iterator[int | str]:
    """Ports of the pods behind a Service: numbers, or names where the Service has only these."""
    for port in thing["spec"].get("ports") or []:
        target = port.get("targetPort", port["port"])
        yield target if isinstance(target, int) else port.get("name") or target


def _pod_ports(thing: Thing) -> Iterator[int]:
    for container in thing["spec"]["containers"]:
        yield from (port["containerPort"] for port in container.get("ports") or [])


def _selects(one: Thing, pod: Thing) -> bool:
    selector = one["spec"].get("selector") or {}
    labels = pod["metadata"].get("labels") or {}
    return bool(selector) and _namespace(one) == _namespace(pod) and selector.items() <= labels.items()


def _annotations(thing: Thing) -> Mapping[str, str]:
    return thing["metadata"].get("annotations") or {}


def _namespace(thing: Thing) -> str:
    return str(thing["metadata"]["namespace"])
