"""What a monitor says besides its query: options, whom it calls, and its message as a template of Prometheus."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from operations.migrate.datadog.table import label

_SAID: tuple[str, ...] = (
    "thresholds",
    "notify_no_data",
    "no_data_timeframe",
    "include_tags",
    "notify_audit",
    "locked",
    "silenced",
)
_SAID += ("new_host_delay", "new_group_delay", "require_full_window", "on_missing_data", "enable_logs_sample")
_SPOKEN = {
    "renotify_interval": "repeats are the route's repeat_interval",
    "evaluation_delay": "data is not waited for",
    "timeout_h": "it ends only when the condition does",
    "escalation_message": "there is one message",
    "threshold_windows": "its windows for recovery are left out",
    "min_location_failed": "",
    "aggregation": "",
    "groupby_simple_monitor": "",
    "synthetics_check_id": "",
    "notify_by": "messages are grouped by routes",
    "notification_preset_name": "",
    "restriction_query": "",
    "renotify_statuses": "",
    "renotify_occurrences": "",
    "min_failure_duration": "",
    "scheduling_options": "it is evaluated all the time",
    "variables": "",
    "device_ids": "",
    "group_retention_duration": "",
}
_IGNORED: tuple[str, ...] = (
    "id",
    "created",
    "created_at",
    "modified",
    "creator",
    "org_id",
    "deleted",
    "overall_state",
    "multi",
)
_IGNORED += ("overall_state_modified", "matching_downtimes", "restricted_roles", "restriction_policy", "draft_status")
_IGNORED += ("assets", "state", "tags", "name", "message", "query", "type", "options", "priority", "version")
_IGNORED += (
    "definition",
    "description",
    "recommended_monitor_metadata",
    "title",
    "metadata",
    "created_by",
    "last_updated_at",
)


def lost_options(data: Mapping[str, Any]) -> list[str]:
    """Options that have no place here, each said."""
    options = data.get("options") if isinstance(data.get("options"), dict) else {}
    found = []
    for key, value in (options or {}).items():
        if key in _SAID or value in (None, False, 0, "", [], {}, "0"):
            continue
        why = _SPOKEN.get(key, "")
        found.append(f"not {key}" + (f": {why}" if why else ""))
    found += [f"not {key}" for key, value in data.items() if key not in _IGNORED and value not in (None, "", [], {})]
    return found


def whom_it_calls(data: Mapping[str, Any]) -> str:
    """Whom its message calls: that is for routes to say."""
    called = sorted(set(re.findall(r"@[\w.@+-]+", str(data.get("message") or ""))))
    return f"route it to {', '.join(called)}" if called else ""


def plain(text: str) -> str:
    return text.replace("{{", "(").replace("}}", ")")


def template(message: str, threshold: str, groups: list[str]) -> str:
    """A message with Prometheus' templates in place of Datadog's; conditions in it are dropped, their text stays."""
    text = re.sub(r"\{\{\s*[#/^].*?\}\}", "", message)

    def variable(match: re.Match[str]) -> str:
        word = match[1].strip().split("|")[0].strip().strip("[]")
        if word == "value" or word.startswith("eval"):
            return "{{ $value }}"
        if word in ("threshold", "warn_threshold", "alert_threshold"):
            return threshold or f"({word})"
        own = label(word.removesuffix(".name").strip("[]\"' "))
        return f"{{{{ $labels.{own} }}}}" if own in groups else f"({word})"

    text = re.sub(r"\{\{(.*?)\}\}", variable, text)
    text = re.sub(r"\s*@[\w.@+-]+", "", text)
    kept = re.split(r"(\{\{ [$\w. ]+ \}\})", text)  # a brace that is left alone would open a template
    text = "".join(part if index % 2 else plain(part) for index, part in enumerate(kept))
    return re.sub(r"\n{3,}", "\n\n", text).strip()
