"""What an artifact is, judged by its content and not by its name.

The store and the command line ask here before anything opens a file; pickles are found even when renamed or compressed.
Nothing here executes what it reads: pickles are only recognised, never loaded.
"""

from __future__ import annotations

import bz2
import io
import lzma
import pickletools
import zipfile
import zlib
from pathlib import Path
from typing import Literal, cast

from gyroscope import backends
from gyroscope.errors import ModelError, did_you_mean
from gyroscope.records import RunnerName

Format = Literal["onnx", "lightgbm", "xgboost", "skops", "python", "pickle", "torch", "unknown"]

PICKLE_SUFFIXES = (".pkl", ".pickle", ".joblib", ".dill", ".cloudpickle")
HEAD_BYTES = 4_096
# A protocol 0 or 1 pickle has no magic number: its opcodes are walked instead, up to this size (1 MiB takes about 1 s).
WALK_BYTES = 1 << 20


def format_of(path: Path) -> Format:
    """Which runner's food this file or folder is. Raises `ModelError` when it is missing or unreadable."""
    if path.is_dir():
        return "python"
    content = read_artifact(path)
    if is_pickle(path.name, content):
        return "pickle"
    if content.startswith((b"tree\n", b"tree\r\n")):
        return "lightgbm"
    if _is_xgboost(content):
        return "xgboost"
    names = _names_inside(content)
    if "schema.json" in names:
        return "skops"
    if _is_torch(names):
        return "torch"
    if path.suffix == ".py":
        return "python"
    return "onnx" if _is_protobuf_model(content) else "unknown"


def runner_of(path: Path, entry: str, runner: str) -> RunnerName:
    """The runner that was named, else the one that this artifact fits.

    Raises `ModelError` when none of that name exists or none fits, when code comes without its class, for a pickle.
    """
    known = backends.known("runners")
    if runner and runner not in known:
        raise ModelError(f"no runner is called {runner!r}", where="--runner", fix=did_you_mean(runner, known))
    found = runner or ("python" if entry else format_of(path))
    if found in ("pickle", "torch"):
        refuse_pickle(path, read_artifact(path))
    if found == "python" and not entry:
        raise ModelError(
            "code needs the name of its class",
            where=str(path),
            fix=f"write {path.name}:ClassName, for a folder with --code",
        )
    if found not in known:
        raise ModelError(
            "this file is neither ONNX nor LightGBM nor XGBoost nor skops",
            where=str(path),
            fix=f"name its runner: --runner {' or '.join(known)}",
        )
    return cast("RunnerName", found)


def read_artifact(path: Path) -> bytes:
    """All bytes of one file. Raises `ModelError` that says why they cannot be had."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise ModelError("there is no such file", where=str(path), fix="check the path of the model") from error
    except OSError as error:
        raise ModelError(
            f"the file cannot be read: {error.strerror}", where=str(path), fix="check its owner and mode (ls -l)"
        ) from error


def is_pickle(name: str, content: bytes) -> bool:
    """Whether this is a pickle or joblib file, plain or compressed, whatever it is called.

    >>> import pickle
    >>> is_pickle("model.onnx", pickle.dumps([1]))
    True
    >>> is_pickle("model.txt", zlib.compress(pickle.dumps([1])))
    True
    >>> is_pickle("model.txt", b"tree")
    False
    """
    if name.lower().endswith(PICKLE_SUFFIXES):
        return True
    return _has_pickle_opcodes(content) or _has_pickle_opcodes(_decompressed_head(content))


def refuse_pickle(path: Path, content: bytes) -> None:
    """Raise the `ModelError` that tells what to do instead of loading a pickle, or what torch saved."""
    if _is_torch(_names_inside(content)):
        raise ModelError(
            "this is a file of torch, which is not run here",
            where=str(path),
            fix="where torch is: torch.onnx.export(module, ..., external_data=False), and add the .onnx file",
        )
    if is_pickle(path.name, content):
        raise ModelError(
            "this is a pickle or joblib file: opening one runs whatever code it holds, so it is not loaded here",
            where=str(path),
            fix=f"gyro models convert {path.name}  (opens it in a throwaway process and writes ONNX)",
        )


def _is_xgboost(content: bytes) -> bool:
    """JSON or UBJSON whose first key is "learner" or "version"."""
    head = content[:HEAD_BYTES].lstrip()
    return head.startswith(b"{") and (b"learner" in head[:64] or (b"version" in head[:64] and b"learner" in content))


def _names_inside(content: bytes) -> list[str]:
    """What a zip file holds; nothing when it is none."""
    if not content.startswith(b"PK\x03\x04"):
        return []
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            return file.namelist()
    except zipfile.BadZipFile:
        return []


def _is_torch(names: list[str]) -> bool:
    """What `torch.save` and `torch.export.save` write: all in one folder, with a pickle or the name of its format."""
    return any(name.partition("/")[2] in ("data.pkl", "archive_format") for name in names)


def _is_protobuf_model(content: bytes) -> bool:
    """An ONNX file starts with field 1 (ir_version), a small varint."""
    return len(content) > 2 and content[0] == 0x08 and 1 <= content[1] <= 32


def _has_pickle_opcodes(content: bytes) -> bool:
    if len(content) > 1 and content[0] == 0x80 and content[1] <= 5:
        return True
    if not content.endswith(b".") or len(content) > WALK_BYTES:
        return False
    try:
        pickletools.dis(content, out=io.StringIO())  # walks and checks the stack; it executes nothing
    except (ValueError, UnicodeDecodeError, OverflowError, IndexError):
        return False
    return True


def _decompressed_head(content: bytes) -> bytes:
    """The first bytes inside a gzip, zlib, bzip2 or xz stream; empty when it is none."""
    try:
        if content.startswith(b"\x1f\x8b"):
            return zlib.decompressobj(wbits=31).decompress(content, HEAD_BYTES)
        if content.startswith(b"x") and len(content) > 2:
            return zlib.decompressobj().decompress(content, HEAD_BYTES)
        if content.startswith(b"BZh"):
            return bz2.BZ2Decompressor().decompress(content, HEAD_BYTES)
        if content.startswith((b"\xfd7zXZ", b"\x5d\x00\x00")):
            return lzma.LZMADecompressor().decompress(content, HEAD_BYTES)
    except (zlib.error, OSError, lzma.LZMAError, EOFError):
        return b""
    return b""
