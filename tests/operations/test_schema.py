"""The schema of stack files is current, valid, and of one mind with the models."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from components.config import StackConfig
from components.config.load import FOLDER
from components.yaml_text import load
from operations.guides.schema import SCHEMA_FILE, schema_command, schema_text, stack_file_schema
from tests.support import GENERATED, STACKS

VALIDATOR = Draft202012Validator(stack_file_schema())


def messages(document: Any) -> list[str]:
    """What the schema has against a document."""
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(document)]


def test_the_file_is_current() -> None:
    assert SCHEMA_FILE.read_text() == schema_text(stack_file_schema()), "run ./observatory schema"


def test_it_is_a_valid_schema() -> None:
    Draft202012Validator.check_schema(stack_file_schema())


@pytest.mark.parametrize("name", STACKS)
def test_stack_files_are_valid_and_name_the_schema(name: str) -> None:
    text = (FOLDER / f"Pulumi.{name}.yaml").read_text()
    assert text.startswith("# yaml-language-server: $schema=schema.json\n")
    assert messages(load(text)) == []


@pytest.mark.parametrize("name", GENERATED)
def test_it_allows_what_the_models_allow(name: str) -> None:
    assert messages({"config": {"observatory:stack": GENERATED[name]}}) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"retension": {}}, "'retension' was unexpected"),
        ({"scrape": {"interval": "15"}}, "does not match"),
        ({"environment": "Prod"}, "does not match"),
        ({"ports": {"prometheus": True}}, "is not of type"),
        (
            {"alerting": {"channels": {"x": {"type": "slack", "url": "https://hooks.example.com"}}}},
            "is not valid under",
        ),
        ({"access": {"password": {"secret": "p"}}}, "is not valid under any"),
        ({"services": [{"name": "a"}]}, "'team' is a required property"),
    ],
)
def test_it_refuses_what_the_models_refuse(change: dict[str, Any], message: str) -> None:
    document = {"config": {"observatory:stack": {"environment": "test", **change}}}
    assert [found for found in messages(document) if message in found], messages(document)


def test_secrets_stand_beside_the_stack_only_encrypted() -> None:
    config: dict[str, Any] = {"observatory:stack": {"environment": "test"}, "docker:host": "anything"}
    encrypted = copy.deepcopy(config) | {"observatory:slackUrl": {"secure": "v1:abc"}}
    assert messages({"config": encrypted, "encryptionsalt": "v1:x"}) == []
    assert messages({"config": config | {"observatory:slackUrl": "https://hooks.example.com"}})
    assert messages({"config": {}}) == ["$.config: 'observatory:stack' is a required property"]


def test_every_key_and_its_default_is_described_by_the_model() -> None:
    definition = stack_file_schema()["$defs"]["StackConfig"]
    assert set(definition["properties"]) == set(StackConfig.model_fields)
    assert definition["additionalProperties"] is False


def test_check_says_whether_the_file_is_current(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "schema.json"
    assert schema_command(True, file) == 1
    assert not file.exists()
    assert schema_command(False, file) == 0
    assert schema_command(True, file) == 0
    file.write_text("{}")
    assert schema_command(True, file) == 1
    assert "run ./observatory schema" in capsys.readouterr().err


def test_a_file_that_was_cut_in_the_middle_of_a_letter_is_made_again(tmp_path: Path) -> None:
    file, policy = tmp_path / "schema.json", tmp_path / "policy.json"
    file.write_bytes("é".encode()[:1])
    assert schema_command(True, file, policy) == 1
    assert schema_command(False, file, policy) == 0
    assert schema_command(True, file, policy) == 0
