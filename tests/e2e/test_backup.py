"""Copies of a running stack by the real programs: made, lost, restored, damaged, interrupted."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from docker.errors import APIError

from operations.backups.comparisons import SETTLED
from tests.e2e.engine import Engine, until
from tests.e2e.lengths import Lengths
from tests.e2e.project import Outcome, Project, Run
from tests.e2e.s3 import ACCESS_KEY, SECRET_KEY, S3Server
from tests.e2e.stack import TIMINGS, Stack
from tests.e2e.test_access import trust
from tests.e2e.test_failures import silence

PASSWORD = "of the copies"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the copies go."""
    return tmp_path_factory.mktemp("copies")


@pytest.fixture(scope="module")
def stack(project: Project, engine: Engine, run_name: str, folder: Path) -> Iterator[Stack]:
    """A stack with a backup, not deployed yet."""
    environment = f"{run_name}-copied"
    found = Stack(
        project,
        engine,
        environment,
        tracing={"backend": "none"},
        grafana={"enabled": False},
        backup={"to": {"folder": str(folder)}, "password": {"secret": "backupPassword"}},
    )
    found.broken = True
    yield found
    for name in (environment, f"{environment}-drill"):
        engine.remove(name)


@pytest.fixture
def copied(stack: Stack, failed: Callable[[], bool]) -> Iterator[Stack]:
    """The same, running for some scrapes, with a silence; made anew after a test that failed, as it may be lost."""
    if stack.broken:
        stack.begin()
        stack.configure()
        stack.set_secret("backupPassword", PASSWORD)
        stack.up(what="up with a backup")
        stack.targets_up("backup")
        silence(stack)
        until(lambda: stack.query(f"up offset {SETTLED + 15}s"), "samples that are old enough for a drill", 240)
    yield stack
    stack.broken = failed()


def observatory(stack: Stack, *arguments: str) -> Outcome:
    """Run a command of ours for the stack; errors have no frames of our code in them."""
    command, *rest = arguments
    outcome = stack.project.run("./observatory", command, stack.environment, *rest)
    assert "Traceback" not in outcome.output, outcome
    return outcome


def copy(stack: Stack) -> str:
    """Make a copy; its id."""
    outcome = observatory(stack, "backup", "--json")
    assert outcome.code == 0, outcome
    return str(json.loads(outcome.output[outcome.output.index("{") :])["snapshot"])


def copies(stack: Stack) -> list[str]:
    """Ids of the copies that are listed."""
    outcome = observatory(stack, "backups", "--json")
    assert outcome.code == 0, outcome
    return [each["id"] for each in json.loads(outcome.output)]


def has_copies(stack: Stack) -> bool:
    """Whether a copy is listed; before the first one there is not even a repository."""
    outcome = observatory(stack, "backups", "--json")
    if outcome.code == 1 and "there is no backup" in outcome.output:
        return False
    assert outcome.code == 0, outcome
    return bool(json.loads(outcome.output))


def samples(stack: Stack, at: float) -> dict[str, Any]:
    """Every sample of two minutes up to a time."""
    found = stack.query('{__name__=~"up|scrape_.*|prometheus_.*"}[2m]', at)
    return {json.dumps(each["metric"], sort_keys=True): each["values"] for each in found}


def silences(stack: Stack) -> list[dict[str, Any]]:
    """All silences, with their ids and times."""
    return sorted(stack.get("alertmanager", "/api/v2/silences"), key=lambda each: str(each["id"]))


def wait_for_scheduled(stack: Stack) -> None:
    """The first copy is made by itself, right after the start."""
    until(lambda: has_copies(stack), "a scheduled copy", 240)


def test_a_stack_is_lost_and_restored_to_the_sample(copied: Stack) -> None:
    """Containers and volumes are gone; afterwards the same query has the same answer, and silences are the same."""
    wait_for_scheduled(copied)
    at = copied.settled()
    before, quiet = samples(copied, at), silences(copied)
    assert sum(map(len, before.values())) > 1000
    assert len(quiet) == 1
    copy(copied)
    refused = observatory(copied, "restore")
    assert refused.code == 1, refused
    assert "has data, and it would be lost" in refused.output
    assert "--replace" in refused.output

    removed = copied.project.run("./observatory", "destroy", copied.environment, "--delete-data", "--yes")
    assert removed.code == 0, removed
    copied.engine.remove(copied.environment)
    assert not copied.engine.volumes(copied.environment)

    outcome = observatory(copied, "restore")
    assert outcome.code == 0, outcome
    copied.await_health()
    assert samples(copied, at) == before, "samples are lost"
    assert silences(copied) == quiet, "silences are lost"
    assert not copied.query("prometheus_tsdb_wal_corruptions_total > 0")


