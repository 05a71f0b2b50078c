"""A real PostgreSQL on this machine, as Grafana's database: encrypted connections with a password, and no others."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from datetime import UTC, datetime
from pathlib import Path

from operations.certificates import make_certificates
from tests.e2e.engine import free_ports
from toolchain import postgresql

PASSWORD = "p'a #s;s$"
"""With characters that a settings file gives a meaning to: it is read from a file of its own."""


class Server:
    """PostgreSQL that takes encrypted connections with a password only."""

    def __init__(self, folder: Path, address: str = "127.0.0.1", name: str = "localhost") -> None:
        postgres = postgresql.program()
        assert postgres, "postgres is not here; `python3 -m toolchain ready --for e2e` gets it"
        self.folder, self.programs, self.address = folder, postgres.parent, address
        (self.port,) = free_ports(1)
        self.certificates = make_certificates("test", [name], 1, datetime.now(UTC))
        # PostgreSQL refuses to run as root.
        self.user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self.user:
            shutil.chown(folder, "postgres")
        self.data = folder / "data"
        # Not synced: a busy disk takes a minute for what no crash of this machine has to outlive.
        self.run("initdb", "-D", str(self.data), "-U", "admin", "--auth=trust", "--no-sync")
        for name, text in (("server.crt", self.certificates.certificate), ("server.key", self.certificates.key)):
            self.write(name, text)
        self.write("pg_hba.conf", "local all admin trust\nhostssl all all 0.0.0.0/0 scram-sha-256\n")
        options = f"-c ssl=on -c port={self.port} -c listen_addresses={address} -c unix_socket_directories={folder}"
        self.run("pg_ctl", "-D", str(self.data), "-l", str(folder / "log"), "-w", "-t", "150", "-o", options, "start")

    def make_database(self) -> None:
        """The role and the database that a stack file asks for."""
        quoted = PASSWORD.replace("'", "''")
        self.tell(f"CREATE ROLE grafana LOGIN PASSWORD '{quoted}'")
        self.tell("CREATE DATABASE grafana OWNER grafana")

    def tell(self, statement: str, database: str = "postgres") -> str:
        """Run a statement as the server's administrator; the rows of its answer, a line each."""
        where = ("-h", str(self.folder), "-p", str(self.port), "-U", "admin", "-d", database)
        return self.run("psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", *where, "-c", statement)

    def write(self, name: str, text: str) -> None:
        """Write a file that only the server's user reads."""
        subprocess.run(
            [*self.user, "sh", "-c", f"umask 077; cat > {self.data / name}"], input=text.encode(), check=True
        )

    def run(self, program: str, *arguments: str) -> str:
        """Run one of its programs; what it said. An AssertionError with what it said where it fails."""
        # Its output goes to a file: the server inherits it, and would keep a pipe open.
        with tempfile.TemporaryFile() as output:
            command = [*self.user, str(self.programs / program), *arguments]
            done = subprocess.run(command, stdout=output, stderr=output, cwd="/", timeout=180, check=False)
            output.seek(0)
            told = output.read().decode()
            assert done.returncode == 0, told
            return told

    def stop(self) -> None:
        """End it at once."""
        self.run("pg_ctl", "-D", str(self.data), "-m", "immediate", "-w", "stop")
