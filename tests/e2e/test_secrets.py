"""No secret can be read where others look: state, container settings, processes, logs, images, rendered files."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.engine import Engine
from tests.e2e.stack import Stack

VALUES = {
    "accessPassword": "canary-access-0f4e2b",
    "hookUrl": "http://hooks.invalid/canary-hook-61d9aa",
    "hookToken": "canary-token-27be13",
    "slackUrl": "http://slack.invalid/canary-slack-98c0f7",
    "shopPassword": "canary-shop-4471dd",
    "cartToken": "canary-cart-b05e6c",
}
CHANNELS = {
    "hook": {"type": "webhook", "url": {"secret": "hookUrl"}, "bearer_token": {"secret": "hookToken"}},
    "chat": {"type": "slack", "url": {"secret": "slackUrl"}},
}
SERVICES = [
    {
        "name": "shop",
        "team": "web",
        "discovery": {"static": {"targets": ["jaeger:8888"]}},
        "authentication": {"basic": {"username": "scraper", "password": {"secret": "shopPassword"}}},
    },
    {
        "name": "cart",
        "team": "web",
        "discovery": {"static": {"targets": ["jaeger:8888"]}},
        "authentication": {"bearer": {"token": {"secret": "cartToken"}}},
    },
]


class Places:
    """Texts that must hold no secret, by where they were found."""

    def __init__(self, needles: dict[str, str]) -> None:
        self.needles = needles
        self.found: list[str] = []
        self.searched = 0

    def search(self, place: str, text: str) -> None:
        """Look for every secret in a text."""
        self.searched += 1
        self.found += [f"{name} in {place}" for name, value in self.needles.items() if value in text]


@pytest.fixture(scope="module")
def places(access_stack: Stack) -> Iterator[Places]:
    """The stack deployed with many secrets, watched by `ps` all the while."""
    stack = access_stack
    made = stack.project.run("./observatory", "certs", stack.environment)
    assert made.code == 0, made
    for name, value in VALUES.items():
        stack.set_secret(name, value)
    key = stack.pulumi("config", "get", "observatory:tlsKey").output.splitlines()
    found = Places({**VALUES, "tlsKey": key[1]})
    stack.configure(
        services=SERVICES, alerting={"channels": CHANNELS, "default_channels": ["hook", "chat"], "group_wait": "1s"}
    )
    run = stack.starting_up()
    while run.process.poll() is None:
        listed = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True, check=True)
        found.search("ps", listed.stdout)
    outcome = run.wait()
    assert outcome.code == 0, outcome
    found.search("the output of up", outcome.output)
    yield found
    stack.credentials = None
    stack.dirty = True


def test_the_secrets_are_in_use(places: Places, access_stack: Stack) -> None:
    """Else the rest would prove nothing: the programs have them, in files that only their user can read."""
    stack = access_stack
    channels = stack.engine.files(stack.container("alertmanager"), "/etc/alertmanager")
    assert any(text == VALUES["slackUrl"] for text in channels.values())
    jobs = stack.engine.files(stack.container("prometheus"), "/etc/prometheus")
    assert any(text == VALUES["cartToken"] for text in jobs.values())


def test_processes_and_output(places: Places) -> None:
    """Neither an argument of any process during `up` nor what it printed."""
    assert places.searched > 5
    assert not places.found


def test_state(places: Places, access_stack: Stack) -> None:
    """Exported, and as it lies on the disk: with its backups and history."""
    found = Places(places.needles)
    found.search("stack export", access_stack.exported())
    found.search("stack output", access_stack.pulumi("stack", "output", "--json").output)
    for file in access_stack.project.state.rglob("*"):
        if file.is_file():
            found.search(str(file), file.read_text(errors="replace"))
    found.search("the stack file", access_stack.file.read_text())
    assert found.searched > 5
    assert not found.found


def test_engine(places: Places, access_stack: Stack, engine: Engine) -> None:
    """What `docker inspect`, `docker logs` and `docker history` show."""
    found = Places(places.needles)
    for name, container in engine.containers(access_stack.environment).items():
        found.search(f"inspect {name}", str(container.attrs))
        found.search(f"logs {name}", container.logs().decode(errors="replace"))
        image = engine.client.images.get(container.attrs["Image"])
        found.search(f"image of {name}", str(image.attrs) + str(image.history()))
    for volume in engine.volumes(access_stack.environment):
        found.search(f"volume {volume}", str(engine.client.volumes.get(volume).attrs))
    assert found.searched > 15
    assert not found.found


def test_rendered_files_and_plan(places: Places, access_stack: Stack, tmp_path: Path) -> None:
    """What people pass around for a review."""
    found, project = Places(places.needles), access_stack.project
    rendered = project.run("./observatory", "render", access_stack.environment, "--out", str(tmp_path / "out"))
    assert rendered.code == 0, rendered
    for file in (tmp_path / "out").rglob("*"):
        if file.is_file():
            found.search(str(file), file.read_text())
    planned = project.run("./observatory", "plan", access_stack.environment, "--json")
    assert planned.code == 0, planned
    found.search("plan", planned.output)
    found.search("preview", access_stack.pulumi("preview", "--diff").output)
    assert found.searched > 10
    assert not found.found
