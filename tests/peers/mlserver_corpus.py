"""What a real MLServer and ours are both asked in the Open Inference Protocol, and where their answers may differ.

`test_mlserver.py` sends it; the model has three features that are doubles and is called `probe`.
"""

from __future__ import annotations

from benchmarks.house import MODEL
from tests.peers.sides import Case, get, post

MODEL_PATH = f"/v2/models/{MODEL}"
ASK = f"{MODEL_PATH}/infer"


def infer(
    data: object = (40, 1000.5, 3), shape: object = (1, 3), datatype: object = "FP64", **more: object
) -> dict[str, object]:
    return {"inputs": [{"name": "x", "shape": shape, "datatype": datatype, "data": data}], **more}


def without(key: str) -> dict[str, object]:
    (tensor,) = infer()["inputs"]  # type: ignore[misc]
    return {"inputs": [{name: value for name, value in tensor.items() if name != key}]}


TWO = (40, 1000.5, 3, 23, 0, 0.25)

CORPUS = [
    post("one row", ASK, infer()),
    post("two rows, flat", ASK, infer(TWO, (2, 3))),
    post("two rows, nested", ASK, infer([TWO[:3], TWO[3:]], (2, 3))),
    post("a thousand rows", ASK, infer(TWO * 500, (1000, 3))),
    post("FP32", ASK, infer(datatype="FP32")),
    post("FP16", ASK, infer((1, 2, 3), datatype="FP16")),
    *(
        post(datatype, ASK, infer((1, 2, 3), datatype=datatype))
        for datatype in ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
    ),
    post("an id", ASK, infer(id="mine")),
    post("an id that is no text", ASK, infer(id=7)),
    post("the output by its name", ASK, infer(outputs=[{"name": "predict"}])),
    post("an output that is not there", ASK, infer(outputs=[{"name": "tripled"}])),
    post("no outputs named", ASK, infer(outputs=[])),
    post("parameters", ASK, infer(parameters={"content_type": "np"})),
    post("parameters that are none", ASK, infer(parameters=3)),
    post("a key that means nothing", ASK, infer(comment="hello")),
    post("a data frame, a tensor each", ASK, {
        "parameters": {"content_type": "pd"},
        "inputs": [
            {"name": name, "shape": [2], "datatype": "FP64", "data": [TWO[at], TWO[at + 3]]}
            for at, name in enumerate(("age", "income", "visits"))
        ],
    }),
    post("shape and data disagree", ASK, infer(shape=(2, 3))),
    post("too few columns", ASK, infer((1, 2), (1, 2))),
    post("too many columns", ASK, infer((1, 2, 3, 4), (1, 4))),
    post("no batch in the shape", ASK, infer(shape=(3,))),
    post("three dimensions", ASK, infer(shape=(1, 1, 3))),
    post("a negative shape", ASK, infer(shape=(-1, 3))),
    post("a shape of text", ASK, infer(shape=("1", "x"))),
    post("no rows", ASK, infer((), (0, 3))),
    post("a datatype that is not there", ASK, infer(datatype="FP65")),
    post("no datatype", ASK, without("datatype")),
    post("no shape", ASK, without("shape")),
    post("no data", ASK, without("data")),
    post("no name", ASK, without("name")),
    post("no inputs", ASK, {}),
    post("empty inputs", ASK, {"inputs": []}),
    post("inputs that are no list", ASK, {"inputs": {"x": 1}}),
    post("text in numbers", ASK, infer(("forty", 1, 2))),
    post("a missing value", ASK, infer((None, 1, 2))),
    post("data that is a number", ASK, infer(7, (1, 3))),
    post("a number beyond its datatype", ASK, infer((300, 1, 2), datatype="UINT8")),
    post("a fraction in whole numbers", ASK, infer((1.5, 1, 2), datatype="INT64")),
    post("BYTES where numbers belong", ASK, infer(("a", "b", "c"), datatype="BYTES")),
    post("no JSON", ASK, "{"),
    post("an empty body", ASK, ""),
    post("a list", ASK, "[]"),
    post("null", ASK, "null"),
    post("NaN spelled out", ASK, '{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP64","data":[NaN,1,2]}]}'),
    post("a model that is not there", "/v2/models/nobody/infer", infer()),
    post("a version that is not there", f"{MODEL_PATH}/versions/nine/infer", infer()),
    get("infer with GET", ASK),
    get("server metadata", "/v2"),
    get("live", "/v2/health/live"),
    get("ready", "/v2/health/ready"),
    get("model metadata", MODEL_PATH),
    get("model ready", f"{MODEL_PATH}/ready"),
    get("metadata of a model that is not there", "/v2/models/nobody"),
    get("readiness of a model that is not there", "/v2/models/nobody/ready"),
    post("the repository", "/v2/repository/index", {}),
    post("the repository, what is ready", "/v2/repository/index", {"ready": True}),
    post("load", f"/v2/repository/models/{MODEL}/load", {}),
    post("load what is not there", "/v2/repository/models/nobody/load", {}),
]  # fmt: skip

_CRASH = "MLServer answers 500; what a client got wrong is 422 at ours, with its place"
_CODE = "ours is 422, a request that was understood and does not fit the signature"
_JSON = "what is no JSON is 400 at ours, 422 at MLServer; the protocol says only 4xx"

DIFFERENCES = {
    "an output that is not there": _CODE,
    "empty inputs": _CODE,
    "shape and data disagree": _CRASH,
    "too few columns": _CRASH,
    "too many columns": _CRASH,
    "no batch in the shape": _CRASH,
    "three dimensions": _CRASH,
    "no rows": _CRASH,
    "text in numbers": _CRASH,
    "a missing value": _CRASH,
    "data that is a number": _CRASH,
    "a number beyond its datatype": _CRASH,
    "BYTES where numbers belong": _CRASH,
    "a negative shape": "a shape says how many there are; MLServer takes -1 as 'whatever fits'",
    "a fraction in whole numbers": "a whole number is whole; MLServer cuts off what does not fit",
    "no JSON": _JSON,
    "an empty body": _JSON,
    "NaN spelled out": _JSON,
}
"""Case -> why ours answers otherwise, on purpose."""


def answers(case: Case) -> bool:
    """Whether the case asks the model."""
    return case.path == ASK
