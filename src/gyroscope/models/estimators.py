"""scikit-learn estimators: what they take, plausible rows for them, their own answers, and their ONNX.

Conversion calls this, in the throwaway process for files and directly for estimators that are already objects.
It opens no file. Needs the extra `sklearn`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import skl2onnx
from numpy.typing import NDArray
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType

from gyroscope.errors import ModelError
from gyroscope.models.agreement import PRECISIONS, Precision
from gyroscope.models.learned import learned_columns
from gyroscope.models.signature import infer_signature
from gyroscope.records import Feature, Signature, Task

OPSETS = {"": 17, "ai.onnx.ml": 3}
"""Old enough for every onnxruntime since 1.14, new enough for every converter."""

MATRIX_INPUT = "rows"
TENSORS = {"float32": FloatTensorType, "float64": DoubleTensorType}

Columns = Mapping[str, NDArray[Any]]


def describe(estimator: Any, columns: Columns | None, given: Signature | None) -> Signature:
    """The signature: the given one, else task and classes from the estimator and dtypes from the data.

    Raises `ModelError` for what is no fitted scikit-learn classifier or regressor, or does not fit the given signature.
    """
    width = _width(estimator)
    if given is not None:
        _check_given(estimator, given, width)
        return given
    names = _names(estimator, columns, width)
    learned = learned_columns(estimator, names)
    data = {name: columns[name] if columns and name in columns else _example(learned.get(name)) for name in names}
    task, classes = _task(estimator)
    inferred = infer_signature(data, task, classes=classes)
    allows_missing = bool(_tags(estimator).input_tags.allow_nan)
    features = tuple(_with_learned(feature, learned.get(feature.name), allows_missing) for feature in inferred.features)
    return Signature(inferred.task, features, inferred.output, inferred.classes, inferred.threshold)


def random_columns(estimator: Any, signature: Signature, n: int) -> dict[str, NDArray[Any]]:
    """Rows drawn from the ranges and categories that the estimator learned, (n,) each; the same ones each time."""
    random = np.random.default_rng(0)
    learned = learned_columns(estimator, list(signature.names))
    drawn: dict[str, NDArray[Any]] = {}
    for feature in signature.features:
        known = learned.get(feature.name)
        if feature.dtype == "string":
            drawn[feature.name] = random.choice(np.array(feature.categories, dtype=object), n)
        elif isinstance(known, list):
            drawn[feature.name] = random.choice(np.array(known, np.float64), n)
        else:
            low, high = known or (-3.0, 3.0)
            drawn[feature.name] = random.uniform(low, high, n)
            if feature.dtype in ("int64", "bool"):
                drawn[feature.name] = np.round(drawn[feature.name])
    return drawn


def native_outputs(estimator: Any, signature: Signature, columns: Columns) -> NDArray[np.float64]:
    """What the estimator itself says: (n,) or (n, classes)."""
    rows = _native_rows(estimator, signature, columns)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if not signature.says_probabilities:
            return np.asarray(estimator.predict(rows), np.float64).reshape(len(rows))
        probabilities = np.asarray(estimator.predict_proba(rows), np.float64)
    return np.ascontiguousarray(probabilities[:, 1]) if signature.task == "binary" else probabilities


def to_onnx(estimator: Any, signature: Signature) -> tuple[dict[Precision, bytes], list[str]]:
    """The estimator as ONNX in each precision that can be had, and what stood in the way of the others."""
    converted: dict[Precision, bytes] = {}
    refused: list[str] = []
    for precision in PRECISIONS:
        try:
            converted[precision] = _to_onnx(estimator, signature, precision)
        except Exception as error:  # noqa: BLE001  converters raise whatever they like
            reason = (str(error).strip().splitlines() or ["no reason given"])[0]
            refused.append(f"{precision}: {type(error).__name__}: {reason[:300]}")
    return converted, refused


def as_it_is(estimator: Any) -> bytes:
    """The estimator saved with skops; nothing where that is not installed or does not know a part of it."""
    try:
        import skops.io
    except ModuleNotFoundError:
        return b""
    try:
        return bytes(skops.io.dumps(estimator))
    except Exception:  # noqa: BLE001  it raises whatever a part of the estimator likes
        return b""


def _to_onnx(estimator: Any, signature: Signature, precision: Precision) -> bytes:
    number = TENSORS[precision]
    if _takes_columns(estimator, signature):
        texts = {feature.name for feature in signature.features if feature.dtype == "string"}
        inputs = [(name, (StringTensorType if name in texts else number)([None, 1])) for name in signature.names]
    else:
        inputs = [(MATRIX_INPUT, number([None, len(signature.features)]))]
    options = {"zipmap": False} if signature.says_probabilities else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = skl2onnx.to_onnx(estimator, initial_types=inputs, options=options, target_opset=OPSETS)
    return bytes(model.SerializeToString())


def _tags(estimator: Any) -> Any:
    tags = getattr(estimator, "__sklearn_tags__", None)
    if tags is None:
        raise ModelError(
            f"this is no scikit-learn estimator but {type(estimator).__module__}.{type(estimator).__name__}",
            where="the model",
            fix="give the fitted classifier, regressor or Pipeline itself, not a dictionary around it",
        )
    return tags()


def _width(estimator: Any) -> int:
    _tags(estimator)
    width = getattr(estimator, "n_features_in_", None)
    if width is None:
        raise ModelError("the estimator was never fitted", where="the model", fix="call fit, then save it again")
    return int(width)


def _task(estimator: Any) -> tuple[Task, tuple[str, ...]]:
    if _tags(estimator).estimator_type == "regressor":
        return "regression", ()
    if not hasattr(estimator, "predict_proba"):
        raise ModelError(
            f"{type(estimator).__name__} has no predict_proba",
            where="the model",
            fix="use a classifier with probabilities, e.g. wrap it in CalibratedClassifierCV, or a regressor",
        )
    classes = tuple(str(name) for name in estimator.classes_)
    if len(classes) == 2:
        return "binary", () if classes in (("0", "1"), ("False", "True")) else classes
    return "multiclass", classes


def _check_given(estimator: Any, given: Signature, width: int) -> None:
    task, classes = _task(estimator)
    names = tuple(str(name) for name in getattr(estimator, "feature_names_in_", given.names))
    if task != given.task and (task, given.task) != ("regression", "ranking"):
        raise ModelError(f"the model is {task} and the signature says {given.task}", where="task", fix=f"task: {task}")
    if width != len(given.features) or names != given.names:
        raise ModelError(
            f"the model was fitted with {width} features: {', '.join(names[:20])}",
            where="features of the signature",
            fix="name them all, in that order",
        )
    if task == "multiclass" and given.classes != classes:
        raise ModelError(
            "the classes are not those of the model, in its order", where="classes", fix=f"classes: {list(classes)}"
        )


def _names(estimator: Any, columns: Columns | None, width: int) -> list[str]:
    fitted = getattr(estimator, "feature_names_in_", None)
    if fitted is not None:
        return [str(name) for name in fitted]
    if columns is not None and len(columns) == width:
        return list(columns)
    return [f"x{at}" for at in range(width)]


def _example(learned: Any) -> NDArray[Any]:
    """A column of the dtype that was learned, when there is no data to look at."""
    if isinstance(learned, list) and all(isinstance(value, str) for value in learned):
        return np.array(learned, dtype=object)
    return np.zeros(1)


def _with_learned(feature: Feature, learned: Any, allows_missing: bool) -> Feature:
    """Categories as the estimator knows them, when it does: the data may lack some."""
    categories = feature.categories
    if feature.dtype == "string" and isinstance(learned, list):
        categories = tuple(str(value) for value in learned)
    return Feature(feature.name, feature.dtype, categories, nullable=allows_missing)


def _takes_columns(estimator: Any, signature: Signature) -> bool:
    """Whether columns are chosen by name inside, so that they must come one by one."""
    if any(feature.dtype == "string" for feature in signature.features):
        return True
    steps = [step for _, step in getattr(estimator, "steps", [])]
    return any(type(step).__name__ == "ColumnTransformer" for step in (estimator, *steps))


def _native_rows(estimator: Any, signature: Signature, columns: Columns) -> Any:
    ordered = {name: columns[name] for name in signature.names}
    if hasattr(estimator, "feature_names_in_") or _takes_columns(estimator, signature):
        import pandas

        return pandas.DataFrame(ordered)
    return np.stack([np.asarray(np.ma.filled(column, np.nan), np.float64) for column in ordered.values()], axis=1)
