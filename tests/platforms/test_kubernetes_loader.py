"""The loader's script, run by sh, on folders that change as the kubelet changes them.

That it finds the program among the processes of a pod is shown in tests/e2e/kubernetes/test_loader.py, in containers.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from components.platforms.kubernetes_loader import PATIENCE, command, script, startup_probe
from components.spec import Reload
from tests.platforms.clusters import CLUSTERS, containers_of, objects, of_kind, on_cluster
from tests.platforms.kubelet import hand_over
from tests.support import service


class Pod:
    """The two folders of a loader, and what it has said."""

    def __init__(self, folder: Path, reload: Reload) -> None:
        self.files, self.config, self.version = folder / "files", folder / "config", 0
        self.files.mkdir()
        self.config.mkdir()
        self.log = folder / "log"
        self.script = script(reload).replace(f"sleep {PATIENCE}", "sleep 0.05")

    def hand_over(self, files: dict[str, str], index: str | None = None) -> None:
        """A new version of the files."""
        self.version += 1
        hand_over(self.files, self.version, files, index)

    def live(self) -> dict[str, str]:
        """What the program sees."""
        current = self.config / "current"
        try:
            found = sorted(path for path in current.rglob("*") if path.is_file())
            return {str(path.relative_to(current)): path.read_text() for path in found}
        except FileNotFoundError:  # the loader has just removed the version that this looked at
            return {}

    def said(self, words: str) -> int:
        """How often the loader has said something."""
        return self.log.read_text().count(words)

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """The loader at work."""
        with self.log.open("ab") as log:
            program = subprocess.Popen(
                ["sh", "-c", self.script, "loader", str(self.files), str(self.config)], stdout=log, stderr=log
            )
        try:
            yield program
        finally:
            program.terminate()
            program.wait(60)


def until(question: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def reloads(tmp_path: Path) -> Path:
    return tmp_path / "reloads"


@pytest.fixture
def pod(tmp_path: Path, reloads: Path) -> Pod:
    """Its reload writes what was live at that moment; it fails while a file `refuse` exists."""
    check = ("sh", "-c", f"! test -e {tmp_path}/refuse && cat {tmp_path}/config/current/a.yml >> {reloads}")
    return Pod(tmp_path, Reload(commands=(check, ("true",))))


def test_files_are_laid_out_at_their_paths_and_the_first_time_nothing_is_reloaded(pod: Pod, reloads: Path) -> None:
    files = {"a.yml": "a: 1\n", "rules/more/b.yaml": "b", "dashboards/The stack/c.json": "{}"}
    pod.hand_over(files)
    with pod.running():
        until(lambda: pod.live() == files)
        assert (pod.config / "current").is_symlink()
        assert (pod.config / "current" / "a.yml").stat().st_mode & 0o077 == 0, "others need not read secrets"
    assert not reloads.exists()


def test_changed_added_and_removed_files_go_live_together_and_are_reloaded_once(pod: Pod, reloads: Path) -> None:
    pod.hand_over({"a.yml": "old\n", "gone.yml": "x"})
    with pod.running():
        until(lambda: pod.live() == {"a.yml": "old\n", "gone.yml": "x"})
        pod.hand_over({"a.yml": "new\n", "new/b.yml": "y"})
        until(lambda: pod.live() == {"a.yml": "new\n", "new/b.yml": "y"})
        until(lambda: pod.said("is live") == 2)
        time.sleep(0.3)
    assert reloads.read_text() == "new\n"
    assert len(list(pod.config.iterdir())) == 2  # the link and its folder: nothing old is left in memory


def test_a_version_that_is_not_complete_yet_does_not_go_live(pod: Pod, reloads: Path) -> None:
    pod.hand_over({"a.yml": "old\n"})
    with pod.running():
        until(lambda: pod.live() == {"a.yml": "old\n"})
        pod.hand_over({"a.yml": "new\n"}, index="a.yml a.yml\nsecrets__later secrets/later\n")
        # Twice: by the second time, what the first attempt left would be live.
        until(lambda: pod.said("cannot be made live yet") >= 2)
        assert pod.live() == {"a.yml": "old\n"}
        pod.hand_over({"a.yml": "new\n", "secrets/later": "s"})
        until(lambda: pod.said("is live") == 2)
    assert pod.live() == {"a.yml": "new\n", "secrets/later": "s"}
    assert reloads.read_text() == "new\n"


def test_a_reload_that_fails_is_tried_again(pod: Pod, reloads: Path, tmp_path: Path) -> None:
    pod.hand_over({"a.yml": "old\n"})
    with pod.running():
        until(lambda: pod.live() == {"a.yml": "old\n"})
        (tmp_path / "refuse").touch()
        pod.hand_over({"a.yml": "new\n"})
        until(lambda: "cannot be made live yet" in pod.log.read_text())
        assert pod.live() == {"a.yml": "new\n"}
        (tmp_path / "refuse").unlink()
        until(lambda: pod.said("is live") == 2)
    assert reloads.read_text() == "new\n"


def test_a_loader_that_was_restarted_takes_up_what_it_missed(pod: Pod, reloads: Path) -> None:
    pod.hand_over({"a.yml": "old\n"})
    with pod.running():
        until(lambda: pod.said("is live") == 1)
    pod.hand_over({"a.yml": "new\n"})
    with pod.running():
        until(lambda: pod.said("is live") == 2)
    assert pod.live() == {"a.yml": "new\n"}
    with pod.running():
        time.sleep(0.4)
    assert reloads.read_text() == "new\n", "nothing is reloaded where nothing has changed"


def test_it_ends_when_it_is_told_to(pod: Pod) -> None:
    pod.hand_over({"a.yml": "a"})
    with pod.running() as loader:
        until(lambda: pod.live() == {"a.yml": "a"})
        loader.terminate()
        assert loader.wait(60) == -15


@pytest.mark.parametrize("name", CLUSTERS)
def test_only_programs_that_reload_have_a_loader_and_it_starts_before_them(name: str) -> None:
    for workload in of_kind(objects(name), "StatefulSet", "Deployment", "DaemonSet"):
        planned = service(on_cluster(name).plan, workload["metadata"]["name"])
        loaders = [each for each in containers_of(workload) if each["name"] == "loader"]
        assert len(loaders) == bool(planned.reload)
        for loader in loaders:
            assert loader["command"] == command(planned)
            assert loader["restartPolicy"] == "Always"  # a sidecar
            assert loader["startupProbe"] == startup_probe(planned)
            assert loader["image"] == planned.image
            assert workload["spec"]["template"]["spec"]["shareProcessNamespace"] is True
            assert not any("serviceaccount" in mount["mountPath"] for mount in loader["volumeMounts"])


def test_signals_are_sent_by_their_short_name() -> None:
    assert 'kill -s HUP "$pid"' in script(Reload("SIGHUP", "yes", "no"))
