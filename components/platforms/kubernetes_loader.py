"""The loader: a second container of the pod, of the program's own image, that makes new configuration live.

It copies the files that the cluster hands over into a new folder, swaps the link `current` as on Docker, and then
sends the signal or runs the commands by which the program reloads. Only then the link `live` follows: so a loader that
was ended in between knows what the program has still to be told. Needs sh and the usual tools in the image.
"""

from __future__ import annotations

import shlex
from typing import Any

from components.spec import Reload, Service

SOURCE = "/observatory/files"
"""Where the loader finds the files: flat, under their keys, with an index."""
FOLDER_SIZE = 32
"""MiB of the folder with the files, for two versions. The same for all: another size would be another pod."""
PATIENCE = 5
"""Seconds between two looks at what the cluster hands over."""

_HEAD = """\
set -u
umask 077
from=$1 to=$2

link() { rm -f "$to/next" && ln -s "$1" "$to/next" && mv -T "$to/next" "$to/$2"; }

# All but the version that `current` points to: there is room for one more.
tidy() {
  for each in "$to"/*; do
    case ${each##*/} in current | live | "$(readlink "$to/current")") ;; *) rm -rf "$each" ;; esac
  done
}

# Builds the folder of one version and swaps `current`; leaves everything as it is where a file is not there yet.
take() {
  [ "$(readlink "$to/current")" != "${1#..}" ] || return 0
  tidy
  while read -r key path; do
    mkdir -p "$(dirname "$to/new/$path")" && cp "$from/$1/$key" "$to/new/$path" || return 1
  done < "$from/$1/index"
  mv "$to/new" "$to/${1#..}" && link "${1#..}" current
}
"""

# The program is the only process that a container began with (its parent is outside: 0), besides the pod's own first
# one, that sees other mounts than this container, and among them this folder: another program of the pod does not.
_SIGNAL = """\
reload() {
  own=$(readlink "/proc/$$/ns/mnt")
  for status in /proc/[0-9]*/status; do
    pid=${status#/proc/} pid=${pid%/status}
    grep -q "^PPid:[[:space:]]*0$" "$status" 2>/dev/null && [ "$pid" != 1 ] || continue
    mounts=$(readlink "/proc/$pid/ns/mnt") && [ "$mounts" != "$own" ] &&
      grep -q " $to " "/proc/$pid/mountinfo" && kill -s SIGNAL "$pid" && return 0
  done
  return 1
}
"""

_LOOP = """\
while :; do
  new=$(readlink "$from/..data")
  if [ "${new#..}" != "$(readlink "$to/live")" ]; then
    # The program starts once `current` is there.
    started=$(readlink "$to/current")
    if take "$new" && { [ -z "$started" ] || reload; } && link "${new#..}" live; then
      tidy
      echo "${new#..} is live"
    else
      echo "$new cannot be made live yet" >&2
    fi
  fi
  sleep PATIENCE
done
"""


def script(reload: Reload) -> str:
    """The loader's program, for sh; its arguments are the folder of the files and the configuration folder."""
    if reload.signal:
        act = _SIGNAL.replace("SIGNAL", reload.signal.removeprefix("SIG"))
    else:
        commands = " &&\n  ".join(f"{shlex.join(command)} >&2" for command in reload.commands)
        act = f"reload() {{\n  {commands}\n}}\n"
    return _HEAD + act + _LOOP.replace("PATIENCE", str(PATIENCE))


def command(service: Service) -> list[str]:
    """What the loader's container runs."""
    assert service.reload is not None
    return ["sh", "-c", script(service.reload), "loader", SOURCE, service.config_folder]


def needed_memory(service: Service) -> int:
    """MiB that the loader may take: what it runs, and the folder, which lies in memory and is counted as its own."""
    if sum(len(file.content.encode()) for file in service.files) * 2 > FOLDER_SIZE * 2**20:
        raise ValueError(f"the files of {service.name} have more than {FOLDER_SIZE // 2} MiB together")
    # Commands are programs of the service's own kind and size.
    own = service.resources.memory if service.reload and service.reload.commands else 32
    return own + FOLDER_SIZE


def startup_probe(service: Service) -> dict[str, Any]:
    """The program starts once its files are there."""
    return {
        "exec": {"command": ["test", "-e", service.mounted_config]},
        "periodSeconds": 1,
        "failureThreshold": 120,
        "timeoutSeconds": 5,
    }
