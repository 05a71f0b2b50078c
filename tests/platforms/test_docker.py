"""A plan on Docker: which resources there are, how they hang together, and what the engine gets to see."""

from __future__ import annotations

import copy
import re
from dataclasses import fields, replace
from functools import cache
from typing import Any

import pytest

from components.config import StackConfig, StackFileError, load_stack_file, parse_stack
from components.platforms.docker import _cores, _duration
from components.secrets import bcrypt_hash, mark
from components.spec import File, HostMount, Plan, PlatformApi, Port, Probe, Reload, Resources, Service, Volume
from tests.platforms.recording import FILE, GENERATED, Deployment, Registered, deploy, exposed, secret_values, unwrapped
from tests.support import ACCESS, EVERYTHING, planned, stack

EVERYTHING_CONFIG = parse_stack(copy.deepcopy(EVERYTHING), FILE)


@cache
def everything() -> Deployment:
    """The stack that uses every feature."""
    return deploy(EVERYTHING_CONFIG)


@cache
def dev() -> Deployment:
    """The stack of a developer's machine."""
    return deploy(load_stack_file("dev"))


def below(deployment: Deployment, name: str) -> list[Registered]:
    (component,) = (each for each in deployment.resources if each.name == name and not each.custom)
    return [each for each in deployment.resources if each.parent == component.urn]


# The tree


def test_the_stack_is_one_component_with_one_for_each_service_typed_by_its_product() -> None:
    deployment = everything()
    (root,) = deployment.of("observatory:index:MonitoringStack")
    assert root.name == "observatory-everything"
    found = {each.type: each.name for each in deployment.resources if each.parent == root.urn and not each.custom}
    assert found == {
        "observatory:service:NodeExporter": "node-exporter",
        "observatory:service:BlackboxExporter": "blackbox-exporter",
        "observatory:service:Cadvisor": "cadvisor",
        "observatory:service:Jaeger": "jaeger",
        "observatory:service:Alertmanager": "alertmanager",
        "observatory:service:Prometheus": "prometheus",
        "observatory:service:Grafana": "grafana",
    }


def test_every_resource_stands_below_its_services_component() -> None:
    deployment = everything()
    components = {each.urn: each for each in deployment.resources if not each.custom}
    for each in deployment.resources:
        if each.custom and each.type.startswith("docker:"):
            service = components[each.parent].name
            assert each.name == service or each.name.startswith(f"{service}-")
    types = {each.type.rpartition(":")[2] for each in below(deployment, "prometheus")}
    assert types == {"Volume", "Configuration", "Container", "Started"}
    assert {each.type.rpartition(":")[2] for each in below(deployment, "cadvisor")} == {"Container", "Started"}


def test_every_docker_resource_uses_the_stacks_own_engine() -> None:
    deployment = everything()
    engine = deployment.one("pulumi:providers:docker", "engine")
    assert engine.values == {"host": "tcp://engine.example.com:2375"}
    for each in deployment.resources:
        if each.type.startswith("docker:"):
            assert each.provider.startswith(f"{engine.urn}::"), each.name
    for each in (*deployment.of("Configuration"), *deployment.of("Started")):
        assert each.values["host"] == "tcp://engine.example.com:2375"
    assert "host" not in dev().one("pulumi:providers:docker", "engine").values


def test_the_network_is_the_stacks_own_and_every_service_has_its_name_in_it() -> None:
    deployment = everything()
    (network,) = deployment.of("Network")
    assert network.values["name"] == "observatory-everything"
    assert network.values["subnet"] == "172.30.0.0/24"
    assert dev().of("Network")[0].values["subnet"] == ""
    for container in deployment.of("Container"):
        assert container.values["networksAdvanced"] == [{"name": "observatory-everything", "aliases": [container.name]}]
        assert network.urn in container.dependencies


# Data


def test_volumes_are_protected_kept_and_never_replaced_for_a_label() -> None:
    volumes = everything().of("Volume")
    assert {each.name for each in volumes} == {"prometheus-data", "alertmanager-data", "grafana-data", "jaeger-data"}
    for each in volumes:
        assert each.protect
        assert each.retain_on_delete
        assert {"labels", "driverOpts"} <= set(each.ignore_changes)
        assert each.values["name"] == f"observatory-everything-{each.name}"


