"""The command: what it writes, what it refuses before it writes, what it says; and its dialogue."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from components.config import load_stack_file
from components.yaml_text import load
from operations.app import app
from operations.new import on_docker
from operations.new.command import new_command
from operations.new.dialogue import GROUPS, Question, fill
from operations.new.found import Found

ROOT = Path(__file__).resolve().parents[3]
QUESTIONS = {question.key: question for group in GROUPS for question in group}


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["new", *arguments])


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "Pulumi.shop.yaml"


def test_the_file_is_one_that_loads_and_says_what_is_next(file: Path) -> None:
    done = run(str(file), "--service", "checkout=a:80", "--exposes", "checkout=http", "--channel", "slack", "--access")
    assert done.exit_code == 0, done.output
    config = load_stack_file(str(file))
    assert (config.services[0].exposes, config.alerting.default_channels) == (("http",), ("team-chat",))
    assert "pulumi config set --secret observatory:slackUrl --stack shop" in done.output
    assert f"./observatory certs {file}" in done.output
    assert "tlsKey --stack" not in done.output
    assert [path.name for path in file.parent.iterdir()] == [file.name]


def test_secrets_of_what_is_left_out_on_this_machine_are_named_too(file: Path) -> None:
    done = run(str(file), "--grafana-database", "db.example.com", "--json")
    names = [secret["name"] for secret in json.loads(done.stdout)["secrets"]]
    assert names == ["grafanaDatabase"]


def test_a_file_that_is_there_stays(file: Path) -> None:
    file.write_text("mine")
    done = run(str(file), "--retention", "30d")
    assert (done.exit_code, file.read_text()) == (1, "mine")
    assert "is there already" in done.output


def test_force_replaces_the_stack_and_keeps_its_secrets(file: Path) -> None:
    file.write_text(
        "encryptionsalt: v1:abc\nconfig:\n  observatory:stack: {environment: shop}\n"
        "  observatory:slackUrl:\n    secure: v1:xyz\n"
    )
    assert run(str(file), "--force", "--retention", "30d").exit_code == 0
    document = load(file.read_text())
    assert document["encryptionsalt"] == "v1:abc"
    assert document["config"]["observatory:slackUrl"] == {"secure": "v1:xyz"}
    assert load_stack_file(str(file)).retention.time == "30d"


def test_force_does_not_replace_what_cannot_be_read(file: Path) -> None:
    file.write_text("a: [")
    done = run(str(file), "--force")
    assert (done.exit_code, file.read_text()) == (1, "a: [")
    assert "its secrets would be lost" in done.output


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--stack", "elastick"], 2, "allowed: prometheus"),
        (["--tracing", "x"], 2, "allowed: jaeger"),
        (["--scrape-interval", "1h"], 1, "scrape.interval (is 1h): must be between 1s and 2m30s"),
        (["--storage", "s3"], 1, "storage.bucket: is required"),
        (["--service", "Shop=a:80"], 1, "services[0].name"),
        (["--service", "shop=a:80", "--exposes", "shop=htpp"], 1, "services[0].exposes"),
    ],
)
def test_nothing_is_written_for_a_bad_value(file: Path, arguments: list[str], code: int, words: str) -> None:
    done = run(str(file), *arguments)
    assert done.exit_code == code
    assert words in done.output
    assert not file.exists()


def test_names_that_are_none_are_refused(tmp_path: Path) -> None:
    done = run(str(tmp_path / "Pulumi.Shop.yaml"))
    assert (done.exit_code, "environment" in done.output) == (1, True)
    assert run(str(tmp_path / "shop.yaml")).exit_code == 2
    assert run(str(tmp_path / "missing" / "Pulumi.shop.yaml")).exit_code == 2


def test_a_dry_run_shows_the_file_its_plan_and_its_checks_and_writes_nothing(file: Path) -> None:
    done = run(str(file), "--dry-run")
    assert done.exit_code == 0, done.output
    assert "environment: shop" in done.stdout
    assert "SCRAPE JOB" in done.stdout
    assert "checks of what would be deployed are fine" in done.stdout
    assert not file.exists()
    answer = json.loads(run(str(file), "--dry-run", "--json").stdout)
    assert (answer["written"], answer["validation"]["ok"], answer["plan"]["environment"]) == (False, True, "shop")
    assert not file.exists()


def answering(**answers: str) -> tuple[Callable[[Question], str], list[str]]:
    """A person who has these answers, each once, and takes the default of every other question."""
    asked: list[str] = []

    def ask(question: Question) -> str:
        asked.append(question.key)
        return answers.pop(question.key, question.default)

    return ask, asked


def test_only_what_is_open_is_asked() -> None:
    ask, asked = answering(storage="thanos", channel="email slack")
    answers = fill({"retention": "30d", "network": []}, ask, lambda _: None)
    assert "retention" not in asked
    assert "stack" not in asked, "there is one choice"
    assert ("mail_to" in asked, "bucket" in asked, "context" in asked, "grafana_database" in asked) == (
        True,
        True,
        False,
        False,
    )
    assert (answers["channel"], answers["retention"], answers["bucket"]) == (
        ["email", "slack"],
        "30d",
        "example-metrics",
    )


def test_a_follow_up_that_was_not_asked_counts_for_nothing() -> None:
    answers = fill({}, None, lambda _: None)
    assert (answers["bucket"], answers["mail_to"], answers["team"]) == ("", "", "platform")


def test_a_wrong_answer_is_asked_again(capsys: pytest.CaptureFixture[str]) -> None:
    ask, asked = answering(tracing="jager")
    assert fill({}, ask, lambda _: None)["tracing"] == "jaeger"
    assert asked.count("tracing") == 2
    assert "jager: is not to be had" in capsys.readouterr().err


@pytest.mark.parametrize(("answer", "names"), [("yes", ["shop"]), ("no", [])])
def test_what_is_found_is_taken_only_with_consent(
    file: Path, monkeypatch: pytest.MonkeyPatch, answer: str, names: list[str]
) -> None:
    service = {"name": "shop", "team": "web", "discovery": {"static": {"targets": ["shop:80"]}}}
    monkeypatch.setattr(
        on_docker, "discover", lambda _host, _team: [Found("shop-1", "answers", service, ("shop_net",))]
    )
    ask, asked = answering(discover=answer)
    given: dict[str, Any] = {
        "discover": True,
        "team": None,
        "platform": None,
        "context": None,
        "network": [],
        "demo": False,
    }
    new_command(str(file), {**given, "port_offset": 0}, dry_run=False, force=False, yes=False, json=False, ask=ask)
    config = load_stack_file(str(file))
    assert [each.name for each in config.services] == names
    assert config.docker.networks == (("shop_net",) if names else ())
    assert asked[0] == "discover"


def _until(terminal: int, words: bytes, seconds: float = 120) -> bytes:
    said, deadline = b"", time.monotonic() + seconds
    while words not in said:
        ready, _, _ = select.select([terminal], [], [], max(0.0, deadline - time.monotonic()))
        assert ready, said
        said += os.read(terminal, 4096)
    return said


@contextmanager
def on_terminal(file: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The command on a terminal of its own."""
    terminal, other = pty.openpty()
    command = [sys.executable, str(ROOT / "observatory"), "new", str(file)]
    with subprocess.Popen(command, stdin=other, stdout=other, stderr=other) as process:
        os.close(other)
        try:
            yield process, terminal
        finally:
            process.kill()
            os.close(terminal)


def test_on_a_terminal_it_asks_and_the_answers_count(file: Path) -> None:
    with on_terminal(file) as (process, terminal):
        for words in (b"Where to (", b"Services to watch"):
            _until(terminal, words)
            os.write(terminal, b"\n")
        _until(terminal, b"Keep metrics for")
        os.write(terminal, b"10\n")
        _until(terminal, b"must be a duration")
        os.write(terminal, b"45d\n")
        for words in (
            b"Collect",
            b"traces",
            b"Send alerts",
            b"Dashboards",
            b"Exporters",
            b"longer",
            b"Several",
            b"TLS",
        ):
            _until(terminal, words)
            os.write(terminal, b"\n")
        _until(terminal, b"Next:")
        assert process.wait(120) == 0
    assert load_stack_file(str(file)).retention.time == "45d"


def test_ctrl_c_writes_nothing(file: Path) -> None:
    with on_terminal(file) as (process, terminal):
        # The last blank is written by what reads the answer: before that, a signal would only count after a key.
        _until(terminal, b"[docker]: ")
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
        assert process.poll() == 130
    assert not file.exists()
