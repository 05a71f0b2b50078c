"""Which alert goes to which channel, how often, and when not."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from components.config.base import Duration, Label, Matching, Model, Name, NotEmpty, Switch

WEEKDAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
MONTHS = (
    *("january", "february", "march", "april", "may", "june", "july"),
    *("august", "september", "october", "november", "december"),
)


def _clock_is_text(value: Any) -> Any:
    if isinstance(value, int):  # YAML 1.1 reads 17:00 as a number of base 60
        raise ValueError('must be in quotes, for example "17:00": without them YAML reads a number')
    return value


Clock = Annotated[
    str,
    BeforeValidator(_clock_is_text),
    Matching(r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", 'a time of day from "00:00" to "24:00"'),
]


def _range(value: str, number: Any, what: str) -> str:
    """`first:last` or a single one, in order; `number` reads one and raises ValueError."""
    first, colon, last = value.partition(":")
    try:
        begin, end = number(first), number(last if colon else first)
    except ValueError:
        raise ValueError(f"must be {what}") from None
    if begin > end:
        raise ValueError(f"must be in order; write {value} as two entries")
    return value


def _weekdays(value: str) -> str:
    return _range(value, WEEKDAYS.index, "a day such as monday, or monday:friday; the week begins on sunday")


def _month(text: str) -> int:
    if text in MONTHS:
        return MONTHS.index(text) + 1
    return _between(text, 1, 12)


def _between(text: str, least: int, most: int) -> int:
    number = int(text)
    if not least <= number <= most or text != str(number):
        raise ValueError(text)
    return number


def _months(value: str) -> str:
    return _range(value, _month, "a month such as january or 1, or june:august")


def _years(value: str) -> str:
    return _range(value, lambda text: _between(text, 1970, 9999), "a year such as 2027, or 2027:2029")


def _day_of_month(text: str) -> int:
    number = _between(text, -31, 31)
    if number == 0:
        raise ValueError(text)
    return number


def _days_of_month(value: str) -> str:
    words = "a day of the month such as 1 or -1 (the last), or 1:7"
    first, colon, last = value.partition(":")
    try:
        begin, end = _day_of_month(first), _day_of_month(last if colon else first)
    except ValueError:
        raise ValueError(f"must be {words}") from None
    # As Alertmanager does: a range that would be empty in a month of 28 days is a mistake.
    if begin < 0 < end or (begin + 28 * (begin < 0)) > (end + 28 * (end < 0)):
        raise ValueError(f"must be {words}, in order in every month")
    return value


def _number_as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


NumberOrText = BeforeValidator(_number_as_text, json_schema_input_type=str | int)


def _location(value: str) -> str:
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # only stacks with time intervals pay for it

    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        try:
            ZoneInfo("Europe/London")
        except ZoneInfoNotFoundError:
            return value  # this machine knows no time zones; `validate` asks amtool, which does
        raise ValueError("must be a time zone such as Europe/Berlin or UTC") from None
    return value


class ClockTimes(Model):
    """From a time of day, until before another of the same day."""

    start_time: Clock = Field(description='In quotes: `"09:00"`.')
    end_time: Clock = Field(description='In quotes; the end of a day is `"24:00"`.')

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.start_time >= self.end_time:
            raise ValueError("end_time must be later than start_time; write a night as two entries, up to 24:00")
        return self


class TimeInterval(Model):
    """Times at which all of its keys hold; of each list, one entry is enough."""

    times: tuple[ClockTimes, ...] = Field(default=(), description="Times of day.")
    weekdays: tuple[Annotated[str, AfterValidator(_weekdays)], ...] = Field(
        default=(), description="`monday`, `monday:friday`; a week begins on sunday."
    )
    days_of_month: tuple[Annotated[str, NumberOrText, AfterValidator(_days_of_month)], ...] = Field(
        default=(), description='`1`, `"1:7"`, `-1` for the last.'
    )
    months: tuple[Annotated[str, NumberOrText, AfterValidator(_months)], ...] = Field(
        default=(), description="`december`, `june:august`, or numbers."
    )
    years: tuple[Annotated[str, NumberOrText, AfterValidator(_years)], ...] = Field(
        default=(), description='`2027`, `"2027:2029"`.'
    )
    location: Annotated[
        str,
        Matching(r"^[A-Za-z0-9_+/-]+$", "a time zone such as Europe/Berlin or UTC"),
        AfterValidator(_location),
    ] = Field(default="UTC", description="Time zone, for example Europe/Berlin.")

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if not (self.times or self.weekdays or self.days_of_month or self.months or self.years):
            raise ValueError("names no time at all, which would be always")
        return self


def _no_label_twice(labels: tuple[str, ...]) -> tuple[str, ...]:
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise ValueError(f"names {', '.join(twice)} twice")
    return labels


GroupBy = Annotated[tuple[Label, ...], AfterValidator(_no_label_twice)]
Values = str | Annotated[tuple[str, ...], NotEmpty()]


class Route(Model):
    """Alerts whose labels fit go to these channels."""

    match: dict[Label, Values] = Field(default_factory=dict, description="Label to value, or to any of a list.")
    not_match: dict[Label, Values] = Field(
        default_factory=dict, description="Label to a value, or a list of values, that it must not have."
    )
    channels: Annotated[tuple[Name, ...], NotEmpty()] = Field(description="Names of channels; each gets the alert.")
    digest: Literal["daily"] | None = Field(
        default=None,
        description="One message a day for each category and team, with all that fires or has ended since the last.",
    )
    group_by: Annotated[GroupBy, NotEmpty()] | None = Field(default=None, description="Default: that of `alerting`.")
    group_wait: Duration | None = Field(default=None, description="Default: that of `alerting`; of a digest, 10m.")
    group_interval: Duration | None = Field(default=None, description="Default: that of `alerting`.")
    repeat_interval: Duration | None = Field(default=None, description="Default: that of `alerting`.")
    mute: tuple[Name, ...] = Field(default=(), description="Time intervals in which nothing is sent.")
    active: tuple[Name, ...] = Field(default=(), description="Time intervals outside of which nothing is sent.")
    continue_: Switch = Field(default=False, alias="continue", description="Also try the routes that follow.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not (self.match or self.not_match):
            raise ValueError("needs match or not_match; what every alert goes to is default_channels")
        if self.digest:
            own = [key for key in ("group_by", "group_interval", "repeat_interval") if getattr(self, key)]
            if own:
                raise ValueError(f"digest sets {', '.join(own)} itself; leave out one or the other")
            if self.mute or self.active:
                raise ValueError("a digest comes once a day at no set time, so mute and active could swallow it")
        for key in ("mute", "active"):
            names = getattr(self, key)
            if len(set(names)) < len(names):
                raise ValueError(f"{key} names a time interval twice")
        return self