def test_a_drill_compares_and_leaves_nothing(copied: Stack) -> None:
    """The first stack is only asked; the success goes to Prometheus."""
    copied.targets_up("backup")
    copy(copied)
    before = copied.starts()
    outcome = observatory(copied, "restore", "--drill", "--json")
    assert outcome.code == 0, outcome
    told = json.loads(outcome.output[outcome.output.index("{") :])
    assert told["passed"]
    rows = {row["what"]: row for row in told["comparisons"]}
    assert int(rows["every sample, 5 min"]["copy"]) > 1000
    assert rows["silences"]["first"] == rows["silences"]["copy"] == "1"
    assert copied.starts() == before
    assert copied.engine.leftovers(f"{copied.environment}-drill") == []
    proven = "backup_last_drill_success_timestamp_seconds > 0"
    until(lambda: copied.query(proven), "the time of the drill in Prometheus", 180)


def test_a_drill_touches_no_stack_of_its_name(copied: Stack) -> None:
    """Not even the data of one that is down: the drill is refused."""
    environment = f"{copied.environment}-drill"
    name = f"observatory-{environment}-prometheus-data"
    copied.engine.client.volumes.create(name, labels={"observatory.environment": environment})
    try:
        outcome = observatory(copied, "restore", "--drill")
        assert outcome.code == 1, outcome
        assert f"there is a stack {environment} already, which is no drill's: {name}" in outcome.output, outcome
        assert copied.engine.leftovers(environment) == [name]
    finally:
        copied.engine.client.volumes.get(name).remove()


def test_a_wrong_password_is_one_clear_error(copied: Stack, tmp_path: Path) -> None:
    """Nothing is touched."""
    wrong = tmp_path / "password"
    wrong.write_text("another one")
    before = copied.starts()
    for command in (("backups",), ("restore", "--replace"), ("restore", "--drill"), ("backup",)):
        outcome = observatory(copied, *command, "--password-file", str(wrong))
        assert outcome.code == 1, outcome
        assert "the password does not open it" in outcome.output, outcome
    assert copied.starts() == before


def ended_at_work(stack: Stack, end: Callable[[Run], None], attempts: int = 3) -> Outcome:
    """A backup that is ended while it works: afterwards there are the copies that there were before.

    It does not wait for that: one whose copy was stored by then has made a whole one, and there is another attempt.
    """
    before = copies(stack)
    run = stack.project.start("./observatory", "backup", stack.environment)
    until(lambda: "taking a copy" in run.output(), "the run has begun", 240, 0.05)
    end(run)
    outcome = run.wait()
    after = copies(stack)
    if attempts > 1 and (stored := [each for each in after if each not in before]):
        for each in stored:
            drill = observatory(stack, "restore", "--drill", "--snapshot", each)
            assert drill.code == 0, drill
        return ended_at_work(stack, end, attempts - 1)
    assert after == before, outcome
    return outcome


def test_the_end_of_a_run_by_force_leaves_no_half_copy(copied: Stack, lengths: Lengths) -> None:
    """Killed while it works, later each time: what is listed can be restored, and the next run works."""
    name = f"observatory-{copied.environment}-backup-manual"
    for number in range(lengths.copies):

        def end(_: Run) -> None:
            time.sleep(number / lengths.copies)  # noqa: B023
            with suppress(APIError):  # it had ended
                copied.engine.container(name).kill("SIGKILL")

        outcome = ended_at_work(copied, end)
        assert outcome.code == 1, outcome
        assert "Traceback" not in outcome.output, outcome
    assert copy(copied) in copies(copied)
    TIMINGS.append(f"         a backup killed at work {lengths.copies} times: no half copy, and the next one is whole")


