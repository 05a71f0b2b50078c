"""The script of the backup on real files: a database that is written to meanwhile, and what is restored of it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.services.backup_script import ready, script

ROWS = 6000
# Both rest from time to time, for as long as a copy of one moment takes on a busy machine.
WRITER = f"""
import random, sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None)
database.execute("PRAGMA synchronous = OFF")
turn, rest = 0, time.monotonic() + 4
while True:
    turn += 1
    database.execute("BEGIN IMMEDIATE")
    for number in random.sample(range({ROWS}), 20):
        for table in ("debit", "credit"):
            database.execute(f"UPDATE {{table}} SET turn = ? WHERE number = ?", (turn, number))
    database.execute("COMMIT")
    if turn == 1:
        print("ready", flush=True)
    if time.monotonic() > rest:
        time.sleep(6)
        rest = time.monotonic() + 4
"""
COMPACTOR = """
import itertools, os, shutil, sys, time
folder = sys.argv[1]

def write(name, numbers):
    making = f"{folder}/{name}.tmp-for-creation"
    os.makedirs(f"{making}/chunks")
    for number in numbers:
        open(f"{making}/chunks/{number:06}", "w").write(str(number))
    open(f"{making}/meta.json", "w").write("{}")
    os.rename(making, f"{folder}/{name}")

def remove(name):
    os.rename(f"{folder}/{name}", f"{folder}/{name}.tmp-for-deletion")
    shutil.rmtree(f"{folder}/{name}.tmp-for-deletion")

rest = time.monotonic() + 5
for part in range(4):
    write(f"PART0-{part}", range(part, 40, 4))
print("ready", flush=True)
for turn in itertools.count(1):
    write(f"WHOLE{turn}", range(40))
    for part in range(4):
        remove(f"PART{turn - 1}-{part}")
    for part in range(4):
        write(f"PART{turn}-{part}", range(part, 40, 4))
    remove(f"WHOLE{turn}")
    if time.monotonic() > rest:
        time.sleep(15)
        rest = time.monotonic() + 5
"""
"""Like Prometheus' compaction: blocks are merged and gone, and at each moment every number is in one of them."""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """What the script has in its container on Docker, on folders of this test."""
    return ready(tmp_path, "grafana-data", tmp_path / "state")


def restored(environment: dict[str, str], volume: str, *folders: str) -> None:
    """Put the newest copy in place of a volume."""
    script(environment, "fetch", "latest", volume, *folders)
    script(environment, "accept", volume, "latest")
    script(environment, "take", volume)


def test_a_database_that_is_written_to_is_copied_between_two_transactions(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Each row of one table has its twin in the other, and the database is whole; the first keeps being written."""
    live = tmp_path / "data" / "grafana-data" / "grafana.db"
    with closing(sqlite3.connect(live)) as database:
        for table in ("debit", "credit"):
            database.execute(f"CREATE TABLE {table} (number INTEGER PRIMARY KEY, turn INTEGER, filling TEXT)")
            rows = [(number, 0, "x" * 3000) for number in range(ROWS)]
            database.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", rows)
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
    folder = f"{environment['DATA']}/grafana-data"
    restored(environment, "grafana-data", folder, f"{environment['STATE']}/staged-manual")
    assert (live.parent / "plugins" / "kept").read_text() == "as it is"
    assert not (live.parent / "grafana.db-journal").exists()
    assert not list(live.parent.glob(".restored*"))
    with closing(sqlite3.connect(live)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        debit, credit = (
            database.execute(f"SELECT number, turn FROM {table} ORDER BY number").fetchall()
            for table in ("debit", "credit")
        )
    assert len(debit) == ROWS
    assert max(turn for _, turn in debit) > 0
    assert debit == credit


def test_blocks_that_are_compacted_meanwhile_are_all_in_the_copy(environment: dict[str, str], tmp_path: Path) -> None:
    """Whichever blocks are there, everything is in them; none is half there, and no links stay behind."""
    live = tmp_path / "data" / "prometheus-data"
    (live / "wal").mkdir(parents=True)
    (live / "wal" / "00000000").write_text("the log")
    settings = tmp_path / "here" / "settings"
    settings.write_text(settings.read_text().replace("VOLUMES=grafana-data", "VOLUMES=prometheus-data"))
    with subprocess.Popen([sys.executable, "-c", COMPACTOR, str(live)], stdout=subprocess.PIPE) as compactor:
        assert compactor.stdout
        compactor.stdout.readline()
        try:
            script(environment, "run", "manual")
        finally:
            compactor.kill()
    assert not (live / "snapshots").exists()
    folder = f"{environment['DATA']}/prometheus-data/snapshots/observatory-manual"
    restored(environment, "prometheus-data", folder)
    assert (live / "wal" / "00000000").read_text() == "the log"
    assert not list(live.glob("*.tmp-for-*"))
    found = {int(each.read_text()) for each in live.glob("*/chunks/*")}
    assert found == set(range(40))
    blocks = [each.parent for each in live.glob("*/meta.json")]
    assert {len(list((block / "chunks").iterdir())) for block in blocks} <= {10, 40}