def test_data_that_need_not_be_kept_is_neither_protected_nor_kept() -> None:
    for each in deploy(stack(data={"keep": False})).of("Volume"):
        assert not each.protect
        assert not each.retain_on_delete


def test_volumes_and_what_their_content_is_encrypted_with_are_protected_and_kept_and_nothing_else() -> None:
    for each in everything().resources:
        lasting = each.type.rpartition(":")[2] in ("Volume", "GeneratedSecret")
        assert each.protect == lasting, each.name
        assert each.retain_on_delete == lasting, each.name


def test_containers_get_their_data_and_their_configuration_read_only() -> None:
    assert everything().container("prometheus")["volumes"] == [
        {"volumeName": "observatory-everything-prometheus-data", "containerPath": "/prometheus"},
        {
            "volumeName": "observatory-everything-prometheus-config",
            "containerPath": "/etc/prometheus",
            "readOnly": True,
        },
    ]
    assert "volumes" not in everything().container("cadvisor")


# The order


def test_a_container_is_removed_before_its_successor_and_waits_for_its_configuration() -> None:
    deployment = everything()
    for container in deployment.of("Container"):
        assert container.delete_before_replace
        assert {"healthcheck", "tmpfs", "#initerror"} <= set(container.replace_on_changes)
        siblings = below(deployment, container.name)
        needed = {s.urn for s in siblings if s.type.rpartition(":")[2] in ("Volume", "Configuration")}
        assert needed <= container.dependencies, container.name
    for started in deployment.of("Started"):
        assert deployment.one("Container", started.name).urn in started.dependencies


def test_configuration_waits_for_the_volumes_that_it_hands_to_the_services_user() -> None:
    deployment = everything()
    configuration = deployment.one("Configuration", "prometheus")
    assert configuration.dependencies == {deployment.one("Volume", "prometheus-data").urn}
    assert configuration.values["data_volumes"] == ["observatory-everything-prometheus-data"]
    assert configuration.values["user"] == "65534:65534"


def test_a_new_container_has_to_prove_itself() -> None:
    started = everything().one("Started", "prometheus").values
    assert started["container"] == "observatory-everything-prometheus"
    assert started["container_id"] == "prometheus-id"
    assert started["probe"][:3] == ["promtool", "check", "healthy"]


# What is open


def test_only_planned_ports_are_published_and_only_on_planned_addresses() -> None:
    deployment = everything()
    published = {
        (each.name, port["internal"]): f"{port['ip']} {port['external']:.0f}"
        for each in deployment.of("Container")
        for port in each.values.get("ports", [])
    }
    assert published == {
        ("prometheus", 9090): "0.0.0.0 19090",
        ("alertmanager", 9093): "::1 19093",
        ("grafana", 3000): "10.0.0.5 13000",
        ("jaeger", 16686): "127.0.0.1 16686",
        ("jaeger", 4317): "127.0.0.1 4317",
        ("jaeger", 4318): "127.0.0.1 4318",
        ("jaeger", 9411): "127.0.0.1 9411",
    }


def test_urls_are_as_people_reach_them() -> None:
    assert everything().outputs["urls"] == {
        "prometheus": "https://localhost:19090",
        "alertmanager": "https://localhost:19093",
        "grafana": "https://10.0.0.5:13000",
        "jaeger": "http://localhost:16686",
        "jaeger-otlp-grpc": "http://localhost:4317",
        "jaeger-otlp-http": "http://localhost:4318",
        "jaeger-zipkin": "http://localhost:9411",
    }
    six = deploy(stack(access=ACCESS, ports={"prometheus": "[fd00::5]:9090"}, exporters=NO_EXPORTERS, grafana=OFF))
    assert six.outputs["urls"]["prometheus"] == "https://[fd00::5]:9090"


def test_containers_cannot_gain_rights_and_are_bounded() -> None:
    for each in everything().of("Container"):
        values = each.values
        assert values["readOnly"] is True
        assert "privileged" not in values
        assert values["capabilities"]["drops"] == ["ALL"]
        assert all(re.fullmatch("CAP_[A-Z_]+", added) for added in values["capabilities"].get("adds", []))
        assert "no-new-privileges:true" in values["securityOpts"]
        assert values["memory"] >= 16
        assert values["logOpts"] == {"max-size": "10m", "max-file": "3"}
        assert values["restart"] == "unless-stopped"
        assert all(mount["readOnly"] for mount in values.get("mounts", []))
    assert everything().container("blackbox-exporter")["capabilities"]["adds"] == ["CAP_NET_RAW"]
    assert "adds" not in dev().container("blackbox-exporter")["capabilities"]


