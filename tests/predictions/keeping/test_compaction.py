"""Which files are merged, and how often a row is written again over a whole day."""

from __future__ import annotations

from gyroscope.predictions.keeping.compaction import FAN_IN, KIB, MIB, QUIET_MS, REST_MS, STEP_BYTES, TIERS, next_merge
from gyroscope.predictions.tables.rewrite import LiveFile

DAY = "2013-03-01"


def file(number: int, size: int, at_ms: int = 0, day: str = DAY) -> LiveFile:
    return LiveFile(f"{day}/{number}", day, size, size, at_ms)


def test_files_that_were_just_written_rest():
    files = [file(k, 9 * KIB, at_ms=k) for k in range(FAN_IN)]
    assert next_merge(files, REST_MS + FAN_IN) != ()
    assert next_merge(files, REST_MS) == ()


def test_days_are_never_mixed():
    files = [file(k, 9 * KIB, day=f"2013-03-{1 + k % 2:02}") for k in range(3 * FAN_IN)]
    assert len({one.day for one in next_merge(files, REST_MS)}) == 1


def test_one_step_is_bounded():
    assert sum(one.bytes for one in next_merge([file(k, 15 * MIB) for k in range(40)], REST_MS)) <= STEP_BYTES
    assert len(next_merge([file(k, 9) for k in range(4_000)], REST_MS)) == 128


def test_large_files_are_left_alone():
    assert next_merge([file(k, TIERS[-1]) for k in range(99)], QUIET_MS) == ()


def test_a_day_that_has_ended_becomes_few_files():
    files = [file(1, 5 * KIB), file(2, 6 * KIB), file(3, 9 * MIB)]
    assert [one.bytes for one in next_merge(files, QUIET_MS)] == [5 * KIB, 6 * KIB]
    assert next_merge(files, QUIET_MS - 1) == ()
    assert next_merge([file(1, 11 * KIB), file(3, 9 * MIB)], QUIET_MS) == ()


def test_a_row_is_written_again_three_times_at_most_however_long_the_day():
    """A commit a second of 100 KB for 20 hours, a step after each minute of it, then rest."""
    rewrites: dict[str, int] = {}
    files: list[LiveFile] = []
    made = 0
    for minute in range(20 * 60):
        now = minute * 60_000
        for second in range(60):
            made += 1
            files.append(file(made, 100_000, now + second))
            rewrites[files[-1].path] = 0
        while merge := next_merge(files, now):
            made += 1
            files = [one for one in files if one not in merge]
            files.append(file(made, sum(one.bytes for one in merge), now))
            rewrites[files[-1].path] = 1 + max(rewrites[one.path] for one in merge)
    assert len(files) < 60 * 3 + FAN_IN * len(TIERS) + 72_000 * 100_000 / TIERS[-1]
    assert max(rewrites[one.path] for one in files) <= 3
