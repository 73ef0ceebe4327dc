"""A compiled model that runs: calls, reports, profiles, files."""

from __future__ import annotations

import ctypes
import itertools
import os
import threading
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bcr._stream import DirectCall
from bcr.container import load_program, save_program
from bcr.errors import BCRError, ConfigError, InputError
from bcr.frontend.specs import InputSpec, OutputSpec
from bcr.frontend.structure import bind, unflatten
from bcr.linker import link_library
from bcr.program import Program
from bcr.report import CompileReport, Profile, measure
from bcr.stream import Stream
from bcr.tensors import address, empty, is_torch, prepare, to_tensors, view_tensors
from bcr.workspace import Workspaces

if TYPE_CHECKING:
    from bcr.target import Target


@dataclass(slots=True)
class Call:
    """The tensors of one call.

    Attributes:
        leaves: what the caller passed, flattened.
        inputs, outputs: contiguous torch tensors or arrays, of the specified dtypes.
        dims: the sizes that the call chose, as `bcr_run` takes them.
    """

    leaves: list[Any]
    inputs: list[Any]
    outputs: list[Any]
    dims: list[int]


_ENTRY = "bcr_run"
_ENTRY_TYPE = ctypes.CFUNCTYPE(ctypes.c_int32, *[ctypes.c_void_p] * 6)
_LIBRARIES = itertools.count(1)


def entry_function(jit: Any) -> Any:
    """Return the compiled function `bcr_run` of loaded code (see passes/README.md)."""
    return _ENTRY_TYPE(jit.lookup(_ENTRY))


