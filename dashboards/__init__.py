"""The dashboards that a stack can have, by name; building one is what loads the Grafana SDK, naming one is not."""

import importlib
from typing import Any, Protocol, cast

CATALOGUE: tuple[str, ...] = ("stack", "node", "api-overview")
"""In the order in which they are listed to a reader."""


class DashboardModule(Protocol):
    """What each module in this package offers."""

    UID: str
    """Stable for ever: links in alerts and bookmarks hold it."""
    TITLE: str
    FOLDER: str
    NEEDS: frozenset[str]
    """Products that have to be planned for the dashboard to have data; empty means that it always has."""

    def build(self) -> dict[str, Any]:
        """Return the dashboard in Grafana's classic JSON model, as plain data."""


def load(name: str) -> DashboardModule:
    """Import the dashboard called `name`; a name that is not in the catalogue is a KeyError."""
    if name not in CATALOGUE:
        raise KeyError(f"no dashboard is called {name!r}; there are {', '.join(CATALOGUE)}")
    return cast("DashboardModule", importlib.import_module(f"dashboards.{name.replace('-', '_')}"))
