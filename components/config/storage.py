"""Where samples are kept for longer than Prometheus' own disk holds them: in a bucket, in VictoriaMetrics, or in
Cortex."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from components.config.base import Duration, Matching, Model, Secret, Switch, seconds, size_bytes
from components.config.bucket import Bucket, bucket_problems
from components.config.errors import Problem
from components.config.metrics import Subject

if TYPE_CHECKING:
    from components.config.stack import StackConfig

RuledSubject = Subject | Literal["slo"]
"""What the ruler can take over. Rules about the stack itself stay in Prometheus, which needs nothing else to run."""
Backend = Literal["local", "thanos", "s3", "victoria", "cortex"]
_BUCKET: tuple[Backend, ...] = ("thanos", "s3")
_REMOTE: tuple[Backend, ...] = ("victoria", "cortex")
_SETTINGS: dict[str, tuple[Backend, ...]] = {
    "bucket": (*_BUCKET, "cortex"),
    "retention": _BUCKET,
    "query_frontend": _BUCKET,
    "tls": _BUCKET,
    "ruler": _BUCKET,
    "receive": _BUCKET,
    "victoria": ("victoria",),
    "cortex": ("cortex",),
    "remote_write": _REMOTE,
}
"""Setting to the backends that have a use for it."""
DAY = 86400
SHORTEST_LOCAL = 6 * 3600
"""Seconds that Prometheus keeps samples at least: a block of 2 h, and time for its upload and the queries of then."""
SHORTEST = {"raw": 3 * 86400, "five_minutes": 21 * 86400}
"""Seconds below which samples would go before the next coarser resolution is made of them: that happens once blocks
are two days (raw) and two weeks (five minutes) long, and takes the oldest samples of such a block with it."""
VICTORIA_CLUSTER = ("vmstorage", "vminsert", "vmselect")
"""What a cluster of VictoriaMetrics is made of, in the order of their start."""


class StorageRetention(Model):
    """How long the bucket keeps samples, by resolution; `forever` never deletes."""

    raw: Duration | Literal["forever"] = Field(default="90d", description="As scraped; at least 3d.")
    five_minutes: Duration | Literal["forever"] = Field(
        default="1y", description="One value for five minutes; at least 3w."
    )
    one_hour: Duration | Literal["forever"] = Field(default="3y", description="One value for an hour.")


class StorageTls(Model):
    """Mutual TLS between the components of Thanos."""

    ca: Secret = Field(description="Certificate of the authority, PEM.")
    certificate: Secret = Field(description="The certificate, PEM; for servers and clients, valid for all names.")
    key: Secret = Field(description="Its private key, PEM.")


class VictoriaCluster(Model):
    """VictoriaMetrics in three kinds of program, each of which there can be several of."""

    vmstorage: Annotated[int, Field(ge=2, le=30)] = Field(
        default=3, description="Programs that keep samples, each a part of the series."
    )
    vminsert: Annotated[int, Field(ge=1, le=9)] = Field(default=2, description="Programs that take samples.")
    vmselect: Annotated[int, Field(ge=1, le=9)] = Field(default=2, description="Programs that answer queries.")
    replication_factor: Annotated[int, Field(ge=1, le=5)] = Field(
        default=2,
        description="How many vmstorage have each sample: all but one of these may be away, and nothing is missing. "
        "Needs twice as many vmstorage, less one.",
    )

    def count(self, product: str) -> int:
        """How many there are of one of its programs; 0 for any other."""
        return int(getattr(self, product, 0)) if product in VICTORIA_CLUSTER else 0


class VictoriaMetrics(Model):
    """VictoriaMetrics, one node or a cluster."""

    retention: Duration = Field(default="1y", description="How long it keeps samples, in whole days; at least 1d.")
    cluster: VictoriaCluster | None = Field(
        default=None, description="`{}` spreads samples over several programs, for loads that one cannot carry."
    )


class Cortex(Model):
    """Cortex as one program, for small loads."""

    tenant: (
        Annotated[
            str,
            Matching(
                r"^(?!\.{1,2}$)[A-Za-z0-9!_.*'()-]{1,150}$",
                "1 to 150 letters, digits and any of ! - _ . * ' ( ), not . or ..",
            ),
        ]
        | None
    ) = Field(default=None, description="Whose samples these are, sent as X-Scope-OrgID. Default: `environment`.")
    retention: Duration = Field(default="1y", description="How long it keeps samples; at least 1d.")
    max_series: int = Field(
        default=150_000,
        ge=1000,
        le=5_000_000,
        description="Series in its memory, at most; 10 KB each. Others are refused.",
    )
    max_samples_per_second: int = Field(
        default=50_000,
        ge=1000,
        le=1_000_000,
        description="What it takes; Prometheus keeps the rest and sends it later.",
    )


class RemoteWrite(Model):
    """Prometheus' queue towards what keeps its samples. It begins with one shard, and takes more as they are needed."""

    max_shards: int = Field(default=50, ge=1, le=1000, description="Requests at the same time, at most.")
    max_samples_per_send: int = Field(default=2000, ge=100, le=50000, description="Samples in one request.")
    capacity: int = Field(
        default=10000, ge=100, le=500000, description="Samples in memory for each shard; a few requests' worth."
    )