# Secrets


def test_no_secret_value_stands_outside_of_what_the_state_encrypts() -> None:
    deployment = everything()
    values = secret_values(deployment.plan)
    assert len(values) == 13
    for each in deployment.resources:
        for path, text in exposed(each.inputs, each.name):
            assert "value-of-" not in text, f"{path} shows a secret"
            assert "$2b$" not in text, f"{path} shows a hash of a password"
    hidden = str([each.values for each in deployment.resources])
    assert [name for name, value in values.items() if value not in hidden] == [], "every secret reaches its file"


def test_secret_files_are_secret_as_inputs_and_as_outputs() -> None:
    for each in everything().of("Configuration"):
        assert "secret_files" in each.additional_secret_outputs
        assert "secret_files" not in [path for path, _ in exposed(each.inputs)]
        assert each.inputs["secret_files"] != unwrapped(each.inputs["secret_files"])


def test_no_placeholder_is_left_in_what_is_deployed() -> None:
    for each in everything().resources:
        for path, text in exposed(each.values, each.name):
            assert not re.search("<(secret|bcrypt):", text), path


def test_plain_files_are_shown_so_that_a_preview_can_show_their_difference() -> None:
    configuration = everything().one("Configuration", "prometheus")
    assert configuration.inputs["files"]["prometheus.yml"].startswith("global:")
    assert set(configuration.values["files"]) & set(configuration.values["secret_files"]) == set()
    assert configuration.values["secret_files"]["secrets/access-password"] == "value-of-accessPassword"


def test_all_missing_secrets_are_one_error_that_says_how_to_set_them() -> None:
    with pytest.raises(StackFileError) as caught:
        deploy(EVERYTHING_CONFIG, secrets={"slackUrl": "https://hooks.example.com"})
    names = {problem.key.removeprefix("observatory:") for problem in caught.value.problems}
    assert names == set(secret_values(planned(EVERYTHING_CONFIG))) - {"slackUrl"}
    text = str(caught.value)
    assert text.startswith(f"{FILE}: 12 problems\n")
    assert "hint: pulumi config set --secret observatory:onCallUrl\n" in text
    assert "observatory:tlsKey, or for the stack's own certificates: ./observatory certs everything" in text


def test_a_secret_in_plain_text_is_refused_and_not_repeated() -> None:
    secrets = secret_values(planned(EVERYTHING_CONFIG))
    del secrets["slackUrl"]
    with pytest.raises(StackFileError) as caught:
        deploy(EVERYTHING_CONFIG, secrets=secrets, in_plain_text={"slackUrl": "https://hooks.example.com/hunter2"})
    (problem,) = caught.value.problems
    assert problem.key == "observatory:slackUrl"
    assert problem.message == "stands in the stack file in plain text"
    assert "hunter2" not in str(caught.value)


OFF = {"enabled": False}
NO_EXPORTERS = {"node": False, "blackbox": False, "cadvisor": False}


def made_up(deployment: Deployment) -> list[str]:
    return [each.name for each in deployment.of("GeneratedSecret")]


def test_secrets_are_made_up_only_where_they_are_needed_and_missing() -> None:
    assert made_up(dev()) == ["grafanaAdminPassword", "grafanaSecretKey", "restartKey"]
    for each in dev().of("GeneratedSecret"):
        assert each.additional_secret_outputs == ("value",)
    assert made_up(deploy(stack(grafana=OFF))) == []
    assert made_up(deploy(stack(), without=["grafana"])) == []
    own = stack(grafana={"admin_password": {"secret": "myPassword"}})
    assert made_up(deploy(own)) == ["grafanaSecretKey", "restartKey"]
    ours = {"grafanaSecretKey": "k", "grafanaAdminPassword": "p"}
    assert made_up(deploy(stack(), secrets=ours)) == ["restartKey"]


