"""How a running configuration differs from the planned one.

Programs answer with their configuration in their own spelling: defaults filled in, durations and sizes rewritten,
secrets masked. So each value that is planned must be there; what the program added is not held against it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|[smhdwy]))+")
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_SIZE = re.compile(r"(\d+)(B|[KMGTPE]i?B)")
_NEVER_DEFAULT = re.compile(
    r".*_configs|authorization|basic_auth|oauth2|tls_config|params|sample_limit|fallback_scrape_protocol|honor_labels"
    r"|matchers|routes|continue|.*_time_intervals"
)
"""Keys that only a configuration sets: one that runs without being planned is left over from an older one."""
MASKED = "<secret>"


def differences(planned: Any, running: Any, path: str = "") -> Iterator[str]:
    """One line for each planned value that the running configuration has not, by its path."""
    if isinstance(planned, Mapping | list) and not isinstance(running, type(planned)):
        if planned:
            yield f"{path or 'the file'}: is missing"
    elif isinstance(planned, Mapping):
        yield from _in_mapping(planned, running, path)
    elif isinstance(planned, list):
        if len(planned) != len(running):
            yield f"{path}: {len(planned)} entries are planned, {len(running)} run"
        for index, (mine, other) in enumerate(zip(planned, running, strict=False)):
            yield from differences(mine, other, f"{path}[{_called(mine, index)}]")
    elif not same_value(planned, running):
        yield f"{path}: {planned!r} is planned, {running!r} runs"


def _in_mapping(planned: Mapping[str, Any], running: Mapping[str, Any], path: str) -> Iterator[str]:
    prefix = f"{path}." if path else ""
    for key, value in planned.items():
        if key in running:
            mine, other = (sorted(value), sorted(running[key])) if _is_set(key, value) else (value, running[key])
            yield from differences(mine, other, f"{prefix}{key}")
        elif value:
            yield f"{prefix}{key}: is missing"
    for key in running:
        if key not in planned and running[key] and _NEVER_DEFAULT.fullmatch(str(key)):
            yield f"{prefix}{key}: runs, but is not planned"


def _is_set(key: str, value: Any) -> bool:
    """Whether the order of a list says nothing: Alertmanager sorts the matchers of a route or an inhibition."""
    return key.endswith("matchers") and isinstance(value, list)


def _called(entry: Any, index: int) -> str:
    """An entry by its name, which says more than its position."""
    if isinstance(entry, Mapping):
        for key in ("job_name", "name", "receiver"):
            if isinstance(entry.get(key), str):
                return str(entry[key])
    return str(index)


def same_value(planned: Any, running: Any) -> bool:
    """Whether two single values mean the same: `1m` and `60s`, `4GB` and `4GiB`, anything and a masked secret."""
    if planned == running or running == MASKED:
        return True
    if isinstance(planned, str) and isinstance(running, str):
        return _meaning(planned) == _meaning(running)
    return not isinstance(planned, bool) and not isinstance(running, bool) and str(planned) == str(running)


def _meaning(text: str) -> str | float:
    if _DURATION.fullmatch(text):
        return sum(float(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+(?:\.\d+)?)(ms|[smhdwy])", text))
    if size := _SIZE.fullmatch(text):
        # Prometheus counts both spellings in powers of 1024.
        return float(int(size[1]) * 1024 ** "BKMGTPE".index(size[2][0]))
    return re.sub(r"\s+", " ", text).strip()
