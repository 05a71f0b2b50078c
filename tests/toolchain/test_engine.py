"""An engine that is played by a script named dockerd: found, started, waited for, and told apart from a broken one."""

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolchain import docker_api, engine
from toolchain.docker_api import Engine, current_host
from toolchain.machine import ToolchainError
from toolchain.progress import Progress

DOCKERD = """#!{python}
import http.server, socketserver
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b'{{"message": "No such image"}}' if "images" in self.path else b"OK"
        self.send_response(404 if "images" in self.path else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def address_string(self):
        return ""
    def log_message(self, *args):
        pass
socketserver.UnixStreamServer("{socket}", Handler).serve_forever()
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A machine of root's where `dockerd` is installed and not running; gives the folder of its socket."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    with tempfile.TemporaryDirectory() as folder:  # the path of a socket may not be long
        host = f"unix://{folder}/docker.sock"
        for module in (engine, docker_api):
            monkeypatch.setattr(module, "DEFAULT_HOST", host)
        monkeypatch.setattr(engine, "is_root", lambda: True)
        monkeypatch.setattr(engine, "system", lambda: "linux")
        monkeypatch.setattr(engine, "_runs_systemd", lambda: False)
        (tmp_path / "dockerd").write_text(DOCKERD.format(python=sys.executable, socket=f"{folder}/docker.sock"))
        (tmp_path / "dockerd").chmod(0o755)
        yield Path(folder)
        # By the objects: of a process that is waited for by its number, they would say that it still runs.
        while engine._started:
            process = engine._started.pop()
            process.kill()
            process.wait()


def test_an_installed_engine_is_started_once(machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    running = engine.ensure(Progress())
    assert running.answers()
    assert running.image("x/y:1") is None
    assert "docker engine: answers" in capsys.readouterr().err
    engine.ensure(Progress())
    assert capsys.readouterr().err == ""


def test_an_engine_that_ends_at_once_is_told_with_its_own_words(machine: Path, tmp_path: Path) -> None:
    (tmp_path / "dockerd").write_text("#!/bin/sh\necho 'iptables is missing' >&2\nexit 1\n")
    with pytest.raises(ToolchainError, match="ended at once: iptables is missing"):
        engine.ensure(Progress())


def test_who_is_not_root_is_told_what_to_do(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "is_root", lambda: False)
    with pytest.raises(ToolchainError, match="systemctl start docker"):
        engine.ensure(Progress())


def test_a_docker_host_that_does_not_answer_is_never_replaced(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{machine}/theirs.sock")
    with pytest.raises(ToolchainError, match=r"theirs\.sock does not answer"):
        engine.ensure(Progress())


def test_the_chosen_docker_context_is_used(machine: Path, tmp_path: Path) -> None:
    meta = tmp_path / "docker" / "contexts" / "meta" / "abc" / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text('{"Name": "mine", "Endpoints": {"docker": {"Host": "ssh://me@there"}}}')
    (tmp_path / "docker" / "config.json").write_text('{"currentContext": "mine"}')
    assert current_host() == "ssh://me@there"


def test_nothing_answers_at_an_unknown_scheme() -> None:
    assert not Engine("carrier-pigeon://x").answers()
