"""The script of the backup as it stands beside a program of a cluster: what it fetches, and when that is taken."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from operations.programs import find
from tests.services.backup_script import SCRIPT, ready, run, script, start

VOLUME = "alertmanager-data"
COPIED = {"silences": "of the copy", "nflog": "of the copy", "deep/er/file": "of the copy"}
LIVE = {"silences": "younger", "new": "younger", "deep/other": "younger"}
KEPT = {".backup/status/ok": "1", "lost+found/inode": "of the file system"}
LARGE = random.Random(1).randbytes(1 << 20).hex()
SLOW = 5
"""KiB/s that a slowed restic may read or write, so that the large file takes minutes."""


@pytest.fixture(params=["sh", "busybox"])
def environment(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """Beside Alertmanager, by this machine's shell and by that of restic's image."""
    found = ready(tmp_path, VOLUME, tmp_path / "data" / VOLUME / ".backup")
    if request.param == "busybox":
        busybox = find("busybox")
        if busybox is None:
            pytest.skip("busybox is not here; `python3 -m toolchain ready --for e2e` gets it")
        (tmp_path / "bin").mkdir()
        for applet in subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split():
            (tmp_path / "bin" / applet).symlink_to(busybox)
        restic = find("restic")
        assert restic
        (tmp_path / "bin" / "restic").symlink_to(restic)
        found["PATH"] = str(tmp_path / "bin")
    return found


def data(environment: dict[str, str]) -> Path:
    return Path(environment["DATA"], VOLUME)


def write(environment: dict[str, str], files: dict[str, str]) -> None:
    for path, text in files.items():
        file = data(environment) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def held(folder: Path) -> dict[str, str]:
    """Path to text of all files but those that the script keeps for itself."""
    return {
        str(file.relative_to(folder)): file.read_text()
        for file in folder.rglob("*")
        if file.is_file() and file.relative_to(folder).parts[0] != ".backup"
    }


def finished(environment: dict[str, str], process: subprocess.Popen[str]) -> str:
    """What a copy answers at its end. Alertmanager writes its silences every 15 seconds, for which a copy waits.

    Here they are written again and again: some `find` compares whole seconds, and takes the first time for none.
    """
    while process.poll() is None:
        (data(environment) / "silences").touch()
        time.sleep(0.2)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return output


def copy(environment: dict[str, str]) -> str:
    """Make a copy; its id."""
    with start(environment, "run", "manual") as process:
        output = finished(environment, process)
    return str(json.loads(output.splitlines()[-1])["snapshot_id"])


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A repository with one copy, and its id. It takes seconds to make one."""
    folder = tmp_path_factory.mktemp("original")
    found = ready(folder, VOLUME, folder / "data" / VOLUME / ".backup")
    write(found, COPIED | KEPT | {"large": LARGE})
    return folder, copy(found)


@pytest.fixture
def copied(environment: dict[str, str], original: tuple[Path, str], tmp_path: Path) -> tuple[str, ...]:
    """How to fetch the copy that there is of what the volume held; by now it holds something else."""
    folder, found = original
    shutil.copytree(folder / "repository", tmp_path / "repository")
    write(environment, LIVE | KEPT)
    return "fetch", found, VOLUME, str(folder / "data" / VOLUME)


def lost_and_found(files: dict[str, str]) -> dict[str, str]:
    return files | {path: text for path, text in KEPT.items() if path.startswith("lost")}


def test_what_is_fetched_is_taken_once_it_is_accepted(environment: dict[str, str], copied: tuple[str, ...]) -> None:
    """The program runs on meanwhile; a pod that starts anew before takes nothing."""
    there = data(environment)
    script(environment, *copied)
    restored = there / f".restored-fetched-{copied[1]}"
    assert held(restored) == COPIED | {"large": LARGE}
    assert not (restored / ".backup").exists()
    restored.rename(there.parent / "aside")
    assert held(there) == lost_and_found(LIVE)
    script(environment, "take", VOLUME)
    assert held(there) == lost_and_found(LIVE)
    (there.parent / "aside").rename(restored)
    code, _, errors = run(environment, "accept", VOLUME, "another")
    assert code == 1
    assert "copy another is not fetched" in errors
    script(environment, "accept", VOLUME, copied[1])
    script(environment, "take", VOLUME)
    (there / "large").unlink()
    assert held(there) == lost_and_found(COPIED)
    assert (there / ".backup/status/ok").read_text() == "1", "what it remembers is its own"
    assert sorted(each.name for each in there.iterdir()) == [".backup", "deep", "lost+found", "nflog", "silences"]
    script(environment, "take", VOLUME)
    assert held(there) == lost_and_found(COPIED)


