"""What the protocol says besides inference, in MLServer's and Triton's shapes."""

from __future__ import annotations

import json

import pytest

from gyroscope.errors import InputError
from gyroscope.records import Feature, Signature
from gyroscope.serving.dialects.v2_pages import pages
from gyroscope.supervisor.pulse import Pulse

ONE = "/v2/models/flights/versions/0a1b2c3d4e5f"


@pytest.fixture
def pulse(tmp_path):
    return Pulse.create(tmp_path / "replica.pulse")


@pytest.fixture
def shown(pulse, mixed, version):
    return {path: page.show for path, page in pages(version(mixed), pulse).items()}


def test_the_server_names_its_extensions(shown):
    assert json.loads(shown["/v2"](b""))["extensions"] == ["binary_tensor_data", "model_repository", "statistics"]
    assert json.loads(shown["/v2/models"](b"")) == {"models": ["flights"]}


def test_metadata_is_the_signature(shown):
    page = json.loads(shown["/v2/models/flights"](b""))
    assert page == json.loads(shown[ONE](b""))
    assert page["versions"] == ["0a1b2c3d4e5f"]
    assert [(one["name"], one["datatype"]) for one in page["inputs"]] == [
        ("distance", "FP64"),
        ("hour", "INT64"),
        ("carrier", "BYTES"),
        ("is_late", "BOOL"),
    ]
    assert page["outputs"] == [{"name": "probability", "datatype": "FP64", "shape": [-1]}]


def test_metadata_of_many_classes(pulse, version):
    many = Signature("multiclass", (Feature("a"),), output="kind", classes=("x", "y", "z"))
    page = json.loads(pages(version(many), pulse)["/v2/models/flights"].show(b""))
    assert page["outputs"] == [{"name": "kind", "datatype": "FP64", "shape": [-1, 3]}]


def test_statistics_are_the_pulse(pulse, shown):
    for name, n in {"requests_2xx": 3, "requests_4xx": 2, "requests_5xx": 1, "rows": 30, "failed_ns": 500}.items():
        pulse.add(name, n)
    pulse.observe_latency(2_000)
    pulse.begin(100, 900, (5, 6, 7), queue_ns=40)
    pulse.end(350)
    (stats,) = json.loads(shown[f"{ONE}/stats"](b""))["model_stats"]
    assert stats == {
        "name": "flights",
        "version": "0a1b2c3d4e5f",
        "inference_count": 30,
        "execution_count": 1,
        "inference_stats": {
            "success": {"count": 3, "ns": 1_500},
            "fail": {"count": 3, "ns": 500},
            "queue": {"count": 3, "ns": 40},
            "compute_infer": {"count": 1, "ns": 250},
        },
    }


@pytest.mark.parametrize("body", [b"", b"{}", b'{"ready": true}'])
def test_the_index_holds_the_one_version_that_is_loaded(shown, body):
    entry = {"name": "flights", "version": "0a1b2c3d4e5f", "state": "READY", "reason": ""}
    assert json.loads(shown["/v2/repository/index"](body)) == [entry]


def test_loading_what_is_loaded_is_fine(shown):
    load = shown["/v2/repository/models/flights/load"]
    assert load(b"") == load(b"{}") == b"{}"


@pytest.mark.parametrize(
    ("act", "body", "status", "said"),
    [
        ("load", b'{"parameters": {"config": "{}"}}', 400, "nothing of it can be overridden"),
        ("load", b"{", 400, "malformed JSON"),
        ("load", b"[]", 422, "expected object"),
        ("unload", b"", 400, "cannot be unloaded"),
        ("unload", b'{"parameters": {"unload_dependents": true}}', 400, "cannot be unloaded"),
    ],
)
def test_what_a_replica_cannot_do_is_refused(shown, act, body, status, said):
    with pytest.raises(InputError, match=said) as refusal:
        shown[f"/v2/repository/models/flights/{act}"](body)
    assert refusal.value.status == status
