"""The store of model versions: content-addressed folders under `<home>/models`, written whole or not at all.

The command line, the demo and the rooms above add and read versions here. A version never changes after it was added;
its bytes are hashed again at every load. It never runs a model and never unpickles.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from gyroscope.clock import EventTime
from gyroscope.errors import ModelError, did_you_mean
from gyroscope.models.lineage import Lineage
from gyroscope.models.reference import ReferenceProfile
from gyroscope.models.signature import check_signature
from gyroscope.models.versions import CODE_FOLDER, Artifact, copy_in, digest, sync_folder, write_synced
from gyroscope.records import NotEnoughData, RunnerName, Signature, Version

MODEL_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
VERSION_NAME = re.compile(r"[0-9a-f]{12}")
RECORD = "version.json"
REFERENCE = "reference.bin"
LINEAGE = "lineage.json"
LEFTOVER = ".adding-"

Check = Callable[[Version, Artifact], None]


class Candidate(msgspec.Struct, frozen=True):
    """What someone wants to add. `artifact` is a file, or for the runner `python` a file or folder of code
    whose class is named by `entry` as `module:Class`. A model served elsewhere (`external`) has no artifact; `entry` is
    what this version is called there.
    """

    model: str
    runner: RunnerName
    signature: Signature
    artifact: Path = Path()
    entry: str = ""
    notes: tuple[str, ...] = ()


class ModelStore:
    """Versions below one home. Many processes may read and add at once; adding one model's versions is serialised."""

    def __init__(self, home: Path) -> None:
        self._root = home / "models"

    def add(self, candidate: Candidate, now: EventTime, check: Check | None = None) -> Version:
        """Store a candidate and return its version; the same content again returns the version that is there.

        `check` (see `runners.rehearse`) is given what was written before anybody can see it, and refuses by raising.
        Atomic: after `kill -9` at any point the version is there whole or not at all. A damaged one is replaced.
        Raises `ModelError` for a bad name or signature, a missing or unreadable file, a pickle, a full disk.
        """
        check_model_name(candidate.model)
        check_signature(candidate.signature)
        _check_entry(candidate)
        with self._only_writer(candidate.model) as folder:
            fresh = folder / f"{LEFTOVER}{secrets.token_hex(6)}"
            try:
                version, artifact = _write(candidate, fresh, now)
                present = self._intact(version)
                if present is None and check is not None:
                    check(version, artifact)
                return present or _publish(fresh, folder / version.version, version)
            finally:
                shutil.rmtree(fresh, ignore_errors=True)

    def models(self) -> list[str]:
        """Names of all models that have a version."""
        if not self._root.is_dir():
            return []
        return sorted(
            path.name for path in self._root.iterdir() if MODEL_NAME.fullmatch(path.name) and self._ids(path.name)
        )

    def versions(self, model: str) -> list[Version]:
        """All versions of one model, oldest first; empty when there is none."""
        found = [self.get(model, name) for name in self._ids(model)]
        return sorted(found, key=lambda version: (version.created_at, version.version))

    def get(self, model: str, version: str) -> Version:
        """The record of one version; `artifact` verifies its bytes. Raises `ModelError` when it is not there."""
        known = self._ids(model)
        if version not in known:
            raise self._unknown(model, version, known)
        path = self._root / model / version / RECORD
        try:
            return msgspec.json.decode(path.read_bytes(), type=Version)
        except (OSError, msgspec.MsgspecError) as error:
            raise ModelError(
                f"the record of version {version} is damaged: {error}", where=str(path), fix=_add_again(model)
            ) from error

    def artifact_path(self, version: Version) -> Path:
        """Where the artifact lies; its bytes are not checked. Use `artifact` to load it."""
        return self._folder(version) / version.artifact

    def artifact(self, version: Version) -> Artifact:
        """Read the artifact and verify that it is what was added.

        Raises `ModelError` when the bytes, the signature or the runner no longer hash to the version.
        """
        path = self.artifact_path(version)
        found, content = digest(version.signature, version.runner, version.entry, path)
        if found != version.sha256 or found[:12] != version.version:
            raise ModelError(
                f"version {version.version} of {version.model!r} is not what was added: its SHA-256 is {found[:12]}...",
                where=str(path),
                fix=_add_again(version.model),
            )
        return Artifact(path=path, content=content, entry=version.entry)

    def reference_path(self, version: Version) -> Path:
        """Where the reference lies, once there is one; it is replaced by a rename."""
        return self._folder(version) / REFERENCE

    def reference(self, version: Version) -> ReferenceProfile | NotEnoughData:
        """What the version's held-out predictions looked like, if anyone has said so yet."""
        path = self.reference_path(version)
        if not path.is_file():
            return NotEnoughData(f"version {version.version} has no reference yet")
        try:
            return ReferenceProfile.from_bytes(path.read_bytes())
        except (OSError, ValueError, msgspec.MsgspecError) as error:
            raise ModelError(
                f"the reference of version {version.version} is damaged: {error}",
                where=str(path),
                fix="put it again: gyro models add with --reference",
            ) from error

    def put_reference(self, version: Version, reference: ReferenceProfile) -> None:
        """Set or replace the reference, atomically."""
        folder = self._folder(version)
        fresh = folder / f".{REFERENCE}-{secrets.token_hex(6)}"
        try:
            write_synced(fresh, reference.to_bytes())
            fresh.replace(folder / REFERENCE)
            sync_folder(folder)
        finally:
            fresh.unlink(missing_ok=True)

    def put_lineage(self, version: Version, lineage: Lineage) -> None:
        """Write down where a version comes from; the first word stands."""
        path = self._folder(version) / LINEAGE
        if not path.is_file():
            write_synced(path, msgspec.json.format(msgspec.json.encode(lineage), indent=2))

    def lineage(self, version: Version) -> Lineage | NotEnoughData:
        """Where a version comes from, if retraining made it."""
        try:
            return msgspec.json.decode((self._folder(version) / LINEAGE).read_bytes(), type=Lineage)
        except (OSError, msgspec.MsgspecError):
            return NotEnoughData(f"nobody wrote down where version {version.version} comes from")

    def _intact(self, version: Version) -> Version | None:
        """The version that is already there and whole."""
        if not self._folder(version).is_dir():
            return None
        try:
            present = self.get(version.model, version.version)
            self.artifact(present)
        except ModelError:
            return None
        return present

    def _ids(self, model: str) -> list[str]:
        folder = self._root / model
        if not MODEL_NAME.fullmatch(model) or not folder.is_dir():
            return []
        return sorted(path.name for path in folder.iterdir() if VERSION_NAME.fullmatch(path.name))

    def _folder(self, version: Version) -> Path:
        return self._root / version.model / version.version

    def _unknown(self, model: str, version: str, known: list[str]) -> ModelError:
        where = f"{self._root / model}"
        if not known:
            return ModelError(
                f"no model is called {model!r}", where=where, fix=did_you_mean(model, self.models() or ["none"])
            )
        return ModelError(f"{model!r} has no version {version!r}", where=where, fix=did_you_mean(version, known))

    @contextmanager
    def _only_writer(self, model: str) -> Iterator[Path]:
        """Hold the model's lock and sweep what a killed writer left: nobody else can be writing."""
        folder = self._root / model
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise ModelError(
                f"the model store cannot be written: {error.strerror}",
                where=str(folder),
                fix="check its owner and mode",
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for leftover in folder.glob(f"{LEFTOVER}*"):
                shutil.rmtree(leftover, ignore_errors=True)
            yield folder
        finally:
            os.close(lock)


def check_model_name(model: str) -> None:
    """Names become folders, URLs and labels. Raises `ModelError` for what cannot be one."""
    if not MODEL_NAME.fullmatch(model):
        raise ModelError(
            f"{model!r} cannot be the name of a model",
            where="the name",
            fix="1 to 63 characters of a-z, 0-9, '-' and '_', starting with a letter or digit",
        )


def _check_entry(candidate: Candidate) -> None:
    if candidate.runner == "external":
        return
    if candidate.runner != "python":
        if candidate.artifact.is_dir():
            raise ModelError(
                f"the runner {candidate.runner!r} takes one file, and this is a folder",
                where=str(candidate.artifact),
                fix="name the file inside it",
            )
        return
    module, colon, name = candidate.entry.partition(":")
    if not (colon and name.isidentifier() and all(part.isidentifier() for part in module.split("."))):
        raise ModelError(
            f"{candidate.entry!r} does not name a class",
            where="entry",
            fix="write it as module:Class, e.g. churn:Model",
        )


def _write(candidate: Candidate, fresh: Path, now: EventTime) -> tuple[Version, Artifact]:
    """Copy everything into a folder nobody looks at, and hash what was copied."""
    fresh.mkdir(mode=0o700)
    name = _copy(candidate, fresh)
    target = fresh / name
    sha256, content = digest(candidate.signature, candidate.runner, candidate.entry, target)
    version = Version(
        model=candidate.model,
        version=sha256[:12],
        runner=candidate.runner,
        artifact=name,
        sha256=sha256,
        signature=candidate.signature,
        created_at=now,
        entry=candidate.entry,
        notes=candidate.notes,
    )
    write_synced(fresh / RECORD, msgspec.json.format(msgspec.json.encode(version), indent=2))
    return version, Artifact(path=target, content=content, entry=candidate.entry)


def _copy(candidate: Candidate, fresh: Path) -> str:
    """Copy the artifact in; its name there, empty where there is none."""
    if candidate.runner == "external":
        return ""
    name = CODE_FOLDER if candidate.runner == "python" else f"model{candidate.artifact.suffix}"
    is_one_file = candidate.runner == "python" and candidate.artifact.is_file()
    copy_in(candidate.artifact, fresh / name / candidate.artifact.name if is_one_file else fresh / name)
    return name


def _publish(fresh: Path, final: Path, version: Version) -> Version:
    """One rename makes the version appear; a damaged one of the same name steps aside and leaves its reference."""
    if final.is_dir():
        if (final / REFERENCE).is_file():
            shutil.copy2(final / REFERENCE, fresh / REFERENCE)
        final.rename(final.with_name(f"{LEFTOVER}{secrets.token_hex(6)}"))
    fresh.rename(final)
    sync_folder(final.parent)
    return version


def _add_again(model: str) -> str:
    return f"gyro models add {model} with the original file puts it right"
