"""The dashboards that a stack can have, by name; building one is what loads the Grafana SDK, naming one is not."""

import importlib
from collections.abc import Collection
from typing import Any, Protocol, cast

from components.config.stack import DASHBOARDS
from components.parameters import Limits

CATALOGUE: tuple[str, ...] = DASHBOARDS
"""In the order in which they are listed to a reader."""


class DashboardModule(Protocol):
    """What each module in this package offers."""

    UID: str
    """Stable for ever: links in alerts and bookmarks hold it."""
    TITLE: str
    FOLDER: str
    NEEDS: frozenset[str]
    """Subjects that all have to be on for the dashboard to have data: products, or what services expose."""
    ONE_OF: frozenset[str]
    """Of these at least one has to be on, too; no condition where it is empty."""

    def build(self, limits: Limits) -> dict[str, Any]:
        """Return the dashboard in Grafana's classic JSON model, as plain data.

        `limits` gives the numbers of the stack's alerts, so that lines in graphs stand where the alerts do.
        """


def belongs(module: DashboardModule, on: Collection[str]) -> bool:
    """Whether a stack in which these subjects are on has data for the dashboard."""
    return fits(module.NEEDS, module.ONE_OF, on)


def fits(needs: Collection[str], one_of: Collection[str], on: Collection[str]) -> bool:
    """Whether a stack in which these subjects are on has data for a dashboard with these conditions."""
    return {*on} >= {*needs} and (not one_of or bool({*one_of} & {*on}))


def load(name: str) -> DashboardModule:
    """Import the dashboard called `name`; a name that is not in the catalogue is a KeyError."""
    if name not in CATALOGUE:
        raise KeyError(f"no dashboard is called {name!r}; there are {', '.join(CATALOGUE)}")
    return cast("DashboardModule", importlib.import_module(f"dashboards.{name.replace('-', '_')}"))
