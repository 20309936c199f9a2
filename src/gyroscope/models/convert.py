"""scikit-learn to ONNX: from a joblib or pickle file, or from an estimator that is an object already.

`gyro models convert` and users of Python call this. A file is never unpickled here: a throwaway process without
network, secrets or reach does it; what it wrote is checked and compared in this one, by the runner that will serve it.
"""

from __future__ import annotations

import io
import os
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.backends import missing_library
from gyroscope.errors import GyroscopeError, ModelError
from gyroscope.models.agreement import TOLERANCE, Agreement, Precision, compare
from gyroscope.models.convert_child import JOB, NATIVE, RESULT, SKOPS, SOURCE, Job, Result
from gyroscope.models.formats import is_pickle, read_artifact
from gyroscope.models.runners import load_runner
from gyroscope.models.samples import pack, read_sample, unpack
from gyroscope.models.sandbox import Confinement, Limits
from gyroscope.models.signature import check_signature, read_signature, write_signature
from gyroscope.models.versions import Artifact
from gyroscope.records import Signature

RANDOM_ROWS = 2_000
LOG = "log.txt"
LOG_TAIL_BYTES = 2_000

CLEAN_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "LANG": "C.UTF-8",
    # One thread: the walls go up around the thread that asks for them and those it starts later.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}

SAYS = {
    "full": "no network, no files but its own folder and the libraries, no other programs",
    "partial": "only a part of the walls could be put up here",
    "none": "NOTHING kept it in: this system allowed no sandbox",
}


class Conversion(msgspec.Struct, frozen=True):
    """A finished conversion. `said` tells it in plain words; `confinement` is None when no file was opened.

    `runner` is "skops" where the ONNX did not agree and the estimator is served as it is.
    """

    artifact: Path
    signature: Signature
    agreement: Agreement
    said: tuple[str, ...]
    confinement: Confinement | None = None
    runner: Literal["onnx", "skops"] = "onnx"


class Wish(msgspec.Struct, frozen=True):
    """How to convert. `data` and `signature` are files; without data, rows are drawn from what the model learned."""

    data: Path | None = None
    signature: Path | None = None
    tolerance: float = TOLERANCE
    accept_disagreement: bool = False
    limits: Limits = Limits()


class _Opened(msgspec.Struct, frozen=True):
    """Both models' side of a comparison, wherever the native one was asked."""

    estimator: str
    signature: Signature
    columns: dict[str, NDArray[Any]]
    data: Literal["given", "random"]
    native: NDArray[np.float64]
    onnx: dict[Precision, bytes]
    refused: tuple[str, ...]
    skops: bytes


def convert(source: Path, out: Path, wish: Wish | None = None) -> Conversion:
    """Convert a joblib or pickle file; writes `out` (.onnx) and its signature beside it (.signature.yaml).

    Where it cannot be converted, or both disagree by more than the tolerance, the estimator itself is written instead,
    in the format of skops. Raises `ModelError` when the file cannot be opened, or that cannot be had either.
    """
    wish = wish or Wish()
    content = read_artifact(source)
    if not is_pickle(source.name, content):
        raise ModelError("this is no pickle or joblib file", where=str(source), fix="gyro models add takes it as it is")
    signature = read_signature(wish.signature) if wish.signature else None
    columns = read_sample(wish.data) if wish.data else None
    job = Job(wish.limits, RANDOM_ROWS, signature, pack(columns) if columns is not None else None)
    with tempfile.TemporaryDirectory(prefix="gyroscope-convert-") as name:
        folder = Path(name)
        result = _open_in_child(folder, content, job, str(source))
        opened = _collect(folder, result, columns, str(source))
    walls = result.confinement
    said = (
        f"{source.name} holds a {opened.estimator}; it was opened in a throwaway process that is gone now.",
        f"Sandbox: {walls.level} ({SAYS[walls.level]}).",
    )
    return _finish(opened, out, wish, said, walls)


