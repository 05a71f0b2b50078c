"""What `backup` and `restore` make of restic's answers, and what a drill finds."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from operations.backups.comparisons import numbers, silences
from operations.backups.containers import Backups
from operations.backups.copies import Answer
from operations.backups.drill import _both, drill_command
from operations.backups.drill_stack import DrillStack
from operations.backups.grafana_database import would_be_lost
from operations.backups.restore import START_PATIENCE, Target, check_engine
from operations.backups.snapshots import Snapshot, chosen, size_text
from operations.errors import CommandError, UsageError
from operations.inside import Inside
from tests.support import EVERYTHING, changed, config_of, images, plan_of, planned, stack

LISTED: dict[str, Any] = {
    "time": "2026-11-21T18:56:31.993629452Z",
    "paths": [
        "/data/alertmanager-data",
        "/data/prometheus-data/snapshots/observatory-manual",
        "/var/lib/backup/staged-manual/about",
        "/var/lib/backup/staged-manual/grafana.db",
    ],
    "tags": ["observatory", "manual"],
    "summary": {"total_bytes_processed": 3000000, "data_added_packed": 1200},
    "id": "09ce1a15ef179921d14eb024560c7b2741d8bac0146a6413c8cd5ce2f0161b9d",
}


def backups() -> Backups:
    """Those of a stack, without an engine."""
    config = stack(backup={"to": {"folder": "/srv/backup"}, "password": {"secret": "backupPassword"}})
    plan = planned(config)
    service = plan.service("backup")
    assert service
    return Backups(config, plan, service, cast("Any", None), cast("Any", None))


def test_a_snapshot_says_which_volume_stands_where() -> None:
    found = Snapshot.of(LISTED)
    assert found.volumes == {
        "alertmanager-data": "/data/alertmanager-data",
        "prometheus-data": "/data/prometheus-data/snapshots/observatory-manual",
    }
    assert (found.short, found.kind, found.size, found.added) == ("09ce1a15", "manual", 3000000, 1200)
    assert found.staged == "/var/lib/backup/staged-manual"
    assert found.time.isoformat() == "2026-11-21T18:56:31+00:00"


def test_the_newest_copy_is_chosen_or_the_one_that_is_named() -> None:
    old, new = Snapshot.of(LISTED), Snapshot.of({**LISTED, "id": "ab" * 32})
    assert chosen([old, new], None, "/srv/backup") is new
    assert chosen([old, new], "09ce", "/srv/backup") is old
    for wrong in ("09c", "ffff"):
        with pytest.raises(CommandError, match=f"no one copy has the id {wrong}"):
            chosen([old, new], wrong, "/srv/backup")
    with pytest.raises(CommandError, match="/srv/backup holds no copy of this stack"):
        chosen([], None, "/srv/backup")


@pytest.mark.parametrize(
    ("code", "errors", "message"),
    [
        (12, "Fatal: wrong password or no key found", "x: the password does not open it"),
        (10, "Fatal: repository does not exist", "x: there is no backup"),
        (11, "unable to create lock", "x: somebody else works on it"),
        (
            1,
            'note\n{"message_type":"exit_error","message":"Fatal: unable to save snapshot"}\n',
            "unable to save snapshot",
        ),
        (1, "write /repository/data: no space left on device", "no space left on device\nhint: make room there"),
        (137, "", "x: exit code 137"),
    ],
)
def test_an_error_of_restic_is_one_line_with_a_way_out(code: int, errors: str, message: str) -> None:
    text = str(backups().error(Answer(code, "", errors), "x"))
    assert message in text
    assert "Fatal" not in text


def test_sizes_are_written_for_people() -> None:
    assert [size_text(size) for size in (0, 1023, 1536, 5 * 2**30, 3 * 2**40)] == [
        "0 B",
        "1023 B",
        "1.5 KB",
        "5.0 GB",
        "3.0 TB",
    ]


@pytest.mark.parametrize(
    ("expected", "restored", "right"), [(5, 5, True), (5, 4, False), (5, 6, False), (0, 7, True), (0, 0, False)]
)
def test_numbers_have_to_be_the_same_or_at_least_there(expected: float, restored: float, right: bool) -> None:
    assert numbers("samples", expected, restored).right is right


class Silences:
    """A program with these silences."""

    def __init__(self, *found: dict[str, Any]) -> None:
        self.found = [*found]

    def silences(self) -> list[dict[str, Any]]:
        """All of them."""
        return self.found


SILENCE: dict[str, Any] = {
    "id": "one",
    "updatedAt": "2026-11-21T19:11:12.806Z",
    "startsAt": "2026-11-21T19:11:12.806Z",
    "endsAt": "2027-11-21T18:00:00.000Z",
    "createdBy": "me",
    "comment": "c",
    "matchers": [{"name": "a", "value": "b", "isRegex": False, "isEqual": True}],
}
LATER = 1795290000.0  # 2026-11-21T19:40:00Z


@pytest.mark.parametrize(
    ("restored", "right"),
    [
        ([SILENCE], True),
        ([], False),
        ([{**SILENCE, "id": "two"}], False),
        ([{**SILENCE, "endsAt": "2027-11-21T18:00:01.000Z"}], False),
        ([{**SILENCE, "matchers": []}], False),
    ],
)
def test_silences_have_to_be_the_same_with_their_times(restored: list[dict[str, Any]], right: bool) -> None:
    first, copy = cast("Inside", Silences(SILENCE)), cast("Inside", Silences(*restored))
    assert silences(first, copy, LATER).right is right


def test_silences_that_are_younger_than_the_copy_are_not_missed() -> None:
    young = {**SILENCE, "id": "young", "updatedAt": "2026-11-21T19:50:00.000Z"}
    row = silences(cast("Inside", Silences(SILENCE, young)), cast("Inside", Silences(SILENCE)), LATER)
    assert row.right
    assert row.first == "1"


def test_a_drill_reaches_nobody() -> None:
    data = changed(EVERYTHING, backup={"to": {"folder": "/srv/backup"}, "password": {"secret": "backupPassword"}})
    config = stack(**{key: value for key, value in data.items() if key != "services"})
    second = DrillStack.beside(config, cast("Any", None))
    assert second.config.environment == "everything-drill"
    assert not [port for service in second.plan.services for port in service.ports if port.published]
    assert not second.config.alerting.channels
    names = {service.name for service in second.plan.services}
    assert {"prometheus", "alertmanager"} <= names <= {"prometheus", "alertmanager", "grafana"}
    callers = {service.name for service in second.plan.services if any(not call.service for call in service.calls)}
    assert callers <= {"grafana"}, "which a drill does not start"


def test_a_drill_restores_what_it_can_ask_about() -> None:
    second = DrillStack.beside(config_of("replicas-copied"), cast("Any", None))
    assert {"prometheus-data", "alertmanager-data", "grafana-dump-data"} <= second.volumes
    assert not {"prometheus-2-data", "alertmanager-2-data"} & second.volumes


def test_a_restore_names_the_database_that_it_would_replace() -> None:
    assert would_be_lost(config_of("copied-database")) == "what is in the database grafana on db.example.com:5432"
    assert would_be_lost(stack()) == ""


def test_another_engine_or_platform_is_refused() -> None:
    source = stack()
    for name, message in (("k8s-dev", "k8s-dev is not on Docker"), ("everything", "is on another Docker engine")):
        with pytest.raises(CommandError, match=message):
            check_engine(source, Target(name, config_of(name), plan_of(name)))
    check_engine(source, Target("minimal", config_of("minimal"), plan_of("minimal")))


def test_programs_that_got_a_copy_may_be_starting() -> None:
    engine = cast("Any", SimpleNamespace(container=lambda _name: SimpleNamespace(status="running")))
    found = replace(backups(), engine=engine)
    restored = Target("dev", found.config, found.plan).inside(found, "prometheus")
    for asked in (restored, *_both(found, DrillStack.beside(found.config, engine), "prometheus")):
        assert asked
        assert asked.patience == START_PATIENCE
    told = found.inside("prometheus")
    assert told
    assert told.patience == 0, "a backup is done without them"


def test_a_drill_takes_no_other_place() -> None:
    with pytest.raises(UsageError, match="neither --into nor --replace"):
        drill_command("dev", None, None, True, None, False)


def test_the_backup_is_not_planned_where_nobody_asks_for_it() -> None:
    assert plan_of("minimal").service("backup") is None
    assert images(stack()).reference("backup") == "docker.io/restic/restic:0.18.1"
