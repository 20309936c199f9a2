"""A module of torch, exported where torch is, is served here without it, and says the same."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.errors import ModelError
from gyroscope.models.formats import format_of
from gyroscope.models.runners import Rows, open_runner, rehearse
from gyroscope.models.store import Candidate, ModelStore
from gyroscope.records import Feature, Signature
from peers import HERE

EXPORTED = HERE / "torch" / "exported"
"""What `export.py` wrote: torch itself is too large to be installed for three files."""


def test_the_exported_module_says_what_torch_says(tmp_path):
    signature = Signature("binary", tuple(Feature(name) for name in "abcd"), output="score")
    path = EXPORTED / "module.onnx"
    assert format_of(path) == "onnx"
    store = ModelStore(tmp_path / "home")
    runner = open_runner(store, store.add(Candidate("net", "onnx", signature, path), 1, check=rehearse))
    said = np.load(EXPORTED / "said.npz")
    rows = said["rows"].astype(np.float64)
    assert np.abs(runner.predict(Rows(rows)) - said["score"]).max() < 1e-6
    alone = [runner.predict(Rows(rows[at : at + 1])).item() for at in range(20)]
    assert np.abs(np.array(alone) - said["score"][:20]).max() < 1e-6


@pytest.mark.parametrize("name", ["module.pt2", "module.pt"])
def test_its_own_formats_are_refused_with_the_way_out(tmp_path, name):
    assert format_of(EXPORTED / name) == "torch"
    with pytest.raises(ModelError, match="torch") as caught:
        ModelStore(tmp_path / "home").add(
            Candidate("net", "onnx", Signature("binary", (Feature("a"),)), EXPORTED / name), 1
        )
    assert "torch.onnx.export" in caught.value.fix
