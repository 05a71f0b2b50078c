"""Copies of two Prometheus servers by the real script and restic: each with its own samples, both of one run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from components.images import load_catalogue
from tests.e2e.engine import Engine
from tests.support import config_of, plan_of, service

BLOCK = "01KAJ0000000000000000000AA"
FILES = ("wal/00000000", "wal/00000001", "chunks_head/000001", f"{BLOCK}/meta.json", f"{BLOCK}/chunks/000001")
UPLOADED = "01KAJ0000000000000000000BB"


@pytest.fixture
def places(tmp_path: Path) -> Path:
    """The folders that the container sees: settings as planned, an empty repository, and two servers' data."""
    planned = service(plan_of("replicas-copied"), "backup")
    for file in planned.files:
        target = tmp_path / "conf/current" / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(file.resolve(lambda *_: "of the copies"))
    settings = tmp_path / "conf/current/settings"
    volumes = "VOLUMES='prometheus-data prometheus-2-data'"
    settings.write_text(re.sub(r"VOLUMES='[^']*'", volumes, settings.read_text()))
    assert volumes in settings.read_text()
    for name in ("repository", "state"):
        (tmp_path / name).mkdir()
    for server in ("prometheus-data", "prometheus-2-data"):
        for path in (*FILES, f"{UPLOADED}/meta.json"):
            data = tmp_path / "data" / server / path
            data.parent.mkdir(parents=True, exist_ok=True)
            data.write_text(f"{server} {path}\n")
        shipped = tmp_path / "data" / server / "thanos.shipper.json"
        shipped.write_text(f'{{"uploaded": ["{UPLOADED}"]}}' if server == "prometheus-data" else "{}")
    return tmp_path


def run(engine: Engine, places: Path, *arguments: str) -> str:
    """Run the script in its image, as a stack does; what it printed."""
    planned = service(plan_of("replicas-copied"), "backup")
    binds = {"conf": "/etc/backup", "repository": "/repository", "state": "/var/lib/backup", "data": "/data"}
    image = load_catalogue(config_of("replicas-copied").images).reference("backup")
    assert image
    output: bytes = engine.client.containers.run(
        image,
        list(arguments),
        entrypoint=list(planned.entrypoint),
        user=planned.user,
        environment=dict(planned.env),
        volumes={str(places / name): {"bind": path} for name, path in binds.items()},
        network_mode="none",
        cap_drop=["ALL"],
        cap_add=list(planned.capabilities),
        remove=True,
    )
    return output.decode()


def content(folder: Path) -> dict[str, str]:
    """Path to text of each file."""
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_each_replica_is_copied_and_comes_back_with_its_own_samples(engine: Engine, places: Path) -> None:
    """Blocks that one of them has uploaded are not copied from it, and still are from the other."""
    run(engine, places, "run", "manual")
    for server, uploaded in (("prometheus-data", True), ("prometheus-2-data", False)):
        volume = places / "data" / server
        assert not (volume / "snapshots").exists(), "no link stays behind"
        path = f"/data/{server}/snapshots/observatory-manual"
        assert path in run(engine, places, "restic", "snapshots")
        before = content(volume)
        run(engine, places, "fetch", "latest", server, path)
        run(engine, places, "put", server, "latest")
        wanted = {name: text for name, text in before.items() if not (uploaded and name.startswith(UPLOADED))}
        del wanted["thanos.shipper.json"]
        found = content(volume)
        assert found.pop("blocks-in-the-bucket", "") == (f"{UPLOADED}\n" if uploaded else "")
        assert found == wanted
