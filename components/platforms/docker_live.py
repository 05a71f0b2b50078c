"""Dynamic providers over the Docker API: configuration that goes live without a restart, and the proof of a start.

The classes are pickled by reference, so they capture nothing, and heavy imports stay inside the methods: a preview
that changes nothing must not pay for them.
"""

from __future__ import annotations

import secrets
from typing import Any

from pulumi.dynamic import ConfigureRequest, CreateResult, DiffResult, ResourceProvider, UpdateResult

from components.platforms.errors import without_frames

Properties = dict[str, Any]


def _differs(olds: Properties, news: Properties, keys: tuple[str, ...]) -> bool:
    return any(olds.get(key) != news.get(key) for key in keys)


class PlainSpokenProvider(ResourceProvider):
    """A provider whose errors are messages for people."""

    def configure(self, _req: ConfigureRequest) -> None:
        """Called in the plugin's process, before anything else."""
        without_frames()


class ConfigurationProvider(PlainSpokenProvider):
    """The files of one service in a volume of their own. The volume's name is the resource's id.

    Properties: host, volume, image, container, user (uid:gid), files and secret_files (path to content), quiet
    (paths that need no reload), data_volumes, reload (see `components.spec.Reload`).
    """

    def create(self, props: Properties) -> CreateResult:
        """Make the volume, own the data volumes, write the files. A running program of that name is reloaded."""
        from components.platforms.docker_engine import Engine

        Engine(props["host"]).write_configuration(props, changed=None)
        return CreateResult(props["volume"], props)

    def diff(self, _id: str, olds: Properties, news: Properties) -> DiffResult:
        """Any difference of the files is a change; another volume or engine is a replacement."""
        replaces = [key for key in ("volume", "host") if olds.get(key) != news.get(key)]
        changed = _differs(olds, news, tuple(key for key in news if not key.startswith("__")))
        return DiffResult(changes=changed, replaces=replaces, delete_before_replace=True)

    def update(self, _id: str, olds: Properties, news: Properties) -> UpdateResult:
        """Write and reload. If the program rejects it, the old files come back and the update fails."""
        from components.platforms.docker_engine import Engine

        old, new = ({**props.get("files", {}), **props.get("secret_files", {})} for props in (olds, news))
        changed = {path for path in old.keys() | new.keys() if old.get(path) != new.get(path)}
        if changed or _differs(olds, news, ("data_volumes", "user")):
            Engine(news["host"]).write_configuration(news, changed)
        return UpdateResult(news)

    def delete(self, _id: str, props: Properties) -> None:
        """Remove the volume; it holds nothing that the next deployment would not write again."""
        from components.platforms.docker_engine import Engine

        Engine(props["host"]).remove_volume(props["volume"])


class NetworkProvider(PlainSpokenProvider):
    """The stack's own bridge network; its name is the resource's id. Properties: host, name, subnet, labels.

    The Docker provider's own resource waits two seconds after each creation, and every container waits for it.
    """

    def create(self, props: Properties) -> CreateResult:
        """Make the network, or take one that an interrupted update left."""
        from components.platforms.docker_engine import Engine

        Engine(props["host"]).make_network(props["name"], props["subnet"], props["labels"])
        return CreateResult(props["name"], props)

    def diff(self, _id: str, olds: Properties, news: Properties) -> DiffResult:
        """A network cannot be changed: any difference is a new one, and so are the containers on it."""
        replaces = [key for key in ("name", "subnet", "labels", "host") if olds.get(key) != news.get(key)]
        return DiffResult(changes=bool(replaces), replaces=replaces, delete_before_replace=True)

    def delete(self, _id: str, props: Properties) -> None:
        """Remove the network; whoever still uses it is named."""
        from components.platforms.docker_engine import Engine

        Engine(props["host"]).remove_network(props["name"])


class StartedProvider(PlainSpokenProvider):
    """Done once a container runs and its health check succeeds. Properties: host, container, container_id, probe."""

    def create(self, props: Properties) -> CreateResult:
        """Wait for the program; an exited one fails at once with the end of its log."""
        from components.platforms.docker_engine import Engine

        Engine(props["host"]).await_started(props["container"], props["probe"], props["patience"])
        return CreateResult(props["container"], props)

    def diff(self, _id: str, olds: Properties, news: Properties) -> DiffResult:
        """A new container has to prove itself again."""
        return DiffResult(changes=_differs(olds, news, ("container", "container_id", "probe", "host")))

    def update(self, _id: str, _olds: Properties, news: Properties) -> UpdateResult:
        """Wait for the new container."""
        return UpdateResult(self.create(news).outs)


class GeneratedSecretProvider(ResourceProvider):
    """A random value, made once and kept in the state as a secret."""

    def create(self, props: Properties) -> CreateResult:
        """32 characters, 192 bits."""
        return CreateResult("generated", {**props, "value": secrets.token_urlsafe(24)})

    def diff(self, _id: str, _olds: Properties, _news: Properties) -> DiffResult:
        """Never changes: what was encrypted with it must stay readable."""
        return DiffResult(changes=False)
