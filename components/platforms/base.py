"""What a platform is: it turns planned services into resources, all of each service or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import pulumi

from components.spec import Service


class Platform(Protocol):
    """One place to deploy to. Resources get `parent`, the service's own component."""

    def deploy(
        self,
        service: Service,
        parent: pulumi.Resource,
        secrets: Mapping[str, pulumi.Output[str]],
        after: Sequence[pulumi.Resource] = (),
    ) -> pulumi.Resource:
        """Create everything of `service`; the result is done once the service answers its health check.

        Nothing of the service is touched before all of `after` is done: so replicas change one at a time, and a
        configuration that the first one rejects never reaches the others.
        """
        ...
