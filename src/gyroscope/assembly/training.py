"""A trainer's process: the labelled rows of a model go to the user's function, what it returns becomes an artifact.

Control's loop starts `python -m gyroscope.assembly train <settings> <model> <folder>`. It adds the version, for what a
model does when it is loaded must not be control's end, and writes its result into that folder; the rest is the loop's.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec

from gyroscope.assembly.held_out import reference_of
from gyroscope.assembly.house import House
from gyroscope.assembly.labelled import LabelledDays
from gyroscope.clock import wall_now
from gyroscope.errors import ModelError
from gyroscope.models import Blocks, Candidate
from gyroscope.models.formats import runner_of
from gyroscope.models.signature import write_signature
from gyroscope.records import NotEnoughData, Signature
from gyroscope.retraining.trainer import RESULT, Limits, Result, limit
from gyroscope.settings_models import ModelPolicy
from gyroscope.supervisor.wanted import replace_file


def run_training(settings_path: Path, model: str, folder: Path) -> None:
    """Read, train, write the result. Raises what the function raises: the log of the training shows it."""
    from gyroscope.models.runners import rehearse

    house = House(settings_path)
    policy = house.settings.models.get(model, ModelPolicy()).retrain
    limit(Limits(policy.timeout_s, policy.memory_gib))
    with ThreadPoolExecutor(1) as beside:  # a module may take as long to import as the log to read
        reading = beside.submit(LabelledDays(house, model).rows)
        train, code = _function(house, policy.train)
        table, data = reading.result()
    signature = house.signature_of(model)
    print(f"training {model} on {data.rows} labelled rows", flush=True)  # noqa: T201  # the log of the training
    made = train(table)
    artifact, runner, entry = _saved(made, folder, signature)
    version = house.models.add(candidate_of(house, model, folder, artifact, runner, entry), wall_now(), check=rehearse)
    if policy.folds and not house.models.reference_path(version).is_file():  # the same model again keeps its own

        def again(older: Any, place: Path) -> Candidate:
            return candidate_of(house, model, place, *_saved(train(older), place, signature))

        blocks = Blocks(house.settings.monitoring.timezone, house.settings.monitoring.window)
        reference = reference_of(again, table, signature, blocks, policy.folds)
        if isinstance(reference, NotEnoughData):
            print(f"no reference: {reference.reason}", flush=True)  # noqa: T201  # the log of the training
        else:
            house.models.put_reference(version, reference)
    result = Result(artifact, runner, entry, data.digest, data.rows, data.first, data.last, code, _parameters(made))
    replace_file(folder / RESULT, msgspec.json.encode(result).decode())


def candidate_of(house: House, model: str, folder: Path, artifact: str, runner: str, entry: str) -> Candidate:
    """What a training made, with the signature of the model; no `runner`: the one that fits it."""
    path = folder / artifact
    return Candidate(model, runner_of(path, entry, runner), house.signature_of(model), path, entry)


def _function(house: House, named: str) -> tuple[Callable[[Any], Any], str]:
    """The user's function and the SHA-256 of its file."""
    place, _, name = named.partition(":")
    path = (house.settings_path.parent / place).resolve()
    try:
        code = hashlib.sha256(path.read_bytes()).hexdigest()
        spec = importlib.util.spec_from_file_location(path.stem, path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path.name} is no Python file")
        sys.path.insert(0, str(path.parent))
        module = importlib.util.module_from_spec(spec)
        sys.modules[path.stem] = module
        spec.loader.exec_module(module)
        train: Callable[[Any], Any] = getattr(module, name)
    except (OSError, ImportError, AttributeError) as error:
        raise ModelError(
            f"the training function cannot be had: {error}", where=named, fix="write it as train.py:train"
        ) from error
    return train, code


def _saved(made: Any, folder: Path, signature: Signature) -> tuple[str, str, str]:
    """The artifact below the folder, its runner and entry: a path as it is, a booster in its own format, an estimator
    of scikit-learn as ONNX.
    """
    kind = type(made).__module__.partition(".")[0]
    if isinstance(made, str | Path):
        place, _, entry = str(made).partition(":")
        return place, "python" if entry else "", f"{Path(place).stem}:{entry}" if entry else ""
    if kind == "lightgbm":
        booster = getattr(made, "booster_", made)
        booster.save_model(str(folder / "model.txt"))
        return "model.txt", "lightgbm", ""
    if kind == "xgboost":
        made.save_model(str(folder / "model.ubj"))
        return "model.ubj", "xgboost", ""
    if hasattr(made, "__sklearn_tags__"):
        from gyroscope.models.convert import Wish, from_sklearn

        write_signature(signature, folder / "signature.yaml")
        from_sklearn(made, None, folder / "model.onnx", Wish(signature=folder / "signature.yaml"))
        return "model.onnx", "onnx", ""
    raise ModelError(
        f"nothing is known of a {type(made).__name__} as a model",
        where="the training function",
        fix="return a LightGBM, XGBoost or scikit-learn model, or the path of a file it wrote",
    )


def _parameters(made: Any) -> dict[str, str]:
    get = getattr(made, "get_params", None)
    plain = get() if callable(get) else getattr(made, "params", {})
    return {str(name): str(value) for name, value in plain.items()} if isinstance(plain, dict) else {}
