"""The demo in the plan: which programs run, which services Prometheus sees, and what is refused."""

from __future__ import annotations

import copy
import re
from typing import Any

import pytest

from components.config import StackFileError, parse_stack
from components.config.declarations import declaration_problems
from components.config.metrics import Subject
from components.config.stack import DEMO
from components.images import ImageCatalogue
from components.plan import plan_stack
from components.services.demo import PORTS, monitored, with_demo
from examples.exporter.__main__ import SUBJECTS
from tests.support import MINIMAL, data, images, planned, service, stack


def test_there_is_no_demo_unless_it_is_asked_for() -> None:
    plan = planned(stack())
    assert not [one.name for one in plan.services if one.name in DEMO]
    assert with_demo(stack(), images(stack())) == stack()


def test_its_programs_are_planned_small_and_publish_nothing() -> None:
    plan = planned(stack(demo=True))
    for name in DEMO:
        one = service(plan, name)
        assert not [port for port in one.ports if port.published]
        assert one.resources.memory <= 192
        assert not one.volumes
        assert not one.secrets
    assert [note for note in plan.notes if "demo" in note]


def test_the_switch_for_faults_is_published_only_where_asked_for() -> None:
    plan = planned(stack(demo=True, ports__demo=18003))
    assert [port.published for port in service(plan, "demo-traffic").ports] == [18003]
    with pytest.raises(StackFileError, match=re.escape("the demo has no authentication of its own")):
        stack(demo=True, ports__demo="0.0.0.0:18003")


def test_its_services_are_scraped_with_their_teams_labels() -> None:
    jobs = data(service(planned(stack(demo=True)), "prometheus"), "prometheus.yml")["scrape_configs"]
    found = {job["job_name"]: job["static_configs"][0] for job in jobs if job["job_name"].startswith("demo-")}
    assert set(found) == {one.name for one in monitored()}
    assert found["demo-shop"] == {
        "targets": ["demo-shop:8000"],
        "labels": {"service": "demo-shop", "team": "payments"},
    }
    assert {block["labels"]["team"] for block in found.values()} == {"payments", "discovery", "platform", "security"}
    params = {job["job_name"]: job.get("params") for job in jobs}
    assert params["demo-security"] == {"subject": ["security", "compliance"]}


def test_every_subject_that_a_service_can_expose_is_exposed() -> None:
    exposed = {subject for one in monitored() for subject in one.exposes}
    assert exposed == set(Subject.__args__)  # type: ignore[attr-defined]
    played = {subject for one in monitored() for subject in one.params.get("subject", ())}
    assert played == set(SUBJECTS)


def test_what_it_declares_passes_the_checks_of_users_services() -> None:
    problems = [each for one in monitored() for each in declaration_problems(one.name, one, one.interval or "15s")]
    assert not problems, problems
    assert {one.name for one in monitored() if one.objectives.availability} == {"demo-shop", "demo-gateway"}


def test_options_and_addresses_lead_to_its_own_programs() -> None:
    plan = planned(stack(demo=True))
    for name in DEMO:
        one = service(plan, name)
        told = " ".join([*one.args, *(value for _, value in one.env), *(one.probe.command if one.probe else ())])
        for host, port in re.findall(r"http://([a-z0-9.-]+):(\d+)", told):
            assert host in {"jaeger", "127.0.0.1", *DEMO}
            assert host not in DEMO or PORTS[host] == int(port)


def test_spans_go_to_jaeger_only_where_it_is() -> None:
    def endpoint(plan: Any, name: str) -> str | None:
        return dict(service(plan, name).env).get("OTEL_EXPORTER_OTLP_ENDPOINT")

    for name in ("demo-shop", "demo-gateway"):
        assert endpoint(planned(stack(demo=True)), name) == "http://jaeger:4318"
        assert endpoint(planned(stack(demo=True, tracing__backend="none")), name) is None
        assert endpoint(planned(stack(demo=True), without=("jaeger",)), name) is None


def test_what_has_no_image_is_left_out_and_not_scraped() -> None:
    plan = planned(stack(demo=True), without=("demo-exporter",))
    assert "demo-exporter" in plan.unavailable
    jobs = data(service(plan, "prometheus"), "prometheus.yml")["scrape_configs"]
    names = {job["job_name"] for job in jobs if job["job_name"].startswith("demo-")}
    assert names == {"demo-shop", "demo-gateway", "demo-traffic"}


def test_adding_it_twice_changes_nothing() -> None:
    config = stack(demo=True)
    found: ImageCatalogue = images(config)
    once = with_demo(config, found)
    assert with_demo(once, found) == once
    assert plan_stack(once, found) == plan_stack(config, found)


def test_a_service_with_a_name_like_the_demos_own_is_refused_while_it_runs() -> None:
    own: dict[str, Any] = {
        **copy.deepcopy(MINIMAL),
        "services": [
            {"name": "demo-shop", "team": "web", "port": 1, "discovery": {"static": {"targets": ["shop"]}}},
        ],
    }
    assert parse_stack(own, "stack").services[0].name == "demo-shop"
    with pytest.raises(StackFileError, match=re.escape("begins like those of the demo's own services")):
        parse_stack({**own, "demo": True}, "stack")


def test_its_programs_can_be_given_other_limits_and_images() -> None:
    config = stack(
        demo=True,
        resources={"demo-shop": {"memory": "256MB"}},
        images={"overrides": {"demo-gateway": "registry.example.com/gateway:2"}},
    )
    plan = planned(config)
    assert service(plan, "demo-shop").resources.memory == 256
    assert service(plan, "demo-gateway").image == "registry.example.com/gateway:2"
