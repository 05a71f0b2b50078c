"""What is deployed in a cluster, by its objects as the state holds them; a plan's own objects are read the same way.

So both sides tell the same, and whatever of a pod is not told by name is told by its place in the pod.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from components.config import StackConfig
from components.platforms.kubernetes_files import INDEX
from components.platforms.kubernetes_manifests import manifests
from components.platforms.kubernetes_objects import Stack
from components.spec import SECRET_TOKEN, Plan
from operations.report import deployed_operator
from operations.report.flat import flat
from operations.report.snapshot import Program, Snapshot

_WORKLOADS = ("StatefulSet", "Deployment", "DaemonSet")
_ENCRYPTED = "4dabf18193072939515e22adb298388d"
"""Key by which Pulumi marks a value of a state that is no plain one."""
_UNITS = {"": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}

Object = Mapping[str, Any]


def snapshot_of_state(resources: Sequence[Mapping[str, Any]]) -> Snapshot:
    """The snapshot of the resources of a state."""
    own = [each for each in resources if each["type"].startswith("kubernetes:") and not each.get("delete")]
    claims = [each for each in own if each["type"].endswith(":PersistentVolumeClaim")]
    return _snapshot([each["inputs"] for each in own], all(each.get("protect") for each in claims) if claims else None)


def snapshot_of_plan(config: StackConfig, plan: Plan) -> Snapshot:
    """The snapshot of what a plan would make."""
    objects = manifests(Stack(config, plan))
    claimed = any(each["kind"] == "PersistentVolumeClaim" for each in objects)
    return _snapshot(objects, config.data.keep if claimed else None)


def _snapshot(objects: Sequence[Object], protected: bool | None) -> Snapshot:
    maps = {_name(each): each["data"] for each in objects if each["kind"] == "ConfigMap" and _readable(each["data"])}
    sizes = {
        _name(each): _bytes(each["spec"]["resources"]["requests"]["storage"])
        for each in objects
        if each["kind"] == "PersistentVolumeClaim"
    }
    hosts = dict(_hosts(objects))
    programs: dict[str, Program] = {}
    instance, namespaces = "", set()
    for each in objects:
        if each["kind"] in _WORKLOADS:
            instance = each["metadata"]["labels"]["app.kubernetes.io/instance"]
            namespaces.add(each["metadata"]["namespace"])
            programs.update(_programs(each["spec"]["template"], maps, sizes, hosts))
    if theirs := deployed_operator.operated(objects):
        ((name, program),) = _programs(deployed_operator.template(theirs), maps, sizes, hosts)
        files = {**program.files, **deployed_operator.files(objects)}
        programs[name] = program.model_copy(update={"files": files})
    return Snapshot(
        environment=instance.removeprefix("observatory-"),
        programs=programs,
        protected=protected,
        operated=theirs is not None,
        namespaces=tuple(sorted(namespaces, key=len)),  # that of what watches the nodes has the longer name
        login=any("--web.config.file=" in word for one in programs.values() for word in one.fixed.get("arguments", ())),
    )


def _name(each: Object) -> str:
    return str(each["metadata"]["name"])


def _readable(data: Mapping[str, Any]) -> bool:
    """Whether neither side hides it: what holds a secret is encrypted as a whole in the state."""
    return _ENCRYPTED not in data and not any(SECRET_TOKEN.search(text) for text in data.values())


def _hosts(objects: Iterable[Object]) -> Iterator[tuple[str, dict[str, str]]]:
    """Program to where people reach it from outside of the cluster."""
    for each in objects:
        if each["kind"] == "Ingress":
            yield _name(each), {"https": f"{each['spec']['rules'][0]['host']}:443"}
        elif each["kind"] == "HTTPRoute":
            yield _name(each), {"https": f"{each['spec']['hostnames'][0]}:443"}


def _programs(
    template: Object,
    maps: Mapping[str, Mapping[str, str]],
    sizes: Mapping[str, int],
    hosts: Mapping[str, dict[str, str]],
) -> Iterator[tuple[str, Program]]:
    """The programs of a pod; what is the pod's own is told of the first one, whose name it has."""
    pod = template["spec"]
    notes = template["metadata"].get("annotations") or {}
    claims = [each["persistentVolumeClaim"]["claimName"] for each in _list(pod, "volumes", "persistentVolumeClaim")]
    user = pod.get("securityContext") or {}
    for number, container in enumerate(pod["containers"]):
        name, limits = container["name"], container["resources"]["limits"]
        first = number == 0
        fixed = {
            "image": (container["image"],),
            "user": (f"{user.get('runAsUser') or 0}:{user.get('runAsGroup') or 0}",),
            "entrypoint": _words(container.get("command")),
            "arguments": _words(container.get("args")),
            "environment": _words(f"{each['name']}={each.get('value', '')}" for each in container.get("env") or ()),
            "cores": (f"{_cores(limits['cpu']):g}",),
            "memory": (f"{_bytes(limits['memory']) // 2**20} MiB",),
            "files": (notes["observatory/config-digest"],) if first and "observatory/config-digest" in notes else (),
            "pod": _rest(pod, number),
        }
        yield (
            name,
            Program(
                image=container["image"],
                group=name,
                pod=pod["containers"][0]["name"],
                memory=_bytes(limits["memory"]) // 2**20,
                cpus=_cores(limits["cpu"]),
                ports=hosts.get(name, {}),
                volumes={claim: sizes.get(claim) for claim in claims} if first else {},
                secrets=None,
                files=dict(_files(name, pod, maps)),
                fixed={key: values for key, values in fixed.items() if any(values)},
            ),
        )


