"""Every dashboard as Grafana gets it, with what has to be known of it to choose it.

Loading the Grafana SDK and building takes longer than everything else in a plan, so what was built is remembered.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import dashboards
from components.catalogue import ROOT, RULES
from components.parameters import Limits
from components.remembered import remembered


@dataclass(frozen=True, slots=True)
class BuiltDashboard:
    """One dashboard; see `dashboards.DashboardModule` for the meaning of all but `text`, its JSON."""

    name: str
    uid: str
    title: str
    folder: str
    needs: list[str]
    one_of: list[str]
    text: str

    def belongs(self, on: Collection[str]) -> bool:
        """Whether a stack in which these subjects are on has data for it."""
        return dashboards.fits(self.needs, self.one_of, on)


def built(limits: Limits, settings: Mapping[str, Any]) -> dict[str, BuiltDashboard]:
    """All dashboards by name, with the numbers of a stack whose settings of alerts are `settings`."""
    made_from = [*_sources(), json.dumps(settings, sort_keys=True, default=str)]
    found = remembered("dashboards", made_from, lambda: [asdict(_build(name, limits)) for name in dashboards.CATALOGUE])
    return {each["name"]: BuiltDashboard(**each) for each in found}


def _build(name: str, limits: Limits) -> BuiltDashboard:
    module = dashboards.load(name)
    text = json.dumps(module.build(limits), indent=1, ensure_ascii=False) + "\n"
    needs, one_of = sorted(module.NEEDS), sorted(module.ONE_OF)
    return BuiltDashboard(name, module.UID, module.TITLE, module.FOLDER, needs, one_of, text)


@cache
def _sources() -> tuple[str, ...]:
    """Everything that a dashboard is made from: its code, the rules' numbers, the version of the SDK."""
    files = [*Path(__file__).parent.glob("*.py"), *RULES.glob("*.yaml"), ROOT / "requirements.txt"]
    files += [ROOT / "components" / name for name in ("parameters.py", "catalogue.py", "rules.py")]
    return tuple(path.read_text(encoding="utf-8") for path in sorted(files))
