"""The command as a whole process: exit codes, streams, interruptions, and how quickly it starts."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from operations import console
from operations.results import Result, Status

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = (
    "new",
    "cost",
    "drift",
    "render",
    "validate",
    "plan",
    "route",
    "verify",
    "doctor",
    "drill",
    "certs",
    "schema",
    "down",
    "destroy",
)


def observatory(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command."""
    environment = {**os.environ, **variables}
    return subprocess.run(
        [sys.executable, ROOT / "observatory", *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
        check=False,
    )


def test_help_names_every_command() -> None:
    done = observatory("--help")
    assert done.returncode == 0
    assert [name for name in COMMANDS if f"  {name} " not in done.stdout] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help(name: str) -> None:
    done = observatory(name, "--help")
    assert (done.returncode, f"observatory {name}" in done.stdout) == (0, True)


@pytest.mark.parametrize(
    "arguments", [("render",), ("plan", "dev", "--colour"), ("nothing",), ("verify", "dev", "--timeout", "0")]
)
def test_wrong_usage_is_2(arguments: tuple[str, ...]) -> None:
    done = observatory(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr


@pytest.mark.parametrize("name", ["plan", "validate", "verify", "certs", "down", "destroy"])
def test_a_bad_stack_file_is_told_as_it_is(name: str, tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.bad.yaml"
    file.write_text("config:\n  observatory:stack: {environment: bad, retension: 1d}\n")
    done = observatory(name, str(file))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{file}: 1 problem\n  retension: unknown key")
    assert "Traceback" not in done.stderr


def test_an_unknown_stack_names_the_known_ones() -> None:
    done = observatory("plan", "nowhere")
    assert done.returncode == 1
    assert "dev, k8s-dev, k8s-prod, prod, staging" in done.stderr


def test_render_and_its_refusal(tmp_path: Path) -> None:
    assert observatory("render", "dev", "--out", str(tmp_path / "out")).returncode == 0
    assert (tmp_path / "out/prometheus/prometheus.yml").is_file()
    (tmp_path / "mine").write_text("")
    done = observatory("render", "dev", "--out", str(tmp_path))
    assert (done.returncode, "add --force" in done.stderr) == (1, True)


def test_json_is_all_there_is_on_the_output() -> None:
    assert json.loads(observatory("plan", "dev", "--json").stdout)["environment"] == "dev"


def test_it_runs_from_any_folder(tmp_path: Path) -> None:
    done = subprocess.run(
        [ROOT / "observatory", "plan", "dev", "--json"], cwd=tmp_path, capture_output=True, check=False, timeout=300
    )
    assert done.returncode == 0


def test_a_reader_that_has_enough_is_no_error(tmp_path: Path) -> None:
    command = f"'{sys.executable}' '{ROOT}/observatory' plan prod | head -n 1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, timeout=300, check=False)
    assert (done.stdout.count("\n"), done.stderr) == (1, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interruption_is_130(number: signal.Signals, tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.test.yaml"
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(300)
        # It takes the call and never answers, so verify is in the middle of its work until it is interrupted.
        port = server.getsockname()[1]
        ports = f"{{prometheus: {port}, alertmanager: 10, jaeger: 11, otlp_http: 12, otlp_grpc: 13, grafana: null}}"
        file.write_text(f"config:\n  observatory:stack: {{environment: test, ports: {ports}}}\n")
        command = [sys.executable, str(ROOT / "observatory"), "verify", str(file), "--timeout", "500"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            call, _ = server.accept()
            process.send_signal(number)
            _, error = process.communicate(timeout=300)
            call.close()
    assert (process.returncode, error) == (130, "interrupted\n")


def test_start_imports_nothing_slow() -> None:
    """The goal is half a second for a whole `render dev`; time itself is measured by the benchmark."""
    slow = ("httpx", "rich", "pulumi", "docker", "cryptography", "bcrypt", "jsonschema")
    code = (
        "import sys; from operations.app import app; from operations.render import render_command; "
        f"print([name for name in {slow!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_lines_of_results() -> None:
    result = Result("a check", Status.FAILED, "first\nsecond", "mend\nthen try", 1.26)
    assert console.result_lines(result, 10) == [
        "FAILED       a check       1.3 s  first",
        "             second",
        "             remedy: mend",
        "                     then try",
    ]


def test_tables_are_aligned() -> None:
    assert console.table([["a", "bbb"], ["ccc", "d"]], ["X", "Y"]) == ["X    Y", "a    bbb", "ccc  d"]
    assert console.table([]) == []


class Terminal:
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def test_colours_on_terminals_only_and_not_with_no_color(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal: object = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert console.paint("x", "red", terminal) == "\033[31mx\033[0m"  # type: ignore[arg-type]
    assert console.paint("x", "red") == "x"
    monkeypatch.setenv("NO_COLOR", "1")
    assert console.paint("x", "red", terminal) == "x"  # type: ignore[arg-type]
