"""Runners that have the short way, and requests that take it, for the tests of `express` and of turns over HTTP."""

from __future__ import annotations

import json

import numpy as np

from gyroscope.clock import machine_now
from gyroscope.serving.batching import Batcher


def body(*values, **more):
    tensor = {"name": "x", "shape": [1, len(values)], "datatype": "FP64", "data": values}
    return json.dumps({"inputs": [tensor], **more}).encode()


class Sums:
    """A runner that has the short way; a negative sum is no answer."""

    takes_one = True
    in_hand = staticmethod(lambda: None)

    def predict(self, rows):
        return rows.matrix.sum(axis=1) if rows.matrix.sum() >= 0 else np.full(len(rows.matrix), np.nan)

    def one(self, numbers):
        self.in_hand()
        if numbers == np.full(3, 13.0).tobytes():
            raise RuntimeError("unlucky")
        return self.predict(type("Rows", (), {"matrix": np.frombuffer(numbers).reshape(1, -1)})).item()


class Many(Sums):
    """Of three and more it says what it says of each, at once; all of nothing where one is unlucky."""

    several_from = 3

    def several(self, rows):
        return [self.one(numbers) for numbers in rows]


class Quick(Batcher):
    """Finds the model fast, however slow this machine is, until it is told otherwise."""

    is_quick = True


def ask(short, body, request_id="", arrived=None, dialect=None):
    """One request alone in its turn."""
    about = (dialect or short.dialects[0], body, arrived or machine_now(), request_id, None, None)
    (reply,) = short.answer([about])
    return reply
