"""Files into volumes, the switch between two slots, reloads and starts, on an engine that is played."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from typing import Any, cast

import pytest
from docker.errors import NotFound

from components.platforms import docker_engine
from components.platforms.docker_archive import link_target, slot_entries
from components.platforms.docker_engine import Engine, _poll, _reasons
from components.platforms.errors import DeploymentError

PROPS: dict[str, Any] = {
    "volume": "v",
    "container": "thing",
    "image": "example.com/thing:1.0",
    "user": "1000:1001",
    "labels": {},
    "files": {"a.yml": "a", "rules/b.yml": "b", "rules/deep/c.yml": "c"},
    "secret_files": {"secrets/key": "k"},
    "quiet": ["secrets/key"],
    "data_volumes": ["v-data"],
    "reload": {"signal": "SIGHUP", "loaded": "Loaded", "rejected": "Failed", "commands": []},
}
HANG_UP = "kill -s HUP 1"


class PlayedContainer:
    """A container: folders that archives are unpacked into as Docker does it, and a program that answers signals."""

    def __init__(self, engine: PlayedEngine, name: str, status: str = "created"):
        self.engine, self.name, self.status = engine, name, status
        self.log = b"level=INFO msg=Started\nlevel=ERROR msg=Failed err=old\n"
        self.answers: list[bytes] = []
        self.signals: list[str] = []
        self.commands: list[Any] = []
        self.results: list[tuple[int, bytes]] = []
        self.removed = False
        self.attrs: dict[str, Any] = {}

    # Archives

    def put_archive(self, folder: str, data: bytes) -> bool:
        with tarfile.open(fileobj=io.BytesIO(data)) as archive:
            for info in archive:
                path = f"{folder.rstrip('/')}/{info.name}"
                files = self.engine.files
                if not info.isdir():  # takes the place of a folder with all that is in it
                    for old in [old for old in files if old == path or old.startswith(f"{path}/")]:
                        del files[old]
                opened = archive.extractfile(info) if info.isreg() else None
                files[path] = (info, opened.read() if opened else b"")
        return True

    def get_archive(self, path: str) -> tuple[Any, dict[str, str]]:
        if path not in self.engine.files:
            raise NotFound(path)
        return iter(()), {"linkTarget": f"/config/{self.engine.files[path][0].linkname}"}

    # The program

    def logs(self, tail: int | None = None, timestamps: bool = False, since: int | None = None) -> bytes:
        lines = self.log.splitlines()
        if timestamps:
            lines = [f"2026-01-01T00:00:00.{at:09}Z ".encode() + line for at, line in enumerate(lines)]
        return b"\n".join(lines[-tail:] if tail else lines)

    def exec_run(self, command: Any) -> tuple[int, bytes]:
        self.commands.append(command)
        if command[:2] == ["sh", "-c"]:
            self.signals.append(command[2])
            self.log += self.answers.pop(0) if self.answers else b""
        return self.results.pop(0) if self.results else (0, b"")

    def reload(self) -> None:
        return None

    def start(self) -> None:
        self.status = "running"

    def remove(self, v: bool = False, force: bool = False) -> None:
        assert v, "anonymous volumes of the image would stay for ever"
        self.removed = True
        self.engine.all.pop(self.name, None)


class PlayedEngine:
    """The part of the Docker client that the deployment uses."""

    def __init__(self) -> None:
        self.files: dict[str, tuple[tarfile.TarInfo, bytes]] = {}
        self.all: dict[str, PlayedContainer] = {}
        self.made: list[PlayedContainer] = []
        self.containers = self.images = self.volumes = self

    def get(self, name: str) -> PlayedContainer | None:
        if name.startswith("example.com/"):
            return None
        if name not in self.all:
            raise NotFound(name)
        return self.all[name]

    def create(self, *args: Any, name: str = "", **_: Any) -> PlayedContainer | None:
        if not name:
            return None  # a volume
        assert name not in self.all, "the engine refuses a name that is taken"
        self.all[name] = made = PlayedContainer(self, name)
        self.made.append(made)
        return made

    def text(self, path: str) -> str:
        return self.files[path][1].decode()

    def paths(self) -> set[str]:
        return {path for path, (info, _) in self.files.items() if info.isreg()}


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> PlayedEngine:
    monkeypatch.setattr(docker_engine, "RELOAD_PATIENCE", 0.2)
    return PlayedEngine()


@pytest.fixture
def engine(played: PlayedEngine) -> Engine:
    made = Engine.__new__(Engine)
    made.client = cast("Any", played)
    return made


@pytest.fixture
def program(played: PlayedEngine) -> PlayedContainer:
    """The service's own container, running."""
    played.all["thing"] = running = PlayedContainer(played, "thing", "running")
    return running


