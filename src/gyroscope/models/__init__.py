"""The room of models: versions, signatures, references, routes, runners and conversion.

Serving, monitoring and the command line read and write versions here. It never trains and never serves.
"""

from __future__ import annotations

from gyroscope.models.blocks import Blocks
from gyroscope.models.encoding import encode_columns
from gyroscope.models.reference import ReferenceProfile, build_reference
from gyroscope.models.routes import Routes
from gyroscope.models.runners import Rows, Runner, open_runner
from gyroscope.models.signature import infer_signature, read_signature, write_signature
from gyroscope.models.store import Candidate, ModelStore
from gyroscope.models.suspicion import looks_in_sample

__all__ = [
    "Blocks",
    "Candidate",
    "ModelStore",
    "ReferenceProfile",
    "Routes",
    "Rows",
    "Runner",
    "build_reference",
    "encode_columns",
    "infer_signature",
    "looks_in_sample",
    "open_runner",
    "read_signature",
    "write_signature",
]
