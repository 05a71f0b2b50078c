"""Which metrics a PromQL expression asks for, and which ones there are."""

import re
from pathlib import Path

_METRICS = Path(__file__).parent / "metrics"
_KEYWORDS = {"and", "or", "unless", "offset", "bool", "by", "without", "on", "ignoring", "group_left", "group_right"}


def metrics_in(expression: str) -> set[str]:
    """Return every name that stands where a metric stands. `expression` has to be valid PromQL."""
    bare = re.sub(r'"[^"]*"', "", expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", " ", bare)
    bare = re.sub(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", bare)
    bare = re.sub(r"\boffset\s+\w+", " ", bare)
    names = re.findall(r"(?<![\w:.])[a-zA-Z_:][\w:]*(?!\s*\(|[\w:])", bare)
    return set(names) - _KEYWORDS


def known_metrics() -> set[str]:
    """Return the metrics that the stack's programs were seen to expose; each file says of which program and version."""
    return {
        line
        for path in _METRICS.glob("*.txt")
        for line in path.read_text().splitlines()
        if line and not line.startswith("#")
    }
