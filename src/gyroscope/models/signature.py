"""Signatures: read from a YAML or JSON file, inferred from columns, checked, written.

The command line, conversion and training call this; serving reads only the records it makes.
Nothing here opens a model.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec
import numpy as np
import yaml

from gyroscope.errors import ModelError, did_you_mean
from gyroscope.models.marks import Marks
from gyroscope.records import Dtype, Feature, Role, Signature, Task

CATEGORY_LIMIT = 1_000
"""Categories kept when inferring: beyond them a column is an id, and every further value is `unseen`."""

COLUMN_NAME = re.compile(r"[^\x00-\x1f\x7f]{1,200}")
SIGNATURE_KEYS = tuple(field.name for field in msgspec.structs.fields(Signature))
FEATURE_KEYS = tuple(field.name for field in msgspec.structs.fields(Feature))


def read_signature(path: Path) -> Signature:
    """Read and check one file.

    Raises `ModelError` naming the file, the line and the key, and how to mend it.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(
            "the signature file cannot be read", where=f"{path}: {error}", fix="write one as docs/models.md shows"
        ) from error
    return parse_signature(text, path)


def parse_signature(text: str, path: Path = Path("signature.yaml")) -> Signature:
    """A signature from the text of a file; JSON is read as the YAML it is.

    >>> parse_signature("task: regression\\noutput: minutes\\nfeatures: [{name: distance}]").names
    ('distance',)
    """
    # JSON may be indented by tabs, YAML may not; inside a JSON string a bare tab is not allowed, so none is lost.
    marks = Marks(text.replace("\t", " ") if path.suffix == ".json" else text, path, _not_yaml)
    plain = marks.plain
    if not isinstance(plain, dict):
        raise ModelError(
            "a signature must be a mapping of keys",
            where=marks.where(),
            fix="task, features, output, classes, threshold",
        )
    _check_keys(plain, SIGNATURE_KEYS, ("task", "features"), (), marks)
    features = plain["features"]
    if not isinstance(features, list):
        raise ModelError("features must be a list", where=marks.where("features"), fix="- {name: age, dtype: float64}")
    for at, feature in enumerate(features):
        if not isinstance(feature, dict):
            raise ModelError(
                f"feature {at + 1} must be a mapping, not {feature!r}",
                where=marks.where("features", at),
                fix="- {name: age, dtype: float64}",
            )
        _check_keys(feature, FEATURE_KEYS, ("name",), ("features", at), marks)
    signature = _convert(plain, marks)
    check_signature(signature, marks)
    return signature


def infer_signature(
    columns: Mapping[str, np.ndarray],
    task: Task = "binary",
    *,
    output: str = "",
    classes: tuple[str, ...] = (),
    threshold: float = 0.5,
) -> Signature:
    """A signature from columns of one length: dtypes as they are, categories (sorted) as the data has them.

    A text column keeps its 1,000 most frequent values. Every feature may be missing: forbid it in the written file.

    >>> infer_signature({"age": np.array([1.5]), "city": np.array(["Rome"], dtype=object)}).features[1].categories
    ('Rome',)

    Raises `ModelError` for a column that is none of number, bool and text.
    """
    features = tuple(_infer_feature(name, np.asarray(values)) for name, values in columns.items())
    name = output or {"regression": "value", "ranking": "score"}.get(task, "probability")
    signature = Signature(task=task, features=features, output=name, classes=classes, threshold=threshold)
    check_signature(signature)
    return signature


def write_signature(signature: Signature, path: Path) -> None:
    """Write the file that `read_signature` reads: YAML, or JSON when the name says so."""
    plain = {key: value for key, value in msgspec.to_builtins(signature).items() if value not in ((), "")}
    plain["features"] = [
        {k: v for k, v in feature.items() if v != () and (k, v) != ("role", "keep")} for feature in plain["features"]
    ]
    if path.suffix == ".json":
        path.write_bytes(msgspec.json.format(msgspec.json.encode(plain), indent=2) + b"\n")
    else:
        path.write_text(yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=110), encoding="utf-8")


def check_signature(signature: Signature, marks: Marks | None = None) -> None:
    """Raise `ModelError` for what types cannot say; `marks` gives complaints the line of a file."""
    marks = marks or Marks.none()
    if not signature.features:
        raise ModelError("a signature needs at least one feature", where=marks.where("features"), fix="- {name: age}")
    _check_output(signature, marks)
    seen: dict[str, int] = {}
    for at, feature in enumerate(signature.features):
        where = marks.where("features", at, "name")
        if not COLUMN_NAME.fullmatch(feature.name):
            raise ModelError(
                f"{feature.name!r} cannot name a feature", where=where, fix="1 to 200 characters, no line breaks"
            )
        if feature.name in seen:
            raise ModelError(
                f"two features are called {feature.name!r} (number {seen[feature.name] + 1} and {at + 1})",
                where=where,
                fix="rename one: requests and tables find features by name",
            )
        if feature.name == signature.output:
            raise ModelError(
                f"the output and a feature are both called {feature.name!r}", where=where, fix="choose another `output`"
            )
        seen[feature.name] = at
        _check_categories(feature, ("features", at), marks)