CUT_OFF = (
    "cd /data/alertmanager-data && mkdir .restored-taken && mv silences .restored-taken/ && "
    "chmod u-x . && echo half >.restored-half"
)
"""What a restore has done when its engine dies while old data goes for the new."""


def test_no_program_runs_with_half_of_a_restore_and_the_next_one_finishes_it(copied: Stack) -> None:
    """Whoever starts it: it may not enter, a deployment says why, and there is no copy of it."""
    quiet, made = silences(copied), copy(copied)
    program = copied.container("alertmanager")
    program.stop()
    done: Any = copied.container("backup").exec_run(["sh", "-c", CUT_OFF])
    assert done.exit_code == 0, done.output
    program.remove(force=True)
    failed = copied.failing_up("--refresh")
    assert (
        "alertmanager-data is half of each, as a restore was cut off: ./observatory restore --replace" in failed.output
    )
    refused = observatory(copied, "backup")
    assert refused.code == 1, refused
    assert "alertmanager-data is half of each" in refused.output, refused
    outcome = observatory(copied, "restore", "--replace", "--snapshot", made)
    assert outcome.code == 0, outcome
    assert "a restore of alertmanager-data was cut off, and is finished" in outcome.output, outcome
    copied.up("--refresh")
    copied.await_health()
    assert silences(copied) == quiet, "silences are lost"
    assert copy(copied) in copies(copied)


def test_a_restore_that_is_killed_at_work_leaves_all_of_the_old_or_all_of_the_new(
    copied: Stack, lengths: Lengths
) -> None:
    """Killed with its container, later each time: the next one is whole."""
    quiet, made = silences(copied), copy(copied)
    name = f"observatory-{copied.environment}-backup-manual"
    for number in range(lengths.copies):
        run = copied.project.start("./observatory", "restore", copied.environment, "--replace", "--snapshot", made)
        until(lambda: "restoring prometheus-data" in run.output(), "the restore has begun", 240, 0.05)  # noqa: B023
        time.sleep(2 * number / lengths.copies)
        run.kill()
        with suppress(APIError):  # it had ended
            copied.engine.container(name).kill("SIGKILL")
        outcome = observatory(copied, "restore", "--replace", "--snapshot", made)
        assert outcome.code == 0, outcome
        copied.await_health()
        assert silences(copied) == quiet, "silences are lost"
        assert not copied.query("prometheus_tsdb_wal_corruptions_total > 0")
    copied.targets_up("backup")


def test_ctrl_c_ends_a_run_and_cleans_up(copied: Stack) -> None:
    """No copy, no container, no links in Prometheus' folder."""
    outcome = ended_at_work(copied, Run.interrupt)
    assert outcome.code == 130, outcome
    name = f"observatory-{copied.environment}"
    assert not copied.engine.client.containers.list(all=True, filters={"name": f"{name}-backup-manual"})
    left = copied.container("backup").exec_run(
        ["sh", "-c", "[ -e /data/prometheus-data/snapshots/observatory-manual ]"]
    )
    assert left.exit_code == 1


@pytest.fixture
def protected(copied: Stack, folder: Path) -> Iterator[Stack]:
    """A second stack with TLS and a password, running, that copies to the same folder."""
    environment = f"{copied.environment}-into"
    access = {
        "password": {"secret": "accessPassword"},
        "tls": {"ca": {"secret": "tlsCa"}, "certificate": {"secret": "tlsCertificate"}, "key": {"secret": "tlsKey"}},
    }
    exporters = {"node": False, "blackbox": False, "cadvisor": False}
    changes = {**copied.base, "access": access, "exporters": exporters, "probes": []}
    del changes["environment"], changes["ports"]
    found = Stack(copied.project, copied.engine, environment, **changes)
    try:
        found.configure()
        certificates = found.project.run("./observatory", "certs", environment)
        assert certificates.code == 0, certificates
        found.set_secret("accessPassword", "password-of-the-second")
        found.set_secret("backupPassword", PASSWORD)
        found.credentials = ("observatory", "password-of-the-second")
        trust(found)
        found.up()
        yield found
    finally:
        for name in (environment, f"{environment}-drill"):
            copied.engine.remove(name)
        # Or a test that is tried again would find a stack whose containers are gone.
        found.pulumi("stack", "rm", "--yes", "--force")


