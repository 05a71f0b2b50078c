"""What all components of Thanos have: the image, the user, the ports, how they are asked and scraped."""

from __future__ import annotations

from components.context import Context
from components.services import prometheus
from components.services.probes import port_probe
from components.services.thanos_files import CURRENT, FOLDER, GRPC, server_args, tls_files
from components.spec import Metrics, Port, Service

PRODUCT, HTTP = "thanos", 10902


def component(context: Context, name: str, memory: int, cpus: float, published: str = "") -> Service:
    """One of them, as all are; `args` begin after the name of the command, `published` is the key of its port."""
    tls = context.config.storage.tls
    return Service(
        name=name,
        product="Thanos" + name.removeprefix(PRODUCT).title().replace("-", ""),
        image=context.image(PRODUCT),
        # Not the image's own 1001, which a user of the machine may have: the sidecar shares Prometheus' files.
        user=prometheus.USER,
        resources=context.resources(name, memory=memory, cpus=cpus),
        config_folder=FOLDER,
        files=(*context.access.server_files(), *tls_files(tls)),
        args=(*http_args(context), *server_args(tls)),
        ports=(context.port("http", HTTP, published, context.access.scheme), Port("grpc", GRPC, scheme="grpc")),
        probe=port_probe(HTTP),
        # As services of the user expose http_requests_total too, whose alerts would speak of these.
        metrics=(Metrics(name, HTTP, protected=True, rename=(("((?:http|grpc)_.+)", "thanos_$1"),)),),
    )


def http_args(context: Context) -> tuple[str, ...]:
    """How the HTTP side listens."""
    access = (f"--http.config={CURRENT}/web.yml",) if context.config.access else ()
    return (f"--http-address=0.0.0.0:{HTTP}", "--http-grace-period=5s", *access, "--enable-auto-gomemlimit")
