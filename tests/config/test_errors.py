"""A bad stack file ends in one message for people: complete, exact, and without anything secret."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, get_args

import pytest

from components.beside import read_beside
from components.catalogue import ROOT
from components.config import StackConfig, StackFileError, load_stack_file, parse_stack
from components.config.load import FOLDER, stack_path
from components.config.metrics import Subject
from components.plan import plan_stack_file
from tests.support import ACCESS, MINIMAL, STACKS, changed, stack

CHANNEL_TYPES = "'slack', 'pagerduty', 'email', 'webhook', 'opsgenie'"
FILE = "stacks/Pulumi.test.yaml"
SECRET = "hunter2-s3cr3t"
SHOP = {"name": "shop", "team": "web", "discovery": {"static": {"targets": ["shop:80"]}}}
*FIRST, LAST = map(repr, get_args(Subject))
SUBJECTS = f"{', '.join(FIRST)} or {LAST}"


def error_of(data: Any) -> StackFileError:
    with pytest.raises(StackFileError) as caught:
        parse_stack(data, FILE)
    return caught.value


def write(folder: Path, text: str | bytes, name: str = "test") -> Path:
    path = folder / f"Pulumi.{name}.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def load_error(folder: Path, text: str | bytes) -> str:
    path = write(folder, text)
    with pytest.raises(StackFileError) as caught:
        load_stack_file("test", folder)
    message = str(caught.value)
    assert message.startswith(f"{path}: 1 problem\n  ")
    return message.split("\n", 1)[1].strip()


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (
            changed(MINIMAL, scrape={"intervall": "15s"}),
            (
                "scrape.intervall: unknown key; allowed here: evaluation_interval, interval, timeout\n"
                "      hint: did you mean interval?"
            ),
        ),
        (
            changed(
                MINIMAL, alerting={"channels": {"chat": {"type": "slack", "url": {"secret": "a"}, "chanel": "#a"}}}
            ),
            (
                "alerting.channels.chat.chanel: unknown key; "
                "allowed here: api_url, channel, send_resolved, token, type, url\n"
                "      hint: did you mean channel?"
            ),
        ),
        (
            changed(
                MINIMAL, alerting={"channels": {"hook": {"type": "webhook", "url": {"secret": "a"}, "channel": "#a"}}}
            ),
            "alerting.channels.hook.channel: unknown key; allowed here: bearer_token, send_resolved, type, url",
        ),
        (
            changed(MINIMAL, alerting={"routes": [{"match": {"a": "b"}, "channels": ["c"], "continues": True}]}),
            (
                "alerting.routes[0].continues: unknown key; allowed here: active, channels, continue, digest, "
                "group_by, group_interval, group_wait, match, mute, not_match, repeat_interval\n"
                "      hint: did you mean continue?"
            ),
        ),
        (
            changed(MINIMAL, alerting={"channels": {"pager": {"type": "pager", "url": "x"}}}),
            (
                f"alerting.channels.pager.type (is 'pager'): must be one of {CHANNEL_TYPES}\n"
                "      hint: did you mean pagerduty?"
            ),
        ),
        (
            changed(MINIMAL, alerting={"channels": {"pager": {"url": {"secret": "x"}}}}),
            "alerting.channels.pager.type: is required",
        ),
        (
            changed(MINIMAL, alerting={"channels": {"pager": {"type": [["x" * 5000]]}}}),
            f"alerting.channels.pager.type: must be one of {CHANNEL_TYPES}",
        ),
        (changed(MINIMAL, data={"zzz": 1}), "data.zzz: unknown key; allowed here: keep"),
        ({}, "environment: is required"),
        (changed(MINIMAL, services=[5]), "services[0]: must be a mapping of keys to values"),
        (changed(MINIMAL, services={"a": 1}), "services: must be a list"),
        (
            changed(MINIMAL, tracing={"backend": "zipkin"}),
            "tracing.backend (is 'zipkin'): input should be 'jaeger' or 'none'",
        ),
        (
            changed(MINIMAL, alerting={"routes": [{"match": {"severity": True}, "channels": ["a"]}]}),
            "alerting.routes[0].match.severity (is True): must be text; or must be a list",
        ),
        (
            changed(MINIMAL, docker={"subnet": "nope"}),
            "docker.subnet (is 'nope'): must be a network such as 172.30.0.0/24, with no host bits set",
        ),
        (None, "the stack: must be a mapping of keys to values"),
        (changed(MINIMAL, demo="yess"), "demo (is 'yess'): must be true or false"),
        (
            changed(MINIMAL, services=[changed(SHOP, instances="two")]),
            "services[0].instances (is 'two'): must be a whole number",
        ),
        (
            changed(MINIMAL, services=[changed(SHOP, exposes=["htpp"])]),
            f"services[0].exposes[0] (is 'htpp'): input should be {SUBJECTS}\n      hint: did you mean http?",
        ),
        (
            changed(MINIMAL, services=[changed(SHOP, discovery={"static": {"targets": ["http://shop:80"]}})]),
            (
                "services[0].discovery.static.targets[0] (is 'http://shop:80'): must be host or host:port, "
                "without http:// and without a path"
            ),
        ),
        (
            changed(MINIMAL, services=[changed(SHOP, discovery={"static": {"targets": []}})]),
            "services[0].discovery.static.targets: must name at least one",
        ),
        (
            changed(MINIMAL, alerting={"routes": [{"match": {"severity": [1]}, "channels": ["a"]}]}),
            "alerting.routes[0].match.severity[0] (is 1): must be text",
        ),
        (
            changed(MINIMAL, services=[changed(SHOP, authentication={"bearer": {"token": "abc"}})]),
            (
                "services[0].authentication.bearer.token: must name a secret, for example {secret: bearerToken}; "
                "its value never stands in this file"
            ),
        ),
        (
            changed(MINIMAL, alerting={"channels": {"on-call": {"type": "pagerduty", "routing_key": "abc"}}}),
            (
                "alerting.channels.on-call.routing_key: must name a secret, for example {secret: onCallRoutingKey}; "
                "its value never stands in this file"
            ),
        ),
        (
            changed(MINIMAL, environment="Prod"),
            (
                "environment (is 'Prod'): must be lower-case letters, digits and single hyphens, "
                "beginning with a letter: team-chat"
            ),
        ),
        (
            changed(MINIMAL, environment="a" * 64),
            f"environment (is '{'a' * 56}...): must be at most 63 characters long",
        ),
        (
            changed(MINIMAL, grafana={"root_url": "grafana.example.com"}),
            (
                "grafana.root_url (is 'grafana.example.com'): must be a URL such as https://example.com/path, "
                "without a login in it"
            ),
        ),
    ],
)
def test_a_problem_names_file_key_value_and_what_is_allowed(data: Any, words: str) -> None:
    assert str(error_of(data)) == f"{FILE}: 1 problem\n  {words}"


def test_an_unknown_key_lists_what_the_stack_takes_and_the_nearest() -> None:
    (problem,) = error_of(changed(MINIMAL, retension={})).problems
    assert problem.hint == "did you mean retention?"
    for key in StackConfig.model_fields:
        assert f" {key}" in problem.message


@pytest.mark.parametrize(("name", "meant"), [("dashboards", "golden-signal"), ("dashboards", "cassandr")])
def test_a_word_of_a_closed_set_has_a_hint(name: str, meant: str) -> None:
    (problem,) = error_of(changed(MINIMAL, **{name: [meant]})).problems
    assert problem.hint.startswith(f"did you mean {meant}")


def test_nobody_reads_a_regular_expression() -> None:
    """Each pattern of the models has words for it: pydantic would show the pattern itself."""
    for path in (ROOT / "components" / "config").glob("*.py"):
        assert not re.search(r"(Field|StringConstraints)\([^)]*\bpattern=", path.read_text()), path


def test_several_problems_are_told_at_once_each_with_its_key() -> None:
    error = error_of({"scrape": {"interval": 15}, "ports": {"grafana": "x"}, "probes": [{"name": "A"}], "nope": 1})
    keys = [problem.key for problem in error.problems]
    assert keys == ["environment", "ports.grafana", "scrape.interval", "probes[0].name", "probes[0].target", "nope"]
    assert str(error).startswith(f"{FILE}: 6 problems\n")
    assert all(f"\n  {key}" in str(error) for key in keys)


def test_a_number_with_thousands_of_digits_is_a_problem_like_any_other() -> None:
    (problem,) = error_of({"environment": 10**5000}).problems
    assert (problem.key, problem.value) == ("environment", "a number with too many digits")


def test_a_long_value_is_cut() -> None:
    (problem,) = error_of(changed(MINIMAL, environment="A" * 500)).problems
    assert len(problem.value) == 60


# Secrets

PLACES: list[dict[str, Any]] = [
    {"access": {**ACCESS, "password": SECRET}},
    {"access": {**ACCESS, "password": [SECRET]}},
    {"access": {**ACCESS, "password": {"secret": SECRET + "!"}}},
    {"access": {**ACCESS, "password": {"secret": [SECRET]}}},
    {"access": {**ACCESS, "password": {"value": SECRET}}},
    {"access": {**ACCESS, "pasword": SECRET}},
    {"access": {**ACCESS, "tls": {**ACCESS["tls"], "key": SECRET}}},
    {"access": {**ACCESS, "tls": SECRET}},
    {"access": SECRET},
    {"grafana": {"admin_password": SECRET}},
    {"grafana": {"root_url": f"https://admin:{SECRET}@grafana.example.com/"}},
    {"alerting": {"channels": {"chat": {"type": "slack", "url": f"https://hooks.example.com/{SECRET}"}}}},
    {"alerting": {"channels": {"hook": {"type": "webhook", "url": f"https://me:{SECRET}@example.com/"}}}},
    {"alerting": {"channels": {"hook": {"type": "webhook", "url": {"secret": f"{SECRET} {SECRET}"}}}}},
    {"alerting": {"channels": {"hook": {"type": "webhook", "url": "https://a.b", "bearer_token": SECRET}}}},
    {"alerting": {"channels": {"hook": {"type": "pager", "url": SECRET}}}},
]
PLACES += [
    {"services": [{"name": "a", "team": "b", "discovery": {"static": {"targets": ["a:1"]}}, "authentication": how}]}
    for how in (
        {"basic": {"username": "a", "password": SECRET}},
        {"bearer": {"token": SECRET}},
        {"bearer": SECRET},
        {"oauth2": {"client_id": "a", "client_secret": SECRET, "token_url": f"https://me:{SECRET}@example.com/"}},
    )
]


@pytest.mark.parametrize("changes", PLACES, ids=range(len(PLACES)))
def test_a_secret_in_plain_text_is_refused_and_never_repeated(changes: dict[str, Any]) -> None:
    error = error_of(changed(MINIMAL, **changes))
    assert "hunter2" not in str(error)
    assert error.__cause__ is None
    assert error.__suppress_context__


@pytest.mark.parametrize("value", [SECRET, 12345678, 1.5, True, [SECRET]])
def test_what_should_name_a_secret_says_how(value: object) -> None:
    error = error_of(changed(MINIMAL, access=ACCESS | {"password": value}))
    assert str(error) == (
        f"{FILE}: 1 problem\n  access.password: must name a secret, for example {{secret: accessPassword}}; "
        "its value never stands in this file"
    )


# Files


@pytest.mark.parametrize("name", STACKS)
def test_the_stack_files_are_valid_and_called_what_their_environment_is(name: str) -> None:
    assert load_stack_file(name).environment == name


def test_a_missing_file_lists_the_stacks_that_there_are(tmp_path: Path) -> None:
    write(tmp_path, "", "one")
    write(tmp_path, "", "two")
    with pytest.raises(StackFileError) as caught:
        load_stack_file("three", tmp_path)
    assert str(caught.value) == (
        f"{tmp_path}/Pulumi.three.yaml: 1 problem\n  the stack: no such file\n      hint: stacks here: one, two"
    )


def test_a_missing_file_in_an_empty_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(StackFileError, match="hint: stacks here: none"):
        load_stack_file("one", tmp_path)


def test_a_path_is_taken_as_it_is_and_a_name_stands_for_its_file() -> None:
    assert stack_path("elsewhere/my.yaml") == Path("elsewhere/my.yaml")
    assert stack_path("dev") == FOLDER / "Pulumi.dev.yaml"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("config: [1, 2\n", "line 2, column 1: is not valid YAML: did not find expected ',' or ']'"),
        ("config:\n  a: 1\n a: 2\n", "line 3, column 2: is not valid YAML: did not find expected key"),
        ("a: 1\nb: 2\na: 3\n", "line 3, column 1: is not valid YAML: the key a is there twice"),
        ("a: 2026-13-01\n", "the stack: is not valid YAML: not readable: month must be in 1..12"),
        (b"a: \x00", "the stack: is not valid YAML: unacceptable character #x0000: control characters are not allowed"),
        ("- a\n- b\n", "config.observatory:stack: is required\n      hint: see docs/guide/stack-file.md"),
        ("", "config.observatory:stack: is required\n      hint: see docs/guide/stack-file.md"),
        ("config: 5\n", "config.observatory:stack: is required\n      hint: see docs/guide/stack-file.md"),
        ("config: {}\n", "config.observatory:stack: is required\n      hint: see docs/guide/stack-file.md"),
        ("config: {observatory:stack: }\n", "the stack: must be a mapping of keys to values"),
    ],
)
def test_a_file_that_cannot_be_used_says_where_and_why(tmp_path: Path, text: str | bytes, words: str) -> None:
    assert load_error(tmp_path, text) == words


def test_a_file_in_another_encoding_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert load_error(tmp_path, b"a: \xff\xfe").startswith("the stack: cannot be read: 'utf-8' codec can't decode")
    (tmp_path / "Pulumi.folder.yaml").mkdir()
    with pytest.raises(StackFileError, match="cannot be read"):
        load_stack_file("folder", tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "No such file or directory"),
        ("targets: [a:1]", "must be a list of {targets: [host:port, ...], labels: {...}}"),
        ("- targets: a:1", "must be a list of {targets: [host:port, ...], labels: {...}}"),
        ("- targets: []", "must be a list of {targets: [host:port, ...], labels: {...}}"),
        ("- targets: [[a]]", "must be a list of {targets: [host:port, ...], labels: {...}}"),
        ("- [", "while parsing a flow node"),
    ],
)
def test_a_target_file_that_prometheus_could_not_use_is_refused(tmp_path: Path, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / "targets.yaml").write_text(text)
    service = {"name": "shop", "team": "web", "discovery": {"file": {"file": "targets.yaml"}}}
    with pytest.raises(StackFileError) as caught:
        read_beside(stack(services=[service]), tmp_path / "Pulumi.test.yaml")
    assert f"services[0].discovery.file.file (is 'targets.yaml'): {words}" in str(caught.value)


def test_a_target_file_outside_of_the_stacks_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "outside.yaml").write_text("- targets: [a:1]")
    service = {"name": "shop", "team": "web", "discovery": {"file": {"file": "../outside.yaml"}}}
    with pytest.raises(StackFileError, match="must stand below the stack file's folder"):
        read_beside(stack(services=[service]), tmp_path / "inner" / "Pulumi.test.yaml")


def test_a_stack_file_is_planned_with_the_target_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "shop.json").write_text('[{"targets": ["shop-1:80"]}]')
    service = "{name: shop, team: web, discovery: {file: {file: shop.json}}}"
    write(tmp_path, f"config: {{observatory:stack: {{environment: test, services: [{service}]}}}}")
    _, plan = plan_stack_file("test", tmp_path)
    prometheus = plan.service("prometheus")
    assert prometheus is not None or "prometheus" in plan.unavailable
    files = [file for planned in (*plan.services, *plan.withheld) for file in planned.files]
    assert [file.content for file in files if file.path == "targets/shop.json"] == ['[{"targets": ["shop-1:80"]}]']
