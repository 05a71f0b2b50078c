"""The stack file examples of every guide are read by the models: a reader can paste them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.config import StackConfig, parse_stack
from tests.support import ACCESS

GUIDES = Path(__file__).parents[2] / "docs" / "guide"
KEYS = {field.alias or name for name, field in StackConfig.model_fields.items()}


def examples() -> Iterator[tuple[str, str]]:
    """Guide and text of each YAML block that is part of a stack."""
    for path in sorted(GUIDES.glob("*.md")):
        for block in re.findall(r"^```yaml\n(.*?)^```", path.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE):
            try:
                data = yaml.safe_load(block)
            except yaml.YAMLError:
                data = None
            if isinstance(data, dict) and {*data} <= KEYS:
                yield path.name, block


EXAMPLES = list(examples())


def completed(part: dict[str, Any]) -> dict[str, Any]:
    """The part with what it refers to and does not show: the environment, channels, what ports and secrets need."""
    stack = {"environment": "example", **part}
    alerting = dict(stack.get("alerting") or {})
    named = {name for service in stack.get("services", ()) for name in service.get("channels", ())}
    named |= {name for route in alerting.get("routes", ()) for name in route["channels"]}
    named |= {*alerting.get("default_channels", ())}
    if named - {*alerting.get("channels", {})}:
        missing = {name: {"type": "webhook", "url": f"https://{name}.example.com/"} for name in named}
        stack["alerting"] = alerting | {"channels": missing | dict(alerting.get("channels") or {})}
    if "ports" in part:
        stack.setdefault("access", ACCESS)
    return stack


@pytest.mark.parametrize(("guide", "block"), EXAMPLES, ids=[f"{guide}-{n}" for n, (guide, _) in enumerate(EXAMPLES)])
def test_examples_can_be_pasted(guide: str, block: str) -> None:
    parse_stack(completed(yaml.safe_load(block)), guide)


def test_the_guides_have_examples() -> None:
    assert len(EXAMPLES) > 10
    assert "onboarding.md" in {guide for guide, _ in EXAMPLES}


@pytest.mark.parametrize("path", sorted(GUIDES.glob("*.md")), ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    """Within the repository; addresses outside are not asked."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"`[^`\n]*`", "", text)
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text)
    assert [target for target in targets if not (path.parent / target).exists()] == []
