"""`recover`: what to do after all processes of an `up` died at once (a power cut, kill -9), as one command.

Pulumi wrote down what it was about to create, but not whether it got that far. Containers of that list hold no data,
so whatever there is of them goes, and the next `up` makes them; all else is taken up again as it is. Before that, a
state in a folder is made readable where it was cut (operations/state_files.py).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import Any

from components.config import StackConfig, load_stack_file
from operations import console
from operations.engine_client import engine_client
from operations.errors import CommandError, UsageError
from operations.pulumi_cli import ROOT, Pulumi
from operations.state_files import mend, state_folder

CONTAINER = "docker:index/container:Container"


def half_made(state: Mapping[str, Any], environment: str) -> list[str]:
    """Names of the environment's containers that were being created, out of an exported state."""
    deployment = state.get("deployment") or {}
    begun = [each["resource"] for each in deployment.get("pending_operations") or [] if each["type"] == "creating"]
    names = [str((each.get("inputs") or {}).get("name", "")) for each in begun if each["type"] == CONTAINER]
    return [name for name in names if name.startswith(f"observatory-{environment}-")]


def _remove(config: StackConfig, variables: Mapping[str, str], found: list[str]) -> None:
    if not found:
        return  # in a cluster there may be no engine to ask
    from docker.errors import DockerException, NotFound

    try:
        client = engine_client(config, variables)
        for name in found:
            try:
                client.containers.get(name).remove(force=True)
            except NotFound:
                continue
            console.say(f"removed {name}, which was half made")
    except DockerException as error:
        raise CommandError(f"the Docker engine refuses: {error}", "repair it, then run this again") from None


def recover_command(stack: str, yes: bool) -> int:
    """Unlock, remove what was half made, and let Pulumi look at what there is."""
    config = load_stack_file(stack)
    pulumi = Pulumi.of(stack)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("recover asks on a terminal whether no other update runs", "add --yes in scripts")
        if input("Is it certain that nobody else updates this stack now? [y/N] ").strip().lower() not in ("y", "yes"):
            raise CommandError("nothing was changed")
    folder = state_folder(pulumi.backend(), ROOT)
    if folder:
        for sentence in mend(folder, pulumi.stack):
            console.say(sentence)
    pulumi.ask("cancel", "--yes")
    _remove(config, pulumi.variables, half_made(json.loads(pulumi.ask("stack", "export")), config.environment))
    if pulumi.show("refresh", "--yes", "--skip-preview", "--clear-pending-creates"):
        return 1
    console.say(f"to go on: make up STACK={pulumi.stack}, or pulumi up --stack {pulumi.stack}")
    return 0
