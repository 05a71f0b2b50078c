"""Rules and dashboards of the user's own, in files beside the stack file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Annotated

from components.config.base import Matching, NotEmpty
from components.config.errors import Problem

RuleFile = Annotated[str, Matching(r"^[A-Za-z0-9_][A-Za-z0-9._/-]*\.ya?ml$", "the path of a .yaml or .yml file")]
DashboardFile = Annotated[str, Matching(r"^[A-Za-z0-9_][A-Za-z0-9._/-]*\.json$", "the path of a .json file")]
GrafanaFolder = Annotated[
    str,
    Matching(r"^[A-Za-z0-9](?:[A-Za-z0-9 _()&+-]*[A-Za-z0-9_()&+-])?$", "letters, digits, spaces and _ ( ) & + -", 60),
]
DashboardFiles = dict[GrafanaFolder, Annotated[tuple[DashboardFile, ...], NotEmpty()]]
OWN = "own-"
"""Beginning of the names of such files where they are deployed: no file of the product itself is called so."""


def own_name(path: str) -> str:
    """The name that a file is deployed under, without its ending: `own-shop-errors` of `rules/shop/Errors.yaml`.

    In a cluster with an operator it is that of an object, too.
    """
    text = re.sub(r"^(rules|dashboards)/(?=.)", "", path.rpartition(".")[0])
    return OWN + re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def is_own(path: str) -> bool:
    """Whether a deployed file of rules or dashboards is the user's own."""
    return PurePosixPath(path).name.startswith(OWN)


def own_file_problems(rule_files: Sequence[str], dashboard_files: Mapping[str, Sequence[str]]) -> Iterator[Problem]:
    """Files that are named twice, or that would be deployed under one name."""
    named = [("rule_files", rule_files)]
    named += [(f"dashboard_files.{folder}", files) for folder, files in dashboard_files.items()]
    for key, files in named:
        seen: dict[str, str] = {}
        for index, file in enumerate(files):
            name = own_name(file)
            if name in seen:
                other = "is there twice" if seen[name] == file else f"would have the same name as {seen[name]}"
                yield Problem(f"{key}[{index}]", other, repr(file))
            seen.setdefault(name, file)
