"""Channels as Alertmanager's receivers: their settings, their secrets, and what people are told about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.yaml_text import dump
from operations import validate
from tests.support import ROUTED, content, data, plan_of, planned, service, stack

SECRETS = "/etc/alertmanager/current/secrets"


def test_secrets_of_every_channel_stand_in_files_only() -> None:
    one = service(plan_of("routed"), "alertmanager")
    files = {file.path: file for file in one.files if file.path.startswith("secrets/")}
    assert {path: file.secrets for path, file in files.items()} == {
        "secrets/mail-ca": ("smtpCa",),
        "secrets/mail-password": ("smtpPassword",),
        "secrets/opsgenie-api-key": ("opsgenieKey",),
        "secrets/pagerduty-eu-routing-key": ("pagerdutyEuKey",),
        "secrets/pagerduty-routing-key": ("pagerdutyKey",),
        "secrets/secret-hook-token": ("hookToken",),
        "secrets/secret-hook-url": ("hookUrl",),
        "secrets/slack-app-token": ("slackToken",),
        "secrets/slack-url": ("slackUrl",),
    }
    assert not any(file.reload or not file.live for file in files.values()), "they are read each time"
    text = content(one, "alertmanager.yml")
    assert "<secret:" not in text
    for path in files:
        assert f"/etc/alertmanager/current/{path}\n" in text


def test_each_channel_becomes_its_integration() -> None:
    config = data(service(plan_of("routed"), "alertmanager"), "alertmanager.yml")
    found = {receiver["name"]: receiver for receiver in config["receivers"]}

    def settings(name: str, kind: str, *keys: str) -> list[Any]:
        (one,) = found[name][f"{kind}_configs"]
        return [one.get(key) for key in keys]

    app = settings("slack-app", "slack", "app_token_file", "app_url", "channel", "api_url_file")
    assert app == [f"{SECRETS}/slack-app-token", "https://slack-gov.com/api/chat.postMessage", "@sre", None]
    assert settings("pagerduty", "pagerduty", "routing_key_file", "url", "send_resolved") == [
        f"{SECRETS}/pagerduty-routing-key",
        None,
        True,
    ]
    assert settings("pagerduty-eu", "pagerduty", "url", "send_resolved") == [
        "https://events.eu.pagerduty.com/v2/enqueue",
        False,
    ]
    assert settings("mail", "email", "to", "from", "smarthost", "require_tls", "send_resolved") == [
        "sre@example.com, team@example.com",
        "alerts@example.com",
        "smtp.example.com:587",
        True,
        True,
    ]
    assert settings("mail", "email", "auth_username", "auth_password_file", "tls_config") == [
        "alerts",
        f"{SECRETS}/mail-password",
        {"ca_file": f"{SECRETS}/mail-ca"},
    ]
    assert settings("mail-plain", "email", "require_tls", "auth_username", "tls_config") == [False, None, None]
    assert settings("opsgenie", "opsgenie", "api_key_file", "api_url") == [
        f"{SECRETS}/opsgenie-api-key",
        "https://api.eu.opsgenie.com",
    ]
    assert settings("opsgenie", "opsgenie", "responders") == [
        [
            {"type": "team", "name": "SRE"},
            {"type": "user", "username": "sre@example.com"},
            {"type": "schedule", "id": "4513b7ea"},
        ]
    ]


def test_people_are_told_of_channels_that_end_and_keys_that_travel_openly() -> None:
    genie = {"type": "opsgenie", "api_key": {"secret": "a"}, "api_url": "http://proxy.example.com/"}
    pager = {"type": "pagerduty", "routing_key": {"secret": "b"}, "api_url": "https://proxy.example.com/"}
    notes = planned(
        stack(alerting={"channels": {"genie": genie, "pager": pager}, "default_channels": ["genie", "pager"]})
    ).notes
    assert notes[:2] == (
        (
            "alerting.channels.genie: OpsGenie and its API end on 2027-04-05, alerts will be lost then; "
            "move to pagerduty, slack, email or webhook"
        ),
        "alerting.channels.genie.api_url: its key travels unencrypted; use https outside of this machine",
    )


def test_validate_tells_people_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "Pulumi.test.yaml"
    file.write_text(dump({"config": {"observatory:stack": ROUTED}}))
    monkeypatch.setattr(validate, "validate_plan", lambda config, plan: [])
    assert validate.validate_command([str(file)], json=False) == 0
    assert "alerting.channels.opsgenie: OpsGenie and its API end on 2027-04-05" in capsys.readouterr().err
