"""Grafana: its settings, its datasources wired to each other, its dashboards and how it takes up changes."""

from __future__ import annotations

import configparser
import json
from typing import Any

import pytest

from components.spec import Service
from tests.support import ACCESS, content, data, planned, service, stack

CONFIG = "/etc/grafana/current"


def grafana(**changes: Any) -> Service:
    return service(planned(stack(**changes)), "grafana")


def settings(one: Service) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser()
    parser.read_string(content(one, "grafana.ini"))
    return {section: dict(parser[section]) for section in parser.sections()}


def sources(one: Service) -> dict[str, dict[str, Any]]:
    found = data(one, "provisioning/datasources/stack.yaml")
    assert found["prune"] is True, "a datasource that is no longer planned goes away"
    return {source["uid"]: source for source in found["datasources"]}


def test_how_it_is_run() -> None:
    one = grafana()
    assert one.image == "docker.io/grafana/grafana:13.1.4"
    assert one.user == "472:0"
    assert dict(one.env) == {
        "GF_PATHS_CONFIG": f"{CONFIG}/grafana.ini",
        "GF_PATHS_PROVISIONING": f"{CONFIG}/provisioning",
    }
    assert [(volume.name, volume.path) for volume in one.volumes] == [("grafana-data", "/var/lib/grafana")]
    assert one.probe is not None
    assert one.probe.command[-1] == "http://localhost:3000/api/health"


def test_nobody_signs_up_nothing_phones_home_and_secrets_are_read_from_files() -> None:
    found = settings(grafana())
    assert found["users"]["allow_sign_up"] == "false"
    assert found["auth.anonymous"]["enabled"] == "false"
    assert set(found["analytics"].values()) == {"false"}
    assert found["security"]["admin_password"] == f"$__file{{{CONFIG}/secrets/admin-password}}"
    assert found["security"]["secret_key"] == f"$__file{{{CONFIG}/secrets/secret-key}}"
    assert found["server"] == {"http_port": "3000", "root_url": "http://localhost:3000/"}
    assert found["security"]["cookie_secure"] == "false"


def test_root_url_user_and_plugins_are_the_stack_files() -> None:
    found = settings(
        grafana(
            grafana={
                "root_url": "https://grafana.example.com/x",
                "admin_user": "root@example.com",
                "plugins": ["a-panel@1.2.3", "b-app@2.0.0"],
            }
        )
    )
    assert found["server"]["root_url"] == "https://grafana.example.com/x/"
    assert found["security"]["admin_user"] == "root@example.com"
    assert found["plugins"]["preinstall"] == "a-panel@1.2.3,b-app@2.0.0"


@pytest.mark.parametrize(
    ("ports", "url"),
    [
        ({"grafana": 13000}, "https://localhost:13000/"),
        ({"grafana": "10.0.0.5:3000"}, "https://10.0.0.5:3000/"),
        ({"grafana": "[fd00::1]:3000"}, "https://[fd00::1]:3000/"),
        ({"grafana": None}, "https://grafana:3000/"),
    ],
)
def test_links_lead_to_where_people_reach_it(ports: dict[str, Any], url: str) -> None:
    assert settings(grafana(ports=ports, access=ACCESS))["server"]["root_url"] == url


def test_access_control_gives_it_tls_that_follows_a_rotated_certificate() -> None:
    one = grafana(access=ACCESS)
    found = settings(one)
    assert found["server"]["protocol"] == "https"
    assert found["server"]["cert_file"] == f"{CONFIG}/tls.crt"
    assert found["server"]["cert_key"] == f"{CONFIG}/tls.key"
    assert found["security"]["cookie_secure"] == "true"
    assert found["server"]["certs_watch_interval"] == "30s"
    assert one.probe is not None
    assert one.probe.command[-1] == "https://localhost:3000/api/health"
    rotated = {file.path for file in one.files if file.secrets and file.reload}
    assert "secrets/access-password" in rotated, "its datasources hold the password, so a new one needs a reload"


def test_datasources_are_linked_from_metrics_to_traces_and_back() -> None:
    found = sources(grafana())
    assert set(found) == {"prometheus", "alertmanager", "jaeger"}
    metrics, traces = found["prometheus"], found["jaeger"]
    assert metrics["isDefault"] is True
    assert metrics["url"] == "http://prometheus:9090"
    assert metrics["jsonData"]["exemplarTraceIdDestinations"] == [{"name": "trace_id", "datasourceUid": "jaeger"}]
    assert metrics["jsonData"]["alertmanagerUid"] == "alertmanager"
    assert metrics["jsonData"]["timeInterval"] == "15s"
    assert traces["url"] == "http://jaeger:16686"
    assert traces["jsonData"]["tracesToMetrics"]["datasourceUid"] == "prometheus"
    for query in traces["jsonData"]["tracesToMetrics"]["queries"]:
        assert "{$$__tags" in query["query"], "a single dollar would be an environment variable"
    assert found["alertmanager"]["jsonData"]["implementation"] == "prometheus"


