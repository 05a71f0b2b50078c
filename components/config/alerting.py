"""Where alerts go: channels, routes, the dead man's switch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from components.config.base import Duration, Label, Model, Name, Secret, Url


class SlackChannel(Model):
    """A Slack incoming webhook."""

    type: Literal["slack"]
    url: Secret
    channel: Annotated[str, Field(pattern=r"^[#@]\S+$")] | None = None
    send_resolved: bool = True


class WebhookChannel(Model):
    """Alertmanager's own JSON by HTTP POST. `url` is a secret where it holds a credential."""

    type: Literal["webhook"]
    url: Url | Secret
    send_resolved: bool = True
    bearer_token: Secret | None = None


Channel = Annotated[SlackChannel | WebhookChannel, Field(discriminator="type")]


class Route(Model):
    """Alerts whose labels equal `match` go to these channels."""

    match: dict[Label, str | Annotated[tuple[str, ...], Field(min_length=1)]] = Field(
        min_length=1, description="Label to value, or to any of a list."
    )
    channels: tuple[Name, ...] = Field(min_length=1)
    group_wait: Duration | None = None
    group_interval: Duration | None = None
    repeat_interval: Duration | None = None
    continue_: bool = Field(default=False, alias="continue", description="Also try the routes that follow.")


class DeadMansSwitch(Model):
    """Where the always-firing Watchdog alert goes: a service that calls you when it stops arriving."""

    channel: Name
    repeat_interval: Duration = "5m"


class Alerting(Model):
    """Alert delivery."""

    channels: dict[Name, Channel] = Field(default_factory=dict)
    default_channels: tuple[Name, ...] = Field(
        default=(), description="Receive what no route takes. Empty: such alerts are only shown in the UIs."
    )
    routes: tuple[Route, ...] = ()
    group_by: tuple[Label, ...] = ("alertname", "service")
    group_wait: Duration = "30s"
    group_interval: Duration = "5m"
    repeat_interval: Duration = "4h"
    dead_mans_switch: DeadMansSwitch | None = None
    runbooks_url: Url | None = Field(default=None, description="Where the pages of runbooks/ are published.")
