"""Roles of features, applied before anything is written: what is dropped is left out, what is hashed becomes a digest.

The log calls `Protect` for every entry of a signature that asks for it; whoever builds a reference calls `protect`. The
key never leaves the home: without it a digest cannot be found by trying values.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.errors import StoreError
from gyroscope.predictions.segments.file import sync_folder
from gyroscope.predictions.segments.wal import LogEntry
from gyroscope.records import Signature

KEY_BYTES = 32
Text = tuple[int, int, str]


class Privacy:
    """The key of one home and the digests it makes."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @classmethod
    def of(cls, home: Path) -> Privacy:
        """The key in `keys/privacy`, made the first time. Raises `StoreError` when it cannot be read or made."""
        path = home / "keys" / "privacy"
        try:
            key = path.read_bytes() if path.exists() else _make_key(path)
        except OSError as error:
            raise StoreError(
                f"the key for hashed features cannot be read: {error.strerror}", where=str(path), fix="make it readable"
            ) from error
        if len(key) != KEY_BYTES:
            raise StoreError(
                f"the key for hashed features has {len(key)} bytes, not {KEY_BYTES}",
                where=str(path),
                fix="restore it from a backup; with another key the same value gets another digest",
            )
        return cls(key)

    def digest(self, text: str) -> str:
        """16 hex digits for a text: the same for the same text and home.

        >>> Privacy(bytes(32)).digest("ann@example.com")
        '8b770e5ddb46a490'
        """
        return blake2b(text.encode("utf-8", "surrogatepass"), key=self._key, digest_size=8).hexdigest()

    def digest_of(self, value: object) -> str | None:
        """The digest of a cell: a text, or a number by its shortest decimal form; None where nothing is known."""
        if value is None or value != value:
            return None
        if isinstance(value, str):
            return self.digest(value)
        number = float(value)  # type: ignore[arg-type]
        return self.digest(str(int(number)) if number.is_integer() else repr(number))


class Protect:
    """Makes of an entry what the log may hold, for one signature.

    Raises `StoreError` when the signature hashes and there is no key.
    """

    def __init__(self, signature: Signature, privacy: Privacy | None) -> None:
        hashed = [(at, feature) for at, feature in enumerate(signature.features) if feature.is_hashed]
        if hashed and privacy is None:
            raise StoreError(
                "a feature is to be hashed and there is no key",
                where=hashed[0][1].name,
                fix="give the log the key of its home: Privacy.of(home)",
            )
        self._privacy = privacy or Privacy(b"")
        self._kept = frozenset(at for at, feature in enumerate(signature.features) if feature.role == "keep")
        self._numbers = [at for at, feature in hashed if feature.dtype != "string"]
        self._texts = {at: [self._privacy.digest(text) for text in feature.categories] for at, feature in hashed
                       if feature.dtype == "string"}  # fmt: skip

    def __call__(self, entry: LogEntry) -> LogEntry:
        """The entry with digests among its texts; the values they stand for are in no block of a record."""
        digests = self._of_matrix(entry.matrix) if entry.matrix is not None else {}
        kept: list[Text] = []
        for row, column, text in entry.unseen:
            if column in self._kept:
                kept.append((row, column, text))
            elif column in self._texts:
                digests[row, column] = self._privacy.digest(text)
        texts = kept + [(row, column, digest) for (row, column), digest in digests.items()]
        return msgspec.structs.replace(entry, unseen=sorted(texts))

    def _of_matrix(self, matrix: NDArray[np.float64]) -> dict[tuple[int, int], str]:
        found: dict[tuple[int, int], str] = {}
        for column, digests in self._texts.items():
            for row, code in enumerate(matrix[:, column].tolist()):
                if code >= 0:  # false where it is missing
                    found[row, column] = digests[int(code)]
        for column in self._numbers:
            for row, value in enumerate(matrix[:, column].tolist()):
                digest = self._privacy.digest_of(value)
                if digest is not None:
                    found[row, column] = digest
        return found


def has_private(signature: Signature) -> bool:
    """Whether anything of this signature must not be written as it is."""
    return any(feature.role != "keep" for feature in signature.features)


def protect(signature: Signature, columns: Mapping[str, NDArray[Any]], privacy: Privacy) -> dict[str, NDArray[Any]]:
    """The columns of held-out rows as the log would hold them: dropped ones gone, hashed ones as digests."""
    return {
        feature.name: _digests(columns[feature.name], privacy) if feature.is_hashed else columns[feature.name]
        for feature in signature.features
        if feature.is_logged and feature.name in columns
    }


def _digests(column: NDArray[Any], privacy: Privacy) -> NDArray[np.object_]:
    missing = np.ma.getmaskarray(column)
    values = np.ma.getdata(column).tolist()
    return np.array(
        [None if absent else privacy.digest_of(value) for value, absent in zip(values, missing, strict=True)],
        dtype=object,
    )


def _make_key(path: Path) -> bytes:
    """A new private key, whole from the moment it has its name; of two who make one the first wins."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f".privacy-{secrets.token_hex(6)}")
    fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, secrets.token_bytes(KEY_BYTES))
        os.fsync(fd)
        os.link(fresh, path)
    except FileExistsError:
        pass
    finally:
        os.close(fd)
        fresh.unlink()
    sync_folder(path.parent)
    return path.read_bytes()
