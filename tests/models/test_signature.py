"""Signature files: what is read, what is refused and with which words, what is inferred."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest

from gyroscope.errors import ModelError
from gyroscope.models.signature import (
    check_signature,
    infer_signature,
    parse_signature,
    read_signature,
    write_signature,
)
from gyroscope.records import Feature, Signature

GOOD = """\
task: binary
output: late
threshold: 0.3
features:
  - name: distance
    dtype: float64
    nullable: false
  - {name: carrier, dtype: string, categories: [AA, UA]}
"""


def test_a_good_file_is_read(tmp_path):
    (tmp_path / "s.yaml").write_text(GOOD)
    signature = read_signature(tmp_path / "s.yaml")
    assert signature.names == ("distance", "carrier")
    assert signature.threshold == 0.3
    assert not signature.features[0].nullable


@pytest.mark.parametrize("name", ["s.yaml", "s.json"])
def test_what_is_written_is_read_back(name, tmp_path):
    features = (
        Feature("ä b", role="drop"),
        Feature("carrier", "string", ("NO", "1", "ü"), nullable=False, role="pii"),
        Feature("n", "int64", role="hash"),
        Feature("m"),
    )
    signature = Signature("multiclass", features, "p", ("no", "2013-01-01"))
    write_signature(signature, tmp_path / name)
    assert read_signature(tmp_path / name) == signature
    assert (tmp_path / name).read_text().count("role") == 3


def test_a_ranking_may_name_the_feature_that_tells_its_lists_apart(tmp_path):
    ranking = infer_signature({"query": np.array(["a"], object), "x": np.ones(1)}, "ranking")
    assert (ranking.output, ranking.width, ranking.says_probabilities) == ("score", 1, False)
    named = msgspec.structs.replace(ranking, group="query")
    write_signature(named, tmp_path / "s.yaml")
    assert read_signature(tmp_path / "s.yaml") == named
    write_signature(ranking, tmp_path / "s.yaml")
    assert "group" not in (tmp_path / "s.yaml").read_text()


def test_json_may_be_indented_by_tabs(tmp_path):
    (tmp_path / "s.json").write_text('{\n\t"task": "regression",\n\t"features": [\n\t\t{"name": "a"}\n\t]\n}')
    assert read_signature(tmp_path / "s.json").task == "regression"


@pytest.mark.parametrize(
    ("old", "new", "line", "complaint", "fix"),
    [
        ("threshold:", "treshold:", 3, "no key 'treshold'", "did you mean 'threshold'?"),
        ("dtype: float64", "dtyp: float64", 6, "no key 'dtyp'", "did you mean 'dtype'?"),
        ("float64", "flot64", 6, "wrong dtype: 'flot64'", "did you mean 'float64'?"),
        ("task: binary", "task: banary", 1, "wrong task", "did you mean 'binary'?"),
        ("task: binary", "task: multiclass", 1, "must name its classes", "classes: ["),
        ("task: binary\n", "", 1, "'task' is missing", "binary, multiclass, regression or ranking"),
        ("name: distance", "name: carrier", 8, "two features are called 'carrier'", "rename"),
        ("name: distance", "name: late", 5, "both called 'late'", "another `output`"),
        ("[AA, UA]", "[AA, AA]", 8, "named twice", "once"),
        ("[AA, UA]", "[AA, NO]", 8, "wrong categories", "quotes"),
        (", categories: [AA, UA]", "", 8, "needs its categories", "in the order of training"),
        ("    nullable: false", "    categories: [a]", 7, "has categories and is float64", "dtype: string"),
        ("nullable: false", "role: hush", 7, "wrong role: 'hush'", "did you mean 'hash'?"),
        ("nullable: false", "nullable: maybe", 7, "wrong nullable", "true or false"),
        ("threshold: 0.3", "threshold: 3", 3, "not between 0 and 1", "0.5"),
        ("threshold: 0.3", "group: carrier", 3, "a binary model has no lists", "task: ranking"),
        ("task: binary", "task: ranking\ngroup: carier", 2, "no feature is called 'carier'", "did you mean 'carrier'?"),
        ("task: binary", "task: ranking\nclasses: [a, b]", 2, "a ranking has no classes", "remove"),
        ("threshold: 0.3", "classes: [a, b, c]", 3, "two classes, not 3", "multiclass"),
        ("  - {name", "  - carrier\n  - {name", 8, "must be a mapping", "name: age"),
        ("task: binary", "task: [", 3, "not YAML", "mend"),
    ],
)
def test_a_fault_is_named_with_its_line_and_a_fix(old, new, line, complaint, fix, tmp_path):
    path = tmp_path / "s.yaml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ModelError) as caught:
        read_signature(path)
    assert complaint in caught.value.what
    assert caught.value.where.startswith(f"{path}:{line}"), caught.value.where
    assert fix in caught.value.fix


@pytest.mark.parametrize(
    "text", ["", "- a", "features: 3\ntask: binary", "features: []\ntask: binary", "\x00", "a: &a [*a]"]
)
def test_what_is_no_signature_at_all_is_a_model_error(text):
    with pytest.raises(ModelError):
        parse_signature(text)


def test_lists_cannot_be_told_apart_by_what_is_not_logged():
    with pytest.raises(ModelError, match="the log holds nothing of 'q'") as caught:
        check_signature(Signature("ranking", (Feature("q", role="drop"),), group="q"))
    assert caught.value.fix == "role: keep, or hash"


@pytest.mark.parametrize("role", ["hash", "pii", "drop"])
def test_a_text_that_the_log_may_not_have_needs_no_categories(role):
    text = f"task: binary\nfeatures: [{{name: email, dtype: string, role: {role}}}]\n"
    assert parse_signature(text).features == (Feature("email", "string", role=role),)


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(ModelError, match="cannot be read"):
        read_signature(tmp_path / "none.yaml")


def test_a_signature_is_inferred_from_columns():
    signature = infer_signature(
        {
            "f": np.array([1.5, np.nan]),
            "g": np.array([1.5], np.float32),
            "i": np.array([1, 2], np.int16),
            "b": np.array([True]),
            "s": np.array(["b", None, "a", "b"], dtype=object),
            "u": np.array(["x", "y"]),
        }
    )
    assert [feature.dtype for feature in signature.features] == [
        "float64",
        "float32",
        "int64",
        "bool",
        "string",
        "string",
    ]
    assert signature.features[4].categories == ("a", "b")
    check_signature(signature)


def test_the_most_frequent_thousand_categories_are_kept():
    values = np.array([f"rare{n}" for n in range(1500)] + ["often"] * 3, dtype=object)
    categories = infer_signature({"s": values}).features[0].categories
    assert len(categories) == 1000
    assert "often" in categories


def test_a_column_of_dates_cannot_be_a_feature():
    with pytest.raises(ModelError, match="neither number, bool nor text"):
        infer_signature({"day": np.array(["2013-01-01"], "datetime64[D]")})
    with pytest.raises(ModelError, match="1 in it"):
        infer_signature({"mixed": np.array(["a", 1], dtype=object)})
