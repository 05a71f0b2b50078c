"""The rules as promtool can read them: with default numbers in place of parameters."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.catalogue import rule_file, rule_subjects
from components.rules import settled_groups
from components.yaml_text import dump

UNIT_TESTS = Path(__file__).parent


def rendered_rules(folder: Path, settings: Mapping[str, Any] | None = None) -> Path:
    """Write `<subject>.yaml` for every rule file and `test-<subject>.yaml`, its unit tests, to a folder; return it."""
    for subject in rule_subjects():
        file = rule_file(subject)
        assert file
        (folder / f"{subject}.yaml").write_text(dump({"groups": settled_groups(file, settings or {})}))
        tests = UNIT_TESTS / f"{subject}.yaml"
        if tests.is_file():
            (folder / f"test-{subject}.yaml").write_text(tests.read_text())
    return folder
