"""Is the log what was written? Segments, table and index, byte by byte, of one model.

`gyro predictions verify` and `gyro restore` call it, while everything runs or while nothing does. It changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import msgspec
from deltalake import DeltaTable

from gyroscope.errors import StoreError
from gyroscope.predictions.ids.entries import day_text
from gyroscope.predictions.ids.index import OWED, IdIndex, ids_path
from gyroscope.predictions.ids.keys import id_keys
from gyroscope.predictions.ids.owed import Owed
from gyroscope.predictions.keeping.upkeep import newest_metadata, offsets_of
from gyroscope.predictions.segments.file import SUFFIX, segment_folder
from gyroscope.predictions.segments.look import look_at
from gyroscope.predictions.segments.scan import Damage
from gyroscope.predictions.tables.rewrite import LiveFile, live_files, open_table
from gyroscope.predictions.tables.sums import sum_of, sums
from gyroscope.predictions.tables.table import table_path

BATCH = 100_000
SOURCE = "read_parquet($1, union_by_name=true, hive_partitioning=false)"


class Fault(msgspec.Struct, frozen=True):
    """One thing that is not as it should be; `offset` and `bytes` where it is a stretch of a file."""

    part: str
    where: str
    what: str
    offset: int = -1
    bytes: int = 0


class Looked(msgspec.Struct, frozen=True):
    """One step of the way: what was looked at, how many rows or records it holds, what is wrong with it."""

    part: str
    where: str
    items: int
    faults: tuple[Fault, ...] = ()


def steps(home: Path, runtime: Path, model: str) -> int:
    """About how many steps `verify` takes."""
    delta = _open(table_path(home, model))
    files = len(live_files(delta)) if isinstance(delta, DeltaTable) else 0
    return files + len(_segments(home, runtime, model)) + 2


def verify(home: Path, runtime: Path, model: str) -> Iterator[Looked]:
    """Look at everything, one step a file."""
    delta = _open(table_path(home, model))
    offsets: dict[str, int] = {}
    if isinstance(delta, Looked):
        yield delta
    elif delta is not None:
        offsets, looked = _offsets(table_path(home, model), delta)
        yield looked
    for path in _segments(home, runtime, model):
        yield _segment(path, offsets.get(path.name, 0))
    if isinstance(delta, DeltaTable):
        yield from _table(table_path(home, model), delta)
        yield _index(home, model, delta)


def known_damage(home: Path, model: str) -> list[Fault]:
    """What the recorder could not read when it came by: each is one lost record or stretch, named once and kept."""
    path = ids_path(home, model) / OWED
    if not path.exists():
        return []
    with closing(Owed(path)) as books:
        found = books.damage()
    return [Fault("segment", segment, reason, offset, length) for segment, offset, length, reason in found]


def _open(path: Path) -> DeltaTable | Looked | None:
    try:
        return open_table(path)
    except StoreError as error:
        return Looked("table", str(path), 0, (Fault("table", error.where, error.what),))


def _offsets(path: Path, delta: DeltaTable) -> tuple[dict[str, int], Looked]:
    """Without them nobody knows which records the table has."""
    try:
        metadata = newest_metadata(delta)
        offsets = offsets_of(metadata)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        return {}, Looked("log", str(path), 0, (Fault("table", str(path), f"its offsets cannot be read: {error}"),))
    missing = () if metadata else (Fault("table", str(path), "no commit says how far the segments were read"),)
    return offsets, Looked("log", str(path), len(offsets), missing)


def _segments(home: Path, runtime: Path, model: str) -> list[Path]:
    folders = {segment_folder(runtime, model), segment_folder(home, model)}
    return sorted(path for folder in folders for path in folder.glob(f"*{SUFFIX}"))


def _segment(path: Path, offset: int) -> Looked:
    try:
        found = look_at(path).scan
    except FileNotFoundError:
        return Looked("segment", str(path), 0)  # drained and deleted since it was listed
    except OSError as error:
        return Looked("segment", str(path), 0, (Fault("segment", str(path), f"cannot be read: {error}"),))
    faults = [_damaged(path, damage) for damage in found.damages]
    if offset > found.end:
        what = f"the table has read {offset} bytes of it, there are {found.end}"
        faults.append(Fault("segment", str(path), what, found.end, offset - found.end))
    return Looked("segment", str(path), len(found.offsets), tuple(faults))


def _damaged(path: Path, damage: Damage) -> Fault:
    return Fault("segment", str(path), damage.reason, damage.offset, damage.length)


def _table(path: Path, delta: DeltaTable) -> Iterator[Looked]:
    duck = duckdb.connect(config={"threads": 1})
    duck.execute("SET TimeZone = 'UTC'")
    noted = sums(path)
    for file in live_files(delta):
        faults = _file_faults(duck, path, file) or _sum_faults(path, file, noted.get(file.path))
        if faults and not _is_live(path, file):
            continue  # merged away since the table was opened
        yield Looked("table", str(path / file.path), file.rows, faults)
    duck.close()


def _sum_faults(path: Path, file: LiveFile, noted: int | None) -> tuple[Fault, ...]:
    """A byte that changed inside a number decodes as well as any: only the checksum tells."""
    whole = path / file.path
    if noted is None or not whole.exists() or sum_of(whole) == noted:
        return ()
    return (Fault("table", str(whole), "its bytes are not those that were written"),)


def _file_faults(duck: duckdb.DuckDBPyConnection, path: Path, file: LiveFile) -> tuple[Fault, ...]:
    whole = path / file.path
    try:
        size = whole.stat().st_size
    except OSError as error:
        return (Fault("table", str(whole), f"cannot be read: {error.strerror}"),)
    if size != file.bytes:
        return (Fault("table", str(whole), f"has {size} bytes, the log says {file.bytes}"),)
    try:
        # A hash of every cell: nothing is decoded by counting alone.
        found = duck.execute(f"SELECT count(*), max(hash(COLUMNS(*))) FROM {SOURCE}", [[str(whole)]]).fetchone()  # noqa: S608
    except (duckdb.Error, OSError) as error:
        return (Fault("table", str(whole), f"cannot be decoded: {str(error).splitlines()[0]}"),)
    if found is None or found[0] != file.rows:
        return (Fault("table", str(whole), f"has {found[0] if found else 0} rows, the log says {file.rows}"),)
    return ()


def _is_live(path: Path, file: LiveFile) -> bool:
    delta = open_table(path)
    return delta is not None and any(one.path == file.path for one in live_files(delta))


def _index(home: Path, model: str, delta: DeltaTable) -> Looked:
    """Every answered request of the table must be found where the table has it."""
    where = str(ids_path(home, model))
    index = IdIndex.reading(ids_path(home, model))
    if index is None:
        return Looked("index", where, 0)  # made again from the table when the recorder starts
    try:
        table, version = index.reflects
        if table != str(delta.metadata().id) or version < delta.version():
            return Looked("index", where, 0)  # behind: the recorder brings it up
        return _compare(index, where, [str(table_path(home, model) / file.path) for file in live_files(delta)])
    finally:
        index.close()


def _compare(index: IdIndex, where: str, files: list[str]) -> Looked:
    if not files:
        return Looked("index", where, 0)
    try:
        cursor = duckdb.connect(config={"threads": 1}).execute(
            "SELECT request_id, list(DISTINCT day) FROM read_parquet($1, union_by_name=true, hive_partitioning=true,"
            " hive_types={'day': VARCHAR}) WHERE answered AND status < 400 AND output_0 IS NOT NULL"
            " GROUP BY request_id",
            [files],
        )
        rows, wrong = 0, 0
        while batch := cursor.fetchmany(BATCH):
            found = index.find(id_keys([row[0] for row in batch]))
            rows += len(batch)
            wrong += sum(
                not is_found or day_text(day) not in row[1]
                for row, is_found, day in zip(batch, found.is_found.tolist(), found.day.tolist(), strict=True)
            )
    except duckdb.Error:
        return Looked("index", where, 0)  # the table's own fault, which is said there
    if wrong:
        return Looked("index", where, rows, (Fault("index", where, f"{wrong:,} answered requests are not in it"),))
    return Looked("index", where, rows)
