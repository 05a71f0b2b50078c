"""`backup`, `backups`, `restore` in a cluster: the real script and restic, in pods that are folders."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from components.platforms.kubernetes_manifests import manifests
from components.platforms.kubernetes_objects import Stack
from components.yaml_text import dump
from operations.backups.backup import backup_command, backups_command
from operations.backups.drill_in_pods import SecondStack, _turns
from operations.backups.drill_stack import closed
from operations.backups.in_pods import PodCopies, pod_copies
from operations.backups.restore import restore_command
from operations.cluster import Cluster
from operations.errors import CommandError, UsageError
from operations.pods import PATIENCE
from operations.programs import find
from tests.operations import made_up_kubectl
from tests.support import COPIED_AWAY, GENERATED, config_of, plan_of, planned, service
from tests.support import data as file_data

OWNERS = ("alertmanager", "prometheus")


class Pods:
    """Two programs with data, and a stack file for them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.stack = str(folder / "Pulumi.pods.yaml")
        values = {
            "environment": "pods",
            "platform": "kubernetes",
            "kubernetes": {"context": "test"},
            "grafana": {"enabled": False},
            "backup": {**COPIED_AWAY, "include": ["prometheus", "alertmanager"]},
        }
        Path(self.stack).write_text(dump({"config": {"observatory:stack": values}}))
        for owner in OWNERS:
            here = folder / owner / "here"
            (here / "secrets").mkdir(parents=True, exist_ok=True)
            (here / "secrets" / "password").write_text("of the tests\n")
            (here / "stack.json").write_text("{}\n")
            (here / "settings").write_text(
                f"ENVIRONMENT=pods\nBACKUP={owner}\nRESTIC_REPOSITORY=$PODS/repositories/{owner}\n"
                f"AWS_DEFAULT_REGION=''\nBUCKET_LOOKUP=auto\nKEEP='--keep-daily 7'\nVOLUMES={owner}-data\n"
            )
            (folder / owner / "uid").write_text(owner)
            self.data(owner).mkdir(parents=True, exist_ok=True)
        self.write("alertmanager", "nflog", "told")
        self.write("alertmanager", "silences", "none")
        later = time.time() + 3600  # as one that is written again and again
        os.utime(self.data("alertmanager") / "silences", (later, later))
        self.write("prometheus", "wal/00000000", "samples")

    def data(self, owner: str) -> Path:
        """The claim of a program."""
        return self.folder / owner / "data" / f"{owner}-data"

    def write(self, owner: str, path: str, text: str) -> None:
        """A file of a program."""
        file = self.data(owner) / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def files(self, owner: str) -> dict[str, str]:
        """All of a program's own files."""
        found = (file for file in self.data(owner).rglob("*") if file.is_file())
        names = {str(file.relative_to(self.data(owner))): file for file in found}
        return {name: file.read_text() for name, file in names.items() if not name.startswith(".backup/")}

    def refuse(self, *lines: str) -> None:
        """What fails from now on."""
        (self.folder / "refuse").write_text("\n".join(lines))

    def asked(self) -> str:
        """All calls of kubectl."""
        return (self.folder / "asked").read_text()


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[dict[str, Any]]]:
    """A folder with `pods` that have made a copy each and `then`, what they were; and what was told of the copies."""
    base = tmp_path_factory.mktemp("copied")
    folder = base / "pods"
    folder.mkdir()
    Pods(folder)
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as told:
        _reach(folder, patch)
        assert backup_command(str(folder / "Pulumi.pods.yaml"), None, None, True) == 0
    shutil.copytree(folder, base / "then")
    return base, json.loads(told.getvalue())["copies"]


