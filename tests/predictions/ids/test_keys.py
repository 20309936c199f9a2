"""What stands for a request id."""

from __future__ import annotations

import numpy as np
import xxhash

from gyroscope.predictions.ids.keys import SHADOW, id_keys, keys_of_bytes, shadow_keys


def test_keys_are_the_halves_of_the_hash_in_order():
    ids = ["a", "é", "", "x" * 1_000, "\ud800"]
    whole = [xxhash.xxh3_128_intdigest(text.encode("utf-8", "backslashreplace")) for text in ids]
    assert [(int(high) << 64) | int(low) for high, low in id_keys(ids)] == whole
    np.testing.assert_array_equal(id_keys(ids[:4]), keys_of_bytes([text.encode() for text in ids[:4]]))
    assert id_keys([]).shape == (0, 2)


def test_a_shadow_has_a_key_of_its_own():
    np.testing.assert_array_equal(shadow_keys(["a"]), keys_of_bytes([b"a" + SHADOW]))
    assert (shadow_keys(["a"]) != id_keys(["a"])).all()
