"""Profiles counted by a Ray cluster: one task per file, merged here. The counts are those of one process, bit for bit.

`profiling.py` calls this for `engine="ray"`. Ray is an extra and is imported when asked for; a cluster that is
connected is used, else one is started on this machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from gyroscope.errors import InputError
from gyroscope.sources.opening import open_table
from gyroscope.sources.profiling import Profiled, profile_table
from gyroscope.stats.profiles import Layout, Profile

_AT_ONCE = 256
"""Results that wait to be merged, 100 KB each."""


def profile_parts(parts: Sequence[Path], layout: Layout) -> Profiled:
    """Count files on a layout; the workers must see them under the same paths.

    Raises `InputError` when Ray is not installed, and what reading raises.
    """
    try:
        import ray
    except ImportError as error:
        raise InputError("Ray is not installed", where="engine: ray", fix="pip install 'gyroscope[ray]'") from error
    if not ray.is_initialized():
        ray.init(include_dashboard=False, log_to_driver=False)
    count = ray.remote(_count)
    shared, waiting = ray.put(layout), list(parts)
    found: list[Profiled] = []
    while waiting:
        some, waiting = waiting[:_AT_ONCE], waiting[_AT_ONCE:]
        found = [_together([*found, *map(_read, ray.get([count.remote(part, shared) for part in some]))])]
    return found[0]


def _count(part: Path, layout: Layout) -> tuple[bytes, tuple[str, ...], dict[str, str]]:
    found = profile_table(open_table(part), layout)
    return found.profile.to_bytes(), found.names, found.unreadable


def _read(sent: tuple[bytes, tuple[str, ...], dict[str, str]]) -> Profiled:
    packed, names, unreadable = sent
    return Profiled(Profile.from_bytes(packed), names, unreadable)


def _together(found: Sequence[Profiled]) -> Profiled:
    merged = Profile.merge_all([one.profile for one in found])
    assert isinstance(merged, Profile)  # there is at least one part
    names = dict.fromkeys(name for one in found for name in one.names)
    unreadable = {name: holds for one in found for name, holds in one.unreadable.items()}
    return Profiled(merged, tuple(names), unreadable)