def _remove_data(there: Path) -> None:
    shutil.rmtree(there / "deep")
    (there / "silences").unlink()
    (there / "new").unlink()


def _begun(there: Path) -> None:
    """Long ago, too: what has begun goes on."""
    (there / ".restored-accepted").rename(there / ".restored-taken")
    then = time.time() - 2 * 3600
    os.utime(there / ".restored-taken", (then, then))


def _removing(there: Path) -> None:
    _begun(there)
    shutil.rmtree(there / "deep")


def _removed(there: Path) -> None:
    _begun(there)
    _remove_data(there)


def _renamed(there: Path) -> None:
    _removed(there)
    (there / ".restored-taken").rename(there / ".restored-whole")


def _moving(there: Path) -> None:
    _renamed(there)
    (there / ".restored-whole" / "deep").rename(there / "deep")


def _moved(there: Path) -> None:
    _renamed(there)
    for each in (there / ".restored-whole").iterdir():
        each.rename(there / each.name)


CUT_OFF: dict[str, Callable[[Path], None]] = {
    "before": lambda _there: None,
    "begun": _begun,
    "removing": _removing,
    "removed": _removed,
    "renamed": _renamed,
    "moving": _moving,
    "moved": _moved,
}
"""What `take` has done when its pod is killed."""


@pytest.mark.parametrize("point", CUT_OFF)
def test_what_is_cut_off_goes_on_at_the_next_start(environment: dict[str, str], point: str) -> None:
    there = data(environment)
    write(environment, LIVE | KEPT | {f".restored-accepted/{path}": text for path, text in COPIED.items()})
    CUT_OFF[point](there)
    script(environment, "take", VOLUME)
    assert held(there) == lost_and_found(COPIED)
    assert (there / ".backup/status/ok").read_text() == "1"
    assert not list(there.glob(".restored*"))


def test_a_second_restore_is_not_mixed_with_a_first_one_that_was_cut_off(environment: dict[str, str]) -> None:
    there = data(environment)
    write(environment, {"half": "older", ".restored-whole/other": "older", ".restored-unfinished/more": "older"})
    write(environment, KEPT | {f".restored-accepted/{path}": text for path, text in COPIED.items()})
    script(environment, "take", VOLUME)
    assert held(there) == lost_and_found(COPIED)
    assert not list(there.glob(".restored*"))


def test_a_copy_that_is_not_there_leaves_nothing(environment: dict[str, str], copied: tuple[str, ...]) -> None:
    """An older one that was fetched before neither: it is not what was asked for."""
    there = data(environment)
    script(environment, *copied)
    code, _, errors = run(environment, "fetch", "0123abcd", *copied[2:])
    assert code not in (0, 130)
    assert "0123abcd" in errors
    assert held(there) == lost_and_found(LIVE)
    assert run(environment, "accept", VOLUME, copied[1])[0] == 1


def test_what_was_accepted_long_ago_is_not_taken_any_more(environment: dict[str, str]) -> None:
    """A restore that came to nothing, whose pod starts again some weeks later."""
    there = data(environment)
    write(environment, LIVE | KEPT | {f".restored-accepted/{path}": text for path, text in COPIED.items()})
    then = time.time() - 2 * 3600
    os.utime(there / ".restored-accepted", (then, then))
    code, _, errors = run(environment, "take", VOLUME)
    assert code == 0
    assert "more than an hour ago" in errors
    assert held(there) == lost_and_found(LIVE)
    assert not list(there.glob(".restored*"))


