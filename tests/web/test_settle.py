"""`POST /v1/settle`: who asks hears what is still missing, and where no loops run, that."""

from __future__ import annotations


def test_without_loops_nothing_can_catch_up(site):
    said = site.ask_as_program("/v1/settle", method="POST")
    assert said.status == 503
    assert "no loops run here" in said.json["error"]
