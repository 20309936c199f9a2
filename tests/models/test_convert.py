"""scikit-learn to ONNX, with real estimators, real pickles and a real attacker among them."""

from __future__ import annotations

import pickle
import socket
import threading

import msgspec
import numpy as np
import pytest

pytest.importorskip("skl2onnx", reason="needs the extra sklearn")

import joblib
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from gyroscope.errors import ModelError
from gyroscope.models.convert import Wish, convert, from_sklearn
from gyroscope.models.encoding import encode_columns
from gyroscope.models.runners import open_runner, rehearse
from gyroscope.models.signature import read_signature, write_signature
from gyroscope.models.store import Candidate, ModelStore
from gyroscope.records import Feature, Signature


@pytest.fixture(scope="module")
def numbers():
    random = np.random.default_rng(0)
    matrix = random.normal(5, 2, (500, 3))
    return matrix, (matrix[:, 0] + matrix[:, 1] * matrix[:, 2] / 5 > 10).astype(int)


@pytest.fixture(scope="module")
def frame():
    random = np.random.default_rng(1)
    rows = pd.DataFrame({
        "distance": random.normal(1000, 300, 400),
        "hour": random.integers(0, 24, 400),
        "carrier": random.choice(["AA", "B6", "UA"], 400),
    })  # fmt: skip
    return rows, ((rows.distance > 900) & (rows.carrier != "B6")).astype(int)


@pytest.fixture(scope="module")
def pipeline(frame):
    rows, late = frame
    columns = ColumnTransformer([
        ("numbers", StandardScaler(), ["distance", "hour"]),
        ("texts", OneHotEncoder(handle_unknown="ignore"), ["carrier"]),
    ])  # fmt: skip
    return make_pipeline(columns, LogisticRegression()).fit(rows, late)


def test_a_joblib_file_becomes_a_version_that_says_the_same(numbers, tmp_path):
    matrix, late = numbers
    forest = RandomForestClassifier(20, random_state=0).fit(matrix, late)
    joblib.dump(forest, tmp_path / "forest.joblib", compress=3)

    done = convert(tmp_path / "forest.joblib", tmp_path / "forest.onnx")

    assert done.agreement.within(1e-4)
    assert done.agreement.data == "random"
    assert "throwaway process" in done.said[0]
    assert done.signature == read_signature(tmp_path / "forest.signature.yaml")
    store = ModelStore(tmp_path / "home")
    version = store.add(Candidate("forest", "onnx", done.signature, done.artifact), 1, check=rehearse)
    rows = encode_columns(done.signature, dict(zip(done.signature.names, matrix.T, strict=True)))
    served = open_runner(store, version).predict(rows)
    # Rows within float32 of a split may take its other side: the agreement above is on other rows.
    assert (np.abs(served - forest.predict_proba(matrix)[:, 1]) <= 1e-5).mean() > 0.99


def test_a_pipeline_with_texts_is_compared_on_given_data(pipeline, frame, tmp_path):
    frame[0].to_csv(tmp_path / "rows.csv", index=False)
    with (tmp_path / "model.pkl").open("wb") as file:
        pickle.dump(pipeline, file)

    done = convert(tmp_path / "model.pkl", tmp_path / "model.onnx", Wish(data=tmp_path / "rows.csv"))

    assert done.agreement.rows == 400
    assert done.agreement.data == "given"
    assert done.agreement.equal_decisions == 1.0
    assert done.signature.features[2].categories == ("AA", "B6", "UA")
    assert not done.signature.features[0].nullable, "a logistic regression takes no missing values"


def test_parquet_and_no_data_at_all_serve_as_well(pipeline, frame, tmp_path):
    joblib.dump(pipeline, tmp_path / "model.joblib")
    import duckdb

    rows = {name: frame[0][name].to_numpy(dtype=object if name == "carrier" else None) for name in frame[0]}
    with duckdb.connect() as database:
        database.register("rows", pd.DataFrame(rows))
        database.execute(f"COPY rows TO '{tmp_path / 'rows.parquet'}'")
    given = convert(tmp_path / "model.joblib", tmp_path / "a.onnx", Wish(data=tmp_path / "rows.parquet"))
    drawn = convert(tmp_path / "model.joblib", tmp_path / "b.onnx")
    assert given.agreement.within(1e-4)
    assert drawn.agreement.within(1e-4)
    assert drawn.agreement.rows == 2000


