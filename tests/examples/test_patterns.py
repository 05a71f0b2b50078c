"""The patterns of the instrumentation guide, each on a registry of its own."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from examples.shop.batch import BatchMetrics, BatchProcessor
from examples.shop.health import Health, HealthCollector
from examples.shop.job_queue import MeasuredQueue, QueueMetrics
from examples.shop.resources import ContainerResources
from examples.shop.tracked_block import BlockMetrics
from examples.shop.tracked_function import FunctionMetrics


# region: test-decorator
def test_a_call_is_counted_by_its_outcome(registry: CollectorRegistry) -> None:
    tracked = FunctionMetrics(registry)

    @tracked("divide")
    def divide(a: int, b: int) -> float:
        return a / b

    assert divide(6, b=3) == 2
    with pytest.raises(ZeroDivisionError):
        divide(1, 0)
    calls = {"function": "divide"}
    assert registry.get_sample_value("function_calls_total", {**calls, "status": "success"}) == 1
    assert registry.get_sample_value("function_calls_total", {**calls, "status": "error"}) == 1
    assert registry.get_sample_value("function_duration_seconds_count", calls) == 2


# endregion: test-decorator


def test_a_tracked_function_keeps_its_name(registry: CollectorRegistry) -> None:
    @FunctionMetrics(registry)("named")
    def original() -> None:
        """What it does."""

    assert (original.__name__, original.__doc__) == ("original", "What it does.")


def test_the_first_error_of_a_function_is_an_increase(registry: CollectorRegistry) -> None:
    FunctionMetrics(registry)("silent")(lambda: None)
    assert registry.get_sample_value("function_calls_total", {"function": "silent", "status": "error"}) == 0


def test_a_block_counts_its_errors_and_lets_them_pass(registry: CollectorRegistry) -> None:
    blocks = BlockMetrics(registry, "checkout")
    assert registry.get_sample_value("block_errors_total", {"block": "checkout"}) == 0
    with blocks.track("checkout"):
        time.sleep(0.01)
    with pytest.raises(KeyError), blocks.track("checkout"):
        raise KeyError
    assert registry.get_sample_value("block_errors_total", {"block": "checkout"}) == 1
    assert registry.get_sample_value("block_duration_seconds_count", {"block": "checkout"}) == 2
    total = registry.get_sample_value("block_duration_seconds_sum", {"block": "checkout"})
    assert total is not None
    assert 0.01 <= total < 60


@pytest.mark.parametrize(
    ("items", "status", "done", "failed"),
    [([1, 2, 3], "success", 3, 0), ([1, 0, 3], "partial", 2, 1), ([0, 0], "error", 0, 2)],
)
def test_a_batch_goes_on_after_an_error(
    registry: CollectorRegistry, items: list[int], status: str, done: int, failed: int
) -> None:
    processor: BatchProcessor[int] = BatchProcessor(BatchMetrics(registry), "invert", lambda item: 1 / item)
    errors = processor.run(items)
    assert [type(error) for error in errors] == [ZeroDivisionError] * failed
    for each in ("success", "partial", "error"):
        labels = {"operation": "invert", "status": each}
        assert registry.get_sample_value("batch_operations_total", labels) == (each == status)
    for outcome, count in (("success", done), ("error", failed)):
        labels = {"operation": "invert", "status": outcome}
        assert registry.get_sample_value("batch_items_processed_total", labels) == count
    last = registry.get_sample_value("batch_last_success_timestamp_seconds", {"operation": "invert"})
    assert last is not None
    assert (last > time.time() - 60) == (failed == 0)


def test_a_health_check_that_raises_is_a_part_that_is_down(registry: CollectorRegistry) -> None:
    def broken() -> Health:
        raise ConnectionError

    health = HealthCollector(registry, {"queue": lambda: Health.DEGRADED, "database": broken})
    assert health.states() == {"queue": Health.DEGRADED, "database": Health.DOWN}
    assert registry.get_sample_value("service_health_status", {"component": "queue"}) == 1
    assert registry.get_sample_value("service_health_status", {"component": "database"}) == 2


def test_a_queue_shows_its_depth_its_oldest_item_and_what_is_done(registry: CollectorRegistry) -> None:
    waiting: MeasuredQueue[int] = MeasuredQueue(QueueMetrics(registry), "jobs")

    def value(name: str) -> float:
        found = registry.get_sample_value(name, {"queue_name": "jobs"})
        assert found is not None
        return found

    assert (value("queue_depth"), value("queue_oldest_item_age_seconds")) == (0, 0)
    for item in range(3):
        waiting.put(item)
    time.sleep(0.02)
    assert value("queue_depth") == 3
    assert value("queue_oldest_item_age_seconds") >= 0.02
    assert waiting.take(most=2) == [0, 1]
    assert (value("queue_depth"), value("queue_items_processed_total")) == (1, 2)
    assert value("queue_oldest_item_age_seconds") >= 0.02, "of what still waits"
    assert waiting.take(most=2) == [2]
    assert value("queue_oldest_item_age_seconds") == 0


def test_a_container_without_a_limit_has_no_series_of_it(registry: CollectorRegistry, tmp_path: Path) -> None:
    (tmp_path / "memory.current").write_text("1048576\n")
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "cpu.stat").write_text("usage_usec 2500000\nuser_usec 1\n")
    ContainerResources(registry, tmp_path)
    assert registry.get_sample_value("memory_usage_bytes", {"type": "used"}) == 1048576
    assert registry.get_sample_value("memory_usage_bytes", {"type": "limit"}) is None
    assert registry.get_sample_value("cpu_usage_seconds_total") == 2.5
    (tmp_path / "memory.max").write_text("4194304\n")
    assert registry.get_sample_value("memory_usage_bytes", {"type": "limit"}) == 4194304


def test_outside_of_a_container_there_is_nothing_to_show(registry: CollectorRegistry, tmp_path: Path) -> None:
    ContainerResources(registry, tmp_path / "none")
    assert registry.get_sample_value("memory_usage_bytes", {"type": "used"}) is None
