"""The catalogue: rules and metrics by subject.

A subject is a product of the stack (`prometheus`), or something that the user's services expose (`http`), or one of
`services` and `slo`, which the stack derives from what is declared, or a part of the cluster that it is on
(`kubelet`), or what Prometheus tells of where it sends its samples (`remote-write`). Files of the same name in rules/,
metrics/ and tests/rules/ belong together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, get_args

from components.config.metrics import DeclaredMetric, Subject, series_names
from components.parameters import Parameter
from components.remembered import remembered
from components.yaml_text import load

ROOT = Path(__file__).resolve().parents[1]
RULES, METRICS = ROOT / "rules", ROOT / "metrics"
EXPOSED: tuple[str, ...] = get_args(Subject)
"""Subjects that services expose."""
DERIVED = ("services", "slo")
"""Subjects whose series the stack records itself, from what services declare."""
CLUSTER = ("kubelet", "apiserver", "coredns")
"""Subjects of a Kubernetes cluster itself, where a stack is on one and watches it."""
FEDERATION = "federation"
"""Subject of stacks that collect series of other Prometheus servers."""
VICTORIA_NODES = "victoria-metrics-cluster"
"""Subject of stacks that keep samples in a cluster of VictoriaMetrics; its programs have names of their own."""
SENDING = "remote-write"
"""What Prometheus exposes about each end that it sends its samples to, where it does."""
EVERYWHERE = "scraping"
"""Metrics that Prometheus adds to every scrape, and that any program may have."""
PROBES = "probe"
"""The metrics that every probe answers with; there are probes only where the stack file names some."""


@dataclass(frozen=True, slots=True)
class RuleFile:
    """One file of rules/, as it stands there."""

    subject: str
    parameters: Mapping[str, Mapping[str, Parameter]]
    """Alert to its parameters by name."""
    groups: tuple[dict[str, Any], ...]
    inhibits: tuple[dict[str, Any], ...] = ()

    def rules(self) -> Iterator[dict[str, Any]]:
        """All rules, in their order."""
        for group in self.groups:
            yield from group["rules"]


def _content(path: Path) -> Any:
    """The data of a YAML file. Reading YAML takes twenty times as long as reading JSON."""
    text = path.read_text(encoding="utf-8")
    return remembered("yaml", [text], lambda: load(text))


@cache
def rule_file(subject: str) -> RuleFile | None:
    """The rules of a subject; None where it has none."""
    path = RULES / f"{subject}.yaml"
    if not path.is_file():
        return None
    content = _content(path)
    parameters = {
        alert: {name: Parameter.of(name, table) for name, table in tables.items()}
        for alert, tables in (content.get("parameters") or {}).items()
    }
    return RuleFile(subject, parameters, tuple(content["groups"]), tuple(content.get("inhibits") or ()))


@cache
def rule_subjects() -> tuple[str, ...]:
    """Every subject with rules, sorted."""
    return tuple(sorted(path.stem for path in RULES.glob("*.yaml")))


def all_alerts() -> dict[str, RuleFile]:
    """Every alert of the catalogue, with the file that defines it."""
    files = [file for subject in rule_subjects() if (file := rule_file(subject))]
    return {rule["alert"]: file for file in files for rule in file.rules() if "alert" in rule}


@cache
def declared_metrics(subject: str) -> dict[str, DeclaredMetric]:
    """The metrics of a subject that services expose; empty for any other."""
    path = METRICS / f"{subject}.yaml"
    if not path.is_file():
        return {}
    return {name: DeclaredMetric.model_validate(table) for name, table in _content(path)["metrics"].items()}


@cache
def exposed_series(subject: str) -> frozenset[str]:
    """The names in queries of everything that a product or a subject exposes."""
    path = METRICS / f"{subject}.txt"
    if path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines()
        return frozenset(line for line in lines if line and not line.startswith("#"))
    return frozenset(
        series for name, metric in declared_metrics(subject).items() for series in series_names(name, metric.type)
    )


@cache
def required_series(subject: str) -> frozenset[str]:
    """Of what a subject that services expose has, the part that is there without anything having to happen first."""
    return frozenset(
        series
        for name, metric in declared_metrics(subject).items()
        if not metric.optional
        for series in series_names(name, metric.type)
    )


@cache
def everything_known() -> frozenset[str]:
    """Every metric that any product or subject exposes, or any rule of the catalogue records."""
    files = [file for subject in rule_subjects() if (file := rule_file(subject))]
    recorded = {rule["record"] for file in files for rule in file.rules() if "record" in rule}
    return frozenset(recorded).union(*(exposed_series(path.stem) for path in METRICS.iterdir()))
