"""Prometheus, run by the operator that the cluster has: the planned service as objects of the operator's kinds.

Everything is taken from the planned files and the pod that we would run ourselves. Rules become PrometheusRule
objects, services found in the cluster become monitors, and all other jobs go to the operator word by word. What the
operator cannot take is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from components.platforms.kubernetes_files import file_objects
from components.platforms.kubernetes_monitors import ADDITIONAL, API, monitor, plain_logins
from components.platforms.kubernetes_objects import Manifest, Stack, version_label
from components.platforms.kubernetes_workloads import START_PATIENCE, workload
from components.spec import Service
from components.yaml_text import dump, load

DATA = "/prometheus"
"""Where the operator's Prometheus keeps its data."""
GLOBAL = {
    "scrape_interval": "scrapeInterval",
    "scrape_timeout": "scrapeTimeout",
    "evaluation_interval": "evaluationInterval",
    "external_labels": "externalLabels",
}
"""Settings of prometheus.yml, and what the operator calls them."""
_OF_POD = (
    "affinity",
    "automountServiceAccountToken",
    "enableServiceLinks",
    "imagePullSecrets",
    "nodeSelector",
    "priorityClassName",
    "securityContext",
    "serviceAccountName",
    "terminationGracePeriodSeconds",
    "tolerations",
    "topologySpreadConstraints",
    "volumes",
)
_OF_CONTAINER = ("image", "imagePullPolicy", "resources")
_THE_OPERATORS = (
    "name",
    "ports",
    "startupProbe",
    "readinessProbe",
    "livenessProbe",
    "securityContext",
    "terminationMessagePolicy",
)
"""Settings of our container that the operator makes alike by itself."""


def is_operated(stack: Stack, service: Service) -> bool:
    """Whether the operator runs this service, in place of a workload of ours."""
    return stack.cluster.operator == "existing" and service.name == "prometheus"


def object_name(stack: Stack) -> str:
    """Of the Prometheus object; the operator writes it into the label by which we find its pods."""
    return stack.common_labels()["app.kubernetes.io/instance"]


def operated_manifests(stack: Stack, service: Service) -> list[Manifest]:
    """Everything that stands in the place of files and workload, in the order in which it is needed.

    Raises ValueError where the plan asks for something that the operator cannot do.
    """
    config = load(next(file.content for file in service.files if file.path == "prometheus.yml"))
    found = {each.name: each.discovery.kubernetes for each in stack.config.services}
    jobs = [job for job in config["scrape_configs"] if found.get(job["job_name"]) is None]
    monitors = [
        monitor(stack, service, discovery, job)
        for job in config["scrape_configs"]
        if (discovery := found.get(job["job_name"]))
    ]
    kept = tuple(file for file in service.files if file.path != "prometheus.yml" and not file.path.startswith("rules/"))
    additional = {"scrape.yaml": dump(jobs)}
    additional |= {f"{key.replace('_', '-')}.yaml": dump(value) for key, value in config["alerting"].items()}
    # What only a monitor refers to need not be in the pod, which would be a new one for each such file.
    text = "".join(additional.values())
    used = tuple(file for file in kept if f"{service.mounted_config}/{file.path}" in text)
    logins = [plain_logins(job) for job in config["scrape_configs"] if found.get(job["job_name"])]
    return [
        *file_objects(stack, replace(service, files=kept, reload=None)),
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": stack.metadata(service, ADDITIONAL),
            "type": "Opaque",
            "stringData": {**additional, **{key: value for each in logins for key, value in each.items()}},
        },
        *(_rules(stack, service, file.path, file.content) for file in service.files if file.path.startswith("rules/")),
        *monitors,
        _prometheus(stack, replace(service, files=used, reload=None), config),
    ]


def _rules(stack: Stack, service: Service, path: str, content: str) -> Manifest:
    name = path.removeprefix("rules/").removesuffix(".yaml")
    return {
        "apiVersion": API,
        "kind": "PrometheusRule",
        "metadata": stack.metadata(service, name),
        "spec": load(content),
    }


