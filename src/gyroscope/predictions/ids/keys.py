"""What stands for a request id in indexes and joins: 128 bits of its hash, as two halves.

The index of ids, labels and every join by id call this. The text of an id is never taken apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import xxhash
from numpy.typing import NDArray

SHADOW = b"\0shadow"
"""Behind the id of what a shadow answered: it never competes with the live answer."""

Keys = NDArray[np.uint64]
"""(n, 2): the high and the low half."""


def id_keys(request_ids: Sequence[str]) -> Keys:
    """The keys of these ids, in their order.

    >>> id_keys(["a", "b"]).shape
    (2, 2)
    """
    try:
        return keys_of_bytes(map(str.encode, request_ids))
    except UnicodeEncodeError:  # half a character somewhere: rare, and three times slower for all
        return keys_of_bytes(text.encode("utf-8", "backslashreplace") for text in request_ids)


def shadow_keys(request_ids: Sequence[str]) -> Keys:
    """The keys of shadow answers to these ids."""
    return keys_of_bytes(text.encode("utf-8", "backslashreplace") + SHADOW for text in request_ids)


def keys_of_bytes(ids: Iterable[bytes]) -> Keys:
    """As `id_keys`, for ids that are already bytes."""
    digests = b"".join(map(xxhash.xxh3_128_digest, ids))
    return np.frombuffer(digests, dtype=">u8").astype(np.uint64).reshape(-1, 2)
