"""Five changes and the reports on them, which are kept as a reviewer would read them: golden/<change>.md.

`pytest tests/operations/report --update-golden` writes them anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from operations.report.change import DANGERS
from tests.operations.report.prepared_changes import PREPARED
from tests.operations.report.repository import Repository, without_commit

GOLDEN = Path(__file__).with_name("golden")
_SEEN: dict[str, Any] = {}


@pytest.mark.parametrize("name", PREPARED)
def test_the_report_is_what_was_reviewed(name: str, repository: Repository, pytestconfig: pytest.Config) -> None:
    stack = PREPARED[name](repository)
    done = repository.observatory("report", stack, "--base", "reviewed", "--markdown")
    assert (done.returncode, done.stderr) == (0, "")
    text, file = without_commit(done.stdout), GOLDEN / f"{name}.md"
    if pytestconfig.getoption("--update-golden"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
    assert text == file.read_text(), f"{file.name} is not what was reviewed; if that is meant: pytest --update-golden"


def test_together_they_provoke_every_danger() -> None:
    texts = [file.read_text() for file in GOLDEN.glob("*.md")]
    assert len(texts) == len(PREPARED)
    assert [name for name in DANGERS if not any(f"> **{name}**: {DANGERS[name]}" in text for text in texts)] == []


def test_a_gate_names_what_it_fails_on(repository: Repository) -> None:
    stack = PREPARED["less-kept"](repository)
    gate = ("--fail-on", "data-loss,open-port", "--fail-on", "no-login")
    done = repository.observatory("report", stack, "canary", "--base", "reviewed", "--json", *gate)
    assert done.returncode == 1
    answer = json.loads(done.stdout)
    assert (answer["ok"], answer["fail_on"]) == (False, ["data-loss", "open-port", "no-login"])
    assert done.stderr.splitlines() == [
        "shop: no-login: all endpoints login: TLS and a password -> open",
        "shop: data-loss: volume jaeger-data no longer used",
        "shop: data-loss: all volumes no longer protected: data.keep: true -> data.keep: false",
        "shop: data-loss: samples on disk kept for less: 30d -> 7d",
        "shop: data-loss: samples on disk, size kept for less: 40 GiB -> 10 GiB",
    ]
    shop, canary = answer["stacks"]
    assert shop["dangers"]["no-login"] == 1
    # The policy is about both; nothing else of the second stack changed.
    assert {change["section"] for change in canary["changes"]} == {"policy"}


def test_a_gate_passes_what_it_was_not_told_of(repository: Repository) -> None:
    stack = PREPARED["other-receivers"](repository)
    done = repository.observatory("report", stack, "--base", "reviewed", "--fail-on", "data-loss,restart")
    assert (done.returncode, done.stderr) == (0, "")
    assert "dangers: lost-receivers (2), more-silence (1), new-secret (1)" in done.stdout.splitlines()


def test_nothing_changed(repository: Repository) -> None:
    answer = repository.report("shop", "canary", "cluster")
    assert [stack["changes"] for stack in answer["stacks"]] == [[], [], []]
    assert answer["base"].startswith("HEAD (")


def test_a_new_stack_has_nothing_to_lose(repository: Repository) -> None:
    repository.write("stacks/Pulumi.new.yaml", "config: {observatory:stack: {environment: new}}\n")
    answer = repository.report("new", "--base", "reviewed")["stacks"][0]
    assert answer["notes"] == ["new is new: reviewed does not have it"]
    assert answer["dangers"] == {}
    assert {"alerts", "scraping", "programs"} <= {change["section"] for change in answer["changes"]}
    assert {change["what"] for change in answer["changes"] if change["section"] == "programs"} == {"added"}


def test_a_renamed_stack_file_is_another_stack(repository: Repository) -> None:
    """Compared with the file that it was, and told: what runs under the old name is left alone."""
    repository.git("mv", "stacks/Pulumi.canary.yaml", "stacks/Pulumi.bird.yaml")
    repository.write("stacks/policy.yaml", "rules: []\n")
    report = repository.report("bird", "--base", "reviewed")["stacks"][0]
    assert report["notes"] == []
    (change,) = report["changes"]
    assert (change["section"], change["name"], change["before"], change["after"]) == ("data", "stack", "canary", "bird")
    assert change["danger"] == "data-loss"


def test_a_changed_planner_is_seen_though_no_stack_file_changed(repository: Repository) -> None:
    """The base is planned by its own code: what a new version of the code deploys is a change like any other."""
    path = "components/services/alertmanager.py"
    repository.replace(path, "memory=128, cpus=0.5", "memory=256, cpus=0.5")
    changes = repository.report("shop", "--base", "reviewed")["stacks"][0]["changes"]
    told = [(change["name"], change["what"], change["before"], change["after"]) for change in changes]
    assert ("alertmanager", "more memory", "128 MiB", "256 MiB") in told


def test_a_base_without_snapshots_lends_its_files(repository: Repository) -> None:
    repository.git("rm", "--quiet", "operations/report/snapshot.py")
    repository.replace(
        "rules/http.yaml", "threshold: {default: 1%, unit: ratio", "threshold: {default: 4%, unit: ratio"
    )
    repository.git("commit", "--quiet", "--all", "--message", "older")
    older = repository.git("rev-parse", "HEAD").strip()
    repository.restore()
    answer = repository.report("shop", "--base", older)["stacks"][0]
    assert answer["notes"] == [
        f"{older} cannot make snapshots: its stack files, rules and metrics were planned by this code"
    ]
    told = [(change["name"], change["what"], change["before"], change["after"]) for change in answer["changes"]]
    assert ("APIHighErrorRate", "threshold tightened", "4%", "1%") in told


def test_of_a_base_whose_rules_do_not_fit_this_code_the_stack_files_count(repository: Repository) -> None:
    """The dashboards of now draw a line at an alert that it does not have."""
    repository.git("rm", "--quiet", "operations/report/snapshot.py", "rules/node-exporter.yaml")
    stack = (repository.folder / "stacks/Pulumi.shop.yaml").read_text()
    repository.write("stacks/Pulumi.shop.yaml", stack.replace("time: 30d", "time: 60d"))
    repository.git("commit", "--quiet", "--all", "--message", "older")
    older = repository.git("rev-parse", "HEAD").strip()
    repository.restore()
    answer = repository.report("shop", "--base", older)["stacks"][0]
    assert answer["notes"] == [
        f"{older} cannot make snapshots: only its stack files and versions count, planned by this code"
    ]
    told = [(change["name"], change["what"], change["before"], change["after"]) for change in answer["changes"]]
    assert ("samples on disk", "kept for less", "60d", "30d") in told


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("shop", "--base", "nowhere"), 1, "error: --base nowhere: git knows no such revision\nhint: "),
        (("shop", "--base", "--help"), 1, "error: --base --help: git knows no such revision\n"),
        (("nothing",), 1, "stacks/Pulumi.nothing.yaml: 1 problem\n  the stack: no such file"),
        (("shop", "--fail-on", ""), 2, "error: --fail-on '': names no danger\nhint: dangers: data-loss, "),
        (("shop", "--fail-on", "data-los"), 2, "error: --fail-on data-los: is no danger\nhint: dangers: data-loss, "),
        (("shop", "--json", "--markdown"), 2, "error: --markdown and --json: only one of them\n"),
        (("/etc/Pulumi.shop.yaml",), 1, "/etc/Pulumi.shop.yaml: 1 problem\n"),
    ],
)
def test_wrong_usage(repository: Repository, arguments: tuple[str, ...], code: int, message: str) -> None:
    done = repository.observatory("report", *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(message)


def test_a_stack_outside_of_the_repository_has_no_base(repository: Repository, tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.away.yaml"
    file.write_text("config: {observatory:stack: {environment: away}}\n")
    done = repository.observatory("report", str(file))
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: {file} is outside of {repository.folder}\n")


def test_a_bad_stack_file_in_the_base_is_told_as_it_is(repository: Repository) -> None:
    good = (repository.folder / "stacks/Pulumi.shop.yaml").read_text()
    repository.write("stacks/Pulumi.shop.yaml", good.replace("retention:", "retension:"))
    repository.git("commit", "--quiet", "--all", "--message", "bad")
    repository.write("stacks/Pulumi.shop.yaml", good)
    done = repository.observatory("report", "shop")
    assert done.returncode == 1
    assert done.stderr.startswith("error: HEAD cannot be planned: stacks/Pulumi.shop.yaml: ")
    assert "retension" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_base_with_a_link_out_of_the_repository(repository: Repository) -> None:
    (repository.folder / "away").symlink_to("/etc")
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "--message", "a link")
    assert repository.report("shop")["stacks"][0]["changes"] == []


def test_without_git(repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    done = repository.observatory("report", "shop")
    assert (done.returncode, done.stderr) == (
        1,
        "error: git is not on this machine, and it is what knows revisions\n",
    )
