"""`route` says where an alert goes: what amtool says, for every shape of the tree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from components.config import StackConfig, parse_stack
from components.yaml_text import dump
from operations import programs
from operations.chain import receivers_of
from operations.errors import CommandError, UsageError
from operations.route import describe, file_data, lines, parse_labels, route_command, rule_labels, walk
from tests.support import MINIMAL, changed, plan_of, planned

HOOK = {"type": "webhook", "url": "http://hook.example.com/"}
SHOP = {"name": "shop", "team": "web", "discovery": {"static": {"targets": ["shop:80"]}}}
ALERTING: dict[str, Any] = {
    "channels": {
        "chat": {"type": "slack", "url": {"secret": "slackUrl"}, "channel": "#alerts"},
        "pager": {"type": "pagerduty", "routing_key": {"secret": "pagerdutyKey"}},
        "mail": {
            "type": "email",
            "from": "alerts@example.com",
            "to": ["a@example.com", "b@example.com"],
            "smarthost": "smtp.example.com:587",
        },
        "hook": HOOK,
    },
    "default_channels": ["chat"],
    "routes": [
        {
            "match": {"team": "web"},
            "not_match": {"severity": ["none", "emergency"]},
            "channels": ["hook"],
            "continue": True,
        },
        {"match": {"severity": ["critical", "emergency"]}, "channels": ["pager", "chat"], "group_wait": "5s"},
        {"match": {"category": "compliance"}, "channels": ["mail"], "digest": "daily"},
        {"match": {"severity": "warning"}, "channels": ["chat"], "mute": ["weekend"], "active": ["awake"]},
    ],
    "time_intervals": {
        "weekend": [{"weekdays": ["saturday", "sunday"]}],
        "awake": [{"times": [{"start_time": "08:00", "end_time": "20:00"}]}],
    },
}


def amtool() -> Path:
    found = programs.find("amtool")
    assert found, "amtool is needed: `make ready` prepares it"
    return found


def configured(**changes: Any) -> StackConfig:
    return parse_stack(changed(MINIMAL, alerting=ALERTING, **changes), "stacks/Pulumi.test.yaml")


def asked(config: StackConfig, **labels: str) -> dict[str, Any]:
    return describe(config, planned(config), labels, amtool())


def receivers(answer: dict[str, Any]) -> list[str]:
    return [each["receiver"] for each in answer["routes"]]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, ["chat"]),
        ({"team": "web", "severity": "none"}, ["chat"]),
        ({"team": "web", "severity": "critical"}, ["hook", "pager,chat"]),
        ({"severity": "emergency", "category": "compliance"}, ["pager,chat"]),
        ({"severity": "warning", "category": "compliance"}, ["mail"]),
        ({"severity": "warning"}, ["chat"]),
        ({"severity": "warn"}, ["chat"]),
        ({"alertname": "Watchdog", "severity": "none"}, ["nobody"]),
        ({"verification": "x", "severity": "critical"}, ["verification"]),
        ({"team": "web", "severity": 'say "hi"\\n, or\nnot'}, ["hook"]),
    ],
)
def test_each_alert_goes_where_its_labels_say(labels: dict[str, str], expected: list[str]) -> None:
    assert receivers(asked(configured(), **labels)) == expected
    tree = file_data(planned(configured()), "alertmanager", "alertmanager.yml")["route"]
    assert receivers_of(tree, labels) == expected, "what `validate` goes by is the same"


def test_equal_receivers_are_told_apart_by_their_routes() -> None:
    (default,) = asked(configured(), severity="none")["routes"]
    (warning,) = asked(configured(), severity="warning")["routes"]
    assert default["receiver"] == warning["receiver"] == "chat"
    assert (default["matchers"], default["mute"], default["active"]) == ([], [], [])
    assert (warning["matchers"], warning["mute"], warning["active"]) == (['severity="warning"'], ["weekend"], ["awake"])


def test_timings_are_those_of_the_route_else_of_what_it_stands_in() -> None:
    hook, pager = asked(configured(), team="web", severity="critical")["routes"]
    assert [hook[key] for key in ("group_wait", "group_interval", "repeat_interval")] == ["30s", "5m", "4h"]
    assert [pager[key] for key in ("group_wait", "group_interval", "repeat_interval")] == ["5s", "5m", "4h"]
    (mail,) = asked(configured(), category="compliance", severity="warning")["routes"]
    assert mail["group_by"] == ["category", "team", "drill"]
    assert [mail[key] for key in ("group_wait", "group_interval", "repeat_interval")] == ["10m", "1d", "23h"]


def test_a_services_channels_come_beside_what_the_routes_and_the_default_say() -> None:
    config = configured(services=[{**SHOP, "channels": ["hook", "mail"]}])
    assert receivers(asked(config, service="shop")) == ["hook,mail", "chat"]
    assert receivers(asked(config, service="shop", severity="critical")) == ["hook,mail", "pager,chat"]
    assert receivers(asked(config, service="shop", severity="critical", team="web"))[1:] == ["hook", "pager,chat"]
    assert receivers(asked(config, service="other", severity="critical")) == ["pager,chat"]
    assert receivers(asked(config, service="other")) == ["chat"]
    assert receivers(asked(config, service="shop", alertname="Watchdog")) == ["nobody"]


def test_what_may_silence_an_alert_is_told_with_what_must_be_the_same() -> None:
    low = asked(configured(), alertname="DiskSpaceLow", severity="warning", instance="a", device="sda")["inhibited_by"]
    assert [rule["source"] for rule in low] == [
        ['severity="emergency"'],
        ['severity="critical"'],
        ['alertname="DiskSpaceCritical"'],
    ]
    assert low[0]["equal"] == {"alertname": "DiskSpaceLow", "service": "", "instance": "a"}
    assert low[2]["equal"] == {"instance": "a", "device": "sda"}
    assert [rule["where"] for rule in low] == [[], [], []]
    unsaid = asked(configured(), alertname="DiskSpaceLow", severity="warning", instance="a")["inhibited_by"]
    assert [rule["where"] for rule in unsaid] == [[], [], ["device"]]
    no_device = asked(configured(), alertname="DiskSpaceLow", severity="warning", instance="a", device="")
    assert len(no_device["inhibited_by"]) == 2, "without the label, the pair would silence what is unrelated"
    assert asked(configured(), severity="emergency")["inhibited_by"] == []
    for own in ({"verification": "x"}, {"alertname": "Watchdog"}):
        assert asked(configured(), severity="none", **own)["inhibited_by"] == [], "the stack's own are never silenced"


def test_an_alert_that_the_stack_does_not_have_silences_nothing() -> None:
    for without in ({"exporters": {"node": False}}, {"alerts": {"DiskSpaceCritical": False}}):
        low = asked(configured(**without), alertname="DiskSpaceLow", severity="warning", instance="a", device="sda")
        assert [rule["source"] for rule in low["inhibited_by"]] == [['severity="emergency"'], ['severity="critical"']]


def test_the_labels_of_a_rule_are_known() -> None:
    plan = plan_of("prod")
    assert rule_labels(plan, "DiskSpaceLow") == {
        "severity": "warning",
        "category": "infrastructure",
        "team": "platform",
    }
    assert "team" not in rule_labels(plan, "TargetDown"), "it comes from the series"
    assert rule_labels(plan, "NoSuchAlert") == {}


def test_lines_tell_it_to_people() -> None:
    config = configured()
    assert lines(config, asked(config, severity="warning", team="web", alertname="X")) == [
        'alert alertname="X", severity="warning", team="web"',
        "",
        "1. hook",
        "   to         hook: webhook http://hook.example.com/",
        '   taken by   team="web", severity!~"none|emergency"',
        "   grouped by alertname, service",
        "   sent       30s after the first alert; news every 5m; again after 4h",
        "2. chat",
        "   to         chat: slack #alerts",
        '   taken by   severity="warning"',
        "   grouped by alertname, service",
        "   sent       30s after the first alert; news every 5m; again after 4h",
        "   muted in   weekend",
        "   only in    awake",
        "",
        "may be silenced by an alert with",
        '   severity="emergency" and the same alertname, service, instance',
        '   severity="critical" and the same alertname, service, instance',
    ]
    digest = lines(config, asked(config, category="compliance"))
    assert "   to         mail: email a@example.com, b@example.com" in digest
    assert digest[-1] == "no alert can silence it"
    assert "   taken by   the default: no other route takes it" in lines(config, asked(config, severity="none"))


def test_a_tree_of_any_depth_inherits_from_above() -> None:
    leaf = {"matchers": ["b=1"], "group_wait": "1s"}
    tree = {"receiver": "r", "group_by": ["x"], "routes": [{"matchers": ["a=1"], "receiver": "s", "routes": [leaf]}]}
    root, middle, last = walk(tree)
    assert (root["receiver"], middle["receiver"], last["receiver"]) == ("r", "s", "s")
    assert last["matchers"] == ["a=1", "b=1"]
    assert (last["group_by"], last["group_wait"], middle["group_wait"]) == (["x"], "1s", None)


@pytest.mark.parametrize(
    ("words", "labels"),
    [
        (["a=b", "c=d=e"], {"a": "b", "c": "d=e"}),
        (['a="b c"'], {"a": "b c"}),
        (["a="], {"a": ""}),
        (['a="'], {"a": '"'}),
    ],
)
def test_labels_are_read(words: list[str], labels: dict[str, str]) -> None:
    assert parse_labels(words) == labels


@pytest.mark.parametrize("word", ["severity", "=x", "1a=b", "a-b=c", "severity!=x", ""])
def test_what_is_no_label_is_refused(word: str) -> None:
    with pytest.raises(UsageError, match=r"is no label\nhint: write name=value"):
        parse_labels(["a=b", word])
    with pytest.raises(UsageError, match="the label a is there twice"):
        parse_labels(["a=b", "a=c"])


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A stack file with those channels."""
    path = tmp_path / "Pulumi.test.yaml"
    path.write_text(dump({"config": {"observatory:stack": {**MINIMAL, "alerting": ALERTING}}}))
    return str(path)


