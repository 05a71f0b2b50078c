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

    def holds_one_version(self) -> bool:
        """Two links and the folder of both: nothing old is left in memory."""
        found = {each.name: each.resolve().name for each in self.config.iterdir()}
        return len(found) == 3 and found["current"] == found["live"]

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
    """Its reload writes what was live at that moment; it fails while a file `refuse` exists.

    Where there is a file `end`, the loader is ended in the middle of it, once.
    """
    end = f"if rm {tmp_path}/end 2> /dev/null; then kill -s KILL $PPID; exit 1; fi"
    check = f"{end}; ! test -e {tmp_path}/refuse && cat {tmp_path}/config/current/a.yml >> {reloads}"
    return Pod(tmp_path, Reload(commands=(("sh", "-c", check), ("true",))))


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
    assert pod.holds_one_version()


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


def _loads_v2(pod: Pod, reloads: Path) -> None:
    """By a loader that starts anew; the program is told once, and once is enough."""
    with pod.running():
        until(lambda: pod.said("02.123 is live") == 1)
    with pod.running():
        time.sleep(0.4)
    assert reloads.read_text() == "new\n"
    assert pod.live() == {"a.yml": "new\n"}
    assert pod.holds_one_version()


def test_a_loader_that_was_ended_before_the_program_was_told_tells_it(pod: Pod, reloads: Path, tmp_path: Path) -> None:
    pod.hand_over({"a.yml": "old\n"})
    with pod.running() as loader:
        until(lambda: pod.said("is live") == 1)
        (tmp_path / "end").touch()
        pod.hand_over({"a.yml": "new\n"})
        assert loader.wait(120) == -9
    assert pod.live() == {"a.yml": "new\n"}
    assert not reloads.exists()
    _loads_v2(pod, reloads)


def test_a_reload_that_fails_is_tried_again_by_the_next_loader(pod: Pod, reloads: Path, tmp_path: Path) -> None:
    pod.hand_over({"a.yml": "old\n"})
    with pod.running():
        until(lambda: pod.said("is live") == 1)
        (tmp_path / "refuse").touch()
        pod.hand_over({"a.yml": "new\n"})
        until(lambda: pod.said("cannot be made live yet") >= 1)
    (tmp_path / "refuse").unlink()
    _loads_v2(pod, reloads)


@pytest.mark.parametrize("left", ["new/a.yml", "2026_01_01_00_00_02.123/a.yml", "next"])
def test_what_a_loader_left_that_was_ended_is_no_hindrance(pod: Pod, reloads: Path, left: str) -> None:
    """Wherever that was: while it copied, or before one of the links was in place."""
    pod.hand_over({"a.yml": "old\n"})
    with pod.running():
        until(lambda: pod.said("is live") == 1)
    (pod.config / left).parent.mkdir(exist_ok=True)
    (pod.config / left).symlink_to((pod.config / "current").readlink())
    pod.hand_over({"a.yml": "new\n"})
    _loads_v2(pod, reloads)


def test_a_loader_that_was_ended_at_the_very_first_start_says_it_to_a_program_that_may_run(
    pod: Pod, reloads: Path
) -> None:
    """It may have read what `current` was then, or nothing yet."""
    pod.hand_over({"a.yml": "old\n"})
    with pod.running():
        until(lambda: pod.said("is live") == 1)
    (pod.config / "live").unlink()
    pod.hand_over({"a.yml": "new\n"})
    _loads_v2(pod, reloads)


def test_versions_that_were_never_live_do_not_pile_up(pod: Pod, reloads: Path, tmp_path: Path) -> None:
    """In a folder with room for two."""
    pod.hand_over({"a.yml": "old\n"})
    with pod.running():
        until(lambda: pod.said("is live") == 1)
        (tmp_path / "refuse").touch()
        for number in range(3):
            pod.hand_over({"a.yml": f"{number}\n"})
            until(lambda: pod.live() == {"a.yml": f"{number}\n"})  # noqa: B023
            assert len([each for each in pod.config.iterdir() if each.is_dir() and not each.is_symlink()]) <= 2
        (tmp_path / "refuse").unlink()
        until(lambda: pod.said("is live") == 2)
        until(pod.holds_one_version)
    assert reloads.read_text() == "2\n"


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