def props(**changes: Any) -> dict[str, Any]:
    return {**PROPS, **changes}


# Writing


def test_the_first_write_fills_a_slot_and_points_to_it(engine: Engine, played: PlayedEngine) -> None:
    engine.write_configuration(PROPS, None)
    assert played.files["/config/current"][0].linkname == "a"
    assert played.paths() == {
        "/config/a/a.yml",
        "/config/a/rules/b.yml",
        "/config/a/rules/deep/c.yml",
        "/config/a/secrets/key",
    }
    assert played.text("/config/a/rules/deep/c.yml") == "c"


def test_files_belong_to_the_services_user_and_secrets_to_nobody_else(engine: Engine, played: PlayedEngine) -> None:
    engine.write_configuration(PROPS, None)
    for path, (info, _) in played.files.items():
        if not info.issym():
            assert (info.uid, info.gid) == (1000, 1001), path
    modes = {path: info.mode for path, (info, _) in played.files.items() if info.isreg()}
    assert modes.pop("/config/a/secrets/key") == 0o400
    assert set(modes.values()) == {0o444}
    folders = [info for info, _ in played.files.values() if info.isdir()]
    assert {info.mode for info in folders} == {0o755}
    assert played.files["/data/0"][0].isdir(), "the data volume is handed to the service's user"


def test_the_helper_is_removed_and_a_leftover_of_an_interruption_replaced(engine: Engine, played: PlayedEngine) -> None:
    played.all["v-writer"] = leftover = PlayedContainer(played, "v-writer")
    engine.write_configuration(PROPS, None)
    assert leftover.removed
    assert [helper.removed for helper in played.made] == [True]


def test_the_second_write_takes_the_other_slot_and_removes_the_first_with_its_removed_files(
    engine: Engine, played: PlayedEngine
) -> None:
    engine.write_configuration(PROPS, None)
    engine.write_configuration(props(files={"a.yml": "A"}), {"a.yml", "rules/b.yml"})
    assert played.files["/config/current"][0].linkname == "b"
    assert {path for path in played.paths() if path.count("/") > 2} == {"/config/b/a.yml", "/config/b/secrets/key"}
    assert played.text("/config/b/a.yml") == "A"
    engine.write_configuration(PROPS, {"a.yml"})
    assert played.files["/config/current"][0].linkname == "a"
    assert played.text("/config/a/a.yml") == "a"


def test_a_slot_is_emptied_before_it_is_filled_and_folders_come_before_their_files() -> None:
    entries = [info for info, _ in slot_entries("b", {"x/y/z": "1", "x/a": "2", "w": "3"}, {"w"}, 5, 6)]
    assert [(info.name, info.isdir()) for info in entries] == [
        ("b", False),
        ("b", True),
        ("b/w", False),
        ("b/x", True),
        ("b/x/a", False),
        ("b/x/y", True),
        ("b/x/y/z", False),
    ]
    assert [info.size for info in entries] == [0, 0, 1, 0, 1, 0, 1]


def test_sizes_count_bytes_not_characters(engine: Engine, played: PlayedEngine) -> None:
    engine.write_configuration(props(files={"a.yml": "ü🦆"}), None)
    assert played.text("/config/a/a.yml") == "ü🦆"


def test_no_link_is_no_slot(played: PlayedEngine) -> None:
    assert link_target(cast("Any", PlayedContainer(played, "x")), "/config/current") == ""


# Reloading


