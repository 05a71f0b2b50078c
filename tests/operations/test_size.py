"""`size`: the estimate beside what the stack file asks for, as a table and as JSON, and its exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from components.notes import stack_notes
from components.series import Circumstances
from components.sizing import STAGES
from components.yaml_text import dump
from operations.app import app
from operations.errors import UsageError
from operations.size import Question, lines, size_command, sized
from tests.support import STACKS, changed, config_of, plan_of, planned, stack

LARGE: dict[str, Any] = {
    "services": [
        {
            "name": "shop",
            "team": "web",
            "port": 80,
            "discovery": {"dns": {"names": ["shop.example.com"]}},
            "instances": 1000,
            "sample_limit": 100_000,
            "series_budget": 10**8,
            "metrics": {"shop_carts_total": {"type": "counter", "labels": {"route": 1495}}},
        }
    ],
    "retention": {"time": "30d", "size": "400GB"},
}
"""1,500 series from each of a thousand instances, with those that Prometheus adds."""
BUCKET = {"backend": "thanos", "bucket": {"name": "acme-metrics", "region": "eu-central-1"}}


def answer(question: Question | None = None, **changes: Any) -> dict[str, Any]:
    config = stack(**changes)
    return sized(config, planned(config), question or Question())


@pytest.mark.parametrize("name", STACKS)
def test_the_shipped_stacks_ask_for_enough(name: str) -> None:
    config, plan = config_of(name), plan_of(name)
    found = sized(config, plan, Question())
    assert {row["verdict"] for row in found["asked"]} == {"enough"}
    assert found["series"] == sum(source["series"] for source in found["sources"])
    assert [note for note in stack_notes(config, plan.services) if "too little" in note] == []
    json.dumps(found)


def test_a_load_that_the_defaults_cannot_carry() -> None:
    found = answer(**LARGE)
    assert 1_500_000 < found["series"] < 1_510_000
    assert found["rate"] == pytest.approx(found["series"] / 15)
    rows = {row["key"]: (row["verdict"], row["advice"], row["default"]) for row in found["asked"]}
    assert rows == {
        "resources.prometheus.memory": ("too little", "12GB", True),
        "resources.prometheus.cpus": ("too little", "4", True),
        "retention.size": ("tight", "492GB", False),
    }
    assert found["verdict"] == "too little"
    text = "\n".join(lines(found))
    assert "12GB" in text
    assert "too little" in text
    assert f"it is enough to have {STAGES[1][1]}" in text
    assert "From 10,000,000 series on" in text


def test_the_notes_say_what_to_write() -> None:
    config = stack(**LARGE)
    notes = planned(config).notes
    (memory,) = (note for note in notes if note.startswith("resources.prometheus.memory"))
    assert ", its default, is too little for about 1,50" in memory
    assert "write 12GB" in memory
    assert not [note for note in notes if note.startswith("retention.size")]
    short = stack(**changed(LARGE, retention__size="100GB"))
    (size,) = (note for note in planned(short).notes if note.startswith("retention.size"))
    assert "samples/s (samples go after about 8d): write 492GB" in size
    assert "retention.size: samples go after about 8d." in lines(sized(short, planned(short), Question()))
    enough = {**LARGE, "resources": {"prometheus": {"memory": "12GB", "cpus": 4}}}
    config = stack(**enough)
    assert not [note for note in planned(config).notes if "too little" in note]
    assert {row["verdict"] for row in sized(config, planned(config), Question())["asked"]} == {"enough", "tight"}


def test_other_circumstances() -> None:
    plain = answer(**LARGE)
    assert answer(Question(Circumstances(scale=2)), **LARGE)["series"] == plain["series"] + 1_500_000
    slower = answer(Question(interval="30s"), **LARGE)
    assert (slower["series"], slower["rate"]) == (plain["series"], pytest.approx(plain["rate"] / 2))
    longer = {row["resource"]: row for row in answer(Question(retention="60d"), **LARGE)["needs"]}
    needs = {row["resource"]: row for row in plain["needs"]}
    assert longer["disk"]["rule_of_thumb"] == pytest.approx(2 * needs["disk"]["rule_of_thumb"])
    busy = {row["resource"]: row for row in answer(Question(queries=21), **LARGE)["needs"]}
    assert busy["cpus"]["floor"] == pytest.approx(needs["cpus"]["floor"] + 2)
    assert busy["iops"]["rule_of_thumb"] == pytest.approx(needs["iops"]["rule_of_thumb"] + 2000)
    more = answer(Question(Circumstances(nodes=11)), **LARGE)
    assert more["series"] > plain["series"] + 10 * 30 * 50


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (Question(interval="3m"), "--interval 3m: must be a duration from 1s to 2m30s"),
        (Question(interval="fast"), "--interval fast: must be a duration"),
        (Question(retention="1h"), "--retention 1h: must be a duration from 2h to 100y, such as 30d"),
        (Question(retention="101y"), "--retention 101y: must be a duration from 2h to 100y"),
        (Question(retention=""), "--retention : must be"),
        (Question(interval=""), "--interval : must be"),
    ],
)
def test_options_that_no_stack_file_could_have(question: Question, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        answer(question)


def test_a_bucket_has_its_table() -> None:
    assert answer()["bucket"] is None
    found = answer(storage=BUCKET)
    assert [end["name"] for end in found["bucket"]["ends"]] == ["raw", "five_minutes", "one_hour"]
    text = "\n".join(lines(found))
    assert "BUCKET" in text
    assert "1095d" in text
    forever = answer(storage={**BUCKET, "retention": {"one_hour": "forever"}})
    assert "the bucket grows without end" in "\n".join(lines(forever))
    assert "BUCKET" not in "\n".join(lines(answer()))


def test_services_that_declare_nothing_are_named() -> None:
    bare = {"name": "legacy", "team": "web", "port": 80, "discovery": {"static": {"targets": ["one"]}}}
    assert "legacy: declare what it exposes for a better figure." in lines(answer(services=[bare]))


def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "Pulumi.large.yaml"
    file.write_text(dump({"config": {"observatory:stack": {"environment": "large", **LARGE}}}))
    assert size_command(str(file), Question(), check=False, json=False) == 0
    assert size_command(str(file), Question(), check=True, json=False) == 1
    assert size_command("prod", Question(), check=True, json=False) == 0
    assert "\033[" not in capsys.readouterr().out
    assert size_command(str(file), Question(), check=True, json=True) == 1
    assert json.loads(capsys.readouterr().out)["verdict"] == "too little"


def test_the_options_of_the_command() -> None:
    options = ["--scale", "3", "--nodes", "2", "--containers", "5", "--queries", "4", "--retention", "90d", "--json"]
    result = CliRunner().invoke(app, ["size", "prod", *options, "--interval", "30s"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["assumed"] == {"scale": 3.0, "nodes": 2, "containers": 5, "queries": 4.0}
    assert (found["retention"], found["interval"]) == (90 * 86400, 30)
    assert CliRunner().invoke(app, ["size", "prod", "--scale", "0"]).exit_code == 2