class Receive(Model):
    """A receiver of samples that other Prometheus servers push."""

    clients: Secret | None = Field(
        default=None,
        description="Certificate of the authority, PEM, whose certificates may push; required with `access`.",
    )


class Storage(Model):
    """Where samples are kept."""

    backend: Backend = Field(
        default="local",
        description="local: Prometheus' own disk; thanos: a bucket that the stack makes; s3: a bucket of yours; "
        "victoria: VictoriaMetrics; cortex: Cortex, for small loads.",
    )
    bucket: Bucket | None = Field(
        default=None, description="With backend thanos or s3. With cortex, for its blocks; a bucket of yours."
    )
    retention: StorageRetention = Field(
        default=StorageRetention(), description="Of the bucket; that of Prometheus' own disk is `retention`."
    )
    query_frontend: Switch = Field(
        default=True, description="Splits long queries into days, and remembers their answers."
    )
    tls: StorageTls | None = Field(default=None, description="Default: none between the components.")
    victoria: VictoriaMetrics = VictoriaMetrics()
    cortex: Cortex = Cortex()
    remote_write: RemoteWrite = Field(default=RemoteWrite(), description="With backend victoria or cortex.")
    ruler: tuple[RuledSubject, ...] = Field(
        default=(),
        description="Subjects whose rules are evaluated over all that is kept, in place of Prometheus' own disk: `slo` "
        "for objectives, or one that services expose.",
    )
    receive: Receive | None = Field(
        default=None, description="`{}` takes samples of other Prometheus servers by remote write. Default: none."
    )

    @model_validator(mode="before")
    @classmethod
    def _bare_word(cls, data: Any) -> Any:
        return {"backend": data} if isinstance(data, str) else data

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        found = handler(schema)
        target = handler.resolve_ref_schema(found)
        target["type"] = ["object", "string"]
        target["pattern"] = "^(local|victoria|cortex)$"
        return found

    @property
    def thanos(self) -> bool:
        """Whether Thanos keeps the samples."""
        return self.backend in _BUCKET

    @property
    def remote(self) -> bool:
        """Whether Prometheus sends its samples to another database."""
        return self.backend in _REMOTE

    @property
    def deduplicates(self) -> bool:
        """Whether what replicas of Prometheus have scraped is shown as one."""
        return self.backend not in ("local", "cortex")

    @property
    def victoria_cluster(self) -> VictoriaCluster | None:
        """The cluster of VictoriaMetrics, if samples are kept in one."""
        return self.victoria.cluster if self.backend == "victoria" else None

    @property
    def products(self) -> tuple[str, ...]:
        """What the samples are kept with, by keys in versions.yaml; nothing where it is Prometheus itself."""
        if self.victoria_cluster:
            return VICTORIA_CLUSTER
        return {"local": (), "victoria": ("victoria-metrics",), "cortex": ("cortex",)}.get(self.backend, ("thanos",))


def storage_problems(config: StackConfig) -> Iterator[Problem]:
    """What must hold between where samples are kept and the rest."""
    storage, bucket = config.storage, config.storage.bucket
    for key in sorted(storage.model_fields_set - {"backend"}):
        if storage.backend not in (fitting := _SETTINGS[key]):
            reason = f"is for backend {_any_of(fitting)} only"
            chosen = "backend" in storage.model_fields_set
            hint = f"leave it out, or `backend: {fitting[0]}` in place of {storage.backend}"
            yield Problem(f"storage.{key}", reason, hint=hint if chosen else f"add `backend: {fitting[0]}`")
    if storage.backend == "victoria":
        yield from _victoria_problems(config, storage)
    if storage.backend == "cortex":
        yield from _cortex_problems(config, storage)
    if not storage.thanos:
        return
    if bucket is None:
        hint = "`bucket: {name: acme-metrics, region: eu-central-1}`"
        yield Problem("storage.bucket", f"is required with backend {storage.backend}", hint=hint)
    else:
        yield from bucket_problems(storage.backend, bucket)
    yield from _retention_problems(storage.retention)
    if seconds(config.retention_time) < SHORTEST_LOCAL:
        reason = "must be at least 6h with a bucket: what is not uploaded yet is on Prometheus' own disk alone"
        yield Problem("retention.time", reason, config.retention_time)
    yield from _size_problems(config)
    yield from _receive_problems(config)


