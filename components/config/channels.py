"""Channels: the places outside of the stack that alerts are sent to."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from components.config.base import Matching, Model, NotEmpty, Secret, Switch, Url

Address = Annotated[
    str,
    Matching(
        r"^[A-Za-z0-9._+=&'*/?^~#!$%-]+@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$",
        "a mail address such as sre@example.com, without a name or a template",
    ),
]
"""A bare mail address; braces would make it a template."""


class _Channel(Model):
    send_resolved: Switch = Field(default=True, description="Also tell when an alert ends.")


class SlackChannel(_Channel):
    """Slack: an incoming webhook (`url`), or an app with the permission chat:write (`token` and `channel`)."""

    type: Literal["slack"]
    url: Secret | None = Field(default=None, description="The address of the webhook.")
    token: Secret | None = Field(default=None, description="The app's bot token, in place of `url`.")
    channel: (
        Annotated[
            str,
            Matching(
                r"^([#@][^\s{}]+|[CDG][A-Z0-9]{7,})$", '"#channel", "@user" (in quotes) or an id such as C01234567'
            ),
        ]
        | None
    ) = Field(default=None, description="`#channel`, `@user` or an id. Default: the one that the webhook was made for.")
    api_url: Url | None = Field(
        default=None, description="With `token`: another address than https://slack.com/api/chat.postMessage."
    )

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        if (self.url is None) == (self.token is None):
            raise ValueError("needs exactly one of url (incoming webhook) and token (app)")
        if self.token and not self.channel:
            raise ValueError("token needs channel: an app is bound to none")
        if self.url and self.api_url:
            raise ValueError("api_url goes with token; a webhook's address is its url")
        return self


class WebhookChannel(_Channel):
    """Alertmanager's own JSON by HTTP POST."""

    type: Literal["webhook"]
    url: Url | Secret = Field(description="The address; a secret where it holds a credential.")
    bearer_token: Secret | None = Field(default=None, description="Sent in the Authorization header.")


class PagerDutyChannel(_Channel):
    """PagerDuty, by its Events API v2."""

    type: Literal["pagerduty"]
    routing_key: Secret = Field(description="Integration key of a service, of type Events API v2.")
    api_url: Url | None = Field(
        default=None, description="Default: https://events.pagerduty.com/v2/enqueue; EU: events.eu.pagerduty.com."
    )


class EmailChannel(_Channel):
    """E-mail by SMTP, as HTML with a plain text alternative."""

    type: Literal["email"]
    to: Annotated[tuple[Address, ...], NotEmpty()] = Field(description="Who gets it.")
    sender: Address = Field(alias="from", description="Who it is from.")
    smarthost: Annotated[
        str,
        Matching(r"^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+):[1-9][0-9]{0,4}$", "host:port, such as smtp.example.com:587"),
    ] = Field(description="host:port of the mail server: 587 for STARTTLS, 465 for TLS from the start.")
    username: str | None = Field(default=None, min_length=1, description="To log in with; with `password`.")
    password: Secret | None = Field(default=None, description="Of that user.")
    require_tls: Switch = Field(default=True, description="Send nothing over a connection that is not encrypted.")
    ca: Secret | None = Field(default=None, description="Authority to trust, PEM. Default: those of the image.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if int(self.smarthost.rpartition(":")[2]) > 65535:
            raise ValueError(f"smarthost {self.smarthost} must have a port of 1 to 65535")
        if (self.username is None) != (self.password is None):
            raise ValueError("username and password go together: give both or neither")
        if self.password and not self.require_tls:
            raise ValueError("require_tls: false would send the password in plain text")
        if len(set(self.to)) < len(self.to):
            raise ValueError("to names somebody twice")
        return self


Plain = Annotated[str, Matching(r"^[^{}]+$", "some text without braces")]


class Responder(Model):
    """Who OpsGenie calls: one of `name`, `id` and, for a user, `username`."""

    type: Literal["team", "user", "escalation", "schedule"]
    name: Plain | None = Field(default=None, description="By name.")
    id: Plain | None = Field(default=None, description="By id.")
    username: Address | None = Field(default=None, description="A user by mail address.")

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [key for key in ("name", "id", "username") if getattr(self, key)]
        if len(given) != 1:
            raise ValueError(f"needs exactly one of name, id, username; has {', '.join(given) or 'none'}")
        if (self.username is not None) != (self.type == "user" and self.id is None):
            raise ValueError("a user has a username or an id, everything else a name or an id")
        return self


class OpsGenieChannel(_Channel):
    """OpsGenie, by its alert API. That API ends on 2027-04-05: choose another for what shall last."""

    type: Literal["opsgenie"]
    api_key: Secret = Field(description="Key of an integration of type API.")
    responders: tuple[Responder, ...] = Field(default=(), description="Default: those of the integration.")
    api_url: Url | None = Field(
        default=None, description="Default: https://api.opsgenie.com/; EU: https://api.eu.opsgenie.com/."
    )


Channel = Annotated[
    SlackChannel | PagerDutyChannel | EmailChannel | WebhookChannel | OpsGenieChannel, Field(discriminator="type")
]
