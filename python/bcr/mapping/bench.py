"""Measuring one layer, pruned in any way, in compiled code on this machine."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from torch import nn

from bcr.compiler import compile_imported
from bcr.errors import UnsupportedError
from bcr.executable import Executable
from bcr.mapping.choice import Choice
from bcr.mapping.latency import Measurement
from bcr.mapping.network import LayerSpec
from bcr.mapping.stamps import lower_quartile, run_stamped
from bcr.progress import Stages
from bcr.pruning import PruneConfig, Pruner, bcr_mask
from bcr.pruning.blocks import block_size
from bcr.report import LayerReport
from bcr.target import Target

_NEIGHBOUR = 4
"""Channels at the far ends of a layer's neighbours: they should cost little."""


class LayerBench:
    """A layer of some shape between two neighbours, imported once.

    The neighbours are small layers of the same kind: what a layer reads has just been written by
    another one, and both sides have the layout that the compiler plans between layers (a
    convolution that finds its halo in place is another program than one that copies its input).
    The weights have not been read since the call before: other memory has been through the core's
        own caches meanwhile.

    Weights are normally distributed: the zeros of a trained network lie elsewhere, but as many in
    blocks of the same size, and measurements can be shared between networks.

    Args:
        spec: the layer.
        target: this machine, resolved.
        num_threads: of a call.

    Raises:
        UnsupportedError: the layer cannot be imported.
    """

    def __init__(self, spec: LayerSpec, target: Target, num_threads: int) -> None:
        from bcr.frontend import import_model

        self._spec, self._target, self._threads = spec, target, num_threads
        self._layer = spec.make()
        network, shape = _between_neighbours(self._layer, spec)
        generator = torch.Generator().manual_seed(1)
        self._inputs = (torch.randn(shape, generator=generator),)
        self._imported = import_model(network.eval(), self._inputs, {})
        # The front end hands over the layer's own memory, which is pruned below.
        self._weights = {name: array.copy() for name, array in self._imported.weights.items()}
        self._other = np.zeros(2 * _near_cache_bytes(target) // 4, np.float32)

    def measure(self, choice: Choice, seconds: float = 0.03) -> Measurement:
        """Prune, compile as `bcr.compile(sparsity="auto")` does, and run for some seconds.

        Raises:
            ConfigError: the choice is impossible for the layer.
            UnsupportedError: the compiler has no kernel for the layer.
            CompileError: the compiler failed.
        """
        weights = {
            **self._weights,
            f"layer.{self._spec.weight_name}": self._pruned(choice).numpy(),
        }
        program = compile_imported(
            dataclasses.replace(self._imported, weights=weights),
            self._target,
            sparsity="auto",
            num_threads=self._threads,
            stages=Stages(False),
        )
        name = f"layer.{self._spec.weight_name}" if self._spec.cell else "layer"
        info = program.layers.get(name, {})
        if "profile_slot" not in info:
            raise UnsupportedError(f"{self._spec}: the compiler has no kernel for such a layer")
        report = LayerReport.of(name, info)
        size = report.value_bytes + report.index_bytes
        runs = run_stamped(Executable(program), self._inputs, seconds, self._empty_caches)
        times = runs.layers[name]
        quartile, upper = lower_quartile(times), times[3 * len(times) // 4]
        return Measurement(quartile, size, (upper - quartile) / quartile, len(times))

    def _empty_caches(self) -> None:
        """Bring other memory into the caches nearest to the core."""
        self._other += 1.0

    def _pruned(self, choice: Choice) -> torch.Tensor:
        """Return the weights with the zeros of a choice."""
        weight = getattr(self._layer, self._spec.weight_name)
        assert isinstance(weight, nn.Parameter)
        if choice.form is None:
            return weight.detach()
        before = weight.detach().clone()
        if choice.rows is not None:
            return weight.detach() * _mask(weight.detach(), choice)
        # Named, so that a depthwise layer is pruned as well where somebody asks for it.
        name = f"0.{self._spec.weight_name}" if self._spec.cell else "0"
        config = PruneConfig(rate=1, oversize="clip", modules={"": None, name: choice.override})
        pruner = Pruner(nn.Sequential(self._layer), config)
        try:
            pruner.finalize()
            return weight.detach().clone()
        finally:
            pruner.release()
            with torch.no_grad():
                weight.copy_(before)


def _mask(weight: torch.Tensor, choice: Choice) -> torch.Tensor:
    """Return a mask that keeps so many rows of each block, and columns of them for the rate."""
    assert choice.form is not None
    assert choice.rows is not None
    block = choice.form.block
    assert block is not None
    matrix = weight.reshape(weight.shape[0], -1)
    height = block_size(block, (matrix.shape[0], matrix.shape[1]))[0]
    share = height / choice.rows
    rows = bcr_mask(matrix, rate=share, block=block, scheme="rows")
    columns = bcr_mask(
        matrix * rows, rate=max(choice.rate / share, 1.0), block=block, scheme="columns"
    )
    return (rows & columns).reshape(weight.shape)


def _between_neighbours(layer: nn.Module, spec: LayerSpec) -> tuple[nn.Module, tuple[int, ...]]:
    """Return a network with the layer in it under the name "layer", and the shape of its input."""
    if spec.cell:
        return _Sequences(layer), spec.input_shape
    network = nn.Sequential()
    if not spec.image:
        network.add_module("before", nn.ReLU())
        network.add_module("layer", layer)
        network.add_module("after", nn.ReLU())
        return network, spec.input_shape
    # Odd kernels with the padding that keeps the image: any layer can stand between them.
    kernel = tuple(extent if extent % 2 else 1 for extent in spec.weight[2:])
    padding = tuple(extent // 2 for extent in kernel)
    kind = type(layer)
    channels = spec.input_shape[1]
    generator = torch.Generator().manual_seed(2)
    before = kind(_NEIGHBOUR, channels, kernel, padding=padding)
    after = kind(spec.weight[0], _NEIGHBOUR, kernel, padding=padding)
    with torch.no_grad():
        for parameter in (*before.parameters(), *after.parameters()):
            parameter.normal_(0, 0.1, generator=generator)
    network.add_module("before", before)
    network.add_module("activation", nn.ReLU())
    network.add_module("layer", layer)
    network.add_module("activation_after", nn.ReLU())
    network.add_module("after", after)
    return network, (spec.batch, _NEIGHBOUR, *spec.image)


class _Sequences(nn.Module):
    """A recurrent layer without its last state; its input weights are the layer before."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map [steps, samples, features] to [steps, samples, state]."""
        y: torch.Tensor = self.layer(x)[0]
        return y


def _near_cache_bytes(target: Target) -> int:
    """Return the size of the second cache, as the compiler's table of processors has it."""
    from bcr import _core, ir

    described = _core.describe_target(target.triple, target.cpu, target.features)
    module = ir.Module.parse("module {}", ir.Context())
    ir.PassManager.parse(
        f"builtin.module(bcr-set-machine{{cpu={target.cpu} lanes={described.lanes}}})",
        module.context,
    ).run(module)
    return int(module.attributes_to_python()["bcr.machine"]["l2_bytes"])
