"""Routes of the stack file in Alertmanager's tree: digests, times, services' channels; the stack's own come first."""

from __future__ import annotations

from typing import Any

from components.config.alerting import RETENTION
from components.config.base import seconds
from components.spec import Service
from tests.support import data, plan_of, planned, service, stack

HOOK = {"type": "webhook", "url": "http://hook.example.com/"}


def alertmanager(**changes: Any) -> Service:
    return service(planned(stack(**changes)), "alertmanager")


def config(one: Service) -> dict[str, Any]:
    found: dict[str, Any] = data(one, "alertmanager.yml")
    return found


def routes_of(**route: Any) -> dict[str, Any]:
    """How one route of the stack file is rendered."""
    intervals = {"w": [{"weekdays": ["sunday"]}]} if {"mute", "active"} & {*route} else {}
    routes = [{"match": {"team": "x"}, "channels": ["a"], **route}]
    one = alertmanager(alerting={"channels": {"a": HOOK}, "routes": routes, "time_intervals": intervals})
    found: dict[str, Any] = config(one)["route"]["routes"][2]
    return found


def test_what_must_not_match_is_negated() -> None:
    found = routes_of(match={}, not_match={"team": "x", "zone": ["a", "b.c"]})
    assert found["matchers"] == ['team!="x"', 'zone!~"a|b\\\\.c"']


def test_a_digest_is_a_message_a_day_for_each_category_and_team() -> None:
    found = routes_of(digest="daily")
    assert found["group_by"] == ["category", "team", "drill"]
    assert (found["group_wait"], found["group_interval"], found["repeat_interval"]) == ("10m", "1d", "23h")
    assert seconds(found["repeat_interval"]) < seconds(found["group_interval"]), "or it would skip every other day"
    assert seconds(found["group_interval"]) * 2 < seconds(RETENTION), "what was sent is still known a day later"
    assert routes_of(digest="daily", group_wait="1s")["group_wait"] == "1s"
    assert f"--data.retention={RETENTION}" in alertmanager().args


def test_routes_are_muted_and_active_by_time_but_never_those_of_the_stack_itself() -> None:
    assert routes_of(mute=["w"])["mute_time_intervals"] == ["w"]
    assert routes_of(active=["w"])["active_time_intervals"] == ["w"]
    found = config(service(plan_of("routed"), "alertmanager"))
    verification, watchdog = found["route"]["routes"][:2]
    assert (verification["receiver"], watchdog["matchers"]) == ("verification", ['alertname="Watchdog"'])
    for route in (found["route"], verification, watchdog):
        assert not {"mute_time_intervals", "active_time_intervals"} & {*route}
    holidays = next(each for each in found["time_intervals"] if each["name"] == "holidays")
    assert holidays["time_intervals"][0] == {
        "months": ["december"],
        "days_of_month": ["24:-1"],
        "location": "Europe/Berlin",
    }


def test_a_services_channels_are_asked_first_and_the_routes_stay_whole() -> None:
    own, rest = config(service(plan_of("routed"), "alertmanager"))["route"]["routes"][2:]
    assert own == {"receiver": "slack,secret-hook", "matchers": ['service="shop"'], "continue": True}
    assert (rest["receiver"], "matchers" in rest, len(rest["routes"])) == ("slack", False, 5)
