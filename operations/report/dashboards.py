"""Dashboards before and after, by their panels."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from operations.report.change import Change, listed
from operations.report.snapshot import Snapshot


def dashboard_changes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    """Dashboards by uid: new, gone, and which panels of the others are new, gone or different."""
    old, new = _boards(before), _boards(after)
    if before.programs and not old and "grafana" not in before.programs:
        return  # they come with Grafana, of which its own line tells
    for uid in [uid for uid in old if uid not in new]:
        yield Change("dashboards", old[uid]["title"], "removed", _count(old[uid]), "")
    for uid in [uid for uid in new if uid not in old]:
        yield Change("dashboards", new[uid]["title"], "added", "", _count(new[uid]))
    for uid in [uid for uid in new if uid in old and old[uid] != new[uid]]:
        counts = _count(old[uid]), _count(new[uid])
        told = counts if counts[0] != counts[1] else ("", "")
        yield Change("dashboards", new[uid]["title"], _difference(old[uid], new[uid]), *told)


def _boards(snapshot: Snapshot) -> dict[str, dict[str, Any]]:
    grafana = snapshot.programs.get("grafana")
    texts = [text for path, text in grafana.files.items() if path.startswith("dashboards/")] if grafana else []
    return {board["uid"]: board for board in map(json.loads, texts)}


def _count(board: dict[str, Any]) -> str:
    return f"{len(_panels(board))} panels"


def _panels(board: dict[str, Any]) -> dict[str, Any]:
    """Title to everything of a panel that is not its place."""
    panels = [panel for row in board["panels"] for panel in (row, *row.get("panels", ())) if panel.get("type") != "row"]
    return {panel.get("title", ""): {k: v for k, v in panel.items() if k not in ("gridPos", "id")} for panel in panels}


def _difference(old: dict[str, Any], new: dict[str, Any]) -> str:
    mine, others = _panels(old), _panels(new)
    parts = [
        (f"new: {listed([title for title in others if title not in mine], 3)}", others.keys() - mine.keys()),
        (f"gone: {listed([title for title in mine if title not in others], 3)}", mine.keys() - others.keys()),
    ]
    changed = [title for title in others if title in mine and mine[title] != others[title]]
    parts.append((f"changed: {listed(changed, 3)}", {*changed}))
    return "; ".join(text for text, found in parts if found) or "other filters, links or layout"
