"""Files into a volume of a real engine: written, switched, taken back, owned and cleaned up."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import docker
import pytest
from docker.errors import NotFound
from docker.models.containers import Container

from components.platforms import docker_engine
from components.platforms.docker_engine import Engine
from components.platforms.errors import DeploymentError
from tests.e2e.engine import LABEL, PREFIX, until
from tests.e2e.engine import Engine as RealEngine

FOLDER = "/observatory"
"""Where the tests' own container sees the two volumes: below it, `config` and `data`."""


class Place:
    """A volume for files and one for data, and a container that is never started to look into both."""

    def __init__(self, client: docker.DockerClient, environment: str):
        self.client, self.name = client, f"observatory-{environment}-files-{os.urandom(3).hex()}"
        self.image = _any_image(client)
        self.engine = Engine()
        self.labels = {LABEL: environment}
        self.client.volumes.create(f"{self.name}-data", labels=self.labels)

    def props(self, **changes: Any) -> dict[str, Any]:
        """What the deployment asks for, with changes."""
        return {
            "volume": f"{self.name}-config",
            "container": f"{self.name}-program",
            "image": self.image,
            "user": "1234:5678",
            "labels": self.labels,
            "files": {"a.yml": "one\n", "rules/deep/b.yml": "two ü\n"},
            "secret_files": {"secrets/key": "hunter2"},
            "quiet": [],
            "data_volumes": [f"{self.name}-data"],
            "reload": {},
            **changes,
        }

    def found(self) -> dict[str, tuple[tarfile.TarInfo, str]]:
        """Everything in the two volumes."""
        binds = {f"{self.name}-{which}": {"bind": f"{FOLDER}/{which}", "mode": "rw"} for which in ("config", "data")}
        window = self.client.containers.create(self.image, command=["-"], volumes=binds, labels=self.labels)
        try:
            chunks, _ = window.get_archive(FOLDER)
            with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as archive:
                return {info.name.partition("/")[2]: (info, _text(archive, info)) for info in archive.getmembers()}
        finally:
            window.remove(v=True, force=True)

    def texts(self) -> dict[str, str]:
        """The files as a program sees them: through the link, path to text."""
        found = self.found()
        slot = found["config/current"][0].linkname.rpartition("/")[2]
        prefix = f"config/{slot}/"
        return {
            path.removeprefix(prefix): text for path, (info, text) in found.items() if _is_below(info, path, prefix)
        }

    def program(self, image: str, **settings: Any) -> Container:
        """A running program of the service's name."""
        return self.client.containers.run(
            image, name=f"{self.name}-program", detach=True, labels=self.labels, network_mode="none", **settings
        )

    def remove(self) -> None:
        """Remove what the test made."""
        for container in self.client.containers.list(all=True, filters={"name": self.name}):
            with suppress(NotFound):
                container.remove(v=True, force=True)
        for which in ("config", "data"):
            self.engine.remove_volume(f"{self.name}-{which}")
        self.engine.client.close()


def _text(archive: tarfile.TarFile, info: tarfile.TarInfo) -> str:
    content = archive.extractfile(info) if info.isreg() else None
    return content.read().decode() if content else ""


def _is_below(info: tarfile.TarInfo, path: str, prefix: str) -> bool:
    return info.isreg() and path.startswith(prefix)


def _any_image(client: docker.DockerClient) -> str:
    """An image that is here; nothing of it is ever run but in the tests that say so."""
    tags = sorted((size, tag) for tag, size in _images(client).items())
    assert tags, "make ready prepares the images of the stack"
    return tags[0][1]


def _images(client: docker.DockerClient) -> dict[str, int]:
    """Tags to sizes, without the images of other tests, which come and go."""
    found = ((tag, image["Size"]) for image in client.api.images() for tag in image["RepoTags"] or ())
    return {tag: size for tag, size in found if PREFIX not in tag}


@pytest.fixture
def place(engine: RealEngine, run_name: str) -> Iterator[Place]:
    """Two volumes of this run."""
    made = Place(engine.client, run_name)
    yield made
    made.remove()


def test_files_are_written_and_seen_through_the_link(place: Place) -> None:
    place.engine.write_configuration(place.props(), None)
    assert place.texts() == {"a.yml": "one\n", "rules/deep/b.yml": "two ü\n", "secrets/key": "hunter2"}


