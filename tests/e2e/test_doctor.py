"""`doctor` says nothing of a healthy stack, and finds each known failure once it is really there."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from docker.errors import APIError
from docker.models.containers import Container

from tests.e2e.engine import Engine, until
from tests.e2e.project import Project
from tests.e2e.stack import Stack
from tests.e2e.test_failures import silence
from tests.e2e.trouble import Trouble

Findings = dict[str, list[dict[str, Any]]]
OF_A_BUSY_MACHINE = {
    "alertmanager-unreached",
    "container-unhealthy",
    "endpoint-silent",
    "queries-slow",
    "rules-slow",
    "scrape-slow",
    "target-timeout",
}
"""What may be true for a moment of programs that get no processor time."""
SMALLEST_LIMIT = 6 * 2**20
"""Bytes of memory below which Docker takes no limit."""
BROKEN_RULE = {
    "groups": [
        {
            "name": "own",
            "rules": [
                {
                    "alert": "OwnMistake",
                    "expr": "up + on () up",
                    "labels": {"severity": "warning", "category": "own", "team": "web"},
                    "annotations": {"summary": "s", "description": "d {{ $value }}"},
                }
            ],
        }
    ]
}


def doctor(stack: Stack, *options: str, **variables: str) -> tuple[int, Findings]:
    """Exit code, and findings by diagnosis. What the machine's own disks are like is not the tests' business."""
    before = {name: stack.project.variables.get(name) for name in variables}
    stack.project.variables.update(variables)
    try:
        outcome = stack.project.run("./observatory", "doctor", stack.environment, "--json", *options)
    finally:
        for name, value in before.items():
            stack.project.variables.pop(name)
            if value is not None:
                stack.project.variables[name] = value
    assert "Traceback" not in outcome.output, outcome
    report = json.loads(outcome.output)
    assert outcome.code == (0 if report["ok"] else 1), outcome
    found: Findings = {}
    for each in report["findings"]:
        if not each["where"].startswith("node-exporter:9100 "):
            found.setdefault(each["diagnosis"], []).append(each)
    return outcome.code, found


def found_in(
    stack: Stack,
    wanted: dict[str, str],
    without: frozenset[str] = frozenset(),
    saying: Mapping[str, str] = MappingProxyType({}),
) -> Findings:
    """The findings once each wanted diagnosis is among them, at its place, and none of those that should not be.

    `saying` has words of a diagnosis: of several failures in one place, only one is described at a time.
    """
    last: Findings = {}

    def all_there() -> bool:
        last.clear()
        last.update(doctor(stack)[1])
        there = all(where in [each["where"] for each in last.get(name, [])] for name, where in wanted.items())
        said = all(words in str(last.get(name)) for name, words in saying.items())
        return there and said and not without & {*last}

    def told() -> str:
        there = [
            f"{name}: {each['where']}: {each['saw'][:200]}; {each['remedy'][:200]}; {each['consequences']}"
            for name, findings in last.items()
            for each in findings
        ]
        return f"{wanted}, {saying} and none of {sorted(without)} in {there}"

    until(all_there, told, 300)
    return last


def healthy(stack: Stack, *tolerated: str) -> None:
    """Wait until nothing is found any more. What happened is over after half a minute, in place of two."""
    last: Findings = {}

    def nothing() -> bool:
        last.clear()
        last.update({name: each for name, each in doctor(stack)[1].items() if name not in tolerated})
        return not last

    with stack.project.changed("operations/doctor/gather.py", "max(120,", "max(30,"):
        until(nothing, lambda: f"nothing is found any more: {json.dumps(last, indent=1)}", 300)


def volume_folder(engine: Engine, name: str) -> Path:
    """Where the engine keeps a volume."""
    folder = Path(engine.client.volumes.get(name).attrs["Mountpoint"])
    if not os.access(folder, os.W_OK):
        pytest.skip("breaking files of a volume needs root on the engine's machine")
    return folder


def send_signal(container: Container, number: int) -> None:
    """A signal to the main process, of which the engine knows nothing."""
    container.reload()
    os.kill(container.attrs["State"]["Pid"], number)


def memory_in_use(container: Container) -> int:
    """Bytes that it cannot give back at once; none while it does not run."""
    seen: Any = container.stats(stream=False)
    if not seen["memory_stats"].get("usage"):
        return 0
    cache = {"inactive_file": 0} | seen["memory_stats"]["stats"]
    return int(seen["memory_stats"]["usage"] - cache.get("total_inactive_file", cache["inactive_file"]))


@pytest.fixture(scope="module")
def shared(project: Project, engine: Engine, run_name: str) -> Iterator[Stack]:
    """A stack of these tests' own: what others have made fire lives on in Alertmanager, and would be a finding."""
    found = Stack(project, engine, f"{run_name}-patient")
    yield found
    engine.remove(found.environment)


