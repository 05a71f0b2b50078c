"""Files, silences and Pulumi's steps become findings; the report has them by kind, and its exit code."""

from __future__ import annotations

import io
import json
import tarfile
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from components.spec import File, Resources, Service, secret_token
from operations.app import app
from operations.drift import command
from operations.drift.command import as_data, lines
from operations.drift.files import Seen, file_differences, unpacked
from operations.drift.findings import KINDS, MEANING, REMEDY, Drift, Finding, Unchecked
from operations.drift.resources import step_findings
from operations.drift.silences import planned_alerts, silence_findings
from operations.verify import Secrets
from tests.operations import fakes
from tests.support import plan_of, stack

FILES = (
    File("prometheus.yml", "global:\n  scrape_interval: 15s\n"),
    File("web.yml", f"users:\n  me: {secret_token('accessPassword', 'bcrypt')}\nend: true\n"),
)
SERVICE = Service("prometheus", "prometheus", "image:1", "1:1", Resources(64, 0.5), files=FILES, config_folder="/etc/x")
SEEN = {
    "prometheus.yml": Seen(FILES[0].content, 0o444),
    "web.yml": Seen("users:\n  me: $2b$12$abc\nend: true\n", 0o400),
}


def test_files_as_planned_whatever_the_secret_is() -> None:
    assert list(file_differences(SERVICE, SEEN)) == []


@pytest.mark.parametrize(
    ("path", "seen", "words"),
    [
        ("prometheus.yml", None, "prometheus.yml: is missing"),
        ("prometheus.yml", Seen("global:\n  scrape_interval: 5s\n", 0o444), "line 2 is 'scrape_interval: 5s', planned"),
        ("prometheus.yml", Seen(FILES[0].content + "x: 1\n", 0o444), "goes on after line 2"),
        ("prometheus.yml", Seen("global:\n", 0o444), "ends before line 2"),
        ("prometheus.yml", Seen(FILES[0].content.strip(), 0o444), "another end of the last line"),
        ("web.yml", Seen("users:\n  you: hunter2\nend: true\n", 0o400), "web.yml: line 2 is not as planned"),
        ("web.yml", Seen(SEEN["web.yml"].content, 0o444), "holds a secret and has mode 444, planned is 400"),
        ("extra.yml", Seen("", 0o444), "extra.yml: is not planned"),
    ],
)
def test_each_difference_of_a_file(path: str, seen: Seen | None, words: str) -> None:
    changed = {key: value for key, value in (SEEN | {path: seen}).items() if value}
    [found] = file_differences(SERVICE, changed)
    assert words in found
    assert "hunter2" not in found


def archive(link: str | None, **files: str) -> list[bytes]:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        if link:
            entry = tarfile.TarInfo("x/current")
            entry.type, entry.linkname = tarfile.SYMTYPE, link
            made.addfile(entry)
        for name, text in files.items():
            entry = tarfile.TarInfo(f"x/{name}")
            entry.size, entry.mode = len(text), 0o444
            made.addfile(entry, io.BytesIO(text.encode()))
    data = buffer.getvalue()
    return [data[:100], data[100:]]


def test_only_the_slot_in_use_counts() -> None:
    found = unpacked(archive("b", **{"a/old.yml": "1", "b/rules/new.yml": "2", "ba/other.yml": "3"}))
    assert found == {"rules/new.yml": Seen("2", 0o444)}
    assert unpacked(archive(None, **{"a/old.yml": "1"})) is None


def silence(*matchers: tuple[str, str, bool, bool], state: str = "active") -> dict[str, Any]:
    return {
        "id": "s1",
        "status": {"state": state},
        "createdBy": "ann",
        "comment": "moving",
        "startsAt": "2026-11-21T10:00:00.000Z",
        "endsAt": "2026-11-22T10:00:00.000Z",
        "matchers": [
            {"name": name, "value": value, "isRegex": regex, "isEqual": equal} for name, value, regex, equal in matchers
        ],
    }


PLANNED = [
    {"alertname": "TargetDown", "severity": "critical", "team": "platform"},
    {"alertname": "DiskLow", "severity": "warning", "team": "{{ $labels.team }}"},
]


@pytest.mark.parametrize(
    ("matchers", "could"),
    [
        ([("alertname", "TargetDown", False, True)], "1 of 2 alerts: TargetDown"),
        ([("alertname", ".*", True, True)], "2 of 2 alerts: TargetDown, DiskLow"),
        ([("severity", "critical", False, False)], "1 of 2 alerts: DiskLow"),
        ([("severity", "crit.*", True, False)], "1 of 2 alerts: DiskLow"),
        ([("team", "shop", False, True)], "1 of 2 alerts: DiskLow"),
        ([("instance", "a:1", False, True)], "2 of 2 alerts"),
        ([("alertname", "Nothing", False, True)], "0 of 2 alerts: none"),
        ([("alertname", "[[:alpha:]", True, True)], "2 of 2 alerts"),
    ],
)
def test_a_silence_with_what_it_could_hide(matchers: list[tuple[str, str, bool, bool]], could: str) -> None:
    [found] = silence_findings([silence(*matchers)], [], PLANNED)
    assert f"could hide {could}" in found.detail
    assert "by ann, since 2026-11-21 10:00 UTC, until 2026-11-22 10:00 UTC" in found.detail
    assert '"moving"; hides now: none' in found.detail


