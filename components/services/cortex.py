"""Cortex as one program: takes all samples from Prometheus, keeps them for long, and answers queries over them.

For small loads: every part of it runs in one process, there is one of it, and what it may take is limited. The parts
that evaluate rules and send alerts are left out, for Prometheus and Alertmanager do that.
"""

from __future__ import annotations

from typing import Any

from components.config.bucket import Bucket, KmsKey
from components.context import Context
from components.services.probes import port_probe
from components.services.thanos_files import bucket_calls
from components.spec import File, Metrics, Service, Volume, secret_token
from components.yaml_text import dump

NAME, PORT = "cortex", 9009
WRITE_PATH, QUERY_PATH = "/api/v1/push", "/prometheus"
TENANT = "X-Scope-OrgID"
"""The header by which it tells tenants apart; without it nothing is taken and nothing is answered."""
DATA = "/cortex"
_FOLDER = "/etc/cortex"
_GRPC = 9095
_PARTS = ("distributor", "ingester", "querier", "query-frontend", "store-gateway", "compactor")
_OF_ITS_LIBRARIES = ("prometheus_.*", "thanos_.*", "jaeger_tracer_.*", "log_messages_total")
"""Metrics that would be taken for those of the products that they are named for; alerts and dashboards use none."""
_ALONE = {"kvstore": {"store": "inmemory"}}
"""A ring of one, which nobody else has to know."""


def cortex(context: Context) -> Service:
    """Plan it. Its configuration is read at the start only, so a change of it replaces the container."""
    bucket = context.config.storage.bucket
    return Service(
        name=NAME,
        product="Cortex",
        image=context.image(NAME),
        user="65534:65534",
        resources=context.resources(NAME, memory=2048, cpus=1.0),
        config_folder=_FOLDER,
        files=(File("cortex.yaml", dump(_config(context)), live=False),),
        args=(f"-config.file={_FOLDER}/current/cortex.yaml",),
        calls=bucket_calls(bucket) if bucket else (),
        ports=(context.port("http", PORT, NAME),),
        volumes=(Volume(f"{NAME}-data", DATA),),
        probe=port_probe(PORT),
        stop_grace=120,
        metrics=(Metrics(NAME, PORT, drop=_OF_ITS_LIBRARIES),),
    )


def _config(context: Context) -> dict[str, Any]:
    storage = context.config.storage
    return {
        "target": ",".join(_PARTS),
        "auth_enabled": True,
        # Its parts speak to each other by gRPC, which nobody else has a use for.
        "server": {"http_listen_port": PORT, "grpc_listen_address": "127.0.0.1", "grpc_listen_port": _GRPC},
        "limits": _limits(context),
        "distributor": {"shard_by_all_labels": True, "ring": _ALONE},
        "ingester": {
            "lifecycler": {
                "address": "127.0.0.1",
                # It is alone, so it waits neither for others to see it nor for others to take over.
                "min_ready_duration": "0s",
                "final_sleep": "0s",
                "ring": {**_ALONE, "replication_factor": 1},
            }
        },
        "querier": {
            "store_gateway_addresses": f"127.0.0.1:{_GRPC}",
            "active_query_tracker_dir": f"{DATA}/active-queries",
        },
        "frontend_worker": {"frontend_address": f"127.0.0.1:{_GRPC}", "match_max_concurrent": True},
        "store_gateway": {"sharding_enabled": False},
        "compactor": {"data_dir": f"{DATA}/compactor", "sharding_enabled": False},
        "blocks_storage": {
            **_blocks(storage.bucket),
            "tsdb": {"dir": f"{DATA}/tsdb"},
            "bucket_store": {"sync_dir": f"{DATA}/store-gateway"},
        },
    }


def _limits(context: Context) -> dict[str, Any]:
    """What Prometheus is refused beyond. One metric may have as many series as all together."""
    cortex = context.config.storage.cortex
    exemplars = {"max_exemplars": 100000}
    return {
        "ingestion_rate": cortex.max_samples_per_second,
        "ingestion_burst_size": 4 * cortex.max_samples_per_second,
        "max_series_per_user": cortex.max_series,
        "max_series_per_metric": 0,
        # Of a request that it took in part and that is sent again, it has the newer samples already.
        "out_of_order_time_window": "10m",
        "compactor_blocks_retention_period": cortex.retention,
        **exemplars,
    }


def _blocks(bucket: Bucket | None) -> dict[str, Any]:
    """Where blocks go after two hours: a folder of the volume, or a bucket of the user's."""
    if bucket is None:
        return {"backend": "filesystem", "filesystem": {"dir": f"{DATA}/blocks"}}
    s3: dict[str, Any] = {
        "bucket_name": bucket.name,
        "endpoint": bucket.address,
        "region": bucket.region,
        "insecure": bucket.insecure,
        "bucket_lookup_type": "path" if bucket.path_style else "virtual-hosted",
    }
    if keys := bucket.credentials:
        s3 |= {
            "access_key_id": secret_token(keys.access_key.secret),
            "secret_access_key": secret_token(keys.secret_key.secret),
        }
    if isinstance(bucket.encryption, KmsKey):
        s3["sse"] = {"type": "SSE-KMS", "kms_key_id": bucket.encryption.kms_key}
    elif bucket.encryption != "none":
        s3["sse"] = {"type": "SSE-S3"}
    return {"backend": "s3", "s3": s3}
