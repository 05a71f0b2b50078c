"""Puts plugins where Pulumi looks for them by itself: each one found on PATH is a warning in every preview."""

from __future__ import annotations

import os
from pathlib import Path

from toolchain import atomic
from toolchain.machine import ROOT, cache_folder

HOSTS = ROOT / "toolchain" / "bin"
BUNDLED = ("pulumi-language-python", "pulumi-resource-pulumi-python")
VARIABLE = "OBSERVATORY_TOOLCHAIN"
_WRAPPER = """#!/bin/sh
# Pulumi looks for this file beside its own program, which clones share: the clone that runs says where its own one is.
exec "${{{variable}:?is not set; run this through python3 -m toolchain exec}}/bin/{name}" "$@"
"""


def official_host(pulumi: Path, user_path: str) -> bool:
    """Whether Pulumi brings its own language host, beside it or on PATH."""
    places = [pulumi.resolve().parent, pulumi.parent, *map(Path, user_path.split(os.pathsep))]
    hosts = [place / BUNDLED[0] for place in places if place != HOSTS]
    return any(os.access(host, os.X_OK) and not _is_wrapper(host) for host in hosts)


def place_hosts(pulumi: Path) -> bool:
    """Puts our language host beside a `pulumi` of the cache folder; False for one that is not ours to change."""
    folder = pulumi.resolve().parent
    if not folder.is_relative_to(cache_folder().resolve()):
        return False
    for name in BUNDLED:
        text = _WRAPPER.format(variable=VARIABLE, name=name)
        file = folder / name
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            atomic.write(file, text, mode=0o755)
    return True


def place_plugin(plugin: Path, version: str, home: Path) -> None:
    """Puts the Docker provider into Pulumi's folder of plugins, as `pulumi plugin install` would."""
    target = home / "plugins" / f"resource-docker-v{version}" / plugin.name
    # In an environment that was set up already, the plugin that is found is the one in this very folder.
    if plugin == target or (target.is_symlink() and target.readlink() == plugin):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{os.getpid()}")
    temporary.symlink_to(plugin)
    temporary.rename(target)


def _is_wrapper(file: Path) -> bool:
    with file.open("rb") as content:
        return VARIABLE.encode() in content.read(400)