def test_a_bcrypt_hash_is_stable_verifiable_and_differs_by_password_and_purpose() -> None:
    import bcrypt

    first = bcrypt_hash("correct horse", "access")
    bcrypt_hash.cache_clear()
    assert first == bcrypt_hash("correct horse", "access")
    assert first == "$2b$10$e9WoJuRlGTTDcJ9SA.RITOr12G8VfMxj3W5X1JY9ZbJipEKzC8.O6", (
        "another salt is a change on every stack"
    )
    assert len(first) == 60
    assert bcrypt.checkpw(b"correct horse", first.encode())
    assert not bcrypt.checkpw(b"correct hors", first.encode())
    salts = {bcrypt_hash(*pair)[7:29] for pair in (("a", "x"), ("a", "y"), ("b", "x"), ("ax", ""), ("", "ax"))}
    assert len(salts) == 5
    long = "ü" * 36  # 72 bytes, the most that bcrypt takes
    assert bcrypt.checkpw(long.encode(), bcrypt_hash(long, "access").encode())


# Spellings that avoid differences for ever


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "5s"), (59, "59s"), (60, "1m0s"), (90, "1m30s"), (120, "2m0s"), (3599, "59m59s")]
)
def test_durations_are_spelled_as_the_engine_writes_them_back(seconds: int, text: str) -> None:
    assert _duration(seconds) == text


@pytest.mark.parametrize(
    ("cores", "text"),
    [
        (0.25, "0.25"),
        (0.5, "0.5"),
        (1, "1.0"),
        (1.5, "1.5"),
        (2.0, "2.0"),
        (10, "10."),
        (16, "16.0"),
        (20, "20."),
        (0.06, "0.1"),
    ],
)
def test_cores_are_spelled_as_the_provider_writes_them_back(cores: float, text: str) -> None:
    assert _cores(cores) == text


def test_memory_forbids_swap_and_ports_are_in_order() -> None:
    for each in everything().of("Container"):
        assert each.values["memorySwap"] == each.values["memory"]
        internal = [port["internal"] for port in each.values.get("ports", [])]
        assert internal == sorted(set(internal))


def test_restart_digest_is_a_label_and_changes_with_what_only_a_new_container_takes_up() -> None:
    def labels(config: StackConfig) -> dict[str, str]:
        return {label["label"]: label["value"] for label in deploy(config).container("jaeger")["labels"]}

    only_jaeger = {"grafana": OFF, "exporters": NO_EXPORTERS}
    before = labels(stack(**only_jaeger))
    assert before["observatory.environment"] == "test"
    assert before["observatory.service"] == "jaeger"
    assert before["observatory.config-digest"] == planned(stack()).service("jaeger").restart_digest  # type: ignore[union-attr]
    assert labels(stack(**only_jaeger, scrape={"interval": "20s"})) == before
    after = labels(stack(**only_jaeger, tracing={"retention": "1d"}))
    assert after.pop("observatory.config-digest") != before.pop("observatory.config-digest")
    assert after == before


def test_a_rotated_secret_replaces_exactly_the_containers_that_took_it_up_at_their_start() -> None:
    """By a label that everybody may see, and that tells nobody what the secret is."""
    database = {"host": "db", "password": {"secret": "databasePassword"}}
    config = stack(
        grafana={"database": database, "admin_password": {"secret": "adminPassword"}}, exporters=NO_EXPORTERS
    )
    first = {"databasePassword": "one", "adminPassword": "one"}

    def digests(**changed: str) -> dict[str, str]:
        found = {}
        for each in deploy(config, secrets=first | changed).of("Container"):
            exposed_labels = dict(exposed(each.inputs["labels"]))
            assert exposed_labels, "not hidden as a secret"
            digest = [label["value"] for label in each.values["labels"] if label["label"].endswith("digest")]
            found[each.name] = "".join(digest)
        return found

    before = digests()
    assert digests() == before
    assert digests(adminPassword="two") == before, "that file is live"
    after = digests(databasePassword="two")
    assert {name for name in before if after[name] != before[name]} == {"grafana"}
    marks = before["grafana"].split("-")[1:]
    assert marks == [mark(GENERATED, "grafanaSecretKey", GENERATED), mark("one", "databasePassword", GENERATED)]
    assert mark("one", "databasePassword", "another key") not in marks, "nobody else can make it"


