"""A drill in a cluster: copies are restored into a second stack in a namespace of its own, and both are compared.

Nothing of the second stack reaches anybody but the bucket, and it is removed whatever happens. It has one Prometheus,
so that of several replicas each one's copies are restored in a turn of their own.
"""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from components.config import StackConfig
from components.plan import image_catalogue, plan_stack
from components.platforms.kubernetes_files import secret_name
from components.platforms.kubernetes_manifests import manifests
from components.platforms.kubernetes_objects import Stack
from components.services.alertmanager import NAME as ALERTMANAGER
from components.services.grafana import NAME as GRAFANA
from components.services.prometheus import NAME as PROMETHEUS
from components.spec import Plan, Service
from operations import console, pods
from operations.backups.comparisons import SETTLED, Row, dashboards, passed, report, samples, silences
from operations.backups.drill_stack import closed
from operations.backups.in_pods import PodCopies, pod_copies
from operations.backups.restore_in_pods import Chosen, check, choose, put_in_place
from operations.backups.snapshots import Snapshot, told
from operations.cluster import Cluster
from operations.errors import CommandError
from operations.inside import InPod
from operations.running import CheckFailed

MARK = "observatory/drill"
"""Label of a namespace that a drill made, and may remove."""
REMOVAL_PATIENCE = 300
"""Seconds for a namespace to be gone."""


def drill_in_cluster(config: StackConfig, plan: Plan, wanted: str | None, as_json: bool) -> int:
    """Restore copies into a second stack, compare, remove it, and remember the success. The first is only asked."""
    start = time.monotonic()
    selected = choose(pod_copies(config, plan), wanted)
    check(selected)
    rows: list[Row] = []
    for turn in _turns(selected):
        found = list(_turn(config, turn))
        rows += found
        if passed(found):
            for copies, _ in turn:
                if (answer := copies.run("passed")).code != 0:
                    raise copies.error(answer, "the drill passed, but that could not be written down")
    return report(config.environment, [each for _, each in selected], rows, time.monotonic() - start, as_json)


def _turns(selected: Chosen) -> list[Chosen]:
    """What can be compared at once: one Prometheus in each, all else with the first."""
    servers = [each for each in selected if each[0].owner not in (ALERTMANAGER, GRAFANA)]
    others = [each for each in selected if each not in servers]
    return [[*servers[:1], *others], *([each] for each in servers[1:])]


def _turn(config: StackConfig, turn: Chosen) -> Iterator[Row]:
    restored = [each for each in turn if each[0].owner != GRAFANA]
    if restored:
        second = SecondStack.of(config, [copies.service for copies, _ in restored])
        with second.deployed(restored[0][0].cluster):
            put_in_place([(second.copies(copies), snapshot) for copies, snapshot in restored])
            for copies, snapshot in restored:
                yield from _compared(copies, snapshot, second)
    for copies, snapshot in turn:
        if copies.owner == GRAFANA:
            yield dashboards(_database(copies, snapshot))


def _compared(copies: PodCopies, snapshot: Snapshot, second: SecondStack) -> Iterator[Row]:
    first, copy = copies.inside(copies.owner, pods.PATIENCE), second.inside(copies)
    try:
        if copies.owner == ALERTMANAGER:
            yield silences(first, copy, told(copies, snapshot, "begin"))
        else:
            of = "" if copies.owner == PROMETHEUS else f" of {copies.owner}"
            for row in samples(first, copy, told(copies, snapshot, "moment") - SETTLED):
                yield replace(row, what=row.what + of)
    except CheckFailed as error:
        yield Row(f"{copies.owner} answers", None, error.detail, False)


def _database(copies: PodCopies, snapshot: Snapshot) -> bytes | None:
    """Grafana's, straight out of its copy."""
    answer = copies.run("print", snapshot.id, f"{snapshot.staged}/grafana.db")
    if answer.code != 0:
        raise copies.error(answer, f"Grafana's database cannot be read out of copy {snapshot.short}")
    try:
        return base64.b64decode(answer.output)
    except binascii.Error:
        return None


