"""Each kind of drift is provoked on the real engine and found; and finding it changes nothing."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from docker.errors import NotFound

from tests.e2e.stack import Stack


def drift(stack: Stack, *arguments: str) -> dict[str, Any]:
    """What `drift` says, whose exit code has to fit. It runs Pulumi twice meanwhile, so programs may answer late."""
    command = ("./observatory", "drift", stack.environment, "--json", "--timeout", "60")
    outcome = stack.project.run(*command, *arguments)
    report: dict[str, Any] = json.loads(outcome.output[outcome.output.index("{") :])
    assert outcome.code == int(report["drift"]), outcome
    return report


def of(report: dict[str, Any], kind: str) -> dict[str, list[str]]:
    """Findings of a kind: subject to details."""
    found: dict[str, list[str]] = {}
    for each in report["findings"]:
        if each["kind"] == kind:
            found.setdefault(each["subject"], []).append(each["detail"])
    return found


def test_a_fresh_stack_has_none(stack: Stack) -> None:
    stack.await_answers()
    begin = time.monotonic()
    report = drift(stack)
    assert report["findings"] == []
    assert [each for each in report["unchecked"] if "grafana" not in each["reason"]] == []
    assert time.monotonic() - begin < 300


def test_settings_files_strangers_and_volumes(stack: Stack) -> None:
    """Changes by hand, all at once: each is found under its kind, and none is undone by looking."""
    stack.await_answers()
    engine, prefix = stack.engine, f"observatory-{stack.environment}"
    image = stack.container("node-exporter").attrs["Config"]["Image"]
    stack.dirty = True
    try:
        with beside(stack, image):
            stack.container("alertmanager").update(mem_limit="300m", memswap_limit="300m")
            stack.container("node-exporter").stop(timeout=1)
            stack.container("blackbox-exporter").remove(force=True)
            engine.client.volumes.create(f"{prefix}-forgotten", labels={"observatory.environment": stack.environment})
            write(stack, "prometheus", "rules/extra.yaml", "groups: []\n")
            before = stack.starts()
            report = drift(stack)
            assert stack.starts() == before, "looking restarts nothing"
    finally:
        with suppress(NotFound):
            engine.client.volumes.get(f"{prefix}-forgotten").remove()
        # What `drift` names as the remedies are such.
        stack.configure(scrape__interval="3s")
        stack.up("--refresh")
        stack.configure()
        stack.up()
    resources, settings = of(report, "resources"), of(report, "settings")
    assert "has changed" in resources["Container alertmanager"][0]
    assert "memory" in resources["Container alertmanager"][0]
    assert resources["Container blackbox-exporter"] == ["is gone"]
    assert settings["alertmanager"] == ["memory limit: 300 MiB, planned is 128 MiB"]
    assert settings["blackbox-exporter"] == ["has no container"]
    assert "is exited" in settings["node-exporter"][0]
    assert of(report, "files") == {"prometheus": ["rules/extra.yaml: is not planned"]}
    stranger = of(report, "strangers")[f"{prefix}-stranger"]
    assert "is on the stack's network" in stranger[0]
    assert f"may write to the stack's volume {prefix}-prometheus-data" in stranger[1]
    assert list(of(report, "volumes")) == [f"{prefix}-forgotten"]
    assert not of(report, "not-deployed")
    stack.await_answers()
    assert drift(stack)["findings"] == []


@contextmanager
def beside(stack: Stack, image: str) -> Iterator[None]:
    """Somebody else's container on the stack's network, with its data."""
    prefix = f"observatory-{stack.environment}"
    stranger = stack.engine.client.containers.create(
        image,
        name=f"{prefix}-stranger",
        network=prefix,
        volumes={f"{prefix}-prometheus-data": {"bind": "/data", "mode": "rw"}},
    )
    try:
        yield
    finally:
        with suppress(NotFound):
            stranger.remove(force=True)


def slot(stack: Stack, service: str) -> str:
    """The folder of a service's files as its container sees it."""
    archive, stat = stack.container(service).get_archive(f"/etc/{service}/current")
    assert stat
    for _ in archive:
        pass
    return f"/etc/{service}/{str(stat['linkTarget']).rpartition('/')[2]}"


def write(stack: Stack, service: str, path: str, text: str) -> None:
    """Put a file into a service's configuration by hand: through another container, for its own may only read it."""
    folder, client = slot(stack, service).rpartition("/")[2], stack.engine.client
    helper = client.containers.create(
        stack.container(service).attrs["Config"]["Image"],
        labels={"observatory.helper": "true"},
        volumes={f"observatory-{stack.environment}-{service}-config": {"bind": "/c", "mode": "rw"}},
    )
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        entry = tarfile.TarInfo(path)
        entry.size, entry.mode = len(text), 0o444
        archive.addfile(entry, io.BytesIO(text.encode()))
    try:
        assert helper.put_archive(f"/c/{folder}", buffer.getvalue())
    finally:
        helper.remove(v=True, force=True)


def test_what_is_not_deployed_and_what_runs(stack: Stack) -> None:
    """A changed stack file is told as such, by the files and by the programs."""
    stack.await_answers()
    stack.configure(scrape__interval="7s")
    report = drift(stack)
    assert "would be changed" in of(report, "not-deployed")["Configuration prometheus"][0]
    assert any("scrape_interval" in each for each in of(report, "configuration")["prometheus"])
    assert any("prometheus.yml: line" in each for each in of(report, "files")["prometheus"])
    assert not of(report, "settings")
    kinds = {"not-deployed", "configuration", "files"}
    assert {each["kind"] for each in report["findings"]} == kinds
    assert not drift(stack, *(word for kind in sorted(kinds) for word in ("--ignore", kind)))["drift"]
    stack.configure()


def test_a_silence_with_who_and_what(stack: Stack) -> None:
    stack.await_answers()
    now = datetime.now(UTC)
    matcher = {"name": "alertname", "value": "Watchdog", "isRegex": False, "isEqual": True}
    wanted = {
        "matchers": [matcher],
        "startsAt": now.isoformat(),
        "endsAt": (now + timedelta(hours=1)).isoformat(),
        "createdBy": "ann",
        "comment": "moving house",
    }
    with stack.http("alertmanager") as client:
        made = client.post("/api/v2/silences", json=wanted)
        assert made.is_success, made.text
        identity = made.json()["silenceID"]
        try:
            [found] = of(drift(stack), "silences")[identity]
        finally:
            assert client.delete(f"/api/v2/silence/{identity}").is_success
    assert 'alertname="Watchdog": by ann, since' in found
    assert '"moving house"' in found
    assert "could hide 1 of" in found
    assert not of(drift(stack), "silences")


@pytest.mark.parametrize("name", ["nobody-deployed-this"])
def test_a_stack_that_is_not_deployed_is_one_error(stack: Stack, name: str) -> None:
    file = stack.file.with_name(f"Pulumi.{name}.yaml")
    file.write_text(f"config:\n  observatory:stack: {{environment: {name}}}\n")
    outcome = stack.project.run("./observatory", "drift", name)
    file.unlink()
    assert outcome.code == 1
    assert "is not deployed" in outcome.output
    assert "Traceback" not in outcome.output
