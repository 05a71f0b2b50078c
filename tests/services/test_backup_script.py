"""The script of the backup on real files: a database that is written to meanwhile, and what is restored of it."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from operations.programs import find

SCRIPT = Path(__file__).resolve().parents[2] / "components" / "services" / "backup.sh"
WRITER = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None)
print("ready", flush=True)
number = 0
while True:
    number += 1
    database.execute("BEGIN IMMEDIATE")
    for table in ("debit", "credit"):
        database.execute(f"INSERT INTO {table} VALUES (?, ?)", (number, "x" * 3000))
    database.execute("COMMIT")
    time.sleep(0.15 if number % 20 == 0 else 0.002)
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What the script has in its container, on folders of this test."""
    restic = find("restic")
    if restic is None:
        pytest.skip("restic is not here; `python3 -m toolchain ready --for e2e` gets it")
    for folder in ("here/secrets", "state", "data/grafana-data"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "here" / "secrets" / "password").write_text("of the test\n")
    (tmp_path / "here" / "stack.json").write_text("{}\n")
    (tmp_path / "here" / "settings").write_text(
        f"ENVIRONMENT=test\nRESTIC_REPOSITORY={tmp_path}/repository\nAWS_DEFAULT_REGION=''\nBUCKET_LOOKUP=auto\n"
        "PERIOD=86400\nOFFSET=0\nKEEP='--keep-daily 7'\nVOLUMES=grafana-data\n"
    )
    return {
        "PATH": f"{restic.parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "HERE": str(tmp_path / "here"),
        "STATE": str(tmp_path / "state"),
        "DATA": str(tmp_path / "data"),
        "TMPDIR": str(tmp_path / "state" / "tmp"),
    }


def script(environment: dict[str, str], *arguments: str) -> str:
    """Run the script to its success; what it answers."""
    done = subprocess.run(
        ["sh", str(SCRIPT), *arguments], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_database_that_is_written_to_is_copied_between_two_transactions(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Each row of one table has its twin in the other, and the database is whole; the first keeps being written."""
    live = tmp_path / "data" / "grafana-data" / "grafana.db"
    with closing(sqlite3.connect(live)) as database:
        for table in ("debit", "credit"):
            database.execute(f"CREATE TABLE {table} (number INTEGER, filling TEXT)")
        database.commit()
    (live.parent / "plugins").mkdir()
    (live.parent / "plugins" / "kept").write_text("as it is")
    with subprocess.Popen([sys.executable, "-c", WRITER, str(live)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        writer.stdout.readline()
        try:
            script(environment, "run", "manual")
        finally:
            writer.kill()
    data = environment["DATA"]
    script(
        environment, "fill", "latest", "grafana-data", f"{data}/grafana-data", f"{environment['STATE']}/staged-manual"
    )
    assert (live.parent / "plugins" / "kept").read_text() == "as it is"
    assert not (live.parent / "grafana.db-journal").exists()
    assert not (live.parent / ".restored").exists()
    with closing(sqlite3.connect(live)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        numbers = [
            [row[0] for row in database.execute(f"SELECT number FROM {table} ORDER BY number")]
            for table in ("debit", "credit")
        ]
    assert numbers[0] == numbers[1]
    assert numbers[0] == list(range(1, len(numbers[0]) + 1))
    assert numbers[0]