def from_sklearn(
    estimator: Any, columns: Mapping[str, NDArray[Any]] | None, out: Path, wish: Wish | None = None
) -> Conversion:
    """Convert a fitted estimator that is at hand: no pickle, no process. `columns` are rows to compare on, or None.

    Raises as `convert` does, and `GyroscopeError` when the extra `sklearn` is not installed.
    """
    try:
        from gyroscope.models.estimators import as_it_is, describe, native_outputs, random_columns, to_onnx
    except ModuleNotFoundError as missing:
        raise missing_library(missing, what="converting scikit-learn models") from missing
    wish = wish or Wish()
    signature = describe(estimator, columns, read_signature(wish.signature) if wish.signature else None)
    rows = dict(columns) if columns is not None else random_columns(estimator, signature, RANDOM_ROWS)
    onnx, refused = to_onnx(estimator, signature)
    opened = _Opened(
        estimator=type(estimator).__name__,
        signature=signature,
        columns=rows,
        data="random" if columns is None else "given",
        native=native_outputs(estimator, signature, rows),
        onnx=onnx,
        refused=tuple(refused),
        skops=as_it_is(estimator),
    )
    return _finish(opened, out, wish, (f"The {opened.estimator} was converted as it is in memory.",), None)


def _open_in_child(folder: Path, content: bytes, job: Job, where: str) -> Result:
    (folder / SOURCE).write_bytes(content)
    (folder / JOB).write_bytes(msgspec.msgpack.encode(job))
    environment = {**CLEAN_ENVIRONMENT, "HOME": str(folder), "TMPDIR": str(folder)}
    with (folder / LOG).open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-I", "-m", "gyroscope.models.convert_child"],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            code = child.wait(job.limits.wall_s)
        except subprocess.TimeoutExpired as error:
            raise ModelError(
                f"opening the file took longer than {job.limits.wall_s} s", where=where, fix="convert it elsewhere"
            ) from error
        finally:
            _end(child)
    if code != 0:
        raise ModelError(f"the throwaway process died ({_death(code)}): {_tail(folder)}", where=where, fix=_FIX)
    return _decode(folder, where)


_FIX = "scikit-learn and skl2onnx must be installed in the versions it was saved with"


def _decode(folder: Path, where: str) -> Result:
    try:
        result = msgspec.msgpack.decode(_take(folder / RESULT), type=Result)
    except msgspec.MsgspecError as error:
        raise ModelError(
            "the throwaway process answered nonsense", where=where, fix="do not trust this file"
        ) from error
    what, fix = (_printable(text) for text in result.error)
    if what:
        where = f"{where} (opened in a sandbox: {result.confinement.level})"
        raise ModelError(f"the file cannot be converted: {what}", where=where, fix=fix or _FIX)
    return result


