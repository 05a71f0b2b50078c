"""What drift is made of: findings by their kind, and what could not be looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

Kind = Literal["not-deployed", "resources", "configuration", "files", "settings", "strangers", "volumes", "silences"]
KINDS: tuple[Kind, ...] = get_args(Kind)
MEANING: Mapping[Kind, str] = {
    "not-deployed": "The stack file asks for what is not deployed yet",
    "resources": "Resources are not as Pulumi left them",
    "configuration": "Programs run with another configuration than planned",
    "files": "Files in volumes are not those that were planned",
    "settings": "Containers have other settings than planned",
    "strangers": "Containers that are none of the stack's have to do with it",
    "volumes": "Volumes are missing, or are not of the stack",
    "silences": "Silences hold alerts back",
}
REMEDY: Mapping[Kind, str] = {
    "not-deployed": "deploy it, or take the change back",
    "resources": "`pulumi up --refresh` brings it back; or write the change into the stack file",
    "configuration": "deploy again; where only a file was changed by hand, see `files`",
    "files": "each change of its configuration writes all files of a service anew; or `./observatory down`, and deploy",
    "settings": "`pulumi up --refresh`, with `--replace` and the container's URN where that finds nothing",
    "strangers": "disconnect it, or give it a network of yours that is named in docker.networks",
    "volumes": "`pulumi up --refresh` makes what is missing, empty; remove by hand what nobody needs",
    "silences": "end it on the page Silences of Alertmanager, or wait",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be."""

    kind: Kind
    subject: str
    """The service, resource, volume, container or silence."""
    detail: str


@dataclass(frozen=True, slots=True)
class Unchecked:
    """What could not be looked at, and why."""

    kind: Kind
    reason: str


@dataclass(frozen=True, slots=True)
class Drift:
    """All of it, in the order of KINDS."""

    findings: tuple[Finding, ...] = ()
    unchecked: tuple[Unchecked, ...] = field(default=())

    @classmethod
    def of(cls, found: Iterable[Finding | Unchecked]) -> Drift:
        """Sorted by kind; what is of one kind stays in its order."""
        every = sorted(found, key=lambda each: KINDS.index(each.kind))
        return cls(
            tuple(each for each in every if isinstance(each, Finding)),
            tuple(each for each in every if isinstance(each, Unchecked)),
        )
