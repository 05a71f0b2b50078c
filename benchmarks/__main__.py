"""`python -m benchmarks`: measures side by side in one run and prints a table. Speed never fails it."""

from __future__ import annotations

import argparse
import json
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from benchmarks import chart, deploying, history, machine, programs, rendering, replicas, resting
from benchmarks.compose import Compose
from benchmarks.results import Result, table
from benchmarks.stack import BenchStack
from benchmarks.workspace import CommandFailed, Workspace
from components.platforms.errors import DeploymentError

_INTERRUPTED = 130
NAMES = ("nothing", "preview", "rule", "rest", "render", "services", "programs", "history", "replicas", "chart")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", nargs="+", choices=NAMES, metavar="NAME", help=", ".join(NAMES))
    parser.add_argument("--repeat", type=int, default=5, help="measurements of each; their median counts (default: 5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured to this file too")
    parser.add_argument("--rest-seconds", type=float, default=300, help="how long the stack rests (default: 300)")
    parser.add_argument("--chart", type=Path, metavar="FOLDER", help="kube-prometheus-stack with its subcharts")
    options = parser.parse_args()
    options.only = options.only or [name for name in NAMES if name != "chart" or options.chart]
    if options.repeat < 1 or options.rest_seconds < 1:
        parser.error("--repeat and --rest-seconds are at least 1")
    if "chart" in options.only and not (options.chart and (options.chart / "Chart.yaml").is_file()):
        parser.error("chart needs --chart FOLDER, the folder with Chart.yaml")
    if "chart" in options.only and not shutil.which("helm"):
        parser.error(
            "chart needs helm: run this by `python3 -m toolchain exec --for chart -- python -m benchmarks ...`"
        )
    if not shutil.which("pulumi"):
        parser.error("this needs pulumi: run it by `python3 -m toolchain exec --for bench -- python -m benchmarks ...`")
    return options


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _measure(options: argparse.Namespace, stack: BenchStack) -> list[Result]:
    """In an order in which each finds the stack as the one before leaves it."""
    parts: dict[str, Callable[[], list[Result]]] = {
        "nothing": lambda: deploying.from_nothing(stack, options.repeat),
        "preview": lambda: deploying.nothing_to_do(stack, options.repeat),
        "rule": lambda: deploying.changed_rule(stack, options.repeat),
        "rest": lambda: resting.at_rest(stack, options.rest_seconds),
        "render": lambda: rendering.render_command(options.repeat),
        "services": lambda: rendering.growing_plans(options.repeat),
        "programs": lambda: programs.platforms(options.repeat),
        "history": lambda: history.over_a_month(options.repeat),
        "replicas": lambda: replicas.memory(stack, options.rest_seconds / 5),
        "chart": lambda: chart.manifests(options.chart.resolve(), options.repeat),
    }
    results = []
    for name in NAMES:
        if name in options.only:
            begin = time.monotonic()
            _say(f"{name} ...")
            results += parts[name]()
            _say(f"{name}: measured in {time.monotonic() - begin:.0f} s")
    return results


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _undisturbed() -> None:
    """From here on things are removed; a second Ctrl-C must not break that off."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def main() -> int:
    """0 when everything was measured, whatever the figures; 1 when something broke; 130 when interrupted."""
    options = _arguments()
    signal.signal(signal.SIGTERM, _terminate)
    try:
        with ExitStack() as held:
            workspace = held.enter_context(Workspace())
            stack = BenchStack(workspace, f"bench-{secrets.token_hex(3)}")
            held.enter_context(stack)
            held.callback(_undisturbed)
            images = [machine.short_image(service.image) for service in stack.plan().services]
            facts = machine.facts(images, Compose(stack).command)
            facts.append(("load at the start", machine.load()))
            results = _measure(options, stack)
            facts.append(("load at the end", machine.load()))
    except (CommandFailed, DeploymentError, TimeoutError) as error:
        _say(f"error: {error}")
        return 1
    except KeyboardInterrupt:
        _say("interrupted; what was deployed is removed")
        return _INTERRUPTED
    width = max(len(name) for name, _ in facts)
    print("\n".join(f"{name:{width}}  {value}" for name, value in facts))
    print(f"medians of {options.repeat}, measured in turns\n")
    print(table(results))
    if options.json:
        report = {"facts": dict(facts), "repeat": options.repeat, "results": [result.report() for result in results]}
        options.json.write_text(json.dumps(report, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