def test_without_traces_nothing_links_to_them() -> None:
    found = sources(grafana(tracing={"backend": "none"}))
    assert set(found) == {"prometheus", "alertmanager"}
    assert "exemplarTraceIdDestinations" not in found["prometheus"]["jsonData"]


def test_protected_datasources_log_in_and_trust_the_stacks_authority() -> None:
    found = sources(grafana(access=ACCESS))
    for uid in ("prometheus", "alertmanager"):
        assert found[uid]["url"].startswith("https://")
        assert found[uid]["basicAuth"] is True
        assert found[uid]["basicAuthUser"] == "observatory"
        assert found[uid]["jsonData"]["tlsAuthWithCACert"] is True
        assert found[uid]["secureJsonData"] == {
            "basicAuthPassword": f"$__file{{{CONFIG}/secrets/access-password}}",
            "tlsCACert": f"$__file{{{CONFIG}/secrets/ca.crt}}",
        }
    assert "basicAuth" not in found["jaeger"], "Jaeger has no login"
    assert "secureJsonData" not in sources(grafana())["prometheus"]


def boards(one: Service) -> dict[str, str]:
    return {f.path: json.loads(f.content)["uid"] for f in one.files if f.path.startswith("dashboards/")}


def test_dashboards_stand_in_folders_and_only_where_their_products_are() -> None:
    assert boards(grafana()) == {
        "dashboards/Observatory/stack.json": "observatory-stack",
        "dashboards/Observatory/alerts.json": "alerts",
        "dashboards/Hosts/node.json": "node",
        "dashboards/Hosts/containers.json": "containers",
        "dashboards/Hosts/probes.json": "probes",
    }
    shop = {"name": "shop", "team": "web", "port": 80, "discovery": {"static": {"targets": ["a"]}}, "exposes": ["http"]}
    assert "dashboards/Services/api-overview.json" in boards(grafana(services=[shop]))
    assert "dashboards/Hosts/node.json" not in boards(grafana(exporters={"node": False}))
    assert list(boards(grafana(dashboards=["node"]))) == ["dashboards/Hosts/node.json"]
    assert boards(grafana(dashboards=[])) == {}
    (provider,) = data(grafana(), "provisioning/dashboards/stack.yaml")["providers"]
    assert provider["options"] == {"path": f"{CONFIG}/dashboards", "foldersFromFilesStructure": True}


def test_secrets_are_made_up_or_the_stack_files() -> None:
    assert planned(stack()).generated_secrets == ("grafanaAdminPassword", "grafanaSecretKey", "restartKey")
    assert content(grafana(), "secrets/admin-password") == "<secret:grafanaAdminPassword>"
    own = stack(grafana={"admin_password": {"secret": "mine"}, "admin_user": "root"})
    assert planned(own).generated_secrets == ("grafanaSecretKey", "restartKey")
    one = service(planned(own), "grafana")
    assert content(one, "secrets/admin-password") == "<secret:mine>"
    assert content(one, "secrets/netrc") == "machine localhost login root password <secret:mine>\n"


def test_what_is_provisioned_goes_live_and_settings_need_a_new_container() -> None:
    live = {file.path: file.live for file in grafana().files}
    assert [path for path, is_live in live.items() if not is_live] == ["grafana.ini", "secrets/secret-key"]
    assert grafana(dashboards=["node"]).restart_digest == grafana().restart_digest
    assert grafana(grafana={"admin_user": "root"}).restart_digest != grafana().restart_digest


def test_a_reload_names_no_secret_and_asks_for_datasources_and_dashboards() -> None:
    reload = grafana(access=ACCESS).reload
    assert reload is not None
    urls = [command[-1] for command in reload.commands]
    assert urls[1:] == [
        "https://localhost:3000/api/admin/provisioning/datasources/reload",
        "https://localhost:3000/api/admin/provisioning/dashboards/reload",
    ]
    for command in reload.commands[1:]:
        assert command[command.index("--netrc-file") + 1] == f"{CONFIG}/secrets/netrc"


def test_it_fetches_the_plugins_that_were_asked_for_and_no_others() -> None:
    chosen = settings(grafana(grafana={"plugins": ["grafana-clock-panel@2.1.8"]}))["plugins"]
    assert (chosen["preinstall"], chosen["preinstall_auto_update"]) == ("grafana-clock-panel@2.1.8", "false")
    assert settings(grafana())["plugins"]["preinstall_disabled"] == "true"
