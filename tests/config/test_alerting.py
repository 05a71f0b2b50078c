"""Channels, routes and time intervals: what is refused, word by word, and that amtool takes all that is not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.config import StackFileError, parse_stack
from components.yaml_text import load
from operations import programs
from operations.layout import laid_out
from tests.support import CHANNELS, MINIMAL, ROUTED, changed, planned, service, stack

FILE = "stacks/Pulumi.test.yaml"
HOOK = {"type": "webhook", "url": "http://hook.example.com/"}
MAIL = {"type": "email", "from": "a@example.com", "to": ["b@example.com"], "smarthost": "smtp.example.com:587"}
GENIE = {"type": "opsgenie", "api_key": {"secret": "key"}}
SECRET = {"secret": "aSecret"}
WEEKEND = {"weekend": [{"weekdays": ["saturday", "sunday"]}]}


def error_of(alerting: dict[str, Any], **changes: Any) -> str:
    with pytest.raises(StackFileError) as caught:
        stack(alerting=alerting, **changes)
    return str(caught.value)


def with_channel(**channel: Any) -> dict[str, Any]:
    return {"channels": {"a": channel}, "default_channels": ["a"]}


def with_route(**route: Any) -> dict[str, Any]:
    intervals = {name: [{"years": [2027]}] for key in ("mute", "active") for name in route.get(key, ())}
    return {
        "channels": {"a": HOOK},
        "routes": [{"match": {"team": "x"}, "channels": ["a"], **route}],
        "time_intervals": intervals,
    }


def with_interval(**interval: Any) -> dict[str, Any]:
    return {**with_route(mute=["w"]), "time_intervals": {"w": [interval]}}


WEB = "must be a URL with a host, a port of 1 to 65535 if any, and no bad characters"
CHANNEL_CASES = [
    ({**HOOK, "url": "http://hook:99999/"}, f"a.url: {WEB}; or must name a secret"),
    ({**HOOK, "url": "http://hook:0/"}, f"a.url: {WEB}; or must name a secret"),
    ({**HOOK, "url": "http://hook:/"}, f"a.url: {WEB}; or must name a secret"),
    ({**HOOK, "url": "http://[::1/"}, f"a.url: {WEB}; or must name a secret"),
    ({**HOOK, "url": "http://a%zz/"}, f"a.url: {WEB}; or must name a secret"),
    ({**HOOK, "url": "http://hook/%zz"}, f"a.url: {WEB}; or must name a secret"),
    ({**HOOK, "url": "http://hook/\x07"}, f"a.url: {WEB}; or must name a secret"),
    ({"type": "slack"}, "a: needs exactly one of url (incoming webhook) and token (app)"),
    ({"type": "slack", "url": SECRET, "token": SECRET}, "a: needs exactly one of url (incoming webhook) and token"),
    ({"type": "slack", "token": SECRET}, "a: token needs channel: an app is bound to none"),
    (
        {"type": "slack", "url": SECRET, "api_url": "https://slack-gov.com/"},
        "a: api_url goes with token; a webhook's address is its url",
    ),
    (
        {"type": "pagerduty", "routing_key": "abc"},
        "a.routing_key: must name a secret, for example {secret: aRoutingKey}",
    ),
    ({"type": "pagerduty"}, "a.routing_key: is required"),
    (
        {"type": "pagerduty", "routing_key": SECRET, "api_url": "ftp://x"},
        "a.api_url (is 'ftp://x'): must be a URL such as https://example.com/path, without a login in it",
    ),
    ({**MAIL, "to": []}, "a.to: must name at least one"),
    ({**MAIL, "to": ["b"]}, "a.to[0] (is 'b'): must be a mail address such as sre@example.com"),
    ({**MAIL, "to": ["b@example.com", "b@example.com"]}, "a: to names somebody twice"),
    (
        {**MAIL, "from": "{{ .X }}@example.com"},
        "a.from (is '{{ .X }}@example.com'): must be a mail address such as sre@example.com",
    ),
    (
        {**MAIL, "smarthost": "smtp.example.com"},
        "a.smarthost (is 'smtp.example.com'): must be host:port, such as smtp.example.com:587",
    ),
    ({**MAIL, "smarthost": "smtp:65536"}, "a: smarthost smtp:65536 must have a port of 1 to 65535"),
    ({**MAIL, "username": "u"}, "a: username and password go together: give both or neither"),
    ({**MAIL, "password": SECRET}, "a: username and password go together: give both or neither"),
    (
        {**MAIL, "username": "u", "password": SECRET, "require_tls": False},
        "a: require_tls: false would send the password in plain text",
    ),
    (
        {**GENIE, "responders": [{"type": "team"}]},
        "a.responders[0]: needs exactly one of name, id, username; has none",
    ),
    (
        {**GENIE, "responders": [{"type": "team", "name": "x", "id": "y"}]},
        "a.responders[0]: needs exactly one of name, id, username; has name, id",
    ),
    (
        {**GENIE, "responders": [{"type": "user", "name": "x"}]},
        "a.responders[0]: a user has a username or an id, everything else a name or an id",
    ),
    (
        {**GENIE, "responders": [{"type": "team", "username": "x@example.com"}]},
        "a.responders[0]: a user has a username or an id, everything else a name or an id",
    ),
]


@pytest.mark.parametrize(("channel", "words"), CHANNEL_CASES)
def test_a_channel_that_cannot_work_is_refused(channel: dict[str, Any], words: str) -> None:
    assert error_of(with_channel(**channel)).startswith(f"{FILE}: 1 problem\n  alerting.channels.{words}")


LATE = "must be at most 120h: Alertmanager forgets by then what it has sent, and repeats"
ROUTE_CASES = [
    ({"match": {}}, ": needs match or not_match; what every alert goes to is default_channels"),
    ({"match": {"team": []}}, ".match.team: must be text; or must name at least one"),
    ({"channels": []}, ".channels: must name at least one"),
    (
        {"digest": "daily", "group_by": ["team"], "repeat_interval": "1d"},
        ": digest sets group_by, repeat_interval itself; leave out one or the other",
    ),
    ({"digest": "daily", "group_interval": "1d"}, ": digest sets group_interval itself; leave out one or the other"),
    (
        {"digest": "daily", "mute": ["w"]},
        ": a digest comes once a day at no set time, so mute and active could swallow it",
    ),
    (
        {"digest": "daily", "active": ["w"]},
        ": a digest comes once a day at no set time, so mute and active could swallow it",
    ),
    ({"digest": "weekly"}, ".digest (is 'weekly'): input should be 'daily'"),
    ({"group_by": ["team", "x", "team"]}, ".group_by: names team twice"),
    ({"group_by": []}, ".group_by: must name at least one"),
    ({"mute": ["w", "w"]}, ": mute names a time interval twice"),
    ({"mute": ["w"], "active": ["w"]}, ".mute (is w): is in active, too: nothing would ever be sent"),
    (
        {"group_interval": "7m"},
        ".repeat_interval (is 4h): must be a multiple of group_interval 7m: Alertmanager repeats at no other time",
    ),
    (
        {"repeat_interval": "3m"},
        ".repeat_interval (is 3m): must be a multiple of group_interval 5m: Alertmanager repeats at no other time",
    ),
    ({"repeat_interval": "121h"}, f".repeat_interval (is 121h): {LATE}"),
]


@pytest.mark.parametrize(("route", "words"), ROUTE_CASES)
def test_a_route_that_contradicts_itself_is_refused(route: dict[str, Any], words: str) -> None:
    assert error_of(with_route(**route)) == f"{FILE}: 1 problem\n  alerting.routes[0]{words}"


DAYS = "must be a day of the month such as 1 or -1 (the last), or 1:7"
INTERVAL_CASES: list[tuple[dict[str, Any], str]] = [
    ({}, ": names no time at all, which would be always"),
    ({"location": "Europe/Berlin"}, ": names no time at all, which would be always"),
    (
        {"years": [2027], "location": "Europe/Berln"},
        ".location (is 'Europe/Berln'): must be a time zone such as Europe/Berlin or UTC",
    ),
    (
        {"weekdays": ["saturday:sunday"]},
        ".weekdays[0] (is 'saturday:sunday'): must be in order; write saturday:sunday as two entries",
    ),
    (
        {"weekdays": ["Monday"]},
        ".weekdays[0] (is 'Monday'): must be a day such as monday, or monday:friday; the week begins on sunday",
    ),
    (
        {"times": [{"start_time": 1020, "end_time": "24:00"}]},
        '.times[0].start_time (is 1020): must be in quotes, for example "17:00": without them YAML reads a number',
    ),
    (
        {"times": [{"start_time": "22:00", "end_time": "06:00"}]},
        ".times[0]: end_time must be later than start_time; write a night as two entries, up to 24:00",
    ),
    ({"days_of_month": [0]}, f".days_of_month[0] (is 0): {DAYS}"),
    ({"days_of_month": ["32"]}, f".days_of_month[0] (is '32'): {DAYS}"),
    ({"days_of_month": ["-3:3"]}, f".days_of_month[0] (is '-3:3'): {DAYS}, in order in every month"),
    ({"days_of_month": ["7:1"]}, f".days_of_month[0] (is '7:1'): {DAYS}, in order in every month"),
    ({"days_of_month": ["30:-1"]}, f".days_of_month[0] (is '30:-1'): {DAYS}, in order in every month"),
    ({"months": [13]}, ".months[0] (is 13): must be a month such as january or 1, or june:august"),
    (
        {"months": ["august:june"]},
        ".months[0] (is 'august:june'): must be in order; write august:june as two entries",
    ),
    ({"years": ["27"]}, ".years[0] (is '27'): must be a year such as 2027, or 2027:2029"),
]


@pytest.mark.parametrize(("interval", "words"), INTERVAL_CASES)
def test_a_time_that_never_comes_or_cannot_be_read_is_refused(interval: dict[str, Any], words: str) -> None:
    assert error_of(with_interval(**interval)) == f"{FILE}: 1 problem\n  alerting.time_intervals.w[0]{words}"


def test_time_intervals_are_defined_and_used() -> None:
    text = error_of({**with_route(mute=["w"]), "time_intervals": WEEKEND})
    assert "alerting.routes[0].mute (is w): no time interval is called that; time intervals: weekend\n" in text
    assert text.endswith(
        "alerting.time_intervals.weekend: is not used\n      hint: name it in `mute` or `active` of a route"
    )
    assert "is not used" not in error_of(with_route(active=["w"], digest="daily"))
    text = error_of({**with_route(), "time_intervals": {"w": []}})
    assert text == f"{FILE}: 1 problem\n  alerting.time_intervals.w: must name at least one"


def test_the_channels_of_a_service_are_defined_and_count_as_used() -> None:
    shop = {"name": "shop", "team": "web", "discovery": {"static": {"targets": ["shop:80"]}}, "channels": ["a", "b"]}
    text = error_of({"channels": {"a": HOOK}}, services=[shop])
    assert text == f"{FILE}: 1 problem\n  services[0].channels (is b): no channel is called that; channels: a"
    stack(alerting={"channels": {"a": HOOK}}, services=[{**shop, "channels": ["a"]}])


def test_no_channel_has_the_name_of_a_secret_of_the_stack() -> None:
    text = error_of({"channels": {"access": HOOK}, "default_channels": ["access"]})
    assert text == f"{FILE}: 1 problem\n  alerting.channels.access: is the name of a secret of the stack itself"


@pytest.mark.parametrize(
    ("switch", "words"),
    [("90s", "must be a multiple of group_interval 1m: Alertmanager repeats at no other time"), ("6d", LATE)],
)
def test_the_dead_mans_switch_calls_when_alertmanager_looks(switch: str, words: str) -> None:
    alerting = {"channels": {"a": HOOK}, "dead_mans_switch": {"channel": "a", "repeat_interval": switch}}
    key = "alerting.dead_mans_switch.repeat_interval"
    assert error_of(alerting) == f"{FILE}: 1 problem\n  {key} (is {switch}): {words}"


@pytest.mark.parametrize(
    "alerting",
    [
        with_route(repeat_interval="120h"),
        with_route(group_interval="1500ms", repeat_interval="3s"),
        with_route(group_interval="1h", repeat_interval="1h"),
        with_route(match={}, not_match={"team": "x"}),
        with_route(digest="daily", group_wait="1s"),
        with_interval(days_of_month=["-3:-1", "1:31", 28, "25:-1"], months=["january:12"], years=["2027:2027"]),
        with_interval(times=[{"start_time": "00:00", "end_time": "23:59"}], location="America/Argentina/Ushuaia"),
    ],
)
def test_the_edges_of_what_is_allowed_are_allowed(alerting: dict[str, Any]) -> None:
    assert check(stack(alerting=alerting)) == ""


def check(config: Any) -> str:
    """What amtool has against the configuration that is rendered from a stack; nothing where it takes it."""
    amtool = programs.find("amtool")
    assert amtool, "amtool is needed: `make ready` prepares it"
    with laid_out(planned(config)) as folder:
        answer = programs.run(
            amtool, ("--enable-feature=utf8-strict-mode", "check-config", "alertmanager.yml"), folder / "alertmanager"
        )
    return "" if answer.code == 0 else answer.text


def test_amtool_takes_every_kind_of_channel_route_and_time() -> None:
    assert check(parse_stack(changed(ROUTED), FILE)) == ""
    assert {*CHANNELS} <= {*names(parse_stack(changed(ROUTED), FILE))}


def names(config: Any) -> list[str]:
    (file,) = (file for file in service(planned(config), "alertmanager").files if file.path == "alertmanager.yml")
    return [receiver["name"] for receiver in load(file.content)["receivers"]]


ODD = st.one_of(
    st.sampled_from(["", " ", '"', "\\", "a|b", "{{ . }}", "ü", "\n", "${x}", "#x", "a:b", "<", "1", "null", "~", "-"]),
    st.text(max_size=8),
)
HOSTS = ["h", "[::1]", "10.0.0.1", "h_x", "[::g]", "[::1", "-", "h..x", "h:", "h:80", "h:0", "h:65536", "h:x", "a%41"]
PATHS = ["", "/", "/a?b=c#d", "/%", "/%41", "?x", "/%4", "#", "/[x]", "/a:b", "//"]
URLS = st.builds(
    "http://{}{}".format,
    st.one_of(st.sampled_from(HOSTS), ODD),
    st.one_of(st.sampled_from(PATHS), ODD.map("/{}".format)),
)
NUMBERS = st.one_of(st.integers(-33, 33), st.integers(1968, 2040))
WORDS = [
    "monday",
    "friday:monday",
    "monday:friday",
    "march:may",
    "may:1",
    "1:may",
    "",
    ":",
    "1:",
    ":1",
    "+1",
    "01",
    "1:2:3",
]
RANGES = st.one_of(st.builds("{}:{}".format, NUMBERS, NUMBERS), NUMBERS, st.sampled_from(WORDS))
TIME_LISTS = st.sampled_from(["weekdays", "days_of_month", "months", "years"])
CLOCKS = st.one_of(st.builds("{:02}:{:02}".format, st.integers(0, 25), st.integers(0, 61)), ODD)
ALERTINGS = st.one_of(
    st.builds(lambda url: with_channel(**{**HOOK, "url": url}), URLS),
    st.builds(lambda url: with_channel(**{**GENIE, "api_url": url}), URLS),
    st.builds(lambda text: with_channel(type="slack", url=SECRET, channel=f"#{text}"), ODD),
    st.builds(lambda text: with_channel(**{**GENIE, "responders": [{"type": "team", "name": text}]}), ODD),
    st.builds(lambda text: with_channel(**{**MAIL, "to": [f"x{text}@example.com"]}), ODD),
    st.builds(
        lambda text: with_channel(**{**MAIL, "smarthost": f"{text}:25", "username": text, "password": SECRET}), ODD
    ),
    st.builds(lambda text: with_route(match={"a": text}, not_match={"b": text}), ODD),
    st.builds(lambda texts: with_route(match={"a": texts}, not_match={"b": texts}), st.lists(ODD, max_size=3)),
    st.builds(lambda key, ranges: with_interval(**{key: ranges}), TIME_LISTS, st.lists(RANGES, min_size=1, max_size=2)),
    st.builds(lambda begin, end: with_interval(times=[{"start_time": begin, "end_time": end}]), CLOCKS, CLOCKS),
)


@settings(max_examples=200, deadline=None, suppress_health_check=[*HealthCheck])
@given(ALERTINGS)
def test_what_the_models_take_amtool_takes(alerting: dict[str, Any]) -> None:
    """Else a mistake in the stack file would be found by Alertmanager only, in the middle of a deployment."""
    try:
        config = parse_stack({**MINIMAL, "alerting": alerting, "grafana": {"enabled": False}}, FILE)
    except StackFileError:
        return
    assert check(config) == "", alerting
