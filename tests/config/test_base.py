"""Durations, sizes, names and addresses: what is taken is what the programs behind them take."""

from __future__ import annotations

from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

from components.config import StackConfig, StackFileError
from components.config.base import go_duration, seconds, size_bytes
from tests.support import stack


@pytest.mark.parametrize(
    ("duration", "length"),
    [("15s", 15), ("1m30s", 90), ("500ms", 0.5), ("2h", 7200), ("30d", 2_592_000), ("1w", 604_800), ("1y", 31_536_000)],
)
def test_durations_have_the_length_that_prometheus_gives_them(duration: str, length: float) -> None:
    assert seconds(duration) == length


@pytest.mark.parametrize(
    ("duration", "written"),
    [("15d", "360h0m0s"), ("90s", "0h1m30s"), ("1h1ms", "1h0m0.001s"), ("500ms", "0h0m0.5s"), ("2w", "336h0m0s")],
)
def test_go_programs_get_hours_for_days_and_lose_nothing(duration: str, written: str) -> None:
    assert go_duration(duration) == written


@pytest.mark.parametrize(
    ("size", "count"), [("1KB", 1024), ("10MB", 10 * 2**20), ("80GB", 80 * 2**30), ("2TB", 2 * 2**40)]
)
def test_sizes_count_in_powers_of_1024(size: str, count: int) -> None:
    assert size_bytes(size) == count


@pytest.mark.parametrize("duration", ["1ms", "15s", "1m30s", "1y2w3d4h5m6s7ms", "100y", "007s"])
def test_a_duration_that_prometheus_reads_is_taken(duration: str) -> None:
    assert stack(alerting__group_wait=duration).alerting.group_wait == duration


@pytest.mark.parametrize(
    "duration",
    [
        "",
        "0s",
        "0h0m",
        "15",
        "s",
        "-5s",
        "1.5h",
        "15 s",
        "15s\n",
        "30s1m",
        "1m1m",
        "1ms1s",
        "٣s",
        "101y",
        "9" * 40 + "s",
    ],
)
def test_a_duration_that_prometheus_would_refuse_is_refused(duration: str) -> None:
    with pytest.raises(StackFileError, match=r"alerting\.group_wait.*must be a duration such as 15s"):
        stack(alerting__group_wait=duration)


@pytest.mark.parametrize(
    ("number", "example"), [(15, "15s"), (60, "60s"), (0, "15s"), (-1, "15s"), (10**4000, "15s"), (float("nan"), "15s")]
)
def test_a_number_is_no_duration_and_the_error_says_what_is_missing(number: float, example: str) -> None:
    with pytest.raises(StackFileError, match=f"with its unit, for example {example}$"):
        stack(scrape__interval=number)


@pytest.mark.parametrize("size", ["10", "10gb", "0GB", "1.5GB", "10 GB", "-1GB", "10GiB", 10, "10GB\n"])
def test_a_size_without_its_unit_is_refused(size: object) -> None:
    with pytest.raises(StackFileError, match=r"retention\.size"):
        stack(retention__size=size)


@pytest.mark.parametrize("name", ["a", "a1", "team-a", "a" * 63])
def test_a_name_can_be_a_host_name(name: str) -> None:
    assert stack(environment=name).environment == name


@pytest.mark.parametrize("name", ["", "A", "1a", "a-", "-a", "a--b", "a_b", "a.b", "ä", "a" * 64, "a\n", None, 5, True])
def test_a_name_that_no_host_can_have_is_refused(name: object) -> None:
    with pytest.raises(StackFileError, match="environment"):
        stack(environment=name)


@pytest.mark.parametrize(
    ("written", "published"),
    [
        (9090, ("127.0.0.1", 9090)),
        ("9090", ("127.0.0.1", 9090)),
        ("127.0.0.2:9090", ("127.0.0.2", 9090)),
        ("[::1]:9090", ("::1", 9090)),
        ("::1:9090", ("::1", 9090)),
    ],
)
def test_a_port_is_published_on_its_address_or_on_the_stacks(written: object, published: tuple[str, int]) -> None:
    assert stack(ports__prometheus=written).ports.published()["prometheus"] == published


def test_a_port_without_a_value_is_not_published() -> None:
    assert "prometheus" not in stack(ports__prometheus=None).ports.published()
    assert "zipkin" not in stack().ports.published()


@pytest.mark.parametrize(
    "port", [0, 65536, -1, True, False, 9090.0, "http", "1.2.3:80", "²", "٣", "x:80", "80\n", 10**30, []]
)
def test_a_port_that_cannot_be_is_refused(port: object) -> None:
    with pytest.raises(StackFileError, match=r"ports\.prometheus"):
        stack(ports__prometheus=port)


def models(kind: type[BaseModel], seen: set[type[BaseModel]]) -> set[type[BaseModel]]:
    """All models below one, it included."""
    if kind not in seen:
        seen.add(kind)
        for field in kind.model_fields.values():
            for found in _models_in(field.annotation):
                models(found, seen)
    return seen


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]


SWITCHES = [
    (model, name)
    for model in sorted(models(StackConfig, set()), key=lambda model: model.__name__)
    for name, field in model.model_fields.items()
    if field.annotation is bool
]


def test_there_are_switches_in_many_models() -> None:
    assert len({model for model, _ in SWITCHES}) > 6


@pytest.mark.parametrize(("model", "name"), SWITCHES, ids=lambda value: getattr(value, "__name__", value))
@pytest.mark.parametrize("value", ["yes", "true", 1, 0.0])
def test_a_switch_takes_true_and_false_alone(model: type[BaseModel], name: str, value: object) -> None:
    """Anything else may have meant something else."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate({model.model_fields[name].alias or name: value})
    assert {each["type"] for each in caught.value.errors() if each["input"] == value} == {"bool_type"}


def test_a_switch_that_is_text_is_an_error_in_words() -> None:
    with pytest.raises(StackFileError, match=r"grafana.enabled \(is 'yes'\): must be true or false"):
        stack(grafana__enabled="yes")
