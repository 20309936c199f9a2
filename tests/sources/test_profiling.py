"""A table that comes in blocks gives the profile of its rows, however it is cut and however long it is."""

from __future__ import annotations

import threading

import numpy as np
import polars as pl
import pytest
from arro3.core import RecordBatchReader

from gyroscope.errors import InputError
from gyroscope.sources import open_table, profile_table
from gyroscope.sources.blocks import BLOCK_ROWS, Block, Table, resized
from gyroscope.stats.profiles import fit_layout, profile
from gyroscope.stats.profiles.sampling import MOST_ROWS


def rows(n: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {"x": rng.normal(size=n), "t": rng.choice(np.array(["a", "b", "c", None], dtype=object), n)}


def in_blocks(columns: dict, size: int) -> Table:
    n = len(next(iter(columns.values())))

    def blocks():
        for start in range(0, n, size):
            part = {name: values[start : start + size] for name, values in columns.items()}
            yield Block(len(part["x"]), part)

    return Table("made", lambda: resized(blocks()))


@pytest.mark.parametrize("size", [1_000, 40_000, 300_000])
def test_blocks_of_any_size_give_the_profile_of_all_rows(size):
    columns = rows(100_000)
    layout = fit_layout(columns)
    assert profile_table(in_blocks(columns, size), layout).profile == profile(columns, layout)
    assert profile_table(in_blocks(columns, size)).profile == profile(columns, layout)


def test_one_thread_counts_while_the_next_block_is_read_here(monkeypatch):
    columns, is_read, counting = rows(2), threading.Event(), []

    def blocks():
        yield Block(2, columns)
        is_read.set()
        for _ in range(9):
            yield Block(2, columns)

    def counted(*args, **named):
        counting.append(threading.get_ident())
        assert is_read.wait(10), "nothing is read while a block is counted"
        return profile(*args, **named)

    monkeypatch.setattr("gyroscope.sources.profiling.profile", counted)
    assert profile_table(Table("made", blocks), fit_layout(columns)).profile.n == 20
    assert len(counting) == 10 and len({*counting}) == 1 and counting[0] != threading.get_ident()


def test_blocks_are_cut_and_joined_to_the_size_that_fits():
    for size in (100, 3 * BLOCK_ROWS):
        found = [block.rows for block in in_blocks(rows(4 * BLOCK_ROWS), size).blocks()]
        assert sum(found) == 4 * BLOCK_ROWS and all(BLOCK_ROWS // 2 <= n <= BLOCK_ROWS * 3 // 2 for n in found[:-1])


def test_a_long_table_is_fitted_to_some_of_its_rows_and_counted_whole():
    columns = rows(MOST_ROWS + 100_000)
    columns["x"][-1] = 1e9
    found = profile_table(in_blocks(columns, BLOCK_ROWS)).profile
    x = found.columns["x"]
    assert found.n == MOST_ROWS + 100_000 and x.bins.edges[-1] == x.max == 1e9
    shares = x.counts[1:-1] / found.n
    assert shares.size == 20 and np.all(np.abs(shares - 0.05) < 0.003)
    assert found == profile_table(in_blocks(columns, BLOCK_ROWS)).profile


def test_a_stream_is_read_once(tmp_path):
    columns = rows(MOST_ROWS + 100_000)
    stream = RecordBatchReader.from_arrow(pl.DataFrame(columns))
    assert profile_table(open_table(stream)).profile.n == MOST_ROWS + 100_000


def test_a_column_that_changes_its_kind_between_files(tmp_path):
    pl.DataFrame({"x": [1.0, 2.0], "old": [1, 2]}).write_parquet(tmp_path / "1.parquet")
    pl.DataFrame({"x": ["high", "2"], "new": ["a", None]}).write_parquet(tmp_path / "2.parquet")
    found = profile_table(open_table(tmp_path)).profile.columns
    assert found["x"].bins.categories == ("1.0", "2", "2.0", "high")
    assert (found["old"].missing, found["new"].missing) == (2, 3)
    as_numbers = profile_table(open_table(tmp_path), fit_layout({"x": np.array([1.0, 2.0])})).profile.columns["x"]
    assert (as_numbers.missing, as_numbers.values) == (1, 3)


def test_columns_of_lists_are_left_out_and_named():
    frame = pl.DataFrame({"x": [1.0, 2.0], "l": [[1], [2]]})
    found = profile_table(open_table(frame))
    assert list(found.profile.columns) == ["x"] and found.unreadable == {"l": "lists"} and found.names == ("x", "l")
    with pytest.raises(InputError, match="column 'l' holds lists"):
        profile_table(open_table(frame.select("l")))


def test_what_goes_wrong_while_counting_is_raised():
    def blocks():
        yield Block(2, {"x": np.array([1.0, 2.0])})
        raise InputError("cut off", where="here", fix="mend it")

    with pytest.raises(InputError, match="cut off"):
        profile_table(Table("made", blocks), fit_layout({"x": np.array([1.0])}))
