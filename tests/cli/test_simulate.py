"""`gyro simulate` where no house is."""

from __future__ import annotations

import pytest

POLICIES = ["gyroscope", "HPA v2", "KPA-like", "Ray Serve"]


def test_a_named_trace_side_by_side(gyro, here):
    ended = gyro("simulate", "spike", "--minutes", "5", "--peak", "30", "--json")
    assert ended.code == 0
    told = ended.json
    assert told["seconds"] == 300
    assert [one["policy"] for one in told["outcomes"]][:4] == POLICIES
    assert len({one["requests"] for one in told["outcomes"]}) == 1


def test_recorded_requests_and_a_picture(gyro, here):
    (here / "times.txt").write_text("\n".join(str(1_000 + at * 0.05) for at in range(4_000)))
    ended = gyro("simulate", "--times", "times.txt", "-o", "out.html")
    assert ended.code == 0
    assert "4,000 requests" in ended.out
    page = (here / "out.html").read_text()
    assert "Rehearsal: times.txt" in page
    assert all(policy in page for policy in POLICIES)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("spikes",), "no trace is called"),
        (("--times", "nothing.txt"), "cannot be read"),
        (("--model", "m"), "gyroscope.yaml"),
    ],
)
def test_what_is_not_there_is_said(gyro, here, given, said):
    ended = gyro("simulate", *given)
    assert ended.code == 2
    assert said in ended.err
