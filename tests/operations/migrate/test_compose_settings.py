"""What compose projects write in many ways: variables, files of them, limits, ports, files of a swarm, own images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.config import parse_stack
from components.yaml_text import dump
from operations.migrate.command import compose_command, grafana_command
from operations.migrate.compose import migrate_compose, product_of
from operations.migrate.compose_variables import filled, variables
from operations.migrate.output import Bundle
from operations.migrate.sources import read_yaml
from tests.operations.migrate.support import assert_complete, bundle, item, outcomes

GRAFANA = {"image": "grafana/grafana"}


def migrated(folder: Path, compose: dict[str, Any], **files: str) -> Bundle:
    """A project of these files, migrated; every value of it is an item, and what is made is a valid stack."""
    (folder / "docker-compose.yml").write_text(dump(compose))
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text)
    made = bundle()
    migrate_compose(made, folder / "docker-compose.yml", "web")
    assert_complete(made.report, read_yaml(folder / "docker-compose.yml"))
    parse_stack(made.whole_stack(), "Pulumi.moved.yaml")
    return made


def test_a_file_of_variables_is_read_and_its_secrets_stay_where_they_are(tmp_path: Path) -> None:
    text = (
        "# of Grafana\nexport GF_SECURITY_ADMIN_USER=boss\nGF_SECURITY_ADMIN_PASSWORD=hunter2 # ours\nGF_SMTP_HOST=x\n"
    )
    services = {"grafana": {**GRAFANA, "env_file": ["$PWD/config.monitoring"]}}
    made = migrated(tmp_path, {"services": services}, config__monitoring=text)
    assert made.stack["grafana"] == {"admin_user": "boss", "admin_password": {"secret": "grafanaPassword"}}
    assert [each.where for each in made.secrets] == ["config.monitoring: GF_SECURITY_ADMIN_PASSWORD"]
    assert outcomes(made.report, "environment") == {
        "GF_SECURITY_ADMIN_USER": "carried over",
        "GF_SECURITY_ADMIN_PASSWORD": "carried over",
        "GF_SMTP_HOST": "not possible",
        "config.monitoring": "carried over",
    }
    assert "hunter2" not in "".join(made.files().values())


def test_a_file_of_variables_that_is_not_there_is_told(tmp_path: Path) -> None:
    made = migrated(tmp_path, {"services": {"grafana": {**GRAFANA, "env_file": "secret.env"}}})
    assert item(made.report, "env_file").outcome == "not possible"
    assert "secret.env" in item(made.report, "env_file").detail


def test_variables_are_filled_in_by_the_project_or_by_their_default(tmp_path: Path) -> None:
    flags = ["--storage.tsdb.retention.time=${KEEP:-30d}", "--storage.tsdb.retention.size", "${SIZE}", "--x=${NONE}"]
    services = {"prometheus": {"image": "prom/prometheus", "command": flags, "ports": ["${PORT:-9091}:9090", "$NO:1"]}}
    made = migrated(tmp_path, {"services": services}, __env="SIZE=5GB\n")
    assert made.stack["retention"] == {"time": "30d", "size": "5GB"}
    assert made.stack["ports"] == {"prometheus": 9091}
    assert outcomes(made.report, "port") == {
        "prometheus ${PORT:-9091}:9090": "approximated",
        "prometheus $NO:1": "not possible",
    }
    assert outcomes(made.report, "flag")["--storage.tsdb.retention.size=${SIZE}"] == "carried over"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${A}", "1"),
        ("$A-$B", "1-$B"),
        ("${B:-2}", "2"),
        ("${A:-2}", "1"),
        ("${B-2}", "2"),
        ("${B:?missing}", "${B:?missing}"),
        ("plain", "plain"),
    ],
)
def test_variables_are_written_in_many_ways(text: str, expected: str) -> None:
    assert filled(text, {"A": "1"}) == expected


def test_no_file_of_variables_is_no_variables(tmp_path: Path) -> None:
    assert variables(tmp_path / ".env") == {}


def test_limits_are_carried_over_in_both_forms(tmp_path: Path) -> None:
    swarm = {"resources": {"limits": {"memory": "2G", "cpus": "1.5"}}}
    services = {
        "prometheus": {"image": "prom/prometheus", "deploy": swarm},
        "grafana": {**GRAFANA, "mem_limit": "256m", "cpus": 0.01},
        "alertmanager": {"image": "prom/alertmanager"},
    }
    made = migrated(tmp_path, {"services": services})
    assert made.stack["resources"] == {
        "prometheus": {"memory": "2048MB", "cpus": 1.5},
        "grafana": {"memory": "256MB"},
    }
    assert any("0.01 of grafana" in note for note in made.notes)
    assert "the same limits" in item(made.report, "prometheus", "service").detail
    assert "its own limits" in item(made.report, "alertmanager", "service").detail


def test_ports_that_would_meet_on_one_address_are_told_apart(tmp_path: Path) -> None:
    services = {
        "prometheus": {"image": "prom/prometheus", "ports": ["3000:9090"]},
        "alertmanager": {"image": "prom/alertmanager", "ports": ["10.0.0.1:3000:9093", "127.0.0.1::9093"]},
        "grafana": GRAFANA,
        "jaeger": {"image": "jaegertracing/all-in-one", "ports": ["16686:16686", "4317:4317", "14268:14268"]},
    }
    made = migrated(tmp_path, {"services": services})
    assert made.stack["ports"] == {"prometheus": 3000, "grafana": None, "jaeger": 16686, "otlp_grpc": 4317}
    assert outcomes(made.report, "port")["alertmanager 10.0.0.1:3000:9093"] == "not possible"
    assert outcomes(made.report, "port")["jaeger 14268:14268"] == "not possible"
    assert any("ports.grafana" in note for note in made.notes)


def test_files_that_a_swarm_gives_are_read(tmp_path: Path) -> None:
    given = {"source": "prom", "target": "/etc/prometheus/prometheus.yml"}
    compose = {
        "services": {"prometheus": {"image": "prom/prometheus", "configs": [given]}},
        "configs": {"prom": {"file": "./prom.yml"}},
        "include": ["more.yml"],
    }
    jobs = "scrape_configs: [{job_name: shop, static_configs: [{targets: ['shop.example.com:80']}]}]"
    made = migrated(tmp_path, compose, prom__yml=jobs)
    assert [each["name"] for each in made.stack["services"]] == ["shop"]
    assert item(made.report, "include").outcome == "not possible"


@pytest.mark.parametrize(
    ("service", "name", "product"),
    [
        ({"image": "stefanprodan/swarmprom-prometheus:v2"}, "prometheus", "prometheus"),
        ({"build": "./prometheus"}, "prometheus", "prometheus"),
        ({"image": "acme/node_exporter_alpine"}, "node-exporter", "node-exporter"),
        ({"image": "acme/node_exporter_alpine"}, "nodeexporter", "node-exporter"),
        ({"image": "acme/shop"}, "grafana", ""),
        ({"image": "prom/prometheus"}, "metrics", "prometheus"),
        ({"image": "bitnami/postgres-exporter"}, "prometheus-postgres", ""),
        (None, "prometheus", ""),
    ],
)
def test_a_product_is_known_by_its_image_or_its_name(service: Any, name: str, product: str) -> None:
    assert product_of(service, name) == product


def test_rules_of_prometheus_1_and_broken_ones_do_not_end_the_rest(tmp_path: Path) -> None:
    services = {"prometheus": {"image": "prom/prometheus", "volumes": ["./:/etc/prometheus"]}}
    files = {
        "prometheus__yml": "rule_files: ['*.rules']\n",
        "old__rules": 'ALERT host_down\n IF up == 0\n LABELS { severity = "page" }\n',
        "bad__rules": "groups: [\n",
        "good__rules": "groups: [{name: g, rules: [{record: 'a:b', expr: up}]}]",
    }
    made = migrated(tmp_path, {"services": services}, **files)
    told = {each.name: each for each in made.report.items if each.kind == "rule file"}
    assert "format of Prometheus 1" in told["old.rules"].detail
    assert "promtool update rules" in told["old.rules"].todo
    assert "bad.rules, line 2 is not valid YAML" in told["bad.rules"].detail
    assert [each.name for each in made.report.items if each.kind == "recording rule"] == ["a:b"]


def test_a_second_migration_into_the_same_folder_loses_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "prometheus.yml").write_text("rule_files: ['good.rules']")
    (tmp_path / "good.rules").write_text("groups: [{name: g, rules: [{record: 'a:b', expr: up}]}]")
    services = {"prometheus": {"image": "prom/prometheus", "volumes": ["./:/etc/prometheus"]}}
    (tmp_path / "docker-compose.yml").write_text(dump({"services": services}))
    (tmp_path / "board.json").write_text('{"title": "Shop", "panels": []}')
    out = tmp_path / "out"

    def compose() -> int:
        return compose_command(tmp_path / "docker-compose.yml", out, "moved", "web", True, False)

    assert (compose(), compose()) == (0, 0)
    assert not (out / "before").exists()
    with (out / "Pulumi.moved.yaml").open("a") as file:
        file.write("# mine\n")
    assert grafana_command([tmp_path / "board.json"], out, "moved", "Shop", True, False) == 0
    assert "before" in capsys.readouterr().err
    assert (out / "before" / "Pulumi.moved.yaml").read_text().endswith("# mine\n")
    assert "a:b" in (out / "before" / "rules" / "good.yaml").read_text()
    assert not (out / "rules").exists() or not list((out / "rules").iterdir())
    assert compose() == 0
    assert (out / "before-2" / "Pulumi.moved.yaml").is_file()


def test_what_a_job_of_an_own_program_said_besides_is_told(tmp_path: Path) -> None:
    services = {"prometheus": {"image": "prom/prometheus", "volumes": ["./:/etc/prometheus"]}}
    job = {
        "job_name": "nodes",
        "scrape_interval": "5s",
        "static_configs": [{"targets": ["nodeexporter:9100"], "labels": {"rack": "7"}}],
        "metric_relabel_configs": [{"action": "drop", "source_labels": ["__name__"], "regex": "go_.*"}],
    }
    text = dump({"global": {"scrape_interval": "15s"}, "scrape_configs": [job]})
    made = migrated(tmp_path, {"services": services}, prometheus__yml=text)
    told = item(made.report, "nodes")
    assert "not every 5s" in told.detail
    assert "without the labels rack" in told.detail
    assert item(made.report, "scrape_configs[0].metric_relabel_configs").outcome == "not possible"
