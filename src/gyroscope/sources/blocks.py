"""Tables in blocks of rows: what every source gives, and all that profiling asks of one.

`opening.py` makes tables, `profiling.py` goes through them. A block is about 65,536 rows, however the rows came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from gyroscope.errors import InputError
from gyroscope.sources.arrow_columns import Unreadable, columns_of
from gyroscope.sources.arrow_stream import batches
from gyroscope.stats.profiles import Column
from gyroscope.stats.texts import Texts, joined

BLOCK_ROWS = 1 << 16


class Block(msgspec.Struct, frozen=True):
    """Some rows of a table: the columns that can be profiled, and what the others hold."""

    rows: int
    columns: dict[str, Column]
    unreadable: dict[str, str] = {}


class Table(msgspec.Struct, frozen=True):
    """Rows from somewhere. `blocks` starts from the first row each time, but for a stream that `is_once`.

    `parts` are files that hold these rows and can be read each for itself.
    """

    where: str
    blocks: Callable[[], Iterator[Block]]
    is_once: bool = False
    parts: tuple[Path, ...] = ()


def arrow_blocks(exporter: Any, where: str) -> Iterator[Block]:
    """The rows of anything with `__arrow_c_stream__`."""
    return resized(_block(batch.array.length, columns_of(batch)) for batch in batches(exporter, where))


def array_blocks(columns: Mapping[str, Column]) -> Iterator[Block]:
    """The rows of arrays in memory, shape (n,) each."""
    sizes = {name: values.shape for name, values in columns.items()}
    for name, shape in sizes.items():
        if len(shape) != 1 or shape != next(iter(sizes.values())):
            raise InputError(
                f"column {name!r} has shape {shape}, others {next(iter(sizes.values()))}",
                where=f"data[{name!r}]",
                fix="pass flat arrays of one length",
            )
    rows = next(iter(sizes.values()))[0] if sizes else 0
    return resized(iter([Block(rows, dict(columns))]))


def resized(blocks: Iterator[Block]) -> Iterator[Block]:
    """The same rows in blocks that fit a core's own memory: large ones cut, small ones joined."""
    waiting: list[Block] = []
    rows = 0
    for block in blocks:
        if waiting and not _are_alike(waiting[0], block):
            yield _joined(waiting)
            waiting, rows = [], 0
        waiting.append(block)
        rows += block.rows
        if rows >= BLOCK_ROWS // 2:
            yield from _cut(_joined(waiting))
            waiting, rows = [], 0
    if waiting:
        yield _joined(waiting)


def _block(rows: int, found: Mapping[str, Column | Unreadable]) -> Block:
    columns = {name: values for name, values in found.items() if not isinstance(values, Unreadable)}
    return Block(
        rows, columns, {name: values.holds for name, values in found.items() if isinstance(values, Unreadable)}
    )


def _cut(block: Block) -> Iterator[Block]:
    if block.rows <= BLOCK_ROWS * 3 // 2:
        yield block
        return
    for start in range(0, block.rows, BLOCK_ROWS):
        some = slice(start, min(start + BLOCK_ROWS, block.rows))
        columns = {name: values[some] for name, values in block.columns.items()}
        yield Block(some.stop - some.start, columns, block.unreadable)


def _are_alike(one: Block, other: Block) -> bool:
    """Whether joining changes no value: the same columns, text where text is and equal kinds of numbers."""
    return _kinds(one) == _kinds(other)


def _kinds(block: Block) -> list[tuple[str, str]]:
    kinds = [
        (name, "text" if isinstance(values, Texts) else values.dtype.str) for name, values in block.columns.items()
    ]
    return kinds + list(block.unreadable.items())


def _joined(blocks: list[Block]) -> Block:
    if len(blocks) == 1:
        return blocks[0]
    columns: dict[str, Column] = {}
    for name, values in blocks[0].columns.items():
        parts = [block.columns[name] for block in blocks]
        columns[name] = joined(parts) if isinstance(values, Texts) else np.concatenate(parts)  # type: ignore[arg-type]
    return Block(sum(block.rows for block in blocks), columns, blocks[0].unreadable)
