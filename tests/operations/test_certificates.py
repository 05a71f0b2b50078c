"""Certificates are accepted by a real TLS handshake for each of their names, and by nobody else's authority."""

from __future__ import annotations

import ipaddress
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import verification

from operations.certificates import Certificates, make_certificates
from operations.certs import (
    all_or_nothing,
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


class FakePulumi(Pulumi):
    """A Pulumi that keeps secrets in memory, and can break at one of them."""

    def __init__(self, file: Path, secrets: dict[str, str], breaks_at: str = "", made: bool = True):
        super().__init__("test", file, {})
        vars(self).update(secrets=secrets, breaks_at=breaks_at, made=made, asked=[])

    def exists(self) -> bool:
        return bool(vars(self)["made"])

    def ask(self, *arguments: str, value: str | None = None) -> str:
        vars(self)["asked"].append(arguments)
        return ""

    def secret(self, name: str) -> str | None:
        found: str | None = vars(self)["secrets"].get(name)
        return found

    def set_secret(self, name: str, value: str) -> None:
        self.file.write_text(self.file.read_text() + f"{name}\n")
        if name == vars(self)["breaks_at"]:
            raise KeyboardInterrupt
        vars(self)["secrets"][name] = value


def test_secrets_get_the_names_of_the_stack_file(made: Certificates, tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.test.yaml"
    file.write_text("")
    secrets: dict[str, str] = {}
    access = required_access(stack(access=ACCESS), "test")
    done = store(FakePulumi(file, secrets, made=False), access, made)
    assert (secrets["tlsCa"], secrets["tlsCertificate"], secrets["tlsKey"]) == (made.ca, made.certificate, made.key)
    assert len(secrets["accessPassword"]) >= 32
    text = "\n".join(done)
    assert "made the stack test" in text
    assert "pulumi config get observatory:accessPassword" in text
    assert secrets["accessPassword"] not in text
    assert "PRIVATE" not in text


def test_a_rotation_keeps_the_password(made: Certificates, tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.test.yaml"
    file.write_text("")
    secrets = {"accessPassword": "chosen", "tlsCa": "old"}
    done = store(FakePulumi(file, secrets), required_access(stack(access=ACCESS), "test"), made)
    assert secrets["accessPassword"] == "chosen"
    assert secrets["tlsCa"] == made.ca
    assert len(done) == 1


def test_an_interruption_leaves_the_stack_file_as_it_was(made: Certificates, tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.test.yaml"
    file.write_text("before\n")
    with pytest.raises(KeyboardInterrupt):
        store(FakePulumi(file, {}, breaks_at="tlsKey"), required_access(stack(access=ACCESS), "test"), made)
    assert file.read_text() == "before\n"
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_all_or_nothing_keeps_what_succeeds(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("a")
    with all_or_nothing(file):
        file.write_text("b")
    assert file.read_text() == "b"


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
