"""What an operator runs, beside what is planned: its own names and additions are no difference, anything else is.

The shape is that which the operator gives a configuration; an end-to-end test holds it against the real one.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest

from components.config.load import parse_stack
from operations.differences import differences
from operations.operated import as_planned, is_operated, job_of, rule_file_of
from tests.support import OPERATED, config_of, data, planned, service

CONFIG = parse_stack(copy.deepcopy(OPERATED), "stacks/Pulumi.operated.yaml")
PLANNED: dict[str, Any] = data(service(planned(CONFIG), "prometheus"), "prometheus.yml")
KINDS = {"basket": "service", "basket-inside": "service", "crawler": "pod", "crawler-inside": "pod"}
BEFORE = [
    {"source_labels": ["job"], "target_label": "__tmp_prometheus_job_name"},
    {"action": "keep", "source_labels": ["__meta_kubernetes_service_label_app"], "regex": "(basket);true"},
    {"target_label": "job", "replacement": "x", "action": "replace"},
    {"regex": "container", "action": "labeldrop", "separator": ";", "replacement": "$1"},
]
BEHIND = [{"source_labels": ["__tmp_hash"], "regex": "0", "action": "keep"}]


def running() -> dict[str, Any]:
    """As a healthy Prometheus of an operator would answer, its logins masked."""
    result = copy.deepcopy(PLANNED)
    for job in result["scrape_configs"]:
        name = job["job_name"]
        if name not in KINDS:
            continue
        job["job_name"] = f"{KINDS[name]}Monitor/operated/{name}/0"
        job["relabel_configs"] = [*BEFORE, *job["relabel_configs"], *BEHIND]
        for login in ("basic_auth", "authorization", "oauth2"):
            if login in job:
                job[login] = {
                    key.removesuffix("_file"): "<secret>" if key.endswith("_file") else value
                    for key, value in job[login].items()
                }
        for key, value in job.get("tls_config", {}).items():
            if key.endswith("_file"):
                file = value.rpartition("/")[2]
                secret = f"0_operated_prometheus-secrets_secrets__services__{file}"
                job["tls_config"][key] = f"/etc/prometheus/certs/{secret}"
    result["scrape_configs"].sort(key=lambda job: job["job_name"] not in KINDS)
    result["rule_files"] = ["/etc/prometheus/rules/prometheus-observatory-operated-rulefiles-0/*.yaml"]
    result["alerting"]["alert_relabel_configs"] = []
    return result


def found(actual: dict[str, Any]) -> list[str]:
    return list(differences(PLANNED, as_planned(CONFIG, PLANNED, actual)))


def job_in(actual: dict[str, Any], name: str) -> dict[str, Any]:
    return next(dict(job) for job in actual["scrape_configs"] if job["job_name"].endswith(f"/{name}/0"))


def test_the_operators_spelling_is_no_difference() -> None:
    assert found(running()) == []
    assert list(differences(PLANNED, running())) != [], "what this test relies on"


@pytest.mark.parametrize("name", KINDS)
def test_a_job_that_is_missing_is(name: str) -> None:
    actual = running()
    actual["scrape_configs"] = [
        job for job in actual["scrape_configs"] if not job["job_name"].endswith(f"Monitor/operated/{name}/0")
    ]
    assert any("entries are planned" in line for line in found(actual))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("relabel_configs", 4, "regex"), "other"),
        (("metric_relabel_configs", 0, "action"), "drop"),
        (("sample_limit",), 1),
        (("basic_auth", "username"), "somebody"),
        (("tls_config", "ca_file"), "/etc/prometheus/certs/0_operated_prometheus-secrets_other"),
        (("tls_config", "server_name"), "other"),
        (("kubernetes_sd_configs", 0, "namespaces", "names"), ["elsewhere"]),
    ],
)
def test_a_changed_setting_of_a_monitor_is(path: tuple[Any, ...], value: Any) -> None:
    actual = running()
    place: Any = next(job for job in actual["scrape_configs"] if job["job_name"].endswith("/basket-inside/0"))
    for part in path[:-1]:
        place = place[part]
    assert place[path[-1]] != value
    place[path[-1]] = value
    assert any("basket-inside" in line for line in found(actual)), found(actual)


def test_relabelling_that_is_missing_is() -> None:
    actual = running()
    job = next(job for job in actual["scrape_configs"] if job["job_name"].endswith("/basket/0"))
    job["relabel_configs"] = [rule for rule in job["relabel_configs"] if rule.get("target_label") != "team"]
    assert found(actual)


def test_rules_and_alertmanagers_of_others_are_seen() -> None:
    actual = running()
    actual["rule_files"] = ["/etc/elsewhere/*.yaml"]
    actual["alerting"]["alert_relabel_configs"] = [{"regex": "team", "action": "labeldrop"}]
    assert {line.split(":")[0].split("[")[0] for line in found(actual)} == {
        "rule_files",
        "alerting.alert_relabel_configs",
    }


def test_names_are_given_back() -> None:
    assert is_operated(CONFIG)
    assert job_of(CONFIG, "serviceMonitor/operated/basket/0") == "basket"
    assert job_of(CONFIG, "podMonitor/elsewhere/basket/0") == "podMonitor/elsewhere/basket/0"
    assert job_of(CONFIG, "node-exporter") == "node-exporter"
    path = "operated-node-exporter-0ab1c2d3-0000-4000-8000-0123456789ab.yaml"
    assert rule_file_of(CONFIG, f"/etc/prometheus/rules/prometheus-x-rulefiles-0/{path}") == "node-exporter.yaml"
    others = config_of("cluster")
    assert not is_operated(others)
    assert job_of(others, "serviceMonitor/watching/basket/0") == "serviceMonitor/watching/basket/0"
    assert rule_file_of(others, "/etc/prometheus/current/rules/http.yaml") == "http.yaml"