def _reach(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Let kubectl lead to the pods of a folder."""
    restic = find("restic")
    if restic is None:
        pytest.skip("restic is not here; `python3 -m toolchain ready --for e2e` gets it")
    kubectl = folder / "bin" / "kubectl"
    kubectl.parent.mkdir(exist_ok=True)
    kubectl.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{made_up_kubectl.__file__}" "$@"\n')
    kubectl.chmod(0o755)
    patch.setenv("PATH", os.pathsep.join([str(kubectl.parent), str(restic.parent), os.environ["PATH"]]))
    patch.setenv("PODS", str(folder))


@pytest.fixture
def pods(copied: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch) -> Pods:
    """With a copy of each, made a moment ago. At the same place for all tests: copies know their folders by path."""
    base, _ = copied
    shutil.rmtree(base / "pods")
    shutil.copytree(base / "then", base / "pods")
    _reach(base / "pods", monkeypatch)
    return Pods(base / "pods")


@pytest.fixture
def made(copied: tuple[Path, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """What was told of these copies."""
    return copied[1]


@pytest.fixture
def data(capsys: pytest.CaptureFixture[str]) -> Callable[[Callable[[], int]], Any]:
    """What a command prints as JSON."""

    def run(command: Callable[[], int]) -> Any:
        capsys.readouterr()
        assert command() == 0
        return json.loads(capsys.readouterr().out)

    return run


def test_each_program_has_copies_of_its_own(
    pods: Pods, made: list[dict[str, Any]], data: Callable[[Callable[[], int]], Any]
) -> None:
    assert [each["volumes"] for each in made] == [["prometheus-data"], ["alertmanager-data"]]
    assert made[0]["to"].endswith("/copies/metrics/copied/observatory-pods/prometheus")
    listed = data(lambda: backups_command(pods.stack, None, None, True))
    assert {each["id"]: each["volumes"] for each in listed} == {each["snapshot"]: each["volumes"] for each in made}


def test_the_list_for_people_says_whose_they_are(pods: Pods, capsys: pytest.CaptureFixture[str]) -> None:
    assert backups_command(pods.stack, None, None, False) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["copy", "taken", "made", "size", "new", "of"]
    assert sorted(row.split()[-1] for row in rows) == ["alertmanager-data", "prometheus-data"]


def test_a_program_whose_copy_fails_does_not_keep_the_others_from_theirs(
    pods: Pods, capsys: pytest.CaptureFixture[str]
) -> None:
    pods.refuse("prometheus run")
    with pytest.raises(CommandError, match=r"no copy of prometheus-data was made to s3:.*: the disk is gone"):
        backup_command(pods.stack, None, None, True)
    told = json.loads(capsys.readouterr().out)
    assert [each["volumes"] for each in told["copies"]] == [["alertmanager-data"]]
    assert (len(told["failed"]), told["series"], told["silences"]) == (1, 7, 0)


def test_a_restore_asks_first_and_then_brings_back_all_files(
    pods: Pods, data: Callable[[Callable[[], int]], Any]
) -> None:
    before = {owner: pods.files(owner) for owner in OWNERS}
    for owner, path in (("alertmanager", "nflog"), ("prometheus", "wal/00000001")):
        pods.write(owner, path, "newer")
    with pytest.raises(CommandError, match="pods has data, and it would be lost") as refused:
        restore_command(pods.stack, None, None, None, False, None, True)
    assert "--replace" in str(refused.value)
    assert pods.files("alertmanager") == {"nflog": "newer", "silences": "none"}
    told = data(lambda: restore_command(pods.stack, None, None, None, True, None, True))
    assert {owner: pods.files(owner) for owner in OWNERS} == before
    assert [each["volumes"] for each in told["restored"]] == [["prometheus-data"], ["alertmanager-data"]]
    assert told["series at that time"] == 7
    assert {(pods.folder / owner / "uid").read_text() for owner in OWNERS} == {"alertmanager+", "prometheus+"}


def test_a_restored_program_that_reads_its_log_is_asked_again(
    pods: Pods, data: Callable[[Callable[[], int]], Any]
) -> None:
    (pods.folder / "starting").write_text("..")
    told = data(lambda: restore_command(pods.stack, None, None, None, True, None, True))
    assert told["series at that time"] == 7
    assert (pods.folder / "starting").read_text() == ""


@pytest.mark.parametrize("refused", ["alertmanager fetch", "prometheus check", "alertmanager accept"])
def test_where_one_cannot_be_restored_nothing_is(pods: Pods, refused: str) -> None:
    pods.write("prometheus", "wal/00000001", "newer")
    before = {owner: pods.files(owner) for owner in OWNERS}
    pods.refuse(refused)
    with pytest.raises(CommandError, match="the disk is gone"):
        restore_command(pods.stack, None, None, None, True, None, True)
    assert "delete pod" not in pods.asked()
    assert {owner: pods.files(owner) for owner in OWNERS} == before
    for owner in OWNERS:  # nor by whatever starts them next
        assert made_up_kubectl.script(owner, "take", f"{owner}-data") == 0
    assert {owner: pods.files(owner) for owner in OWNERS} == before


def test_what_a_restore_left_that_nobody_waits_for_takes_no_room(pods: Pods) -> None:
    """On a disk with room for one of its kind."""
    df = pods.folder / "bin" / "df"
    df.write_text('#!/bin/sh\nset -- $(du -sk "${1#-Pk}${2%/.backup}")\necho; echo /dev/x 0 0 $((600 - $1))\n')
    df.chmod(0o755)
    left = pods.data("prometheus") / ".restored-fetched-other" / "wal"
    left.parent.mkdir()
    left.write_bytes(os.urandom(700 * 1024))
    pods.write("prometheus", "wal/00000001", "newer")
    with pytest.raises(CommandError, match="prometheus-data: 2 files"):
        restore_command(pods.stack, None, None, None, False, None, True)
    assert left.exists()
    restore_command(pods.stack, None, None, None, True, None, True)
    assert pods.files("prometheus") == {"wal/00000000": "samples"}


def test_a_copy_that_is_named_is_restored_alone(pods: Pods, made: list[dict[str, Any]]) -> None:
    for owner, path in (("alertmanager", "nflog"), ("prometheus", "wal/00000000")):
        pods.write(owner, path, "newer")
    restore_command(pods.stack, None, made[1]["snapshot"], None, True, None, True)
    assert pods.files("alertmanager") == {"nflog": "told", "silences": "none"}
    assert pods.files("prometheus") == {"wal/00000000": "newer"}
    with pytest.raises(CommandError, match="no one copy has the id ffff") as wrong:
        restore_command(pods.stack, None, "ffff", None, True, None, True)
    assert made[0]["snapshot"] in str(wrong.value)


def test_what_is_for_docker_is_refused(pods: Pods) -> None:
    commands = (
        partial(backup_command, pods.stack, "/srv/backup", None, True),
        partial(backups_command, pods.stack, "/srv/backup", None, True),
        partial(restore_command, pods.stack, None, None, "dev", True, None, True),
    )
    for command in commands:
        with pytest.raises(UsageError, match="is for stacks on Docker"):
            command()


# Drills


def test_of_replicas_each_is_drilled_in_a_turn_of_its_own() -> None:
    everyone = pod_copies(config_of("copied-cluster"), plan_of("copied-cluster"))
    snapshot: Any = None
    turns = _turns([(copies, snapshot) for copies in everyone])
    assert [[copies.owner for copies, _ in turn] for turn in turns] == [
        ["prometheus", "alertmanager", "grafana"],
        ["prometheus-2"],
    ]
    assert _turns([]) == [[]]


def _second(*owners: str) -> SecondStack:
    config = config_of("copied-cluster")
    everyone = pod_copies(config, plan_of("copied-cluster"))
    return SecondStack.of(config, [copies.service for copies in everyone if copies.owner in owners])


def test_the_second_stack_reads_the_copies_of_the_first_and_makes_none() -> None:
    second = _second("prometheus-2")
    assert [each.name for each in second.plan.services] == ["alertmanager", "prometheus", "backup-prometheus"]
    restoring = second.plan.services[-1]
    settings = next(file.content for file in restoring.files if file.path == "settings")
    assert "observatory-copied-cluster/prometheus-2" in settings
    assert restoring.args == ("serve", "idle")
    assert second.config.kubernetes
    assert second.config.kubernetes.namespace == "observatory-copied-cluster-drill"


def test_the_second_stack_is_asked_with_patience() -> None:
    copies = pod_copies(config_of("copied-cluster"), plan_of("copied-cluster"))[0]
    assert _second("prometheus").inside(copies).patience == PATIENCE


def test_the_second_stack_reaches_nobody_but_the_bucket() -> None:
    second = _second("prometheus", "alertmanager")
    found = manifests(Stack(second.config, second.plan))
    assert {each["metadata"].get("namespace") for each in found} <= {None, "observatory-copied-cluster-drill"}
    assert not {each["kind"] for each in found} & {"ClusterRole", "ClusterRoleBinding", "Ingress", "HTTPRoute"}
    calls = {call for service in second.plan.services if not service.beside for call in service.calls}
    assert {call.service for call in calls} == {
        "alertmanager",
        "prometheus",
        "backup-alertmanager",
        "backup-prometheus",
    }


@pytest.mark.parametrize("name", [*GENERATED])
def test_each_stack_can_be_closed(name: str) -> None:
    """Whatever it asks for: it scrapes and tells itself alone, and sends samples to nobody."""
    plan = planned(closed(config_of(name)))
    config = file_data(service(plan, "prometheus"), "prometheus.yml")
    assert {job["job_name"] for job in config["scrape_configs"]} <= {"prometheus", "alertmanager", "grafana"}
    assert not {"remote_write", "remote_read"} & config.keys()
    receivers = file_data(service(plan, "alertmanager"), "alertmanager.yml")["receivers"]
    assert {each["name"] for each in receivers if len(each) > 1} == {"verification"}, "Prometheus itself"


def test_a_namespace_that_is_no_drills_stays(pods: Pods, monkeypatch: pytest.MonkeyPatch) -> None:
    second = _second("prometheus")
    monkeypatch.setattr(Cluster, "ask", lambda *_words, **_given: json.dumps({"metadata": {"labels": {}}}))
    with pytest.raises(CommandError, match="already, which is no drill's"), second.deployed(second.cluster):
        pytest.fail("it must not come to this")


def test_a_pod_without_its_backup_says_what_to_do(pods: Pods, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(*_: object) -> tuple[int, str, str]:
        raise CommandError(
            "Error from server (BadRequest): container backup-prometheus is not valid for pod prometheus-0"
        )

    monkeypatch.setattr("operations.pods.execute", absent)
    copies: PodCopies = pod_copies(config_of("copied-cluster"), plan_of("copied-cluster"))[0]
    with pytest.raises(CommandError, match="does not run beside prometheus") as error:
        copies.run("look")
    assert "deploy the stack" in str(error.value)
