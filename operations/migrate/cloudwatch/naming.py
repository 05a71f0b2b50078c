"""Names of CloudWatch's metrics as yet-another-cloudwatch-exporter (YACE) exposes them.

Source: its pkg/promutil, BuildMetricName: `AWS/EC2`, `CPUUtilization`, `Average` is `aws_ec2_cpuutilization_average`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


def _words(text: str) -> str:
    parted = re.sub(r"([a-z0-9])([A-Z])", r"\1.\2", text)
    return re.sub(r"[^a-zA-Z0-9_]", "_", parted).lower()


def metric_name(namespace: str, metric: str, statistic: str) -> str:
    """The name of a metric's statistic."""
    space = re.sub(r"[^a-z0-9_]", "_", namespace.lower().strip("/"))
    name = _words(metric)
    for part in space.split("_"):
        name = name.removeprefix(part)
    prefix = "" if space.startswith("aws") else "aws_"
    return f"{prefix}{space}_{name.lstrip('_')}_{_words(statistic)}"


def dimension_label(name: str) -> str:
    """The label of a dimension: `dimension_InstanceId`."""
    return "dimension_" + re.sub(r"[^a-zA-Z0-9_]", "_", name)


@dataclass(frozen=True, slots=True)
class Metric:
    """One statistic of one metric of CloudWatch, over a period in seconds."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str
    period: int

    @classmethod
    def of(cls, metric: Mapping[str, Any], statistic: str, period: Any) -> Metric:
        """From `Namespace`, `MetricName` and `Dimensions` as the API writes them."""
        pairs: Sequence[Mapping[str, Any]] = metric.get("Dimensions") or ()
        dimensions = tuple(sorted((str(each.get("Name")), str(each.get("Value"))) for each in pairs))
        length = int(period or 300)
        return cls(str(metric.get("Namespace")), str(metric.get("MetricName")), dimensions, statistic, length)

    @property
    def series(self) -> str:
        """Its name in Prometheus."""
        return metric_name(self.namespace, self.name, self.statistic)

    @property
    def labels(self) -> dict[str, str]:
        """Its dimensions as labels."""
        return {dimension_label(name): value for name, value in self.dimensions}

    @property
    def selector(self) -> str:
        """What selects it in PromQL."""
        return self.series + braces(self.labels)


def braces(labels: Mapping[str, str]) -> str:
    """Labels as they stand in a selector or an exposition; nothing where there are none."""
    if not labels:
        return ""
    escaped = {
        key: value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for key, value in labels.items()
    }
    return "{" + ",".join(f'{key}="{value}"' for key, value in escaped.items()) + "}"


def exporter_config(metrics: Sequence[Metric], region: str) -> dict[str, Any]:
    """The configuration with which YACE exposes exactly these metrics."""
    jobs = []
    for number, metric in enumerate(dict.fromkeys(metrics)):
        asked = {
            "name": metric.name,
            "statistics": [metric.statistic],
            "period": metric.period,
            "length": metric.period,
        }
        jobs.append(
            {
                "name": f"migrated-{number + 1}",
                "namespace": metric.namespace,
                "regions": [region],
                "dimensions": [{"name": name, "value": value} for name, value in metric.dimensions],
                "metrics": [asked],
            }
        )
    return {"apiVersion": "v1alpha1", "static": jobs}
