"""The throwaway process that opens a pickle: shut in first, then load, convert, write the results, end.

Only `convert.py` starts it, as `python -I -m gyroscope.models.convert_child`, in a folder of its own and with an empty
environment. Nothing it writes is trusted by the parent, which checks and compares by itself.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from gyroscope.errors import GyroscopeError, ModelError
from gyroscope.models.agreement import Precision
from gyroscope.models.samples import Packed, pack, unpack
from gyroscope.models.sandbox import Confinement, Limits, confine
from gyroscope.records import Signature

JOB, RESULT, SOURCE, NATIVE, SKOPS = "job.msgpack", "result.msgpack", "source.bin", "native.npy", "native.skops"


class Job(msgspec.Struct, frozen=True):
    """What the parent wants."""

    limits: Limits
    random_rows: int
    signature: Signature | None = None
    columns: Packed | None = None


class Result(msgspec.Struct, frozen=True):
    """What the child says of itself; `error` is empty when it went well."""

    confinement: Confinement
    error: tuple[str, str] = ("", "")
    estimator: str = ""
    signature: Signature | None = None
    columns: Packed = {}
    converted: tuple[Precision, ...] = ()
    refused: tuple[str, ...] = ()


def main() -> None:
    """Shut in, then open. Everything before `confine` is our own code and the standard library's."""
    folder = Path.cwd()
    job = msgspec.msgpack.decode((folder / JOB).read_bytes(), type=Job)
    confinement = confine(folder, job.limits)
    try:
        result = _convert(folder, job, confinement)
    except GyroscopeError as error:
        result = Result(confinement, error=(error.what, error.fix))
    except Exception as error:  # noqa: BLE001  the file is foreign code
        result = Result(confinement, error=(f"{type(error).__name__}: {error}"[:500], ""))
    (folder / RESULT).write_bytes(msgspec.msgpack.encode(result))


def _convert(folder: Path, job: Job, confinement: Confinement) -> Result:
    estimator = _load(folder / SOURCE)
    from gyroscope.models.estimators import as_it_is, describe, native_outputs, random_columns, to_onnx

    columns = unpack(job.columns) if job.columns is not None else None
    signature = describe(estimator, columns, job.signature)
    if columns is None:
        columns = random_columns(estimator, signature, job.random_rows)
    missing = [name for name in signature.names if name not in columns]
    if missing:
        raise ModelError(
            f"the data has no column {missing[0]!r}", where="data", fix=f"give {', '.join(signature.names)}"
        )
    used = {name: columns[name] for name in signature.names}
    np.save(folder / NATIVE, native_outputs(estimator, signature, used), allow_pickle=False)
    converted, refused = to_onnx(estimator, signature)
    for precision, content in converted.items():
        (folder / f"{precision}.onnx").write_bytes(content)
    (folder / SKOPS).write_bytes(as_it_is(estimator))
    return Result(
        confinement,
        estimator=type(estimator).__name__,
        signature=signature,
        columns=pack(used) if job.columns is None else {},
        converted=tuple(converted),
        refused=tuple(refused),
    )


def _load(path: Path) -> Any:
    """The one line of the whole product that unpickles."""
    import joblib

    try:
        return joblib.load(path)
    except ModuleNotFoundError as error:
        raise ModelError(
            f"the file needs the module {error.name!r}, which is not installed here",
            fix=f"pip install {(error.name or '').partition('.')[0]}, or add your code with the runner python",
        ) from error


if __name__ == "__main__":
    main()
    sys.exit(0)