@pytest.fixture
def trouble(stack: Stack) -> Iterator[Trouble]:
    """The bad targets, reachable from the stack."""
    found = Trouble(stack.engine.gateway(stack.environment))
    yield found
    found.close()


def test_a_healthy_stack_has_no_findings(stack: Stack) -> None:
    """Not one, not even a note, on a stack that has just started and on one that runs."""

    def nothing_found() -> None:
        code, found = doctor(stack)
        if found and found.keys() <= OF_A_BUSY_MACHINE:
            healthy(stack)  # once it has got the time that it needs
        else:
            assert (code, found) == (0, {})

    stack.targets_up()
    nothing_found()
    stack.await_health()
    nothing_found()


def test_bad_targets_samples_rules_and_channels(stack: Stack, trouble: Trouble) -> None:
    """What services, their numbers, rules and channels can do wrong: each is told with the key to change."""
    rules = stack.file.parent / "rules" / "own.yaml"
    rules.parent.mkdir(exist_ok=True)
    rules.write_text(json.dumps(BROKEN_RULE))
    broken = (
        volume_folder(stack.engine, f"observatory-{stack.environment}-prometheus-data") / "01HZZZZZZZZZZZZZZZZZZZZZZZ"
    )
    broken.mkdir()
    (broken / "meta.json").write_text("{")
    try:
        channel = {"type": "webhook", "url": f"http://{trouble.host}:{trouble.port}/hook"}
        stack.configure(
            services=trouble.services(),
            rule_files=["rules/own.yaml"],
            alerting__channels={"hook": channel},
            alerting__dead_mans_switch={"channel": "hook", "repeat_interval": "1m"},
            alerts__ServiceDown={"for": "1s"},
        )
        stack.up()
        at = f"{trouble.host}:{trouble.port}"
        found_in(
            stack,
            {
                "target-refused": f"{trouble.host}:{trouble.unused}",
                "target-unauthorised": at,
                "target-timeout": at,
                "target-over-limit": at,
                "target-unreadable": at,
                "target-empty": at,
                "scrape-slow": at,
                "job-without-target": "nowhere",
                "cardinality": "budget",
                "samples-rejected": "prometheus",
                "clock-skew": at,
                "certificate-expiring": at,
                "file-descriptors-low": at,
                "remote-storage-behind": at,
                "bucket-failing": at,
                "queries-slow": at,
                "spans-lost": at,
                "rules-slow": "prometheus",
                "rule-failing": "OwnMistake",
                "channel-failing": "receiver hook",
                "alerts-unheard": "alerting",
                "compaction-failed": "prometheus",
                "discovery-failing": "prometheus",
            },
            saying={
                "target-unauthorised": "`services[1].authentication`",
                "target-timeout": "`services[2].timeout` (now 2s)",
                "target-over-limit": "`services[4].sample_limit`",
                "cardinality": "budget 300",
                "channel-failing": "no such room",
                "rule-failing": "many-to-many",
            },
        )
    finally:
        shutil.rmtree(broken)
    stack.configure()
    found_in(stack, {"not-deployed": "prometheus"})
    stack.up()