def _receive_problems(config: StackConfig) -> Iterator[Problem]:
    """The receiver has no password: who may push is told by certificates, which ask for TLS."""
    receive = config.storage.receive
    if receive is None:
        return
    if config.access and receive.clients is None:
        hint = "`receive: {clients: {secret: receiveClients}}`, an authority whose certificates may push"
        yield Problem("storage.receive.clients", "is required with access: the receiver knows no password", hint=hint)
    if receive.clients and config.access is None:
        yield Problem("storage.receive.clients", "needs TLS", hint="add `access:`, whose certificate it shows")


def _size_problems(config: StackConfig) -> Iterator[Problem]:
    """A size that is full before samples are uploaded, judged by the least that the stack is going to scrape."""
    if config.retention.size is None:
        return
    from components.series import sources  # only stacks with both pay for it here
    from components.sizing import disk, load_of, size_text

    load = load_of(sources(config, ("prometheus",), {}), SHORTEST_LOCAL)
    floor = disk(load).floor or 0
    if size_bytes(config.retention.size) < floor:
        reason = (
            f"must hold at least 6h of about {load.rate:,.0f} samples/s with a bucket: what is not uploaded yet is on "
            "Prometheus' own disk alone"
        )
        yield Problem("retention.size", reason, config.retention.size, f"{size_text(floor)} or more")


def _victoria_problems(config: StackConfig, storage: Storage) -> Iterator[Problem]:
    if seconds(storage.victoria.retention) < DAY:
        yield Problem("storage.victoria.retention", "must be at least 1d", storage.victoria.retention)
    cluster = storage.victoria.cluster
    if cluster is None:
        return
    copies = cluster.replication_factor
    if cluster.vmstorage < (least := 2 * copies - 1):
        # With fewer, a new sample would not find as many while the others are away.
        reason = f"must be at least {least} for a replication_factor of {copies}"
        yield Problem("storage.victoria.cluster.vmstorage", reason, str(cluster.vmstorage))
    if config.platform == "docker" and not config.high_availability.one_host:
        reason = "is on one Docker host, and does not outlive it"
        hint = (
            "`high_availability: {one_host: true}` if it is a program's crash that it is against; else platform: "
            "kubernetes, or one node: leave `cluster` out"
        )
        yield Problem("storage.victoria.cluster", reason, hint=hint)


def _cortex_problems(config: StackConfig, storage: Storage) -> Iterator[Problem]:
    bucket = storage.bucket
    if seconds(storage.cortex.retention) < DAY:
        yield Problem("storage.cortex.retention", "must be at least 1d", storage.cortex.retention)
    if config.access:
        hint = "backend victoria, thanos or s3, or leave `access` out"
        yield Problem(
            "storage.backend", "cannot be had with `access`: Cortex asks nobody for a password", "cortex", hint
        )
    if bucket is None:
        return
    yield from bucket_problems(storage.backend, bucket)
    if bucket.prefix:
        yield Problem(
            "storage.bucket.prefix", "cannot be had with backend cortex, which uses the whole bucket", bucket.prefix
        )


def _retention_problems(retention: StorageRetention) -> Iterator[Problem]:
    for key, least, words in (("raw", SHORTEST["raw"], "3d"), ("five_minutes", SHORTEST["five_minutes"], "3w")):
        value = getattr(retention, key)
        if value != "forever" and seconds(value) < least:
            reason = f"must be at least {words}: before, nothing coarser is made of these samples"
            yield Problem(f"storage.retention.{key}", reason, value)
    order = ("raw", "five_minutes", "one_hour")
    for finer, coarser in pairwise(order):
        if _length(getattr(retention, coarser)) < _length(getattr(retention, finer)):
            reason = f"must not be shorter than {finer}, or long queries end before short ones"
            yield Problem(f"storage.retention.{coarser}", reason, getattr(retention, coarser))


def _any_of(words: tuple[str, ...]) -> str:
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _length(duration: str) -> float:
    return float("inf") if duration == "forever" else seconds(duration)
