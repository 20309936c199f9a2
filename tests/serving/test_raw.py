"""Tensors as they lie in memory: every datatype, to the last bit, and sizes that lie."""

from __future__ import annotations

import numpy as np
import pytest

from gyroscope.errors import InputError
from gyroscope.serving.raw import unpack

NUMBERS = {
    "BOOL": np.array([1, 0], np.uint8),
    "UINT8": np.array([0, 255], np.uint8),
    "UINT16": np.array([0, 65_535], np.uint16),
    "UINT32": np.array([0, 2**32 - 1], np.uint32),
    "UINT64": np.array([0, 2**53], np.uint64),
    "INT8": np.array([-128, 127], np.int8),
    "INT16": np.array([-(2**15), 7], np.int16),
    "INT32": np.array([-(2**31), 7], np.int32),
    "INT64": np.array([-(2**53), 7], np.int64),
    "FP16": np.array([0.5, -65_504], np.float16),
    "FP32": np.array([0.1, -3e38], np.float32),
    "FP64": np.array([0.1, 1e-308], np.float64),
}


@pytest.mark.parametrize("datatype", NUMBERS)
def test_numbers_are_what_was_sent(datatype):
    sent = NUMBERS[datatype]
    np.testing.assert_array_equal(unpack(datatype, sent.tobytes(), 2, "x"), sent)


def test_bf16_is_the_upper_half_of_fp32():
    exact = np.array([1.5, -2.0, 0.0], np.float32)
    halves = (exact.view(np.uint32) >> 16).astype("<u2")
    np.testing.assert_array_equal(unpack("BF16", halves.tobytes(), 3, "x"), exact)


def test_texts_have_their_lengths():
    raw = b"".join(len(text).to_bytes(4, "little") + text for text in (b"", "Ü:1".encode(), b"UA"))
    assert unpack("BYTES", memoryview(raw), 3, "x") == ["", "Ü:1", "UA"]


@pytest.mark.parametrize(
    ("datatype", "raw", "said"),
    [
        ("FP32", bytes(7), "7 bytes where 2 values of FP32 are 8"),
        ("FP32", b"", "0 bytes where 2"),
        ("BYTES", b"", "0 texts where the shape says 2"),
        ("BYTES", b"\1\0\0", "text 0: the length is cut off"),
        ("BYTES", b"\0\0\0\0\xff\xff\xff\xff", "text 1: 4,294,967,295 bytes are announced and 0 are left"),
        ("BYTES", b"\1\0\0\0\xff", "text 0: not UTF-8"),
    ],
)
def test_sizes_that_lie_are_refused(datatype, raw, said):
    with pytest.raises(InputError, match=said) as refusal:
        unpack(datatype, raw, 2, "x")
    assert refusal.value.status == 400


def test_an_unknown_datatype_is_named():
    with pytest.raises(InputError, match="is no datatype") as refusal:
        unpack("FP23", b"", 0, "inputs[0]")
    assert (refusal.value.where, refusal.value.status) == ("inputs[0].datatype", 422)
