"""A small network out of torch, as its users would bring it: `export.py FOLDER`.

Writes `module.onnx` (by way of `torch.export`), `module.pt2`, `module.pt`, and rows with what the module itself says of
them. `exported/` holds what torch 2.13.0 with onnxscript 0.7.2 wrote.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
import torch

folder = Path(sys.argv[1])
torch.manual_seed(0)
module = torch.nn.Sequential(torch.nn.Linear(4, 32), torch.nn.ReLU(), torch.nn.Linear(32, 1), torch.nn.Sigmoid()).eval()
rows = torch.randn(200, 4)
program = torch.export.export(module, (rows,), dynamic_shapes=({0: torch.export.Dim("rows")},))
for step in program.graph.nodes:
    step.meta.pop("stack_trace", None)  # where torch lies on this machine
torch.export.save(program, folder / "module.pt2")
torch.save(module, folder / "module.pt")
# One file: weights that lie beside a model cannot be verified with it, and are refused.
whole = folder / "module.onnx"
torch.onnx.export(program, (), whole, input_names=["rows"], output_names=["score"], external_data=False)
exported = onnx.load(whole)
for node in exported.graph.node:
    del node.metadata_props[:]
onnx.save(exported, whole)
with torch.no_grad():
    np.savez(folder / "said.npz", rows=rows.numpy(), score=module(rows).numpy()[:, 0])
