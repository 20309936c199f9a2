"""Runners: what turns rows into outputs, one file per kind of artifact, found by name in `backends.py`.

Replicas and offline checks open versions here. A runner never sees a request and never reads a store:
it is handed bytes that were just verified.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope import backends
from gyroscope.errors import GyroscopeError, ModelError, OutputError
from gyroscope.models.store import ModelStore
from gyroscope.models.versions import Artifact
from gyroscope.records import Signature, Version

PROBABILITY_SLACK = 1e-5
"""How far outside [0, 1] a probability may lie: float32 softmax sums are off by some 1e-7."""

FLOAT64_MAX = sys.float_info.max

_ONE = (1,)


class Rows(msgspec.Struct, frozen=True):
    """The input of a model.

    `matrix` is float64 (n, features) in the signature's order; a category is its code, NaN when missing or unseen;
    bool is 0 or 1. `unseen` lists (row, column, text) of the categories that the signature does not know.
    """

    matrix: NDArray[np.float64]
    unseen: tuple[tuple[int, int, str], ...] = ()


class Runner(Protocol):
    """One loaded model. Blocking, deterministic, and called by one thread at a time."""

    def predict(self, rows: Rows) -> NDArray[np.float64]:
        """One output row per input row, in order. A backend may raise anything: what `open_runner` returns does not."""
        ...


class RunnerBackend(Runner, Protocol):
    """What a file of this folder holds: a runner that knows how to load itself.

    One that has a shorter way for a single row of numbers says so by `takes_one` and `one`, as `Checked` does; one that
    answers so many of them sooner together, none with a missing value, by `several_from` and `several`.
    """

    @classmethod
    def load(cls, artifact: Artifact, signature: Signature, threads: int = 1) -> Self:
        """Open verified content. Raises `ModelError` when it does not fit the signature; anything else becomes one."""
        ...


def open_runner(store: ModelStore, version: Version, threads: int = 1) -> Runner:
    """Verify a version's bytes, load them, and hold every answer to the signature.

    Raises `ModelError` when the bytes are not what was added or do not load, `GyroscopeError` for a missing library.
    """
    return load_runner(version.runner, store.artifact(version), version.signature, threads)


def load_runner(name: str, artifact: Artifact, signature: Signature, threads: int = 1) -> Runner:
    """As `open_runner`, for content that is not in a store yet."""
    backend: type[RunnerBackend] = backends.load("runners", name)
    with foreign(f"the {name} model cannot be loaded", where=str(artifact.path), error=ModelError):
        return Checked(backend.load(artifact, signature, threads), signature)


def rehearse(version: Version, artifact: Artifact) -> None:
    """Load a version and let it answer two plain rows (zeros, first categories), as `ModelStore.add` can do beforehand.

    Raises `ModelError` when it does not load, `OutputError` when its answer is not what the signature says.
    """
    runner = load_runner(version.runner, artifact, version.signature)
    runner.predict(Rows(np.zeros((2, len(version.signature.features)))))


class Checked:
    """Any runner, held to its promise: a float64 array of the signature's shape, or an `OutputError`."""

    def __init__(self, runner: Runner, signature: Signature) -> None:
        self._runner = runner
        self._signature = signature
        self._task = signature.task
        self.takes_one = signature.task != "multiclass" and bool(getattr(runner, "takes_one", False))
        self._one: Callable[[bytes], float | None] = getattr(runner, "one", lambda _: None)
        self.several_from: int = getattr(runner, "several_from", 0)
        self._several: Callable[[Sequence[bytes]], Sequence[float]] = getattr(runner, "several", lambda _: ())
        self._lowest, self._highest = (0.0, 1.0) if signature.says_probabilities else (-FLOAT64_MAX, FLOAT64_MAX)

    def predict(self, rows: Rows) -> NDArray[np.float64]:
        """(n,) or (n, classes), C-contiguous. Raises `OutputError` for anything else and for what the model raises."""
        try:
            raw = self._runner.predict(rows)
        except (GyroscopeError, KeyboardInterrupt):
            raise
        except BaseException as cause:
            # To exit too, and a panic of Rust's, which is no `Exception`: as the door tries a row on each replica, it
            # would end one after the other.
            raise _ours(cause, "the model raised", "model_raised", OutputError) from cause
        n = len(rows.matrix)
        if n == 1 and self._is_plain(raw):
            return raw
        return checked_outputs(raw, n, self._signature)

    def one(self, numbers: bytes) -> float | None:
        """What `predict` says of one row, given as the bytes of its float64 numbers; None when that must be asked.

        Only where `takes_one` says so. Never raises: `predict` finds the same fault and has words for it.
        """
        try:
            answer = self._one(numbers)
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001 - as in `predict`, which is asked next and says what it is
            return None
        return answer if answer is not None and self._lowest <= answer <= self._highest else None

    def several(self, rows: Sequence[bytes]) -> list[float | None]:
        """As `one` of each, asked at once; only of `several_from` rows and more, and never where that is zero.

        No value may be missing.
        """
        try:
            said = zip(rows, self._several(rows), strict=True)
            return [answer if self._lowest <= answer <= self._highest else None for _, answer in said]
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001 - as in `one`
            return [None] * len(rows)

    def _is_plain(self, raw: NDArray[np.float64]) -> bool:
        """Whether nothing is wrong with the one number that most requests get: a tenth of the whole check."""
        if self._task == "multiclass" or type(raw) is not np.ndarray or raw.shape != _ONE or raw.dtype != np.float64:
            return False
        return 0.0 <= raw.item() <= 1.0 or (not self._signature.says_probabilities and math.isfinite(raw.item()))


