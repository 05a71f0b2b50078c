"""Data goes only at an explicit word, and everything happens in an order that can be tried again."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from operations import remove
from operations.errors import CommandError, UsageError
from tests.support import stack


class Fakes:
    """Pulumi and an engine that write down what is asked of them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.done: list[str] = []
        self.volumes = ["observatory-dev-prometheus-data"]
        self.exists, self.code = True, 0
        self.resources: list[dict[str, Any]] = []
        outer = self

        class Pulumi:
            stack, variables = "dev", dict[str, str]()

            @classmethod
            def of(cls, _stack: str) -> Pulumi:
                return cls()

            def exists(self) -> bool:
                return outer.exists

            def resources(self) -> list[dict[str, Any]]:
                return outer.resources

            def ask(self, *arguments: str) -> str:
                outer.done.append(" ".join(arguments))
                return ""

            def show(self, *arguments: str) -> int:
                outer.done.append(" ".join(arguments))
                return outer.code

        class Volumes:
            def __init__(self, *_arguments: Any) -> None:
                return

            def names(self) -> list[str]:
                return outer.volumes

            def remove(self) -> list[str]:
                outer.done.append("remove volumes")
                return [*outer.volumes, "observatory-dev-prometheus-config"]

        monkeypatch.setattr(remove, "Pulumi", Pulumi)
        monkeypatch.setattr(remove, "Volumes", Volumes)


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Fakes:
    """In place of Pulumi and the engine."""
    return Fakes(monkeypatch)


DESTROY = ["state unprotect --all --yes", "destroy --yes --skip-preview", "remove volumes"]


def test_down_keeps_what_is_protected(fakes: Fakes) -> None:
    assert remove.down_command("dev") == 0
    assert fakes.done == ["destroy --exclude-protected --yes --skip-preview"]


def test_down_of_an_unknown_stack_is_an_error(fakes: Fakes) -> None:
    fakes.exists = False
    with pytest.raises(CommandError, match="there is no stack dev"):
        remove.down_command("dev")
    assert fakes.done == []


def test_destroy_refuses_while_there_is_data(fakes: Fakes) -> None:
    with pytest.raises(CommandError, match="observatory-dev-prometheus-data") as caught:
        remove.destroy_command("dev", delete_data=False, yes=True)
    assert "./observatory destroy dev --delete-data" in caught.value.hint
    assert fakes.done == []


def test_destroy_without_data_needs_no_word(fakes: Fakes) -> None:
    fakes.volumes = []
    assert remove.destroy_command("dev", delete_data=False, yes=False) == 0
    assert fakes.done == DESTROY


def test_destroy_with_data_and_yes(fakes: Fakes, capsys: pytest.CaptureFixture[str]) -> None:
    assert remove.destroy_command("dev", delete_data=True, yes=True) == 0
    assert fakes.done == DESTROY
    assert "observatory-dev-prometheus-data" in capsys.readouterr().out


def test_destroy_with_data_of_a_stack_that_pulumi_does_not_know(fakes: Fakes) -> None:
    fakes.exists = False
    assert remove.destroy_command("dev", delete_data=True, yes=True) == 0
    assert fakes.done == ["remove volumes"]


def test_a_failed_destroy_keeps_the_data(fakes: Fakes) -> None:
    fakes.code = 255
    assert remove.destroy_command("dev", delete_data=True, yes=True) == 1
    assert "remove volumes" not in fakes.done


VOLUME = {"type": "docker:index/volume:Volume", "urn": "urn:x::a", "id": "observatory-dev-prometheus-data"}
CLAIM = {"type": "kubernetes:core/v1:PersistentVolumeClaim", "urn": "urn:x::a", "id": "observatory/data-prometheus-0"}