def test_labels_without_a_value_are_left_out() -> None:
    names = [label["label"] for label in everything().container("cadvisor")["labels"]]
    assert names == ["observatory.environment", "observatory.service"]


# What this machine cannot have


def test_an_unavailable_product_only_warns() -> None:
    deployment = deploy(stack(), without=["grafana", "cadvisor"])
    assert [w.split(" is left out")[0] for w in deployment.warnings] == ["cadvisor", "grafana"]
    assert {each.name for each in deployment.of("Container")} == {
        "node-exporter",
        "blackbox-exporter",
        "jaeger",
        "alertmanager",
        "prometheus",
    }
    assert dev().warnings == []


# Every field of the neutral description counts

PLAIN = Service(
    name="thing",
    product="Thing",
    image="example.com/thing:1.0",
    user="1000:1000",
    resources=Resources(64, 0.5),
    args=("--a",),
    env=(("A", "1"),),
    config_folder="/etc/thing",
    files=(File("a.yml", "a"), File("b.yml", "b", live=False), File("c", "<secret:token>", reload=False)),
    ports=(Port("http", 80, 8080, "127.0.0.1"),),
    volumes=(Volume("thing-data", "/data"),),
    host_mounts=(HostMount("/a", "/b"),),
    scratch=("/tmp",),
    probe=Probe(("check",)),
    reload=Reload("SIGHUP", "yes", "no"),
)
OTHERS: dict[str, dict[str, Any]] = {
    "name": {"name": "other"},
    "product": {"product": "Other"},
    "image": {"image": "example.com/thing:1.1"},
    "user": {"user": "1000:1001"},
    "resources": {"memory": Resources(65, 0.5), "cpus": Resources(64, 0.6)},
    "args": {"args": ("--b",)},
    "env": {"env": (("A", "2"),)},
    "config_folder": {"config_folder": "/etc/other"},
    "files": {
        "content": (File("a.yml", "A"), *PLAIN.files[1:]),
        "path": (File("A.yml", "a"), *PLAIN.files[1:]),
        "live": (File("a.yml", "a", live=False), *PLAIN.files[1:]),
        "reload": (File("a.yml", "a", reload=False), *PLAIN.files[1:]),
        "secret": (*PLAIN.files[:2], File("c", "<bcrypt:token>", reload=False)),
        "none": (),
    },
    "ports": {
        "number": (Port("http", 81, 8080),),
        "published": (Port("http", 80, 8081),),
        "unpublished": (Port("http", 80),),
        "address": (Port("http", 80, 8080, "0.0.0.0"),),
        "scheme": (Port("http", 80, 8080, scheme="https"),),
        "name": (Port("admin", 80, 8080),),
        "protocols": (Port("http", 80, 8080, protocols=("tcp", "udp")),),
    },
    "volumes": {"name": (Volume("thing-more", "/data"),), "path": (Volume("thing-data", "/else"),), "none": ()},
    "host_mounts": {"source": (HostMount("/c", "/b"),), "path": (HostMount("/a", "/c"),)},
    "scratch": {"scratch": ("/run",)},
    "probe": {
        "command": Probe(("other",)),
        "interval": Probe(("check",), interval=31),
        "timeout": Probe(("check",), timeout=6),
        "retries": Probe(("check",), retries=4),
        "start_period": Probe(("check",), start_period=31),
        "none": None,
    },
    "reload": {
        "signal": Reload("SIGUSR1", "yes", "no"),
        "loaded": Reload("SIGHUP", "yes!", "no"),
        "rejected": Reload("SIGHUP", "yes", "no!"),
        "commands": Reload(commands=(("a",),)),
        "none": None,
    },
    "capabilities": {"capabilities": ("NET_RAW",)},
    "group_name": {"group_name": "things"},
    "entry_name": {"entry_name": "things-any"},
    "stop_grace": {"stop_grace": 31},
    "entrypoint": {"entrypoint": ("sh", "script")},
}
NOT_ITS_BUSINESS = {"metrics", "prepares", "per_node", "calls", "api", "replica_of", "shares", "beside"}
"""What Prometheus' configuration honours; what holds by itself on one machine with one network; what is refused; what
says in which order replicas are touched (test_replicas.py); what needs a second service (below)."""


