"""Where alerts go: channels, routes, the dead man's switch."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from components.config.base import Duration, Label, Model, Name, Secret, Url


class SlackChannel(Model):
    """A Slack incoming webhook."""

    type: Literal["slack"]
    url: Secret = Field(description="The address of the webhook.")
    channel: Annotated[str, Field(pattern=r"^[#@]\S+$")] | None = Field(
        default=None, description="`#channel` or `@user`. Default: the one that the webhook was made for."
    )
    send_resolved: bool = Field(default=True, description="Also tell when an alert ends.")


class WebhookChannel(Model):
    """Alertmanager's own JSON by HTTP POST."""

    type: Literal["webhook"]
    url: Url | Secret = Field(description="The address; a secret where it holds a credential.")
    send_resolved: bool = Field(default=True, description="Also tell when an alert ends.")
    bearer_token: Secret | None = Field(default=None, description="Sent in the Authorization header.")


Channel = Annotated[SlackChannel | WebhookChannel, Field(discriminator="type")]


class Route(Model):
    """Alerts whose labels equal `match` go to these channels."""

    match: dict[Label, str | Annotated[tuple[str, ...], Field(min_length=1)]] = Field(
        min_length=1, description="Label to value, or to any of a list."
    )
    channels: tuple[Name, ...] = Field(min_length=1, description="Names of channels; each gets the alert.")
    group_wait: Duration | None = Field(default=None, description="Default: that of `alerting`.")
    group_interval: Duration | None = Field(default=None, description="Default: that of `alerting`.")
    repeat_interval: Duration | None = Field(default=None, description="Default: that of `alerting`.")
    continue_: bool = Field(default=False, alias="continue", description="Also try the routes that follow.")


class DeadMansSwitch(Model):
    """Where the always-firing Watchdog alert goes: a service that calls you when it stops arriving."""

    channel: Name = Field(description="Name of a channel.")
    repeat_interval: Duration = Field(default="5m", description="How often it calls.")


class Alerting(Model):
    """Alert delivery."""

    channels: dict[Name, Channel] = Field(default_factory=dict, description="Name to channel; each must be in use.")
    default_channels: tuple[Name, ...] = Field(
        default=(), description="Receive what no route takes. Empty: such alerts are only shown in the UIs."
    )
    routes: tuple[Route, ...] = Field(default=(), description="Asked in their order; the first that matches counts.")
    group_by: tuple[Label, ...] = Field(
        default=("alertname", "service"), description="Alerts with the same values of these labels share a message."
    )
    group_wait: Duration = Field(default="30s", description="From the first alert of a group to its message.")
    group_interval: Duration = Field(default="5m", description="From one message of a group to the next with news.")
    repeat_interval: Duration = Field(default="4h", description="From one message to the same again.")
    dead_mans_switch: DeadMansSwitch | None = Field(
        default=None, description="Who is called as long as alerts arrive. Default: nobody."
    )
    runbooks_url: Url | None = Field(default=None, description="Where the pages of runbooks/ are published.")
