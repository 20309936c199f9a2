"""What labels ask of the index of request ids: where predictions lie, and which are new.

The one place of labels that knows the index; it is read only, and may not be there yet.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from gyroscope.predictions.ids.index import Found, IdIndex, ids_path
from gyroscope.predictions.ids.keys import Keys
from gyroscope.predictions.ids.runs import Torn


class Places:
    """The index of one model as it was at the last `refresh`, or nothing while there is none."""

    def __init__(self, home: Path, model: str) -> None:
        self._path = ids_path(home, model)
        self._index: IdIndex | None = None
        self.refresh()

    def refresh(self) -> None:
        """See what was indexed since. Inside a write transaction: what comes later is met by the next `settle`."""
        try:
            if self._index is not None:
                self._index.refresh()
        except Torn:  # somebody took it away: the recorder makes it again
            self.close()
        self._index = self._index or IdIndex.reading(self._path)

    @property
    def epoch(self) -> str:
        """Changes when the index was made again; empty while there is none."""
        return "" if self._index is None else self._index.epoch

    def find(self, keys: Keys) -> Found:
        """Where the requests of these keys were answered."""
        if self._index is None:
            nothing = np.zeros(len(keys), dtype=np.int32)
            return Found(nothing.astype(np.bool_), nothing, nothing)
        return self._index.find(keys)

    def since(self, token: int) -> tuple[Keys, int]:
        """Keys of requests that were indexed or changed after `token`, and the token to ask with next."""
        if self._index is None:
            return np.empty((0, 2), dtype=np.uint64), token
        return self._index.since(token)

    def close(self) -> None:
        """Let go of files."""
        if self._index is not None:
            self._index.close()
        self._index = None
