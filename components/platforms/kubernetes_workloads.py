"""The workload of one planned service: StatefulSet where it keeps data, DaemonSet on every node, else Deployment."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from components.platforms import kubernetes_files as files
from components.platforms import kubernetes_loader as loader
from components.platforms.kubernetes_objects import SKIP_AWAIT, Manifest, Stack
from components.platforms.kubernetes_ports import container_ports
from components.platforms.kubernetes_replicas import spread
from components.spec import Probe, Service, Volume

CONFIG, FILES, API = "configuration", "files", "api"
START_PATIENCE = 900
"""Seconds that a program may take to start: a large Prometheus reads its log again, and must not be ended meanwhile."""
STARTUP_INTERVAL = 5


def claims(stack: Stack, service: Service) -> list[Manifest]:
    """The claims for a service's data. Of their own, not templates of the workload: those could not grow."""
    storage = {"storageClassName": stack.cluster.storage_class} if stack.cluster.storage_class else {}
    return [
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": stack.metadata(service, volume.name, annotations=dict(SKIP_AWAIT)),
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                **storage,
                "resources": {"requests": {"storage": _quantity(stack.cluster.volumes.bytes_of(service.group))}},
            },
        }
        for volume in service.volumes
    ]


def workload(stack: Stack, service: Service) -> Manifest:
    """The workload of a service; one pod, or one on every node."""
    selector = stack.selector(service)
    template = {
        "metadata": {"labels": stack.labels(service), "annotations": _annotations(stack, service)},
        "spec": _pod(stack, service),
    }
    spec: dict[str, Any] = {"selector": {"matchLabels": selector}, "template": template}
    if service.per_node:
        kind = "DaemonSet"
        spec |= {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "10%"}}}
    elif service.volumes:
        # Never two pods of one name at once: they would share a volume.
        kind = "StatefulSet"
        spec |= {"replicas": 1, "serviceName": service.name, "podManagementPolicy": "Parallel"}
    else:
        kind = "Deployment"
        spec |= {"replicas": 1, "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}}}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": stack.metadata(service), "spec": spec}


def _annotations(stack: Stack, service: Service) -> dict[str, str]:
    """A change of what only a new container takes up makes new pods; a change of live files does not."""
    digest = "-".join(each.restart_digest for each in (service, *stack.beside(service)) if each.restart_digest)
    return {
        "kubectl.kubernetes.io/default-container": service.name,
        **({"observatory/config-digest": digest} if digest else {}),
    }


def _pod(stack: Stack, service: Service) -> dict[str, Any]:
    cluster, together = stack.cluster, [service, *_beside(stack, service)]
    user, group = (int(part) for part in service.user.split(":"))
    for each in together:
        _check_shares(each, {volume.name for volume in service.volumes})
    pod: dict[str, Any] = {
        "serviceAccountName": service.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": max(each.stop_grace for each in together),
        "nodeSelector": {"kubernetes.io/os": "linux", **({} if service.per_node else cluster.node_selector)},
        "securityContext": {
            "runAsUser": user,
            "runAsGroup": group,
            "runAsNonRoot": user != 0,
            "fsGroup": group or user,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
            **_sysctls(service, group),
        },
        "containers": [_container(each, each.shares or service.volumes) for each in together],
        **spread(stack, service),
    }
    first = [_preparation(each, each.shares or service.volumes) for each in together if each.prepares]
    if service.reload and service.files:
        pod["shareProcessNamespace"] = True
        first.append(_loader(service))
    if first:
        pod["initContainers"] = first
    if service.host_pid:
        pod["hostPID"] = True
    if service.per_node:
        pod["tolerations"] = [{"operator": "Exists"}]
    if cluster.priority_class:
        pod["priorityClassName"] = cluster.priority_class
    if cluster.image_pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in cluster.image_pull_secrets]
    volumes = [volume for each in together for volume in _volumes(each)]
    return pod | ({"volumes": volumes} if volumes else {})


def _beside(stack: Stack, service: Service) -> list[Service]:
    """The further programs of a pod: refused where they need what only a pod of their own could give them."""
    found = stack.beside(service)
    for each in found:
        own = ("volumes", "host_mounts", "host_pid", "per_node", "capabilities", "api", "reload")
        if asked := [name for name in own if getattr(each, name)]:
            raise ValueError(f"{each.name} runs beside {service.name} and cannot have its own {', '.join(asked)}")
        if each.user != service.user:
            raise ValueError(f"{each.name} runs beside {service.name} and must be the same user {service.user}")
    return found


def _check_shares(service: Service, there: Collection[str]) -> None:
    if strange := [volume.name for volume in service.shares if volume.name not in there]:
        raise ValueError(f"{service.name} shares volumes that its pod has not, which may be on another node: {strange}")


def _preparation(service: Service, data: Sequence[Volume]) -> dict[str, Any]:
    """What runs to its end before the pod's programs start."""
    container = _container(replace(service, args=service.prepares, probe=None, ports=()), data)
    return {**container, "name": f"{service.name}-{service.prepares[0]}"}


def _sysctls(service: Service, group: int) -> dict[str, Any]:
    """Leave to ping without a capability, which restricted pods may not have; any other capability is refused."""
    if other := [name for name in service.capabilities if name != "NET_RAW"]:
        raise ValueError(f"{service.name} asks for capabilities that Kubernetes' restricted pods cannot have: {other}")
    if not service.capabilities:
        return {}
    return {"sysctls": [{"name": "net.ipv4.ping_group_range", "value": f"{group} {group}"}]}


def _security(service: Service) -> dict[str, Any]:
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": service.read_only,
        "capabilities": {"drop": ["ALL"]},
    }


