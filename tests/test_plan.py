"""What belongs together: images, what this machine cannot have, what a change of one value changes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from components.config import StackFileError
from components.config.products import Images
from components.config.stack import DEMO, PRODUCTS
from components.config.storage import VICTORIA_CLUSTER
from components.images import load_catalogue
from components.plan import plan_stack
from components.spec import File, Service
from tests.support import ACCESS, COPIED, GENERATED, NO_SUBSTITUTES, plan_of, planned, stack

OPTIONAL = tuple(
    product
    for product in PRODUCTS
    if product not in ("prometheus", "alertmanager", "thanos", "victoria-metrics", *VICTORIA_CLUSTER, "cortex")
)


@pytest.mark.parametrize("product", OPTIONAL)
def test_a_withheld_product_leaves_no_trace_in_what_is_deployed(product: str) -> None:
    elsewhere = {"platform": "kubernetes", "kubernetes": {"context": "test"}}
    database = {"host": "db", "password": {"secret": "databasePassword"}}
    asked: dict[str, dict[str, Any]] = {
        "kube-state-metrics": elsewhere,
        "backup": {"backup": COPIED},
        "grafana-dump": {"backup": COPIED, "grafana": {"database": database}},
    }
    config = stack(**asked.get(product, {}))
    whole, less = planned(config), planned(config, without=[product])
    assert less.unavailable == (product,)
    assert [one.name for one in less.withheld] == [product]
    assert [one.name for one in less.services] == [one.name for one in whole.services if one.name != product]
    for one in less.services:
        for file in one.files:
            assert f"{product}:" not in file.content.replace(f"uid: {product}", ""), f"{one.name}/{file.path}"
            assert f"rules/{product}.yaml" != file.path
            if file.path.startswith("rules/") and product == "grafana":
                assert "dashboard_url" not in file.content, file.path


def test_a_withheld_product_is_planned_all_the_same_so_that_its_files_can_be_checked() -> None:
    whole, less = planned(stack()), planned(stack(), without=["grafana"])
    (withheld,) = less.withheld
    assert withheld.image == ""
    original = whole.service("grafana")
    assert original is not None
    assert withheld.files == original.files
    assert less.generated_secrets == ()


def test_a_product_that_is_not_asked_for_is_neither_deployed_nor_called_unavailable() -> None:
    plan = planned(stack(grafana={"enabled": False}), without=["grafana"])
    assert plan.unavailable == ()
    assert plan.withheld == ()


def test_services_start_before_those_that_read_them() -> None:
    names = [one.name for one in planned(stack()).services]
    assert names[-2:] == ["prometheus", "grafana"]


# Images


def test_images_are_the_pins_unless_the_stack_file_says_otherwise() -> None:
    pins = load_catalogue(Images(), NO_SUBSTITUTES).references
    assert set(pins) == {*PRODUCTS, *DEMO}
    assert str(pins["grafana"]).startswith("docker.io/grafana/grafana:")
    assert str(pins["prometheus"]).startswith("quay.io/prometheus/prometheus:v3.13."), (
        "the release with long-term support"
    )


def test_a_mirror_replaces_every_registry_and_an_override_wins_over_it() -> None:
    images = Images(registry="mirror.example.com:5000/hub", overrides={"jaeger": "example.com/j@sha256:" + "a" * 64})
    found = load_catalogue(images, NO_SUBSTITUTES).references
    assert found["prometheus"] == "mirror.example.com:5000/hub/prometheus/prometheus:v3.13.5"
    assert found["jaeger"] == "example.com/j@sha256:" + "a" * 64


def test_what_this_machine_has_instead_is_used_where_nothing_else_is_said(tmp_path: Path) -> None:
    local = tmp_path / "images.yaml"
    local.write_text("prometheus: local/prometheus:1\ngrafana: null\nunknown: x\n")
    found = load_catalogue(Images(overrides={"grafana": "example.com/g:1"}), local).references
    assert found["prometheus"] == "local/prometheus:1"
    assert found["grafana"] == "example.com/g:1"
    assert set(found) == {*PRODUCTS, *DEMO}
    assert load_catalogue(Images(), local).reference("grafana") is None
    mirrored = load_catalogue(Images(registry="mirror.example.com"), local).references
    assert mirrored["prometheus"] == "mirror.example.com/prometheus/prometheus:v3.13.5"


# Values, not code


def test_the_environments_name_is_the_only_difference_between_two_environments_of_equal_values() -> None:
    one, other = planned(stack(environment="aaa")), planned(stack(environment="bbb"))
    for first, second in zip(one.services, other.services, strict=True):
        renamed = [file.content.replace("aaa", "bbb") for file in first.files]
        assert renamed == [file.content for file in second.files]
        assert (first.args, first.env, first.ports) == (second.args, second.env, second.ports)


@pytest.mark.parametrize("name", GENERATED)
def test_a_plan_can_be_made_again_and_is_the_same(name: str) -> None:
    assert plan_of(name) == plan_of(name)


def test_access_control_reaches_every_product_that_can_have_it() -> None:
    plan = planned(stack(access=ACCESS))
    protected = {one.name for one in plan.services if "tls.key" in {file.path for file in one.files}}
    assert protected == {"prometheus", "alertmanager", "grafana", "node-exporter", "blackbox-exporter"}
    schemes = {
        one.name: port.scheme for one in plan.services for port in one.ports if port.published and port.name == "http"
    }
    assert set(schemes.values()) == {"https"}


# The neutral description itself


def test_secrets_of_a_file_are_found_in_order_and_replaced_by_kind() -> None:
    file = File("a", "x <secret:b> <bcrypt:a> <secret:b> <other:c> <secret:1>")
    assert file.secrets == ("b", "a")
    assert file.resolve(lambda how, name: f"{how}({name})") == "x secret(b) bcrypt(a) secret(b) <other:c> <secret:1>"


def test_the_restart_digest_follows_exactly_the_files_that_are_not_live() -> None:
    from dataclasses import replace

    base = planned(stack()).services[0]
    slow, quick = File("slow", "1", live=False), File("quick", "1")

    def digest(*files: File) -> str:
        service: Service = replace(base, files=files)
        return service.restart_digest

    assert digest(quick) == ""
    assert len(digest(slow)) == 12
    assert digest(slow) == digest(slow, quick)
    assert len({digest(slow), digest(File("slow", "2", live=False)), digest(File("slower", "1", live=False))}) == 3
    hidden = File("secret", "<secret:b> <bcrypt:a> <secret:b>", live=False)
    assert digest(hidden)[12:] == "-<mark:b>-<mark:a>", "another value is another container"
    assert digest(File("secret", "<secret:b>"), quick) == ""


def test_planning_needs_neither_pulumi_nor_a_provider() -> None:
    code = (
        "import sys; from components.plan import plan_stack_file; plan_stack_file('dev');"
        "loaded = {name.split('.')[0] for name in sys.modules} & {'pulumi', 'pulumi_docker', 'docker', 'grpc'};"
        "sys.exit(', '.join(sorted(loaded)) or 0)"
    )
    root = Path(__file__).resolve().parents[1]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_another_image_than_the_pinned_one_is_said(tmp_path: Path) -> None:
    local = tmp_path / "images.yaml"
    local.write_text("alertmanager: quay.io/prometheus/alertmanager:v0.31.1\ngrafana: null\n")
    notes = plan_stack(stack(), load_catalogue(Images(), local)).notes
    assert len(notes) == 2
    assert notes[0].startswith("alertmanager runs quay.io/prometheus/alertmanager:v0.31.1, for ")
    assert notes[1] == "grafana is left out: its image cannot be had on this machine (see `make ready`)"
    chosen = Images(overrides={"alertmanager": "example.com/am:1"})
    assert plan_stack(stack(), load_catalogue(chosen, local)).notes == notes[1:]


@pytest.mark.parametrize("product", ["prometheus", "alertmanager"])
def test_no_stack_without_its_core(product: str) -> None:
    with pytest.raises(StackFileError, match=f"{product}: its image cannot be had here"):
        planned(stack(), without=[product])
