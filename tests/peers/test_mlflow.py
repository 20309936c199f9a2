"""The same payloads to a real `mlflow models serve` and to ours, one scikit-learn model: statuses and bodies agree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.peers.mlflow_corpus import CORPUS, DIFFERENCES
from tests.peers.sides import NAMES, Said, ask, check, is_close, make_model, ours, theirs

pytestmark = pytest.mark.peer


def test_ours_answers_as_mlflow_does(tmp_path: Path, peer_python: Callable[[str], Path]) -> None:
    model = make_model(tmp_path)
    arguments = [str(model.path), "{port}", ",".join(NAMES)]
    found = {}
    with theirs(peer_python("mlflow"), "mlflow", arguments, "/ping") as port, ours(model, tmp_path / "ours") as house:
        headers = {"Authorization": f"Bearer {house.key}"}
        for case in CORPUS:
            mlflow, mine = ask(port, case), ask(house.port, case, headers)
            if not _agree(mlflow, mine):
                found[case.name] = f"MLflow {mlflow.status} {str(mlflow.body)[:160]}; ours {mine.status} {mine.body}"
    assert len({case.name for case in CORPUS}) == len(CORPUS)
    check(found, DIFFERENCES)


def _agree(mlflow: Said, mine: Said) -> bool:
    """Answers in full; refusals by status and by the shape of their bodies, since everybody has words of their own."""
    if mlflow.status != mine.status:
        return False
    if mlflow.status == 200:
        return is_close(mlflow.body, mine.body)
    return isinstance(mine.body, dict) and {"error_code", "message"} <= mine.body.keys()
