"""Whole origins through the command: a compose project, values of the Helm chart, folders of JSON; and its errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from components.yaml_text import load
from operations.app import app
from operations.errors import CommandError, UsageError
from operations.migrate.cloudwatch.origin import Account
from operations.migrate.command import (
    cloudwatch_command,
    compose_command,
    datadog_command,
    grafana_command,
    values_command,
)
from operations.migrate.compose import migrate_compose
from operations.migrate.kube_prometheus_stack import migrate_values
from operations.migrate.kubernetes_sizes import size
from operations.migrate.report import Node
from operations.migrate.sources import read_yaml
from operations.validate import validate_command
from tests.operations.migrate.support import assert_complete, bundle, item, outcomes

COMPOSE = """
version: "2.1"
networks: {monitor: {driver: bridge}}
volumes: {data: {}}
services:
  prometheus:
    image: prom/prometheus:v2.47.0
    volumes: ["./prometheus:/etc/prometheus", "data:/prometheus"]
    command: [--config.file=/etc/prometheus/prometheus.yml, --storage.tsdb.retention.time=200h, --query.timeout=1m]
    ports: ["9090:9090"]
    networks: [monitor]
  alertmanager:
    image: prom/alertmanager
    volumes: ["${PWD}/alertmanager:/etc/alertmanager"]
    command: --config.file=/etc/alertmanager/config.yml --web.external-url=https://alerts.example.com --cluster.peer=x
  grafana:
    image: grafana/grafana:10.0.0
    volumes: ["./grafana/provisioning:/etc/grafana/provisioning"]
    environment: [GF_SECURITY_ADMIN_USER=boss, GF_SECURITY_ADMIN_PASSWORD=hunter2, GF_USERS_ALLOW_SIGN_UP=false, GF_X=1]
    labels: {a: b}
    sysctls: {x: 1}
  nodeexporter: {image: "prom/node-exporter:v1"}
  shop: {image: "acme/shop:1"}
"""
PROMETHEUS = """
rule_files: ["*.rules"]
scrape_configs:
  - {job_name: prometheus, static_configs: [{targets: ["localhost:9090"]}]}
  - {job_name: shop, static_configs: [{targets: ["shop:8080"]}]}
"""
RULES = "groups: [{name: shop, rules: [{alert: ShopSlow, expr: shop_seconds > 1, labels: {severity: page}}]}]"
ROUTES = """
route: {receiver: slack, routes: [{receiver: slack, match: {severity: page}}]}
receivers: [{name: slack, slack_configs: [{api_url: "https://hooks.slack.com/secret", channel: "#a"}]}]
"""
SOURCES = "apiVersion: 1\ndatasources: [{name: P, type: prometheus, url: x}, {name: L, type: loki}]"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A compose project with everything that it mounts."""
    board = {"title": "Shop", "uid": "shop", "panels": [{"type": "stat", "title": "Up", "targets": [{"expr": "up"}]}]}
    files = {
        "docker-compose.yml": COMPOSE,
        "prometheus/prometheus.yml": PROMETHEUS,
        "prometheus/shop.rules": RULES,
        "alertmanager/config.yml": ROUTES,
        "grafana/provisioning/datasources/all.yml": SOURCES,
        "grafana/provisioning/dashboards/shop.json": json.dumps(board),
    }
    for name, text in files.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "project"


