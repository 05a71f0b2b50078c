"""Thanos: uploads Prometheus' blocks to a bucket, keeps them in order there, and answers over all of them.

The sidecar stands beside each Prometheus; store gateway, querier, query frontend and compactor are there once. Each is
one function, all of one image. Ruler and receiver, where the stack file asks for them, have modules of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from components.context import Context
from components.replicas import replica_name
from components.services import prometheus
from components.services.thanos_component import HTTP, component, http_args
from components.services.thanos_files import (
    CURRENT,
    GRPC,
    bucket_args,
    bucket_calls,
    bucket_file,
    bucket_of,
    endpoints_file,
)
from components.services.thanos_receive import receive_labels, thanos_receive
from components.services.thanos_ruler import thanos_rulers
from components.spec import Call, File, Service, Volume
from components.yaml_text import dump

SIDECAR, STORE, QUERY, FRONTEND, COMPACT = (
    "thanos-sidecar",
    "thanos-store",
    "thanos-query",
    "thanos-query-frontend",
    "thanos-compact",
)


def thanos(context: Context) -> tuple[Service, ...]:
    """All components that a stack asks for; none with local storage."""
    storage = context.config.storage
    if not storage.thanos:
        return ()
    sidecars = [sidecar(context, number) for number in context.replicas(prometheus.NAME)]
    store = _store(context)
    further = [*thanos_rulers(context), *((thanos_receive(context),) if storage.receive else ())]
    found = [*sidecars, store, _compact(context), *further, _query(context, [*sidecars, store, *further])]
    return (*found, *((_frontend(context),) if storage.query_frontend else ()))


def asked_by_people(context: Context) -> str:
    """Name of the component that answers queries of people and of Grafana; empty with local storage."""
    storage = context.config.storage
    return "" if not storage.thanos else FRONTEND if storage.query_frontend else QUERY


def _published(context: Context, name: str) -> str:
    return "thanos" if name == asked_by_people(context) else ""


def sidecar(context: Context, number: int) -> Service:
    """Beside one Prometheus: answers for what is not uploaded yet, and uploads each block as soon as there is one.

    It writes into Prometheus' data, so it runs as the same user.
    """
    of, first = replica_name(prometheus.NAME, number), number == 1
    access = context.access
    client = access.client_config(CURRENT, "" if first else prometheus.NAME)
    service = component(context, SIDECAR, memory=256, cpus=0.25)
    return replace(
        service,
        name=replica_name(SIDECAR, number),
        replica_of="" if first else SIDECAR,
        beside=of,
        files=(
            *service.files,
            bucket_file(bucket_of(context)),
            *(file for file in access.client_files(CURRENT) if file.path.startswith("secrets/")),
            *((File("prometheus-client.yml", dump(client), reload=False),) if client else ()),
        ),
        calls=(Call(of, prometheus.PORT), *bucket_calls(bucket_of(context))),
        args=(
            "sidecar",
            *service.args,
            f"--prometheus.url={access.scheme}://{of}:{prometheus.PORT}",
            *((f"--prometheus.http-client-file={CURRENT}/prometheus-client.yml",) if client else ()),
            f"--tsdb.path={prometheus.DATA}",
            # What Prometheus had merged before it had a bucket is uploaded as it is; after that nothing is merged.
            "--shipper.upload-compacted",
            *bucket_args(),
        ),
    )


def _store(context: Context) -> Service:
    """Answers from the bucket. Its volume holds indexes, which it fetches again where they are lost."""
    service = component(context, STORE, memory=1024, cpus=1.0)
    data, memory = "/var/thanos/store", service.resources.memory
    # By its argument the cache takes single items of 125 MB, and does not start where it is smaller than one of them.
    sizes = {"max_size": f"{memory // 4}MB", "max_item_size": f"{min(memory // 8, 125)}MB"}
    cache = File("index-cache.yml", dump({"type": "IN-MEMORY", "config": sizes}), live=False)
    return replace(
        service,
        files=(*service.files, bucket_file(bucket_of(context)), cache),
        volumes=(Volume(f"{STORE}-data", data),),
        calls=bucket_calls(bucket_of(context)),
        args=(
            "store",
            *service.args,
            f"--data-dir={data}",
            f"--index-cache.config-file={CURRENT}/index-cache.yml",
            f"--chunk-pool-size={memory // 2}MB",
            "--store.enable-index-header-lazy-reader",
            "--disable-admin-operations",
            *bucket_args(),
        ),
    )


def _compact(context: Context) -> Service:
    """Merges blocks in the bucket, makes coarser resolutions of them, deletes what is too old.

    Exactly one may work on a bucket. Blocks are deleted two days after they were replaced, so that nobody reads them
    any more.
    """
    service = component(context, COMPACT, memory=2048, cpus=1.0)
    kept, data = context.config.storage.retention, "/var/thanos/compact"
    lengths = (("raw", kept.raw), ("5m", kept.five_minutes), ("1h", kept.one_hour))
    return replace(
        service,
        ports=tuple(port for port in service.ports if port.number != GRPC),
        files=(*context.access.server_files(), bucket_file(bucket_of(context))),
        volumes=(Volume(f"{COMPACT}-data", data),),
        calls=bucket_calls(bucket_of(context)),
        args=(
            "compact",
            *http_args(context),
            "--wait",
            f"--data-dir={data}",
            *(f"--retention.resolution-{name}={'0d' if kept == 'forever' else kept}" for name, kept in lengths),
            "--delete-delay=48h",
            "--disable-admin-operations",
            *bucket_args(),
        ),
    )


def _query(context: Context, asked: Sequence[Service]) -> Service:
    """Answers over everything, and shows the series of replicas as one."""
    service = component(context, QUERY, memory=1024, cpus=1.0, published=_published(context, QUERY))
    scrape = context.config.scrape
    return replace(
        service,
        files=(*service.files, endpoints_file(context.config.storage.tls, asked)),
        calls=tuple(Call(each.name, GRPC) for each in asked),
        args=(
            "query",
            *service.args,
            f"--endpoint.sd-config-file={CURRENT}/endpoints.yml",
            "--endpoint.sd-config-reload-interval=30s",
            *(f"--query.replica-label={label}" for label in (prometheus.REPLICA, *receive_labels(context))),
            "--query.auto-downsampling",
            f"--query.default-evaluation-interval={scrape.evaluation_interval or scrape.interval}",
            "--store.response-timeout=1m",
        ),
    )


def _frontend(context: Context) -> Service:
    """Splits queries by day, and remembers the answers for days that are over."""
    service = component(context, FRONTEND, memory=512, cpus=0.5, published=_published(context, FRONTEND))
    access, cache = context.access, f"{CURRENT}/cache.yml"
    size = f"{service.resources.memory // 2}MB"
    remembered = {"type": "IN-MEMORY", "config": {"max_size": size, "max_size_items": 0, "validity": "24h"}}
    way: tuple[str, ...] = ()
    files: tuple[File, ...] = (File("cache.yml", dump(remembered), live=False),)
    if access.access:
        # Who asks has logged in with the stack's one user, whom the querier knows, too.
        way = (
            "--query-frontend.forward-header=Authorization",
            f"--query-frontend.downstream-tripper-config-file={CURRENT}/querier.yml",
        )
        files = (
            *files,
            File("querier.yml", dump({"tls_config": {"ca_file": f"{CURRENT}/secrets/ca.crt"}}), live=False),
            *(replace(file, live=False) for file in access.client_files(CURRENT) if file.path == "secrets/ca.crt"),
        )
    return replace(
        service,
        ports=tuple(port for port in service.ports if port.number != GRPC),
        files=(*context.access.server_files(), *files),
        calls=(Call(QUERY, HTTP),),
        args=(
            "query-frontend",
            *http_args(context),
            f"--query-frontend.downstream-url={access.scheme}://{QUERY}:{HTTP}",
            *way,
            "--query-range.split-interval=24h",
            f"--query-range.response-cache-config-file={cache}",
            "--labels.split-interval=24h",
            f"--labels.response-cache-config-file={cache}",
            "--query-frontend.compress-responses",
            "--query-frontend.log-queries-longer-than=10s",
        ),
    )
