"""Certificates are accepted by a real TLS handshake for each of their names, and by nobody else's authority."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import verification

from components.yaml_text import dump, load
from operations.certificates import Certificates, make_certificates
from operations.certs import (
    certificate_names,
    certs_command,
    required_access,
    store,
    values,
    write_files,
)
from operations.errors import CommandError, UsageError
from operations.pulumi_cli import Pulumi
from tests.support import ACCESS, planned, stack

NOW = datetime.now(UTC).replace(microsecond=0)
NAMES = ["prometheus", "localhost", "127.0.0.1", "::1"]


@pytest.fixture(scope="module")
def made() -> Certificates:
    """One authority and one certificate."""
    return make_certificates("test", NAMES, 30, NOW)


def test_what_the_certificates_say(made: Certificates) -> None:
    authority = x509.load_pem_x509_certificate(made.ca.encode())
    certificate = x509.load_pem_x509_certificate(made.certificate.encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["prometheus", "localhost"]
    assert names.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address(name) for name in NAMES[2:]]
    assert certificate.not_valid_after_utc == made.expires == NOW + timedelta(days=30)
    assert certificate.not_valid_before_utc == NOW - timedelta(minutes=5)
    assert authority.extensions.get_extension_for_class(x509.BasicConstraints).value == x509.BasicConstraints(True, 0)
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert key.curve.name == "secp256r1"


def test_it_is_a_client_s_as_well(made: Certificates) -> None:
    """The components of Thanos show it to each other, and ask for it."""
    authority, certificate = (x509.load_pem_x509_certificate(pem.encode()) for pem in (made.ca, made.certificate))
    builder = verification.PolicyBuilder().store(verification.Store([authority])).time(NOW)
    assert builder.build_client_verifier().verify(certificate, []).chain[0] == certificate


@pytest.mark.parametrize("name", NAMES)
def test_the_chain_is_valid_for_each_name(made: Certificates, name: str) -> None:
    authority, certificate = (x509.load_pem_x509_certificate(pem.encode()) for pem in (made.ca, made.certificate))
    subject: verification.Subject
    try:
        subject = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        subject = x509.DNSName(name)
    builder = verification.PolicyBuilder().store(verification.Store([authority])).time(NOW)
    assert len(builder.build_server_verifier(subject).verify(certificate, [])) == 2


def handshake(server: Certificates, ca: str, name: str, folder: Path) -> str:
    """Connect over TLS on loopback and return the protocol version."""
    for file, text in (("crt", server.certificate), ("key", server.key)):
        (folder / file).write_text(text)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "crt", folder / "key")
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            try:
                with context.wrap_socket(connection, server_side=True) as secured:
                    secured.recv(1)
            except (ssl.SSLError, ConnectionError):
                connection.close()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            client = ssl.create_default_context(cadata=ca)
            with (
                socket.create_connection(listener.getsockname()) as plain,
                client.wrap_socket(plain, server_hostname=name) as secured,
            ):
                return str(secured.version())
        finally:
            thread.join(5)


@pytest.mark.parametrize("name", NAMES)
def test_a_handshake_succeeds_for_each_name(made: Certificates, name: str, tmp_path: Path) -> None:
    assert handshake(made, made.ca, name, tmp_path) == "TLSv1.3"


def test_a_handshake_fails_for_another_name_or_authority(made: Certificates, tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(made, made.ca, "grafana", tmp_path)
    rotated = make_certificates("test", NAMES, 30, NOW)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(made, rotated.ca, "localhost", tmp_path)


def test_names_are_those_of_the_plan_and_of_what_is_published() -> None:
    config = stack(
        access=ACCESS,
        ports__prometheus="10.0.0.5:9090",
        ports__alertmanager="0.0.0.0:9093",
        grafana__root_url="https://grafana.example.com/",
        external_urls={"prometheus": "https://prom.example.com/x", "alertmanager": "https://am.example.com"},
    )
    names = certificate_names(config, planned(config, without=["cadvisor"]), ["Monitor.Example.com", "[fd00::1]"])
    assert {"prometheus", "alertmanager", "grafana", "node-exporter", "cadvisor", "jaeger"} <= set(names)
    assert {"localhost", "127.0.0.1", "::1", "10.0.0.5", "grafana.example.com"} <= set(names)
    assert {"prom.example.com", "am.example.com"} <= set(names)
    assert names[-2:] == ["monitor.example.com", "fd00::1"]
    assert "0.0.0.0" not in names
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", ["", "a b", "-x", "https://example.com", "exämple.com", "a" * 300])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    config = stack(access=ACCESS)
    with pytest.raises(UsageError, match="neither a host name nor an IP address"):
        certificate_names(config, planned(config), [name])


def test_a_stack_without_access_is_told_what_to_write() -> None:
    with pytest.raises(CommandError, match=r"stack test has no `access:`") as caught:
        required_access(stack(), "test")
    assert "tls: {ca: {secret: tlsCa}" in caught.value.hint


BEFORE = "# ours\nconfig:\n  observatory:accessPassword: chosen\n  observatory:tlsKey: old\nencryptionsalt: v1:a\n"


@dataclass(frozen=True)
class FakePulumi(Pulumi):
    """Pulumi's way with a stack file: written in place, with a salt that it makes where there is none."""

    made: bool = True
    during: dict[str, Callable[[], None]] = field(default_factory=dict)
    """What happens while a secret of this name is set, when the file is already cut and not yet written."""

    def exists(self) -> bool:
        return self.made

    def ask(self, *arguments: str, value: str | None = None) -> str:
        assert arguments == ("stack", "init", "--no-select")
        self._write({})
        return ""

    def secret(self, name: str) -> str | None:
        found: str | None = config_of(self.file).get(f"observatory:{name}")
        return found

    def set_secret(self, name: str, value: str) -> None:
        self._write({f"observatory:{name}": value})
        if name in self.during:
            content = self.file.read_bytes()
            self.file.write_bytes(b"")
            self.during[name]()
            self.file.write_bytes(content)

    def _write(self, config: dict[str, str]) -> None:
        document = load(self.file.read_text()) or {}
        document = {"encryptionsalt": "v1:new", **document, "config": {**document.get("config", {}), **config}}
        self.file.write_text(dump(document))


