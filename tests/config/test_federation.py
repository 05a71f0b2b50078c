"""Federation in the stack file: what is refused, and in which words."""

from __future__ import annotations

import re
from typing import Any

import pytest

from components.config import StackFileError
from tests.support import ACCESS, stack

EU: dict[str, Any] = {"name": "eu", "url": "https://eu.example.com"}


def refused(*servers: dict[str, Any], **changes: Any) -> str:
    with pytest.raises(StackFileError) as found:
        stack(federation=[*servers], **changes)
    return re.sub(r" \(is .*?\)(?=:)", "", str(found.value))


def test_by_default_it_collects_what_rules_record_what_is_up_and_alerts_that_fire() -> None:
    (server,) = stack(federation=[EU]).federation
    assert server.match == ('{__name__=~"[^:]+:.+"}', "up", 'ALERTS{alertstate="firing"}')


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"url": "http://prometheus:9090"}, "federation[0].url: leads to this server itself"),
        ({"url": "http://prometheus-2:9090/"}, "federation[0].url: leads to this server itself"),
        ({"url": "http://localhost:9099"}, "federation[0].url: leads to this server itself"),
        ({"url": "http://127.0.0.1:9099"}, "federation[0].url: leads to this server itself"),
        ({"url": "http://[::1]:9099"}, "federation[0].url: leads to this server itself"),
        ({"url": "http://host.docker.internal:9090"}, "federation[0].url: leads to this server itself"),
        ({"url": "https://prometheus.example.com"}, "federation[0].url: leads to this server itself"),
        ({"url": "eu.example.com:9090"}, "federation[0].url: must be a URL"),
        ({"match": []}, "federation[0].match: must name at least one"),
        ({"match": ["sum(up)"]}, "federation[0].match[0]: must be a selector of series, such as up"),
        ({"match": ["up", "{}"]}, "federation[0].match[1]: must be a selector of series, such as up"),
        ({"match": ["up[5m]"]}, "federation[0].match[0]: must be a selector of series, such as up"),
        ({"interval": "3m"}, "federation[0].interval: must be between 1s and 2m30s"),
        ({"interval": "500ms"}, "federation[0].interval: must be between 1s and 2m30s"),
        ({"timeout": "1m"}, "federation[0].timeout: must not be longer than its interval 15s"),
        (
            {"url": "http://eu.example.com", "tls": {"ca": {"secret": "euCa"}}},
            "federation[0].tls: needs an https:// url",
        ),
        ({"authentication": {"bearer": {"token": "abc"}}}, "must name a secret"),
        ({"honor_labels": False}, "federation[0].honor_labels: unknown key; allowed here: authentication, interval"),
    ],
)
def test_what_cannot_work_is_refused(change: dict[str, Any], reason: str) -> None:
    assert reason in refused({**EU, **change}, external_urls={"prometheus": "https://prometheus.example.com/"})


def test_the_address_on_an_ingress_is_its_own() -> None:
    cluster = {
        "context": "test",
        "ingress": {"hosts": {"prometheus": "prometheus.example.com"}, "tls_secret": "observatory-tls"},
    }
    own = {**EU, "url": "https://prometheus.example.com"}
    text = refused(own, platform="kubernetes", kubernetes=cluster, access=ACCESS)
    assert "federation[0].url: leads to this server itself" in text


def test_regions_are_told_apart_by_name_and_address() -> None:
    text = refused(EU, {"name": "eu", "url": "https://other.example.com"})
    assert "federation[0].name: is there twice; series of two regions would be one" in text
    text = refused(EU, {"name": "us", "url": "https://eu.example.com/"})
    assert "federation[1].url: is there twice; each of its series would be, too" in text


def test_own_series_are_told_from_those_of_a_region() -> None:
    shop = {
        "name": "shop",
        "team": "web",
        "discovery": {"static": {"targets": ["shop:80"]}},
        "labels": {"region": "eu"},
    }
    assert "services[0].labels.region: is the name of a federated region" in refused(EU, services=[shop])
    elsewhere = {**shop, "labels": {"region": "us"}}
    assert stack(federation=[EU], services=[elsewhere]).federation
    named = {**shop, "name": "federate-eu", "labels": {}}
    assert "is the name of a scrape job of the stack itself" in refused(EU, services=[named])