def test_a_silence_with_what_it_hides_now() -> None:
    alerts = [
        {"labels": {"alertname": "TargetDown"}, "status": {"silencedBy": ["s1"]}},
        {"labels": {"alertname": "DiskLow"}, "status": {"silencedBy": ["s2"]}},
    ]
    [found] = silence_findings([silence(("team", "x", False, True), state="pending")], alerts, PLANNED)
    assert "hides now: TargetDown;" in found.detail
    assert "from 2026-11-21 10:00 UTC" in found.detail


def test_a_silence_that_is_over_is_none() -> None:
    assert list(silence_findings([silence(("team", "x", False, True), state="expired")], [], PLANNED)) == []


def test_programs_that_are_busy_are_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also once the checks of the configuration are done, which end all questions of their own."""
    plan, alertmanager = plan_of("prod"), fakes.Fake()
    busy = {"/api/v2/silences": 3, "/api/v2/alerts": 2}

    def answer(query: dict[str, str], _body: object) -> fakes.Answer:
        busy[query["/"]] -= 1
        return (200, []) if busy[query["/"]] < 0 else (503, "busy")

    for path in busy:
        alertmanager.routes["GET", path] = answer
    pulumi = SimpleNamespace(resources=lambda: [{}], variables={})
    monkeypatch.setattr(command, "Pulumi", SimpleNamespace(of=lambda _: pulumi))
    ignored = {*KINDS} - {"configuration", "silences"}
    secrets = Secrets("prod")
    with fakes.served({"alertmanager": alertmanager}) as endpoints:
        monkeypatch.setattr(command, "connect", lambda *_: (endpoints, {}))
        found = command.find_drift("prod", stack(environment="prod"), plan, secrets, 60, ignored)
    assert "silences" not in {each.kind for each in found.findings} | {each.kind for each in found.unchecked}
    assert set(busy.values()) == {-1}


def test_the_planned_alerts_are_those_of_the_rules() -> None:
    found = planned_alerts(plan_of("prod"))
    assert {"alertname": "Watchdog"}.items() <= next(each for each in found if each["alertname"] == "Watchdog").items()
    assert len(found) > 20


def step(operation: str, **more: Any) -> dict[str, Any]:
    urn = "urn:pulumi:dev::observatory::a:b:C$docker:index/container:Container::alertmanager"
    return {"op": operation, "urn": urn, **more}


def test_steps_of_pulumi_become_findings() -> None:
    steps = [
        step("same"),
        step("update", diffReasons=["memory"], detailedDiff={"memory": {}, "memorySwap": {}}),
        step("create-replacement"),
        step("delete"),
    ]
    found = list(step_findings("resources", steps))
    assert [each.detail for each in found] == ["has changed: memory, memorySwap", "is gone"]
    assert {each.subject for each in found} == {"Container alertmanager"}
    [planned] = step_findings("not-deployed", [step("update", diffReasons=["files"])])
    assert planned.detail == "would be changed: files"


DRIFT = Drift.of(
    [
        Finding("silences", "s1", "hides everything"),
        Unchecked("configuration", "no answer"),
        Finding("settings", "prometheus", "is privileged"),
    ]
)


def test_the_report_is_in_the_order_of_kinds_with_a_remedy_for_each() -> None:
    text = "\n".join(lines("dev", DRIFT))
    assert text.index("is privileged") < text.index("hides everything") < text.index("not checked (configuration)")
    assert REMEDY["silences"] in text
    assert text.endswith("dev: 2 findings, 1 not checked")
    assert lines("dev", Drift()) == ["dev: no drift"]


def test_the_report_for_scripts() -> None:
    data = as_data("dev", DRIFT)
    assert json.loads(json.dumps(data)) == data
    assert (data["drift"], [each["kind"] for each in data["findings"]]) == (True, ["settings", "silences"])
    assert data["unchecked"] == [{"kind": "configuration", "reason": "no answer"}]
    assert not as_data("dev", Drift())["drift"]


def test_every_kind_has_words() -> None:
    assert MEANING.keys() == REMEDY.keys() == {*KINDS}


def test_an_unknown_kind_is_wrong_usage() -> None:
    done = CliRunner().invoke(app, ["drift", "dev", "--ignore", "silence"])
    assert (done.exit_code, "kinds: not-deployed" in done.output) == (2, True)