@pytest.mark.parametrize("resource", [VOLUME, CLAIM], ids=["docker", "kubernetes"])
def test_down_refuses_where_data_would_go_with_the_containers(fakes: Fakes, resource: dict[str, Any]) -> None:
    fakes.resources = [resource, {"type": "docker:index/container:Container", "urn": "urn:x::prometheus", "id": "a1"}]
    with pytest.raises(CommandError, match=resource["id"]) as caught:
        remove.down_command("dev")
    assert "./observatory destroy dev --delete-data" in caught.value.hint
    assert fakes.done == []
    # Protected, it is passed over; retained, it is only forgotten. Either is enough.
    for kept in ("protect", "retainOnDelete"):
        fakes.resources = [resource | {kept: True}]
        assert remove.down_command("dev") == 0


def bucket(delete_with_objects: bool, keep: bool = True) -> dict[str, Any]:
    """The bucket of the last deployment, as Pulumi's state has it."""
    return {
        "type": "pulumi-python:dynamic/storage:Bucket",
        "urn": "urn:x::bucket",
        "id": "acme-metrics",
        "protect": keep,
        "retainOnDelete": keep and not delete_with_objects,
        "outputs": {"name": "acme-metrics", "delete_with_objects": delete_with_objects},
    }


def test_a_bucket_that_stays_is_named(fakes: Fakes, capsys: pytest.CaptureFixture[str]) -> None:
    fakes.volumes, fakes.resources = [], [bucket(delete_with_objects=False)]
    assert remove.destroy_command("dev", delete_data=False, yes=False) == 0
    assert fakes.done == DESTROY
    assert "Bucket acme-metrics stays with everything in it" in capsys.readouterr().out


def test_a_bucket_that_goes_with_its_objects_is_data(fakes: Fakes, capsys: pytest.CaptureFixture[str]) -> None:
    """By the state alone: the stack file, in which a bucket may not even stand any more, changes nothing of it."""
    fakes.volumes, fakes.resources = [], [bucket(delete_with_objects=True)]
    with pytest.raises(CommandError, match="bucket acme-metrics, with every object in it"):
        remove.destroy_command("dev", delete_data=False, yes=True)
    assert fakes.done == []
    assert remove.destroy_command("dev", delete_data=True, yes=True) == 0
    assert "stays" not in capsys.readouterr().out.replace("secrets in it stay", "")


def test_a_stack_file_that_gives_the_bucket_away_changes_nothing_before_it_is_deployed(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    told = {"name": "acme-metrics", "region": "eu-central-1", "delete_with_objects": True}
    config = stack(storage={"backend": "thanos", "bucket": told})
    monkeypatch.setattr(remove, "load_stack_file", lambda _stack: config)
    fakes.volumes, fakes.resources = [], [bucket(delete_with_objects=False)]
    assert remove.destroy_command("dev", delete_data=False, yes=False) == 0
    assert "Bucket acme-metrics stays" in capsys.readouterr().out


def test_without_a_terminal_yes_is_needed(fakes: Fakes) -> None:
    assert not sys.stdin.isatty()
    with pytest.raises(UsageError, match="asks for the environment's name"):
        remove.destroy_command("dev", delete_data=True, yes=False)
    assert fakes.done == []


@pytest.mark.parametrize("answer", ["", "yes", "y", "prod", "DEV"])
def test_another_word_deletes_nothing(answer: str) -> None:
    with pytest.raises(CommandError, match="nothing was removed"):
        remove.confirm("dev", lambda _question: answer)


def test_the_name_is_the_word() -> None:
    asked: list[str] = []

    def answer(question: str) -> str:
        asked.append(question)
        return " dev\n"

    remove.confirm("dev", answer)
    assert asked == ["Type dev to delete its data for good: "]


def test_no_answer_deletes_nothing() -> None:
    def end(_question: str) -> str:
        raise EOFError

    with pytest.raises(CommandError, match="nothing was removed"):
        remove.confirm("dev", end)


def test_no_engine_is_said() -> None:
    from components.config import load_stack_file

    with pytest.raises(CommandError, match="the Docker engine does not answer") as caught:
        remove.Volumes(load_stack_file("dev"), {"DOCKER_HOST": "tcp://127.0.0.1:9"})
    assert "whether there is data" in caught.value.hint
