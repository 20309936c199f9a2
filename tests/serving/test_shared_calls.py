"""Calls that share a prediction: each gets its own rows, and what one of them does is nobody else's matter."""

from __future__ import annotations

import json

import numpy as np

from gyroscope.clock import SECOND_NS, machine_now
from gyroscope.serving.plane import Limits


def ask(served, *values, **headers):
    body = {
        "inputs": [{"name": "x", "shape": [len(values), 3], "datatype": "FP64", "data": [[v, 0, 0] for v in values]}]
    }
    return served.plane.prepare(served.call(json.dumps(body).encode(), **headers))


def answers(served, works):
    replies = [served.plane.finish(work) for work in works]
    return [json.loads(one.body)["outputs"][0]["data"] if one.status == 200 else one.status for one in replies]


def test_calls_that_share_a_prediction_get_each_its_own_rows(bench):
    asked = []

    def hashed(rows):
        asked.append((len(rows.matrix), served.pulse.inputs, served.pulse.deadline_ns))
        return rows.matrix[:, 0] * 3 + 1

    served = bench(hashed)
    works = [
        ask(served, 1, 2),
        ask(served, 7, timeout_ms="900"),
        served.plane.prepare(served.call(b"{")),
        ask(served, 5),
    ]
    assert served.plane.predict(works) > 0, "all who asked shared it"
    assert answers(served, works) == [[4, 7], [22], 400, [16]]
    assert asked == [(4, [works[0].input_hash, works[1].input_hash, works[3].input_hash], works[3].deadline)]
    assert [entry.outputs.ravel().tolist() for entry in served.written() if entry.status == 200] == [[4, 7], [22], [16]]
    assert served.plane.predict([ask(served, 1), ask(served, 2)]) > 0


def test_one_bad_call_fails_alone(bench):
    def picky(rows):
        if (rows.matrix[:, 0] == 13).any():
            raise ValueError("thirteen")
        return rows.matrix[:, 0]

    served = bench(picky)
    works = [ask(served, 1), ask(served, 13), ask(served, 2, 3)]
    served.plane.predict(works)
    assert answers(served, works) == [[1], 500, [2, 3]]
    assert [entry.status for entry in served.written()] == [200, 500, 200]


def test_a_suspect_is_asked_alone(bench):
    sizes = []

    def counted(rows):
        sizes.append(len(rows.matrix))
        return rows.matrix[:, 0]

    served = bench(counted)
    first = ask(served, 1)
    served.quarantine.blame([first.input_hash], machine_now())
    works = [ask(served, 1), ask(served, 2), ask(served, 3)]
    served.plane.predict(works)
    assert sizes == [2, 1]
    assert answers(served, works) == [[1], [2], [3]]
    assert served.quarantine.kills(first.input_hash, machine_now()) == 0


def test_calls_whose_time_is_up_after_a_failed_batch_are_not_begun(bench):
    begun = []

    def fails_together(rows):
        begun.append(len(rows.matrix))
        if len(rows.matrix) > 2:
            while machine_now() < late:
                pass
            raise ValueError("not together")
        return np.nansum(rows.matrix, axis=1)

    served = bench(fails_together, Limits(deadline_ns=SECOND_NS))
    works = [ask(served, 1.0, timeout_ms=text) for text in ("1000", "30", "1000")]
    late = works[1].deadline
    served.plane.predict(works)
    assert [work.status for work in works] == [200, 504, 200]
    assert begun == [3, 1, 1]