class Executable:
    """A compiled model. Call it with what the PyTorch model takes.

    Safe to call from several threads at once, which then run at the same time: a call shares
    nothing with another but weights, which are only read.
    """

    def __init__(self, program: Program, name: str = "model") -> None:
        self._program = program
        self._name = name
        self._lock = threading.Lock()
        self._entry: Any = None
        self._workspaces = Workspaces(program.arena.bytes)
        # Inputs that the model returns: copied, as `x.clone()` looks the same to the exporter.
        self._passed = _inputs_in(program.signature.out_spec)
        self._streams: weakref.WeakSet[Stream] = weakref.WeakSet()
        # What keeps the loaded code in memory.
        self._owner: object = None
        self._direct: DirectCall | None = None
        self._single = program.signature.out_spec == {"output": 0}

    # --- running -------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the model.

        Args:
            args, kwargs: torch tensors or NumPy arrays in the containers that the model was
                compiled with; shapes and dtypes as `input_specs` says. Arrays that are not
                contiguous are copied.

        Returns:
            What the PyTorch model returns, made of new torch tensors if any input is one, else of
            NumPy arrays.

        Raises:
            InputError: number, shape, dtype or device of the inputs do not fit, or a value does
                not (an index out of range).
            ConfigError: the code is for another machine.
        """
        if self._direct is not None and not kwargs:
            results = self._direct(args)
            if results is None and (arrays := view_tensors(args)) is not None:
                results = self._direct(arrays)
                if isinstance(results, list):
                    results = to_tensors(results)
            if isinstance(results, list):
                if self._single:
                    return results[0]
                return unflatten(self._program.signature.out_spec, results, ())
            if results is not None:
                raise InputError(self._program.checks[results - 1])
        return self._run(args, kwargs, None)

    def _run(self, args: Sequence[Any], kwargs: Mapping[str, Any], profile: Any) -> Any:
        call = self.bind_call(args, kwargs)
        return self.finish(call, self.execute(call, profile))

    def bind_call(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Call:
        """Check what a call is given, and make the tensors of its result.

        Raises:
            InputError: number, shape, dtype or device of the inputs do not fit.
        """
        signature = self._program.signature
        leaves = bind(signature.in_spec, args, kwargs)
        like_torch = any(is_torch(leaf) for leaf in leaves)
        sizes: dict[str, int] = {}
        inputs: list[Any] = []
        dims: list[int] = []
        for spec, leaf in zip(signature.inputs, leaves):
            value = prepare(spec, leaf)
            self.bind_sizes(spec, tuple(value.shape), sizes)
            dims += [size for size, dim in zip(value.shape, spec.shape) if isinstance(dim, str)]
            inputs.append(value)
        outputs = []
        for output in signature.outputs:
            shape = tuple(d if isinstance(d, int) else d.value(sizes) for d in output.shape)
            dims += [n for n, d in zip(shape, output.shape) if not isinstance(d, int)]
            outputs.append(self.make_output(shape, output.dtype, like_torch))
        return Call(leaves, inputs, outputs, dims)

    def make_output(self, shape: tuple[int, ...], dtype: str, like_torch: bool) -> Any:
        """Return memory for a result, uninitialised."""
        return empty(shape, dtype, like_torch)

    def execute(self, call: Call, profile: Any) -> int:
        """Run the code; return 0, or the number of the check that failed.

        Raises:
            ConfigError: the code is for another machine.
        """
        entry = self.entry()
        with self._workspaces.lease() as workspace:
            code: int = entry(
                (ctypes.c_void_p * max(len(call.inputs), 1))(*map(address, call.inputs)),
                (ctypes.c_void_p * max(len(call.outputs), 1))(*map(address, call.outputs)),
                self._program.pool.ctypes.data,
                workspace.ctypes.data,
                (ctypes.c_int64 * max(len(call.dims), 1))(*call.dims),
                profile,
            )
        return code

    def finish(self, call: Call, code: int) -> Any:
        """Return the result of a call, which returned `code`.

        Raises:
            InputError: a value of an input does not fit.
        """
        if code:
            raise InputError(self._program.checks[code - 1])
        passed = [_copy(leaf) if i in self._passed else leaf for i, leaf in enumerate(call.leaves)]
        return unflatten(self._program.signature.out_spec, call.outputs, passed)

    def bind_sizes(self, spec: InputSpec, shape: tuple[int, ...], sizes: dict[str, int]) -> None:
        """Check the shape of an input and add the sizes that a call chooses to `sizes`.

        Raises:
            InputError: the shape does not fit.
        """
        wanted = f"({', '.join(map(str, spec.shape))})"
        if len(shape) != len(spec.shape):
            raise InputError(f"{spec.name} has shape {shape}, the model takes {wanted}")
        for size, dim in zip(shape, spec.shape):
            if isinstance(dim, int):
                if size != dim:
                    raise InputError(
                        f"{spec.name} has shape {shape}, the model takes {wanted}; compile it for "
                        "this shape, or with dynamic_shapes for the batch dimension"
                    )
                continue
            limits = self._program.signature.symbols[dim]
            if size < limits.low or (limits.high is not None and size > limits.high):
                high = "any size" if limits.high is None else limits.high
                raise InputError(
                    f"{spec.name} has shape {shape}: {dim} must be from {limits.low} to {high}"
                )
            if sizes.setdefault(dim, size) != size:
                raise InputError(
                    f"{spec.name} has shape {shape}, but {dim} is {sizes[dim]} in another input"
                )

    def prepare(self) -> None:
        """Bring the code into this process now, instead of in the first call.

        Raises:
            ConfigError: the code is for another machine.
        """
        self.entry()

    def entry(self) -> Any:
        """Return the compiled function `bcr_run` (see passes/README.md), loaded if need be.

        Raises:
            ConfigError: the code is for another machine.
        """
        return self._entry or self._load()

    def stream(
        self,
        state: Mapping[str | int, int],
        initial: Mapping[str, Any] | None = None,
        *,
        reuse: bool = False,
    ) -> Stream:
        """Return a stream, which keeps the model's state from one call to the next.

        Args:
            state: which result is which input of the next call: the input's name or its position
                in `input_specs`, and the position of the result, counted from 0 in the order in
                which the tensors stand in what the model returns. ``{"h": 1}`` for
                ``def forward(self, x, h): ...; return y, h``.
            initial: states before the first frame, by name; zeros by default.
            reuse: return the same tensors in each call, overwritten by the next one, so that a
                call allocates nothing.

        Raises:
            ConfigError: a name or position does not exist, or shapes or dtypes differ.
            InputError: an initial state does not have the shape or dtype of its input.
        """
        stream = Stream(self, state, initial, reuse)
        self._streams.add(stream)
        return stream

    def reset(self) -> None:
        """Bring every stream of this model back to the state before its first frame."""
        for stream in list(self._streams):
            stream.reset()

    def _make_direct(self, entry: Any) -> DirectCall | None:
        """Return what calls the code without Python, if arguments and results allow it: tensors
        of fixed shapes in their order, of types that NumPy has."""
        program = self._program
        signature = program.signature
        specs: list[InputSpec | OutputSpec] = [*signature.inputs, *signature.outputs]
        arguments = [{"input": i} for i in range(len(signature.inputs))]
        if (
            signature.symbols
            or self._passed
            or signature.in_spec["args"] != arguments
            or signature.in_spec["kwargs"]
            or any(spec.dtype == "bfloat16" for spec in specs)
        ):
            return None

        def plain(specs: Sequence[Any]) -> list[tuple[np.dtype[Any], tuple[int, ...]]]:
            return [(np.dtype(spec.dtype), tuple(spec.shape)) for spec in specs]

        return DirectCall(
            ctypes.cast(entry, ctypes.c_void_p).value or 0,
            program.pool.ctypes.data,
            self._workspaces.free,
            plain(signature.inputs),
            plain(signature.outputs),
        )

    def _load(self) -> Any:
        """Bring the code into this process, once."""
        with self._lock:
            if self._entry is not None:
                return self._entry
            program = self._program
            if not program.target.runs_here:
                raise ConfigError(
                    f"this model is compiled for {program.target.triple} and cannot run on this "
                    'machine; export it and run it there, or compile it with target="host"'
                )
            if program.library is None:
                from bcr import _core

                assert program.code is not None
                jit = _core.Jit(program.code)
                self._owner = jit
                self._entry = entry_function(jit)
            else:
                library = _open_library(program.library)
                self._owner = library
                self._entry = _ENTRY_TYPE((_ENTRY, library))
            self._direct = self._make_direct(self._entry)
            return self._entry

    def run_with_stamps(self, args: Sequence[Any], kwargs: Mapping[str, Any], buffer: Any) -> Any:
        """Call the model with a buffer for the time stamps of `bcr-instrument`, or None."""
        return self._run(args, kwargs, buffer)

    # --- looking -------------------------------------------------------------------------------

    @property
    def input_specs(self) -> tuple[InputSpec, ...]:
        """The tensors that a call takes, flattened."""
        return self._program.signature.inputs

    @property
    def target(self) -> Target:
        """The machine that the code is for."""
        return self._program.target

    @property
    def program(self) -> Program:
        """The compiled model as data."""
        return self._program

    @property
    def workspaces(self) -> Workspaces:
        """The memory that calls work in: `program.arena.bytes` for each call at a time."""
        return self._workspaces

    @property
    def size(self) -> int:
        """Bytes of everything that a call reads but its inputs: constants and code."""
        return self._program.pool.size + len(self._program.library or self._program.code or b"")

    def report(self) -> CompileReport:
        """Return a table of the layers: what each became, and why."""
        return CompileReport.of(self._program)

    def profile(self, *args: Any, repeats: int = 30, **kwargs: Any) -> Profile:
        """Measure where the time goes.

        Args:
            args, kwargs: as for a call.
            repeats: calls to take the median of, after a warm-up.

        Returns:
            A table with the time of each layer, stored and dense-equivalent GFLOP/s and share.
        """
        return measure(
            self._program, lambda buffer: self._run(args, kwargs, buffer), repeats=repeats
        )

    def mlir(self, stage: str) -> str:
        """Return the IR after a stage: "import", "raise", "select", "compact", "reorder", "tile",
        "bufferize", "loops" or "llvm". Large constants are elided.

        Raises:
            ConfigError: there is no such stage, or the model was loaded from a file, which does not
                keep the IR.
        """
        stages = self._program.stages
        if stage in stages:
            return stages[stage]
        if not stages:
            raise ConfigError("a saved model does not keep its IR; compile the model again")
        raise ConfigError(f"unknown stage {stage!r}: the stages are {', '.join(stages)}")

    def __repr__(self) -> str:
        inputs = ", ".join(
            f"{spec.name}: {spec.dtype}{list(spec.shape)}" for spec in self.input_specs
        )
        return f"Executable({self._name}({inputs}) for {self.target.triple} {self.target.cpu})"

    # --- files ---------------------------------------------------------------------------------

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model to one file that `bcr.load` reads.

        Raises:
            ExportError: the file cannot be written or the code not linked; nothing is left behind.
        """
        self._link()
        save_program(self._program, Path(path))

    def export(self, folder: str | os.PathLike[str], name: str | None = None) -> list[Path]:
        """Write a shared library, a C header and an example `main.c`.

        Args:
            folder: made if missing.
            name: prefix of files and C functions; a C identifier. Default: "model".

        Returns:
            The files written.

        Raises:
            ExportError: a file cannot be written, or the target's C compiler is missing or fails.
        """
        from bcr.export import export_program

        return export_program(self._program, Path(folder), name or self._name)

    def _link(self) -> None:
        program = self._program
        if program.library is None:
            assert program.code is not None
            library = link_library(program.code, program.target, program.options["num_threads"])
            self._program = replace(program, library=library)


