"""Whatever happens to a stack file, it ends in a valid plan or in one error for people."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components.config import StackConfig, StackFileError, parse_stack
from components.plan import plan_stack
from components.platforms.kubernetes_manifests import manifests
from components.platforms.kubernetes_objects import Stack
from components.spec import Plan
from components.yaml_text import dump, load
from tests.support import CLUSTER, EVERYTHING, STACKS, TARGET_FILES, images, stack_object

FILE = "stacks/Pulumi.mutated.yaml"
BASES = [*(stack_object(name) for name in STACKS), EVERYTHING, CLUSTER]
Place = tuple[Any, Any]


def places(data: Any) -> Iterator[Place]:
    """Every (container, key) below some data."""
    pairs = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in list(pairs):
        yield data, key
        yield from places(value)


def deep(levels: int) -> Any:
    value: Any = "bottom"
    for level in range(levels):
        value = [value] if level % 2 else {"a": value}
    return value


NUMBERS = [0, -1, 1, 15, 65536, 10**18, 10**4000, 0.1, -0.0, 1e308, float("inf"), float("nan"), True, False]
TEXTS = ["", " ", "\n", "a", "A", "-", "..", "/", "ü", "日本", "\u202e", "\x00", "\ud7ff", "🦆" * 50, "x" * 10_000]
TEXTS += ["15s", "0s", "1ms", "100y", "99999999999999999999s", "1s1m", "10GB", "0GB", "99999999999TB", "null", "yes"]
TEXTS += ["127.0.0.1", "0.0.0.0:80", "::1", "[::1]:99999", "http://", "https://user:password@example.com/"]
TEXTS += ["https://example.com/$1?{{ . }}", "../../etc/passwd", "${HOME}", "%(a)s", "<secret:other>", "<bcrypt:tlsKey>"]
TEXTS += ["prometheus", "jaeger-spans", "probe-shop", "nobody", "verification", "a.b/c:1.0", "x@1.0.0"]
SHAPES: list[Any] = [
    [],
    {},
    [[]],
    [None],
    {"": ""},
    {"a": {}},
    {None: 1},
    {1: 2},
    {"a": [1]},
    deep(50),
    deep(400),
    None,
]
SHAPES += [{"secret": "other"}, {"secret": ""}, {"secret": 1}]
ODD = st.sampled_from([*NUMBERS, *TEXTS, *SHAPES]).map(copy.deepcopy)


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """One of the stacks with one to three things changed anywhere in it."""
    data = copy.deepcopy(draw(st.sampled_from(BASES)))
    for _ in range(draw(st.integers(1, 3))):
        found = list(places(data))
        if not found:
            return data
        container, key = found[draw(st.integers(0, len(found) - 1))]
        _mutate(draw, found, container, key)
    return data


def _mutate(draw: st.DrawFn, found: list[Place], container: Any, key: Any) -> None:
    kind = draw(st.sampled_from(["delete", "replace", "retype", "rename", "duplicate", "move", "add"]))
    value = container[key]
    if kind == "delete":
        del container[key]
    elif kind == "retype":
        text = str(value)
        container[key] = draw(st.sampled_from([text, [value], {"value": value}, len(text), bool(value)]))
    elif kind == "rename" and isinstance(container, dict):
        name = draw(st.sampled_from([f"{key}s", str(key)[:-1], str(key).upper(), "", "x", f"{key} ", "ü", 7]))
        container[name] = container.pop(key)
    elif kind == "duplicate" and isinstance(container, list):
        container.insert(key, copy.deepcopy(value))
    elif kind == "move":
        other, name = found[draw(st.integers(0, len(found) - 1))]
        if isinstance(other, list) and name >= len(other):
            return
        other[name] = copy.deepcopy(value)
    elif kind == "add" and isinstance(value, dict):
        value[draw(st.sampled_from(["unknown", "type", "secret", "name"]))] = draw(ODD)
    else:
        container[key] = draw(ODD)


def check(plan: Plan) -> None:
    """What must hold for any plan at all; the contract tests say more about each service."""
    names = [one.name for one in plan.services]
    assert len(set(names)) == len(names)
    published = [port.published for one in plan.services for port in one.ports if port.published]
    assert len(set(published)) == len(published)
    for one in plan.services:
        paths = [file.path for file in one.files]
        assert len(set(paths)) == len(paths)
        for path in paths:
            assert not path.startswith("/")
            assert ".." not in path.split("/")
        for text in (*one.args, *(value for _, value in one.env)):
            assert "\n" not in text
            assert not re.search("<(secret|bcrypt):", text)
        for file in one.files:
            if file.path.endswith((".yml", ".yaml")) and not file.path.startswith("targets/"):
                assert isinstance(load(file.content), dict)
    prometheus = plan.service("prometheus")
    if prometheus:
        (text,) = (file.content for file in prometheus.files if file.path == "prometheus.yml")
        jobs = [job["job_name"] for job in load(text)["scrape_configs"]]
        assert len(set(jobs)) == len(jobs)
    alertmanager = plan.service("alertmanager")
    if alertmanager:
        (text,) = (file.content for file in alertmanager.files if file.path == "alertmanager.yml")
        receivers = [receiver["name"] for receiver in load(text)["receivers"]]
        assert len(set(receivers)) == len(receivers)


@settings(max_examples=300, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(mutated())
def test_a_mutated_stack_is_a_valid_plan_or_one_error_for_people(data: Any) -> None:
    outcome = _outcome(data)
    if isinstance(outcome, StackFileError):
        text = str(outcome)
        assert text.startswith(f"{FILE}: {len(outcome.problems)} problem")
        assert "Traceback" not in text
        assert outcome.problems
        for problem in outcome.problems:
            assert (problem.key or "the stack") in text
            assert problem.message
            assert len(problem.message) + len(problem.value) < 1500, "a message, not a dump"
    else:
        plan = plan_stack(outcome, images(outcome), _beside(outcome))
        check(plan)
        if outcome.platform == "kubernetes":
            assert manifests(Stack(outcome, plan))


def _outcome(data: Any) -> StackConfig | StackFileError:
    try:
        return parse_stack(data, FILE)
    except StackFileError as error:
        return error


def _beside(config: StackConfig) -> dict[str, str]:
    targets = [service.discovery.file.file for service in config.services if service.discovery.file]
    boards = [path for paths in config.dashboard_files.values() for path in paths]
    own = dict.fromkeys(targets, "[]") | dict.fromkeys(config.rule_files, "groups: []\n") | dict.fromkeys(boards, "{}")
    return TARGET_FILES | own


@settings(max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_survives_a_rendered_file(text: str) -> None:
    data = {"a": text, "b": [text, {"c": text}]}
    assert load(dump(data)) == data