def test_a_start_removes_what_runs_left_that_were_ended_with_their_pod(environment: dict[str, str]) -> None:
    left = (".restored-fetched-one/a", ".restored-unfinished/a", ".backup/staged-manual/a", ".backup/tmp/a")
    write(environment, LIVE | KEPT | dict.fromkeys((*left, ".backup/by-hand", "snapshots/observatory-manual/a"), "x"))
    script(environment, "take", VOLUME)
    there = data(environment)
    assert held(there) == lost_and_found(LIVE)
    assert [each.name for each in (there / ".backup").iterdir()] == ["status"]


@pytest.mark.parametrize("place", ["fetched-one", "accepted", "unfinished"])
def test_what_was_fetched_can_be_dropped(environment: dict[str, str], place: str) -> None:
    write(environment, LIVE | KEPT | {f".restored-{place}/{path}": text for path, text in COPIED.items()})
    script(environment, "drop", VOLUME)
    assert held(data(environment)) == lost_and_found(LIVE)
    script(environment, "take", VOLUME)
    assert held(data(environment)) == lost_and_found(LIVE)


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="restoring for others, as on Docker, needs root")
CHANGING = ("chmod", "find", "mv", "rm", "rmdir", "touch")
"""By which the script changes a volume."""


def is_closed(there: Path) -> bool:
    return not there.stat().st_mode & 0o100


def own_data(there: Path) -> dict[str, str]:
    """All that a program would find."""
    return {path: text for path, text in held(there).items() if not path.startswith(".restored-")}


def ended_at(environment: dict[str, str], step: int, *arguments: str) -> bool:
    """Whether the script was killed, with all that it runs, before the step of that number."""
    stepping = Path(environment["HERE"]).parent / "stepping"
    (stepping / "steps").mkdir(parents=True, exist_ok=True)
    for name in CHANGING:
        program = stepping / name
        program.write_text(
            f"#!/bin/sh\nPATH='{environment['PATH']}'\nmkdir {stepping}/steps/$$\n"
            f'[ $(ls {stepping}/steps | wc -l) != {step} ] || kill -s KILL 0\nexec {name} "$@"\n'
        )
        program.chmod(0o755)
    for each in (stepping / "steps").iterdir():
        each.rmdir()
    searched = environment | {"PATH": f"{stepping}:{environment['PATH']}"}
    done = subprocess.run(["sh", str(SCRIPT), *arguments], env=searched, start_new_session=True, check=False)
    assert done.returncode in (0, -9)
    return done.returncode != 0


# What a busybox runs by itself cannot be counted; nor need it be, as it is the same.
@needs_root
@pytest.mark.parametrize("environment", ["sh"], indirect=True)
def test_wherever_a_restore_on_docker_is_cut_off_no_program_finds_half_of_it(environment: dict[str, str]) -> None:
    """All of the old, all of the new, or no way in; after the latter the next one finishes it."""
    there, seen, step = data(environment), [], 0
    before, after, mode = lost_and_found(LIVE), lost_and_found(COPIED), there.stat().st_mode
    cut_off = True
    while cut_off:
        step += 1
        shutil.rmtree(there)
        write(environment, LIVE | KEPT | {f".restored-fetched-one/{path}": text for path, text in COPIED.items()})
        cut_off = ended_at(environment, step, "put", VOLUME, "one")
        closed, found = is_closed(there), own_data(there)
        assert closed or found in (before, after)
        assert closed or not (there / ".restored-half").exists(), "or it would be believed for ever"
        assert script(environment, "settle", VOLUME) == (f"{VOLUME}\n" if closed else "")
        assert held(there) == (after if closed else found)
        assert there.stat().st_mode == mode
        assert (there / ".backup/status/ok").read_text() == "1"
        seen.append((closed, found == before, found == after))
    assert {(False, True, False), (True, False, False), (False, False, True)} <= {*seen}
    assert len(seen) > 10


@needs_root
@pytest.mark.parametrize("environment", ["sh"], indirect=True)
def test_what_finishes_a_restore_may_be_cut_off_too(environment: dict[str, str]) -> None:
    there, step = data(environment), 0
    cut_off = True
    while cut_off:
        step += 1
        shutil.rmtree(there)
        write(environment, LIVE | KEPT | {f".restored-accepted/{path}": text for path, text in COPIED.items()})
        _removing(there)
        there.chmod(0o655)
        cut_off = ended_at(environment, step, "settle", VOLUME)
        assert is_closed(there) or own_data(there) == lost_and_found(COPIED)
        script(environment, "settle", VOLUME)
        assert held(there) == lost_and_found(COPIED)
        assert not is_closed(there)
    assert step > 5