def load(path: str | os.PathLike[str], device: str | int | None = None) -> Executable:
    """Read a model that `Executable.save` wrote. Needs neither torch nor the compiler.

    Args:
        path: the file.
        device: for a model compiled for OpenCL or Vulkan, as in `bcr.compile`.

    Raises:
        FormatError: the file is truncated, altered, of another version or no `.bcr` file.
        ConfigError: a device is named and the model is for a processor.
    """
    return make_executable(load_program(Path(path)), Path(path).stem, device)


def make_executable(
    program: Program, name: str = "model", device: str | int | None = None
) -> Executable:
    """Return what runs a compiled model.

    Raises:
        ConfigError: a device is named and the model is for a processor.
    """
    if program.schedule is not None:
        if program.target.api == "vulkan":
            from bcr.vulkan.executable import VulkanExecutable

            return VulkanExecutable(program, name, device)
        from bcr.opencl.executable import OpenCLExecutable

        return OpenCLExecutable(program, name, device)
    if device is not None:
        raise ConfigError(
            f'device= is for models compiled with target="opencl" or "vulkan", and this one is for '
            f"{program.target.triple}: leave it out"
        )
    return Executable(program, name)


def _open_library(library: bytes) -> ctypes.CDLL:
    # An anonymous file: nothing is left on disk, however the process ends.
    handle = os.memfd_create("bcr-model")
    try:
        with os.fdopen(handle, "wb", closefd=False) as file:
            file.write(library)
        # The loader takes two files of one path for one library, and numbers of closed handles
        # come again: each path is spelled in its own way, by the bits of a count.
        spelling = f"{next(_LIBRARIES):b}".replace("1", "./").replace("0", "/")
        return ctypes.CDLL(f"/proc/self/fd/{spelling}{handle}")
    except OSError as error:
        raise BCRError(f"the compiled code cannot be loaded: {error}") from None
    finally:
        os.close(handle)


def _inputs_in(structure: Any) -> frozenset[int]:
    """Return the inputs that a result's structure refers to."""
    if isinstance(structure, list):
        return frozenset().union(*map(_inputs_in, structure))
    if isinstance(structure, dict):
        own = frozenset({structure["input"]}) if "input" in structure else frozenset()
        return own.union(*map(_inputs_in, structure.values()))
    return frozenset()


def _copy(value: Any) -> Any:
    return value.detach().clone() if is_torch(value) else np.array(value)
