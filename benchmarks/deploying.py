"""What a deployment takes: a preview, nothing to do, everything from nothing, one changed rule."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from benchmarks.compose import HEALTH_INTERVAL, Compose
from benchmarks.results import Goal, Result, compared, interleaved
from benchmarks.stack import UP, BenchStack, has_rule
from components.platforms.docker_engine import Engine
from components.yaml_text import dump, load

_RULES = "rules/prometheus.yaml"
_LIVE_SECONDS = 60


def nothing_to_do(stack: BenchStack, repeat: int) -> list[Result]:
    """Preview and up of the deployed stack against a program without resources.

    The program with one resource of each provider says how much of the difference is not of our making.
    """
    stack.ensure_up()
    results = []
    for what, arguments in (("preview, nothing to do", ("preview",)), ("up, nothing to do", UP)):
        stack.pulumi(*arguments)  # compiles what is imported
        programs = (stack.pulumi, stack.smallest, stack.empty)
        ours, smallest, empty = interleaved(repeat, *(partial(program, *arguments) for program in programs))
        results.append(compared(what, (ours, empty), "empty program", Goal(1.5, ratio=True)))
        results.append(compared("  one resource per provider", (smallest, empty), "empty program"))
    return results


def from_nothing(stack: BenchStack, repeat: int) -> list[Result]:
    """Up without containers, volumes and network, images present."""
    with Compose(stack) as compose:

        def ours() -> float:
            seconds = stack.up()
            stack.destroy()
            return seconds

        def other() -> float:
            compose.prepare_data()
            seconds = compose.up()
            compose.down()
            return seconds

        if stack.deployed:
            stack.destroy()
        measured = interleaved(repeat, ours, other)
    note = f"until every container is healthy; Compose with a health check every {HEALTH_INTERVAL} s (the plan: 30 s)"
    return [compared("up from nothing", measured, "compose up --wait", Goal(1.2, ratio=True), note)]


def changed_rule(stack: BenchStack, repeat: int) -> list[Result]:
    """One more rule until Prometheus' API shows it."""
    stack.ensure_up()
    whole: list[float] = []
    with Compose(stack) as compose:
        compose.prepare_data()
        compose.up()
        before = stack.starts(), compose.starts()
        turn = iter(range(2 * repeat + 1))

        def ours() -> float:
            rule = f"benchmark:{next(turn)}"
            file = stack.workspace.project / _RULES
            file.write_text(with_rule(file.read_text(), rule))
            with watched(stack.published("prometheus"), rule) as seconds:
                whole.append(stack.up())
            return seconds()

        def other() -> float:
            rule = f"benchmark:{next(turn)}"
            file = compose.rendered / "prometheus" / _RULES
            file.write_text(with_rule(file.read_text(), rule))
            with watched(compose.published("prometheus"), rule) as seconds:
                compose.reload("prometheus")
            return seconds()

        measured = interleaved(repeat, ours, other)
        restarted = [
            len(set(old.items()) ^ set(new.items())) for old, new in zip(before, _starts(stack, compose), strict=True)
        ]
    note = f"restarted containers: ours {restarted[0]} (goal 0), Compose {restarted[1]} (`up -d`, `kill -s HUP`)"
    return [
        compared("changed rule to live", measured, "compose, HUP", Goal(1.5), note),
        Result("  the whole command", statistics.median(whole), samples={"ours": whole}),
        _configuration_alone(stack, repeat),
    ]


def _starts(stack: BenchStack, compose: Compose) -> tuple[dict[str, str], dict[str, str]]:
    return stack.starts(), compose.starts()


def _configuration_alone(stack: BenchStack, repeat: int) -> Result:
    """Files written, reloaded and acknowledged: the part that the stack's own code answers for."""
    service = stack.plan().service("prometheus")
    assert service is not None
    assert service.reload is not None
    prefix = f"observatory-{stack.environment}"
    properties: dict[str, Any] = {
        "volume": f"{prefix}-prometheus-config",
        "container": f"{prefix}-prometheus",
        "image": service.image,
        "user": service.user,
        "labels": {"observatory.environment": stack.environment},
        "files": {file.path: file.content for file in service.files},
        "secret_files": {},
        "data_volumes": [f"{prefix}-{volume.name}" for volume in service.volumes],
        "reload": {"commands": [], **{k: getattr(service.reload, k) for k in ("signal", "loaded", "rejected")}},
        "quiet": [],
    }
    samples = []
    for index in range(repeat):
        properties["files"][_RULES] = with_rule(properties["files"][_RULES], f"benchmark:alone:{index}")
        begin = time.perf_counter()
        engine = Engine()
        engine.write_configuration(properties, {_RULES})
        samples.append(time.perf_counter() - begin)
        engine.client.close()
    return Result("  writing and reloading alone", statistics.median(samples), samples={"ours": samples})


def with_rule(text: str, name: str) -> str:
    """A rule file with one more recording rule."""
    document = load(text)
    rule = {"record": name, "expr": "vector(1)"}
    return dump({**document, "groups": [*document["groups"], {"name": name, "rules": [rule]}]})


@contextmanager
def watched(base: str, rule: str) -> Iterator[Callable[[], float]]:
    """Inside, a command runs; the function that it yields tells how long the rule took from there to be live."""
    begin, seen = time.perf_counter(), threading.Event()
    live: list[float] = []

    def watch() -> None:
        while not seen.is_set() and time.perf_counter() - begin < _LIVE_SECONDS:
            if has_rule(base, rule):
                live.append(time.perf_counter() - begin)
                return
            time.sleep(0.02)

    def seconds() -> float:
        watcher.join()
        if not live:
            raise TimeoutError(f"{rule} was not live within {_LIVE_SECONDS} s")
        return live[0]

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield seconds
    except BaseException:
        seen.set()
        raise