@dataclass(frozen=True)
class SecondStack:
    """Prometheus and Alertmanager with nothing to watch and nobody to tell, and beside them what restores."""

    config: StackConfig
    plan: Plan
    cluster: Cluster
    sources: dict[str, Service]
    """Of its programs to the backup of the first stack whose copies they get."""

    @classmethod
    def of(cls, config: StackConfig, sources: Sequence[Service]) -> SecondStack:
        """With the values of the first, but for all by which it would reach anybody."""
        by_program = {_stand_in(source.beside): source for source in sources}
        assert config.backup
        own = closed(config)
        copied = config.backup.model_copy(update={"include": tuple(by_program)})
        own = own.model_copy(
            update={"backup": copied, "grafana": own.grafana.model_copy(update={"enabled": False, "database": None})}
        )
        planned = plan_stack(own, image_catalogue(own))
        services = tuple(
            # It reads the copies of the first stack, and makes none.
            replace(each, files=by_program[each.beside].files, args=("serve", "idle")) if each.beside else each
            for each in planned.services
        )
        return cls(own, replace(planned, services=services), Cluster(own), by_program)

    @property
    def programs(self) -> list[str]:
        """Those with data."""
        return [each.beside for each in self.plan.services if each.beside]

    def copies(self, first: PodCopies) -> PodCopies:
        """The same copies, to be restored here."""
        service = next(each for each in self.plan.services if each.beside == _stand_in(first.owner))
        return PodCopies(self.config, self.plan, service, self.cluster)

    def inside(self, first: PodCopies) -> InPod:
        """The program that got the copy."""
        service = self.plan.service(_stand_in(first.owner))
        assert service
        return InPod(service, self.cluster, patience=pods.PATIENCE)

    @contextmanager
    def deployed(self, first: Cluster) -> Iterator[None]:
        """Deploy it, and remove all of it at the end; what a killed drill left, first.

        CommandError where there is a namespace of that name which is not a drill's.
        """
        namespace = self.cluster.namespaces[0]
        asked = ("get", "namespace", namespace, "--ignore-not-found", "--output=json")
        if found := self.cluster.ask(*asked).strip():
            if MARK not in json.loads(found)["metadata"].get("labels", {}):
                message = f"there is a namespace {namespace} already, which is no drill's"
                raise CommandError(message, "a drill needs that name; remove the namespace, or rename the stack")
            if not self._remove():
                raise CommandError(f"an older drill's namespace {namespace} is still being deleted", "try again later")
        try:
            console.note(f"deploying a second stack in the namespace {namespace}")
            objects = [*self._objects(), *self._secrets(first)]
            self.cluster.ask("apply", "--server-side", "--filename=-", given=json.dumps(_list(objects)))
            pods.await_serving(self.cluster, self.programs, console.note)
            yield
        finally:
            console.note("removing the second stack")
            if not self._remove():
                console.note(f"the cluster has not deleted the namespace {namespace} yet; look after it")

    def _remove(self) -> bool:
        """Whether the namespace is gone; what went wrong with that must not take the place of a drill's result."""
        namespace, deadline = self.cluster.namespaces[0], time.monotonic() + REMOVAL_PATIENCE
        with suppress(CommandError):
            self.cluster.ask("delete", "namespace", "--ignore-not-found", "--wait=false", namespace)
            while time.monotonic() < deadline:
                if not self.cluster.ask("get", "namespace", namespace, "--ignore-not-found", "--output=name").strip():
                    return True
                time.sleep(1)
        return False

    def _objects(self) -> Iterator[dict[str, Any]]:
        for each in manifests(Stack(self.config, self.plan)):
            if each["kind"] == "Namespace":
                each["metadata"]["labels"][MARK] = "true"
            if each["kind"] != "Secret":
                yield each

    def _secrets(self, first: Cluster) -> Iterator[dict[str, Any]]:
        """As they are in the first stack's namespace, which holds what opens the bucket and the copies."""
        assert self.config.kubernetes
        wanted = [(name, name) for name in self.config.kubernetes.image_pull_secrets]
        wanted += [
            (secret_name(self.sources[each.beside]), secret_name(each)) for each in self.plan.services if each.beside
        ]
        for name, new in wanted:
            found = json.loads(first.ask("get", "secret", f"--namespace={first.namespaces[0]}", name, "--output=json"))
            metadata = {"name": new, "namespace": self.cluster.namespaces[0]}
            yield {
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": metadata,
                **{k: found[k] for k in ("type", "data")},
            }


def _list(objects: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "List", "items": [*objects]}


def _stand_in(owner: str) -> str:
    """The program of the second stack for one of the first."""
    return ALERTMANAGER if owner == ALERTMANAGER else PROMETHEUS
