"""The benchmarks of a bucket and of replicas: what is run is what is planned, and what is counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import history, replicas
from components.config import StackFileError, parse_stack
from components.spec import SECRET_TOKEN
from tests.support import planned, stack


def test_a_program_has_its_planned_files_and_arguments_here(tmp_path: Path) -> None:
    services = {each.name: each for each in planned(stack(storage=history.in_bucket("http://127.0.0.1:9"))).services}
    arguments = history.laid_out(services["thanos-store"], tmp_path, {"0.0.0.0:10902": "127.0.0.1:1"})
    assert len(arguments) == len(services["thanos-store"].args)
    assert "--http-address=127.0.0.1:1" in arguments
    assert f"--data-dir={tmp_path}/data" in arguments
    assert not [each for each in arguments if "/etc/thanos" in each or "/var/thanos" in each]
    named = [each.partition("=")[2] for each in arguments if each.partition("=")[2].startswith(f"{tmp_path}/")]
    assert all(Path(each).is_file() for each in named if each != f"{tmp_path}/data")
    bucket = (tmp_path / "bucket.yml").read_text()
    assert not SECRET_TOKEN.search(bucket)
    assert all(value in bucket for value in history.KEYS.values())


def test_replicas_need_the_bucket_that_the_benchmark_gives_them() -> None:
    asked = {"environment": "bench", "high_availability": {**replicas.COUNTS, "one_host": True}}
    found = planned(parse_stack({**asked, "storage": history.in_bucket("http://127.0.0.1:9")}, "stacks/Pulumi.x.yaml"))
    assert {name: len(found.replicas(name)) for name in replicas.COUNTS} == replicas.COUNTS
    with pytest.raises(StackFileError):
        parse_stack(asked, "stacks/Pulumi.x.yaml")


@pytest.mark.parametrize(
    ("name", "product"),
    [("prometheus-2", "prometheus"), ("thanos-sidecar", "thanos-sidecar"), ("thanos-sidecar-2", "thanos-sidecar")],
)
def test_replicas_count_for_their_product(name: str, product: str) -> None:
    assert replicas.group(name) == product
