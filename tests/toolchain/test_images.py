"""Images on an engine that is played: which are pulled, which assembled, and what is written down as different."""

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

import pytest

from toolchain import images, pins, root_filesystem
from toolchain.docker_api import Engine, EngineError
from toolchain.images import Images
from toolchain.progress import Progress

CONTENT: dict[str, Any] = {
    "programs": {"tool": {"version": "1.0", "binaries": {"tool": "example.com/tool"}}},
    "images": {
        "tool": {
            "program": "tool",
            "tag": "v1.0",
            "user": "10001",
            "entrypoint": ["/bin/tool"],
            "binaries": {"/bin/tool": "tool", "/opt/deep/tool": "tool"},
            "folders": {"/data/tool": "10001:10001"},
        }
    },
}
PINNED = {
    "tool": pins.Image("tool", "quay.io/x/tool", "v2.0"),
    "other": pins.Image("other", "quay.io/x/other", "v1"),
    "digested": pins.Image("digested", "ghcr.io/x/digested", "v1", "sha256:ab"),
}


class PlayedEngine:
    """Knows images by reference, and registries by whether they answer."""

    host = "unix:///played.sock"

    def __init__(self, registries: set[str]) -> None:
        self.registries = registries
        self.local: dict[str, dict[str, Any]] = {}
        self.pulls: list[str] = []
        self.changes: list[str] = []
        self.files: dict[str, tarfile.TarInfo] = {}

    def image(self, reference: str) -> dict[str, Any] | None:
        return self.local.get(reference)

    def architecture(self) -> str:
        return "amd64"

    def pull(self, repository: str, tag: str, first_seconds: float, stall_seconds: float) -> Iterator[str]:
        self.pulls.append(repository)
        if repository.split("/", maxsplit=1)[0] not in self.registries:
            raise EngineError("dial tcp: no route to host")
        if repository.endswith("other"):
            raise EngineError("manifest unknown")
        yield "Pulling from"
        mark = "@" if tag.startswith("sha256:") else ":"
        self.local[f"{repository}{mark}{tag}"] = {}

    def tag(self, reference: str, repository: str, tag: str) -> None:
        assert reference in self.local
        self.local[f"{repository}:{tag}"] = {}

    def load(self, archive: IO[bytes], repository: str, tag: str, changes: list[str]) -> None:
        with tarfile.open(fileobj=archive) as tar:
            self.files = {entry.name: entry for entry in tar}
        self.changes = changes
        label = next(change for change in changes if change.startswith("LABEL")).removeprefix("LABEL ")
        key, value = label.split("=")
        self.local[f"{repository}:{tag}"] = {"Config": {"Labels": {key: value}}}


@pytest.fixture(autouse=True)
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "built" / "bin").mkdir(parents=True)
    (tmp_path / "built" / "bin" / "tool").write_text("program")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(images, "DIFFERENCES", tmp_path / "images.yaml")
    monkeypatch.setattr(images, "build", lambda *_: tmp_path / "built")


def ensure(engine: PlayedEngine, retry: bool = False) -> dict[str, str | None]:
    return Images(cast("Engine", engine), Progress(), CONTENT, retry).ensure(PINNED)


def test_nothing_differs_where_all_can_be_pulled(tmp_path: Path) -> None:
    engine = PlayedEngine({"quay.io", "ghcr.io"})
    pinned = {key: image for key, image in PINNED.items() if key != "other"}
    assert Images(cast("Engine", engine), Progress(), CONTENT).ensure(pinned) == {}
    assert not images.DIFFERENCES.exists()
    assert "ghcr.io/x/digested:v1" in engine.local


def test_what_cannot_be_pulled_is_assembled_under_its_true_tag_or_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = PlayedEngine(set())
    assert ensure(engine) == {"tool": "quay.io/x/tool:v1.0", "other": None, "digested": None}
    assert images.DIFFERENCES.read_text() == "digested: null\nother: null\ntool: quay.io/x/tool:v1.0\n"
    assert "other: image cannot be pulled here; the stack is deployed without it" in capsys.readouterr().err
    assert "USER 10001" in engine.changes
    assert 'ENTRYPOINT ["/bin/tool"]' in engine.changes


def test_a_registry_that_does_not_answer_is_tried_once_and_not_again_within_the_hour() -> None:
    engine = PlayedEngine(set())
    ensure(engine)
    assert len([each for each in engine.pulls if each.startswith("quay.io")]) == 1
    tried = len(engine.pulls)
    ensure(engine)
    assert len(engine.pulls) == tried
    ensure(engine, retry=True)
    assert len(engine.pulls) > tried


def test_an_image_that_is_unknown_does_not_condemn_its_registry() -> None:
    engine = PlayedEngine({"quay.io", "ghcr.io"})
    assert ensure(engine) == {"other": None}


def test_a_later_success_takes_the_difference_away() -> None:
    engine = PlayedEngine(set())
    ensure(engine)
    engine.registries = {"quay.io", "ghcr.io"}
    assert ensure(engine, retry=True) == {"other": None}
    assert images.DIFFERENCES.read_text() == "other: null\n"


def test_an_image_of_another_recipe_is_assembled_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = PlayedEngine(set())
    ensure(engine)
    engine.files = {}
    ensure(engine)
    assert engine.files == {}
    monkeypatch.setitem(CONTENT["images"]["tool"], "workdir", "/data/tool")
    ensure(engine)
    assert engine.files


def test_the_root_file_system_has_what_a_program_needs() -> None:
    engine = PlayedEngine(set())
    ensure(engine)
    files = engine.files
    assert files["bin/tool"].mode == files["opt/deep/tool"].mode == 0o755
    assert files["tmp"].mode == 0o1777
    assert (files["data/tool"].uid, files["data/tool"].gid) == (10001, 10001)
    assert files["data"].uid == 0
    assert {"etc/passwd", "etc/group"} <= files.keys()
    names = list(files)
    assert names.index("opt") < names.index("opt/deep") < names.index("opt/deep/tool")


def test_accounts_name_the_user() -> None:
    text = root_filesystem._accounts(
        "root:x:0:0:root:/root:/sbin/nologin", "user:x:{}:{}::/:/sbin/nologin", (10001, 10001)
    )
    assert [line.split(":")[0] for line in text.splitlines()] == ["root", "nobody", "user"]
