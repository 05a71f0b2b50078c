"""Every combination of the options makes a stack file that the models take, or one error that names what is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from components.config import StackFileError
from components.config.channels import Channel
from components.config.load import KEY, parse_stack
from components.config.stack import DASHBOARDS
from components.yaml_text import load
from operations.errors import UsageError
from operations.new import choices
from operations.new.commented import stack_text
from operations.new.wishes import Wishes, exposing, service, stack_data
from operations.validate import validate_plan
from tests.support import planned

MAIL = {"to": "sre@example.com,lead@example.com", "from": "alerts@example.com", "server": "smtp.example.com:587"}
BUCKET = {"name": "acme-metrics", "region": "eu-central-1"}


def services(platform: str) -> tuple[dict[str, Any], ...]:
    named = [service(text, "web", platform) for text in ("checkout=a:80,b:80", "search")]
    return exposing(named, ["checkout=http,database"])


@some.composite
def wanted(draw: some.DrawFn) -> Wishes:
    """Anything that the options can say, with what each choice needs."""
    platform = draw(some.sampled_from(choices.PLATFORMS))
    storage = draw(some.sampled_from(choices.STORAGE))
    channels = draw(some.lists(some.sampled_from(tuple(choices.CHANNELS)), unique=True))
    endpoint = draw(some.sampled_from(({}, {"endpoint": "https://s3.example.com"})))
    return Wishes(
        environment=draw(some.sampled_from(("shop", "staging-2"))),
        platform=platform,
        context="cluster" if platform == "kubernetes" else "",
        services=services(platform) if draw(some.booleans()) else (),
        networks=draw(some.sampled_from(((), ("shop_default",)))),
        retention=draw(some.sampled_from(("15d", "30d", "90d", "365d"))),
        interval=draw(some.sampled_from(("1s", "5s", "15s", "60s", "2m30s"))),
        tracing=draw(some.sampled_from(("jaeger", "none"))),
        channels=(*channels, *(["second=slack"] if draw(some.booleans()) else [])),
        mail=MAIL,
        presets=tuple(draw(some.lists(some.sampled_from(choices.PRESET_NAMES), unique=True))),
        exporters=tuple(draw(some.lists(some.sampled_from(choices.EXPORTERS), unique=True))),
        high_availability=draw(some.booleans()),
        grafana_database=draw(some.sampled_from(("", "db.example.com"))),
        storage=storage,
        bucket=BUCKET | endpoint if storage in choices.BUCKETS else {},
        access=draw(some.booleans()) and storage != "cortex",  # which asks nobody for a password
        demo=draw(some.booleans()) and platform == "docker",
        port_offset=draw(some.sampled_from((0, 100))),
    )


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(wanted())
def test_every_combination_is_a_stack_file_with_the_same_data(wishes: Wishes) -> None:
    data = stack_data(wishes)
    document = load(stack_text(data))
    assert document == {"config": {KEY: data}}
    config = parse_stack(document["config"][KEY], "new")
    assert (config.environment, config.platform) == (wishes.environment, wishes.platform)
    assert config.scrape.interval == wishes.interval
    assert (config.tracing.backend == "none") == (wishes.tracing == "none")
    assert len(config.alerting.channels) == len(wishes.channels)
    assert (config.access is not None) == wishes.access
    storage = config.storage
    kept = config.retention.time
    if wishes.retention != "15d" and storage.backend != "local":
        assert kept == "15d"
        kept = storage.retention.raw if storage.thanos else getattr(storage, storage.backend).retention
    assert kept == wishes.retention


@pytest.mark.parametrize(
    "wishes",
    [
        Wishes("plain"),
        Wishes(
            "all",
            services=services("docker"),
            channels=tuple(choices.CHANNELS),
            mail=MAIL,
            presets=tuple(choices.PRESETS),
            high_availability=True,
            grafana_database="db.example.com",
            storage="thanos",
            bucket=BUCKET,
            retention="365d",
            access=True,
        ),
        Wishes(
            "cluster",
            platform="kubernetes",
            context="production",
            services=services("kubernetes"),
            channels=("pagerduty",),
            exporters=("node",),
            tracing="none",
        ),
    ],
    ids=lambda wishes: wishes.environment,
)
def test_what_is_made_passes_validate(wishes: Wishes) -> None:
    config = parse_stack(stack_data(wishes), "new")
    results = validate_plan(config, planned(config))
    assert [result for result in results if result.status == "failed"] == []
    assert sum(result.status == "ok" for result in results) > 8


def test_presets_keep_the_dashboards_of_the_stack_itself() -> None:
    dashboards = stack_data(Wishes("shop", presets=("red-metrics", "sre-slos")))["dashboards"]
    assert {"red", "slo", "stack", "alerts"} <= {*dashboards}
    assert {"business", "concierge", "cassandra"} & {*dashboards} == set()
    assert {*choices.PRESETS.values(), *choices.ALWAYS} <= {*DASHBOARDS}


def test_what_is_critical_wakes_somebody_and_the_rest_does_not() -> None:
    alerting = stack_data(Wishes("shop", channels=("slack", "pagerduty")))["alerting"]
    assert alerting["default_channels"] == ["team-chat"]
    critical = {"match": {"severity": ["critical", "emergency"]}, "channels": ["on-call", "team-chat"]}
    assert alerting["routes"] == [critical]
    alone = stack_data(Wishes("shop", channels=("pagerduty",)))["alerting"]
    assert (alone["default_channels"], "routes" in alone) == (["on-call"], False)


@pytest.mark.parametrize("tracing", choices.TRACING)
@pytest.mark.parametrize("storage", choices.STORAGE)
def test_only_ports_that_something_listens_on_are_moved(storage: str, tracing: str) -> None:
    bucket = BUCKET if storage in ("thanos", "s3") else {}
    wishes = Wishes("shop", storage=storage, bucket=bucket, tracing=tracing, port_offset=100)
    plan = planned(parse_stack(stack_data(wishes), "new"))
    assert [note for note in plan.notes if note.startswith("ports.")] == []
    assert len([port for service in plan.services for port in service.ports if port.published]) == len(
        stack_data(wishes)["ports"]
    )


def test_two_channels_of_a_type_have_two_secrets() -> None:
    channels = stack_data(Wishes("shop", channels=("slack", "pay-chat=slack")))["alerting"]["channels"]
    assert [each["url"]["secret"] for each in channels.values()] == ["slackUrl", "payChatSlackUrl"]


def test_a_long_retention_is_that_of_the_bucket() -> None:
    data = stack_data(Wishes("shop", storage="s3", bucket=BUCKET, retention="365d"))
    assert data["retention"] == {"time": "15d"}
    assert data["storage"]["retention"] == {"raw": "365d", "five_minutes": "365d", "one_hour": "365d"}


def test_every_channel_that_can_be_asked_for_is_one_of_the_model() -> None:
    types = {kind for model in Channel.__origin__.__args__ for kind in model.model_fields["type"].annotation.__args__}  # type: ignore[attr-defined]
    assert {*choices.CHANNELS} <= types
    assert choices.CHANNELS.keys() == choices.CHANNEL_NAMES.keys()


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        (Wishes("shop", stack="elastick"), "--stack elastick: is not to be had; allowed: prometheus"),
        (Wishes("shop", tracing="jager"), "hint: did you mean jaeger?"),
        (Wishes("shop", exporters=("oracle-exporter",)), "hint: scrape it as a service"),
        (Wishes("shop", presets=("red-metric",)), "hint: did you mean red-metrics?"),
        (Wishes("shop", channels=("sms",)), "allowed: slack, pagerduty, email, webhook, opsgenie"),
        (Wishes("shop", channels=("slack", "slack")), "team-chat is there twice"),
        (Wishes("shop", channels=("email",), mail={"to": "a@b.c"}), "needs --mail-from, --mail-server"),
        (Wishes("shop", bucket=BUCKET), "are for --storage thanos, s3, cortex"),
        (Wishes("shop", context="production"), "--context is for --platform kubernetes"),
    ],
)
def test_what_is_not_to_be_had_is_refused_with_what_is(wishes: Wishes, message: str) -> None:
    with pytest.raises(UsageError) as error:
        stack_data(wishes)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("wishes", "key"),
    [
        (Wishes("shop", interval="1h"), "scrape.interval"),
        (Wishes("shop", interval="often"), "scrape.interval"),
        (Wishes("shop", retention="10"), "retention.time"),
        (Wishes("shop", storage="thanos"), "storage.bucket"),
        (Wishes("shop", platform="kubernetes"), "kubernetes"),
        (Wishes("shop", port_offset=65_000), "ports.prometheus"),
        (Wishes("shop", services=(service("alertmanager", "web", "docker"),)), "services[0].name"),
    ],
)
def test_what_the_model_does_not_take_is_named_by_its_key(wishes: Wishes, key: str) -> None:
    with pytest.raises(StackFileError) as error:
        parse_stack(stack_data(wishes), "new")
    assert key in {problem.key for problem in error.value.problems}


def test_services_without_a_target_or_a_name_are_refused() -> None:
    with pytest.raises(UsageError, match="names no target"):
        service("checkout=", "web", "docker")
    with pytest.raises(UsageError, match="services: checkout"):
        exposing([service("checkout", "web", "docker")], ["search=http"])
