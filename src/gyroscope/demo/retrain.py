"""The demo's training functions, as its `train.py` names one of them: labelled rows of the log in, a model out.

The house calls them in a trainer's process (`gyroscope.assembly.training`). They see no flight that the log does not
have, but those of the months before it began.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightgbm
import numpy as np

from gyroscope.demo.train import ARTIFACT, EARLIER, encode, fit
from gyroscope.models.signature import read_signature
from gyroscope.predictions.reading.columns import as_array

SIGNATURE = "signature.json"


def challenger(folder: Path, data: Any) -> lightgbm.Booster:
    """A model of the rows of before and of all labelled ones of the log."""
    signature = read_signature(folder / SIGNATURE)
    columns = {feature.name: as_array(data.column(feature.name)) for feature in signature.features}
    late = as_array(data.column("label"))
    with np.load(folder / EARLIER) as earlier:
        matrix = np.concatenate([earlier["matrix"], encode(columns, signature)])
        return fit(matrix, np.concatenate([earlier["late"], late]))


def equal(folder: Path, data: Any) -> str:
    """The first model under another name: every prediction is the same."""
    text = (folder / ARTIFACT).read_text(encoding="utf-8")
    renamed = text.replace("[verbosity: -1]", "[verbosity: 0]")
    Path("equal.txt").write_text(renamed, encoding="utf-8")
    return "equal.txt"
