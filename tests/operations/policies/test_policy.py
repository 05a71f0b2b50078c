"""The policy across stacks: the file's errors, every aspect, exceptions and their ends."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from components.config import StackFileError
from components.config.load import FOLDER
from components.yaml_text import dump, load
from operations.guides.schema import POLICY_SCHEMA_FILE, policy_schema, schema_text
from operations.policies.check import Plans, judgements, policy_results
from operations.policies.model import ASPECTS, FILE, policy_of
from operations.results import Status
from operations.validate import validate_command
from tests.support import ACCESS, COPIED, changed

TODAY = date(2026, 11, 21)
STRONG: dict[str, Any] = {
    "environment": "strong",
    "access": ACCESS,
    "retention": {"time": "30d", "size": "20GB"},
    "high_availability": {"alertmanager": 3, "one_host": True},
    "backup": {**COPIED, "schedule": "6h"},
    "resources": {"prometheus": {"memory": "2GB", "cpus": 1}},
}
SHORTER = "weak-like-strong/retention/samples-on-disk: weak has 20d, strong has 30d"
RULE: dict[str, Any] = {"id": "weak-like-strong", "stack": "weak", "not_weaker_than": "strong"}


def folder(path: Path, rule: dict[str, Any] | None = None, exceptions: Any = (), **weaker: Any) -> Path:
    """A folder with two stacks, of which the second differs by what is given, and the policy."""
    stacks = {"strong": STRONG, "weak": {**changed(STRONG, **weaker), "environment": "weak"}}
    for name, stack in stacks.items():
        (path / f"Pulumi.{name}.yaml").write_text(dump({"config": {"observatory:stack": stack}}))
    (path / FILE).write_text(dump({"rules": [{**RULE, **(rule or {})}], "exceptions": list(exceptions)}))
    return path


def broken(path: Path, stack: str = "weak") -> list[str]:
    """What is found, as people read it."""
    found = judgements([path / f"Pulumi.{stack}.yaml"], TODAY, Plans())
    return [str(finding) for judgement in found for finding in judgement.broken]


def test_equal_stacks_keep_it(tmp_path: Path) -> None:
    assert broken(folder(tmp_path)) == []


@pytest.mark.parametrize(
    ("weaker", "expected"),
    [
        ({"retention__time": "20d"}, ["retention/samples-on-disk: weak has 20d, strong has 30d"]),
        ({"retention__size": "10GB"}, ["retention/samples-on-disk-size: weak has 10 GiB, strong has 20 GiB"]),
        ({"tracing": {"retention": "1d"}}, ["retention/traces: weak has 1d, strong has 2d"]),
        ({"alerts": {"TargetDown": {"for": "1h"}}}, ["alerts/TargetDown.for: weak has 1h, strong has 5m"]),
        (
            {"alerts": {"DiskSpaceLow": {"threshold": "10%"}}},
            ["alerts/DiskSpaceLow.threshold: weak has 10%, strong has 15%"],
        ),
        ({"access": None}, ["access/login: weak has none, strong has TLS and a password"]),
        ({"backup": None}, ["backups/gone: weak has none, strong has every 6h, to folder /srv/backup"]),
        ({"backup__schedule": "12h"}, ["backups/rarer: weak has every 12h, strong has every 6h"]),
        (
            {"resources__prometheus__memory": "1GB"},
            ["resources/prometheus.memory: weak has 1024 MiB, strong has 2048 MiB"],
        ),
        ({"resources__prometheus__cpus": 0.5}, ["resources/prometheus.cpus: weak has 0.5, strong has 1"]),
    ],
)
def test_each_value_that_is_weaker(tmp_path: Path, weaker: dict[str, Any], expected: list[str]) -> None:
    # What goes with it (alerts on what is not there) is told too; here it is about the value itself.
    aspect = expected[0].partition("/")[0]
    path = folder(tmp_path, {"in": [aspect]}, **weaker)
    assert broken(path) == [f"weak-like-strong/{text}" for text in expected]
    assert broken(path, "strong") == broken(path), "a rule concerns both of its stacks"


def test_fewer_replicas_and_alerts(tmp_path: Path) -> None:
    path = folder(tmp_path, high_availability={}, alerts={"TargetDown": False})
    found = broken(path)
    assert "weak-like-strong/replicas/alertmanager: weak has 1, strong has 3" in found
    assert any(text.startswith("weak-like-strong/alerts/TargetDown: weak has none, strong has up") for text in found)


def test_what_is_stronger_is_fine(tmp_path: Path) -> None:
    stronger: dict[str, Any] = {
        "retention__time": "60d",
        "retention__size": "40GB",
        "alerts": {"TargetDown": {"for": "1m"}},
    }
    assert broken(folder(tmp_path, **stronger, backup__schedule="1h", resources__prometheus__memory="4GB")) == []


def test_only_what_the_rule_is_about(tmp_path: Path) -> None:
    path = folder(tmp_path, {"in": ["access"]}, retention__time="20d")
    assert broken(path) == []


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        (date(2026, 11, 21), []),
        (
            date(2026, 11, 20),
            [f"{SHORTER}; its exception ended on 2026-11-20"],
        ),
    ],
)
def test_an_exception_holds_until_its_last_day(tmp_path: Path, until: date, expected: list[str]) -> None:
    exception = {"id": "weak-like-strong/retention/samples-on-disk", "reason": "The disk comes in May.", "until": until}
    path = folder(tmp_path, exceptions=[exception], retention__time="20d")
    assert broken(path) == expected
    (result,) = policy_results(path / "Pulumi.weak.yaml", TODAY, Plans())
    assert result.name == "policy: weak is not weaker than strong"
    assert result.status is (Status.FAILED if expected else Status.OK)
    if not expected:
        assert "excepted until 2026-11-21: weak-like-strong/retention/samples-on-disk" in result.detail


def test_an_exception_that_covers_nothing_is_told(tmp_path: Path) -> None:
    exception = {"id": "weak-like-strong/access/login", "reason": "Behind a proxy.", "until": "2027-01-01"}
    (result,) = policy_results(folder(tmp_path, exceptions=[exception]) / "Pulumi.weak.yaml", TODAY, Plans())
    assert result.status is Status.OK
    assert "needs no exception any more, take it out: weak-like-strong/access/login" in result.detail


def test_validate_fails_with_the_remedy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder(tmp_path, {"in": ["retention"]}, retention__time="20d")
    assert validate_command([str(path / "Pulumi.weak.yaml")], json=True) == 1
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    check = checks["policy: weak is not weaker than strong"]
    assert check["detail"] == SHORTER
    assert check["remedy"] == "make weak as strong, or except it in policy.yaml, with a reason and a last day"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rules: [", "line 2, column 1: is not valid YAML"),
        ("[]", "the file: must be a mapping with `rules` and `exceptions`"),
        ("rule: []", "rule: unknown key; allowed here: exceptions, rules"),
        ("rules: [{id: a, stack: weak}]", "rules[0].not_weaker_than: is required"),
        (
            "rules: [{id: a, stack: weak, not_weaker_than: weak}]",
            "rules[0].not_weaker_than (is weak): is the stack itself",
        ),
        (
            "rules: [{id: a, stack: weak, not_weaker_than: wek}]",
            "rules[0].not_weaker_than (is wek): there is no {folder}/Pulumi.wek.yaml",
        ),
        (
            "rules: [{id: a, stack: weak, not_weaker_than: strong, in: [alert]}]",
            "'access', 'backups' or 'resources'\n      hint: did you mean alerts?",
        ),
        ("rules: [{id: a, stack: weak, not_weaker_than: strong, in: []}]", "rules[0].in: must name at least one"),
        (
            "rules: [{id: a, stack: weak, not_weaker_than: strong}, {id: a, stack: strong, not_weaker_than: weak}]",
            "rules[1].id (is a): is there twice",
        ),
        (
            "exceptions: [{id: a/alerts/X, reason: because, until: 2027-01-01}]",
            "exceptions[0].id (is a/alerts/X): begins with no rule's id; rules: none",
        ),
        ("exceptions: [{id: a, reason: because, until: 2027-01-01}]", "must be the id of a finding as reports show it"),
        ("exceptions: [{id: a/alerts/X, until: 2027-01-01}]", "exceptions[0].reason: is required"),
        ("exceptions: [{id: a/alerts/X, reason: ' ', until: 2027-01-01}]", "must be the reason, in words"),
        ("exceptions: [{id: a/alerts/X, reason: because, until: soon}]", "must be a date such as 2027-03-31"),
        (
            """
            rules: [{id: a, stack: weak, not_weaker_than: strong, in: [access]}]
            exceptions: [{id: a/alerts/X, reason: because, until: 2027-01-01}]
            """,
            "is about alerts, which a does not compare; it compares access",
        ),
    ],
)
def test_a_bad_file_is_one_clear_error(tmp_path: Path, text: str, message: str) -> None:
    path = folder(tmp_path)
    (path / FILE).write_text(text)
    with pytest.raises(StackFileError) as error:
        policy_of(path)
    assert f"{path / FILE}: 1 problem" in str(error.value)
    assert message.format(folder=path.name) in str(error.value)
    (result,) = policy_results(path / "Pulumi.weak.yaml", TODAY, Plans())
    assert (result.name, result.status) == ("policy", Status.FAILED)


def test_no_policy_asks_for_nothing(tmp_path: Path) -> None:
    path = folder(tmp_path, retention__time="1d")
    (path / FILE).unlink()
    assert broken(path) == []


def test_a_bad_stack_on_the_other_side_is_told(tmp_path: Path) -> None:
    path = folder(tmp_path)
    (path / "Pulumi.strong.yaml").write_text("config: {observatory:stack: {environment: strong, retension: {}}}\n")
    (result,) = policy_results(path / "Pulumi.weak.yaml", TODAY, Plans())
    assert result.status is Status.FAILED
    assert "retension: unknown key" in result.detail
    assert result.remedy.endswith("Pulumi.strong.yaml")


def test_the_shipped_policy_holds() -> None:
    policy = policy_of(FOLDER)
    assert policy
    assert [(rule.stack, rule.not_weaker_than, rule.in_) for rule in policy.rules] == [("prod", "staging", ASPECTS)]
    assert broken(FOLDER, "prod") == []


def test_the_schema_is_current_and_of_one_mind() -> None:
    assert POLICY_SCHEMA_FILE.read_text() == schema_text(policy_schema()), "run ./observatory schema"
    validator = Draft202012Validator(policy_schema())
    text = (FOLDER / FILE).read_text()
    assert text.startswith("# yaml-language-server: $schema=policy.schema.json\n")
    assert list(validator.iter_errors(load(text))) == []
    exception = {"id": "a/alerts/X", "reason": "because", "until": "2027-01-01"}
    assert list(validator.iter_errors({"rules": [RULE], "exceptions": [exception]})) == []
    refused: list[dict[str, Any]] = [
        {"rule": []},
        {"rules": [{**RULE, "in": ["alert"]}]},
        {"exceptions": [{**exception, "id": "a"}]},
    ]
    for wrong in refused:
        assert list(validator.iter_errors(wrong)), wrong
