"""A Prometheus that the cluster's operator runs, read out of the operator's kinds as if we ran it ourselves.

What stands in the Secret beside them cannot be read in a state: jobs by address and probes, and where alerts are sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from components.platforms.kubernetes_monitors import API, job_of_monitor
from components.platforms.kubernetes_operator import GLOBAL
from components.yaml_text import dump

Object = Mapping[str, Any]
NAME = "prometheus"
_MONITORS = ("ServiceMonitor", "PodMonitor")
_TOLD = {*GLOBAL.values(), "retention", "retentionSize", "podMetadata", "containers", "additionalArgs"}
"""Of the object's settings, what is told by files and arguments; of all others a change is a new pod."""
_OF_CONTAINER = ("image", "imagePullPolicy", "resources", "volumeMounts")


def operated(objects: Iterable[Object]) -> Object | None:
    """The object that stands for the Prometheus; None where the stack runs its own."""
    return next((each for each in objects if (each["apiVersion"], each["kind"]) == (API, "Prometheus")), None)


def template(prometheus: Object) -> dict[str, Any]:
    """The pod that it asks for, in the shape of a workload's own template."""
    spec = prometheus["spec"]
    (patch,) = spec["containers"]
    arguments = [
        f"--{each['name']}={each['value']}" if "value" in each else f"--{each['name']}"
        for each in spec.get("additionalArgs") or ()
    ]
    container = {**{key: spec[key] for key in _OF_CONTAINER if key in spec}, **patch, "name": NAME, "args": arguments}
    rest = {key: value for key, value in spec.items() if key not in _TOLD and key not in _OF_CONTAINER}
    return {"metadata": spec.get("podMetadata") or {}, "spec": {**rest, "containers": [container]}}


def files(objects: Iterable[Object]) -> dict[str, str]:
    """Rules and configuration under the names that they have where we run it: path to text."""
    own = [each for each in objects if each["apiVersion"] == API]
    found = {
        f"rules/{each['metadata']['name']}.yaml": dump(each["spec"]) for each in own if each["kind"] == "PrometheusRule"
    }
    prometheus = operated(own)
    assert prometheus is not None
    spec = prometheus["spec"]
    kept = {"time": spec["retention"], **({"size": spec["retentionSize"]} if "retentionSize" in spec else {})}
    configuration = {
        "global": {name: spec[ours] for name, ours in GLOBAL.items() if ours in spec},
        "storage": {"tsdb": {"retention": kept}},
        "scrape_configs": [job_of_monitor(each) for each in own if each["kind"] in _MONITORS],
    }
    return {"prometheus.yml": dump(configuration), **found}
