"""Hostile bodies for the model of `benchmarks.house`: a corpus, and a generator that breaks what is sound.

S18 sends them to a real house, `tests/serving/test_hostile.py` reads them in process. A case is a path, headers and a
body; everything is drawn from the `Random` that is given.
"""

from __future__ import annotations

import gzip
import io
import json
import random
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from benchmarks.house import MODEL, NUMBERS

INFER, INVOKE = f"/v2/models/{MODEL}/infer", f"/models/{MODEL}/invocations"
NAMES = ("number", "kind", *NUMBERS)
CSV, ARROW = "text/csv", "application/vnd.apache.arrow.stream"
LENGTH = "Inference-Header-Content-Length"

# What stands where a number, a text or a list was expected.
EVIL = (
    "NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e-999", "9" * 5_000, "-" + "9" * 400, str(2**63), str(2**64),
    str(2**53 + 1), "0x10", "1_000", "01", "+1", "1.", ".5", "-0", "null", "true", "[]", "{}", '""', '"1"', '"\\ud800"',
    '"\\u0000"', '"' + "x" * 4_000 + '"', "[[[[1]]]]", '{"a":{"a":{}}}', "[" * 1_000, '{"a":' * 1_000, "\u0000",
    "\ufeff",
)  # fmt: skip
_EVIL_BYTES = [word.encode("utf-8", "surrogatepass") for word in EVIL]
_SHAPES = ("[-1]", "[1e9]", f"[{2**70}]", "[0]", "[1,1,1,1]", "[" + "1," * 9_000 + "1]")
_LITERAL = re.compile(rb'-?\d[\d.eE+-]*|true|false|null|"[^"\\]{0,40}"')


class Case(NamedTuple):
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


def sound() -> list[Case]:
    """One request of each kind, all of which are answered."""
    row = {"number": 1.5, "kind": "a", **{name: float(at) for at, name in enumerate(NUMBERS)}}
    rows = [list(row.values())] * 2
    records = [row] * 2
    frames: dict[str, Any] = {
        "dataframe_split": {"columns": list(NAMES), "data": rows},
        "dataframe_records": records,
        "instances": rows,
        "inputs": {name: [value] * 2 for name, value in row.items()},
    }
    plain = [Case(INVOKE, {}, json.dumps({form: value}).encode()) for form, value in frames.items()]
    table = "\n".join(",".join(map(str, line)) for line in [NAMES, *rows]).encode()
    arrow = io.BytesIO()
    pl.DataFrame(records).write_ipc_stream(arrow, compat_level=pl.CompatLevel.oldest())
    tensors = [_tensor(name, value) for name, value in row.items()]
    return [
        *plain,
        Case(INVOKE, {"Content-Type": CSV}, table),
        Case(INFER, {}, json.dumps({"inputs": tensors, "id": "one"}).encode()),
        _binary(row),
        Case(INFER, {"Content-Type": ARROW}, arrow.getvalue()),
    ]


def corpus() -> list[Case]:
    """What has broken others, each thing once; sizes up to a megabyte, the most that a house takes by default."""
    tensor = json.dumps({"inputs": [_tensor(name, 1.5) for name in NAMES]})
    texts = ["", " ", "{", "[]", "{}", "null", "0", '"x"', "[" * 1_000, "[" * 100_000, '{"a":' * 100_000]
    texts += ["{" + '"k":0,' * 90_000 + '"k":0}', "{" + ",".join(f'"k{i}":0' for i in range(60_000)) + "}"]
    texts += ["\ufeff" + tensor, tensor[:-1], tensor + tensor, tensor.replace(":", ": " * 9_000, 1)]
    texts += [tensor.replace("1.5", word, 1) for word in EVIL]
    texts += [tensor.replace('"number"', word, 1) for word in EVIL]
    texts += [tensor.replace("[1]", word, 1) for word in _SHAPES]
    bodies = [text.encode("utf-8", "surrogatepass") for text in texts]
    bodies += [tensor.encode("utf-16"), b"\xff" * 1_000, b"\0" * 100_000, b"x" * 1_000_000, gzip.compress(bytes(10**8))]
    cases = [Case(path, {}, body) for body in bodies for path in (INFER, INVOKE)]
    cases += [Case(path, {"Content-Type": media}, body) for path, media, body in _medias(tensor.encode())]
    sizes = ("0", "1", "-1", "1e9", str(2**64), "9" * 30, "x", str(len(tensor) - 1), str(10**6))
    return cases + [Case(INFER, {LENGTH: size}, tensor.encode()) for size in sizes] + list(_lies())


