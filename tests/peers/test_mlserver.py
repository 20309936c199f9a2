"""The same requests to a real MLServer and to ours, one scikit-learn model, Open Inference Protocol: answers agree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.peers.mlserver_corpus import CORPUS, DIFFERENCES, answers
from tests.peers.sides import Case, Said, ask, check, is_close, make_model, ours, theirs

pytestmark = pytest.mark.peer


def test_ours_answers_as_mlserver_does(tmp_path: Path, peer_python: Callable[[str], Path]) -> None:
    model = make_model(tmp_path)
    arguments = [str(model.path), "{port}", "{other}", "0"]
    found = {}
    with (
        theirs(peer_python("mlserver"), "mlserver", arguments, "/v2/health/ready") as port,
        ours(model, tmp_path / "ours") as house,
    ):
        headers = {"Authorization": f"Bearer {house.key}"}
        for case in CORPUS:
            mlserver, mine = ask(port, case), ask(house.port, case, headers)
            if not _agree(case, mlserver, mine):
                said = f"MLServer {mlserver.status} {str(mlserver.body)[:160]}"
                found[case.name] = f"{said}; ours {mine.status} {mine.body}"
    assert len({case.name for case in CORPUS}) == len(CORPUS)
    check(found, DIFFERENCES)


def _agree(case: Case, mlserver: Said, mine: Said) -> bool:
    """Predictions by their numbers, other answers by their keys, refusals by their status and shape."""
    if mlserver.status != mine.status:
        return False
    if mine.status != 200:
        return isinstance(mine.body, dict) and isinstance(mine.body.get("error"), str)
    if answers(case):
        return is_close(_numbers(mlserver.body), _numbers(mine.body))
    if isinstance(mlserver.body, dict):
        return mlserver.body.keys() - {"parameters"} <= mine.body.keys()
    return isinstance(mlserver.body, list) <= isinstance(mine.body, list)


def _numbers(body: dict[str, Any]) -> list[Any]:
    """What was answered: rows, type and numbers of the one output. MLServer adds a second dimension of 1."""
    (output,) = body["outputs"]
    return [output["shape"][0], output["datatype"], np.ravel(output["data"]).tolist()]
