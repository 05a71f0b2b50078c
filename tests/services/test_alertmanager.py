"""Alertmanager: how it is run, whom each alert reaches, and where its secrets stand."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import pytest

from components.config import parse_stack
from components.spec import Service
from tests.support import ACCESS, EVERYTHING, content, data, planned, service, stack

SECRETS = "/etc/alertmanager/current/secrets"
HOOK = {"type": "webhook", "url": "http://hook.example.com/"}


@cache
def everything() -> Service:
    return service(planned(parse_stack(copy.deepcopy(EVERYTHING), "stacks/Pulumi.test.yaml")), "alertmanager")


def alertmanager(**changes: Any) -> Service:
    return service(planned(stack(**changes)), "alertmanager")


def config(one: Service) -> dict[str, Any]:
    found: dict[str, Any] = data(one, "alertmanager.yml")
    return found


def receivers(one: Service) -> dict[str, dict[str, Any]]:
    return {receiver["name"]: receiver for receiver in config(one)["receivers"]}


def test_how_it_is_run() -> None:
    one = alertmanager()
    assert one.image == "quay.io/prometheus/alertmanager:v0.34.2"
    assert "--config.file=/etc/alertmanager/current/alertmanager.yml" in one.args
    assert "--storage.path=/alertmanager" in one.args
    assert "--cluster.listen-address=" in one.args, "alone: it needs no cluster and no port for it"
    assert "--web.external-url=http://localhost:9093" in one.args
    assert [(volume.name, volume.path) for volume in one.volumes] == [("alertmanager-data", "/alertmanager")]
    assert one.probe is not None
    assert one.probe.command == ("amtool", "--alertmanager.url=http://localhost:9093", "cluster", "show")
    assert [(port.number, port.published, port.address) for port in one.ports] == [(9093, 9093, "127.0.0.1")]


def test_access_control_is_followed_by_server_probe_and_the_receiver_that_calls_prometheus() -> None:
    one = alertmanager(access=ACCESS)
    assert "--web.config.file=/etc/alertmanager/current/web.yml" in one.args
    assert one.probe is not None
    assert "--http.config.file=/etc/alertmanager/current/client.yml" in one.probe.command
    assert "--alertmanager.url=https://localhost:9093" in one.probe.command
    (webhook,) = receivers(one)["verification"]["webhook_configs"]
    assert webhook["url"].startswith("https://prometheus:9090/")
    assert webhook["http_config"]["basic_auth"]["password_file"] == f"{SECRETS}/access-password"
    assert "http_config" not in receivers(alertmanager())["verification"]["webhook_configs"][0]


def test_without_channels_alerts_are_shown_but_sent_nowhere() -> None:
    found = config(alertmanager())
    assert found["route"]["receiver"] == "nobody"
    assert [receiver["name"] for receiver in found["receivers"]] == ["nobody", "verification"]
    assert found["receivers"][0] == {"name": "nobody"}
    assert [route["receiver"] for route in found["route"]["routes"]] == ["verification", "nobody"]


def test_every_route_leads_to_a_receiver_that_exists_once() -> None:
    found = config(everything())
    names = [receiver["name"] for receiver in found["receivers"]]
    assert len(set(names)) == len(names)
    assert {found["route"]["receiver"], *(route["receiver"] for route in found["route"]["routes"])} <= set(names)


def test_verification_and_the_dead_mans_switch_come_before_the_users_routes() -> None:
    first, second, *_ = config(everything())["route"]["routes"]
    assert first["matchers"] == ['verification!=""']
    assert first["group_wait"] == "0s"
    assert second == {
        "receiver": "log",
        "matchers": ['alertname="Watchdog"'],
        "group_wait": "0s",
        "group_interval": "1m",
        "repeat_interval": "2m",
    }


def test_several_channels_become_one_receiver_with_an_integration_of_each() -> None:
    joined = receivers(everything())["on-call,team-chat"]
    assert joined["webhook_configs"][0]["url_file"] == f"{SECRETS}/on-call-url"
    assert joined["slack_configs"][0]["api_url_file"] == f"{SECRETS}/team-chat-url"
    two = {"match": {"team": "b"}, "channels": ["a", "b"]}
    one = alertmanager(alerting={"channels": {"a": HOOK, "b": HOOK}, "default_channels": ["a", "b"], "routes": [two]})
    assert list(receivers(one)) == ["nobody", "verification", "a", "b", "a,b"]
    assert len(receivers(one)["a,b"]["webhook_configs"]) == 2


def test_matchers_are_quoted_and_lists_match_each_value_literally() -> None:
    critical, quoted = config(everything())["route"]["routes"][2:]
    assert critical["matchers"] == ['severity="critical"', 'zone=~"b|a\\\\|b"']
    assert critical["group_wait"] == "10s"
    assert "continue" not in critical
    assert quoted["matchers"] == ['team="say \\"hi\\""']
    assert quoted["continue"] is True


@pytest.mark.parametrize(
    ("value", "matcher"),
    [
        ("a", 'team="a"'),
        ("", 'team=""'),
        ("a\\b", 'team="a\\\\b"'),
        ("a\nb", 'team="a\\nb"'),
        (["a"], 'team=~"a"'),
        (["a.b", "c"], 'team=~"a\\\\.b|c"'),
        (["x$"], 'team=~"x\\\\$"'),
        ("ü", 'team="ü"'),
    ],
)
def test_any_text_can_be_matched(value: object, matcher: str) -> None:
    routes = [{"match": {"team": value}, "channels": ["a"]}]
    one = alertmanager(alerting={"channels": {"a": HOOK}, "routes": routes})
    assert config(one)["route"]["routes"][2]["matchers"] == [matcher]


def test_timings_and_groups_are_the_stack_files() -> None:
    alerting = {"group_by": ["team"], "group_wait": "1s", "group_interval": "2m", "repeat_interval": "3h"}
    route = config(alertmanager(alerting=alerting))["route"]
    # Drilled alerts have groups of their own.
    assert {key: route[key] for key in alerting} == {**alerting, "group_by": ["team", "drill"]}


def test_a_slack_message_goes_to_its_channel_with_links() -> None:
    (slack,) = receivers(everything())["team-chat"]["slack_configs"]
    assert slack["channel"] == "#alerts"
    assert slack["api_url_file"] == f"{SECRETS}/team-chat-url"
    assert slack["send_resolved"] is True
    buttons = {action["text"]: action["url"] for action in slack["actions"]}
    assert list(buttons) == ["Dashboard", "Runbook", "Silence"]
    assert buttons["Dashboard"].startswith("{{ or .CommonAnnotations.dashboard_url ")
    assert buttons["Dashboard"].endswith(' "https://grafana.example.com/dashboards" }}')
    assert '.CommonAnnotations.runbook_url "https://runbooks.example.com/pages/"' in buttons["Runbook"]


def test_a_webhook_has_its_address_here_or_in_a_secret_and_its_token_in_a_file() -> None:
    (log,) = receivers(everything())["log"]["webhook_configs"]
    assert log == {"url": "http://log.example.com/alerts", "send_resolved": False}
    (call,) = receivers(everything())["on-call"]["webhook_configs"]
    assert call == {
        "url_file": f"{SECRETS}/on-call-url",
        "send_resolved": True,
        "http_config": {"authorization": {"credentials_file": f"{SECRETS}/on-call-token"}},
    }


def test_secrets_are_files_that_are_read_each_time() -> None:
    files = {file.path: file for file in everything().files}
    for path, secret in (("on-call-url", "onCallUrl"), ("on-call-token", "onCallToken"), ("team-chat-url", "slackUrl")):
        assert content(everything(), f"secrets/{path}") == f"<secret:{secret}>"
        assert not files[f"secrets/{path}"].reload
    assert "secrets/log-url" not in files
