"""The environment that this project's commands run in: which programs, which state, which engine."""

from __future__ import annotations

import os
import secrets
import shlex
from collections.abc import Mapping
from pathlib import Path

from toolchain import atomic
from toolchain.machine import ROOT, STATE, VENV

HOST_FOLDER = ROOT / "toolchain" / "bin"
LANGUAGE_HOST = "pulumi-language-python"


def passphrase_file(state: Path = STATE) -> Path:
    """The file with the passphrase of this clone's secrets; made once, readable for its owner alone."""
    file = state / "passphrase"
    with atomic.lock(state / ".passphrase.lock"):
        if not file.exists():
            atomic.write(file, secrets.token_urlsafe(32) + "\n", mode=0o600)
    return file


def official_host(pulumi: Path, user_path: str) -> bool:
    """Whether Pulumi brings its own language host, beside it or on PATH."""
    folders = [pulumi.parent, pulumi.resolve().parent, *map(Path, user_path.split(os.pathsep))]
    return any(os.access(folder / LANGUAGE_HOST, os.X_OK) for folder in folders if folder != HOST_FOLDER)


def variables(
    user: Mapping[str, str], programs: Mapping[str, Path], docker_host: str = "", state: Path = STATE
) -> dict[str, str]:
    """What is set beside the user's own environment; what the user set is kept.

    `programs` are the ones found, by the name of their binary; `docker_host` is the engine's address where it is not
    the default one.
    """
    own = [str(VENV / "bin")]
    for file in programs.values():
        if str(file.parent) not in own and str(file.parent) not in user.get("PATH", "").split(os.pathsep):
            own.append(str(file.parent))
    if "pulumi" in programs and not official_host(programs["pulumi"], user.get("PATH", "")):
        own.append(str(HOST_FOLDER))
    rest = [part for part in user.get("PATH", os.defpath).split(os.pathsep) if part not in own]
    values = {
        "PATH": os.pathsep.join([*own, *rest]),
        "VIRTUAL_ENV": str(VENV),
        "PULUMI_HOME": user.get("PULUMI_HOME") or str(state / "pulumi"),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }
    if "pulumi-resource-docker" in programs:
        # Else every start would wait for downloads of what is on PATH already.
        values["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] = "true"
    if not user.get("PULUMI_BACKEND_URL"):
        (state / "state").mkdir(parents=True, exist_ok=True)
        values["PULUMI_BACKEND_URL"] = f"file://{state / 'state'}"
    if "PULUMI_CONFIG_PASSPHRASE" not in user and not user.get("PULUMI_CONFIG_PASSPHRASE_FILE"):
        values["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(passphrase_file(state))
    if docker_host and not user.get("DOCKER_HOST"):
        values["DOCKER_HOST"] = docker_host
    return values


def export_lines(values: Mapping[str, str]) -> str:
    """The same for `eval` in a shell."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in values.items())
