"""Thanos' receiver: takes the samples that other Prometheus servers push by remote write, and keeps them with the rest.

It stores them as a Prometheus does, answers the querier for them, and uploads each block.
"""

from __future__ import annotations

from dataclasses import replace

from components.context import Context
from components.services.thanos_component import component
from components.services.thanos_files import CURRENT, bucket_args, bucket_calls, bucket_file, bucket_of
from components.spec import File, Service, Volume, secret_token

NAME, PORT, DATA = "thanos-receive", 19291, "/var/thanos/receive"
REPLICA = "receive_replica"
"""External label that the receiver has to have; the querier leaves it out, as it does that of Prometheus' replicas."""


def receive_labels(context: Context) -> tuple[str, ...]:
    """The labels by which receivers differ."""
    return (REPLICA,) if context.config.storage.receive else ()


def thanos_receive(context: Context) -> Service:
    """One receiver. While it is away, those who push keep their samples for some two hours and send them later."""
    receive, access = context.config.storage.receive, context.access
    assert receive is not None
    service = component(context, NAME, memory=2048, cpus=1.0)
    client = receive.clients
    return replace(
        service,
        ports=(*service.ports, context.port("remote-write", PORT, "receive", access.scheme, intake="samples")),
        files=(
            *service.files,
            bucket_file(bucket_of(context)),
            *((File("clients/ca.crt", secret_token(client.secret), live=False),) if client else ()),
        ),
        volumes=(Volume(f"{NAME}-data", DATA),),
        calls=bucket_calls(bucket_of(context)),
        args=(
            "receive",
            *service.args,
            f"--tsdb.path={DATA}",
            f"--tsdb.retention={context.config.retention_time}",
            f"--remote-write.address=0.0.0.0:{PORT}",
            *(
                (
                    f"--remote-write.server-tls-cert={CURRENT}/tls.crt",
                    f"--remote-write.server-tls-key={CURRENT}/tls.key",
                    f"--remote-write.server-tls-client-ca={CURRENT}/clients/ca.crt",
                )
                if client
                else ()
            ),
            f'--label={REPLICA}="1"',
            *bucket_args(),
        ),
    )