@pytest.mark.parametrize(
    ("words", "expected", "code", "complaint"),
    [
        (["severity=critical"], ["pager", "chat"], 0, ""),
        (["severity=critical"], ["chat", "pager"], 0, ""),
        (["severity=critical"], ["pager"], 1, "expected pager, but chat, pager would be told\n"),
        (["severity=critical"], ["pager", "chat", "mail"], 1, "expected chat, mail, pager, but chat, pager would be"),
        (["severity=critical"], ["nobody"], 1, "expected nobody, but chat, pager would be told\n"),
        (["alertname=Watchdog"], ["nobody"], 0, "hint: nobody is told; "),
        (["alertname=Watchdog"], [], 0, "hint: nobody is told; "),
        (["alertname=Watchdog"], ["chat"], 1, "hint: nobody is told; "),
        (["verification=x"], [], 0, ""),
    ],
)
def test_expected_channels_decide_the_exit_code(
    file: str, capsys: pytest.CaptureFixture[str], words: list[str], expected: list[str], code: int, complaint: str
) -> None:
    assert route_command(file, words, expected, as_json=True) == code
    captured = capsys.readouterr()
    assert captured.err.startswith(complaint)
    assert bool(captured.err) == bool(complaint)
    answer = json.loads(captured.out)
    assert answer["labels"]["environment"] == "test", "every alert of the stack has it"
    assert set(answer) == {"environment", "labels", "channels", "routes", "inhibited_by"}


