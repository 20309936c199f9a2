"""L10: a backup is taken while requests are answered, restored into another folder, verified, started and checked.

Everything that was acknowledged before the backup began must be in the restored house. The control damages one byte of
the restored tables, which verifying must see.
"""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import numpy as np

from benchmarks.checker import judge, table_rows
from benchmarks.house import GYRO, MODEL, Running, hooked, running, wait_for
from benchmarks.ledger import acknowledged, read
from benchmarks.load import load
from benchmarks.rows import Row, at_least, at_most, control, with_control
from benchmarks.target import Options

RATE = 300.0


def measure(options: Options) -> list[Row]:
    """Backup, restore, verify, start, check."""
    seconds = 4.0 if options.is_quick else 60.0
    ledger, archive = options.folder / "ledger", options.folder / "backup.tar"
    with running(options.folder / "place") as house, load(house, ledger, RATE):
        time.sleep(seconds)
        began_ns = time.monotonic_ns()
        _gyro("backup", str(archive), "--settings", str(house.settings_path))
        took_s = (time.monotonic_ns() - began_ns) / 1e9
        time.sleep(1.0)
    before = acknowledged(read(ledger))
    before = before[before["due_ns"] + before["took_ns"] < began_ns]
    elsewhere = options.folder / "elsewhere"
    restored_code = _gyro("restore", str(archive), "--home", str(elsewhere / "home"), check=False)
    restored = Running(elsewhere, {})
    try:
        restored.up()
        with load(restored, ledger, RATE):  # it serves, and its recorder goes on where the backup was
            time.sleep(1.0)
        lost = _lost(restored, ledger, before)
        restored.down()
        verified_code = _verify(restored)
        seen = _damaged(restored)
    finally:
        restored.clear()
    print(f"L10: backup of {len(before):,} acknowledged took {took_s:.2f} s, {archive.stat().st_size:,} bytes")
    rows = [
        at_least("L10", "acknowledged before the backup began", len(before), RATE, "predictions", len(before)),
        at_most("L10", "acknowledged before the backup and not in the restored house", lost, 0, "predictions",
                len(before)),
        at_most("L10", "restore and verify, exit codes", restored_code + verified_code, 0, "", 2),
    ]  # fmt: skip
    return with_control(rows, control("L10", "a byte of the restored table changed, seen by verify", seen, "", 1))


def _lost(restored: Running, ledger: Path, before: np.ndarray) -> int:
    """What is missing once the restored house has drained the segments that were in the backup."""
    found = judge(restored, ledger, before, table_rows(restored))

    def is_whole() -> bool:
        nonlocal found
        found = judge(restored, ledger, before, table_rows(restored))
        return found.is_clean

    wait_for(is_whole, 15, 0.25)
    if not found.is_clean:
        print(f"L10: {found}")
    return found.lost + found.wrong + found.answered_twice + found.phantom + found.unindexed


def _damaged(restored: Running) -> int:
    """1 when verifying sees a changed byte in the middle of the largest file that the table has."""
    files = [Path(file.path) for file in restored.house.table(MODEL).files()]
    file = max(files, key=lambda path: path.stat().st_size)
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 0xFF
    file.write_bytes(data)
    return int(_verify(restored) != 0)


def _verify(house: Running) -> int:
    return _gyro("predictions", "verify", "--settings", str(house.settings_path), check=False)


def _gyro(*words: str, check: bool = True) -> int:
    argv = [GYRO, *words]
    with hooked({}):
        done = subprocess.run(argv, check=check, capture_output=True, text=True)
    if done.returncode:
        print(f"gyro {words[0]}: exit {done.returncode}: {done.stdout[-400:]} {done.stderr[-400:]}")
    return done.returncode