def _prometheus(stack: Stack, service: Service, config: Mapping[str, Any]) -> Manifest:
    template = workload(stack, service)["spec"]["template"]
    own = {"matchLabels": stack.selector(service)}
    spec = {
        "version": version_label(service.image),
        "replicas": 1,
        "podMetadata": template["metadata"],
        "serviceName": service.name,
        "portName": "http",
        "serviceDiscoveryRole": "EndpointSlice",
        # As all programs: nobody who reaches the port may reload or end it.
        "reloadStrategy": "ProcessSignal",
        "maximumStartupDurationSeconds": START_PATIENCE,
        "serviceMonitorSelector": own,
        "podMonitorSelector": own,
        "ruleSelector": own,
        # Two labels more would make other series, and other alerts, of everything.
        "prometheusExternalLabelName": "",
        "replicaExternalLabelName": "",
        **_pod(service, template["spec"]),
        **_arguments(service),
        **_configuration(config),
    }
    metadata = stack.metadata(service, object_name(stack))
    return {"apiVersion": API, "kind": "Prometheus", "metadata": metadata, "spec": spec}


def _pod(service: Service, pod: Mapping[str, Any]) -> dict[str, Any]:
    """The pod and its one container, with our own claim in the place where the operator keeps data."""
    (container,) = pod["containers"]
    if [(port.name, port.number) for port in service.ports] != [("http", 9090)]:
        raise ValueError(f"the operator's Prometheus listens on port 9090 only, and is to listen on {service.ports}")
    if not service.read_only:
        raise ValueError("the operator's Prometheus has a read-only file system")
    _refuse("pod", {*pod} - {*_OF_POD, "containers"})
    _refuse("container", {*container} - {*_OF_CONTAINER, *_THE_OPERATORS, "args", "env", "volumeMounts"})
    mounts = container["volumeMounts"]
    patch = {
        "name": service.name,
        # Mounts are merged by their path: this one takes the place of the operator's own, which would be a new claim.
        "volumeMounts": [each for each in mounts if each["mountPath"] == DATA],
        **({"env": container["env"]} if "env" in container else {}),
    }
    return {
        **{key: pod[key] for key in _OF_POD if key in pod},
        **{key: container[key] for key in _OF_CONTAINER},
        "volumeMounts": [each for each in mounts if each["mountPath"] != DATA],
        "containers": [patch],
    }


def _arguments(service: Service) -> dict[str, Any]:
    """The program's arguments: as settings where the operator has one, else as they are."""
    given = [arg.removeprefix("--").partition("=")[::2] for arg in service.args]
    found: dict[str, Any] = {}
    more = []
    for name, value in given:
        if name == "web.external-url":
            found["externalUrl"] = value
        elif name == "web.route-prefix":
            found["routePrefix"] = value
        elif name == "enable-feature":
            found["enableFeatures"] = value.split(",")
        elif name == "web.config.file":
            raise ValueError("the operator's Prometheus cannot ask for a password")
        elif name not in ("config.file", "storage.tsdb.path"):
            more.append({"name": name, "value": value} if value else {"name": name})
    return found | ({"additionalArgs": more} if more else {})


def _configuration(config: Mapping[str, Any]) -> dict[str, Any]:
    """The rest of prometheus.yml: as settings, and the keys of the Secret with what is passed on as it is."""
    _refuse("prometheus.yml", {*config} - {"global", "storage", "rule_files", "alerting", "scrape_configs"})
    storage, alerting = config["storage"], config["alerting"]
    _refuse("prometheus.yml: global", {*config["global"]} - {*GLOBAL})
    _refuse("prometheus.yml: storage", {*storage} - {"tsdb", "exemplars"} | {*storage["tsdb"]} - {"retention"})
    _refuse("prometheus.yml: alerting", {*alerting} - {"alertmanagers", "alert_relabel_configs"})
    retention = storage["tsdb"]["retention"]

    def key(name: str) -> dict[str, str]:
        return {"name": ADDITIONAL, "key": f"{name}.yaml"}

    return {
        **{ours: config["global"][name] for name, ours in GLOBAL.items() if name in config["global"]},
        "retention": retention["time"],
        **({"retentionSize": retention["size"]} if "size" in retention else {}),
        **({"exemplars": {"maxSize": storage["exemplars"]["max_exemplars"]}} if "exemplars" in storage else {}),
        "additionalScrapeConfigs": key("scrape"),
        "additionalAlertManagerConfigs": key("alertmanagers"),
        **(
            {"additionalAlertRelabelConfigs": key("alert-relabel-configs")}
            if alerting.keys() > {"alertmanagers"}
            else {}
        ),
    }


def _refuse(place: str, unknown: set[str]) -> None:
    if unknown:
        raise ValueError(f"{place}: the operator cannot take {', '.join(sorted(unknown))}")