def _files(name: str, pod: Object, maps: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str]]:
    """Path to text: paths stand in the loader's index, or in the volume that shows the files."""
    own = {each: data for each, data in maps.items() if re.fullmatch(rf"{re.escape(name)}-files(-\d+)?", each)}
    paths: dict[str, str] = {}
    for data in own.values():
        for line in data.get(INDEX, "").splitlines():
            key, _, path = line.partition(" ")
            paths[key] = path
    for volume in _list(pod, "volumes", "projected"):
        for source in volume["projected"].get("sources") or ():
            shown = source.get("configMap") or {}
            if shown.get("name") in own:
                paths.update({each["key"]: each["path"] for each in shown.get("items") or ()})
    for data in own.values():
        yield from ((paths.get(key, key), text) for key, text in data.items() if key != INDEX)


def _rest(pod: Object, number: int) -> tuple[str, ...]:
    """All that is not told by name of a container, and of the pod with its first one; a line for each value.

    What an API leaves out is not told: empty, false and 0. What has a name is told by it, not by its place in a row.
    """
    told = ("name", "image", "command", "args", "env", "resources")
    shown = {key: value for key, value in pod["containers"][number].items() if key not in told}
    if number == 0:
        loaders = {
            each["name"]: {key: each[key] for key in each if key not in ("name", "image")}
            for each in pod.get("initContainers") or ()
        }
        volumes = {each["name"]: each for each in pod.get("volumes") or ()}
        shown = {**pod, "containers": shown, "initContainers": loaders, "volumes": volumes}
    return tuple(f"{path}={text}" for path, text in flat(shown) if text not in ("", "false", "0", "{}"))


def _list(pod: Object, key: str, kind: str) -> list[Any]:
    return [each for each in pod.get(key) or () if each.get(kind)]


def _words(words: Iterable[str] | None) -> tuple[str, ...]:
    return tuple(word.replace("$$(", "$(") for word in words or ())


def _cores(quantity: str) -> float:
    return float(quantity[:-1]) / 1000 if quantity.endswith("m") else float(quantity)


def _bytes(quantity: str) -> int:
    found = re.fullmatch(r"(\d+)([KMGT]i)?", quantity)
    assert found, f"{quantity} is not as this project writes quantities"
    return int(found[1]) * _UNITS[found[2] or ""]
