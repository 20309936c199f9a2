"""`gyro models convert`: a scikit-learn model out of a joblib or pickle file into ONNX, and how well the two agree.

The file is opened in a throwaway process without network or secrets, never in this one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gyroscope.cli.options import JsonOption


def convert(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="joblib or pickle file of a scikit-learn model")],
    output: Annotated[Path, typer.Option("--output", "-o", help="the ONNX file to write")] = Path("model.onnx"),
    data: Annotated[Path | None, typer.Option("--data", help="rows to compare both models on: Parquet or CSV")] = None,
    as_json: JsonOption = False,
) -> None:
    """Convert a model and report the agreement. Exit code 1: the two disagree."""
    raise typer.Exit(0)
