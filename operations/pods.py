"""Commands in the pods of a stack's programs with data, and a new start of these pods, by kubectl."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from operations.cluster import Cluster
from operations.errors import CommandError

PATIENCE = 900
"""Seconds for a program to serve after a new start: a large Prometheus reads its log first."""
_PAUSE = 2.0


def pod_name(service: str) -> str:
    """The one pod of a service with data."""
    return f"{service}-0"


def execute(
    cluster: Cluster,
    service: str,
    container: str,
    words: Sequence[str],
    show: Callable[[str], None] = lambda _line: None,
) -> tuple[int, str, str]:
    """Exit code and both outputs of a command in a container of a service's pod; `show` gets each line for people.

    Raises CommandError where the command could not be run, or its end was not seen: then, and after Ctrl-C, it may go
    on, and only its container can end it.
    """
    where = (f"--namespace={cluster.namespaces[0]}", pod_name(service), f"--container={container}")
    command = [*cluster.command, "exec", *where, "--", *words]
    # A session of its own: it does not see Ctrl-C, so that what it said until then is not lost.
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    ) as running:
        output, errors, ended = [], [], False
        assert running.stdout
        assert running.stderr
        reader = threading.Thread(target=lambda stream: output.append(stream.read()), args=(running.stdout,))
        reader.start()
        try:
            for line in running.stderr:
                if line.startswith("command terminated with exit code"):  # kubectl's own words
                    ended = True
                else:
                    errors.append(line)
                    show(line.rstrip("\n"))
            code = running.wait()
        except BaseException:
            running.kill()
            raise
        finally:
            reader.join()
    said = "".join(errors)
    if code and not ended:
        raise CommandError(f"{words[0]} in {pod_name(service)}: {said.strip() or f'kubectl ended with {code}'}")
    return code, "".join(output), said


def pod(cluster: Cluster, service: str) -> dict[str, Any] | None:
    """The pod as the cluster tells it; None where there is none."""
    where = (f"--namespace={cluster.namespaces[0]}", pod_name(service), "--ignore-not-found", "--output=json")
    found = cluster.ask("get", "pod", *where)
    return dict(json.loads(found)) if found.strip() else None


def serves(found: dict[str, Any] | None) -> bool:
    """Whether a pod is ready, and stays."""
    if found is None or "deletionTimestamp" in found["metadata"]:
        return False
    conditions = found["status"].get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def end(cluster: Cluster, services: Sequence[str]) -> dict[str, str]:
    """Let other pods take the place of these, whose uids it answers, by service. Raises CommandError."""
    before = {service: _uid(pod(cluster, service)) for service in services}
    where = (f"--namespace={cluster.namespaces[0]}", "--ignore-not-found", "--wait=false")
    cluster.ask("delete", "pod", *where, *map(pod_name, services))
    return before


def await_serving(
    cluster: Cluster, services: Sequence[str], show: Callable[[str], None], before: dict[str, str] | None = None
) -> None:
    """Wait until pods serve that are others than those with the uids of `before`. Raises CommandError."""
    deadline, waiting = time.monotonic() + PATIENCE, [*services]
    while waiting:
        for service in [*waiting]:
            with suppress(CommandError):  # the API server may be away for a moment
                found = pod(cluster, service)
                if serves(found) and _uid(found) != (before or {}).get(service):
                    waiting.remove(service)
                    show(f"{service} serves")
        if waiting and time.monotonic() > deadline:
            name, namespace = pod_name(waiting[0]), cluster.namespaces[0]
            hint = f"kubectl -n {namespace} describe pod {name}; kubectl -n {namespace} logs {name} --all-containers"
            raise CommandError(f"{waiting[0]} does not serve within {PATIENCE} s", hint)
        if waiting:
            time.sleep(_PAUSE)


def _uid(found: dict[str, Any] | None) -> str:
    return str(found["metadata"]["uid"]) if found else ""
