"""What every product's module gets to read: the stack file and what follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from components.access import AccessRules
from components.config import StackConfig
from components.config.base import size_bytes
from components.images import ImageCatalogue
from components.spec import Intake, Port, Resources


@dataclass(frozen=True, slots=True)
class Context:
    """One stack's values, resolved. `beside` holds the files that the stack file names, by path."""

    config: StackConfig
    images: ImageCatalogue
    beside: dict[str, str] = field(default_factory=dict)

    @property
    def access(self) -> AccessRules:
        """TLS and passwords between the services."""
        return AccessRules(self.config.access)

    def replicas(self, product: str) -> range:
        """The numbers of a product's replicas, from 1."""
        cluster = self.config.storage.victoria_cluster
        count = (cluster.count(product) if cluster else 0) or self.config.high_availability.count(product)
        return range(1, count + 1)

    def image(self, product: str) -> str:
        """The product's image; empty where this machine cannot have it."""
        return self.images.reference(product) or ""

    def resources(self, product: str, memory: int, cpus: float) -> Resources:
        """Limits: what the stack file says, else these (MiB, cores)."""
        own = self.config.resources.get(product)
        if own is None:
            return Resources(memory, cpus)
        mebibytes = size_bytes(own.memory) // 2**20 if own.memory else memory
        return Resources(mebibytes, cpus if own.cpus is None else own.cpus)

    def port(
        self,
        name: str,
        number: int,
        published: str = "",
        scheme: str = "http",
        intake: Intake | None = None,
        path: str = "",
    ) -> Port:
        """A port of a product, published if the stack file publishes `published`."""
        address, host_port = self.config.ports.published().get(published, ("127.0.0.1", None))
        return Port(name, number, host_port, address, scheme, path, intake)

    def external_url(self, name: str, number: int) -> str:
        """The address for links, without a slash at its end: what the stack file says, else the published port.

        What is not published only has its network name.
        """
        known = {
            "prometheus": self.config.external_urls.prometheus,
            "alertmanager": self.config.external_urls.alertmanager,
            "grafana": self.config.grafana.root_url,
        }
        if url := known.get(name):
            return url.rstrip("/")
        cluster = self.config.kubernetes
        if cluster and (host := getattr(cluster.hosts, name, None)):
            return f"https://{host}"
        address, port = self.config.ports.published().get(name, ("", number))
        return f"{self.access.scheme}://{browsable(address) if address else name}:{port}"

    def web_urls(self, name: str, number: int) -> tuple[str, ...]:
        """Arguments of Prometheus and Alertmanager: how people reach them, and that they answer at / all the same.

        Without the second, a path in the address would move everything that the stack itself asks them for.
        """
        url = self.external_url(name, number)
        return (f"--web.external-url={url}", *(("--web.route-prefix=/",) if urlsplit(url).path else ()))


def browsable(address: str) -> str:
    """The host part of a URL for an address that a port is published on."""
    if address in ("127.0.0.1", "::1", "0.0.0.0", "::"):
        return "localhost"
    return f"[{address}]" if ":" in address else address
