"""`new --discover` on a real engine: what answers with metrics is found, and nothing of it is touched."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from docker.errors import NotFound
from docker.models.containers import Container

from components.config.products import Images
from components.images import SUBSTITUTES, load_catalogue
from tests.e2e.engine import Engine, free_subnet, until
from tests.e2e.project import ROOT


@pytest.fixture
def others(engine: Engine, run_name: str) -> Iterator[dict[str, Container]]:
    """Programs of somebody else's Compose project: two instances of a service with metrics, and a database."""
    from docker.types import IPAMConfig, IPAMPool

    network = f"{run_name}-shop_default"
    image = load_catalogue(Images(), SUBSTITUTES).reference("node-exporter")
    assert image
    pool = IPAMConfig(pool_configs=[IPAMPool(subnet=free_subnet())])
    engine.client.networks.create(network, ipam=pool)
    made: dict[str, Container] = {}
    try:
        for name, service, command in (
            ("checkout-1", "checkout", ["--web.listen-address=:8080"]),
            ("checkout-2", "checkout", ["--web.listen-address=:8080"]),
            ("silent-1", "silent", ["--web.listen-address=:1"]),
        ):
            made[name] = engine.client.containers.run(
                image,
                command,
                name=f"shop-{run_name}-{name}",
                network=network,
                labels={
                    "com.docker.compose.project": "shop",
                    "com.docker.compose.service": f"{run_name}-{service}",
                    **({"prometheus.io/port": "8080"} if service == "checkout" else {}),
                },
                detach=True,
            )
        yield made
    finally:
        for container in made.values():
            with suppress(NotFound):
                container.remove(force=True)
        engine.client.networks.get(network).remove()


def new(file: Path, *arguments: str) -> dict[str, Any]:
    command = [sys.executable, str(ROOT / "observatory"), "new", str(file), "--discover", "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_what_answers_becomes_a_service_and_stays_as_it_was(
    others: dict[str, Container], engine: Engine, run_name: str, tmp_path: Path
) -> None:
    before = {name: engine.container(str(each.name)).attrs for name, each in others.items()}

    def complete() -> dict[str, Any] | None:
        answer = new(tmp_path / "Pulumi.shop.yaml", "--team", "web", "--dry-run")
        services = [each["service"] for each in answer["found"] if each["service"]]
        mine = [each for each in services if each["name"] == f"{run_name}-checkout"]
        return {**answer, "mine": mine[0]} if mine and len(mine[0]["discovery"]["static"]["targets"]) == 2 else None

    answer = until(complete, "both instances are found", 300)
    targets = [f"shop-{run_name}-checkout-{number}:8080" for number in (1, 2)]
    assert sorted(answer["mine"]["discovery"]["static"]["targets"]) == targets
    assert answer["mine"]["team"] == "web"
    silent = next(each for each in answer["found"] if each["origin"] == f"shop-{run_name}-silent-1")
    assert (silent["service"], "no metrics at /metrics" in silent["why"]) == (None, True)
    assert f"{run_name}-shop_default" in answer["text"]
    assert answer["validation"]["ok"]
    after = {name: engine.container(str(each.name)).attrs for name, each in others.items()}
    assert after == before