def test_a_compose_project_becomes_a_stack_that_validates(
    project: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert compose_command(project / "docker-compose.yml", out, "moved", "web", False, True) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["count"]["carried over"] > 5
    assert {each["name"] for each in report["secrets"]} == {"slackUrl", "grafanaPassword"}
    assert validate_command([str(out / "Pulumi.moved.yaml")], True) == 0
    checks = json.loads(capsys.readouterr().out)
    assert checks["ok"], [check for check in checks["checks"] if check["status"] == "failed"]
    stack = load((out / "Pulumi.moved.yaml").read_text())["config"]["observatory:stack"]
    assert stack["retention"] == {"time": "200h"}
    assert stack["external_urls"] == {"alertmanager": "https://alerts.example.com"}
    assert stack["exporters"] == {"node": True, "cadvisor": False, "blackbox": False}
    assert stack["docker"] == {"networks": ["project_monitor"]}
    assert stack["grafana"] == {"admin_user": "boss", "admin_password": {"secret": "grafanaPassword"}}
    assert stack["rule_files"] == ["rules/shop.yaml"]
    assert stack["dashboard_files"] == {"Migrated": ["dashboards/migrated/shop.json"]}
    assert stack["alerting"]["routes"] == [{"match": {"severity": "page"}, "channels": ["slack"]}]
    everything = "".join(path.read_text() for path in out.rglob("*") if path.is_file())
    assert "hunter2" not in everything
    assert "hooks.slack.com" not in everything


def test_every_key_of_a_compose_project_is_an_item(project: Path) -> None:
    made = bundle()
    migrate_compose(made, project / "docker-compose.yml", "web")
    for name in ("docker-compose.yml", "prometheus/prometheus.yml", "prometheus/shop.rules", "alertmanager/config.yml"):
        assert_complete(made.report, read_yaml(project / name, name))
    provisioned = "grafana/provisioning/datasources/all.yml"
    assert_complete(made.report, read_yaml(project / provisioned, provisioned))
    assert outcomes(made.report, "service")["shop"] == "not possible"
    assert outcomes(made.report, "datasource") == {"P": "carried over", "L": "not possible"}
    assert outcomes(made.report, "flag")["--query.timeout=1m"] == "not possible"
    assert "cluster.peer is set by the stack" in item(made.report, "alertmanager", "command").detail
    assert item(made.report, "services.grafana.sysctls").outcome == "not possible"


VALUES = """
commonLabels: {a: b}
defaultRules: {create: true}
kubeApiServer: {enabled: false}
nodeExporter: {enabled: true}
prometheus:
  enabled: true
  service: {type: LoadBalancer}
  additionalServiceMonitors:
    - name: shop
      selector: {matchLabels: {app: shop}}
      namespaceSelector: {matchNames: [shop]}
      endpoints: [{port: metrics, interval: 5m, relabelings: [{}]}, {port: admin}]
    - {name: anywhere, selector: {matchLabels: {app: x}}, endpoints: [{port: m}]}
  prometheusSpec:
    retention: 30d
    retentionSize: 90GB
    replicas: 2
    scrapeInterval: 30s
    nodeSelector: {disk: fast}
    resources: {limits: {memory: 4Gi, cpu: 1500m}, requests: {memory: 1Gi}}
    storageSpec: {volumeClaimTemplate: {spec: {storageClassName: ssd, resources: {requests: {storage: 100Gi}}}}}
    additionalScrapeConfigs: |
      - {job_name: legacy, static_configs: [{targets: ["legacy.example.com:9100"]}]}
alertmanager:
  alertmanagerSpec: {replicas: 3}
  config: {route: {receiver: "null"}, receivers: [{name: "null"}]}
grafana:
  adminPassword: hunter2
  persistence: {enabled: true, size: 10Gi}
  dashboards: {default: {own: {json: '{"title": "Own", "panels": []}'}, far: {gnetId: 1, revision: 2}}}
additionalPrometheusRulesMap:
  shop: {groups: [{name: shop, rules: [{alert: ShopDown, expr: up == 0}]}]}
"""


def test_values_become_a_stack_on_kubernetes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "values.yaml").write_text(VALUES)
    made = bundle()
    migrate_values(made, tmp_path / "values.yaml", "kind", "web")
    assert_complete(made.report, read_yaml(tmp_path / "values.yaml"))
    out = tmp_path / "out"
    assert values_command(tmp_path / "values.yaml", out, "moved", "web", "kind", False, False) == 0
    assert validate_command([str(out / "Pulumi.moved.yaml")], True) == 0
    stack = made.whole_stack()
    assert stack["kubernetes"] == {
        "context": "kind",
        "volumes": {"prometheus": "113GB", "grafana": "10GB"},
        "storage_class": "ssd",
        "node_selector": {"disk": "fast"},
        "monitor": {"api_server": False},
    }
    assert stack["resources"] == {"prometheus": {"memory": "4GB", "cpus": 1.5}}
    assert stack["high_availability"] == {"alertmanager": 3}
    assert [service["name"] for service in stack["services"]] == ["shop", "shop-2", "legacy"]
    assert stack["services"][0]["interval"] == "2m30s"
    assert "all namespaces" in item(made.report, "anywhere").detail
    assert item(made.report, "far").outcome == "not possible"
    assert item(made.report, "prometheus.prometheusSpec.replicas").outcome == "not possible"
    assert "hunter2" not in "".join(path.read_text() for path in out.rglob("*") if path.is_file())
    capsys.readouterr()


@pytest.mark.parametrize(
    ("text", "expected"),
    [("50Gi", "50GB"), ("512Mi", "512MB"), ("45GB", "45GB"), ("10GiB", "10GB"), ("1.5Gi", "1536MB"), ("x", "")],
)
def test_sizes(text: str, expected: str) -> None:
    assert size(text) == expected


