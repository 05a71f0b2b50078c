"""What the deployment does through the Docker API itself: files into volumes, reloads, waiting for a start.

Everything goes through the API, nothing through paths of this machine: so a remote engine works like a local one.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.containers import Container
from docker.types import IPAMConfig, IPAMPool

from components.platforms.docker_archive import (
    folder_entry,
    is_there,
    link_entry,
    link_target,
    put,
    slot_entries,
    tombstone,
)
from components.platforms.errors import DeploymentError

SLOTS = ("a", "b")
CURRENT = "current"
RELOAD_PATIENCE = 60.0
"""Seconds for a program to say whether it took the new configuration; a large Prometheus reads many rules."""
HALF_RESTORED = ".restored-half"
"""In a volume where a restore was cut off (services/backup.sh): no program can enter it."""
_LABEL = "observatory.helper"


class Engine:
    """One Docker engine. `host` is its address, empty for DOCKER_HOST or the local socket."""

    def __init__(self, host: str = "") -> None:
        try:
            self.client = docker.DockerClient(base_url=host, timeout=120) if host else docker.from_env(timeout=120)
        except DockerException as error:
            raise DeploymentError(f"the Docker engine does not answer: {error}") from None

    def container(self, name: str) -> Container | None:
        """The container of that name, running or not."""
        try:
            return self.client.containers.get(name)
        except NotFound:
            return None

    def remove_volume(self, name: str) -> None:
        """Remove a volume; one that is gone already is fine."""
        try:
            self.client.volumes.get(name).remove()
        except NotFound:
            return
        except APIError as error:
            raise DeploymentError(f"volume {name} cannot be removed: {error.explanation or error}") from None

    def make_network(self, name: str, subnet: str, labels: dict[str, str]) -> None:
        """Make a bridge network; one of the same name, labels and subnet is taken as it is."""
        try:
            found = self.client.networks.list(names=[f"^{name}$"])
            if not found:
                pools = [IPAMPool(subnet=subnet)] if subnet else []
                ipam = IPAMConfig(pool_configs=pools) if pools else None
                self.client.networks.create(name, driver="bridge", labels=labels, ipam=ipam, check_duplicate=True)
                return
            attributes = found[0].attrs
        except APIError as error:
            raise DeploymentError(f"network {name} cannot be made: {error.explanation or error}") from None
        subnets = [pool.get("Subnet") for pool in attributes["IPAM"].get("Config") or []]
        if attributes.get("Labels") != labels or (subnet and subnets != [subnet]):
            raise DeploymentError(f"network {name} is there already and not this stack's; rename or remove it")

    def remove_network(self, name: str) -> None:
        """Remove a network; one that is gone already is fine."""
        try:
            self.client.networks.get(name).remove()
        except NotFound:
            return
        except APIError as error:
            raise DeploymentError(f"network {name} cannot be removed: {error.explanation or error}") from None

    # Configuration

    def write_configuration(self, props: dict[str, Any], changed: set[str] | None) -> None:
        """Write a service's files into the unused slot of its volume, switch to it, and let the program take it.

        `changed` holds the changed paths, None on the first write. On a rejection the switch is undone.
        """
        files = {**props["files"], **props["secret_files"]}
        secret_paths = set(props["secret_files"])
        uid, gid = (int(part) for part in props["user"].split(":"))
        self.client.volumes.create(props["volume"], labels=props["labels"])
        with self._helper(props) as helper:
            for index, volume in enumerate(props["data_volumes"]):
                if is_there(helper, f"/data/{index}/{HALF_RESTORED}"):
                    raise DeploymentError(_half_restored(volume))
            active = link_target(helper, f"/config/{CURRENT}")
            target = SLOTS[1] if active == SLOTS[0] else SLOTS[0]
            # One archive, for the engine mounts everything anew for each; unpacked in order, so the switch comes last.
            # It passes over an entry for the folder it unpacks into, so the roots are named from above.
            roots = ["config", *(f"data/{index}" for index in range(len(props["data_volumes"])))]
            entries = [folder_entry(root, uid, gid, 0o755) for root in roots]
            entries += slot_entries(f"config/{target}", files, secret_paths, uid, gid)
            put(helper, "/", [*entries, link_entry(f"config/{CURRENT}", target)])
            try:
                self._reload(props, changed)
            except DeploymentError:
                if active:
                    # Some programs take half of a bad configuration, so the old one is loaded again as a whole.
                    put(helper, "/config", [link_entry(CURRENT, active), tombstone(target)])
                    with suppress(DeploymentError):
                        self._reload(props, changed)
                raise
            if active:
                put(helper, "/config", [tombstone(active)])

    @contextmanager
    def _helper(self, props: dict[str, Any]) -> Iterator[Container]:
        """A container that is never started: a door into the volumes. A leftover of an interruption is replaced."""
        name = f"{props['volume']}-writer"
        if leftover := self.container(name):
            leftover.remove(v=True, force=True)
        binds = {props["volume"]: {"bind": "/config", "mode": "rw"}}
        binds |= {volume: {"bind": f"/data/{i}", "mode": "rw"} for i, volume in enumerate(props["data_volumes"])}
        self._have_image(props["image"])
        helper = self.client.containers.create(
            props["image"], name=name, volumes=binds, network_mode="none", labels={_LABEL: "true"}, command=["-"]
        )
        try:
            yield helper
        finally:
            helper.remove(v=True, force=True)  # the volumes that its image declares, not those with a name

    def _have_image(self, image: str) -> None:
        try:
            self.client.images.get(image)
        except ImageNotFound:
            try:
                self.client.images.pull(image)
            except APIError as error:
                raise DeploymentError(f"image {image} is not here and cannot be pulled: {error.explanation}") from None

    def _reload(self, props: dict[str, Any], changed: set[str] | None) -> None:
        reload, quiet = props["reload"], set(props["quiet"])
        container = self.container(props["container"])
        if not reload or container is None or container.status != "running":
            return
        if changed is not None and changed <= quiet:
            return
        for command in reload["commands"]:
            code, output = container.exec_run(command)
            if code != 0:
                raise DeploymentError(f"{props['container']} rejected the new configuration: {_text(output)}")
        if reload["signal"]:
            self._signal(container, reload)

    def _signal(self, container: Container, reload: dict[str, Any]) -> None:
        # The engine's clock, not ours, stamps the log; so what counts is what comes after the last line so far.
        last = _text(container.logs(tail=1, timestamps=True)).split(" ", 1)[0]
        # From inside: whatever signal the engine itself sends counts as a stop, after which it restarts nothing.
        code, output = container.exec_run(["sh", "-c", f"kill -s {reload['signal'].removeprefix('SIG')} 1"])
        if code != 0:
            raise DeploymentError(
                f"{container.name} could not be told of its new configuration, for which its image needs sh: "
                f"{_text(output) or f'exit code {code}'}; the old files are back in place"
            )

        def answer() -> bool | None:
            text = _log_after(container, last)
            if reload["rejected"] in text:
                raise DeploymentError(
                    f"{container.name} rejected the new configuration and keeps the old one: {_reasons(text)}"
                )
            return True if reload["loaded"] in text else None

        if not _poll(answer, RELOAD_PATIENCE):
            raise DeploymentError(
                f"{container.name} did not say within {RELOAD_PATIENCE:.0f} s that it loaded the new configuration; "
                "the old files are back in place"
            )

    # Start

    def await_started(self, name: str, probe: list[str], patience: float) -> None:
        """Wait until the container runs and `probe` succeeds in it; `patience` in seconds."""
        container = self.container(name)
        if container is None:
            raise DeploymentError(f"container {name} is gone; run the update again with --refresh")
        if container.status in ("created", "exited"):
            try:
                container.start()
            except APIError as error:
                raise DeploymentError(f"{name} cannot start: {error.explanation or error}") from None
        last = ""

        def ready() -> bool | None:
            nonlocal last
            container.reload()
            if container.status in ("exited", "dead", "restarting"):
                raise DeploymentError(
                    f"{name} stopped right after its start. Its last words:\n{_tail(container)}{_cause(container)}"
                )
            if container.status != "running":
                return None
            if not probe:
                return True
            try:
                code, output = container.exec_run(probe)
            except APIError as error:  # stopped between the two calls
                last = str(error.explanation or error)
                return None
            last = f"its health check `{' '.join(probe)}` ends with {code}: {_text(output) or 'no output'}"
            return True if code == 0 else None

        if not _poll(ready, patience):
            raise DeploymentError(
                f"{name} was not healthy within {patience:.0f} s: {last or 'no answer'}\n"
                f"{_tail(container)}{_cause(container)}"
            )


def _poll(question: Callable[[], bool | None], patience: float) -> bool:
    """Ask until the answer is true or `patience` (seconds) is over, more slowly as time passes."""
    deadline, pause = time.monotonic() + patience, 0.05
    while True:
        if question():
            return True
        if time.monotonic() + pause > deadline:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, 1.0)


def _text(output: Any) -> str:
    return output.decode(errors="replace").strip() if isinstance(output, bytes) else ""


def _half_restored(volume: str) -> str:
    return f"{volume} is half of each, as a restore was cut off: ./observatory restore --replace finishes it"


def _cause(container: Container) -> str:
    """Why no program could have started with these volumes, on a line of its own; "" where that is not known."""
    for mount in container.attrs.get("Mounts") or []:
        with suppress(APIError):
            if mount["Type"] == "volume" and is_there(container, f"{mount['Destination']}/{HALF_RESTORED}"):
                return f"\n{_half_restored(mount['Name'])}"
    return ""


def _log_after(container: Container, last: str) -> str:
    """The lines of the log that came after the one stamped `last` (as the engine writes it; "" for all)."""
    since = int(datetime.fromisoformat(last).timestamp()) if last else None
    lines = _text(container.logs(since=since, timestamps=True)).splitlines()
    return "\n".join(line.partition(" ")[2] for line in lines if line.partition(" ")[0] > last)


def _tail(container: Container) -> str:
    return "\n".join(f"    {line}" for line in _text(container.logs(tail=12)).splitlines())


def _reasons(log: str) -> str:
    """The program's own messages out of its log: the err field of each error, most telling first."""
    found = []
    for line in log.splitlines():
        if "level=ERROR" not in line:
            continue
        match = re.search(r'err="((?:[^"\\]|\\.)*)"', line) or re.search(r"err=(\S+)", line)
        text = match.group(1) if match else line.strip()
        with suppress(ValueError):
            text = str(json.loads(f'"{text}"'))
        found.append(text)
    return "; ".join(dict.fromkeys(found)) or "it gives no reason"
