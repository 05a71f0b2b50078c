"""Data outlives new images, removals and second thoughts; removing it needs an explicit word."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.engine import until
from tests.e2e.stack import Stack
from tests.e2e.test_failures import is_silenced, silence

DATA = ("alertmanager-data", "jaeger-data", "prometheus-data")


@pytest.fixture
def other_images(stack: Stack) -> Iterator[dict[str, str]]:
    """The image of each product with data under another name, as a new version would have."""
    images, found = stack.engine.client.images, {}
    for product in (name.removesuffix("-data") for name in DATA):
        found[product] = f"observatory-e2e/{product}:{stack.environment}"
        images.get(stack.container(product).attrs["Image"]).tag(f"observatory-e2e/{product}", tag=stack.environment)
    yield found
    stack.restore()
    for name in found.values():
        images.remove(name)


def test_another_image_keeps_the_data(stack: Stack, other_images: dict[str, str]) -> None:
    """Only the containers of these products are replaced; samples, silence and trace are what they were."""
    trace, quiet = stack.send_trace(), silence(stack)
    until(lambda: stack.has_trace(trace), "the trace in Jaeger", 180)
    at = stack.settled()
    history, before = stack.query("up[5m]", at), stack.starts()
    stack.configure(images__overrides=other_images)
    preview = stack.pulumi("preview")
    for product in other_images:
        assert f"Container {product} replace" in preview.output, preview
    stack.up(what="other images of Prometheus, Alertmanager and Jaeger")
    after = stack.starts()
    assert {name for name in before if after[name] != before[name]} == {*other_images}
    for product, image in other_images.items():
        assert stack.container(product).attrs["Config"]["Image"] == image
    assert history
    assert stack.query("up[5m]", at) == history, "samples are lost"
    assert is_silenced(stack, quiet)
    until(lambda: stack.has_trace(trace), "the trace from before", 180)
    stack.no_changes()


def test_down_and_up_again(stack: Stack) -> None:
    """`down` removes what runs; the volumes stay, and the next `up` takes them up again."""
    at, trace, quiet = stack.remember_sample(), stack.send_trace(), silence(stack)
    until(lambda: stack.has_trace(trace), "the trace in Jaeger", 180)
    outcome = stack.project.run("./observatory", "down", str(stack.file))
    stack.dirty = True
    assert outcome.code == 0, outcome
    assert not stack.engine.containers(stack.environment)
    prefix = f"observatory-{stack.environment}-"
    assert stack.engine.volumes(stack.environment) == [f"{prefix}{name}" for name in DATA]
    stack.up(what="up again after down")
    assert stack.has_sample(at)
    assert is_silenced(stack, quiet)
    until(lambda: stack.has_trace(trace), "the trace from before", 180)
    stack.no_changes()


def test_destroy_refuses_while_there_is_data(stack: Stack) -> None:
    """Neither Pulumi's destroy nor ours removes anything, and both say why."""
    before = stack.starts()
    outcome = stack.pulumi("destroy", "--yes")
    assert outcome.code != 0, outcome
    assert "protected" in outcome.output, outcome
    ours = stack.project.run("./observatory", "destroy", str(stack.file))
    assert ours.code != 0, ours
    assert "has data, and it would be lost" in ours.output, ours
    assert "--delete-data" in ours.output, ours
    assert stack.starts() == before
    stack.no_changes()


def test_a_product_with_data_is_not_removed_by_a_change(stack: Stack) -> None:
    """Without tracing Jaeger goes, its traces do not: the preview refuses and names the way on."""
    trace = stack.send_trace()
    until(lambda: stack.has_trace(trace), "the trace in Jaeger", 180)
    stack.configure(tracing__backend="none")
    preview = stack.pulumi("preview")
    assert preview.code != 0, preview
    assert "because it is protected" in preview.output, preview
    urn = next(r["urn"] for r in stack.exported_resources() if r["urn"].endswith("::jaeger-data"))
    assert f"pulumi state unprotect '{urn}'" in preview.output, preview
    assert "jaeger" in stack.engine.containers(stack.environment)

    assert stack.pulumi("state", "unprotect", urn, "--yes").code == 0
    stack.up()
    assert "jaeger" not in stack.engine.containers(stack.environment)
    assert f"observatory-{stack.environment}-jaeger-data" in stack.engine.volumes(stack.environment)

    stack.configure()
    stack.up()
    until(lambda: stack.has_trace(trace), "the trace from before", 180)


def test_destroy_with_data_removes_everything(stack: Stack) -> None:
    """With the explicit word nothing is left on the engine."""
    outcome = stack.project.run("./observatory", "destroy", str(stack.file), "--delete-data", "--yes")
    stack.dirty = True
    assert outcome.code == 0, outcome
    assert not stack.engine.containers(stack.environment)
    assert not stack.engine.volumes(stack.environment)
    stack.up(what="up from nothing, a second time")
    stack.no_changes()