def test_everything_belongs_to_the_services_user_and_secrets_are_its_own(place: Place) -> None:
    place.engine.write_configuration(place.props(), None)
    found = place.found()
    for path, (info, _) in found.items():
        if path and not info.issym():
            assert (info.uid, info.gid) == (1234, 5678), path
    modes = {path.partition("/a/")[2]: info.mode & 0o777 for path, (info, _) in found.items() if info.isreg()}
    assert modes == {"a.yml": 0o444, "rules/deep/b.yml": 0o444, "secrets/key": 0o400}
    assert found["data"][0].isdir()
    assert found["data"][0].mode & 0o777 == 0o755


def test_a_change_switches_slots_and_leaves_nothing_of_the_old_one(place: Place) -> None:
    place.engine.write_configuration(place.props(), None)
    first = place.found()["config/current"][0].linkname
    place.engine.write_configuration(place.props(files={"a.yml": "1\n"}), {"a.yml", "rules/deep/b.yml"})
    assert place.texts() == {"a.yml": "1\n", "secrets/key": "hunter2"}
    second = place.found()["config/current"][0].linkname
    assert first != second
    assert not [path for path in place.found() if path.startswith(f"config/{first.rpartition('/')[2]}/")]
    place.engine.write_configuration(place.props(), {"a.yml"})
    assert place.texts()["rules/deep/b.yml"] == "two ü\n"
    assert place.found()["config/current"][0].linkname == first


def test_a_file_may_become_a_folder_and_a_folder_a_file(place: Place) -> None:
    place.engine.write_configuration(place.props(files={"x": "file", "y/z": "below"}, secret_files={}), None)
    place.engine.write_configuration(place.props(files={"x/z": "below", "y": "file"}, secret_files={}), {"x"})
    assert place.texts() == {"x/z": "below", "y": "file"}


def test_data_stays_when_files_change(place: Place) -> None:
    place.engine.write_configuration(place.props(), None)
    binds = {f"{place.name}-data": {"bind": "/d", "mode": "rw"}}
    window = place.client.containers.create(place.image, command=["-"], volumes=binds, labels=place.labels)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("kept")
        info.size, info.uid = 4, 1234
        archive.addfile(info, io.BytesIO(b"data"))
    assert window.put_archive("/d", buffer.getvalue())
    window.remove(v=True)
    place.engine.write_configuration(place.props(files={"a.yml": "2\n"}, user="99:99"), {"a.yml"})
    info, text = place.found()["data/kept"]
    assert text == "data"
    assert info.uid == 1234, "what is inside keeps its owner; only the folder is handed over"
    assert place.found()["data"][0].uid == 99


def test_a_leftover_helper_is_replaced_and_none_stays(place: Place) -> None:
    name = f"{place.name}-config-writer"
    place.client.containers.create(place.image, name=name, command=["-"], labels=place.labels)
    place.engine.write_configuration(place.props(), None)
    with pytest.raises(NotFound):
        place.client.containers.get(name)


def test_the_helper_leaves_no_volume_of_its_image(place: Place) -> None:
    base = place.client.containers.create(place.image, command=["-"], labels=place.labels)
    tag = f"{place.name}-image"
    try:
        base.commit(repository=tag, changes="VOLUME /declared")
        before = {volume.id for volume in place.client.volumes.list()}
        place.engine.write_configuration(place.props(image=f"{tag}:latest"), None)

        def left() -> set[str]:
            now = {volume.id for volume in place.client.volumes.list()}
            return {str(each) for each in now - before if len(str(each)) == 64}

        # Those of other containers of this engine come and go; one of the helper would stay.
        until(lambda: not left(), lambda: f"anonymous volumes pile up: {left()}")
    finally:
        base.remove(v=True, force=True)
        place.client.images.remove(f"{tag}:latest", force=True)


def test_an_image_that_cannot_be_had_is_said_and_leaves_no_files(place: Place) -> None:
    with pytest.raises(DeploymentError, match="is not here and cannot be pulled"):
        place.engine.write_configuration(place.props(image="localhost:1/no/such:image"), None)


