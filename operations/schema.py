"""`schema`: the JSON schema of stack files, made from the models, so that it cannot say anything else than they do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from components.config import StackConfig
from components.config.load import FOLDER, KEY
from operations import console

SCHEMA_FILE = FOLDER / "schema.json"


def stack_file_schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of a whole `Pulumi.<environment>.yaml`."""
    stack = _clean(StackConfig.model_json_schema(by_alias=True))
    definitions = stack.pop("$defs")
    secure = {"type": "object", "properties": {"secure": {"type": "string"}}, "required": ["secure"]}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Observatory stack file",
        "description": "One environment's monitoring. Made from components/config by `./observatory schema`.",
        "type": "object",
        "properties": {
            "config": {
                "type": "object",
                "description": f"Pulumi configuration: the stack under {KEY}, encrypted secrets beside it.",
                "properties": {KEY: {"$ref": "#/$defs/StackConfig"}},
                "patternProperties": {
                    "^observatory:(?!stack$)[A-Za-z][A-Za-z0-9]*$": {
                        **secure,
                        "description": "A secret that the stack names, set by `pulumi config set --secret`.",
                    }
                },
                "required": [KEY],
            },
            "secretsprovider": {"type": "string", "description": "Written by Pulumi."},
            "encryptedkey": {"type": "string", "description": "Written by Pulumi."},
            "encryptionsalt": {"type": "string", "description": "Written by Pulumi."},
        },
        "required": ["config"],
        "$defs": dict(sorted({**definitions, "StackConfig": stack}.items())),
    }


def _clean(value: Any) -> Any:
    """Without keys set to None and without the titles that only repeat a key."""
    if isinstance(value, list):
        return [_clean(each) for each in value]
    if not isinstance(value, dict):
        return value
    is_schema = isinstance(value.get("title"), str) and not isinstance(value.get("properties"), dict)
    return {
        key: _clean(each)
        for key, each in value.items()
        if not (key == "title" and is_schema) and not (each is None and key != "default")
    }


def schema_text() -> str:
    """The schema as it stands in the file."""
    return json.dumps(stack_file_schema(), indent=2, ensure_ascii=False) + "\n"


def schema_command(check: bool, file: Path = SCHEMA_FILE) -> int:
    """Write the schema, or say whether the file is current."""
    text = schema_text()
    current = file.is_file() and file.read_text() == text
    if check:
        if not current:
            console.note(f"{file.name} is not what the models say; run ./observatory schema")
        return 0 if current else 1
    if not current:
        file.write_text(text)
    console.say(f"{file} {'is current' if current else 'written'}")
    return 0