def seen(service: Service) -> tuple[Any, ...]:
    """Everything that the engine and the outputs show of one service."""
    deployment = deploy(stack(), plan=Plan("test", (service,)), secrets={"token": "value-of-token"})
    inputs = [(each.type, each.name, each.values) for each in deployment.resources]
    return sorted(inputs, key=str), deployment.outputs


@cache
def plain_seen() -> tuple[Any, ...]:
    return seen(PLAIN)


FIELDS = [field.name for field in fields(Service) if field.name not in NOT_ITS_BUSINESS]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param(field, value, id=f"{field}-{case}")
        for field in FIELDS
        for case, value in (OTHERS.get(field) or {"": not getattr(PLAIN, field)}).items()
    ],
)
def test_no_field_of_a_service_is_dropped(name: str, value: Any) -> None:
    assert seen(replace(PLAIN, **{name: value})) != plain_seen()


def test_a_program_that_runs_before_others_is_refused() -> None:
    with pytest.raises(ValueError, match="thing asks to run before others are started"):
        seen(replace(PLAIN, prepares=("take",)))


def test_the_api_of_a_platform_that_has_none_is_refused() -> None:
    with pytest.raises(ValueError, match="thing asks for the platform's API"):
        seen(replace(PLAIN, api=PlatformApi(("shop",))))


def test_a_health_check_from_outside_is_refused() -> None:
    with pytest.raises(ValueError, match="thing asks for a health check from outside"):
        seen(replace(PLAIN, probe=Probe(port=8080)))


def test_a_shared_volume_is_that_of_the_service_before_and_waited_for() -> None:
    owner = replace(PLAIN, volumes=(Volume("owned", "/data"),))
    guest = replace(PLAIN, name="guest", volumes=(), ports=(), shares=(Volume("owned", "/elsewhere"),))
    found = deploy(stack(), plan=Plan("test", (owner, guest)), secrets={"token": "value-of-token"})
    volumes = [each for each in found.resources if each.type == "docker:index/volume:Volume" and each.name == "owned"]
    assert len(volumes) == 1, "a second resource for it would remove it with the guest"
    container = next(
        each for each in found.resources if each.type == "docker:index/container:Container" and each.name == "guest"
    )
    mounts = {mount["containerPath"]: mount["volumeName"] for mount in container.values["volumes"]}
    assert mounts["/elsewhere"] == "observatory-test-owned"
    assert volumes[0].urn in container.dependencies


def test_a_writable_path_of_the_host_is_mounted_so() -> None:
    found = seen(replace(PLAIN, host_mounts=(HostMount("/srv/copies", "/repository", writable=True),)))
    assert "'readOnly': False" in str(found) or "'read_only': False" in str(found)


def test_a_service_without_files_gets_its_data_volumes_for_its_user_all_the_same() -> None:
    bare = replace(PLAIN, files=(), reload=None)
    deployment = deploy(stack(), plan=Plan("test", (bare,)), secrets={})
    (owner,) = (each.values for each in deployment.resources if "data_volumes" in each.values)
    assert (owner["data_volumes"], owner["user"]) == (["observatory-test-thing-data"], PLAIN.user)
    (container,) = deployment.of("docker:index/container:Container")
    assert [volume["containerPath"] for volume in container.values["volumes"]] == ["/data"]


def test_what_runs_beside_a_service_sees_its_data_and_makes_none_of_its_own() -> None:
    beside = replace(PLAIN, name="watcher", beside="thing", volumes=(), ports=(), reload=None)
    deployment = deploy(stack(), plan=Plan("test", (PLAIN, beside)), secrets={"token": "value-of-token"})
    mounted = {
        each.name: {(volume["volumeName"], volume["containerPath"]) for volume in each.values["volumes"]}
        for each in deployment.of("docker:index/container:Container")
    }
    data = ("observatory-test-thing-data", "/data")
    assert mounted["watcher"] == {data, ("observatory-test-watcher-config", "/etc/thing")}
    assert data in mounted["thing"]
    assert [each.name for each in deployment.of("docker:index/volume:Volume")] == ["thing-data"]
    with pytest.raises(ValueError, match="watcher runs beside thing, which has to be planned before it"):
        deploy(stack(), plan=Plan("test", (beside, PLAIN)), secrets={"token": "value-of-token"})


def test_the_same_service_gives_the_same_resources() -> None:
    assert seen(PLAIN) == plain_seen()
