"""What is measured: a network with pruned weights, its input and the right output, as files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import CACHE, ROOT

if TYPE_CHECKING:
    from torch import nn

LAYOUT = 1
"""Counts changes of the files of a case, so that old ones are made again."""


@dataclass(frozen=True)
class Case:
    """A network of `bcr.models` and how it is pruned; batch 1.

    The first convolution and depthwise convolutions stay dense, everything else has the rate.
    """

    network: str
    rate: float = 8.0
    block: tuple[int, int] = (8, 64)
    scheme: str = "columns"
    seed: int = 0

    def __post_init__(self) -> None:
        # Equal cases have equal folders: 8 and 8.0 do not read the same in JSON.
        object.__setattr__(self, "rate", float(self.rate))

    def __str__(self) -> str:
        return f"{self.network} {self.rate:g}x"

    @property
    def folder(self) -> Path:
        """Where its files are, once `prepare` has made them."""
        return CACHE / "cases" / f"{self.network}-{self.rate:g}x-{self._digest()}"

    def _digest(self) -> str:
        digest = hashlib.sha256(json.dumps([LAYOUT, asdict(self)]).encode())
        for package in ("models", "pruning"):
            for path in sorted((ROOT / "python" / "bcr" / package).glob("*.py")):
                digest.update(path.read_bytes())
        return digest.hexdigest()[:10]


def prepare(case: Case) -> dict[str, Any]:
    """Make the files of a case unless they are there, and return its facts.

    The files: `model.pt` (pickled module), `model.pt2` (exported program), `input.npy`,
    `expected.npy` (eager PyTorch) and `facts.json` (what this returns): `weights` and `kept`
    (numbers of weights in convolutions and linear layers), `dense_flops` and `stored_flops` (two
    for each multiply-add), `output` (shape).
    """
    folder = case.folder
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=folder.parent))
        try:
            _write(case, unfinished)
            os.rename(unfinished, folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    facts: dict[str, Any] = json.loads((folder / "facts.json").read_text())
    return facts


def make_model(case: Case) -> nn.Module:
    """Return the pruned network in eval mode."""
    import bcr.models

    model = bcr.models.get(case.network, seed=case.seed)
    prune(model, case)
    return model


def prune(model: nn.Module, case: Case) -> None:
    """Prune all convolutions and linear layers but the first and the depthwise ones."""
    from torch import nn

    import bcr

    if case.rate <= 1:
        return
    convolutions = [(n, m) for n, m in model.named_modules() if isinstance(m, nn.Conv2d)]
    dense = {convolutions[0][0]} | {n for n, m in convolutions if m.groups > 1}
    config = bcr.PruneConfig(
        rate=case.rate,
        block=case.block,
        scheme=case.scheme,  # type: ignore[arg-type]
        oversize="clip",
        modules=dict.fromkeys(dense),
    )
    bcr.Pruner(model, config).finalize()


def _write(case: Case, folder: Path) -> None:
    import numpy as np
    import torch

    import bcr.models

    model = make_model(case)
    (x,) = bcr.models.inputs(case.network, seed=case.seed)
    facts = _count(model, x)
    with torch.no_grad():
        expected = model(x)
    if not torch.isfinite(expected).all() or expected.abs().max() == 0:
        raise ValueError(f"{case}: the output of the network is zero or not finite")
    facts["output"] = list(expected.shape)
    np.save(folder / "input.npy", x.numpy())
    np.save(folder / "expected.npy", expected.numpy())
    torch.save(model, folder / "model.pt")
    torch.export.save(torch.export.export(model, (x,)), folder / "model.pt2")
    (folder / "facts.json").write_text(json.dumps(facts))


def _count(model: nn.Module, x: Any) -> dict[str, Any]:
    """Count weights and operations of the convolutions and linear layers."""
    import torch
    from torch import nn

    facts = dict.fromkeys(("weights", "kept", "dense_flops", "stored_flops"), 0)

    def count(layer: nn.Module, _: Any, y: Any) -> None:
        weight = layer.weight
        assert isinstance(weight, torch.Tensor)
        kept = int(torch.count_nonzero(weight))
        positions = y.numel() // weight.shape[0]
        facts["weights"] += weight.numel()
        facts["kept"] += kept
        facts["dense_flops"] += 2 * weight.numel() * positions
        facts["stored_flops"] += 2 * kept * positions

    layers = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    with torch.no_grad():
        model(x)
    for hook in hooks:
        hook.remove()
    return facts
