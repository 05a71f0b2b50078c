"""Downloads from a site on the loopback interface: good, wrong, missing, stalled, broken off, not answering."""

import hashlib
import http.server
import io
import socket
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolchain import downloads
from toolchain.downloads import Download, Sites, Unavailable, unpack

BODY = b"program" * 1000


class Site(http.server.BaseHTTPRequestHandler):
    """Answers by path."""

    requests: list[str]
    ended: threading.Event

    def do_GET(self) -> None:
        self.requests.append(self.path)
        digest = hashlib.sha256(BODY).hexdigest()
        pages = {
            "/tool": BODY,
            "/good": f"{'0' * 64}  other\n{digest}  ./tool\n".encode(),
            "/bad": f"{'0' * 64}  tool\n".encode(),
            "/unlisted": f"{digest}  other\n".encode(),
            "/sha1": f"{hashlib.sha1(BODY).hexdigest()}  tool\n".encode(),
            "/short/tool": BODY,
            "/stall/tool": BODY,
        }
        if self.path not in pages:
            self.send_error(404)
            return
        body = pages[self.path]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.path.startswith("/short"):
            body = body[:100]
        if self.path.startswith("/stall"):
            self.wfile.write(body[:100])
            self.wfile.flush()
            self.ended.wait()
            return
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def requests() -> list[str]:
    return []


@pytest.fixture
def site(requests: list[str]) -> Iterator[str]:
    ended = threading.Event()
    handler = type("Handler", (Site,), {"requests": requests, "ended": ended})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        ended.set()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("checksums", ["", "/good", "/sha1"])
def test_a_good_download_is_kept(site: str, tmp_path: Path, checksums: str) -> None:
    Sites().fetch(Download(f"{site}/tool", checksums and site + checksums), tmp_path / "tool")
    assert (tmp_path / "tool").read_bytes() == BODY


@pytest.mark.parametrize(
    ("path", "checksums", "reason"),
    [
        ("/tool", "/bad", "checksum"),
        ("/tool", "/unlisted", "does not list"),
        ("/tool", "/nowhere", "404"),
        ("/nowhere/tool", "/good", "404"),
        ("/short/tool", "/good", "broke off"),
        ("/stall/tool", "", "stopped sending"),
    ],
)
def test_a_failed_download_says_why_and_leaves_nothing(
    site: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, checksums: str, reason: str
) -> None:
    # Short where the limit is what is tested, else so long that no stall of the machine is taken for one of the site.
    monkeypatch.setattr(downloads, "_CONNECT_SECONDS", 15 if reason == "stopped sending" else 60)
    monkeypatch.setattr(downloads, "_ANSWER_SECONDS", 90)
    with pytest.raises(Unavailable, match=reason):
        Sites().fetch(Download(site + path, checksums and site + checksums), tmp_path / "tool")
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_is_missing_does_not_condemn_the_site(site: str, tmp_path: Path) -> None:
    sites = Sites()
    with pytest.raises(Unavailable):
        sites.fetch(Download(f"{site}/nowhere"), tmp_path / "a")
    sites.fetch(Download(f"{site}/tool"), tmp_path / "b")
    assert (tmp_path / "b").exists()


def test_a_site_that_does_not_answer_is_tried_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloads, "_CONNECT_SECONDS", 0.3)
    tried = 0

    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/tool"
        sites = Sites()
        for name in "abc":
            with pytest.raises(Unavailable, match="does not answer"):
                sites.fetch(Download(url), tmp_path / name)
        silent.settimeout(0.1)
        while True:
            try:
                silent.accept()[0].close()
            except TimeoutError:
                break
            tried += 1
    assert tried == 1


def test_unpack_takes_programs_alone(tmp_path: Path) -> None:
    archive = tmp_path / "x.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name, mode in (("x/tool", 0o755), ("x/other", 0o755), ("x/README", 0o644), ("../../up", 0o755)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = 2, mode
            tar.addfile(entry, io.BytesIO(b"hi"))
    unpack(archive, tmp_path / "bin")
    assert sorted(file.name for file in (tmp_path / "bin").iterdir()) == ["other", "tool", "up"]
    unpack(archive, tmp_path / "one", {"tool"})
    assert [file.name for file in (tmp_path / "one").iterdir()] == ["tool"]
