"""The one registry: names, near words, missing libraries, outsiders."""

from __future__ import annotations

import importlib.metadata
import importlib.util

import pytest

from gyroscope import backends
from gyroscope.errors import GyroscopeError


@pytest.mark.parametrize("kind", backends.BACKENDS)
def test_every_name_leads_to_a_file_of_its_own(kind):
    modules = [path.partition(":")[0] for path in backends.BACKENDS[kind].values()]
    assert len(set(modules)) == len(modules)
    assert all(importlib.util.find_spec(module) for module in modules)


@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind, names in backends.BACKENDS.items() for name in names]
)
def test_every_name_can_be_loaded(kind, name):
    assert callable(backends.load(kind, name))


def test_an_unknown_name_gets_a_near_one():
    with pytest.raises(GyroscopeError, match="no runner is called 'lightgmb'") as refused:
        backends.load("runners", "lightgmb")
    assert "did you mean 'lightgbm'?" in refused.value.fix


def test_a_missing_library_names_the_extra_that_brings_it():
    missing = ModuleNotFoundError("No module named 'onnxruntime'", name="onnxruntime.capi")
    refused = backends.missing_library(missing, what="the runner 'onnx'")
    assert refused.fix == "pip install 'gyroscope[onnx]'"


def test_a_missing_library_is_met_when_the_backend_is_asked_for(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(backends.BACKENDS, "runners", {"odd": "no_such_library_here.thing:Runner"})
    with pytest.raises(GyroscopeError, match="needs no_such_library_here") as refused:
        backends.load("runners", "odd")
    assert refused.value.fix == "pip install no_such_library_here"


def test_an_outsider_whose_class_is_gone_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(backends.BACKENDS, "runners", {"odd": "collections:Runner"})
    with pytest.raises(GyroscopeError, match="the runner 'odd' is not where its package says"):
        backends.load("runners", "odd")


def test_outsiders_join_by_entry_point_and_never_replace_ours(monkeypatch: pytest.MonkeyPatch):
    points = [
        importlib.metadata.EntryPoint("tiny", "collections:OrderedDict", "gyroscope.runners"),
        importlib.metadata.EntryPoint("onnx", "collections:Counter", "gyroscope.runners"),
    ]
    monkeypatch.setattr(backends, "entry_points", lambda group: points if group == "gyroscope.runners" else [])
    monkeypatch.setitem(backends.BACKENDS, "runners", {"onnx": "collections:ChainMap"})
    assert backends.known("runners") == ["onnx", "tiny"]
    assert backends.load("runners", "tiny").__name__ == "OrderedDict"
    assert backends.load("runners", "onnx").__name__ == "ChainMap"


def test_a_kind_that_nobody_offers_is_empty():
    assert backends.known("teapots") == []
