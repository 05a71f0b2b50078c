"""`doctor` and `drill` as commands: exit codes, JSON, and errors without a running stack."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from components.yaml_text import dump
from operations.doctor.command import doctor_command
from operations.drill.command import drill_command
from operations.errors import CommandError, UsageError
from tests.e2e.engine import free_ports

NOBODY = "tcp://127.0.0.1:1"


@pytest.fixture
def gone(tmp_path: Path) -> str:
    """A stack file of a stack whose engine and ports do not answer."""
    names = ("prometheus", "alertmanager", "jaeger", "otlp_grpc", "otlp_http")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    values = {"environment": "gone", "docker": {"host": NOBODY}, "ports": {**ports, "grafana": None}}
    file = tmp_path / "Pulumi.gone.yaml"
    file.write_text(dump({"config": {"observatory:stack": {**values, "grafana": {"enabled": False}}}}))
    return str(file)


def test_a_stack_that_is_gone_is_told_and_exits_with_1(gone: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor_command(gone, json=True, password_file=None, ca_file=None) == 1
    report = json.loads(capsys.readouterr().out)
    assert not report["ok"]
    found = {(each["diagnosis"], each["where"]) for each in report["findings"]}
    silent = {("endpoint-silent", name) for name in ("prometheus", "alertmanager", "jaeger")}
    assert found == {("platform-unreachable", "Docker engine"), *silent}
    assert "does not answer" in report["not_looked_at"]["container-stopped"]


def test_people_read_what_was_seen_and_what_was_not_looked_at(gone: str, capsys: pytest.CaptureFixture[str]) -> None:
    doctor_command(gone, json=False, password_file=None, ca_file=None)
    text = capsys.readouterr().out
    assert "CRITICAL  platform-unreachable: Docker engine\n          saw:    " in text
    assert "not looked at: container-missing" in text
    assert text.splitlines()[-1].startswith("4 critical: ")


def test_a_drill_lists_what_it_can(gone: str, capsys: pytest.CaptureFixture[str]) -> None:
    def drill(*alerts: str, json: bool = False) -> int:
        return drill_command(gone, alerts, False, json, None, 5, None, None)

    assert drill(json=True) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {"alert": "TargetDown", "severity": "critical"}.items() <= next(
        e for e in listed if e["alert"] == "TargetDown"
    ).items()
    assert drill() == 0
    assert "TargetDown" in capsys.readouterr().out
    with pytest.raises(UsageError, match="Nothing cannot be drilled"):
        drill("Nothing")
    with pytest.raises(CommandError, match="Docker engine does not answer"):
        drill("TargetDown")


def test_a_drill_in_a_cluster_is_refused(tmp_path: Path) -> None:
    values = {"environment": "far", "platform": "kubernetes", "kubernetes": {"context": "far"}}
    file = tmp_path / "Pulumi.far.yaml"
    file.write_text(dump({"config": {"observatory:stack": values}}))
    with pytest.raises(CommandError, match="on Docker only"):
        drill_command(str(file), ["TargetDown"], False, False, None, 5, None, None)
