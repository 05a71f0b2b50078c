"""High availability in the stack file: how many, and the errors for what its own values defeat."""

from __future__ import annotations

from typing import Any

import pytest

from components.config import StackFileError
from tests.support import stack

CLUSTER: dict[str, Any] = {"platform": "kubernetes", "kubernetes": {"context": "test"}}


def refused(**changes: Any) -> str:
    with pytest.raises(StackFileError) as found:
        stack(**changes)
    return str(found.value)


def test_there_is_one_of_each_unless_asked() -> None:
    asked = stack().high_availability
    assert asked.asked == {}
    assert (asked.count("prometheus"), asked.count("alertmanager"), asked.count("grafana")) == (1, 1, 1)


def test_a_cluster_of_alertmanagers_on_kubernetes_and_on_one_docker_host_that_says_so() -> None:
    assert stack(high_availability={"alertmanager": 3}, **CLUSTER).high_availability.asked == {"alertmanager": 3}
    assert stack(high_availability={"alertmanager": 5, "one_host": True}).high_availability.count("alertmanager") == 5


@pytest.mark.parametrize(
    ("count", "reason"),
    [
        (1, "is no high availability: leave it out for one, or ask for more"),
        (-1, "must be 3, 5, 7 or 9"),
        (11, "must be 3, 5, 7 or 9"),
        (0, "must be 3, 5, 7 or 9: a network can split an even number into halves, neither in the right"),
        (2, "must be 3, 5, 7 or 9: a network can split an even number into halves, neither in the right"),
        (10, "must be 3, 5, 7 or 9: a network can split an even number into halves, neither in the right"),
    ],
)
def test_counts_that_help_nobody_are_refused(count: int, reason: str) -> None:
    text = refused(high_availability={"alertmanager": count}, **CLUSTER)
    assert "high_availability.alertmanager" in text
    assert reason in text
    assert str(count) in text


def test_one_prometheus_is_no_high_availability() -> None:
    assert "is no high availability" in refused(high_availability={"prometheus": 1}, **CLUSTER)


def test_replicas_on_one_docker_host_have_to_be_meant() -> None:
    text = refused(high_availability={"alertmanager": 3})
    assert "high_availability" in text
    assert "alertmanager: 3" in text
    assert "replicas on one Docker host do not outlive it" in text
    assert "`one_host: true` if it is a program's crash that they are against; else platform: kubernetes" in text


def test_replicas_of_prometheus_need_something_that_shows_their_series_as_one() -> None:
    text = refused(high_availability={"prometheus": 2}, **CLUSTER)
    assert "high_availability.prometheus" in text
    assert "nothing would show their series as one: with backend local each has only its own" in text


def test_with_a_bucket_there_may_be_several() -> None:
    bucket = {"backend": "s3", "bucket": {"name": "acme-metrics", "region": "eu-central-1"}}
    asked = stack(high_availability={"prometheus": 2}, storage=bucket, **CLUSTER).high_availability.asked
    assert asked == {"prometheus": 2}