def test_silenced_alerts(stack: Stack) -> None:
    """A silence over everything hides the dead man's switch: the command in the remedy ends it."""
    identifier = silence(stack, ".+")
    # A note until the dead man's switch is among those that it hides.
    found = found_in(
        stack, {"alerts-silenced": f"silence {identifier[:8]}"}, saying={"alerts-silenced": "'severity': 'warning'"}
    )
    (told,) = found["alerts-silenced"]
    ended = stack.project.run(*told["remedy"].split())
    assert ended.code == 0, ended
    until(lambda: "alerts-silenced" not in doctor(stack)[1], "the silence has ended", 180)


def test_a_corrupt_log_a_rejected_configuration_and_another_port(stack: Stack) -> None:
    """What Prometheus says of its own start and reload, and a port that is not what the stack file says."""
    folder = volume_folder(stack.engine, f"observatory-{stack.environment}-prometheus-data")
    configuration = volume_folder(stack.engine, f"observatory-{stack.environment}-prometheus-config") / "current"
    stack.remember_sample()
    prometheus = stack.container("prometheus")
    prometheus.stop()
    segment = max((folder / "wal").glob("[0-9]*"))
    segment.write_bytes(b"\xff" * 4096)
    prometheus.start()
    stack.await_answers()
    planned = (configuration / "prometheus.yml").read_text()
    (configuration / "prometheus.yml").write_text("scrape_configs: [{}]\n")
    try:
        prometheus.kill("SIGHUP")
        stack.configure(ports__jaeger=1)
        found_in(
            stack,
            {"wal-corrupt": "prometheus", "configuration-rejected": "prometheus", "endpoint-silent": "jaeger"},
            saying={"configuration-rejected": "job_name"},
        )
    finally:
        (configuration / "prometheus.yml").write_text(planned)
        prometheus.kill("SIGHUP")
        prometheus.restart()
        stack.configure()
    stack.await_answers()
    # With the log's end, that of earlier tests' targets is lost: they count as down until their samples are too old.
    healthy(stack, "alerts-unheard")


def test_containers(stack: Stack) -> None:
    """Missing, stopped, paused, crashing, out of memory and nearly so; each explains what follows from it."""
    stack.await_health()
    jaeger, alertmanager = stack.container("jaeger"), stack.container("alertmanager")
    try:
        stack.container("blackbox-exporter").remove(force=True)
        stack.container("node-exporter").stop()
        stack.engine.crash(stack.container("prometheus"))
        jaeger.stop()
        jaeger.update(mem_limit="12m", memswap_limit="12m")
        jaeger.start()
        alertmanager.pause()
        until(lambda: stack.health().get("prometheus", "exited") != "exited", "prometheus is back", 180)
        found = found_in(
            stack,
            {
                "container-missing": "blackbox-exporter",
                "container-stopped": "node-exporter",
                "container-paused": "alertmanager",
                "container-restarting": "prometheus",
                "container-out-of-memory": "jaeger",
            },
            # Their scrapes fail, their ports are silent, alerts do not arrive: told with the reason, not beside it.
            without=frozenset({"target-refused", "endpoint-silent", "target-timeout", "alertmanager-unreached"}),
            saying={
                "container-stopped": "target-refused: node-exporter",
                "container-paused": "endpoint-silent: alertmanager",
            },
        )
        (frozen,) = found["container-paused"]
        assert frozen["remedy"] == f"docker unpause observatory-{stack.environment}-alertmanager"
        assert doctor(stack, DOCKER_HOST="tcp://127.0.0.1:1")[1]["platform-unreachable"][0]["severity"] == "critical"
    finally:
        with suppress(APIError):  # it was not paused yet
            alertmanager.unpause()
        jaeger.update(mem_limit="512m", memswap_limit="512m")
        stack.up("--refresh")  # whatever was found: the tests that follow need every container
    stack.await_answers()
    idle = stack.container("alertmanager")
    limit = idle.attrs["HostConfig"]["Memory"]

    def near_limit() -> bool:
        """What it takes changes from moment to moment, so the limit is drawn anew each time."""
        in_use = memory_in_use(idle)
        # Where it has outgrown the last one in that moment it was ended, and starts with its own.
        drawn = min(limit, max(SMALLEST_LIMIT, int(in_use / 0.93))) if in_use else limit
        idle.update(mem_limit=drawn, memswap_limit=limit)
        return in_use > 0 and "alertmanager" in [
            each["where"] for each in doctor(stack)[1].get("memory-near-limit", [])
        ]

    try:
        until(near_limit, "the alertmanager is told to be near its limit", 300)
    finally:
        idle.update(mem_limit=limit, memswap_limit=limit)
    # That they crashed a moment ago stays true, and so does what the node exporter counts of it.
    healthy(stack, "container-restarting", "container-out-of-memory", "alerts-unheard", "traces-missing")