def test_a_change_is_told_to_the_program_and_its_word_awaited(engine: Engine, program: PlayedContainer) -> None:
    program.answers = [b"level=INFO msg=Loaded\n"]
    engine.write_configuration(PROPS, None)
    assert program.signals == [HANG_UP]


@pytest.mark.parametrize(
    ("changed", "told"), [({"secrets/key"}, False), (set(), False), ({"a.yml"}, True), ({"a.yml", "secrets/key"}, True)]
)
def test_files_that_the_program_reads_by_itself_need_no_signal(
    engine: Engine, program: PlayedContainer, changed: set[str], told: bool
) -> None:
    program.answers = [b"level=INFO msg=Loaded\n"]
    engine.write_configuration(PROPS, changed)
    assert bool(program.signals) is told


@pytest.mark.parametrize("status", ["exited", "created", "restarting"])
def test_a_program_that_does_not_run_is_told_nothing(engine: Engine, program: PlayedContainer, status: str) -> None:
    program.status = status
    engine.write_configuration(PROPS, None)
    assert program.signals == []


def test_a_rejection_brings_the_old_files_back_and_carries_the_programs_own_words(
    engine: Engine, played: PlayedEngine, program: PlayedContainer
) -> None:
    program.answers = [b"level=INFO msg=Loaded\n"]
    engine.write_configuration(PROPS, None)
    bad = b'level=ERROR msg=Failed err="line 3: \\"x\\" is no duration"\n'
    program.answers = [bad, b"level=INFO msg=Loaded\n"]
    with pytest.raises(DeploymentError, match=r'thing rejected the new configuration .*: line 3: "x" is no duration$'):
        engine.write_configuration(props(files={"a.yml": "bad"}), {"a.yml"})
    assert played.files["/config/current"][0].linkname == "a"
    assert played.text("/config/a/a.yml") == "a"
    assert "/config/b/a.yml" not in played.files
    assert program.signals == [HANG_UP] * 3, "the old files are loaded again as a whole"
    assert all(helper.removed for helper in played.made)
    program.answers = [b"level=INFO msg=Loaded\n"]
    engine.write_configuration(props(files={"a.yml": "good"}), {"a.yml"})
    assert played.text("/config/b/a.yml") == "good"


def test_a_program_that_says_nothing_is_a_failure_with_the_old_files_back(
    engine: Engine, played: PlayedEngine, program: PlayedContainer
) -> None:
    program.answers = [b"level=INFO msg=Loaded\n"]
    engine.write_configuration(PROPS, None)
    with pytest.raises(DeploymentError, match=r"did not say within .* that it loaded the new configuration"):
        engine.write_configuration(props(files={"a.yml": "A"}), {"a.yml"})
    assert played.files["/config/current"][0].linkname == "a"


def test_an_image_without_a_shell_is_a_failure_with_the_old_files_back(
    engine: Engine, played: PlayedEngine, program: PlayedContainer
) -> None:
    program.answers = [b"level=INFO msg=Loaded\n"]
    engine.write_configuration(PROPS, None)
    program.results = [(127, b'exec failed: "sh": executable file not found')] * 2
    with pytest.raises(DeploymentError, match=r'its image needs sh: exec failed: "sh": executable file not found'):
        engine.write_configuration(props(files={"a.yml": "A"}), {"a.yml"})
    assert played.files["/config/current"][0].linkname == "a"


def test_commands_are_run_in_order_and_the_first_failure_counts(engine: Engine, program: PlayedContainer) -> None:
    reload = {"signal": "", "loaded": "", "rejected": "", "commands": [["one"], ["two"], ["three"]]}
    engine.write_configuration(props(reload=reload), None)
    assert program.commands == [["one"], ["two"], ["three"]]
    program.commands, program.results = [], [(0, b""), (7, b"bad datasource")]
    with pytest.raises(DeploymentError, match="thing rejected the new configuration: bad datasource"):
        engine.write_configuration(props(reload=reload), None)
    assert program.commands[:2] == [["one"], ["two"]]


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        ('level=ERROR source=x msg="Failed" err="a \\"b\\" c"', 'a "b" c'),
        ("level=ERROR err=plain next=1", "plain"),
        ("level=ERROR something odd", "level=ERROR something odd"),
        ('level=ERROR err="one"\nlevel=INFO err=ignored\nlevel=ERROR err="one"\nlevel=ERROR err="two"', "one; two"),
        ('level=ERROR err="half \\x escape"', "half \\x escape"),
        ("level=INFO all is well", "it gives no reason"),
        ("", "it gives no reason"),
    ],
)
def test_the_reason_is_the_err_field_of_the_errors(log: str, reason: str) -> None:
    assert _reasons(log) == reason


