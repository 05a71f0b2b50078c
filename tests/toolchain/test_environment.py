"""The environment of commands: own programs first, the user's settings kept, the passphrase private."""

import shlex
import stat
import subprocess
from pathlib import Path

import pytest

from toolchain import environment, pins, pulumi_home
from toolchain.machine import ROOT, VENV, ToolchainError


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Path]:
    """Programs as a build leaves them in the cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    found = {}
    for name in ("pulumi", "pulumi-resource-docker", "promtool"):
        file = tmp_path / "cache" / "observatory" / "programs" / name / "1" / "bin" / name
        file.parent.mkdir(parents=True)
        file.write_text("#!/bin/sh\n")
        file.chmod(0o755)
        found[name] = file
    return found


@pytest.fixture(autouse=True)
def stacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stack files of the test's own: this clone's may be encrypted."""
    folder = tmp_path / "stacks"
    folder.mkdir()
    monkeypatch.setattr(environment, "STACKS", folder)
    return folder


def test_all_is_set_for_a_user_who_set_nothing(programs: dict[str, Path], tmp_path: Path) -> None:
    values = environment.variables({"PATH": "/usr/bin:/bin"}, programs, state=tmp_path)
    folders = values["PATH"].split(":")
    assert folders == [
        str(VENV / "bin"),
        str(programs["pulumi"].parent),
        str(programs["promtool"].parent),
        "/usr/bin",
        "/bin",
    ]
    assert values["PULUMI_HOME"] == str(tmp_path / "pulumi")
    assert values["PULUMI_BACKEND_URL"] == f"file://{tmp_path}/state?metadata=skip"
    assert (tmp_path / "state").is_dir()
    assert values["PULUMI_SKIP_UPDATE_CHECK"] == values["PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION"] == "true"
    assert "DOCKER_HOST" not in values


def test_the_passphrase_is_made_once_and_private(tmp_path: Path) -> None:
    file = environment.passphrase_file(tmp_path)
    first = file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert len(first.strip()) >= 32
    assert environment.passphrase_file(tmp_path).read_text() == first


@pytest.mark.parametrize("content", [b"", b" \n", b"\x00" * 44])
def test_a_passphrase_that_a_power_cut_emptied_is_refused(tmp_path: Path, content: bytes) -> None:
    """Pulumi would take it for one, and encrypt by it what everybody can read then."""
    file = environment.passphrase_file(tmp_path)
    file.write_bytes(content)
    with pytest.raises(ToolchainError) as caught:
        environment.passphrase_file(tmp_path)
    text = str(caught.value)
    assert text.startswith(f"{file} is empty")
    assert all(words in text for words in ("put the passphrase back", "`encryptionsalt`", "delete the file"))
    assert "\n" not in text
    assert file.read_bytes() == content


def test_a_stack_file_that_was_encrypted_elsewhere_gets_no_new_passphrase(tmp_path: Path, stacks: Path) -> None:
    (stacks / "Pulumi.team.yaml").write_text("config: {}\nencryptionsalt: v1:abc\n")
    with pytest.raises(ToolchainError, match=r"stacks/Pulumi\.team\.yaml is encrypted with a passphrase"):
        environment.passphrase_file(tmp_path / "state")
    assert not (tmp_path / "state" / "passphrase").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PULUMI_BACKEND_URL", "s3://bucket"),
        ("PULUMI_CONFIG_PASSPHRASE_FILE", "/their/file"),
        ("PULUMI_CONFIG_PASSPHRASE", ""),
        ("DOCKER_HOST", "tcp://10.0.0.1:2375"),
    ],
)
def test_what_the_user_set_is_kept(name: str, value: str, tmp_path: Path) -> None:
    values = environment.variables({"PATH": "/bin", name: value}, {}, "unix:///other.sock", tmp_path)
    assert name not in values
    if "PASSPHRASE" in name:
        assert "PULUMI_CONFIG_PASSPHRASE_FILE" not in values
        assert not (tmp_path / "passphrase").exists()


def test_the_engine_of_a_docker_context_is_passed_on(tmp_path: Path) -> None:
    values = environment.variables({"PATH": "/bin"}, {}, "unix:///other.sock", tmp_path)
    assert values["DOCKER_HOST"] == "unix:///other.sock"


def test_plugins_are_where_pulumi_looks_first(programs: dict[str, Path], tmp_path: Path) -> None:
    environment.variables({"PATH": "/bin"}, programs, state=tmp_path)
    values = environment.variables({"PATH": "/bin"}, programs, state=tmp_path)
    version = pins.requirement("pulumi-docker")
    plugin = tmp_path / "pulumi" / "plugins" / f"resource-docker-v{version}" / "pulumi-resource-docker"
    assert plugin.resolve() == programs["pulumi-resource-docker"].resolve()
    for name in pulumi_home.BUNDLED:
        assert (programs["pulumi"].parent / name).stat().st_mode & 0o111
    assert values[pulumi_home.VARIABLE] == str(ROOT / "toolchain")


def test_the_official_language_host_is_left_alone(programs: dict[str, Path], tmp_path: Path) -> None:
    host = programs["pulumi"].parent / pulumi_home.BUNDLED[0]
    host.write_text("official")
    host.chmod(0o755)
    environment.variables({"PATH": "/bin"}, programs, state=tmp_path)
    assert host.read_text() == "official"


def test_a_pulumi_of_the_machine_is_not_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    pulumi = tmp_path / "usr" / "pulumi"
    pulumi.parent.mkdir()
    pulumi.write_text("")
    values = environment.variables({"PATH": str(pulumi.parent)}, {"pulumi": pulumi}, state=tmp_path)
    assert values["PATH"].split(":") == [str(VENV / "bin"), str(ROOT / "toolchain" / "bin"), str(pulumi.parent)]
    assert [path.name for path in pulumi.parent.iterdir()] == ["pulumi"]


def test_export_lines_survive_a_shell() -> None:
    text = environment.export_lines({"A": "x y'z", "B": "$HOME"})
    done = subprocess.run(["sh", "-c", f'{text}\nprintf %s "$A$B"'], capture_output=True, text=True, check=True)
    assert done.stdout == "x y'z$HOME"
    assert shlex.split(text) == ["export", "A=x y'z", "export", "B=$HOME"]
