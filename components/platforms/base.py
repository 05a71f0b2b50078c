"""What a platform is: it turns planned services into resources, all of each service or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import pulumi

from components.spec import Service


class Platform(Protocol):
    """One place to deploy to. Resources get `parent`, the service's own component."""

    def deploy(
        self, service: Service, parent: pulumi.Resource, secrets: Mapping[str, pulumi.Output[str]]
    ) -> pulumi.Resource:
        """Create everything of `service`; the result is done once the service answers its health check."""
        ...