# Starting


def test_a_start_is_done_once_the_health_check_succeeds(engine: Engine, program: PlayedContainer) -> None:
    program.status = "created"
    program.results = [(1, b"not yet"), (0, b"")]
    engine.await_started("thing", ["check"], 60)
    assert program.status == "running"
    assert program.commands == [["check"], ["check"]]
    engine.await_started("thing", [], 0)


def test_a_program_that_stops_fails_at_once_with_its_last_words(engine: Engine, program: PlayedContainer) -> None:
    program.status = "restarting"
    with pytest.raises(DeploymentError, match=r"(?s)thing stopped right after its start.*msg=Failed"):
        engine.await_started("thing", ["check"], 60)


def test_a_program_whose_volume_is_half_restored_says_so(
    engine: Engine, played: PlayedEngine, program: PlayedContainer
) -> None:
    """Its own last words are that it may not enter a folder."""
    program.attrs = {
        "Mounts": [
            {"Type": "bind", "Source": "/srv", "Destination": "/srv"},
            {"Type": "volume", "Name": "v-config", "Destination": "/etc/thing"},
            {"Type": "volume", "Name": "v-data", "Destination": "/data"},
        ]
    }
    program.status = "restarting"
    with pytest.raises(DeploymentError, match=r"msg=Failed err=old$"):
        engine.await_started("thing", ["check"], 60)
    played.files["/data/.restored-half"] = (tarfile.TarInfo(), b"")
    with pytest.raises(
        DeploymentError, match=r"v-data is half of each, .*: \./observatory restore --replace finishes it$"
    ):
        engine.await_started("thing", ["check"], 60)
    program.status = "running"
    program.results = [(1, b"not ready")] * 50
    with pytest.raises(DeploymentError, match=r"(?s)ends with 1: not ready.*v-data is half of each"):
        engine.await_started("thing", ["check"], 0.1)


def test_a_volume_that_is_half_restored_is_not_opened(engine: Engine, played: PlayedEngine) -> None:
    """The archive would give it the mode of one that programs may enter; nor is any file written."""
    played.files["/data/0/.restored-half"] = (tarfile.TarInfo(), b"")
    before = dict(played.files)
    with pytest.raises(DeploymentError, match="v-data is half of each, as a restore was cut off"):
        engine.write_configuration(PROPS, None)
    assert played.files == before
    assert not played.all, "no helper is left"


def test_a_program_that_is_not_healthy_in_time_fails_with_what_its_check_said(
    engine: Engine, program: PlayedContainer
) -> None:
    program.results = [(1, b"connection refused")] * 50
    with pytest.raises(DeploymentError, match="`check -a` ends with 1: connection refused"):
        engine.await_started("thing", ["check", "-a"], 0.1)


def test_a_container_that_is_gone_says_what_to_do(engine: Engine) -> None:
    with pytest.raises(DeploymentError, match="thing is gone; run the update again with --refresh"):
        engine.await_started("thing", [], 1)


def test_removing_a_volume_that_is_gone_is_fine(engine: Engine) -> None:
    engine.remove_volume("gone")


def test_an_engine_that_does_not_answer_is_said_in_words() -> None:
    with pytest.raises(DeploymentError, match="the Docker engine does not answer"):
        Engine("tcp://127.0.0.1:1")


def answers(*values: bool | None) -> Callable[[], bool | None]:
    left = list(values)
    return lambda: left.pop(0) if left else None


def test_polling_asks_at_least_once_and_stops_at_the_first_yes() -> None:
    assert _poll(answers(True), 0)
    assert _poll(answers(None, None, True), 60)
    assert not _poll(answers(None), 0)
    assert not _poll(answers(), 0.1)
