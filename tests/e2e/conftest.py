"""Stacks that the tests share: deployed once, brought back to their base configuration before each test."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import Any

import pytest

from tests.e2e.demo import Demo, deploy_demo
from tests.e2e.engine import Claim, Engine
from tests.e2e.lengths import FULL, SHORT, Lengths
from tests.e2e.project import Project
from tests.e2e.stack import TIMINGS, Stack


def pytest_addoption(parser: pytest.Parser) -> None:
    """`pytest --full-length tests/e2e/test_thanos_pair.py` takes half an hour in place of minutes."""
    parser.addoption("--full-length", action="store_true", help="put in faults at their full length and number")


@pytest.fixture(scope="session")
def lengths(pytestconfig: pytest.Config) -> Lengths:
    """How long and how often faults are put in."""
    return FULL if pytestconfig.getoption("--full-length") else SHORT


@pytest.fixture(scope="session")
def run_name() -> Iterator[str]:
    """The name of this run; every environment's name begins with it."""
    claim = Claim()
    yield claim.run
    claim.release()


@pytest.fixture(scope="session")
def engine(run_name: str) -> Iterator[Engine]:
    """The engine, without leftovers of killed runs; what this run made goes at its end."""
    found = Engine()
    found.sweep()
    yield found
    for environment in (run_name, *(f"{run_name}-{name}" for name in ("shared", "access", "demo", "available"))):
        found.remove(environment)
    found.client.close()


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A copy of this project."""
    return Project(tmp_path_factory.mktemp("e2e"))


@pytest.fixture(scope="session")
def shared(project: Project, engine: Engine, run_name: str) -> Stack:
    """The stack that most tests use, not deployed yet."""
    return Stack(project, engine, f"{run_name}-shared")  # of which no other's name is the beginning


_FAILED = pytest.StashKey[bool]()
"""Whether the last try of a test has failed."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember for the fixtures what has failed."""
    report = yield
    item.stash[_FAILED] = report.failed or (report.when != "setup" and item.stash[_FAILED])
    return report


@pytest.fixture
def failed(request: pytest.FixtureRequest) -> Callable[[], bool]:
    """Whether the test has failed, for fixtures to ask at its end."""
    return lambda: request.node.stash.get(_FAILED, False)


@pytest.fixture
def stack(shared: Stack, failed: Callable[[], bool]) -> Iterator[Stack]:
    """The shared stack, running its base configuration, without the silences of tests before."""
    shared.restore()
    shared.broken = True  # until its test has passed
    shared.await_answers()
    shared.end_silences()
    yield shared
    shared.broken = failed()


@pytest.fixture(scope="session")
def access_stack(project: Project, engine: Engine, run_name: str) -> Stack:
    """A second stack, with TLS and a password; not deployed yet, and its secrets not set."""
    access = {
        "password": {"secret": "accessPassword"},
        "tls": {"ca": {"secret": "tlsCa"}, "certificate": {"secret": "tlsCertificate"}, "key": {"secret": "tlsKey"}},
    }
    found = Stack(project, engine, f"{run_name}-access", access=access)
    found.configure()
    return found


@pytest.fixture(scope="session")
def demo(project: Project, engine: Engine, run_name: str) -> Demo:
    """A stack with `demo: true`, running; its traffic goes on for as long as the tests do."""
    return deploy_demo(project, engine, f"{run_name}-demo")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Hand the times of a worker to the process that prints them."""
    if isinstance(handed := getattr(session.config, "workeroutput", None), dict):
        handed["times"] = TIMINGS


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take them over there; a worker that crashed has none."""
    TIMINGS.extend(getattr(node, "workeroutput", {}).get("times", []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how long people wait for what."""
    if TIMINGS:
        terminalreporter.section("times")
        for line in TIMINGS:
            terminalreporter.write_line(line)
