"""Pulumi's language host for Python: runs the program when the engine asks, where the official host cannot be had.

The engine starts this file with its own address as the last argument and reads the port to dial from the first line of
standard output. One process serves one program once. The program runs inside the host, which saves a second interpreter
start; the official host starts one.

Only what `up`, `preview`, `refresh`, `destroy`, `about` and `install` call is served; the engine takes "unimplemented"
for the rest. Policy packs and debugging need the official host.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any, ClassVar

import grpc

_SERVICE = "/pulumirpc.LanguageRuntime/"
_MAX_MESSAGE = 400 * 1024 * 1024  # what the engine itself allows; gRPC's default of 4 MB is too small for large stacks
_ENGINE_POLL_SECONDS = 2.0

# The SDK takes longer to import than the server to start, so the port is announced first and the requests that need
# the SDK's messages wait here.
_sdk_ready = threading.Event()
_programs: queue.SimpleQueue[tuple[bytes, Future[bytes]]] = queue.SimpleQueue()


def required_packages(folders: list[str]) -> list[dict[str, Any]]:
    """Provider plugins that the packages installed in `folders` need, as their `pulumi-plugin.json` says."""
    found: dict[str, dict[str, Any]] = {}
    for folder in folders:
        for file in sorted(Path(folder).glob("*/pulumi-plugin.json")):
            plugin = json.loads(file.read_text(encoding="utf-8"))
            if not plugin.get("resource"):
                continue
            name = plugin.get("name") or file.parent.name.removeprefix("pulumi_")
            version = plugin.get("version") or metadata.version(file.parent.name)
            found.setdefault(
                name,
                {
                    "name": name,
                    "kind": "resource",
                    "version": f"v{version.removeprefix('v')}",
                    "server": plugin.get("server", ""),
                },
            )
    return list(found.values())


def _empty(_request: bytes, _context: Any) -> bytes:
    """An answer with no field set; right for Handshake, GetPluginInfo (version unknown) and Cancel."""
    return b""


def _nothing(_request: bytes, _context: Any) -> Iterator[bytes]:
    """InstallDependencies: `python3 -m toolchain ready` owns the virtual environment."""
    return iter(())


def _about(_request: bytes, _context: Any) -> bytes:
    _sdk_ready.wait()
    from pulumi.runtime.proto import language_pb2

    version = ".".join(str(part) for part in sys.version_info[:3])
    answer = language_pb2.AboutResponse(executable=sys.executable, version=version)
    return bytes(answer.SerializeToString())


def _get_required_packages(_request: bytes, _context: Any) -> bytes:
    packages = required_packages(sys.path)
    _sdk_ready.wait()
    from pulumi.runtime.proto import language_pb2, plugin_pb2

    dependencies = [plugin_pb2.PackageDependency(**package) for package in packages]
    return bytes(language_pb2.GetRequiredPackagesResponse(packages=dependencies).SerializeToString())


def _get_program_dependencies(_request: bytes, _context: Any) -> bytes:
    _sdk_ready.wait()
    from pulumi.runtime.proto import language_pb2

    installed = sorted((d.metadata["Name"], d.version) for d in metadata.distributions())
    dependencies = [language_pb2.DependencyInfo(name=name, version=version) for name, version in installed]
    return bytes(language_pb2.GetProgramDependenciesResponse(dependencies=dependencies).SerializeToString())


def _run(request: bytes, _context: Any) -> bytes:
    """Hands the program to the main thread: signal handlers and some libraries work only there."""
    done: Future[bytes] = Future()
    _programs.put((request, done))
    return done.result()


class LanguageHost(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Serves the methods on raw bytes, so that the server can start before the SDK is imported."""

    _unary: ClassVar[dict[str, Callable[[bytes, Any], bytes]]] = {
        "Handshake": _empty,
        "GetPluginInfo": _empty,
        "Cancel": _empty,  # the engine sends SIGINT next, which ends the process
        "About": _about,
        "GetRequiredPackages": _get_required_packages,
        "GetProgramDependencies": _get_program_dependencies,
        "Run": _run,
    }

    def service(self, handler_call_details: Any) -> Any:
        """The handler of one call; None answers "unimplemented"."""
        name = handler_call_details.method.removeprefix(_SERVICE)
        if name == "InstallDependencies":
            return grpc.unary_stream_rpc_method_handler(_nothing)
        if name in self._unary:
            return grpc.unary_unary_rpc_method_handler(self._unary[name])
        return None


def _end_with_engine(engine_process: int) -> None:
    """Ends this process when the engine is gone, for instance killed: nobody would ever send SIGINT."""
    while os.getppid() == engine_process:
        time.sleep(_ENGINE_POLL_SECONDS)
    os._exit(1)


def _end_with_signal() -> None:
    """Ends at once on SIGINT and SIGTERM: an orderly end of gRPC would be part of every preview's time.

    Python runs a signal's handler in the main thread alone, which may be waiting while gRPC's threads take the signal;
    the engine would then wait five seconds for us. The byte written to this descriptor comes whoever takes it.
    """
    receive, send = socket.socketpair()
    send.setblocking(False)
    signal.set_wakeup_fd(send.fileno(), warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda _number, _frame: None)

    def wait() -> None:
        with send:
            while receive.recv(1)[0] not in (signal.SIGINT, signal.SIGTERM):
                pass
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


def main() -> None:
    """Serves until the engine sends SIGINT."""
    engine_address = sys.argv[-1] if len(sys.argv) > 1 else ""
    _end_with_signal()
    threading.Thread(target=_end_with_engine, args=(os.getppid(),), daemon=True).start()

    options = [("grpc.max_receive_message_length", _MAX_MESSAGE), ("grpc.max_send_message_length", _MAX_MESSAGE)]
    server = grpc.server(ThreadPoolExecutor(max_workers=8), options=options)
    server.add_generic_rpc_handlers((LanguageHost(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a program's print() is shown at once
    print(port, flush=True)

    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    try:
        from toolchain.language_program import run_program
    finally:
        sys.path.pop(0)
        _sdk_ready.set()
    while True:
        request, done = _programs.get()
        try:
            done.set_result(run_program(request, engine_address))
        except BaseException as error:  # noqa: BLE001 - the engine must get an answer whatever happens
            done.set_exception(error)


if __name__ == "__main__":
    main()
