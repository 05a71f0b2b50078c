"""Alertmanager's receivers: one for each channel, and one for each set of channels that a route names together.

Secrets stand in files that Alertmanager reads each time, never in its configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from components.config.alerting import Alerting
from components.config.base import Secret
from components.config.channels import (
    Channel,
    EmailChannel,
    OpsGenieChannel,
    PagerDutyChannel,
    SlackChannel,
    WebhookChannel,
)
from components.services.alertmanager_messages import Links, message
from components.spec import Call, File, secret_token

OPSGENIE_ENDS = "2027-04-05"
"""Atlassian switches off OpsGenie with its API on that day."""
Settings = dict[str, Any]
C = TypeVar("C")


class Receivers:
    """Collects the receivers that routes ask for; `folder` is where Alertmanager finds the secrets."""

    def __init__(self, channels: Mapping[str, Channel], links: Links, folder: str) -> None:
        self._channels, self._links, self._folder = channels, links, folder
        self._found: dict[str, Settings] = {}
        for name in sorted(channels):
            self.named((name,))

    def named(self, channels: tuple[str, ...]) -> str:
        """The name of the receiver for these channels, which is made when it is first asked for.

        The names of channels joined by commas: Alertmanager leaves those as they are in a webhook's body.
        """
        name = ",".join(channels)
        if name not in self._found:
            receiver: Settings = {"name": name}
            for channel in channels:
                kind, settings = self._integration(channel)
                receiver.setdefault(kind, []).append(settings)
            self._found[name] = receiver
        return name

    def all(self) -> list[Settings]:
        """Every receiver so far: the channels by name, then the sets in the order of their routes."""
        return list(self._found.values())

    def _integration(self, name: str) -> tuple[str, Settings]:
        channel = self._channels[name]
        kind, settings = _INTEGRATIONS[type(channel)](channel, f"{self._folder}/{name}")
        return kind, {"send_resolved": channel.send_resolved, **settings, **message(channel, self._links)}


def _slack(channel: SlackChannel, secrets: str) -> tuple[str, Settings]:
    way = {"api_url_file": f"{secrets}-url"} if channel.url else {"app_token_file": f"{secrets}-token"}
    return "slack_configs", way | _given(app_url=channel.api_url, channel=channel.channel)


def _webhook(channel: WebhookChannel, secrets: str) -> tuple[str, Settings]:
    url = {"url_file": f"{secrets}-url"} if isinstance(channel.url, Secret) else {"url": channel.url}
    token = {"authorization": {"credentials_file": f"{secrets}-token"}} if channel.bearer_token else None
    return "webhook_configs", url | _given(http_config=token)


def _pagerduty(channel: PagerDutyChannel, secrets: str) -> tuple[str, Settings]:
    return "pagerduty_configs", {"routing_key_file": f"{secrets}-routing-key", **_given(url=channel.api_url)}


def _email(channel: EmailChannel, secrets: str) -> tuple[str, Settings]:
    return "email_configs", {
        "to": ", ".join(channel.to),
        "from": channel.sender,
        "smarthost": channel.smarthost,
        "require_tls": channel.require_tls,
        **_given(
            auth_username=channel.username,
            auth_password_file=f"{secrets}-password" if channel.password else None,
            tls_config={"ca_file": f"{secrets}-ca"} if channel.ca else None,
        ),
    }


def _opsgenie(channel: OpsGenieChannel, secrets: str) -> tuple[str, Settings]:
    responders = [responder.model_dump(exclude_none=True) for responder in channel.responders]
    return "opsgenie_configs", {
        "api_key_file": f"{secrets}-api-key",
        **_given(api_url=channel.api_url, responders=responders),
    }


_INTEGRATIONS: dict[type[Any], Callable[[Any, str], tuple[str, Settings]]] = {
    SlackChannel: _slack,
    WebhookChannel: _webhook,
    PagerDutyChannel: _pagerduty,
    EmailChannel: _email,
    OpsGenieChannel: _opsgenie,
}


def _given(**settings: Any) -> Settings:
    """Those of the settings that the stack file gives; Alertmanager has defaults for the others."""
    return {key: value for key, value in settings.items() if value}


def secret_files(alerting: Alerting) -> tuple[File, ...]:
    """A file for each secret of each channel."""
    return tuple(
        File(f"secrets/{name}-{key}", secret_token(secret.secret), reload=False)
        for name, channel in sorted(alerting.channels.items())
        for key, secret in _secrets(channel)
    )


def _secrets(channel: Channel) -> Iterator[tuple[str, Secret]]:
    for field in type(channel).model_fields:
        value = getattr(channel, field)
        if isinstance(value, Secret):
            # A bearer token's file has the name that stacks have had from the beginning.
            yield field.removeprefix("bearer_").replace("_", "-"), value


def outside_calls(alerting: Alerting) -> tuple[Call, ...]:
    """Where channels lead. Only the providers' own addresses have a port for certain, 443."""
    own = (SlackChannel, PagerDutyChannel, OpsGenieChannel)
    channels = alerting.channels.values()
    known = all(isinstance(channel, own) and not channel.api_url for channel in channels)
    return (Call(port=443 if known else None),) if channels else ()


def channel_notes(alerting: Alerting) -> list[str]:
    """What people should know about their channels though it is no mistake, a line each."""
    notes = []
    for name, channel in sorted(alerting.channels.items()):
        place = f"alerting.channels.{name}"
        if isinstance(channel, OpsGenieChannel):
            other = "move to pagerduty, slack, email or webhook"
            notes.append(f"{place}: OpsGenie and its API end on {OPSGENIE_ENDS}, alerts will be lost then; {other}")
        if (getattr(channel, "api_url", None) or "").startswith("http://"):
            notes.append(f"{place}.api_url: its key travels unencrypted; use https outside of this machine")
    return notes