@contextmanager
def small_disk(project: Project, engine: Engine, environment: str) -> Iterator[Stack]:
    """A small stack with TLS on, whose Prometheus has a disk of a few megabytes."""
    access = {
        "password": {"secret": "accessPassword"},
        "tls": {"ca": {"secret": "tlsCa"}, "certificate": {"secret": "tlsCertificate"}, "key": {"secret": "tlsKey"}},
    }
    nothing = {"node": False, "blackbox": False, "cadvisor": False}
    stack = Stack(
        project,
        engine,
        environment,
        access=access,
        probes=[],
        exporters=nothing,
        services=[{"name": "shop", "team": "web", "discovery": {"static": {"targets": ["localhost:1"]}}}],
        grafana={"enabled": False},
    )
    try:
        stack.configure()
        made = project.run("./observatory", "certs", environment, "--days", "3")
        assert made.code == 0, made
        stack.set_secret("accessPassword", "of-the-doctor-5d1e")
        options = {"type": "tmpfs", "device": "tmpfs", "o": "size=48m,uid=65534,gid=65534"}
        name = f"observatory-{environment}-prometheus-data"
        engine.client.volumes.create(
            name, driver="local", driver_opts=options, labels={"observatory.environment": environment}
        )
        stack.up()
        yield stack
    finally:
        engine.remove(environment)


def test_a_full_disk_a_password_a_certificate_and_a_program_that_hangs(
    project: Project, engine: Engine, run_name: str, tmp_path: Path
) -> None:
    """They are told by a stack that has TLS and a password on."""
    with small_disk(project, engine, f"{run_name}-doctor") as stack:
        alertmanager = stack.container("alertmanager")
        send_signal(alertmanager, signal.SIGSTOP)
        wrong = tmp_path / "password"
        wrong.write_text("wrong")

        def refusing() -> list[str]:
            found = doctor(stack, "--password-file", str(wrong))[1]
            return [each["where"] for each in found.get("endpoint-login-refused", [])]

        until(lambda: refusing() == ["prometheus"], "prometheus refuses the wrong password", 180)
        disk = volume_folder(engine, f"observatory-{stack.environment}-prometheus-data")
        assert shutil.disk_usage(disk).total < 64e6
        with pytest.raises(OSError, match="No space left"):
            (disk / "filler").write_bytes(bytes(48 * 2**20))
        found_in(
            stack,
            {
                "disk-full": "prometheus",
                "certificate-expiring": "prometheus",
                "container-unhealthy": "alertmanager",
            },
            saying={
                "disk-full": "no space left on device",
                "certificate-expiring": f"./observatory certs {stack.environment}",
                "container-unhealthy": "endpoint-silent: alertmanager",
            },
        )
        until(lambda: "traces-missing" in doctor(stack)[1], "there is nowhere to send traces", 180)
        send_signal(alertmanager, signal.SIGCONT)