def test_an_alert_of_the_catalogue_needs_its_name_only(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert route_command(file, ["alertname=DiskSpaceCritical", "team=web"], [], as_json=True) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["labels"]["severity"], answer["labels"]["team"]) == ("critical", "web")
    assert answer["channels"] == ["chat", "hook", "pager"]


def test_the_team_of_a_service_is_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An alert whose rule takes the team from its series goes where the stack file's team for the service goes."""
    shop = {**SHOP, "exposes": ["http"]}
    path = tmp_path / "Pulumi.team.yaml"
    path.write_text(dump({"config": {"observatory:stack": {**MINIMAL, "alerting": ALERTING, "services": [shop]}}}))
    words = ["alertname=ServiceDown", "service=shop"]
    assert route_command(str(path), words, ["hook", "pager", "chat"], as_json=True) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert json.loads(captured.out)["labels"]["team"] == "web"
    assert route_command(str(path), [*words, "team=other"], ["pager", "chat"], as_json=True) == 0, "what is said counts"
    assert route_command(str(path), ["alertname=ServiceDown"], ["pager", "chat"], as_json=True) == 0
    assert route_command(str(path), words, ["pager", "chat"], as_json=True) == 1


def test_an_alert_that_the_stack_does_not_evaluate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "Pulumi.off.yaml"
    off = {**MINIMAL, "alerting": ALERTING, "services": [SHOP], "alerts": {"HighCPUUsage": False}}
    path.write_text(dump({"config": {"observatory:stack": off}}))
    for name, reason in (
        ("HighCPUUsage", "the stack file switches it off"),
        ("CassandraNodeDown", "nothing in it exposes what the alert asks for (cassandra)"),
        ("TargetDwn", "the catalogue has no such alert; did you mean TargetDown?"),
        ("Xyzzy", "the catalogue has no such alert"),
    ):
        assert route_command(str(path), [f"alertname={name}"], [], as_json=True) == 0
        assert capsys.readouterr().err == f"hint: this stack does not evaluate {name}: {reason}\n"
    assert route_command(str(path), ["alertname=TargetDown"], [], as_json=True) == 0
    assert capsys.readouterr().err == ""


def test_a_channel_that_is_told_twice_is_pointed_out(
    file: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert route_command(file, ["severity=critical", "team=web"], [], as_json=True) == 0
    assert capsys.readouterr().err == ""
    shop = {**SHOP, "channels": ["chat"]}
    path = tmp_path / "Pulumi.twice.yaml"
    path.write_text(dump({"config": {"observatory:stack": {**MINIMAL, "alerting": ALERTING, "services": [shop]}}}))
    assert route_command(str(path), ["severity=critical", "service=shop"], [], as_json=True) == 0
    assert capsys.readouterr().err == "hint: chat is told 2 times, once by each of its routes\n"


def test_errors_say_what_to_do(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="--expect pagr: no channel is called that\nhint: channels: chat, pager, mail"):
        route_command(file, ["a=b"], ["pagr"], as_json=False)
    monkeypatch.setattr(programs, "find", lambda name: None)
    with pytest.raises(CommandError, match=r"amtool is not on this machine(.|\n)*make ready"):
        route_command(file, ["a=b"], [], as_json=False)


def test_an_amtool_that_does_not_answer_is_an_error(tmp_path: Path) -> None:
    fake = tmp_path / "amtool"
    fake.write_text("#!/bin/sh\necho amtool: error: no such thing >&2\nexit 1\n")
    fake.chmod(0o755)
    config = configured()
    with pytest.raises(CommandError, match="amtool could not say where the alert goes: amtool: error: no such thing"):
        describe(config, planned(config), {}, fake)