def test_an_estimator_at_hand_needs_no_file(frame, tmp_path):
    rows, _ = frame
    regression = RandomForestRegressor(5, max_depth=4, random_state=0).fit(
        rows[["distance", "hour"]], rows.distance * 2
    )
    done = from_sklearn(regression, {name: rows[name].to_numpy() for name in ("distance", "hour")}, tmp_path / "m.onnx")
    assert done.signature.task == "regression"
    assert done.agreement.equal_decisions == 1.0
    assert done.confinement is None
    path = tmp_path / "signature.yaml"
    write_signature(msgspec.structs.replace(done.signature, task="ranking", output="score"), path)
    scores = from_sklearn(regression, None, tmp_path / "ranker.onnx", Wish(signature=path))
    assert (scores.signature.task, scores.agreement.equal_decisions) == ("ranking", 1.0)


def test_three_classes_keep_their_names_and_order(numbers, tmp_path):
    matrix, _ = numbers
    size = np.where(matrix[:, 0] < 4, "low", np.where(matrix[:, 0] < 6, "middle", "high"))
    done = from_sklearn(LogisticRegression(max_iter=500).fit(matrix, size), None, tmp_path / "m.onnx")
    assert done.signature.classes == ("high", "low", "middle")
    assert done.agreement.within(1e-4)


def test_what_does_not_agree_is_served_as_it_is_unless_that_is_accepted(numbers, tmp_path):
    pytest.importorskip("skops", reason="needs the extra skops")
    matrix, late = numbers
    forest = RandomForestClassifier(5, random_state=0).fit(matrix, late)
    joblib.dump(forest, tmp_path / "m.joblib")
    done = convert(tmp_path / "m.joblib", tmp_path / "m.onnx", Wish(tolerance=1e-12))
    assert (done.runner, done.artifact, done.agreement.max_abs_difference) == ("skops", tmp_path / "m.skops", 0.0)
    assert "largest difference" in " ".join(done.said)
    assert not (tmp_path / "m.onnx").exists()
    store = ModelStore(tmp_path / "home")
    version = store.add(Candidate("forest", done.runner, done.signature, done.artifact), 1, check=rehearse)
    rows = encode_columns(done.signature, dict(zip(done.signature.names, matrix.T, strict=True)))
    np.testing.assert_array_equal(open_runner(store, version).predict(rows), forest.predict_proba(matrix)[:, 1])

    done = convert(tmp_path / "m.joblib", tmp_path / "m.onnx", Wish(tolerance=1e-12, accept_disagreement=True))
    assert (done.runner, done.artifact) == ("onnx", tmp_path / "m.onnx")
    assert "DISAGREE" in " ".join(done.said)


class Rounded(LogisticRegression):
    """Of a type that skops does not trust, and with answers that its ONNX does not give."""

    def predict_proba(self, rows):
        return super().predict_proba(rows).round(1)


def test_a_disagreement_is_refused_where_the_estimator_itself_cannot_be_served(numbers, tmp_path):
    with pytest.raises(ModelError) as caught:
        from_sklearn(Rounded(max_iter=500).fit(*numbers), None, tmp_path / "m.onnx")
    assert caught.value.fix
    assert list(tmp_path.iterdir()) == []


def test_a_given_signature_must_fit_the_model(numbers, tmp_path):
    forest = RandomForestClassifier(5, random_state=0).fit(*numbers)
    write_signature(Signature("binary", (Feature("a"), Feature("b"))), tmp_path / "s.yaml")
    joblib.dump(forest, tmp_path / "m.joblib")
    with pytest.raises(ModelError, match="fitted with 3 features"):
        convert(tmp_path / "m.joblib", tmp_path / "m.onnx", Wish(signature=tmp_path / "s.yaml"))


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (LogisticRegression(), "never fitted"),
        ({"model": 1}, "no scikit-learn estimator"),
        (LinearSVC().fit([[0.0], [1.0]], [0, 1]), "predict_proba"),
    ],
)
def test_what_is_no_model_is_named(content, complaint, tmp_path):
    joblib.dump(content, tmp_path / "m.joblib")
    with pytest.raises(ModelError, match=complaint) as caught:
        convert(tmp_path / "m.joblib", tmp_path / "m.onnx")
    assert caught.value.fix


def test_missing_files_and_other_formats_are_named(tmp_path):
    with pytest.raises(ModelError, match="no such file"):
        convert(tmp_path / "none.pkl", tmp_path / "m.onnx")
    (tmp_path / "trees.txt").write_text("tree\nversion=v4")
    with pytest.raises(ModelError, match="no pickle"):
        convert(tmp_path / "trees.txt", tmp_path / "m.onnx")
    (tmp_path / "broken.pkl").write_bytes(b"\x80\x04nonsense")
    with pytest.raises(ModelError, match="cannot be converted"):
        convert(tmp_path / "broken.pkl", tmp_path / "m.onnx")