def _container(service: Service, data: Sequence[Volume]) -> dict[str, Any]:
    """The container of a program; `data` are those of the pod's volumes that it sees, and where."""
    limits = {"cpu": _cpus(service.resources.cpus), "memory": f"{service.resources.memory}Mi"}
    container: dict[str, Any] = {
        "name": service.name,
        "image": service.image,
        "imagePullPolicy": "IfNotPresent",
        "securityContext": _security(service),
        # Memory is there for certain; processor time is shared, for all of it is asked for in bursts only.
        "resources": {"requests": limits | {"cpu": _cpus(service.resources.cpus / 4)}, "limits": limits},
        "terminationMessagePolicy": "FallbackToLogsOnError",
    }
    if service.entrypoint:
        container["command"] = [word.replace("$(", "$$(") for word in service.entrypoint]
    if service.args:
        container["args"] = [arg.replace("$(", "$$(") for arg in service.args]
    if service.env:
        container["env"] = [{"name": name, "value": value.replace("$(", "$$(")} for name, value in service.env]
    if service.ports:
        container["ports"] = container_ports(service)
    mounts = _mounts(service, data)
    probes = _probes(service.probe)
    if service.beside and service.prepares and service.probe:
        # It serves the pod's program, which is asked all the same without it: long before this it is started again.
        probes["readinessProbe"]["failureThreshold"] = 4 * service.probe.retries
    return container | ({"volumeMounts": mounts} if mounts else {}) | probes


def _loader(service: Service) -> dict[str, Any]:
    """A sidecar: started before the program and ended after it."""
    memory = f"{loader.needed_memory(service)}Mi"
    inherited = {
        key: value for key, value in _container(service, service.volumes).items() if key in ("env", "securityContext")
    }
    mounts = [mount for mount in _mounts(service, service.volumes) if mount["name"] not in (CONFIG, API)]
    return {
        "name": "loader",
        "image": service.image,
        "imagePullPolicy": "IfNotPresent",
        "restartPolicy": "Always",
        "command": loader.command(service),
        **inherited,
        "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"cpu": "250m", "memory": memory}},
        "volumeMounts": [
            *mounts,
            {"name": FILES, "mountPath": loader.SOURCE, "readOnly": True},
            {"name": CONFIG, "mountPath": service.config_folder},
        ],
        "startupProbe": loader.startup_probe(service),
    }


def _volume_name(service: Service, use: str) -> str:
    """Name of a volume of the pod; those of a further program begin with its name."""
    return f"{service.name}-{use}" if service.beside else use


def _mounts(service: Service, data: Sequence[Volume]) -> list[dict[str, Any]]:
    mounts: list[dict[str, Any]] = [{"name": volume.name, "mountPath": volume.path} for volume in data]
    mounts += [
        {"name": _volume_name(service, f"scratch-{index}"), "mountPath": path}
        for index, path in enumerate(service.scratch)
    ]
    mounts += [
        {"name": f"host-{index}", "mountPath": mount.path, "readOnly": not mount.writable}
        for index, mount in enumerate(service.host_mounts)
    ]
    if service.files:
        folder = service.config_folder if service.reload else service.mounted_config
        mounts.append({"name": _volume_name(service, CONFIG), "mountPath": folder, "readOnly": True})
    if service.api:
        mounts.append({"name": API, "mountPath": service.api.folder, "readOnly": True})
    return mounts


def _volumes(service: Service) -> list[dict[str, Any]]:
    volumes: list[dict[str, Any]] = [
        {"name": volume.name, "persistentVolumeClaim": {"claimName": volume.name}} for volume in service.volumes
    ]
    volumes += [
        {"name": _volume_name(service, f"scratch-{index}"), "emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}}
        for index, _ in enumerate(service.scratch)
    ]
    volumes += [
        {"name": f"host-{index}", "hostPath": {"path": mount.source}} for index, mount in enumerate(service.host_mounts)
    ]
    if service.files and service.reload:
        volumes += [
            {"name": FILES, **files.projected(service, whole=True)},
            {"name": CONFIG, "emptyDir": {"medium": "Memory", "sizeLimit": f"{loader.FOLDER_SIZE}Mi"}},
        ]
    elif service.files:
        volumes.append({"name": _volume_name(service, CONFIG), **files.projected(service, whole=False)})
    if service.api:
        volumes.append({"name": API, **_token()})
    return volumes


def _token() -> dict[str, Any]:
    """What pods get to speak to the API server, here for the one container that does."""
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    sources = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [namespace]}},
    ]
    return {"projected": {"defaultMode": 0o440, "sources": sources}}


def _probes(probe: Probe | None) -> dict[str, Any]:
    """The planned health check, three times: until it answers, for being asked at all, and for being alive."""
    if probe is None:
        return {}
    asked = {"exec": {"command": list(probe.command)}} if probe.port is None else {"tcpSocket": {"port": probe.port}}
    check = {**asked, "timeoutSeconds": probe.timeout}
    return {
        "startupProbe": {
            **check,
            "periodSeconds": STARTUP_INTERVAL,
            "failureThreshold": -(-(START_PATIENCE + probe.start_period) // STARTUP_INTERVAL),
        },
        "readinessProbe": {**check, "periodSeconds": probe.interval, "failureThreshold": probe.retries},
        # Later than not ready: a restart helps only a program that does not come back by itself.
        "livenessProbe": {**check, "periodSeconds": probe.interval, "failureThreshold": 2 * probe.retries},
    }


def _cpus(cores: float) -> str:
    """As the API server writes it back."""
    milli = max(1, round(cores * 1000))
    return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"


def _quantity(size: int) -> str:
    """Bytes as the API server writes them back: in the largest unit that fits."""
    for unit, factor in (("Ti", 2**40), ("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10)):
        if size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)
