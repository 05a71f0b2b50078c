"""Shop, gateway and exporter together expose every metric of metrics/*.yaml, as it is declared there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from prometheus_client.core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from components.catalogue import EXPOSED, declared_metrics
from components.config.metrics import DeclaredMetric
from components.services.demo import monitored

PROGRAMS = {"demo-shop": "shop", "demo-gateway": "gateway"}
OWN = {"le", "quantile"}


@pytest.fixture(scope="session")
def scraped(shop: str, gateway: str, exporter: str) -> dict[str, dict[str, Metric]]:
    """Monitored service to its metrics by name, after some requests."""
    for path in ("/api/products", "/api/products/7", "/api/products/7", "/no/such/path"):
        httpx.get(gateway + path, trust_env=False, timeout=60)
    httpx.post(f"{gateway}/api/orders", json={"product": 7}, trust_env=False, timeout=60)
    httpx.post(
        f"{gateway}/api/signups", json={"source": "ads", "plan": "free", "country": "FR"}, trust_env=False, timeout=60
    )
    urls = {"demo-shop": shop, "demo-gateway": gateway}
    found = {}
    for service in monitored():
        if service.name == "demo-traffic":
            continue
        answer = httpx.get(
            f"{urls.get(service.name, exporter)}/metrics", params=dict(service.params), trust_env=False, timeout=60
        )
        assert answer.is_success, answer.text
        found[service.name] = {name: family for family in _families(answer.text) for name in _names(family)}
    return found


def _families(text: str) -> Iterator[Metric]:
    parse = openmetrics if text.endswith("# EOF\n") else text_string_to_metric_families
    yield from parse(text)


def _names(family: Metric) -> set[str]:
    """As it is declared: counters with _total."""
    return {f"{family.name}_total"} if family.type == "counter" else {family.name}


def expected() -> Iterator[Any]:
    for service in monitored():
        known = {name: each for subject in service.exposes for name, each in declared_metrics(subject).items()}
        for name, metric in (known | service.metrics).items():
            if service.name != "demo-traffic":
                yield pytest.param(service.name, name, metric, id=f"{service.name}-{name}")


@pytest.mark.parametrize(("service", "name", "metric"), list(expected()))
def test_it_is_exposed_as_declared(
    scraped: dict[str, dict[str, Metric]], service: str, name: str, metric: DeclaredMetric
) -> None:
    """Type, names of labels, values of labels where they are listed, and buckets."""
    found = scraped[service].get(name)
    if found is None and metric.optional:
        return
    assert found is not None, f"{service} has no {name}"
    # A counter that another program calls otherwise cannot be given its type in the text format.
    assert found.type == ("unknown" if metric.type == "counter" and not name.endswith("_total") else metric.type)
    assert found.samples, "a series is there from the start"
    for sample in found.samples:
        assert {*sample.labels} - OWN == {*metric.labels}
        for label, wanted in metric.labels.items():
            if not isinstance(wanted, int):
                assert sample.labels[label] in wanted
    for label, wanted in metric.labels.items():
        values = {sample.labels[label] for sample in found.samples}
        assert len(values) <= (wanted if isinstance(wanted, int) else len(wanted)), f"{label}: {values}"
    if metric.type == "histogram":
        bounds = {float(s.labels["le"]) for s in found.samples if s.name.endswith("_bucket")}
        assert bounds == {*metric.buckets, float("inf")}


def test_no_declared_metric_is_left_out(scraped: dict[str, dict[str, Metric]]) -> None:
    """Also of those that not every program has, some program here has each."""
    declared = {name for subject in EXPOSED for name in declared_metrics(subject)}
    assert declared <= {name for families in scraped.values() for name in families}
