"""The warning beside performance: there while the first labels mislead, gone when the rest has come."""

from __future__ import annotations

from gyroscope.records import Signal


def test_first_labels_that_mislead_are_said_with_bounds_and_only_while_they_do(site):
    signals, cookie = site.parts.signals, site.sign_in()
    newest = signals.latest("performance", {"model": "flights", "metric": "accuracy"})
    about = dict(newest.labels)
    of = tuple(sorted(about.items()))
    reading = Signal(
        "reading", newest.at, -0.0437, tuple(sorted({**about, "kind": "labels"}.items())), -0.06, -0.03, 90
    )
    bounds = [Signal("performance_low", newest.at, 0.6123, of), Signal("performance_high", newest.at, 0.9345, of)]
    assert "not like the rest" not in site.ask("/models/flights", headers=cookie).text
    signals.put([reading, *bounds])
    text = site.ask("/models/flights", headers=cookie).text
    assert "accuracy usually moves by -0.044" in text
    assert "it lies between 0.612 and 0.934" in text or "it lies between 0.612 and 0.935" in text
    signals.put([], instead_of=[reading])
    assert "not like the rest" not in site.ask("/models/flights", headers=cookie).text