def board(folder: Path) -> Path:
    path = folder / "board.json"
    path.write_text('{"title": "Own", "panels": [{"type": "text", "title": "T"}]}')
    return path


def test_a_folder_with_something_in_it_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = board(tmp_path), tmp_path / "out"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    with pytest.raises(CommandError, match=r"out is not empty"):
        grafana_command([source], out, "moved", "F", False, False)
    assert [path.name for path in out.iterdir()] == ["mine.txt"]
    assert grafana_command([source], out, "moved", "F", True, False) == 0
    first = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert grafana_command([source], out, "moved", "F", True, False) == 0
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == first, "the same, run after run"
    assert "3 files" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("gone.json", None, "no such file"),
        ("bad.json", "{", "is not valid JSON"),
        ("binary.json", b"\xff\xfe", "is no text in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_error(tmp_path: Path, name: str, text: Any, words: str) -> None:
    if text is not None:
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(CommandError, match=words):
        grafana_command([tmp_path / name], tmp_path / "out", "moved", "F", False, False)
    with pytest.raises(CommandError, match=words):
        datadog_command([tmp_path / name], tmp_path / "out", "moved", "t", "F", False, False)
    assert not (tmp_path / "out").exists()


def test_other_mistakes_are_told_before_anything_is_written(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    out = tmp_path / "out"
    with pytest.raises(CommandError, match=r"has no \.json file"):
        grafana_command([empty], out, "moved", "F", False, False)
    with pytest.raises(UsageError, match="is no name"):
        grafana_command([board(tmp_path)], out, "Not A Name", "F", False, False)
    (tmp_path / "x.yml").write_text("a: 1")
    with pytest.raises(CommandError, match="no compose file"):
        compose_command(tmp_path / "x.yml", out, "moved", "t", False, False)
    with pytest.raises(CommandError, match="no values file"):
        values_command(tmp_path / "x.yml", out, "moved", "t", None, False, False)
    (tmp_path / "x.yml").write_text("services: {db: {image: postgres}}")
    with pytest.raises(CommandError, match="has no monitoring"):
        compose_command(tmp_path / "x.yml", out, "moved", "t", False, False)
    (tmp_path / "x.yml").write_text("services: [")
    with pytest.raises(CommandError, match="is not valid YAML"):
        compose_command(tmp_path / "x.yml", out, "moved", "t", False, False)
    assert not out.exists()


def test_nothing_is_written_where_nothing_could_be_migrated(tmp_path: Path) -> None:
    """Each file's reason is told; an empty stack would look like a migration that went well."""
    source, out = tmp_path / "e.json", tmp_path / "out"
    source.write_text("{}")
    with pytest.raises(CommandError, match=r"nothing was written\ne\.json: is empty"):
        cloudwatch_command(Account(source), out, "moved", "t", False, False)
    with pytest.raises(CommandError, match=r"e\.json: it is no dashboard of Datadog: it has no widgets"):
        datadog_command([source], out, "moved", "t", "F", False, False)
    for number in range(7):
        (tmp_path / f"{number}.json").write_text("{}")
    with pytest.raises(CommandError, match=r"it is no dashboard: (?s:.)*\nand 3 more\n"):
        grafana_command([tmp_path], out, "moved", "F", False, False)
    assert not out.exists()


def test_the_command_ends_with_the_exit_codes_of_all_others(tmp_path: Path) -> None:
    def run(*arguments: str) -> int:
        result = CliRunner().invoke(app, ["migrate", *arguments])
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result.exit_code

    source, out = str(board(tmp_path)), str(tmp_path / "out")
    assert run("grafana", source, "--out", out) == 0
    assert run("grafana", source, "--out", out) == 1
    assert run("grafana", source, "--out", out, "--env", "X Y", "--force") == 2
    assert run("nonsense") == 2
    assert run("cloudwatch", "--out", str(tmp_path / "cw"), "--end", "2026-01-01") == 2


def test_the_report_names_where_things_were(tmp_path: Path) -> None:
    grafana_command([board(tmp_path)], tmp_path / "out", "moved", "F", False, False)
    report = (tmp_path / "out" / "REPORT.md").read_text()
    assert "| board.json: panels[0] | panel | T |" in report
    data = json.loads((tmp_path / "out" / "report.json").read_text())
    assert data["items"][0] == {
        "file": "board.json",
        "place": "panels[0]",
        "kind": "panel",
        "name": "T",
        "outcome": "carried over",
        "detail": "",
        "todo": "",
    }
    assert Node("a", ("b", 0, "c"), 1).place == "b[0].c"
