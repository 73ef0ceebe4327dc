"""Compiled layers that run alone, and fair comparisons of two of them."""

from __future__ import annotations

import ctypes
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bcr.executable import entry_function
from bcr.target import Target
from bcr.tuning.isolate import IsolatedLayer, Variant
from bcr.tuning.records import Schedule
from bcr.workspace import Arena, aligned_bytes

if TYPE_CHECKING:
    from bcr.ir import Module

_FEWEST, _MOST = 7, 60
"""Limits of the number of runs of a measurement."""
_SECONDS = 0.02
"""Time that a measurement of two kernels is worth."""
_NOISY = 0.05
"""Spread of ratios, relative to their median, from which a measurement is repeated."""
_HOPELESS = 1.5
"""A kernel so much slower after three runs is not measured any further."""


class LayerInputs:
    """Inputs of a layer, and the state of the caches that its kernel finds in a network.

    In a network the inputs of a layer have just been written, and its weights have not been read
    since the call before. So before each run other memory is read until the caches nearest to the
    core hold nothing else; the function around the layer writes its inputs.
    """

    def __init__(self, layer: IsolatedLayer, cache_bytes: int, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.inputs = [_aligned(shape) for shape in layer.inputs]
        for array in self.inputs:
            array[...] = rng.standard_normal(array.shape, np.float32)
        self.output = _aligned(layer.output)
        self._other = np.zeros(cache_bytes // 4, np.float32)

    def prepare(self) -> None:
        """Bring the caches into that state."""
        self._other += 1.0


def _aligned(shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    size = 4 * int(np.prod(shape))
    return aligned_bytes(size).view(np.float32).reshape(shape)


class CompiledLayer:
    """The machine code of an isolated layer, ready to run."""

    def __init__(
        self,
        layer: IsolatedLayer,
        variant: Variant,
        schedule: Schedule,
        target: Target,
        num_threads: int,
    ) -> None:
        """Compile it.

        Raises:
            IRError: the compiler failed.
            ConfigError: the schedule is not one that the layer can have.
        """
        from bcr import _core, ir

        context = ir.Context()
        module = parse_variant(layer, variant, context)
        _layer_op(module).attributes["bcr.record"] = dict(schedule)
        result = ir.PassManager.parse(
            f"builtin.module(bcr-to-llvm{{start-after=select threads={num_threads} "
            f"triple={target.triple} cpu={target.cpu} features={target.features}}})",
            context,
        ).run(module)
        refused = [d.message for d in result.diagnostics if "tuning record" in d.message]
        if refused:
            from bcr.errors import ConfigError

            raise ConfigError(refused[0])
        code = _core.emit(module, target.triple, target.cpu, target.features)
        self._pool = aligned_bytes(_core.pool_size(module))
        facts = module.attributes_to_python()
        info = facts["bcr.layers"][layer.name]
        arena = Arena.from_json(facts.get("bcr.arena", vars(Arena())))
        self._workspace = aligned_bytes(arena.bytes)
        self.kernel = str(info["kernel"])
        self._slot = int(info["profile_slot"])
        _core.write_pool(module, self._pool)
        self._jit = _core.Jit(code)
        self._entry = entry_function(self._jit)
        self._profile = (ctypes.c_int64 * (2 * self._slot + 2))()

    def run(self, data: LayerInputs) -> int:
        """Run once and return the ticks that the layer took."""
        arrays = data.inputs
        self._entry(
            (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays)),
            (ctypes.c_void_p * 1)(data.output.ctypes.data),
            self._pool.ctypes.data,
            self._workspace.ctypes.data,
            (ctypes.c_int64 * 1)(),
            self._profile,
        )
        begin, end = self._profile[2 * self._slot : 2 * self._slot + 2]
        return max(end - begin, 1)


def _layer_op(module: Module) -> Any:
    return next(op for op in module.walk() if op.name in ("bcr.conv2d", "bcr.matmul"))


def parse_variant(layer: IsolatedLayer, variant: Variant, context: Any) -> Module:
    """Return the layer in one of its forms as a module of `context`."""
    from bcr import ir

    module = ir.Module.parse(layer.text, context)
    module.set_resources(layer.weights)
    attributes = _layer_op(module).attributes
    attributes["form"] = ir.Attribute.parse(f"#bcr.form<{variant.form}>", context)
    if variant.block is not None:
        attributes["block"] = ir.Attribute.dense_array(list(variant.block), "i64", context)
    elif "block" in attributes:
        del attributes["block"]
    return module


@dataclass(frozen=True)
class Comparison:
    """Two kernels timed in turns: the median ratio of their times, candidate by reference, how far
    the middle half of the ratios lies apart, and how often each ran.
    """

    ratio: float
    spread: float
    runs: int


def compare(
    reference: CompiledLayer, candidate: CompiledLayer, data: LayerInputs, effort: float = 1.0
) -> Comparison:
    """Time two kernels of a layer in turns, so that what disturbs one disturbs the other.

    Args:
        reference, candidate: the kernels.
        data: what they run on.
        effort: multiplies the time that is spent.
    """
    ratios: list[float] = []
    for kernel in (reference, candidate):
        data.prepare()
        kernel.run(data)

    def measure(runs: int, until: float) -> None:
        for index in range(runs):
            # Whoever goes second finds the machine as the first left it, so they take turns.
            order = (reference, candidate) if index % 2 == 0 else (candidate, reference)
            ticks = {}
            for kernel in order:
                data.prepare()
                ticks[kernel] = kernel.run(data)
            ratios.append(ticks[candidate] / ticks[reference])
            if index == 2 and statistics.median(ratios) > _HOPELESS:
                return
            if index + 1 >= _FEWEST and time.perf_counter() >= until:
                return

    for _ in range(3):
        measure(_MOST, time.perf_counter() + _SECONDS * effort)
        median = statistics.median(ratios)
        if median > _HOPELESS or _spread(ratios) < _NOISY * median:
            break
    return Comparison(statistics.median(ratios), _spread(ratios), len(ratios))


def _spread(values: list[float]) -> float:
    ordered = sorted(values)
    return ordered[3 * len(ordered) // 4] - ordered[len(ordered) // 4]
