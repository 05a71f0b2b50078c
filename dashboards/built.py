"""Every dashboard as Grafana gets it, with what has to be known of it to choose it.

Loading the Grafana SDK and building takes longer than everything else in a plan, so what was built is remembered.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import dashboards
from components.catalogue import ROOT, RULES
from components.parameters import Limits
from components.remembered import remembered

TEAM = "team"
"""The dashboard that each team has a copy of; its variable is called so, too."""


@dataclass(frozen=True, slots=True)
class BuiltDashboard:
    """One dashboard; see `dashboards.DashboardModule` for the meaning of what is not said here."""

    name: str
    """Of its module."""
    file: str
    """Name of its file, without the ending; the module's, and for a team's copy the team's too."""
    uid: str
    title: str
    folder: str
    needs: list[str]
    one_of: list[str]
    text: str
    """Its JSON."""

    def belongs(self, on: Collection[str]) -> bool:
        """Whether a stack in which these subjects are on has data for it."""
        return dashboards.fits(self.needs, self.one_of, on)


def built(limits: Limits, settings: Mapping[str, Any], teams: Iterable[str] = ()) -> list[BuiltDashboard]:
    """All dashboards in the catalogue's order, with the numbers of a stack whose settings of alerts are `settings`.

    The one of a team stands there once for each of `teams`.
    """
    made_from = [*_sources(), json.dumps(settings, sort_keys=True, default=str)]
    found = remembered("dashboards", made_from, lambda: [asdict(_build(name, limits)) for name in dashboards.CATALOGUE])
    boards = [BuiltDashboard(**each) for each in found]
    chosen = sorted({*teams})
    return [one for each in boards for one in ([_of(team, each) for team in chosen] if each.name == TEAM else [each])]


def _of(team: str, board: BuiltDashboard) -> BuiltDashboard:
    """The team's own copy, in a folder of its name, with the team chosen."""
    content = json.loads(board.text)
    content |= {"uid": _uid(team), "title": f"{board.title} {team}"}
    (variable,) = (each for each in content["templating"]["list"] if each["name"] == TEAM)
    variable["current"] = {"selected": True, "text": [team], "value": [team]}
    text = json.dumps(content, indent=1, ensure_ascii=False) + "\n"
    return replace(board, file=f"{TEAM}-{team}", uid=content["uid"], title=content["title"], folder=team, text=text)


def _uid(team: str) -> str:
    """Grafana takes 40 characters."""
    whole = f"{TEAM}-{team}"
    return whole if len(whole) <= 40 else f"{whole[:29]}-{hashlib.sha256(team.encode()).hexdigest()[:10]}"


def _build(name: str, limits: Limits) -> BuiltDashboard:
    module = dashboards.load(name)
    text = json.dumps(module.build(limits), indent=1, ensure_ascii=False) + "\n"
    needs, one_of = sorted(module.NEEDS), sorted(module.ONE_OF)
    return BuiltDashboard(name, name, module.UID, module.TITLE, module.FOLDER, needs, one_of, text)


@cache
def _sources() -> tuple[str, ...]:
    """Everything that a dashboard is made from: its code, the rules' numbers, the version of the SDK."""
    files = [*Path(__file__).parent.glob("*.py"), *RULES.glob("*.yaml"), ROOT / "requirements.txt"]
    files += [ROOT / "components" / name for name in ("parameters.py", "catalogue.py", "rules.py")]
    return tuple(path.read_text(encoding="utf-8") for path in sorted(files))