def test_a_copy_goes_into_another_stack_that_has_tls_and_from_it_into_itself(copied: Stack, protected: Stack) -> None:
    """The second has the first one's samples and silences then; its own copies are restored and proven, too."""
    at = copied.settled()
    before, quiet = samples(copied, at), silences(copied)
    copy(copied)
    refused = observatory(copied, "restore", "--into", protected.environment)
    assert refused.code == 1, refused
    assert f"{protected.environment} has data, and it would be lost" in refused.output
    started = copied.starts()
    outcome = observatory(copied, "restore", "--into", protected.environment, "--replace")
    assert outcome.code == 0, outcome
    assert copied.starts() == started, "the first is only read"
    protected.await_health()
    assert samples(protected, at) == before, "samples are lost"
    assert silences(protected) == quiet, "silences are lost"

    copy(protected)
    outcome = observatory(protected, "restore", "--replace", "--json")
    assert outcome.code == 0, outcome
    assert json.loads(outcome.output[outcome.output.index("{") :])["silences"] == 1
    protected.await_health()
    assert samples(protected, at) == before, "samples are lost"
    drill = observatory(protected, "restore", "--drill")
    assert drill.code == 0, drill
    protected.targets_up("prometheus")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk with room for a repository, but for no copy."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=200k", "none", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("making a small disk needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_one_clear_error(copied: Stack, small_disk: Path) -> None:
    """The place of the copies has no room: no copy is listed, and the stack runs on."""
    before = copied.starts()
    outcome = observatory(copied, "backup", "--to", str(small_disk))
    assert outcome.code == 1, outcome
    assert f"no copy was made to {small_disk}: " in outcome.output, outcome
    assert "no space left" in outcome.output, outcome
    assert "hint: make room there" in outcome.output, outcome
    assert copied.starts() == before
    listed = observatory(copied, "backups", "--from", str(small_disk), "--json")
    assert listed.output.strip() == "[]", listed


def test_a_changed_byte_is_found_before_anything_is_touched(copied: Stack, tmp_path: Path) -> None:
    """Neither a restore nor a drill goes on with a damaged copy."""
    # The only copy there: of several, a file may hold nothing that the newest one needs.
    made = observatory(copied, "backup", "--to", str(tmp_path))
    assert made.code == 0, made
    before = copied.starts()
    largest = max(
        (each for each in (tmp_path / "data").rglob("*") if each.is_file()), key=lambda each: each.stat().st_size
    )
    content = bytearray(largest.read_bytes())
    content[len(content) // 3] ^= 0xFF
    largest.chmod(0o600)
    largest.write_bytes(content)
    for way in ("--replace", "--drill"):
        outcome = observatory(copied, "restore", str(tmp_path), way)
        assert outcome.code == 1, outcome
        assert "is damaged, or not to be read; nothing was touched" in outcome.output, outcome
    assert copied.starts() == before
    assert not copied.engine.containers(f"{copied.environment}-drill")


@pytest.fixture
def bucket(copied: Stack, tmp_path: Path) -> Iterator[None]:
    """The stack copies to a bucket of a real S3 server meanwhile."""
    server = S3Server(tmp_path / "s3", copied.engine.gateway(copied.environment))
    server.start()
    copied.set_secret("copiesAccessKey", ACCESS_KEY)
    copied.set_secret("copiesSecretKey", SECRET_KEY)
    place = {"name": "copies", "region": "us-east-1", "endpoint": server.endpoint, "path_style": True, "prefix": "a/b"}
    keys = {"access_key": {"secret": "copiesAccessKey"}, "secret_key": {"secret": "copiesSecretKey"}}
    copied.configure(backup__to={"bucket": {**place, "credentials": keys}})
    yield
    copied.configure()
    server.stop()


def test_a_bucket_holds_copies_that_a_drill_proves(copied: Stack, bucket: None) -> None:
    """Made, listed, read in full and restored from a real S3 server; its keys are visible nowhere."""
    made = copy(copied)
    assert copies(copied) == [made]
    outcome = observatory(copied, "restore", "--drill")
    assert outcome.code == 0, outcome
    assert "the drill passed" in outcome.output, outcome
    settings = f"observatory-{copied.environment}-backup-manual-config"
    assert settings not in copied.engine.volumes(copied.environment), "the keys are not left there"