def config_of(file: Path) -> dict[str, str]:
    """The values in a stack file."""
    found: dict[str, str] = (load(file.read_text()) or {}).get("config", {})
    return found


def secrets_of(made: Certificates) -> dict[str, str]:
    """Where they stand in the stack file."""
    named = values(required_access(stack(access=ACCESS), "test"), made)
    return {f"observatory:{name}": value for name, value in named.items()}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A stack file with secrets, for its owner and group alone."""
    made = tmp_path / "stacks" / "Pulumi.test.yaml"
    made.parent.mkdir()
    made.write_text(BEFORE)
    made.chmod(0o640)
    return made


def test_secrets_get_the_names_of_the_stack_file(made: Certificates, file: Path) -> None:
    file.write_text("config: {}\n")
    done = store(FakePulumi("test", file, {}, made=False), required_access(stack(access=ACCESS), "test"), made)
    kept = config_of(file)
    password = kept.pop("observatory:accessPassword")
    assert kept == secrets_of(made)
    assert len(password) >= 32
    text = "\n".join(done)
    assert "made the stack test" in text
    assert "pulumi config get observatory:accessPassword" in text
    assert password not in text
    assert "PRIVATE" not in text


def test_a_rotation_keeps_the_password(made: Certificates, file: Path) -> None:
    done = store(FakePulumi("test", file, {}), required_access(stack(access=ACCESS), "test"), made)
    assert config_of(file) == {"observatory:accessPassword": "chosen", **secrets_of(made)}
    assert load(file.read_text())["encryptionsalt"] == "v1:a"
    assert len(done) == 1


def test_a_salt_that_pulumi_makes_for_the_first_secret_is_kept(made: Certificates, file: Path) -> None:
    file.write_text("config: {}\n")
    store(FakePulumi("test", file, {}), required_access(stack(access=ACCESS), "test"), made)
    assert load(file.read_text())["encryptionsalt"] == "v1:new"


def test_the_stack_file_stays_for_whom_it_was_and_behind_its_link(made: Certificates, file: Path) -> None:
    link = file.parent.parent / file.name
    link.symlink_to(file)
    store(FakePulumi("test", link, {}), required_access(stack(access=ACCESS), "test"), made)
    assert link.is_symlink()
    assert secrets_of(made).items() <= config_of(file).items()
    assert file.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("name", ["tlsCa", "tlsCertificate", "tlsKey"])
def test_an_interruption_leaves_the_stack_file_as_it_was(made: Certificates, file: Path, name: str) -> None:
    """At no moment, too: after a kill there is nobody to put it back."""
    seen = []

    def look_and_interrupt() -> None:
        seen.append(file.read_text())
        raise KeyboardInterrupt

    pulumi = FakePulumi("test", file, {}, during={name: look_and_interrupt})
    with pytest.raises(KeyboardInterrupt):
        store(pulumi, required_access(stack(access=ACCESS), "test"), made)
    assert [*seen, file.read_text()] == [BEFORE, BEFORE]
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda file: file.write_text("config: {}\n"), "was changed by somebody else meanwhile; no secret was set"),
        (lambda file: file.unlink(), "cannot be written: No such file or directory"),
    ],
)
def test_a_stack_file_that_changes_meanwhile_is_not_overwritten(
    made: Certificates, file: Path, edit: Callable[[Path], object], said: str
) -> None:
    def change() -> None:
        edit(file)
        after.extend(path.read_text() for path in file.parent.iterdir())

    after: list[str] = []
    pulumi = FakePulumi("test", file, {}, during={"tlsKey": change})
    with pytest.raises(CommandError) as caught:
        store(pulumi, required_access(stack(access=ACCESS), "test"), made)
    assert caught.value.message == f"{file} {said}"
    assert [path.read_text() for path in file.parent.iterdir()] == after


def test_files_are_for_their_owner_alone(made: Certificates, tmp_path: Path) -> None:
    folder = tmp_path / "certs"
    write_files(folder, made)
    written = write_files(folder, made)
    assert [file.name for file in written] == ["ca.crt", "tls.crt", "tls.key"]
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert (folder / "tls.key").read_text() == made.key
    assert folder.stat().st_mode & 0o777 == 0o700


def test_the_command_writes_files_without_pulumi(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    begun = datetime.now(UTC)
    assert certs_command("staging", 10, ("extra.example.com",), tmp_path / "out") == 0
    said = capsys.readouterr().out
    days = {f"{at + timedelta(days=10):%Y-%m-%d}" for at in (begun, datetime.now(UTC))}  # two where midnight has passed
    assert any(f"valid until {day}" in said for day in days)
    assert "extra.example.com" in said
    access = required_access(stack(access=ACCESS), "x")
    assert set(values(access, make_certificates("x", ["x"], 1, NOW))) == {"tlsCa", "tlsCertificate", "tlsKey"}
