"""Profiles of whole tables, block by block, one of them read while one is counted: memory does not grow with the rows.

The notebook and the command line call this. The counts are those of all rows at once, in any order of blocks.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Literal

import msgspec

from gyroscope.errors import InputError
from gyroscope.sources.blocks import Block, Table
from gyroscope.stats.profiles import Layout, Profile, RowSample, profile


class Profiled(msgspec.Struct, frozen=True):
    """A profile, the names of all columns that were there, and what those held that cannot be profiled."""

    profile: Profile
    names: tuple[str, ...]
    unreadable: dict[str, str]


Engine = Literal["local", "ray"]


def profile_table(table: Table, layout: Layout | None = None, engine: Engine = "local") -> Profiled:
    """Count a table on a layout, or on bins fitted to it; with `engine="ray"` a task of a Ray cluster counts each file.

    Without a layout a table of more rows than a `RowSample` holds is gone through twice; of a stream, which can be read
    once, the first of these rows choose the bins.

    Raises `InputError` when it cannot be read, or when it has columns and none of them can be profiled.
    """
    if engine == "ray":
        return _by_ray(table, layout)
    blocks = table.blocks()
    if layout is not None:
        return _counted(blocks, layout)
    sample, first = RowSample(), list[Block]()
    for block in blocks:
        sample.add(block.columns)
        if sample.is_whole or table.is_once:
            first.append(block)
        else:
            first.clear()
        if table.is_once and not sample.is_whole:
            break
    fitted = sample.layout()
    again = sample.is_whole or table.is_once
    found = _counted(chain(first, blocks) if again else table.blocks(), fitted)
    if found.unreadable and not fitted.columns:
        raise no_column(*next(iter(found.unreadable.items())), table.where)
    return found


def _by_ray(table: Table, layout: Layout | None) -> Profiled:
    from gyroscope.sources.distributed import profile_parts

    if not table.parts:
        raise InputError("Ray counts files, and this is none", where=table.where, fix="name a file or a folder of them")
    if layout is None:
        # Bins are fitted here, to the rows that one process would pick: what is counted is then the same.
        sample = RowSample()
        for block in table.blocks():
            sample.add(block.columns)
        layout = sample.layout()
    return profile_parts(table.parts, layout)


def no_column(name: str, holds: str, where: str) -> InputError:
    """What is said of a column that holds neither numbers nor text."""
    return InputError(
        f"column {name!r} holds {holds}", where=where, fix="leave it out, or make its parts columns of their own"
    )


def _counted(blocks: Iterator[Block], layout: Layout) -> Profiled:
    """Count blocks in a thread while the next one is read here.

    Reading is done by other libraries without Python's lock. A second thread that counts would hand this lock over ten
    thousand times for a million rows: it made them no faster, with a core for itself. Were the other thread the one
    that reads, its memory would go back to the system with each block: 300,000 page faults instead of 40,000.
    """
    names, unreadable = dict[str, None](), dict[str, str]()
    with ThreadPoolExecutor(1) as counter:
        found = counter.submit(Profile.empty, layout)
        for block in blocks:
            names.update(dict.fromkeys((*block.columns, *block.unreadable)))
            unreadable.update(block.unreadable)
            found = counter.submit(profile, block.columns, layout, block.rows, found.result())
        return Profiled(found.result(), tuple(names), unreadable)
