"""A client of the Docker engine that a stack is deployed to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from components.config import StackConfig

if TYPE_CHECKING:
    from docker import DockerClient


def engine_client(config: StackConfig, variables: Mapping[str, str], timeout: int = 60) -> DockerClient:
    """The engine of the stack file, else the one of the variables with their certificates, else the local one.

    Each answer may take `timeout` seconds. Raises DockerException where none answers.
    """
    import docker

    if config.docker.host:
        return docker.DockerClient(base_url=config.docker.host, timeout=timeout)
    return docker.from_env(environment=dict(variables), timeout=timeout)
