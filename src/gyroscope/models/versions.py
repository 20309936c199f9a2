"""Content addresses: what is hashed, how an artifact is copied in, how it is read back and found untouched.

Only the store calls this. Nothing here imports or runs a model, and no byte is trusted because of its name.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from gyroscope.errors import ModelError
from gyroscope.models.formats import read_artifact, refuse_pickle
from gyroscope.records import RunnerName, Signature

SKIPPED_NAMES = ("__pycache__", ".git", ".ipynb_checkpoints")
CODE_FOLDER = "code"


class Artifact(msgspec.Struct, frozen=True):
    """Verified content, as a runner loads it.

    `content` holds the very bytes that were hashed; it is empty for a folder of code, whose files were hashed where
    they lie, at `path`.
    """

    path: Path
    content: bytes
    entry: str = ""


def digest(signature: Signature, runner: RunnerName, entry: str, path: Path) -> tuple[str, bytes]:
    """SHA-256 (hex) over the artifact's bytes, signature, runner and entry; and the bytes when it is one file.

    Raises `ModelError` when something cannot be read, is a link, or is a pickle.
    """
    seal = hashlib.sha256(msgspec.json.encode((runner, entry, _described(signature))))
    if runner == "external":
        return seal.hexdigest(), b""
    if not path.is_dir():
        content = read_artifact(path)
        refuse_pickle(path, content)
        _seal_file(seal, "", content)
        return seal.hexdigest(), content
    for name in files_of(path):
        content = read_artifact(path / name)
        refuse_pickle(path / name, content)
        _seal_file(seal, name, content)
    return seal.hexdigest(), b""


def _described(signature: Signature) -> Any:
    """Plain values. The role `keep` and no group are left out: a version from before there were such keeps its name."""
    plain = msgspec.to_builtins(signature)
    if not signature.group:
        del plain["group"]
    for feature in plain["features"]:
        if feature["role"] == "keep":
            del feature["role"]
    return plain


def files_of(folder: Path) -> list[str]:
    """Relative names of all files below, sorted. Raises `ModelError` on a link: its target could change later."""
    names = []
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            raise ModelError("a folder of code may not hold links", where=str(path), fix="copy the file there")
        if path.is_file():
            names.append(path.relative_to(folder).as_posix())
    return names


def copy_in(source: Path, target: Path) -> None:
    """Copy a file, or a folder of code without its caches, and sync every byte to disk."""
    if source.is_dir():
        for name in _wanted(files_of(source)):
            write_synced(target / name, read_artifact(source / name))
    else:
        write_synced(target, read_artifact(source))


def write_synced(path: Path, content: bytes) -> None:
    """Write one new file so that it survives a power cut. Raises `ModelError` when the disk refuses."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(path.parent)
    except OSError as error:
        raise ModelError(
            f"the model cannot be stored: {error.strerror}", where=str(path), fix="make room there"
        ) from error


def sync_folder(folder: Path) -> None:
    """Make a rename or a new name in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _seal_file(seal: hashlib._Hash, name: str, content: bytes) -> None:
    """Lengths go in first, so that no two different trees give one stream of bytes."""
    label = name.encode()
    seal.update(len(label).to_bytes(8, "little") + label + len(content).to_bytes(8, "little"))
    seal.update(content)


def _wanted(names: list[str]) -> Iterator[str]:
    for name in names:
        if not name.endswith(".pyc") and not any(part in SKIPPED_NAMES for part in name.split("/")):
            yield name