def _check_output(signature: Signature, marks: Marks) -> None:
    if not COLUMN_NAME.fullmatch(signature.output):
        raise ModelError("the output needs a name", where=marks.where("output"), fix="output: probability")
    if signature.task == "multiclass" and len(signature.classes) < 2:
        raise ModelError(
            "a multiclass model must name its classes, at least two, in the order of its outputs",
            where=marks.where("classes"),
            fix="classes: [low, middle, high]",
        )
    if signature.task == "binary" and len(signature.classes) not in (0, 2):
        raise ModelError(
            f"a binary model has two classes, not {len(signature.classes)}",
            where=marks.where("classes"),
            fix="name two, the positive one last, or none; or task: multiclass",
        )
    if not signature.says_probabilities and signature.classes:
        raise ModelError(f"a {signature.task} has no classes", where=marks.where("classes"), fix="remove them")
    _check_group(signature, marks)
    if len(set(signature.classes)) != len(signature.classes):
        raise ModelError("a class is named twice", where=marks.where("classes"), fix="name each class once")
    if not 0 <= signature.threshold <= 1:
        raise ModelError(
            f"the threshold {signature.threshold} is not between 0 and 1",
            where=marks.where("threshold"),
            fix="the probability from which on a row counts as positive, e.g. 0.5",
        )


def _check_group(signature: Signature, marks: Marks) -> None:
    if not signature.group:
        return
    where = marks.where("group")
    if signature.task != "ranking":
        raise ModelError(f"a {signature.task} model has no lists", where=where, fix="task: ranking, or remove `group`")
    found = next((feature for feature in signature.features if feature.name == signature.group), None)
    if found is None:
        fix = did_you_mean(signature.group, signature.names)
        raise ModelError(f"no feature is called {signature.group!r}", where=where, fix=fix)
    if not found.is_logged:
        raise ModelError(
            f"the log holds nothing of {signature.group!r}, so it cannot tell lists apart",
            where=where,
            fix="role: keep, or hash",
        )


def _check_categories(feature: Feature, keys: tuple[str | int, ...], marks: Marks) -> None:
    if feature.dtype != "string" and feature.categories:
        raise ModelError(
            f"feature {feature.name!r} has categories and is {feature.dtype}",
            where=marks.where(*keys, "categories"),
            fix="dtype: string, or remove the categories",
        )
    # A name or an address has no list of categories: to the model it is missing, to the log a digest or nothing.
    if feature.dtype == "string" and not feature.categories and feature.role == "keep":
        raise ModelError(
            f"the text feature {feature.name!r} needs its categories: they fix the codes that the model gets",
            where=marks.where(*keys),
            fix="categories: [AA, UA] in the order of training; a role (hash, pii, drop) if no model uses it",
        )
    twice = [category for category, count in Counter(feature.categories).items() if count > 1]
    if twice:
        raise ModelError(
            f"category {twice[0]!r} of feature {feature.name!r} is named twice",
            where=marks.where(*keys, "categories"),
            fix="name each category once",
        )


def _check_keys(
    plain: dict[Any, Any], known: tuple[str, ...], needed: tuple[str, ...], keys: tuple[str | int, ...], marks: Marks
) -> None:
    for key in plain:
        if key not in known:
            raise ModelError(
                f"a signature has no key {key!r}", where=marks.where(*keys, key), fix=did_you_mean(str(key), known)
            )
    for key in needed:
        if key not in plain:
            raise ModelError(f"the key {key!r} is missing", where=marks.where(*keys), fix=_example(key))


def _convert(plain: dict[str, Any], marks: Marks) -> Signature:
    """Types, each complaint with its own line."""
    for at, feature in enumerate(plain["features"]):
        _check_field(Feature, feature, ("features", at), marks)
    _check_field(Signature, {key: value for key, value in plain.items() if key != "features"}, (), marks)
    return msgspec.convert(plain, Signature)


def _check_field(kind: type[msgspec.Struct], plain: dict[str, Any], keys: tuple[str | int, ...], marks: Marks) -> None:
    types = {field.name: field.type for field in msgspec.structs.fields(kind)}
    for key, value in plain.items():
        try:
            msgspec.convert(value, types[key])
        except msgspec.ValidationError as error:
            fix = _hint(key, value)
            raise ModelError(f"wrong {key}: {value!r}", where=marks.where(*keys, key), fix=fix) from error


def _hint(key: str, value: Any) -> str:
    choices = {"dtype": get_args(Dtype), "task": get_args(Task), "role": get_args(Role)}.get(key)
    if choices:
        return did_you_mean(str(value), choices)
    if key in ("categories", "classes"):
        return (
            "a list of texts; put quotes around values such as NO, 1 or 2013-01-01, which YAML takes for other things"
        )
    return _example(key)


def _example(key: str) -> str:
    return {
        "task": "task: binary, multiclass, regression or ranking",
        "features": "features: [{name: age, dtype: float64}]",
        "name": "a text, e.g. name: age",
        "nullable": "nullable: true or false",
        "threshold": "threshold: 0.5",
    }.get(key, f"{key}: a text")


def _infer_feature(name: str, values: np.ndarray) -> Feature:
    kinds: dict[str, Dtype] = {"f": "float64", "i": "int64", "u": "int64", "b": "bool"}
    if values.dtype == np.float32:
        return Feature(name, "float32")
    if values.dtype.kind in kinds:
        return Feature(name, kinds[values.dtype.kind])
    texts = [value for value in values.tolist() if value is not None and value == value]
    odd = next((value for value in texts if not isinstance(value, str)), None)
    if values.dtype.kind not in "OUT" or odd is not None:
        example = values.dtype if odd is None else f"{odd!r} in it"
        raise ModelError(
            f"column {name!r} is neither number, bool nor text ({example})",
            where=f"column {name!r}",
            fix="turn it into numbers or text, or leave it out",
        )
    frequent = Counter(texts).most_common(CATEGORY_LIMIT)
    return Feature(name, "string", categories=tuple(sorted(text for text, _ in frequent)) or ("",))


def _not_yaml(problem: str, where: str) -> ModelError:
    return ModelError(f"this is not YAML or JSON: {problem}", where=where, fix="mend the line")
