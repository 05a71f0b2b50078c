"""Official downloads: tried with a short time limit, verified, and never tried twice at a site that does not answer."""

from __future__ import annotations

import hashlib
import http.client
import shutil
import tarfile
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from toolchain.children import check_interrupted

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 8.0  # name lookups have no time limit of their own
STALL_SECONDS = 30.0
_CHUNK = 256 * 1024
_DIGESTS = {40: "sha1", 64: "sha256", 128: "sha512"}


class Unavailable(Exception):
    """The download cannot be had here; the text says why. The caller goes on with the next way."""


@dataclass(frozen=True)
class Download:
    """A published archive or program, and the publisher's file of checksums ("" where there is none)."""

    url: str
    checksums: str = ""

    @property
    def file_name(self) -> str:
        """The name under which the checksum file lists it."""
        return self.url.rsplit("/", 1)[1]


class _PatientConnection(http.client.HTTPSConnection):
    """Connects within a few seconds, then waits longer for each piece: a slow line is not a dead one."""

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(STALL_SECONDS)


class _Handler(urllib.request.HTTPSHandler):
    def https_open(self, request: urllib.request.Request) -> Any:
        return self.do_open(_PatientConnection, request)


class Sites:
    """Opens addresses and remembers for this run which sites do not answer."""

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(_Handler)
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._down: dict[str, str] = {}
        self._up: set[str] = set()

    def open(self, url: str) -> Any:
        """The answer as a file; raises Unavailable. A site's first caller tries it, the others wait for the result."""
        site = urlsplit(url).netloc
        with self._guard:
            site_lock = self._locks.setdefault(site, threading.Lock())
        if site in self._up:
            return self._try(site, url)
        with site_lock:
            if site in self._down:
                raise Unavailable(self._down[site])
            return self._try(site, url)

    def _try(self, site: str, url: str) -> Any:
        result: list[Any] = []

        def attempt() -> None:
            try:
                result.append(self._opener.open(url, timeout=_CONNECT_SECONDS))
            except (OSError, http.client.HTTPException) as error:
                result.append(error)

        thread = threading.Thread(target=attempt, daemon=True)
        thread.start()
        thread.join(_ANSWER_SECONDS)
        answer = result[0] if result else TimeoutError()
        if isinstance(answer, urllib.error.HTTPError):
            self._up.add(site)
            answer.close()
            raise Unavailable(f"{site} answers {answer.code}")
        if isinstance(answer, Exception):
            self._down[site] = f"{site} does not answer"
            raise Unavailable(self._down[site])
        self._up.add(site)
        return answer

    def fetch(self, download: Download, target: Path) -> None:
        """Downloads to a file and compares its checksum; raises Unavailable, leaving no file behind."""
        expected = self._expected(download)
        try:
            with self.open(download.url) as answer, target.open("wb") as output:
                while chunk := answer.read(_CHUNK):
                    check_interrupted()
                    output.write(chunk)
                if answer.length:
                    raise Unavailable(f"{urlsplit(download.url).netloc} broke off {download.file_name}")
        except OSError as error:
            target.unlink(missing_ok=True)
            raise Unavailable(f"{urlsplit(download.url).netloc} stopped sending {download.file_name}") from error
        except Unavailable:
            target.unlink(missing_ok=True)
            raise
        if expected:
            with target.open("rb") as data:
                actual = hashlib.file_digest(data, _DIGESTS[len(expected)]).hexdigest()
            if actual != expected:
                target.unlink()
                raise Unavailable(f"{download.file_name} does not have the checksum that its publisher names")

    def _expected(self, download: Download) -> str:
        if not download.checksums:
            return ""
        with self.open(download.checksums) as answer:
            try:
                text: str = answer.read(1024 * 1024).decode()
            except (OSError, UnicodeDecodeError) as error:
                raise Unavailable(f"{download.checksums} cannot be read") from error
        for line in text.splitlines():
            words = line.split()
            if text.split() == words[:1] and len(words[0]) in _DIGESTS:  # a file for this one download
                return words[0].lower()
            if len(words) != 2 or len(words[0]) not in _DIGESTS:
                continue
            if words[1].removeprefix("*").removeprefix("./") == download.file_name:
                return str(words[0]).lower()
        raise Unavailable(f"{download.checksums} does not list {download.file_name}")


def unpack(archive: Path, folder: Path, keep: set[str] | None = None) -> None:
    """Puts the executable files of a tar archive flat into a folder; `keep` names the ones wanted (all when None)."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as tar:
        for member in tar:
            name = Path(member.name).name
            source = tar.extractfile(member) if member.isfile() and (keep is None or name in keep) else None
            if source is None or not member.mode & 0o100:
                continue
            with (folder / name).open("wb") as output:
                shutil.copyfileobj(source, output)
            (folder / name).chmod(0o755)
