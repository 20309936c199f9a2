"""A small network out of torch, as its users would bring it: `export.py FOLDER`.

Writes `module.onnx` (by way of `torch.export`), `module.pt2`, `module.pt`, and rows with what the module itself says of
them. The test starts it in the peer's environment.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch

folder = Path(sys.argv[1])
torch.manual_seed(0)
module = torch.nn.Sequential(torch.nn.Linear(4, 32), torch.nn.ReLU(), torch.nn.Linear(32, 1), torch.nn.Sigmoid()).eval()
rows = torch.randn(200, 4)
program = torch.export.export(module, (rows,), dynamic_shapes=({0: torch.export.Dim("rows")},))
torch.export.save(program, folder / "module.pt2")
torch.save(module, folder / "module.pt")
# One file: weights that lie beside a model cannot be verified with it, and are refused.
torch.onnx.export(
    program, (), folder / "module.onnx", input_names=["rows"], output_names=["score"], external_data=False
)
with torch.no_grad():
    np.savez(folder / "said.npz", rows=rows.numpy(), score=module(rows).numpy()[:, 0])
