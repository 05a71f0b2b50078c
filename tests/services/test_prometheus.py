"""Prometheus: how it is run, what it scrapes, with which rules, and whom it tells."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from components.config import parse_stack
from components.context import Context
from components.rules import _dashboard_urls, rendered_groups
from components.spec import Plan, Service
from components.yaml_text import dump
from tests.rules.promtool import run
from tests.support import ACCESS, EVERYTHING, TARGET_FILES, content, data, images, planned, service, stack

CONFIG = "/etc/prometheus/current"
OFF = {"enabled": False}


@cache
def everything() -> Plan:
    return planned(parse_stack(copy.deepcopy(EVERYTHING), "stacks/Pulumi.test.yaml"))


def prometheus(**changes: Any) -> Service:
    return service(planned(stack(**changes)), "prometheus")


def jobs(of: Service) -> dict[str, dict[str, Any]]:
    return {job["job_name"]: job for job in data(of, "prometheus.yml")["scrape_configs"]}


def job(name: str) -> dict[str, Any]:
    return jobs(service(everything(), "prometheus"))[name]


def rules(of: Service) -> dict[str, dict[str, Any]]:
    """Every alert by name."""
    files = [file.path for file in of.files if file.path.startswith("rules/")]
    groups = [group for path in files for group in data(of, path)["groups"]]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def test_how_it_is_run() -> None:
    one = prometheus()
    assert one.image == "quay.io/prometheus/prometheus:v3.13.5"
    assert one.user == "65534:65534"
    assert set(one.args) == {
        f"--config.file={CONFIG}/prometheus.yml",
        "--storage.tsdb.path=/prometheus",
        "--storage.remote.flush-deadline=10s",
        "--web.external-url=http://localhost:9090",
        "--enable-feature=exemplar-storage",
    }
    assert [(volume.name, volume.path) for volume in one.volumes] == [("prometheus-data", "/prometheus")]
    assert one.stop_grace == 120, "a head of millions of series takes its time to be written"
    assert one.probe is not None
    assert one.probe.command == ("promtool", "check", "healthy", "--url=http://localhost:9090")
    assert one.reload is not None
    assert one.reload.signal == "SIGHUP"


def test_access_control_is_followed_by_server_probe_and_callers() -> None:
    one = prometheus(access=ACCESS)
    assert f"--web.config.file={CONFIG}/web.yml" in one.args
    assert "--web.external-url=https://localhost:9090" in one.args
    assert one.probe is not None
    assert one.probe.command[3:] == ("--url=https://localhost:9090", f"--http.config.file={CONFIG}/client.yml")
    assert data(one, "web.yml") == {
        "tls_server_config": {"cert_file": "tls.crt", "key_file": "tls.key", "min_version": "TLS12"},
        "basic_auth_users": {"observatory": "<bcrypt:accessPassword>"},
    }
    assert content(one, "tls.key") == "<secret:tlsKey>"
    assert content(one, "tls.crt") == "<secret:tlsCertificate>"
    assert content(one, "secrets/ca.crt") == "<secret:tlsCa>"
    assert content(one, "secrets/access-password") == "<secret:accessPassword>"
    client = {
        "basic_auth": {"username": "observatory", "password_file": f"{CONFIG}/secrets/access-password"},
        "tls_config": {"ca_file": f"{CONFIG}/secrets/ca.crt"},
    }
    for name in ("prometheus", "node-exporter", "blackbox-exporter", "alertmanager", "grafana"):
        assert jobs(one)[name]["scheme"] == "https"
        assert {key: jobs(one)[name][key] for key in client} == client
    for name in ("cadvisor", "jaeger", "jaeger-spans"):
        assert "scheme" not in jobs(one)[name], f"{name} has no TLS of its own"
    (sender,) = data(one, "prometheus.yml")["alerting"]["alertmanagers"]
    assert sender == {"scheme": "https", **client, "static_configs": [{"targets": ["alertmanager:9093"]}]}


def test_without_access_control_nothing_asks_for_a_password() -> None:
    one = prometheus()
    text = content(one, "prometheus.yml")
    assert "password" not in text
    assert "https" not in text
    assert not [file.path for file in one.files if file.secrets]


def test_the_global_settings_are_the_stack_files() -> None:
    settings = data(
        prometheus(scrape={"interval": "20s", "timeout": "9s", "evaluation_interval": "1m"}, environment="lab"),
        "prometheus.yml",
    )["global"]
    assert settings == {
        "scrape_interval": "20s",
        "scrape_timeout": "9s",
        "evaluation_interval": "1m",
        "external_labels": {"environment": "lab"},
    }
    assert data(prometheus(scrape={"interval": "20s"}), "prometheus.yml")["global"]["evaluation_interval"] == "20s"


def test_retention_is_by_time_and_where_given_by_size() -> None:
    tsdb = data(prometheus(retention={"time": "7d", "size": "4GB"}), "prometheus.yml")["storage"]["tsdb"]
    assert tsdb == {"retention": {"time": "7d", "size": "4GB"}}
    assert data(prometheus(), "prometheus.yml")["storage"]["tsdb"] == {"retention": {"time": "15d"}}


def test_it_scrapes_itself_first_and_everything_that_is_planned() -> None:
    assert list(jobs(prometheus())) == [
        "prometheus",
        "node-exporter",
        "blackbox-exporter",
        "cadvisor",
        "jaeger",
        "jaeger-spans",
        "alertmanager",
        "grafana",
    ]
    small = prometheus(exporters={"node": False, "blackbox": False, "cadvisor": False}, tracing={"backend": "none"})
    assert list(jobs(small)) == ["prometheus", "alertmanager", "grafana"]


def test_span_metrics_keep_their_labels_and_cadvisors_bulk_is_dropped() -> None:
    assert jobs(prometheus())["jaeger-spans"]["honor_labels"] is True
    assert "honor_labels" not in jobs(prometheus())["jaeger"]
    (drop,) = jobs(prometheus())["cadvisor"]["metric_relabel_configs"]
    assert drop["action"] == "drop"
    assert drop["source_labels"] == ["__name__"]


# Services of the user


def test_limits_and_lists_of_metrics_protect_the_server() -> None:
    shop = {
        "name": "shop",
        "team": "web",
        "port": 80,
        "discovery": {"static": {"targets": ["a"]}},
        "target_limit": 5,
        "label_limit": 10,
        "keep": ["http_.*", "up"],
        "drop": ["http_debug_.*"],
    }
    one = jobs(prometheus(services=[shop]))["shop"]
    assert (one["sample_limit"], one["label_limit"], one["target_limit"]) == (20000, 10, 5)
    assert one["metric_relabel_configs"] == [
        {"source_labels": ["__name__"], "regex": "http_.*|up", "action": "keep"},
        {"source_labels": ["__name__"], "regex": "http_debug_.*", "action": "drop"},
    ]


def test_static_targets_get_the_services_port_where_they_have_none() -> None:
    assert job("shop") == {
        "job_name": "shop",
        "sample_limit": 20000,
        "label_limit": 64,
        "static_configs": [{"targets": ["shop-1:8080", "shop-2:81"], "labels": {"service": "shop", "team": "web"}}],
    }


@pytest.mark.parametrize(
    ("target", "written"),
    [("a", "a:80"), ("a:1", "a:1"), ("[::1]", "[::1]:80"), ("[::1]:5", "[::1]:5"), ("10.0.0.1", "10.0.0.1:80")],
)
def test_a_port_is_added_to_names_and_addresses_of_both_kinds(target: str, written: str) -> None:
    user = {"name": "shop", "team": "web", "port": 80, "discovery": {"static": {"targets": [target]}}}
    assert jobs(prometheus(services=[user]))["shop"]["static_configs"][0]["targets"] == [written]


def test_a_target_file_is_deployed_and_its_dollar_signs_stay_dollar_signs() -> None:
    found = job("batch")
    assert found["file_sd_configs"] == [{"files": [f"{CONFIG}/targets/batch.yaml"]}]
    assert content(service(everything(), "prometheus"), "targets/batch.yaml") == TARGET_FILES["targets/batch.yaml"]
    labels = {rule["target_label"]: rule["replacement"] for rule in found["relabel_configs"]}
    assert labels == {"service": "batch", "team": "data", "price": "5$$", "tier": "gold"}


def test_docker_containers_are_found_by_label_and_port() -> None:
    found = job("cart")
    assert found["docker_sd_configs"] == [{"host": "tcp://docker-proxy:2375"}]
    by_label, by_port, name, *labels = found["relabel_configs"]
    assert by_label == {
        "source_labels": ["__meta_docker_container_label_com_example_job"],
        "regex": "cart",
        "action": "keep",
    }
    assert by_port == {"source_labels": ["__meta_docker_port_private"], "regex": "9000", "action": "keep"}
    assert name["target_label"] == "container"
    assert [rule["target_label"] for rule in labels] == ["service", "team"]


def test_dns_records_with_and_without_a_port_of_their_own() -> None:
    assert job("ledger")["dns_sd_configs"] == [{"names": ["ledger.example.com"], "type": "AAAA", "port": 443}]
    assert job("vault")["dns_sd_configs"] == [{"names": ["_metrics._tcp.vault.example.com"], "type": "SRV"}]


def test_each_kind_of_authentication_reads_its_secret_from_a_file() -> None:
    folder = f"{CONFIG}/secrets/services"
    assert job("batch")["basic_auth"] == {"username": "scraper", "password_file": f"{folder}/batch-password"}
    assert job("cart")["authorization"] == {"credentials_file": f"{folder}/cart-token"}
    assert job("ledger")["oauth2"] == {
        "client_id": "prometheus",
        "client_secret_file": f"{folder}/ledger-client-secret",
        "token_url": "https://login.example.com/token",
        "scopes": ["metrics"],
    }
    assert job("vault")["tls_config"] == {
        "ca_file": f"{folder}/vault-ca",
        "cert_file": f"{folder}/vault-certificate",
        "key_file": f"{folder}/vault-key",
        "server_name": "vault.internal",
    }
    files = {file.path: file for file in service(everything(), "prometheus").files}
    for path, secret in (
        ("batch-password", "batchPassword"),
        ("cart-token", "cartToken"),
        ("ledger-client-secret", "ledgerClient"),
        ("vault-ca", "vaultCa"),
        ("vault-certificate", "vaultCertificate"),
        ("vault-key", "vaultKey"),
    ):
        file = files[f"secrets/services/{path}"]
        assert file.content == f"<secret:{secret}>"
        assert not file.reload, "Prometheus reads it again by itself"


def test_a_service_may_be_called_what_a_secret_of_the_stack_is_called() -> None:
    user = {
        "name": "access",
        "team": "web",
        "discovery": {"static": {"targets": ["a:1"]}},
        "authentication": {"basic": {"username": "a", "password": {"secret": "other"}}},
    }
    one = prometheus(services=[user], access=ACCESS)
    assert content(one, "secrets/access-password") == "<secret:accessPassword>"
    assert content(one, "secrets/services/access-password") == "<secret:other>"


def test_scheme_path_parameters_and_protocol_are_written_only_where_they_differ() -> None:
    assert job("ledger")["scheme"] == "https"
    assert job("ledger")["params"] == {"module": ["a", "b"]}
    assert job("ledger")["fallback_scrape_protocol"] == "PrometheusText0.0.4"
    assert not {"scheme", "params", "metrics_path", "fallback_scrape_protocol", "scrape_timeout"} & set(job("shop"))


@pytest.mark.parametrize(
    ("interval", "timeout", "written"),
    [
        ("5s", None, "5s"),
        ("5s", "2s", "2s"),
        ("30s", None, None),
        ("10s", None, None),
        (None, "3s", "3s"),
        (None, None, None),
    ],
)
def test_a_timeout_is_never_longer_than_its_interval(
    interval: str | None, timeout: str | None, written: str | None
) -> None:
    user = {"name": "shop", "team": "web", "discovery": {"static": {"targets": ["a:1"]}}}
    found = jobs(prometheus(services=[{**user, "interval": interval, "timeout": timeout}]))["shop"]
    assert found.get("scrape_interval") == interval
    assert found.get("scrape_timeout") == written


# Probes


def test_a_probe_goes_through_the_blackbox_exporter_and_is_named_by_labels() -> None:
    found = job("probe-home")
    assert found["static_configs"] == [{"targets": ["blackbox-exporter:9115"]}]
    assert found["metrics_path"] == "/probe"
    assert found["params"] == {"module": ["http_2xx"], "target": ["https://example.com/?price=$1"]}
    assert (found["scrape_interval"], found["scrape_timeout"]) == ("5s", "5s")
    assert found["relabel_configs"] == [
        {"target_label": "instance", "replacement": "https://example.com/?price=$$1"},
        {"target_label": "job", "replacement": "probe"},
        {"target_label": "probe", "replacement": "home"},
        {"target_label": "team", "replacement": "platform"},
    ]
    assert found["scheme"] == "https"
    assert "scrape_timeout" not in job("probe-gateway")


# Rules


def test_each_planned_product_brings_its_rules() -> None:
    paths = {file.path for file in prometheus().files if file.path.startswith("rules/")}
    assert {"rules/prometheus.yaml", "rules/alertmanager.yaml", "rules/node-exporter.yaml"} <= paths
    small = prometheus(exporters={"node": False, "blackbox": False, "cadvisor": False}, tracing={"backend": "none"})
    assert {file.path for file in small.files if file.path.startswith("rules/")} == {
        "rules/prometheus.yaml",
        "rules/alertmanager.yaml",
        "rules/grafana.yaml",
    }


def test_the_dead_mans_switch_always_fires() -> None:
    assert rules(prometheus())["Watchdog"]["expr"] == "vector(1)"


def test_people_may_come_by_another_address_than_the_stack_itself() -> None:
    proxied = prometheus(external_urls={"prometheus": "https://watch.example.com/prometheus/"}, access=ACCESS)
    assert "--web.external-url=https://watch.example.com/prometheus" in proxied.args
    assert "--web.route-prefix=/" in proxied.args, "the path is the proxy's: the stack asks for /metrics and /-/ready"
    assert proxied.probe
    assert "--url=https://localhost:9090" in proxied.probe.command
    own_name = prometheus(external_urls={"prometheus": "https://watch.example.com/"})
    assert "--web.external-url=https://watch.example.com" in own_name.args
    assert not [arg for arg in own_name.args if "route-prefix" in arg]


def test_alerts_link_to_their_page_and_to_their_dashboard() -> None:
    published = rules(prometheus(alerting={"runbooks_url": "https://runbooks.example.com/x/"}))["TargetDown"]
    assert published["annotations"]["runbook_url"] == "https://runbooks.example.com/x/TargetDown.md"
    job = "{{ with $labels.job }}?var-job={{ . | urlquery }}{{ end }}"
    assert published["annotations"]["dashboard_url"] == f"http://localhost:3000/d/observatory-stack{job}"
    here = rules(prometheus(grafana={"root_url": "https://grafana.example.com/"}))["TargetDown"]["annotations"]
    assert here["runbook"] == "runbooks/TargetDown.md"
    assert "runbook_url" not in here
    assert here["dashboard_url"] == f"https://grafana.example.com/d/observatory-stack{job}"
    assert "dashboard" not in here


@pytest.mark.parametrize("changes", [{"grafana": OFF}, {"dashboards": []}, {"dashboards": ["node"]}])
def test_no_alert_links_to_a_dashboard_that_is_not_there(changes: dict[str, Any]) -> None:
    links = {rule["annotations"].get("dashboard_url") for rule in rules(prometheus(**changes)).values()}
    assert not [link for link in links if link and "/observatory-stack" in link]
    if changes != {"dashboards": ["node"]}:
        assert links == {None}


def test_a_link_sets_the_filters_that_the_alert_has_labels_for(tmp_path: Path) -> None:
    """Filled in by Prometheus itself: an alert about two services, one with an odd name, and one about none."""
    group = {
        "name": "links",
        "rules": [
            {"alert": "Slow", "expr": "slow > 0", "annotations": {"dashboard": "slo"}},
            {"alert": "Elsewhere", "expr": "slow > 0", "annotations": {"dashboard": "observatory-stack"}},
        ],
    }
    shop = {"name": "shop", "team": "web", "port": 80, "discovery": {"static": {"targets": ["a"]}}, "exposes": ["http"]}
    context = Context(stack(services=[{**shop, "objectives": {"availability": {"target": "99%"}}}]), images(stack()))
    links = _dashboard_urls(context, {"prometheus", "grafana"})
    (tmp_path / "links.yaml").write_text(rendered_groups(context, [group], links))
    base = "http://localhost:3000/d"

    def expected(alert: str, *ends: tuple[dict[str, str], str]) -> dict[str, Any]:
        words = [
            {
                "exp_labels": labels,
                "exp_annotations": {"runbook": f"runbooks/{alert}.md", "dashboard_url": f"{base}/{end}"},
            }
            for labels, end in ends
        ]
        return {"eval_time": "1m", "alertname": alert, "exp_alerts": words}

    odd, plain, none = {"service": "a&b c", "slo": "latency"}, {"service": "shop"}, {"slo": "latency"}
    test = {
        "interval": "1m",
        "input_series": [
            {"series": 'slow{service="a&b c", slo="latency"}', "values": "1 1"},
            {"series": 'slow{service="shop"}', "values": "1 1"},
            {"series": 'slow{slo="latency"}', "values": "1 1"},
        ],
        "alert_rule_test": [
            expected(
                "Slow",
                (odd, "slo?var-service=a%26b+c&var-slo=latency"),
                (plain, "slo?var-service=shop"),
                (none, "slo"),
            ),
            expected("Elsewhere", *((labels, "observatory-stack") for labels in (odd, plain, none))),
        ],
    }
    (tmp_path / "test.yaml").write_text(dump({"rule_files": ["links.yaml"], "tests": [test]}))
    answer = run("test", "rules", tmp_path / "test.yaml")
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_a_dashboard_without_its_product_is_not_linked() -> None:
    config = stack()
    context = Context(config, images(config))
    planned_products = {"prometheus", "grafana"}
    assert set(_dashboard_urls(context, planned_products)) == {"observatory-stack"}
    assert set(_dashboard_urls(context, planned_products | {"node-exporter"})) == {
        "observatory-stack",
        "node",
    }
    shop = {"name": "shop", "team": "web", "port": 80, "discovery": {"static": {"targets": ["a"]}}, "exposes": ["http"]}
    context = Context(stack(services=[shop]), images(config))
    assert "api-overview" in _dashboard_urls(context, planned_products)
    assert _dashboard_urls(context, {"prometheus", "node-exporter"}) == {}


def test_a_stack_with_tls_watches_its_own_certificate() -> None:
    watch = jobs(prometheus(access=ACCESS))["probe-stack-certificate"]
    assert watch["params"] == {"module": ["stack-certificate"], "target": ["prometheus:9090"]}
    assert "probe-stack-certificate" not in jobs(prometheus())
