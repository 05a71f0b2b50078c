"""The environment that this project's commands run in: which programs, which state, which engine."""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from toolchain import atomic, pins, pulumi_home
from toolchain.machine import ROOT, STATE, VENV, ToolchainError

_PLUGIN = "pulumi-resource-docker"
STACKS = ROOT / "stacks"


def passphrase_file(state: Path = STATE) -> Path:
    """The file with the passphrase of this clone's secrets; made once, readable for its owner alone.

    Raises `ToolchainError` where a stack file was encrypted elsewhere: a new passphrase could not open it. And where
    the file is empty, as a power cut can leave it: Pulumi would encrypt by what everybody knows.
    """
    file = state / "passphrase"
    with atomic.lock(state / ".passphrase.lock"):
        if not file.exists():
            for stack in sorted(STACKS.glob("Pulumi.*.yaml")):
                if "\nencryptionsalt:" in stack.read_text(encoding="utf-8"):
                    raise ToolchainError(
                        f"stacks/{stack.name} is encrypted with a passphrase that this clone does not have: set "
                        "PULUMI_CONFIG_PASSPHRASE or PULUMI_CONFIG_PASSPHRASE_FILE to the one your team shares "
                        "(if the file holds no secrets yet, you can also remove its line encryptionsalt)"
                    )
            atomic.write(file, secrets.token_urlsafe(32) + "\n", mode=0o600)
        elif not file.read_bytes().strip(b" \t\r\n\0"):
            raise ToolchainError(
                f"{file} is empty, and held the passphrase of this clone's secrets: put the passphrase back from where "
                "you kept it, or, if no stack file has an `encryptionsalt`, delete the file to get a new one"
            )
    return file


def variables(
    user: Mapping[str, str], programs: Mapping[str, Path], docker_host: str = "", state: Path = STATE
) -> dict[str, str]:
    """What is set beside the user's own environment; what the user set is kept.

    `programs` are the ones found, by the name of their binary; `docker_host` is the engine's address where it is not
    the default one.
    """
    user_path = user.get("PATH", os.defpath)
    own = [str(VENV / "bin")]
    for binary, file in programs.items():
        folder = str(file.parent)
        if binary != _PLUGIN and folder not in own and folder not in user_path.split(os.pathsep):
            own.append(folder)
    values = {
        "VIRTUAL_ENV": str(VENV),
        "PULUMI_HOME": str(state / "pulumi"),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        pulumi_home.VARIABLE: str(ROOT / "toolchain"),
    }
    if _PLUGIN in programs:
        pulumi_home.place_plugin(programs[_PLUGIN], pins.requirement("pulumi-docker"), state / "pulumi")
        # Where nothing can be downloaded, every start would wait for other versions of what is there.
        values["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
    pulumi = programs.get("pulumi")
    if pulumi and not pulumi_home.official_host(pulumi, user_path) and not pulumi_home.place_hosts(pulumi):
        own.append(str(pulumi_home.HOSTS))
    values["PATH"] = os.pathsep.join([*own, *(part for part in user_path.split(os.pathsep) if part not in own)])
    if not user.get("PULUMI_BACKEND_URL"):
        (state / "state").mkdir(parents=True, exist_ok=True)
        # Without the side files of Pulumi's storage library: cut by a kill, one makes the whole state unreadable.
        values["PULUMI_BACKEND_URL"] = f"file://{quote(str(state / 'state'))}?metadata=skip"
    if pulumi and "PULUMI_CONFIG_PASSPHRASE" not in user and not user.get("PULUMI_CONFIG_PASSPHRASE_FILE"):
        values["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(passphrase_file(state))
    if docker_host and not user.get("DOCKER_HOST"):
        values["DOCKER_HOST"] = docker_host
    return values


def export_lines(values: Mapping[str, str]) -> str:
    """The same for `eval` in a shell."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items())
