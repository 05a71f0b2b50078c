"""The real Jaeger with the planned configuration for databases of the user's, against endpoints that speak theirs.

The databases themselves do not run here. What is shown: Jaeger reads the whole configuration, and what reaches the
database is the planned user, the password from its file, and with a search store the spans.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from operations.programs import find
from tests.e2e.engine import free_ports, until
from tests.e2e.processes import end
from tests.e2e.traces import export
from tests.support import planned, service, stack

PASSWORD = "p: {a}#'\"&x"
"""With characters that YAML gives a meaning to."""
LOGIN: dict[str, Any] = {"username": "jaeger", "password": {"secret": "storePassword"}}
_AUTHENTICATE, _SUPPORTED, _ERROR = 3, 6, 0
_OPTIONS, _STARTUP, _AUTH_RESPONSE = 5, 1, 0x0F


@dataclass
class Jaeger:
    """A running Jaeger: where it takes traces, and what it has logged."""

    otlp: str
    log: Path
    process: subprocess.Popen[bytes]


@contextmanager
def jaeger(folder: Path, **tracing: Any) -> Iterator[Jaeger]:
    """Jaeger with the files that are planned for it, on loopback ports that are free."""
    program = find("jaeger")
    assert program, "jaeger is not here; `make ready` gets it"
    planned_files = service(planned(stack(tracing=tracing)), "jaeger").files
    numbers: dict[str, int] = {}
    ports = iter(free_ports(8))

    def own(number: str) -> str:
        if number not in numbers:
            numbers[number] = next(ports)
        return str(numbers[number])

    for file in planned_files:
        path = folder / file.path
        path.parent.mkdir(exist_ok=True)
        text = file.resolve(lambda _, _name: PASSWORD).replace("/etc/jaeger/current", str(folder))
        text = re.sub(r"0\.0\.0\.0:(\d+)", lambda found: f"127.0.0.1:{own(found[1])}", text)
        path.write_text(text.replace("port: 8888", f"port: {own('8888')}"))
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen([program, f"--config=file:{folder}/jaeger.yaml"], stdout=output, stderr=output)
    try:
        yield Jaeger(f"http://127.0.0.1:{numbers['4318']}/v1/traces", log, process)
    finally:
        end(process)


@dataclass
class Search:
    """The part of Elasticsearch's API that Jaeger writes by; remembers every request."""

    requests: list[tuple[str, str, str, str]] = field(default_factory=list)
    """Method, path, who logged in with what, and the body."""

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Its address."""
        requests = self.requests

        class Handler(BaseHTTPRequestHandler):
            def _body(self) -> bytes:
                if self.headers.get("Transfer-Encoding") != "chunked":
                    return self.rfile.read(int(self.headers.get("Content-Length") or 0))
                found = b""
                while size := int(self.rfile.readline(), 16):
                    found += self.rfile.read(size)
                    self.rfile.readline()
                return found

            def _answer(self) -> None:
                body = self._body()
                body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
                login = base64.b64decode((self.headers.get("Authorization") or "").removeprefix("Basic ")).decode()
                requests.append((self.command, self.path, login, body.decode()))
                answer = {"version": {"number": "8.11.0"}, "acknowledged": True, "errors": False, "items": []}
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("X-Elastic-Product", "Elasticsearch")
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(json.dumps(answer).encode())

            do_GET = do_HEAD = do_PUT = do_POST = _answer  # noqa: N815 - the names that the server calls

            def log_message(self, *_: object) -> None:
                """Say nothing: the tests look at the requests."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        server.server_close()


@dataclass
class Cassandra:
    """The beginning of Cassandra's protocol (version 4, section 4): who logs in with what. Nobody is let in."""

    logins: list[bytes] = field(default_factory=list)

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Its address."""
        with socket.create_server(("127.0.0.1", 0)) as listener:
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()
            yield f"127.0.0.1:{listener.getsockname()[1]}"

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        name = b"org.apache.cassandra.auth.PasswordAuthenticator"
        answers = {
            _OPTIONS: (_SUPPORTED, struct.pack(">H", 0)),
            _STARTUP: (_AUTHENTICATE, struct.pack(">H", len(name)) + name),
            _AUTH_RESPONSE: (_ERROR, struct.pack(">iH", 0x0100, 7) + b"go away"),
        }
        with connection, connection.makefile("rb") as stream, suppress(OSError):
            while len(header := stream.read(9)) == 9:
                number, kind, length = struct.unpack(">hBi", header[2:])
                body = stream.read(length)
                if kind == _AUTH_RESPONSE:
                    self.logins.append(body[4:])
                opcode, answer = answers[kind]
                first = bytes([0x80 | header[0], 0]) + struct.pack(">hBi", number, opcode, len(answer))
                connection.sendall(first + answer)


@pytest.mark.parametrize("kind", ["elasticsearch", "opensearch"])
def test_spans_reach_a_search_store(tmp_path: Path, kind: str) -> None:
    store = Search()
    with store.serving() as url:
        settings = {"urls": [url], "index_prefix": "acme", "login": LOGIN, "shards": 2}
        with jaeger(tmp_path, storage=kind, **{kind: settings}) as running:
            trace, body = export()

            def taken() -> bool:
                assert running.process.poll() is None, running.log.read_text()[-2000:]
                with suppress(httpx.TransportError):
                    return httpx.post(running.otlp, json=body, trust_env=False, timeout=60).is_success
                return False

            until(taken, "Jaeger takes a trace", 120)
            until(lambda: any(trace in text for *_, text in store.requests), "the span is stored", 120)
    assert {login for _, _, login, _ in store.requests} == {f"jaeger:{PASSWORD}"}
    templates = {path: text for method, path, _, text in store.requests if method == "PUT"}
    assert {path.rsplit("/", 1)[1] for path in templates} >= {"acme-jaeger-span", "acme-jaeger-service"}
    assert all(re.search(r'number_of_shards": *"?2\b', text) for text in templates.values()), templates
    assert any("acme-jaeger-span-" in text for *_, text in store.requests if trace in text)


def test_cassandra_is_logged_in_to_with_the_password_as_it_stands(tmp_path: Path) -> None:
    store = Cassandra()
    with store.serving() as address:
        settings = {"servers": [address], "datacenter": "dc1", "login": LOGIN}
        with jaeger(tmp_path, storage="cassandra", cassandra=settings) as running:
            assert running.process.wait(120) != 0
    assert "go away" in running.log.read_text(), running.log.read_text()[-2000:]
    assert set(store.logins) == {b"\0jaeger\0" + PASSWORD.encode()}