@needs_root
def test_of_what_is_half_of_each_there_is_no_copy(environment: dict[str, str], copied: tuple[str, ...]) -> None:
    """It would be the newest, and the one to be restored."""
    there = data(environment)
    there.chmod(0o655)
    code, _, errors = run(environment, "run", "manual")
    assert code == 1
    assert f"error: {VOLUME} is half of each, as a restore was cut off; ./observatory restore --replace" in errors
    assert [each["id"] for each in listed(environment)] == [copied[1]]
    there.chmod(0o755)
    copy(environment)
    assert len(listed(environment)) == 2


def test_what_no_restore_began_with_is_dropped_by_the_next(environment: dict[str, str]) -> None:
    """What somebody let a program enter again holds what that has written since, so it is left alone."""
    left = ("fetched-one", "unfinished", "accepted")
    write(environment, LIVE | KEPT | {f".restored-{name}/a": "x" for name in (*left, "taken")})
    assert script(environment, "settle", VOLUME, "never-made") == ""
    there = data(environment)
    assert own_data(there) == lost_and_found(LIVE)
    assert [each.name for each in there.glob(".restored*")] == [".restored-taken"]
    assert not (there.parent / "never-made").exists()


def slowed(environment: dict[str, str], folder: Path) -> dict[str, str]:
    """With a restic that reads and writes a repository slowly."""
    return wrapped(environment, folder, f'exec {find("restic")} --limit-download {SLOW} --limit-upload {SLOW} "$@"')


def wrapped(environment: dict[str, str], folder: Path, command: str) -> dict[str, str]:
    """With a command in the place of restic."""
    (folder / "wrapped").mkdir()
    program = folder / "wrapped" / "restic"
    program.write_text(f"#!/bin/sh\n{command}\n")
    program.chmod(0o755)
    return environment | {"PATH": f"{program.parent}:{environment['PATH']}"}


