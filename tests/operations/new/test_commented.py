"""The words above the keys are those of the models, each once, and lines stay readable."""

from __future__ import annotations

from components.config import StackConfig
from components.config.products import Scrape
from operations.new.commented import WIDTH, description, stack_text
from operations.new.wishes import Wishes, service, stack_data

TEXT = stack_text(
    stack_data(
        Wishes(
            "shop",
            services=tuple(service(f"{name}={name}:80", "web", "docker") for name in ("checkout", "search")),
            channels=("slack", "pay=slack", "pagerduty"),
        )
    )
)


def test_a_key_has_its_description_above_it() -> None:
    lines = TEXT.splitlines()
    place = lines.index("      interval: 15s")
    assert lines[place - 1] == f"      # {Scrape.model_fields['interval'].description}"


def test_a_key_of_several_entries_is_explained_where_it_stands_first() -> None:
    assert TEXT.count("# Of the scrape job and of the label `service`") == 1
    first, second = TEXT.index("- name: checkout"), TEXT.index("- name: search")
    assert TEXT.index("# Of the scrape job") < first < second


def test_the_member_of_a_choice_explains_its_own_keys() -> None:
    assert "# The address of the webhook." in TEXT
    assert "# Integration key of a service, of type Events API v2." in TEXT


def test_a_mapping_without_words_has_those_of_its_model() -> None:
    assert description(StackConfig.model_fields["retention"]).startswith("How long samples stay on disk")


def test_what_is_left_out_is_listed_and_what_cannot_be_is_not() -> None:
    assert "    #   backup: Copies of the stack's data." in TEXT
    assert "#   kubernetes:" not in TEXT
    cluster = stack_text(stack_data(Wishes("shop", platform="kubernetes", context="c")))
    assert "#   docker:" not in cluster
    assert "#   ports:" not in cluster


def test_no_line_is_too_long() -> None:
    assert max(map(len, TEXT.splitlines())) <= WIDTH


def test_secrets_and_lists_of_words_take_one_line() -> None:
    assert "          url: {secret: slackUrl}" in TEXT
    assert "channels: [on-call, team-chat, pay]" in TEXT
