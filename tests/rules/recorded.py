"""The series that the stack records from what services declare and promise."""

from components import objectives

RECORDED_BY_THE_STACK = {
    "service:series_budget:count",
    "service:metric_missing:count",
    *(f"slo:sli_error:ratio_{each}" for each in ("rate5m", "period", *(f"rate{w}" for w in objectives.WINDOWS))),
    "slo:requests:rate5m",
    "slo:errors:rate5m",
    "slo:objective:ratio",
    "slo:error_budget:ratio",
    "slo:error_budget_remaining:ratio",
    "slo:period:days",
}