def checked_outputs(raw: object, n: int, signature: Signature) -> NDArray[np.float64]:
    """The one contract of outputs: numbers, finite, the right shape, probabilities within [0, 1].

    >>> checked_outputs([[0.25]], 1, Signature("binary", ()))
    array([0.25])

    Raises `OutputError` whose `where` is `model_output_invalid`.
    """
    try:
        outputs = np.ascontiguousarray(raw, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise _invalid(f"the model returned no numbers: {error}") from error
    wanted = (n, signature.width) if signature.task == "multiclass" else (n,)
    if outputs.shape == (n, 1) and wanted == (n,):
        outputs = outputs.reshape(n)
    if outputs.shape != wanted:
        raise _invalid(f"the model returned the shape {outputs.shape}, the signature says {wanted}")
    finite = np.isfinite(outputs)
    if not finite.all():
        row = int(np.argwhere(~finite)[0][0])
        raise _invalid(f"the model returned {outputs[row]} for row {row}")
    return _probabilities(outputs) if n and signature.says_probabilities else outputs


@contextmanager
def foreign(what: str, *, where: str, error: type[GyroscopeError]) -> Iterator[None]:
    """The border to code that is not ours: whatever it raises becomes one of our errors, with its cause."""
    try:
        yield
    except (GyroscopeError, KeyboardInterrupt):
        raise
    except BaseException as cause:
        raise _ours(cause, what, where, error) from cause


def _ours(cause: BaseException, what: str, where: str, error: type[GyroscopeError]) -> GyroscopeError:
    detail = " ".join(str(cause).split())[:500]
    return error(f"{what}: {type(cause).__name__}: {detail}", where=where, fix="see the cause in the log")


def _probabilities(outputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """As they are; rounding beyond 0 or 1 is taken off, since metrics refuse what is no probability."""
    low, high = outputs.min(), outputs.max()
    if low < -PROBABILITY_SLACK or high > 1 + PROBABILITY_SLACK:
        raise _invalid(f"the model returned probabilities from {low:g} to {high:g}")
    return outputs if low >= 0 and high <= 1 else outputs.clip(0, 1)


def _invalid(what: str) -> OutputError:
    return OutputError(what, where="model_output_invalid", fix="compare the model with its signature, offline")
