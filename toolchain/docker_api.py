"""The few calls to a Docker engine's own API that getting ready needs, with the standard library alone.

Neither a `docker` command nor the Python package is there on a fresh machine; Podman's compatible socket answers too.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, urlencode, urlsplit

DEFAULT_HOST = "unix:///var/run/docker.sock"
_ANSWER_SECONDS = 30.0  # it may be busy with many containers
_BUILD_SECONDS = 300.0  # without a word, as while packages are installed


class EngineError(Exception):
    """The engine refused something; the text is its own message."""


class _Connection(http.client.HTTPConnection):
    """HTTP over whatever DOCKER_HOST names: a socket file, TCP with or without TLS, or ssh."""

    def __init__(self, host: str, timeout: float) -> None:
        super().__init__("docker", timeout=timeout)
        self._address = urlsplit(host)

    def connect(self) -> None:
        address = self._address
        if address.scheme == "unix":
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self.sock.settimeout(self.timeout)
            self.sock.connect(address.path)
        elif address.scheme in ("tcp", "http", "https"):
            certificates = os.environ.get("DOCKER_CERT_PATH")
            secure = address.scheme == "https" or bool(os.environ.get("DOCKER_TLS_VERIFY"))
            port = address.port or (2376 if secure else 2375)
            self.sock = socket.create_connection((address.hostname or "", port), self.timeout)
            if secure:
                folder = Path(certificates or Path.home() / ".docker")
                context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
                context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
                self.sock = context.wrap_socket(self.sock, server_hostname=address.hostname)
        elif address.scheme == "ssh":
            ours, theirs = socket.socketpair()
            target = ["-p", str(address.port)] if address.port else []
            user = f"{address.username}@" if address.username else ""
            command = [
                "ssh",
                "-o",
                "BatchMode=yes",
                *target,
                f"{user}{address.hostname}",
                "docker",
                "system",
                "dial-stdio",
            ]
            with theirs:
                end = theirs.fileno()
                subprocess.Popen(command, stdin=end, stdout=end, stderr=subprocess.DEVNULL, start_new_session=True)
            self.sock = ours
            self.sock.settimeout(self.timeout)
        else:
            raise OSError(f"DOCKER_HOST has an unknown scheme: {address.scheme}")


class Engine:
    """One engine, named as DOCKER_HOST names it."""

    def __init__(self, host: str) -> None:
        self.host = host

    def _request(
        self, method: str, path: str, body: IO[bytes] | None = None, timeout: float = _ANSWER_SECONDS
    ) -> http.client.HTTPResponse:
        connection = _Connection(self.host, timeout)
        headers = {"Connection": "close"}
        if body is not None:
            length = str(os.fstat(body.fileno()).st_size)
            headers.update({"Content-Type": "application/x-tar", "Content-Length": length})
        try:
            connection.request(method, path, body=body, headers=headers)
            return connection.getresponse()
        except BaseException:
            connection.close()
            raise

    def answers(self) -> bool:
        """Whether an engine is there."""
        try:
            with self._request("GET", "/_ping") as answer:
                return answer.status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False

    def architecture(self) -> str:
        """The processor that containers run on, as Go names it: not this machine's where the engine is remote."""
        with self._request("GET", "/version") as answer:
            return str(json.load(answer)["Arch"])

    def image(self, reference: str) -> dict[str, Any] | None:
        """What the engine knows about a local image; None when it has none of that name."""
        with self._request("GET", f"/images/{quote(reference, safe='/:@')}/json") as answer:
            content = json.load(answer)
            if answer.status == http.HTTPStatus.NOT_FOUND:
                return None
            if answer.status != http.HTTPStatus.OK:
                raise EngineError(str(content.get("message", answer.status)))
            return dict(content)

    def pull(self, repository: str, tag: str, first_seconds: float, stall_seconds: float) -> Iterator[str]:
        """Pulls an image and yields each line of progress.

        Raises EngineError with the registry's answer, and TimeoutError when nothing comes within `first_seconds`, or
        later for `stall_seconds`.
        """
        query = urlencode({"fromImage": repository, "tag": tag})
        connection = _Connection(self.host, first_seconds)
        with contextlib.closing(connection):
            connection.request("POST", f"/images/create?{query}")
            stream = connection.sock
            with connection.getresponse() as answer:
                if answer.status != http.HTTPStatus.OK:
                    raise EngineError(str(json.load(answer).get("message", answer.status)))
                while line := answer.readline():
                    stream.settimeout(stall_seconds)
                    content = json.loads(line)
                    if "error" in content:
                        raise EngineError(str(content["error"]))
                    yield str(content.get("status", ""))

    def tag(self, reference: str, repository: str, tag: str) -> None:
        """Gives a local image another name; raises EngineError."""
        query = urlencode({"repo": repository, "tag": tag})
        with self._request("POST", f"/images/{quote(reference, safe='/:@')}/tag?{query}") as answer:
            if answer.status >= http.HTTPStatus.BAD_REQUEST:
                raise EngineError(str(json.load(answer).get("message", answer.status)))

    def load(self, archive: IO[bytes], repository: str, tag: str, changes: list[str]) -> None:
        """Makes an image of one layer from a tar archive of its root file system; raises EngineError."""
        query = urlencode(
            [("fromSrc", "-"), ("repo", repository), ("tag", tag), *(("changes", each) for each in changes)]
        )
        with self._request("POST", f"/images/create?{query}", archive, timeout=300) as answer:
            for line in answer.read().splitlines():
                content = json.loads(line)
                if "error" in content or answer.status != http.HTTPStatus.OK:
                    raise EngineError(str(content.get("error") or content.get("message")))

    def build(self, context: IO[bytes], dockerfile: str, reference: str, labels: dict[str, str]) -> None:
        """Builds an image from a tar archive with a Dockerfile; raises EngineError with the step's own message."""
        query = urlencode({"dockerfile": dockerfile, "t": reference, "labels": json.dumps(labels), "rm": "1"})
        with self._request("POST", f"/build?{query}", context, timeout=_BUILD_SECONDS) as answer:
            if answer.status != http.HTTPStatus.OK:
                raise EngineError(str(json.load(answer).get("message", answer.status)))
            while line := answer.readline():
                if error := json.loads(line).get("error"):
                    raise EngineError(str(error))


def current_host() -> str:
    """The engine that the `docker` command would use: DOCKER_HOST, the chosen context, else the usual socket."""
    if host := os.environ.get("DOCKER_HOST"):
        return host
    folder = Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        name = os.environ.get("DOCKER_CONTEXT") or config.get("currentContext", "default")
        for file in folder.glob("contexts/meta/*/meta.json"):
            meta = json.loads(file.read_text(encoding="utf-8"))
            if meta.get("Name") == name:
                return str(meta["Endpoints"]["docker"]["Host"])
    except (OSError, ValueError, KeyError):
        pass
    return DEFAULT_HOST
