"""Where samples are kept for longer than Prometheus' own disk holds them: in a bucket, in VictoriaMetrics, or in
Cortex."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from components.config.base import Duration, Matching, Model, Secret, Switch, Url, seconds, size_bytes
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


_TAG = re.compile(r"[\w .:/=+@-]*")
"""What AWS takes in keys and values of tags."""


class BucketCredentials(Model):
    """Keys of one identity that may use the bucket."""

    access_key: Secret = Field(description="Its access key.")
    secret_key: Secret = Field(description="Its secret key.")


class KmsKey(Model):
    """Encryption with a key of your own in AWS KMS."""

    kms_key: Annotated[
        str, Matching(r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(key|alias)/\S+$", "the ARN of a KMS key or alias")
    ] = Field(description="ARN of the key, in the region of the bucket.")


class Bucket(Model):
    """A bucket on AWS S3 or any server that speaks its protocol."""

    name: Annotated[
        str,
        Matching(
            r"^(?!.*\.[.-])(?!.*-\.)(?!\d+(\.\d+){3}$)(?!xn--)(?!.*(-s3alias|--ol-s3)$)"
            r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
            "3 to 63 lower-case letters, digits, dots and hyphens, as bucket names are: no two dots, no dot beside a "
            "hyphen, no IP address, not xn-- at the beginning or -s3alias at the end",
        ),
    ] = Field(description="Of the bucket.")
    region: Annotated[str, Matching(r"^[a-z0-9][a-z0-9-]*$", "the name of a region, such as eu-central-1")] = Field(
        description="Of the bucket; `us-east-1` on servers that have none."
    )
    endpoint: Url | None = Field(
        default=None,
        description="Of another S3 server: https://s3.example.com. Default: AWS in the region. With http:// "
        "everything goes unencrypted.",
    )
    path_style: Switch = Field(
        default=False, description="Addresses of the form endpoint/bucket, which servers outside of AWS mostly ask for."
    )
    prefix: (
        Annotated[
            str,
            Matching(
                r"^(?!(.*/)?\.{1,2}(/|$))[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$",
                "names with / between them, such as metrics/prod, and none of . and ..",
            ),
        ]
        | None
    ) = Field(default=None, description="Folder in the bucket. One stack alone may use a bucket and prefix.")
    credentials: BucketCredentials | None = Field(
        default=None, description="Default: the machine's or the pod's own role."
    )
    encryption: KmsKey | Literal["sse-s3", "none"] = Field(
        default="sse-s3",
        description="Of objects at rest: `sse-s3` (keys of the server), `{kms_key: arn:...}`, or `none` for servers "
        "without it.",
    )
    adopt: Switch = Field(default=False, description="Take over a bucket that exists; with backend thanos.")
    delete_with_objects: Switch = Field(
        default=False, description="Destroying the stack deletes the bucket with all samples; with backend thanos."
    )
    noncurrent_days: int = Field(
        default=30, ge=1, le=3650, description="Days that deleted objects can be had back; with backend thanos."
    )
    tags: dict[str, str] = Field(default_factory=dict, description="On the bucket; with backend thanos.")

    @property
    def secrets(self) -> tuple[str, ...]:
        """Names of the secrets that its credentials are."""
        keys = self.credentials
        return (keys.access_key.secret, keys.secret_key.secret) if keys else ()

    @property
    def address(self) -> str:
        """Host and port of the server."""
        if self.endpoint is None:
            suffix = ".cn" if self.region.startswith("cn-") else ""
            return f"s3.{self.region}.amazonaws.com{suffix}"
        return urlsplit(self.endpoint).netloc

    @property
    def insecure(self) -> bool:
        """Whether the server is spoken to without TLS, because the stack file says so."""
        return self.endpoint is not None and self.endpoint.startswith("http://")


OWNED = ("adopt", "delete_with_objects", "noncurrent_days", "tags")
"""Settings of a bucket that the stack itself makes and keeps."""


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


class VictoriaMetrics(Model):
    """VictoriaMetrics, one node."""

    retention: Duration = Field(default="1y", description="How long it keeps samples, in whole days; at least 1d.")


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
    def product(self) -> str:
        """What the samples are kept with, by its key in versions.yaml; empty for Prometheus itself."""
        return {"victoria": "victoria-metrics", "cortex": "cortex", "local": ""}.get(self.backend, "thanos")


def storage_problems(config: StackConfig) -> Iterator[Problem]:
    """What must hold between where samples are kept and the rest."""
    storage, bucket = config.storage, config.storage.bucket
    for key in sorted(storage.model_fields_set - {"backend"}):
        if storage.backend not in (fitting := _SETTINGS[key]):
            reason = f"is for backend {' or '.join(fitting)} only"
            yield Problem(f"storage.{key}", reason, hint=f"add `backend: {fitting[0]}`")
    if storage.backend == "victoria" and seconds(storage.victoria.retention) < DAY:
        yield Problem("storage.victoria.retention", "must be at least 1d", storage.victoria.retention)
    if storage.backend == "cortex":
        yield from _cortex_problems(config, storage)
    if not storage.thanos:
        return
    if bucket is None:
        hint = "`bucket: {name: acme-metrics, region: eu-central-1}`"
        yield Problem("storage.bucket", f"is required with backend {storage.backend}", hint=hint)
    else:
        yield from _bucket_problems(storage.backend, bucket)
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
    yield from _bucket_problems(storage.backend, bucket)
    if bucket.prefix:
        yield Problem(
            "storage.bucket.prefix", "cannot be had with backend cortex, which uses the whole bucket", bucket.prefix
        )


def _bucket_problems(backend: Backend, bucket: Bucket) -> Iterator[Problem]:
    if backend != "thanos":
        for key in sorted(bucket.model_fields_set & {*OWNED}):
            reason = f"is for a bucket that the stack makes; with backend {backend} it is yours and only used"
            yield Problem(f"storage.bucket.{key}", reason, hint="`backend: thanos` makes and keeps it")
    if bucket.encryption == "none" and re.fullmatch(r"s3\..*amazonaws\.(com|com\.cn|eu)(:443)?", bucket.address):
        hint = "leave it out, for AWS encrypts in any case"
        yield Problem("storage.bucket.encryption", "is for servers that cannot encrypt", "none", hint)
    if isinstance(bucket.encryption, KmsKey) and bucket.region != (found := bucket.encryption.kms_key.split(":")[3]):
        reason = f"must be a key of the bucket's region {bucket.region}"
        yield Problem("storage.bucket.encryption.kms_key", reason, found)
    if len(bucket.tags) > 50:
        yield Problem("storage.bucket.tags", "must be at most 50", str(len(bucket.tags)))
    for key, value in sorted(bucket.tags.items()):
        if not _TAG.fullmatch(key) or not 1 <= len(key) <= 128 or key.lower().startswith("aws:"):
            reason = "must be 1 to 128 letters, digits, spaces and any of _ . : / = + - @, and not begin with aws:"
            yield Problem(f"storage.bucket.tags.{key[:40]}", reason)
        elif not _TAG.fullmatch(value) or len(value) > 256:
            reason = "must be at most 256 letters, digits, spaces and any of _ . : / = + - @"
            yield Problem(f"storage.bucket.tags.{key[:40]}", reason, value)
    yield from bucket_address_problems("storage.bucket", bucket)


def bucket_address_problems(key: str, bucket: Bucket) -> Iterator[Problem]:
    """What no request to a bucket could be right with; `key` is where the bucket stands in the stack file."""
    if "." in bucket.name and not bucket.path_style:
        reason = "has a dot, so no certificate is valid for its address"
        yield Problem(f"{key}.name", reason, bucket.name, "leave the dot out, or set `path_style: true`")
    endpoint = bucket.endpoint or ""
    parts = urlsplit(endpoint)
    if parts.path.strip("/") or parts.query or parts.fragment:
        yield Problem(f"{key}.endpoint", "must end after host and port", endpoint, "`prefix` names a folder")


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


def _length(duration: str) -> float:
    return float("inf") if duration == "forever" else seconds(duration)