def test_removing_the_volume_twice_is_fine_and_one_in_use_is_said(place: Place) -> None:
    place.engine.write_configuration(place.props(), None)
    binds = {f"{place.name}-config": {"bind": "/c", "mode": "ro"}}
    user = place.client.containers.create(place.image, command=["-"], volumes=binds, labels=place.labels)
    with pytest.raises(DeploymentError, match="cannot be removed"):
        place.engine.remove_volume(f"{place.name}-config")
    user.remove()
    place.engine.remove_volume(f"{place.name}-config")
    place.engine.remove_volume(f"{place.name}-config")


# With a program that runs: the stack's own Alertmanager, or whatever else of it is here


URL = "--alertmanager.url=http://localhost:9093"
ALERTMANAGER = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
ANSWERS = {
    "signal": "SIGHUP",
    "loaded": "Completed loading of configuration file",
    "rejected": "Loading configuration file failed",
    "commands": [],
}


@pytest.fixture
def alertmanager(place: Place) -> str:
    """The image of Alertmanager that this machine has."""
    tags = [tag for tag in _images(place.client) if "/alertmanager:" in tag]
    assert tags, "make ready prepares the images of the stack"
    return max(tags)


def run_alertmanager(place: Place, image: str) -> tuple[Container, dict[str, Any]]:
    props = place.props(image=image, user="65534:65534", files={"alertmanager.yml": ALERTMANAGER}, reload=ANSWERS)
    place.engine.write_configuration(props, None)
    command = ["--config.file=/c/current/alertmanager.yml", "--storage.path=/data", "--cluster.listen-address="]
    binds = {
        f"{place.name}-config": {"bind": "/c", "mode": "ro"},
        f"{place.name}-data": {"bind": "/data", "mode": "rw"},
    }
    program = place.program(image, command=command, volumes=binds, user="65534:65534", read_only=True)
    place.engine.await_started(f"{place.name}-program", ["amtool", URL, "cluster", "show"], 60)
    return program, props


def test_a_good_change_is_loaded_without_a_restart_and_a_bad_one_taken_back(place: Place, alertmanager: str) -> None:
    program, props = run_alertmanager(place, alertmanager)
    program.reload()
    started = program.attrs["State"]["StartedAt"]
    renamed = {**props, "files": {"alertmanager.yml": ALERTMANAGER.replace("nobody", "somebody")}}
    place.engine.write_configuration(renamed, {"alertmanager.yml"})
    assert "somebody" in place.texts()["alertmanager.yml"]
    # It says that it has loaded a configuration a moment before it answers by it.
    until(lambda: "somebody" in _running(program), "the new configuration", 60)

    broken = {**props, "files": {"alertmanager.yml": "route: {receiver: missing}\nreceivers: []\n"}}
    with pytest.raises(DeploymentError, match=r"rejected the new configuration.*undefined receiver .*missing"):
        place.engine.write_configuration(broken, {"alertmanager.yml"})
    assert "somebody" in place.texts()["alertmanager.yml"]
    assert "somebody" in _running(program)

    again = {**props, "files": {"alertmanager.yml": ALERTMANAGER}}
    place.engine.write_configuration(again, {"alertmanager.yml"})
    until(lambda: "somebody" not in _running(program), "the old configuration again", 60)
    program.reload()
    assert program.attrs["State"]["StartedAt"] == started
    assert program.attrs["RestartCount"] == 0


def _running(program: Container) -> str:
    code, output = program.exec_run(["amtool", URL, "config", "show"])
    assert code == 0, output
    return b"".join([output] if isinstance(output, bytes) else output).decode()


def test_a_program_that_does_not_answer_its_signal_keeps_its_old_files(
    place: Place, alertmanager: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker_engine, "RELOAD_PATIENCE", 1.0)
    _, props = run_alertmanager(place, alertmanager)
    deaf = {**props, "reload": {**ANSWERS, "loaded": "never said", "rejected": "nor this"}}
    with pytest.raises(DeploymentError, match="did not say within 1 s"):
        place.engine.write_configuration({**deaf, "files": {"alertmanager.yml": "# other\n" + ALERTMANAGER}}, {"a"})
    assert place.texts()["alertmanager.yml"] == ALERTMANAGER


def test_a_program_that_cannot_start_ends_at_once_with_its_last_words(place: Place, alertmanager: str) -> None:
    place.program(alertmanager, command=["--no-such-flag"])
    with pytest.raises(DeploymentError, match=r"(?s)stopped right after its start.*no-such-flag"):
        place.engine.await_started(f"{place.name}-program", ["amtool", URL, "cluster", "show"], 60)
