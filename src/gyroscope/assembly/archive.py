"""The file of a backup: a plain tar whose last member lists every other with its SHA-256.

`backup.py` writes one, `restore.py` reads one. Streams only: no member is ever whole in memory. What is read is data
from anywhere: names that lead out of the folder, links and members that the list does not name are refused.
"""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

import msgspec

from gyroscope.errors import StoreError
from gyroscope.predictions.tables.rewrite import sync

FORMAT = 1
MANIFEST = "manifest.json"
CHUNK_BYTES = 1_048_576
# A list of a million files; a larger one is no list of ours.
MANIFEST_BYTES = 256 * 1_048_576


class Member(msgspec.Struct, frozen=True):
    """One file as it was written."""

    name: str
    bytes: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True):
    """What a backup holds. `tables` are the versions that its snapshots stand at."""

    format: int
    made_by: str
    began_at: str
    tables: dict[str, int]
    has_keys: bool
    members: tuple[Member, ...]


class Packer:
    """Writes members one after the other."""

    def __init__(self, file: IO[bytes], *, is_zipped: bool) -> None:
        self.members: list[Member] = []
        self._tar = tarfile.open(  # noqa: SIM115  # closed by `finish`
            fileobj=file, mode="w|gz" if is_zipped else "w|", format=tarfile.PAX_FORMAT
        )

    def add(self, name: str, path: Path) -> None:
        """A file that does not change while it is read; raises `FileNotFoundError` when it is gone."""
        with path.open("rb") as file:
            self._add(name, file, os.fstat(file.fileno()).st_size)

    def add_bytes(self, name: str, data: bytes) -> None:
        self._add(name, io.BytesIO(data), len(data))

    def finish(self, manifest: Manifest) -> None:
        """Write the list, with what was added, and end the archive."""
        manifest = msgspec.structs.replace(manifest, members=tuple(self.members))
        self.add_bytes(MANIFEST, msgspec.json.encode(manifest))
        self.close()

    def close(self) -> None:
        """Let go, after an error too, while the file is still open."""
        self._tar.close()

    def _add(self, name: str, file: IO[bytes], size: int) -> None:
        info = tarfile.TarInfo(name)
        info.size, info.mode = size, 0o600
        counted = _Counted(file)
        self._tar.addfile(info, counted)
        self.members.append(Member(name, size, counted.digest.hexdigest()))


class _Counted:
    """A file whose bytes are hashed as they are read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self.digest.update(data)
        return data


def unpack(archive: Path, folder: Path) -> Manifest:
    """Every member below `folder`, checked against the list. Raises `StoreError` for anything that is not as listed."""
    found: dict[str, Member] = {}
    manifest: Manifest | None = None
    with _errors_named(archive), tarfile.open(archive, mode="r|*") as tar:
        for info in tar:
            if manifest is not None:
                raise _refused(archive, f"{info.name!r} follows the list")
            if info.name == MANIFEST:
                manifest = _manifest(archive, _stream(tar, info, archive).read(MANIFEST_BYTES))
                continue
            _check_name(archive, info, found)
            found[info.name] = _write(_stream(tar, info, archive), info.name, folder / info.name)
    if manifest is None:
        raise _refused(archive, "its list is missing: it was cut short")
    _compare(archive, manifest, found)
    for path in (folder, *(path for path in folder.rglob("*") if path.is_dir())):
        sync(path)
    return manifest


def _stream(tar: tarfile.TarFile, info: tarfile.TarInfo, archive: Path) -> IO[bytes]:
    if not info.isreg() or info.issparse():
        raise _refused(archive, f"{info.name!r} is no plain file")
    stream = tar.extractfile(info)
    if stream is None:
        raise _refused(archive, f"{info.name!r} holds nothing")
    return stream


def _check_name(archive: Path, info: tarfile.TarInfo, found: dict[str, Member]) -> None:
    path = PurePosixPath(info.name)
    is_inside = not path.is_absolute() and ".." not in path.parts and "\0" not in info.name and str(path) == info.name
    if not is_inside or info.name in found:
        raise _refused(archive, f"{info.name!r} is no name for a member")


def _write(stream: IO[bytes], name: str, target: Path) -> Member:
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest, size = hashlib.sha256(), 0
    fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        while data := stream.read(CHUNK_BYTES):
            digest.update(data)
            size += len(data)
            file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return Member(name, size, digest.hexdigest())


def _manifest(archive: Path, data: bytes) -> Manifest:
    try:
        number = msgspec.json.decode(data, type=_Numbered).format
        if number > FORMAT:
            raise StoreError(
                f"this backup is of format {number}; this version reads up to {FORMAT}",
                where=str(archive),
                fix="restore it with the version that made it, or a newer one",
            )
        return msgspec.json.decode(data, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _refused(archive, f"its list cannot be read: {error}") from error


class _Numbered(msgspec.Struct):
    format: int


def _compare(archive: Path, manifest: Manifest, found: dict[str, Member]) -> None:
    listed = {member.name: member for member in manifest.members}
    wrong = sorted(name for name in listed.keys() | found.keys() if listed.get(name) != found.get(name))
    if wrong:
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        raise _refused(archive, f"{wrong[0]!r}{more} is not what was backed up")


@contextmanager
def _errors_named(archive: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, ValueError) as error:
        raise _refused(archive, str(error)) from error
    except OSError as error:
        raise StoreError(
            f"the backup cannot be unpacked: {error}", where=str(archive), fix="make room, or mend what it names"
        ) from error


def _refused(archive: Path, why: str) -> StoreError:
    return StoreError(
        f"this backup is damaged or none of ours: {why}", where=str(archive), fix="nothing was restored; take another"
    )