def until(condition: Callable[[], object], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 180
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_fetch_is_ended_and_leaves_no_half(
    environment: dict[str, str], copied: tuple[str, ...], tmp_path: Path
) -> None:
    there = data(environment)
    with start(slowed(environment, tmp_path), *copied) as process:
        until(lambda: list((tmp_path / "repository" / "locks").iterdir()), process)
        assert (there / ".restored-unfinished").exists()
        code, _, errors = run(environment, "run", "manual")
        assert (code, errors) == (75, "error: a copy by hand or a restore is going on\n")
        assert process.poll() is None
        script(environment, "end")
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 130
    assert errors.endswith("stopped; nothing was fetched\n")
    assert held(there) == lost_and_found(LIVE)
    assert not (there / ".backup" / "by-hand").exists()
    assert not list((tmp_path / "repository" / "locks").iterdir())


def test_a_copy_by_hand_is_ended_and_leaves_no_half(
    environment: dict[str, str], copied: tuple[str, ...], tmp_path: Path
) -> None:
    write(environment, {"large": LARGE[::-1]})
    stored = data(environment) / ".backup" / "staged-manual"

    def is_storing() -> bool:
        (data(environment) / "silences").touch()
        return (stored / "summary").exists()

    with start(slowed(environment, tmp_path), "run", "manual") as process:
        until(is_storing, process)
        assert run(environment, *copied)[0] == 75
        script(environment, "end")
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 130
    assert errors.endswith("stopped; no copy was made\n")
    assert not stored.exists()
    assert not (data(environment) / ".backup" / "by-hand").exists()
    assert [each.name for each in (tmp_path / "repository" / "snapshots").iterdir()] == [copied[1]]


def test_a_copy_that_is_made_is_not_denied(
    environment: dict[str, str], copied: tuple[str, ...], tmp_path: Path
) -> None:
    """Who ends a run while it removes older copies has a new one all the same."""
    thinning = tmp_path / "thinning"
    command = f'case "$*" in *" forget "*) : >{thinning}; exec sleep 600 ;; esac\nexec {find("restic")} "$@"'

    def thins() -> bool:
        (data(environment) / "silences").touch()
        return thinning.exists()

    with start(wrapped(environment, tmp_path, command), "run", "manual") as process:
        until(thins, process)
        script(environment, "end")
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 130
    assert errors.endswith("stopped; the copy is made, but older ones may be left\n")
    assert {each.name for each in (tmp_path / "repository" / "snapshots").iterdir()} > {copied[1]}


@pytest.mark.parametrize("number", ["first", "ended", "another"])
def test_the_end_of_nothing_is_no_error_and_ends_nobody_else(
    environment: dict[str, str], copied: tuple[str, ...], number: str
) -> None:
    """Numbers of processes are used again after a restart."""
    script(environment, "end")
    with subprocess.Popen(["sleep", "600"]) as other:
        numbers = {"first": 1, "ended": 4194304, "another": other.pid}
        write(environment, {".backup/by-hand": f"{numbers[number]}\n"})
        script(environment, "end")
        assert other.poll() is None
        other.terminate()
    script(environment, *copied)


def test_a_scheduled_copy_is_not_taken_for_one_by_hand(environment: dict[str, str], copied: tuple[str, ...]) -> None:
    write(environment, {".backup/status/success": "1\n"})
    with start(environment, "run", "scheduled") as scheduled:
        until((data(environment) / ".backup" / "staged-scheduled" / "begin").exists, scheduled)
        write(environment, {".backup/by-hand": f"{scheduled.pid}\n"})
        script(environment, "end")
        assert scheduled.poll() is None
        script(environment, *copied)
        finished(environment, scheduled)


def test_what_it_keeps_for_itself_is_in_no_copy_and_not_counted(
    environment: dict[str, str], copied: tuple[str, ...]
) -> None:
    there = data(environment)
    write(environment, {".restored-fetched/silences": "older", ".restored-accepted/a": "older", ".backup/tmp/a": "b"})
    found = copy(environment)
    assert (there / ".backup" / "cache").is_dir()
    listed = script(environment, "restic", "ls", "--no-lock", found).splitlines()
    inside = {line.removeprefix(f"{there}/") for line in listed if line.startswith(f"{there}/")}
    own = {line for line in inside if line.startswith(".backup")}
    assert inside - own == {*LIVE, "deep"}
    staged = ("", "/begin", "/errors", "/summary", "/about", "/about/begin", "/about/moment", "/about/stack.json")
    assert own <= {".backup", *(f".backup/staged-manual{name}" for name in staged)}
    assert ".backup/staged-manual/about/moment" in own
    assert [line.split()[:2] for line in script(environment, "look", VOLUME).splitlines()] == [
        ["free", "0"],
        [VOLUME, "3"],
    ]


def listed(environment: dict[str, str]) -> list[dict[str, Any]]:
    """The copies in the repository."""
    return list(json.loads(script(environment, "restic", "snapshots", "--json")))


def test_where_copies_are_older_than_the_stack_none_is_made_before_its_time(
    environment: dict[str, str], copied: tuple[str, ...]
) -> None:
    """Or one of an empty stack would be the newest, and the one to be restored."""
    (earlier,) = listed(environment)
    shutil.rmtree(environment["STATE"])
    begun = int(time.time())
    told = run(environment, "run", "scheduled")
    assert told[:2] == (0, "")
    assert "there are copies from before" in told[2]
    assert listed(environment) == [earlier]
    status = Path(environment["STATE"]) / "status"
    taken = datetime.fromisoformat(earlier["time"][:19] + "+00:00").timestamp()
    assert float((status / "success").read_text()) == taken
    assert float((status / "started").read_text()) >= begun
    assert (status / "ok").read_text() == "1\n"
    copy(environment)
    assert len(listed(environment)) == 2


def test_copies_of_two_days_are_kept_whatever_else_is(environment: dict[str, str], copied: tuple[str, ...]) -> None:
    """Somebody has to have the time to find out that data is gone before its last copy is."""
    copy(environment)
    copy(environment)
    assert len(listed(environment)) == 3
