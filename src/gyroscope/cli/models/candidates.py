"""What `gyro models add` was given, as a candidate for the store: which file, which runner, which class.

Only `add` calls this. It opens no model.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from gyroscope.errors import ModelError

if TYPE_CHECKING:
    from gyroscope.models import Candidate
    from gyroscope.records import Signature


class Given(msgspec.Struct, frozen=True):
    """The words of the command line; `called` is what an external version is called where it is served."""

    model: str
    artifact: str
    signature: Signature
    runner: str
    code: Path | None
    is_external: bool = False
    called: str = ""


def read_candidate(given: Given) -> Candidate:
    """A candidate from the words of the command line.

    Raises `ModelError` when the file is missing, no runner fits it, or it is a pickle.
    """
    from gyroscope.models import Candidate
    from gyroscope.models.formats import runner_of

    _check_words(given)
    if given.is_external:
        return Candidate(model=given.model, runner="external", signature=given.signature, entry=given.called)
    path, entry = _place_of(given.artifact, given.code)
    chosen = runner_of(path, entry, given.runner)
    return Candidate(model=given.model, runner=chosen, signature=given.signature, artifact=path, entry=entry)


def _check_words(given: Given) -> None:
    """An artifact, or that it is served elsewhere: one of the two."""
    if given.is_external and (given.artifact or given.runner or given.code):
        raise ModelError(
            "a model that is served elsewhere has no artifact, runner or code here",
            where="--external",
            fix="leave one of the two away",
        )
    if given.called and not given.is_external:
        raise ModelError(
            "a version is named by its content", where="--version", fix="a name of your own goes with --external"
        )
    if not given.artifact and not given.is_external:
        raise ModelError(
            "which artifact?",
            where=given.model,
            fix="name a file of an ONNX, LightGBM, XGBoost or skops model or churn.py:Class, or add --external",
        )


def _place_of(artifact: str, code: Path | None) -> tuple[Path, str]:
    """`model.onnx` is a file; `churn.py:Churn` and `churn:Churn` are a class in a file; with --code, in a folder."""
    place, colon, name = artifact.rpartition(":")
    if not colon or Path(artifact).exists():
        return Path(artifact), ""
    module = place.removesuffix(".py")
    if code is not None:
        return code, f"{module}:{name}"
    file = Path(f"{module}.py")
    if not file.is_file() and "/" not in module:
        file = Path(*module.split(".")).with_suffix(".py")
    if not file.is_file():
        raise ModelError(
            f"there is no {file} to find the class {name!r} in",
            where=artifact,
            fix="name the file, churn.py:Churn, or the folder it is in, --code FOLDER",
        )
    return file, f"{file.stem}:{name}"
