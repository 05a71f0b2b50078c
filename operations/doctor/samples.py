"""Diagnoses of samples: too many series, samples that are thrown away, programs that run out of file descriptors."""

from __future__ import annotations

from collections.abc import Iterator

from operations.doctor.facts import Facts
from operations.doctor.findings import Diagnosis, Finding, Severity

_MANY = r"too many open files"


def cardinality(facts: Facts) -> Iterator[Finding]:
    """A service with more series than its budget, or a Prometheus whose series have doubled."""
    budgets = {service.name: service.series_budget for service in facts.config.services}
    for series in facts.queries["cardinality"]:
        job = series.labels.get("job", "")
        if job in budgets and series.value > budgets[job]:
            saw = f"job {job} has {series.value:.0f} series, its budget is {budgets[job]}; {_most(facts)}"
            key = facts.service_key(job)
            remedy = (
                f"no user ids, times or whole paths as labels; `{key}.drop` for metrics nobody needs,\n"
                f"or a higher `{key}.series_budget`"
            )
            yield Finding(job, saw, remedy if key else "it is a service of the demo: `demo: false` takes them all away")


def growth(facts: Facts) -> Iterator[Finding]:
    """A Prometheus whose series have doubled within the hour."""
    for series in facts.queries["series-growing"]:
        saw = f"{series.value:.0f} series, more than twice as many as an hour ago; {_most(facts)}"
        yield Finding(
            facts.service_at(series.where),
            saw,
            "which label has ever new values? `services[].drop`, or a `sample_limit`",
        )


def _most(facts: Facts) -> str:
    """The metrics and labels that make the most of the series."""
    status = facts.answers.get("tsdb", {})
    metrics = [f"{each['name']} {each['value']}" for each in status.get("seriesCountByMetricName", [])[:3]]
    labels = [
        f"{each['name']} {each['value']}"
        for each in status.get("labelValueCountByLabelName", [])
        if each["name"] != "__name__"
    ][:3]
    return f"most series: {', '.join(metrics)}; most values: {', '.join(labels)}"


def rejected(facts: Facts) -> Iterator[Finding]:
    """Samples that Prometheus throws away for their time."""
    for series in facts.queries["samples-rejected"]:
        why = series.labels.get("why", "?")
        said = facts.said(
            "prometheus", r"Error on ingesting (samples|out-of-order)|out of (order|bounds)|duplicate sample"
        )
        saw = f"{series.value:.0f} samples were thrown away in the last minutes: {why}\n{said}".strip()
        remedy = (
            "two targets must not have the same labels (`instance` of a proxy), a program must not expose a series\n"
            "twice, nor times of its own that go back or ahead; is a clock wrong?"
        )
        yield Finding(facts.service_at(series.where), saw, remedy)


def descriptors(facts: Facts) -> Iterator[Finding]:
    """A program that has used up its file descriptors, or nearly."""
    for series in facts.queries.get("file-descriptors-low", ()):
        where = facts.service_at(series.where)
        saw = f"job {series.labels.get('job', '?')} uses {series.value:.0%} of its file descriptors"
        yield Finding(where, saw, _more_descriptors(facts, where))
    for name in facts.programs:
        if said := facts.said(name, _MANY):
            yield Finding(name, said.strip()[:300], _more_descriptors(facts, name))


def _more_descriptors(facts: Facts, where: str) -> str:
    if facts.plan.service(where):
        return (
            '"default-ulimits": {"nofile": {"Hard": 1048576, "Soft": 1048576}} in /etc/docker/daemon.json, then '
            + facts.up
        )
    return "does it close its connections? Else `ulimit -n`, or LimitNOFILE= of its unit"


_NEEDS = ("prometheus",)
_WHY = {
    "duplicate_timestamp": "two values for one time",
    "out_of_order": "older than what is stored",
    "out_of_bounds": "too old, or of the future",
}
DIAGNOSES = (
    Diagnosis(
        "cardinality",
        Severity.WARNING,
        'A service has more series than it may have ("high cardinality").',
        cardinality,
        _NEEDS,
        query="sum by (job) (scrape_samples_post_metric_relabeling)",
    ),
    Diagnosis(
        "series-growing",
        Severity.WARNING,
        "Series multiply; Prometheus' memory with them.",
        growth,
        _NEEDS,
        query=(
            "max by (instance) (prometheus_tsdb_head_series) > "
            "2 * max by (instance) (prometheus_tsdb_head_series offset 1h) > 20000"
        ),
    ),
    Diagnosis(
        "samples-rejected",
        Severity.WARNING,
        "Scraped samples are thrown away: duplicates, out of order, out of bounds.",
        rejected,
        _NEEDS,
        query=" or ".join(
            f"label_replace(sum by (instance) (increase("
            f'prometheus_target_scrapes_sample_{metric}_total[$window])) > 0, "why", "{why}", "", "")'
            for metric, why in _WHY.items()
        ),
        explained_by=("clock-skew",),
    ),
    Diagnosis(
        "file-descriptors-low",
        Severity.WARNING,
        'A program is about to get no more files and connections ("too many open files").',
        descriptors,
        query="max by (job, instance) (process_open_fds / (process_max_fds > 0)) > 0.8",
    ),
)
