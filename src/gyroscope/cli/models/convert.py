"""`gyro models convert`: a scikit-learn model out of a joblib or pickle file into ONNX, and how well the two agree.

The file is opened in a throwaway process without network or secrets, never in this one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gyroscope.cli.options import JsonOption
from gyroscope.cli.output import print_json, say


def convert(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="joblib or pickle file of a scikit-learn model")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="the ONNX file; its signature is written beside it")
    ] = Path("model.onnx"),
    data: Annotated[
        Path | None, typer.Option("--data", help="rows to compare both models on; else random ones")
    ] = None,
    signature: Annotated[
        Path | None, typer.Option("--signature", help="names and types of the columns; else from the data or the model")
    ] = None,
    accept_disagreement: Annotated[
        bool, typer.Option("--accept-disagreement", help="write the file even if the two do not agree")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Convert a model and say how well the two agree; refused when they do not."""
    from gyroscope.models.convert import Wish
    from gyroscope.models.convert import convert as convert_file

    wish = Wish(data=data, signature=signature, accept_disagreement=accept_disagreement)
    conversion = convert_file(source, output, wish)
    if as_json:
        print_json(conversion)
    else:
        for line in conversion.said:
            say(line)
