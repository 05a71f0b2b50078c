"""The server whose samples a review reads: the stack's own, or one that is named."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from components.config import StackConfig
from components.spec import Plan
from operations.cluster import forwarded
from operations.errors import CommandError, UsageError
from operations.http import Credentials, Endpoint, endpoint_url
from operations.running import CheckFailed


@dataclass(frozen=True, slots=True)
class Login:
    """Files with the password and the CA of `access:`, in place of what Pulumi keeps."""

    password_file: Path | None = None
    ca_file: Path | None = None

    def credentials(self, stack: str, config: StackConfig) -> Credentials | None:
        """User, password and authority; None where the stack's endpoints are open."""
        from operations.verify import Secrets

        return Secrets(stack, self.password_file, self.ca_file).access(config)


def named_endpoint(url: str, option: str, stack: str, config: StackConfig, login: Login, patience: float) -> Endpoint:
    """The server at an address that an option names; over TLS with the stack's login."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"{option} {url} is no address", "give one such as http://127.0.0.1:9090")
    if parts.username or parts.password:
        raise UsageError(f"{option} has a login in it", "it would stand in the process list; use --password-file")
    credentials = login.credentials(stack, config) if parts.scheme == "https" else None
    return Endpoint("prometheus", url.rstrip("/"), credentials, patience)


@contextmanager
def own_endpoint(
    stack: str, config: StackConfig, plan: Plan, products: Sequence[str], login: Login, patience: float
) -> Iterator[Endpoint]:
    """The first of these products of the stack that can be reached from here. Raises CommandError where none can."""
    planned = [service for product in products if (service := plan.service(product))]
    with forwarded(config, plan, {(service.name, "http") for service in planned}) as reached:
        for service in planned:
            port = (reached.service(service.name) or service).port("http")
            if port.published is None:
                continue
            engine = config.docker.host or os.environ.get("DOCKER_HOST", "")
            credentials = login.credentials(stack, config) if port.scheme == "https" else None
            endpoint = Endpoint(service.name, endpoint_url(port, engine), credentials, patience)
            try:
                yield endpoint
            finally:
                endpoint.close()
            return
        raise CommandError(
            f"no {' or '.join(products)} of {stack} can be reached from here",
            "give `ports.prometheus` a port, or name a server with --against",
        )


def answering(endpoint: Endpoint) -> None:
    """Raises CommandError unless this is a server with Prometheus' API that answers."""
    try:
        endpoint.prometheus("/api/v1/query", query="vector(1)")
    except CheckFailed as error:
        raise CommandError(error.detail, error.remedy) from None
