"""The language host against a small engine: how programs end, what they see, and how the host itself ends."""

import signal
import subprocess
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2
from pulumi.runtime.proto import (
    engine_pb2,
    engine_pb2_grpc,
    language_pb2,
    language_pb2_grpc,
    resource_pb2,
    resource_pb2_grpc,
)

from toolchain.machine import ROOT

HOST = ROOT / "toolchain" / "bin" / "pulumi-language-python"
ERROR = engine_pb2.ERROR


class Monitor(resource_pb2_grpc.ResourceMonitorServicer):
    """Accepts every resource and keeps the stack's outputs."""

    def __init__(self) -> None:
        self.outputs: dict[str, Any] = {}

    def SupportsFeature(self, request: Any, context: Any) -> Any:
        return resource_pb2.SupportsFeatureResponse(hasSupport=True)

    def RegisterResource(self, request: Any, context: Any) -> Any:
        return resource_pb2.RegisterResourceResponse(urn=f"urn:pulumi:s::p::{request.type}::{request.name}")

    def RegisterResourceOutputs(self, request: Any, context: Any) -> Any:
        self.outputs = dict(request.outputs)
        return empty_pb2.Empty()

    def SignalAndWaitForShutdown(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()


class Engine(engine_pb2_grpc.EngineServicer):
    """Keeps the errors that a user would see."""

    def __init__(self) -> None:
        self.errors: list[str] = []

    def Log(self, request: Any, context: Any) -> Any:
        if request.severity == ERROR:
            self.errors.append(request.message)
        return empty_pb2.Empty()


class Session:
    """One host with its engine."""

    def __init__(self, program: Path) -> None:
        self.program = program
        self.monitor, self.engine = Monitor(), Engine()
        self._server = grpc.server(futures.ThreadPoolExecutor(8))
        resource_pb2_grpc.add_ResourceMonitorServicer_to_server(self.monitor, self._server)
        engine_pb2_grpc.add_EngineServicer_to_server(self.engine, self._server)
        self._address = f"127.0.0.1:{self._server.add_insecure_port('127.0.0.1:0')}"
        self._server.start()
        self.host = subprocess.Popen([HOST, self._address], stdout=subprocess.PIPE, text=True)
        assert self.host.stdout is not None
        self._channel = grpc.insecure_channel(f"127.0.0.1:{self.host.stdout.readline().strip()}")
        self.client = language_pb2_grpc.LanguageRuntimeStub(self._channel)

    def run(self, source: str) -> Any:
        (self.program / "__main__.py").write_text(source)
        folder = str(self.program)
        info = language_pb2.ProgramInfo(root_directory=folder, program_directory=folder, entry_point=".")
        request = language_pb2.RunRequest(
            project="p",
            stack="s",
            pwd=folder,
            parallel=4,
            monitor_address=self._address,
            config={"p:colour": "red"},
            info=info,
        )
        return self.client.Run(request, timeout=120)

    def end(self) -> tuple[int, str]:
        self.host.send_signal(signal.SIGINT)
        output, _ = self.host.communicate(timeout=120)
        return self.host.returncode, output

    def close(self) -> None:
        self._channel.close()
        self._server.stop(0).wait()
        if self.host.poll() is None:
            self.host.kill()
        self.host.wait()
        if self.host.stdout:
            self.host.stdout.close()


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    opened = Session(tmp_path)
    yield opened
    opened.close()


def test_a_program_sees_its_config_and_its_own_modules(session: Session) -> None:
    (session.program / "shades.py").write_text("NAMES = ['dark', 'light']\n")
    source = (
        "import pulumi, shades\npulumi.export('is', pulumi.Config().require('colour') + shades.NAMES[0])\nprint('hi')"
    )
    response = session.run(source)
    assert (response.error, response.bail) == ("", False)
    assert session.monitor.outputs == {"is": "reddark"}
    assert session.end() == (0, "hi\n")


def test_a_run_error_is_its_own_text_alone(session: Session) -> None:
    response = session.run("import pulumi\nraise pulumi.RunError('stacks/x.yaml: port 0 is not allowed')")
    assert (response.error, response.bail) == ("", True)
    assert session.engine.errors == ["stacks/x.yaml: port 0 is not allowed"]


def test_another_exception_shows_the_program_and_not_pulumi(session: Session) -> None:
    response = session.run("def divide():\n    return 1 / 0\n\ndivide()\n")
    assert response.bail
    (text,) = session.engine.errors
    assert text.startswith("Program failed with an unhandled exception:\nTraceback")
    assert "__main__.py" in text
    assert "ZeroDivisionError" in text
    assert "runpy" not in text


def test_an_error_inside_apply_fails_the_program(session: Session) -> None:
    response = session.run("import pulumi\npulumi.Output.from_input(1).apply(lambda x: x / 0)\n")
    assert response.bail
    assert "ZeroDivisionError" in session.engine.errors[0]


def test_an_exit_code_is_told(session: Session) -> None:
    assert session.run("raise SystemExit(3)").error == "program exited with non-zero exit code: 3"


def test_the_docker_provider_is_asked_for(session: Session) -> None:
    packages = session.client.GetRequiredPackages(language_pb2.GetRequiredPackagesRequest(), timeout=120).packages
    assert [package.name for package in packages if package.name == "docker"] == ["docker"]


def test_what_is_not_served_is_unimplemented(session: Session) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        session.client.Link(language_pb2.LinkRequest(), timeout=120)
    assert caught.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_it_ends_at_once_while_a_program_runs(session: Session) -> None:
    running = session.client.Run.future(language_pb2.RunRequest(pwd=str(session.program), project="p", stack="s"))
    (session.program / "__main__.py").write_text("import time; time.sleep(300)")
    assert session.end()[0] == 0
    running.cancel()