def fuzzed(chance: random.Random) -> Iterator[Case]:
    """Without end: mostly sound requests that were changed a little, now and then one of the corpus."""
    whole, known = sound(), [case for case in corpus() if len(case.body) < 20_000]
    while True:
        case = chance.choice(whole) if chance.random() < 0.9 else chance.choice(known)
        body = bytearray(case.body)
        for _ in range(chance.choice((1, 1, 1, 1, 2, 3))):
            body = chance.choice(_CHANGES)(body, chance)
        yield Case(case.path, case.headers, bytes(body))


def _tensor(name: str, value: Any) -> dict[str, Any]:
    return {"name": name, "shape": [1], "datatype": "BYTES" if isinstance(value, str) else "FP64", "data": [value]}


def _binary(row: dict[str, Any]) -> Case:
    inputs, raws = [], []
    for name, value in row.items():
        is_text = isinstance(value, str)
        raw = len(value).to_bytes(4, "little") + value.encode() if is_text else np.float32(value).tobytes()
        head = {"name": name, "shape": [1], "datatype": "BYTES" if is_text else "FP32"}
        inputs.append({**head, "parameters": {"binary_data_size": len(raw)}})
        raws.append(raw)
    text = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    return Case(INFER, {LENGTH: str(len(text)), "Content-Type": "application/octet-stream"}, text + b"".join(raws))


def _lies() -> Iterator[Case]:
    """Binary tensors whose sizes are not those of their bytes."""
    case = _binary({name: "a" if name == "kind" else 1.5 for name in NAMES})
    length = int(case.headers[LENGTH])
    head, raw = case.body[:length], case.body[length:]
    for size in (b"-1", b"0", b"5", b"1e3", b"99999999999999999999", b"null", b'"4"', b"true", b"4.0"):
        text = head.replace(b'"binary_data_size": 4', b'"binary_data_size": ' + size, 1)
        yield Case(case.path, {**case.headers, LENGTH: str(len(text))}, text + raw)
    yield Case(case.path, case.headers, head)
    yield Case(case.path, case.headers, head + raw[:4] + b"\xff\xff\xff\x7f" + raw[8:])


def _medias(body: bytes) -> Iterator[tuple[str, str, bytes]]:
    multipart = b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n" * 15_000
    for path in (INFER, INVOKE):
        for media in (
            CSV,
            ARROW,
            "application/octet-stream",
            "text/html",
            "application/json; charset=utf-16",
            "x" * 500,
            ";;;",
        ):
            yield path, media, body
        yield path, "multipart/form-data; boundary=x", multipart
        yield path, CSV, b'"' * 100_000
        yield path, CSV, (",".join(NAMES) + "\n" + "\n" * 500_000).encode()
        yield path, CSV, (",".join(NAMES) + "\n" + ",".join(["1" * 390] * len(NAMES))).encode()


def _flip(body: bytearray, chance: random.Random) -> bytearray:
    if body:
        body[chance.randrange(len(body))] ^= 1 << chance.randrange(8)
    return body


def _overwrite(body: bytearray, chance: random.Random) -> bytearray:
    at = chance.randrange(len(body) + 1)
    body[at : at + chance.randrange(9)] = chance.choice(
        (b"\xff" * 8, bytes(8), b"\xff\xff\xff\x7f", b"{", b"]", b'"', b"")
    )
    return body


def _cut(body: bytearray, chance: random.Random) -> bytearray:
    return body[: chance.randrange(len(body) + 1)]


def _repeat(body: bytearray, chance: random.Random) -> bytearray:
    start, end = sorted(chance.randrange(len(body) + 1) for _ in range(2))
    return body[:end] + body[start:end][:2_000] * chance.choice((1, 2, 10)) + body[end:]


def _replace(body: bytearray, chance: random.Random) -> bytearray:
    """A literal by an evil one, or by another of the same body."""
    one, other = (_LITERAL.search(body, chance.randrange(len(body) + 1)) for _ in range(2))
    if one is None or other is None:
        return body
    word = chance.choice(_EVIL_BYTES) if chance.random() < 0.4 else other[0]
    return body[: one.start()] + word + body[one.end() :]


# Anything but a literal for a literal ends nearly every JSON: what comes after parsing must be met too.
_CHANGES = (_flip, _overwrite, _cut, _repeat, *([_replace] * 12))
