"""`schema`: the JSON schema of stack files, made from the models, so that it cannot say anything else than they do."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from components.catalogue import all_alerts
from components.config import StackConfig
from components.config.alert_settings import Severity
from components.config.load import FOLDER, KEY
from operations.guides.page import keep_current
from operations.policies.model import Policy

SCHEMA_FILE, POLICY_SCHEMA_FILE = FOLDER / "schema.json", FOLDER / "policy.schema.json"


def stack_file_schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of a whole `Pulumi.<environment>.yaml`."""
    stack = _clean(StackConfig.model_json_schema(by_alias=True))
    definitions = stack.pop("$defs")
    stack["properties"]["alerts"] = _alerts(stack["properties"]["alerts"])
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


_KINDS: dict[str, dict[str, Any]] = {
    "ratio": {"type": ["number", "string"], "examples": [0.02, "2%"]},
    "seconds": {"type": ["number", "string"], "examples": ["500ms", "21d"]},
    "bytes": {"type": ["number", "string"], "examples": ["10GB"]},
    "window": {"type": "string", "examples": ["10m"]},
}


def _alerts(property_: dict[str, Any]) -> dict[str, Any]:
    """Every alert of the catalogue with its parameters, so that an editor completes and refuses as the stack does."""
    own: dict[str, Any] = {"for": {"type": "string"}, "severity": {"enum": list(get_args(Severity))}}
    alerts = {}
    for alert, file in sorted(all_alerts().items()):
        parameters = {
            name: {
                **_KINDS.get(parameter.unit, {"type": "number"}),
                "default": parameter.default,
                "description": f"{parameter.meaning} Unit: {parameter.unit}.",
            }
            for name, parameter in file.parameters.get(alert, {}).items()
        }
        settings = {"type": "object", "properties": {**parameters, **own}, "additionalProperties": False}
        alerts[alert] = {"anyOf": [{"const": False}, settings]}
    about = {"description": property_["description"], "default": {}}
    return {**about, "type": "object", "properties": alerts, "additionalProperties": False}


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


def policy_schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of the policy across stacks."""
    policy = _clean(Policy.model_json_schema(by_alias=True))
    about = "What must hold between stacks. Made from operations/policies by `./observatory schema`."
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **policy,
        "title": "Observatory policy",
        "description": about,
    }


def schema_text(schema: Mapping[str, Any]) -> str:
    """A schema as it stands in its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def schema_command(check: bool, file: Path = SCHEMA_FILE, policy_file: Path = POLICY_SCHEMA_FILE) -> int:
    """Write the schemas, or say whether the files are current."""
    made = {file: stack_file_schema(), policy_file: policy_schema()}
    return max([keep_current(path, schema_text(schema), check) for path, schema in made.items()])
