"""What the components of Thanos read: where the bucket is, how they trust each other, whom they ask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from components.config.bucket import Bucket, KmsKey
from components.config.storage import StorageTls
from components.context import Context
from components.spec import Call, File, Service, secret_token
from components.yaml_text import dump

FOLDER = "/etc/thanos"
CURRENT = f"{FOLDER}/current"
GRPC = 10901
_MACHINE_ROLE = (Call(port=80),)
"""Where a machine's or a pod's own role is asked for its keys, besides the bucket's side."""


def bucket_of(context: Context) -> Bucket:
    """The bucket of a stack that has one."""
    bucket = context.config.storage.bucket
    assert bucket is not None
    return bucket


def bucket_file(bucket: Bucket) -> File:
    """Thanos' configuration of an object store; read at the start only, so a change replaces the program."""
    config: dict[str, Any] = {
        "bucket": bucket.name,
        "endpoint": bucket.address,
        "region": bucket.region,
        "insecure": bucket.insecure,
        "bucket_lookup_type": "path" if bucket.path_style else "virtual-hosted",
    }
    if keys := bucket.credentials:
        config |= {
            "access_key": secret_token(keys.access_key.secret),
            "secret_key": secret_token(keys.secret_key.secret),
        }
    else:
        config["aws_sdk_auth"] = True
    if isinstance(bucket.encryption, KmsKey):
        config["sse_config"] = {"type": "SSE-KMS", "kms_key_id": bucket.encryption.kms_key}
    elif bucket.encryption != "none":
        config["sse_config"] = {"type": "SSE-S3"}
    folder = {"prefix": bucket.prefix} if bucket.prefix else {}
    return File("bucket.yml", dump({"type": "S3", "config": config, **folder}), live=False)


def bucket_args() -> tuple[str, ...]:
    """The argument that points a component to the bucket."""
    return (f"--objstore.config-file={CURRENT}/bucket.yml",)


def bucket_calls(bucket: Bucket) -> tuple[Call, ...]:
    """The way to the bucket. A server of the user's may be anywhere, behind any port."""
    return (Call(),) if bucket.endpoint else (Call(port=443), *(() if bucket.credentials else _MACHINE_ROLE))


def tls_files(tls: StorageTls | None) -> tuple[File, ...]:
    """For mutual TLS: certificate and key are read again by themselves, the authority only at the start."""
    if tls is None:
        return ()
    return (
        File("grpc/ca.crt", secret_token(tls.ca.secret), live=False),
        File("grpc/tls.crt", secret_token(tls.certificate.secret), reload=False),
        File("grpc/tls.key", secret_token(tls.key.secret), reload=False),
    )


def server_args(tls: StorageTls | None) -> tuple[str, ...]:
    """How a component is asked by others: by whoever comes, or only by those with a certificate."""
    address = (f"--grpc-address=0.0.0.0:{GRPC}", "--grpc-grace-period=5s")
    if tls is None:
        return address
    return (
        *address,
        f"--grpc-server-tls-cert={CURRENT}/grpc/tls.crt",
        f"--grpc-server-tls-key={CURRENT}/grpc/tls.key",
        f"--grpc-server-tls-client-ca={CURRENT}/grpc/ca.crt",
    )


def endpoints_file(tls: StorageTls | None, asked: Sequence[Service]) -> File:
    """The components that the querier asks. It reads the file again by itself.

    Strict ones are asked even while they do not answer, so that what lacks their samples says so by a warning. Without
    it they would be left out in silence, and the query frontend would remember the gap for as long as it remembers.
    """
    client: dict[str, Any] = {}
    if tls:
        paths = {"ca_file": "ca.crt", "cert_file": "tls.crt", "key_file": "tls.key"}
        client["tls_config"] = {"enabled": True, **{key: f"{CURRENT}/grpc/{name}" for key, name in paths.items()}}
    endpoints = [{"address": f"{service.name}:{GRPC}", "strict": True, **_client(client, service)} for service in asked]
    return File("endpoints.yml", dump({"endpoints": endpoints}), reload=False)


def _client(settings: dict[str, Any], service: Service) -> dict[str, Any]:
    # A certificate is for the first of several replicas; a name that is the address itself needs no saying.
    name = {"server_name": service.group} if service.replica_of else {}
    return {"client_config": {**settings, **name}} if settings else {}
