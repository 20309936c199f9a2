"""The store: content addresses, whole or not at all, bytes verified, pickles refused."""

from __future__ import annotations

import gzip
import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from gyroscope.errors import ModelError
from gyroscope.models.formats import format_of
from gyroscope.models.store import Candidate, ModelStore
from gyroscope.models.versions import digest
from gyroscope.records import Feature, NotEnoughData, Signature, Version

SIGNATURE = Signature("binary", (Feature("x"),))
TREES = b"tree\nversion=v4\n"


@pytest.fixture
def store(tmp_path):
    return ModelStore(tmp_path / "home")


@pytest.fixture
def trees(tmp_path):
    path = tmp_path / "trees.txt"
    path.write_bytes(TREES)
    return path


def _candidate(path, signature=SIGNATURE, model="flights"):
    return Candidate(model, "lightgbm", signature, path)


def test_a_version_is_added_and_found(store, trees, tmp_path):
    version = store.add(_candidate(trees), 17)
    assert store.models() == ["flights"]
    assert store.versions("flights") == [version]
    assert store.get("flights", version.version) == version
    assert (version.created_at, version.version) == (17, version.sha256[:12])
    assert store.artifact_path(version).read_bytes() == TREES
    assert store.artifact(version).content == TREES
    assert isinstance(store.reference(version), NotEnoughData)
    assert sorted(path.name for path in store.artifact_path(version).parent.iterdir()) == ["model.txt", "version.json"]


def test_the_address_is_of_content_signature_and_runner(store, trees, tmp_path):
    first = store.add(_candidate(trees), 1)
    copy = tmp_path / "other_name.txt"
    copy.write_bytes(TREES)
    again = store.add(_candidate(copy), 2)
    assert again == first, "the same content is the same version, with its first time"
    other = store.add(_candidate(trees, msgspec.structs.replace(SIGNATURE, threshold=0.4)), 3)
    assert other.version != first.version
    assert [version.version for version in store.versions("flights")] == [first.version, other.version]


def test_folders_of_code_are_addressed_by_every_file(store, tmp_path):
    code = tmp_path / "code"
    (code / "inner").mkdir(parents=True)
    (code / "__pycache__").mkdir()
    (code / "__pycache__" / "m.cpython-311.pyc").write_bytes(b"cache")
    (code / "m.py").write_text("class M: ...")
    (code / "inner" / "data.txt").write_text("1")
    candidate = Candidate("own", "python", SIGNATURE, code, entry="m:M")
    first = store.add(candidate, 1)
    stored = store.artifact_path(first)
    assert sorted(path.name for path in stored.rglob("*")) == ["data.txt", "inner", "m.py"]
    (code / "inner" / "data.txt").write_text("2")
    assert store.add(candidate, 2).version != first.version
    (stored / "added_later.py").write_text("")
    with pytest.raises(ModelError, match="not what was added"):
        store.artifact(first)


def test_code_in_one_file_is_a_folder_of_one(store, tmp_path):
    (tmp_path / "churn.py").write_text("class M: ...")
    version = store.add(Candidate("own", "python", SIGNATURE, tmp_path / "churn.py", entry="churn:M"), 1)
    assert [path.name for path in store.artifact_path(version).iterdir()] == ["churn.py"]


@pytest.mark.parametrize("damage", ["bytes", "signature", "gone", "record"])
def test_damage_is_found_at_load_and_mended_by_adding_again(store, trees, damage):
    version = store.add(_candidate(trees), 1)
    path = store.artifact_path(version)
    record = path.parent / "version.json"
    if damage == "bytes":
        path.write_bytes(TREES + b" ")
    elif damage == "gone":
        path.unlink()
    elif damage == "signature":
        record.write_bytes(record.read_bytes().replace(b'"threshold": 0.5', b'"threshold": 0.9'))
    else:
        record.write_bytes(b"{")
    with pytest.raises(ModelError) as caught:
        store.artifact(store.get("flights", version.version))
    assert caught.value.where
    assert caught.value.fix
    mended = store.add(_candidate(trees), 2)
    assert store.artifact(store.get("flights", mended.version)).content == TREES


