"""The questions of `new`, for what its options leave open. Every one has a default, and wrong answers are asked again.

Several questions that only make sense together form a group: the model judges their answers together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import typer

from components.config import StackFileError
from operations import console
from operations.errors import CommandError
from operations.new import choices

Answers = dict[str, Any]


def _always(_: Mapping[str, Any]) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Question:
    """One question for the option `key`; `several` answers stand with spaces between them."""

    key: str
    text: str
    default: str
    allowed: tuple[str, ...] = ()
    several: bool = False
    when: Callable[[Mapping[str, Any]], bool] = _always
    """Whether it makes sense after the answers so far."""

    def read(self, answer: str) -> Any:
        """The option's value for this answer."""
        if self.several:
            return [] if answer == "none" else answer.replace(";", " ").split()
        if self.allowed == ("yes", "no"):
            return answer == "yes"
        return "" if answer == "none" else answer


def _mail(answers: Mapping[str, Any]) -> bool:
    return any(text.rpartition("=")[2] == "email" for text in answers["channel"] or ())


def _bucket(answers: Mapping[str, Any]) -> bool:
    return answers["storage"] in choices.BUCKETS


YES_NO = ("yes", "no")
GROUPS: tuple[tuple[Question, ...], ...] = (
    (Question("stack", "Which products", choices.STACKS[0], choices.STACKS),),
    (
        Question("platform", "Where to", "docker", choices.PLATFORMS),
        Question("context", "Context of kubectl", "default", when=lambda each: each["platform"] == "kubernetes"),
    ),
    (
        Question("service", "Services to watch, as name=host:port,host:port or just a name", "none", several=True),
        Question("team", "Team that they belong to", "platform", when=lambda each: bool(each["service"])),
        Question(
            "exposes",
            "Known sets of metrics that they expose, as name=http,database (docs/guide/onboarding.md)",
            "none",
            several=True,
            when=lambda each: bool(each["service"]),
        ),
    ),
    (Question("retention", "Keep metrics for (15d usual, 30d to 90d in production)", "15d"),),
    (Question("interval", "Collect them every (5s costs more, 60s is enough for stable ones)", "15s"),),
    (Question("tracing", "Where to keep traces", choices.TRACING[0], choices.TRACING),),
    (
        Question("channel", "Send alerts to", "none", tuple(choices.CHANNELS), several=True),
        Question("mail_to", "Mail goes to", "alerts@example.com", when=_mail),
        Question("mail_from", "Mail comes from", "observatory@example.com", when=_mail),
        Question("mail_server", "Mail server, as host:port", "smtp.example.com:587", when=_mail),
    ),
    (Question("preset", "Dashboards (none: all that have data)", "none", choices.PRESET_NAMES, several=True),),
    (Question("exporter", "Exporters", " ".join(choices.EXPORTERS), choices.EXPORTERS, several=True),),
    (
        Question("storage", "Keep metrics longer than on the own disk, in", choices.STORAGE[0], choices.STORAGE),
        Question("bucket", "Name of the bucket", "example-metrics", when=_bucket),
        Question("bucket_region", "Its region", "us-east-1", when=_bucket),
        Question("bucket_endpoint", "Its server, if not AWS: https://...", "none", when=_bucket),
    ),
    (
        Question("high_availability", "Several of each program, so that one may fail", "no", YES_NO),
        Question(
            "grafana_database",
            "Host of a PostgreSQL that two Grafanas can share",
            "none",
            when=lambda each: bool(each["high_availability"]),
        ),
    ),
    (Question("access", "TLS and a password for every UI", "no", YES_NO),),
)

TAKE = Question("discover", "Take the services that were found", "yes", YES_NO)


def fill(
    given: Mapping[str, Any], ask: Callable[[Question], str] | None, check: Callable[[Answers], object]
) -> Answers:
    """All answers: those given, and for the others what `ask` gets, or without it the defaults.

    `check` raises StackFileError or CommandError for answers that cannot be; the group is then asked again, unless all
    of it was given.
    """
    questions = [question for group in GROUPS for question in group]
    answers: Answers = {question.key: question.read(question.default) for question in questions}
    # Follow-up questions have defaults to show, which count for nothing where they were not asked.
    answers |= {each.key: "" for each in questions if each.when is not _always and not each.several}
    answers |= {"team": "platform", **{key: value for key, value in given.items() if value is not None}}
    if ask:
        for group in GROUPS:
            _ask_group(group, answers, given, ask, check)
    return answers


def _ask_group(
    group: Sequence[Question],
    answers: Answers,
    given: Mapping[str, Any],
    ask: Callable[[Question], str],
    check: Callable[[Answers], object],
) -> None:
    while True:
        asked = False
        for question in group:
            known = given.get(question.key) is not None
            if known or len(question.allowed) == 1 or not question.when(answers):
                continue
            answers[question.key] = _valid(question, ask)
            asked = True
        try:
            check(answers)
            return
        except (StackFileError, CommandError) as error:
            if not asked:
                raise
            console.note(str(error))


def _valid(question: Question, ask: Callable[[Question], str]) -> Any:
    """An answer of the allowed ones; for channels, what follows a name of one's own."""
    while True:
        answer = question.read(ask(question))
        words = answer if isinstance(answer, list) else [answer]
        wrong = [
            word
            for word in words
            if question.allowed and isinstance(word, str) and word.rpartition("=")[2] not in question.allowed
        ]
        if not wrong:
            return answer
        console.note(f"{wrong[0]}: is not to be had; allowed: {', '.join(question.allowed)}")


def on_terminal(question: Question) -> str:
    """Ask a person. Ctrl-C ends the command; nothing is written by then."""
    allowed = f" ({', '.join(question.allowed)})" if question.allowed else ""
    several = ", with spaces between them" if question.several else ""
    try:
        return str(typer.prompt(f"{question.text}{allowed}{several}", default=question.default, err=True)).strip()
    except typer.Abort:
        raise KeyboardInterrupt from None