ATTACK = """
import os, socket, json, subprocess, signal
done = {{}}
def attempt(name, act):
    try:
        done[name] = repr(act())[:60] if act is not None else None
    except BaseException as error:
        done[name] = "refused"
attempt("network", lambda: socket.create_connection(("127.0.0.1", {port}), timeout=2))
attempt("unix socket", lambda: socket.socket(socket.AF_UNIX))
attempt("marker", lambda: open({marker!r}, "w").write("was here"))
attempt("overwrite", lambda: open({secret!r}, "w"))
attempt("truncate", lambda: os.truncate({secret!r}, 0))
attempt("empty by reading", lambda: os.open({secret!r}, os.O_RDONLY | os.O_TRUNC))
attempt("secret file", lambda: open({secret!r}).read())
attempt("parent's environment", lambda: open("/proc/%d/environ" % os.getppid(), "rb").read())
attempt("program", lambda: subprocess.run(["touch", {marker!r}]))
attempt("fork", lambda: os.fork())
attempt("kill", lambda: os.kill(os.getppid(), 0))
attempt("link", lambda: os.symlink({secret!r}, "link"))
attempt("chmod", lambda: os.chmod({secret!r}, 0o777))
if "GYROSCOPE_TEST_TOKEN" in os.environ:
    done["environment"] = os.environ["GYROSCOPE_TEST_TOKEN"]
raise RuntimeError(json.dumps(done))
"""


class Hostile:
    def __init__(self, code: str) -> None:
        self.code = code

    def __reduce__(self):
        return exec, (self.code, {})


@pytest.fixture
def canary():
    """A port that remembers whether anyone came."""
    came = threading.Event()
    server = socket.create_server(("127.0.0.1", 0))

    def listen():
        try:
            server.accept()[0].close()
            came.set()
        except OSError:
            return

    thread = threading.Thread(target=listen)
    thread.start()
    yield server.getsockname()[1], came
    if not came.is_set():
        server.shutdown(socket.SHUT_RDWR)
    thread.join()
    server.close()


def test_a_hostile_pickle_reaches_nothing(tmp_path, canary, monkeypatch):
    monkeypatch.setenv("GYROSCOPE_TEST_TOKEN", "s3cret")
    port, came = canary
    marker, secret = tmp_path / "marker", tmp_path / "secret"
    secret.write_text("key")
    code = ATTACK.format(port=port, marker=str(marker), secret=str(secret))
    with (tmp_path / "evil.pkl").open("wb") as file:
        pickle.dump(Hostile(code), file)

    with pytest.raises(ModelError) as caught:
        convert(tmp_path / "evil.pkl", tmp_path / "m.onnx")

    report = caught.value.what
    assert '"network": "refused"' in report, "the attack itself did not run, or the network was within reach"
    assert "s3cret" not in report
    assert not came.wait(0.3)
    if "sandbox: full" not in caught.value.where:
        pytest.skip(f"no full sandbox on this system: {caught.value.where}")
    assert report.count('"refused"') == 13, report
    assert not marker.exists()
    assert secret.read_text() == "key"
    assert secret.stat().st_mode & 0o777 != 0o777


def test_the_canary_sings_without_walls(tmp_path, canary):
    """The attack works where nothing stops it, or the test above would prove nothing."""
    port, came = canary
    marker = tmp_path / "marker"
    code = f"import socket; socket.create_connection(('127.0.0.1', {port})).close(); open({str(marker)!r}, 'w').close()"
    pickle.loads(pickle.dumps(Hostile(code)))
    assert marker.exists()
    assert came.wait(10)


def test_a_pickle_that_never_ends_is_ended(tmp_path):
    from gyroscope.models.sandbox import Limits

    with (tmp_path / "slow.pkl").open("wb") as file:
        pickle.dump(Hostile("while True: pass"), file)
    with pytest.raises(ModelError, match="longer than 3 s"):
        convert(tmp_path / "slow.pkl", tmp_path / "m.onnx", Wish(limits=Limits(wall_s=3)))


def test_a_pickle_that_takes_all_memory_is_refused(tmp_path):
    with (tmp_path / "large.pkl").open("wb") as file:
        pickle.dump(Hostile("x = bytearray(64 << 30)"), file)
    with pytest.raises(ModelError, match="MemoryError"):
        convert(tmp_path / "large.pkl", tmp_path / "m.onnx")