ADD_FOR_EVER = """
import sys
from pathlib import Path
from gyroscope.models.store import Candidate, ModelStore
from gyroscope.records import Feature, Signature

store = ModelStore(Path(sys.argv[1]))
for n in range(int(sys.argv[3]), 1000):
    signature = Signature("binary", (Feature("x"),), threshold=n / 1000)
    store.add(Candidate("flights", "lightgbm", signature, Path(sys.argv[2])), n)
    print(n, flush=True)
"""


def test_a_version_is_whole_or_not_there_after_kill_9(store, tmp_path):
    """Each writer is killed while it has something half-written; whatever is there afterwards verifies."""
    big = tmp_path / "big.txt"
    big.write_bytes(TREES + os.urandom(3_000_000))
    models = tmp_path / "home" / "models" / "flights"

    for start in (0, 100, 200, 300):
        command = [sys.executable, "-c", ADD_FOR_EVER, str(tmp_path / "home"), str(big), str(start)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            assert child.stdout.readline().strip() == str(start).encode()
            while not list(models.glob(".adding-*")):
                assert child.poll() is None
            child.kill()
        versions = store.versions("flights")
        assert {start / 1000} <= {version.signature.threshold for version in versions}
        for version in versions:
            store.artifact(version)
    store.add(_candidate(big), 1)
    assert not list(models.glob(".adding-*")), "what a killed writer left is swept"


def test_a_version_is_whole_the_moment_it_is_seen(store, tmp_path):
    big = tmp_path / "big.txt"
    big.write_bytes(TREES + os.urandom(3_000_000))
    models, seen = tmp_path / "home" / "models" / "flights", set()
    command = [sys.executable, "-c", ADD_FOR_EVER, str(tmp_path / "home"), str(big), "0"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as child:
        while len(seen) < 20:
            assert child.poll() is None
            fresh = {path for path in models.glob("[0-9a-f]*") if path not in seen}
            assert all((path / "version.json").is_file() for path in fresh)
            seen |= fresh
        child.kill()


def test_many_writers_of_one_content_make_one_version(store, trees):
    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(lambda n: store.add(_candidate(trees), n), range(8)))
    assert len({version.version for version in versions}) == 1
    assert len(store.versions("flights")) == 1


@pytest.mark.parametrize("name", ["model.onnx", "model.txt", "model.joblib"])
@pytest.mark.parametrize("protocol", [0, 1, 2, 5])
def test_a_pickle_is_refused_by_its_content(store, tmp_path, name, protocol):
    path = tmp_path / name
    path.write_bytes(pickle.dumps({"a": [1, 2]}, protocol))
    with pytest.raises(ModelError, match="pickle or joblib") as caught:
        store.add(_candidate(path), 1)
    assert "gyro models convert" in caught.value.fix
    assert store.models() == []


def test_a_compressed_pickle_and_one_beside_code_are_refused(store, tmp_path):
    path = tmp_path / "model.txt"
    path.write_bytes(gzip.compress(pickle.dumps([1])))
    with pytest.raises(ModelError, match="pickle or joblib"):
        store.add(_candidate(path), 1)
    code = tmp_path / "code"
    code.mkdir()
    (code / "m.py").write_text("class M: ...")
    (code / "weights.bin").write_bytes(pickle.dumps([1]))
    with pytest.raises(ModelError, match="pickle or joblib"):
        store.add(Candidate("own", "python", SIGNATURE, code, entry="m:M"), 1)


def test_formats_are_told_by_content(tmp_path, trees):
    assert format_of(trees) == "lightgbm"
    (tmp_path / "m.bin").write_bytes(b"\x08\x08\x12\x00")
    assert format_of(tmp_path / "m.bin") == "onnx"
    (tmp_path / "m.py").write_text("x = 1")
    assert format_of(tmp_path / "m.py") == format_of(tmp_path) == "python"
    (tmp_path / "notes.md").write_text("hello.")
    assert format_of(tmp_path / "notes.md") == "unknown"


@pytest.mark.parametrize("name", ["", "Flights", "a.b", "../x", "a" * 64, "-a", "a\n"])
def test_names_that_cannot_be_folders_are_refused(store, trees, name):
    with pytest.raises(ModelError, match="cannot be the name"):
        store.add(_candidate(trees, model=name), 1)


def test_missing_and_unreadable_files_are_named(store, tmp_path):
    with pytest.raises(ModelError, match="no such file"):
        store.add(_candidate(tmp_path / "none.txt"), 1)
    with pytest.raises(ModelError, match="takes one file"):
        store.add(_candidate(tmp_path), 1)
    (tmp_path / "m.py").write_text("class M: ...")
    with pytest.raises(ModelError, match="does not name a class"):
        store.add(Candidate("own", "python", SIGNATURE, tmp_path / "m.py", entry="m"), 1)
    (tmp_path / "link").symlink_to("/etc")
    with pytest.raises(ModelError, match="links"):
        store.add(Candidate("own", "python", SIGNATURE, tmp_path, entry="m:M"), 1)
    assert store.models() == []


def test_unknown_models_and_versions_get_a_near_word(store, trees):
    version = store.add(_candidate(trees), 1)
    with pytest.raises(ModelError, match="no model is called 'flight'") as caught:
        store.get("flight", version.version)
    assert "did you mean 'flights'?" in caught.value.fix
    with pytest.raises(ModelError, match="has no version"):
        store.get("flights", "0" * 12)
    with pytest.raises(ModelError):
        store.get("../..", "etc")
    assert store.versions("nothing") == []


def test_the_record_is_readable_by_anybody(store, trees):
    version = store.add(_candidate(trees), 1)
    text = (store.artifact_path(version).parent / "version.json").read_bytes()
    assert msgspec.json.decode(text, type=Version) == version
    assert b"\n" in text
    assert Path(version.artifact).name == version.artifact


def test_a_version_served_elsewhere_is_its_signature_and_its_name_there(store):
    candidate = Candidate("flights", "external", SIGNATURE, entry="2026-05")
    version = store.add(candidate, 1)
    assert store.add(candidate, 2) == version
    assert store.get("flights", version.version) == version
    assert (version.entry, version.artifact, store.artifact(version).content) == ("2026-05", "", b"")
    others = [
        store.add(msgspec.structs.replace(candidate, entry="2026-06"), 3),
        store.add(msgspec.structs.replace(candidate, signature=Signature("binary", (Feature("y"),))), 4),
    ]
    assert len({version.version, *(other.version for other in others)}) == 3
    assert store.versions("flights") == [version, *others]


def test_versions_from_before_there_were_roles_keep_their_address(tmp_path):
    (tmp_path / "model.txt").write_text("tree")
    plain = Signature("binary", (Feature("x"), Feature("c", "string", ("a", "b"))))
    private = Signature("binary", (Feature("x", role="drop"), Feature("c", "string", ("a", "b"))))
    address = digest(plain, "lightgbm", "", tmp_path / "model.txt")[0]
    assert address == "2635906356b32aab6dbcce9c7364c2163539b1aa5a41b1c8d9dfd20a30f457a1"
    ranking = msgspec.structs.replace(plain, task="ranking")
    grouped = msgspec.structs.replace(ranking, group="c")
    assert len({digest(one, "lightgbm", "", tmp_path / "model.txt")[0] for one in (plain, ranking, grouped)}) == 3
    assert digest(private, "lightgbm", "", tmp_path / "model.txt")[0] != address