def _collect(folder: Path, result: Result, columns: Mapping[str, NDArray[Any]] | None, where: str) -> _Opened:
    """Everything the child wrote, as if it had been written by an enemy."""
    if result.signature is None:
        raise ModelError("the throwaway process named no signature", where=where, fix="do not trust this file")
    check_signature(result.signature)
    try:
        native = np.load(io.BytesIO(_take(folder / NATIVE)), allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ModelError("the throwaway process gave no outputs", where=where, fix="do not trust this file") from error
    return _Opened(
        estimator=_printable(result.estimator[:100]),
        signature=result.signature,
        columns=unpack(result.columns) if columns is None else dict(columns),
        data="random" if columns is None else "given",
        native=native,
        onnx={precision: _take(folder / f"{precision}.onnx") for precision in result.converted},
        refused=tuple(_printable(reason) for reason in result.refused),
        skops=_take(folder / SKOPS),
    )


def _take(path: Path) -> bytes:
    """The bytes of a regular file; links and pipes that lead elsewhere are refused."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise ModelError(f"the throwaway process left no {path.name}", where=path.name, fix=_FIX) from error
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ModelError(f"{path.name} is no plain file", where=path.name, fix="do not trust this file")
        return file.read()


def _finish(
    opened: _Opened, out: Path, wish: Wish, said: tuple[str, ...], confinement: Confinement | None
) -> Conversion:
    """Compare each precision with the native model, float32 first, and write the first that agrees.

    Where none does, the estimator itself is what will be served, unless the disagreement is accepted.
    """
    tried = [_judge(opened, precision, content, wish.tolerance) for precision, content in opened.onnx.items()]
    chosen = next((one for one in tried if one.within(wish.tolerance)), None)
    if chosen is not None:
        return _written(opened, _Choice(out, opened.onnx[chosen.precision], chosen), said, confinement)
    if tried and wish.accept_disagreement:
        chosen = min(tried, key=lambda one: one.max_abs_difference)
        accepted = f"They DISAGREE by more than {wish.tolerance:g}; you chose to accept that."
        return _written(opened, _Choice(out, opened.onnx[chosen.precision], chosen), (*said, accepted), confinement)
    if tried:
        why = "the converted model does not agree with the native one: " + "; ".join(map(str, tried))
    else:
        why = f"skl2onnx cannot convert this {opened.estimator}: {'; '.join(opened.refused)}"
    itself = _itself(opened, wish.tolerance)
    if itself is None:
        fix = "add it as your own code: gyro models add --runner python"
        raise ModelError(
            why, where=f"{out}, tolerance {wish.tolerance:g}", fix=fix + (", or --accept-disagreement" if tried else "")
        )
    choice = _Choice(out.with_suffix(".skops"), opened.skops, itself, "skops")
    return _written(opened, choice, (*said, f"No ONNX: {why}.", "So it is served as it is, by skops."), confinement)


class _Choice(msgspec.Struct, frozen=True):
    """What is written, and how well it agrees."""

    out: Path
    content: bytes
    agreement: Agreement
    runner: Literal["onnx", "skops"] = "onnx"


def _written(opened: _Opened, choice: _Choice, said: tuple[str, ...], confinement: Confinement | None) -> Conversion:
    out, signature_path = choice.out, choice.out.with_suffix(".signature.yaml")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(choice.content)
        write_signature(opened.signature, signature_path)
    except OSError as error:
        raise ModelError(f"the result cannot be written: {error.strerror}", where=str(out), fix="choose -o") from error
    said = (*said, f"Compared on {choice.agreement}.", f"Wrote {out} and {signature_path}.")
    return Conversion(out, opened.signature, choice.agreement, said, confinement, choice.runner)


def _judge(opened: _Opened, precision: Precision, content: bytes, tolerance: float) -> Agreement:
    try:
        difference, equal = _compared("onnx", content, opened, tolerance)
    except GyroscopeError:
        # An answer that cannot even be compared (NaN, shape) is as far away as can be.
        difference, equal = float("inf"), 0.0
    return Agreement(len(opened.native), opened.data, precision, difference, equal)


def _itself(opened: _Opened, tolerance: float) -> Agreement | None:
    """How well the estimator agrees with itself, saved and opened again by what will serve it; None if it does not."""
    try:
        difference, equal = _compared("skops", opened.skops, opened, tolerance)
    except GyroscopeError:
        return None
    agreement = Agreement(len(opened.native), opened.data, "float64", difference, equal)
    return agreement if agreement.within(tolerance) else None


def _compared(runner: str, content: bytes, opened: _Opened, tolerance: float) -> tuple[float, float]:
    artifact = Artifact(Path(f"model.{runner}"), content)
    loaded = load_runner(runner, artifact, opened.signature)
    return compare(loaded, opened.signature, opened.columns, opened.native, tolerance)


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _death(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit {code}"


def _printable(text: str) -> str:
    """Words of the child for a terminal: nothing that moves a cursor or writes a clipboard."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def _tail(folder: Path) -> str:
    text = _take(folder / LOG)[-LOG_TAIL_BYTES:].decode("utf-8", "replace")
    return _printable(" ".join(text.split()))[-400:]
