"""VictoriaMetrics as a cluster: vminsert takes samples, vmstorage keeps them, vmselect answers queries over them.

Every sample is on as many vmstorage as `replication_factor` says. What vminsert and vmselect say to them is neither
encrypted nor asked for a password, which only the Enterprise edition can; it stays in the stack's own network.
"""

from __future__ import annotations

from dataclasses import replace

from components.config.storage import VICTORIA_CLUSTER
from components.context import Context
from components.replicas import any_of, as_replica, replica_name
from components.services.probes import port_probe
from components.services.victoria_metrics import access_files, deduplication, keeping, serving
from components.spec import Call, Metrics, Port, Resources, Service, Volume

STORAGE, INSERT, SELECT = VICTORIA_CLUSTER
INSERT_PORT, SELECT_PORT, STORAGE_PORT = 8480, 8481, 8482
TAKEN, ASKED = 8400, 8401
"""Ports at which vmstorage takes samples from vminsert, and answers vmselect."""
WRITE_PATH, QUERY_PATH = "/insert/0/prometheus/api/v1/write", "/select/0/prometheus"
"""Both of tenant 0: a stack is its cluster's only one."""
_DATA = "/vmstorage-data"


def victoria_cluster(context: Context) -> tuple[Service, ...]:
    """Plan all programs, with all of their replicas. As with the one node, all that can be said is an argument."""
    firsts = (_storage(context), _insert(context), _select(context))
    return tuple(as_replica(first, number) for first in firsts for number in context.replicas(first.name))


def entrance(context: Context, name: str) -> str:
    """The network name that leads to one of the vminsert, or of the vmselect, that serve."""
    return any_of(name) if len(context.replicas(name)) > 1 else name


def _storage(context: Context) -> Service:
    return replace(
        _program(context, STORAGE, STORAGE_PORT, Resources(1024, 1.0)),
        product="VictoriaMetrics storage",
        args=(*keeping(context, _DATA), *deduplication(context), *serving(context, _folder(STORAGE), STORAGE_PORT)),
        ports=(
            context.port("http", STORAGE_PORT, scheme=context.access.scheme),
            Port("vminsert", TAKEN),
            Port("vmselect", ASKED),
        ),
        volumes=(Volume(f"{STORAGE}-data", _DATA),),
        stop_grace=120,
    )


def _insert(context: Context) -> Service:
    return replace(
        _asking(context, INSERT, INSERT_PORT, Resources(256, 0.5), TAKEN),
        product="VictoriaMetrics insert",
        ports=(context.port("http", INSERT_PORT, scheme=context.access.scheme),),
    )


def _select(context: Context) -> Service:
    # It is given the copies of a sample by several vmstorage, and has to make them one.
    single = deduplication(context) or (("-dedup.minScrapeInterval=1ms",) if _copies(context) > 1 else ())
    found = _asking(context, SELECT, SELECT_PORT, Resources(512, 0.5), ASKED)
    return replace(
        found,
        args=(
            *found.args,
            *single,
            # An error in place of an answer in which series are missing, which nothing would tell from a whole one.
            "-search.denyPartialResponse",
            # Nothing is remembered of the time that Prometheus may still fill in, once it can send again.
            "-search.cacheTimestampOffset=3h",
        ),
        ports=(context.port("http", SELECT_PORT, "victoria", context.access.scheme, path=QUERY_PATH),),
        scratch=("/tmp",),
    )


def _program(context: Context, name: str, port: int, limits: Resources) -> Service:
    """What all three kinds have in common."""
    return Service(
        name=name,
        product="VictoriaMetrics",
        image=context.image(name),
        user="65534:65534",
        resources=context.resources(name, limits.memory, limits.cpus),
        config_folder=_folder(name),
        files=access_files(context, _folder(name)),
        probe=port_probe(port),
        metrics=(Metrics(name, port, protected=True),),
    )


def _asking(context: Context, name: str, port: int, limits: Resources, storage_port: int) -> Service:
    """One of those that keep nothing, and ask all vmstorage at a port of theirs."""
    nodes = [replica_name(STORAGE, number) for number in context.replicas(STORAGE)]
    return replace(
        _program(context, name, port, limits),
        args=(
            *(f"-storageNode={node}:{storage_port}" for node in nodes),
            f"-replicationFactor={_copies(context)}",
            *serving(context, _folder(name), port),
        ),
        entry_name=any_of(name) if len(context.replicas(name)) > 1 else "",
        calls=tuple(Call(node, storage_port) for node in nodes),
    )


def _folder(name: str) -> str:
    return f"/etc/{name}"


def _copies(context: Context) -> int:
    cluster = context.config.storage.victoria_cluster
    return cluster.replication_factor if cluster else 1
