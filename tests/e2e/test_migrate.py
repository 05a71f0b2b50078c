"""What `migrate` makes of a Compose project is deployed: its target, its alert and its dashboard's query are live."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from secrets import token_hex
from typing import Any

import pytest

from components.config.products import Images
from components.images import SUBSTITUTES, load_catalogue
from components.yaml_text import dump, load
from tests.e2e.engine import Engine, free_subnet, until
from tests.e2e.receiver import Receiver
from tests.e2e.stack import Stack

VALUES = {
    "prometheus": {
        "prometheusSpec": {
            "retention": "30d",
            "additionalScrapeConfigs": [{"job_name": "shop", "static_configs": [{"targets": ["shop.web:8080"]}]}],
        }
    },
    "additionalPrometheusRulesMap": {
        "shop": {"groups": [{"name": "shop", "rules": [{"alert": "ShopGone", "expr": 'up{job="shop"} == 0'}]}]}
    },
}


@pytest.fixture
def shop(engine: Engine, run_name: str) -> Iterator[str]:
    """A program of a Compose project that runs; the project's name. On its network it is called `shop`."""
    from docker.types import IPAMConfig, IPAMPool

    image = load_catalogue(Images(), SUBSTITUTES).reference("node-exporter")
    assert image
    pool = IPAMConfig(pool_configs=[IPAMPool(subnet=free_subnet())])
    network = engine.client.networks.create(f"{run_name}-moved_default", ipam=pool)
    container = engine.client.containers.create(image, ["--web.listen-address=:8080"], name=f"{run_name}-moved-shop-1")
    try:
        network.connect(container, aliases=["shop"])
        container.start()
        yield f"{run_name}-moved"
    finally:
        container.remove(force=True)
        network.reload()
        for each in network.containers:  # Prometheus, until the shared stack is brought back
            network.disconnect(each, force=True)
        network.remove()


@pytest.fixture
def desk(stack: Stack) -> Iterator[Receiver]:
    """Where the project's Alertmanager sent its messages."""
    found = Receiver(stack.engine.gateway(stack.environment))
    yield found
    found.close()


@pytest.fixture
def alertname() -> str:
    """A new one for each attempt: what Alertmanager has told to a receiver it does not tell it again."""
    return f"ShopIsThere{token_hex(3)}"


@pytest.fixture
def origin(shop: str, desk: Receiver, alertname: str, tmp_path: Path) -> Path:
    """The Compose file, with all that it mounts beside it."""
    rule = {"alert": alertname, "expr": 'up{job="shop"} == 1', "labels": {"severity": "page"}}
    services: dict[str, Any] = {
        "prometheus": {"image": "prom/prometheus", "volumes": ["./prometheus:/etc/prometheus"]},
        "alertmanager": {"image": "prom/alertmanager", "volumes": ["./alertmanager:/etc/alertmanager"]},
        "grafana": {"image": "grafana/grafana", "volumes": ["./dashboards:/var/lib/grafana/dashboards"]},
        "shop": {"image": "acme/shop"},
    }
    jobs = [
        {"job_name": "prometheus", "static_configs": [{"targets": ["localhost:9090"]}]},
        {"job_name": "shop", "static_configs": [{"targets": ["shop:8080"]}]},
    ]
    webhook = {"name": "desk", "webhook_configs": [{"url": f"{desk.url}/moved"}]}
    board = {"title": "Shop", "uid": "shop", "panels": [{"type": "graph", "targets": [{"expr": 'up{job="shop"}'}]}]}
    files = {
        "docker-compose.yml": dump({"name": shop, "services": services}),
        "prometheus/prometheus.yml": dump({"rule_files": ["shop.yml"], "scrape_configs": jobs}),
        "prometheus/shop.yml": dump({"groups": [{"name": "shop", "rules": [rule]}]}),
        "alertmanager/alertmanager.yml": dump({"route": {"receiver": "desk"}, "receivers": [webhook]}),
        "dashboards/shop.json": json.dumps(board),
    }
    for name, text in files.items():
        path = tmp_path / "compose" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "compose" / "docker-compose.yml"


def migrated(stack: Stack, kind: str, source: Path, out: Path) -> dict[str, Any]:
    """What `migrate` makes of a source, judged by `validate`."""
    command = ("./observatory", "migrate", kind, str(source), "--out", str(out), "--env", "moved")
    outcome = stack.project.run(*command)
    assert outcome.code == 0, outcome
    outcome = stack.project.run("./observatory", "validate", str(out / "Pulumi.moved.yaml"))
    assert outcome.code == 0, outcome
    made: dict[str, Any] = load((out / "Pulumi.moved.yaml").read_text())["config"]["observatory:stack"]
    return made


def test_a_migrated_compose_project_lives(
    stack: Stack, origin: Path, desk: Receiver, alertname: str, tmp_path: Path
) -> None:
    out = tmp_path / "moved"
    made = migrated(stack, "compose", origin, out)
    for folder in ("rules", "dashboards"):
        shutil.copytree(out / folder, stack.file.parent / folder, dirs_exist_ok=True)
    told = {f"alerting__{key}": made["alerting"][key] for key in ("channels", "default_channels")}
    parts = {key: made[key] for key in ("services", "docker", "rule_files", "dashboard_files")}
    stack.configure(**parts, **told)
    stack.up(what="a deployment of what was migrated from Compose")
    try:
        stack.targets_up("shop")
        (board,) = (json.loads((out / path).read_text()) for path in made["dashboard_files"]["Migrated"])
        (query,) = (target["expr"] for panel in board["panels"] for target in panel["targets"])
        until(
            lambda: [each["value"][1] for each in stack.query(query)] == ["1"],
            "the dashboard's query has its series",
            180,
        )

        def arrived() -> list[dict[str, str]]:
            """Labels of the migrated alert where it was delivered, beside what other tests made fire."""
            sent = [alert["labels"] for delivery in desk.at("/moved") for alert in delivery.body["alerts"]]
            return [labels for labels in sent if labels["alertname"] == alertname]

        labels, *_ = until(arrived, "the migrated alert is delivered to the migrated channel", 180)
        assert labels["severity"] == "page"
    finally:
        stack.restore()


def test_migrated_values_of_the_chart_are_valid(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text(dump(VALUES))
    made = migrated(stack, "kube-prometheus-stack", tmp_path / "values.yaml", tmp_path / "moved")
    assert (made["platform"], made["retention"]["time"]) == ("kubernetes", "30d")
    assert [each["name"] for each in made["services"]] == ["shop"]
    outcome = stack.project.run("./observatory", "plan", str(tmp_path / "moved" / "Pulumi.moved.yaml"))
    assert outcome.code == 0, outcome
    assert "shop.web:8080" in outcome.output
