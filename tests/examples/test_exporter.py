"""The exporter: values that move as they are told, and fall out of line under a fault."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from components.catalogue import EXPOSED
from examples.exporter.__main__ import SUBJECTS, registries
from examples.exporter.collector import DeclaredCollector
from examples.exporter.declared import Declared, read_subject
from examples.exporter.motion import Motion
from examples.exporter.values import Values
from examples.faults import UnknownFault


class Clock:
    """Stands still until it is moved."""

    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_gauges_stay_in_their_range_and_move() -> None:
    motion = Motion.of({"range": [0.2, 0.8]})
    values = [motion.gauge(second, phase=0.3) for second in range(0, 900, 10)]
    assert min(values) >= 0.2
    assert max(values) <= 0.8
    assert max(values) - min(values) > 0.5
    assert {motion.gauge(0, phase) for phase in (0.1, 0.5)} == {motion.gauge(0, 0.1), motion.gauge(0, 0.5)}


def test_whole_ends_give_whole_numbers() -> None:
    values = {Motion.of({"range": [0, 3]}).gauge(second, 0.5) for second in range(0, 900, 10)}
    assert values == {0, 1, 2, 3}


def test_timestamps_stand_for_a_time_in_the_past() -> None:
    assert Motion(age=60).gauge(1000, 0) == 940
    assert Motion(every=300).gauge(1000, 0) == 900


def test_counters_only_grow_and_histograms_add_up() -> None:
    registry, clock = CollectorRegistry(), Clock()
    metrics = [
        Declared("hits_total", "counter", "Hits.", {"kind": ("a", "b")}),
        Declared("wait_seconds", "histogram", "Wait.", buckets=(0.05, 0.1, 1.0)),
    ]
    motions = {"hits_total": Motion(rate=(2, 4)), "wait_seconds": Motion(rate=(5, 5), median=0.1)}
    registry.register(DeclaredCollector(metrics, lambda name, _labels: motions[name], clock))
    before = registry.get_sample_value("hits_total", {"kind": "a"})
    clock.now += 60
    after = registry.get_sample_value("hits_total", {"kind": "a"})
    assert before == 0
    assert after is not None
    assert 120 <= after <= 240
    samples = {(s.name, s.labels.get("le")): s.value for f in registry.collect() for s in f.samples}
    buckets = [samples["wait_seconds_bucket", bound] for bound in ("0.05", "0.1", "1.0", "+Inf")]
    assert buckets == sorted(buckets)
    assert buckets[-1] == samples["wait_seconds_count", None] == 300
    assert samples["wait_seconds_sum", None] == pytest.approx(300 * 0.113, rel=0.2)


def test_a_foreign_counter_keeps_its_name() -> None:
    registry = CollectorRegistry()
    registry.register(DeclaredCollector([Declared("bytes_count", "counter", "Bytes.")], lambda *_: Motion(), Clock()))
    assert "# TYPE bytes_count untyped\nbytes_count 0.0" in generate_latest(registry).decode()


def test_observations_scatter_around_their_median() -> None:
    found = Motion(rate=(900, 900), median=0.2).observations(0, 1, 0, random.Random(1))
    assert len(found) == 900
    assert sorted(found)[450] == pytest.approx(0.2, rel=0.1)


def test_a_fault_moves_what_it_is_said_to_move() -> None:
    values, clock = Values(), Clock()
    registry = CollectorRegistry()
    registry.register(DeclaredCollector(read_subject("backup", values.labels), values.motion, clock))

    def age() -> float:
        found = registry.get_sample_value("backup_last_success_timestamp_seconds", {"backup": "database"})
        assert found is not None
        return clock.now - found

    assert age() < 24 * 3600
    values.faults.replace(["stale-backup"])
    assert age() == 50 * 3600
    values.faults.replace([])
    assert age() < 24 * 3600


def test_the_first_entry_that_fits_counts() -> None:
    values = Values()
    failure = {"method": "password", "result": "failure"}
    calm = values.motion("auth_attempts_total", failure)
    values.faults.replace(["failed-logins"])
    assert values.motion("auth_attempts_total", failure).rate[0] > 100 * calm.rate[1]
    other = {"method": "token", "result": "failure"}
    assert values.motion("auth_attempts_total", other) == calm


def test_a_fault_that_is_not_listed_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text("faults: {a: b}\nlabels: {}\nvalues: {x: {if: {fault: c}, range: [0, 1]}}\n")
    with pytest.raises(UnknownFault, match="no fault is called 'c'; faults: a"):
        Values(file)


def test_every_value_belongs_to_a_metric_and_every_metric_has_one() -> None:
    values = Values()
    declared = {each.name for subject in SUBJECTS for each in read_subject(subject, values.labels)}
    assert set(values._entries) == declared


def test_every_fault_changes_something() -> None:
    values = Values()
    used = {fault for entries in values._entries.values() for fault, _, _ in entries if fault}
    assert used == set(values.faults.known)


def test_its_subjects_are_of_the_catalogue_and_stay_small() -> None:
    assert set(SUBJECTS) <= set(EXPOSED)
    for subject, registry in registries(Values()).items():
        series = sum(len(family.samples) for family in registry.collect())
        assert 0 < series < 1200, f"{subject} has {series} series"
