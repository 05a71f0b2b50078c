"""Secrets reach Pulumi through standard input alone, and its errors reach people as they are."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from components.config.load import FOLDER
from operations import pulumi_cli
from operations.errors import CommandError
from operations.pulumi_cli import Pulumi, environment

# Writes down its arguments and input, then answers as the file `answer` says: code, output, error.
SCRIPT = """#!/usr/bin/env python3
import json, pathlib, sys
here = pathlib.Path(__file__).parent
with (here / "calls").open("a") as calls:
    calls.write(json.dumps([sys.argv[1:], sys.stdin.read()]) + "\\n")
code, out, err = json.loads((here / "answer").read_text())
print(out, end="")
print(err, end="", file=sys.stderr)
sys.exit(code)
"""


class Fake:
    """A pulumi program in a folder of its own."""

    def __init__(self, folder: Path):
        self.folder = folder
        program = folder / "pulumi"
        program.write_text(SCRIPT)
        program.chmod(0o755)
        self.answer(0, "")

    def answer(self, code: int, out: str, err: str = "") -> None:
        """What it answers from now on."""
        (self.folder / "answer").write_text(json.dumps([code, out, err]))

    def calls(self) -> list[tuple[list[str], str]]:
        """Arguments and input of each call."""
        return [tuple(json.loads(line)) for line in (self.folder / "calls").read_text().splitlines()]

    def pulumi(self, file: Path = FOLDER / "Pulumi.dev.yaml") -> Pulumi:
        """Pulumi by this program."""
        return Pulumi("dev", file, {"PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}"})


@pytest.fixture
def fake(tmp_path: Path) -> Fake:
    """A pulumi program."""
    return Fake(tmp_path)


def test_a_secret_is_input_and_never_an_argument(fake: Fake) -> None:
    fake.pulumi().set_secret("tlsKey", "-----BEGIN\nsecret\n")
    ((arguments, given),) = fake.calls()
    assert arguments == ["config", "set", "--secret", "observatory:tlsKey", "--stack", "dev", "--non-interactive"]
    assert given == "-----BEGIN\nsecret\n"


def test_a_stack_file_elsewhere_is_named(fake: Fake, tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    fake.pulumi(file).set_secret("a", "b")
    ((arguments, _),) = fake.calls()
    assert arguments[-2:] == ["--config-file", str(file)]


def test_a_secret_that_is_set_and_one_that_is_not(fake: Fake) -> None:
    fake.answer(0, json.dumps({"name": "observatory:a", "value": "open sesame", "secret": True}))
    assert fake.pulumi().secret("a") == "open sesame"
    fake.answer(255, "", "error: configuration key 'a' not found for stack 'dev'")
    assert fake.pulumi().secret("a") is None


def test_other_errors_are_told_in_pulumis_words(fake: Fake) -> None:
    fake.answer(255, "", "error: incorrect passphrase\n")
    with pytest.raises(CommandError, match=r"^error: pulumi config get: incorrect passphrase$"):
        fake.pulumi().secret("a")
    with pytest.raises(CommandError, match="incorrect passphrase"):
        fake.pulumi().exists()


@pytest.mark.parametrize(
    "said",
    [
        "failed to load checkpoint: EOF",
        'read ".pulumi/meta.yaml": EOF',
        "failed to load checkpoint: place 1: unexpected end of JSON input",
        "getting snapshot: failed to load checkpoint: place 1: invalid character '}' after object key",
        "unexpected end of JSON input",
    ],
)
def test_a_state_that_was_cut_has_a_way_out(said: str, fake: Fake) -> None:
    fake.answer(255, "", f"error: {said}\n")
    with pytest.raises(CommandError) as caught:
        fake.pulumi().resources()
    assert caught.value.message == f"pulumi stack export: {said}"
    assert caught.value.hint == "run `./observatory recover dev`"
    with pytest.raises(CommandError) as caught:  # as `recover` itself begins
        fake.pulumi().ask("cancel", "--yes")
    assert caught.value.hint == ""


@pytest.mark.parametrize(
    "said",
    [
        'failed to load checkpoint: blob (key ".pulumi/x.json") (code=Unknown): operation error S3: EOF while dialing',
        "failed to load checkpoint: unsupported checkpoint version 9",
        "incorrect passphrase",
    ],
)
def test_recover_is_not_told_for_what_it_cannot_mend(said: str, fake: Fake) -> None:
    fake.answer(255, "", f"error: {said}\n")
    with pytest.raises(CommandError) as caught:
        fake.pulumi().resources()
    assert caught.value.hint == ""


def test_where_the_state_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulumi_cli, "ROOT", tmp_path)
    (tmp_path / "Pulumi.yaml").write_text("name: observatory\n")
    variables = {"PULUMI_HOME": str(tmp_path)}
    pulumi = Pulumi("dev", FOLDER / "Pulumi.dev.yaml", variables)
    assert pulumi.backend() == ""
    login = tmp_path / "credentials.json"
    login.write_text("")
    assert pulumi.backend() == ""
    login.write_text('{"current": "file://~", "accessTokens": {}}')
    assert pulumi.backend() == "file://~"
    (tmp_path / "Pulumi.yaml").write_text("name: observatory\nbackend: {url: 'file://./state'}\n")
    assert pulumi.backend() == "file://./state"
    variables["PULUMI_BACKEND_URL"] = "s3://bucket"
    assert pulumi.backend() == "s3://bucket"


def test_the_login_of_a_home_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".pulumi").mkdir()
    (tmp_path / ".pulumi" / "credentials.json").write_text('{"current": "gs://bucket"}')
    assert Pulumi("dev", FOLDER / "Pulumi.dev.yaml", {}).backend() == "gs://bucket"


def test_whether_a_stack_exists(fake: Fake) -> None:
    fake.answer(0, '{"version": 3, "deployment": {"manifest": {}}}')
    assert fake.pulumi().exists() is True
    assert fake.pulumi().resources() == []
    fake.answer(0, '{"version": 3, "deployment": {"resources": [{"urn": "urn:x", "protect": true}]}}')
    assert fake.pulumi().resources() == [{"urn": "urn:x", "protect": True}]
    fake.answer(255, "", "error: no stack named 'dev' found")
    assert fake.pulumi().exists() is False
    assert fake.pulumi().resources() == []


def test_outputs_are_in_plain_text(fake: Fake) -> None:
    fake.answer(0, '{"grafanaAdminPassword": "x"}')
    assert fake.pulumi().outputs() == {"grafanaAdminPassword": "x"}
    assert "--show-secrets" in fake.calls()[0][0]


def test_the_exit_code_of_what_is_shown(fake: Fake) -> None:
    fake.answer(3, "")
    assert fake.pulumi().show("destroy") == 3


def test_no_pulumi_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="pulumi is not on this machine") as caught:
        Pulumi("dev", FOLDER / "Pulumi.dev.yaml", {"PATH": str(tmp_path)}).program()
    assert "make ready" in caught.value.hint


def test_variables_are_not_shown() -> None:
    assert "hunter2" not in repr(Pulumi("dev", Path("x"), {"PULUMI_CONFIG_PASSPHRASE": "hunter2"}))


def test_what_the_user_has_set_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", "s3://bucket")
    assert environment() == dict(os.environ)
