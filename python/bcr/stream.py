"""A compiled model that is called frame by frame and keeps its state in between."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import numpy.typing as npt

from bcr._stream import Repeater
from bcr.errors import ConfigError, InputError
from bcr.frontend.specs import InputSpec, OutputSpec
from bcr.tensors import address, empty, is_torch, prepare
from bcr.workspace import aligned_bytes

if TYPE_CHECKING:
    from bcr.executable import Executable

Array = npt.NDArray[Any]

_COPIED = 1 << 14
"""Inputs of up to as many bytes are copied into memory of the stream: that takes less time than
asking NumPy for the address of an array."""


class Stream(Repeater):
    """One stream of frames through a compiled model, with a state of its own.

    ::

        exe = bcr.compile(model, (frame, h))    # forward returns (y, new h)
        stream = exe.stream({"h": 1})           # result 1 is the next call's input h
        for frame in frames:
            y = stream(frame)
        stream.reset()

    A call takes torch tensors or NumPy arrays for the inputs that are no states, in the order of
    `Executable.input_specs` or by name; shapes and dtypes as it says. It returns the results that
    are no states: nothing, one, or a tuple of them, made of torch tensors if any input is one, else
    of NumPy arrays; with `reuse` the same in each call. It raises an `InputError` if number, shape,
    dtype or device of the inputs do not fit, or a value does not (an index out of range), and a
    `ConfigError` if the code is for another machine.

    It computes what the model computes, with the state of the call before: on two pieces of
    memory in turn, so that nothing is copied, and in a workspace of its own. A call that fails
    leaves the state as it was. Streams of one model run at the same time in several threads; calls
    of one stream wait for each other. With `reuse`, a call with NumPy arrays like those of the call
    before runs no Python (`bcr._stream`).

    Made by `Executable.stream`.
    """

    def __init__(
        self,
        executable: Executable,
        state: Mapping[str | int, int],
        initial: Mapping[str, Any] | None = None,
        reuse: bool = False,
    ) -> None:
        program = executable.program
        signature = program.signature
        self._executable = executable
        self._entry: Any = None
        self._reuse = reuse
        results = _leaves(signature.out_spec)
        pairs = [
            (_input(signature.inputs, key), _output(results, position))
            for key, position in state.items()
        ]
        self._names = {signature.inputs[i].name: k for k, (i, _) in enumerate(pairs)}
        if len({i for i, _ in pairs}) < len(pairs) or len({o for _, o in pairs}) < len(pairs):
            raise ConfigError("state= has an input or a result twice: each belongs to one state")
        if not pairs:
            raise ConfigError("state= is empty: a model without state needs no stream, call it")
        unknown = sorted(set(initial or {}) - set(self._names))
        if unknown:
            raise ConfigError(f"initial= has {', '.join(unknown)}, which is no state of state=")

        states = {o for _, o in pairs}
        taken = {i for i, _ in pairs}
        self._inputs = [_Slot(i, s) for i, s in enumerate(signature.inputs) if i not in taken]
        self._outputs = [
            (leaf["output"], signature.outputs[leaf["output"]])
            for leaf in results
            if "output" in leaf and leaf["output"] not in states
        ]
        self._initial = [
            _initial(signature.inputs[i], signature.outputs[o], (initial or {}).get(name))
            for (i, o), name in zip(pairs, self._names)
        ]
        # What call k reads and writes: [k % 2] and [1 - k % 2].
        self._states = [[_aligned(start) for start in self._initial] for _ in range(2)]
        super().__init__([slot.memory for slot in self._inputs])
        self._workspace = aligned_bytes(program.arena.bytes)
        self._sizes: dict[str, int] = {}
        for (i, _), start in zip(pairs, self._initial):
            executable.bind_sizes(signature.inputs[i], start.shape, self._sizes)
        self._dynamic = bool(signature.symbols)
        count = max(len(signature.inputs), 1), max(len(signature.outputs), 1)
        self._pointers = [((ctypes.c_void_p * count[0])(), (ctypes.c_void_p * count[1])())
                          for _ in range(2)]  # fmt: skip
        for phase, (sources, targets) in enumerate(self._pointers):
            for k, (i, o) in enumerate(pairs):
                sources[i] = address(self._states[phase][k])
                targets[o] = address(self._states[1 - phase][k])
            for slot in self._inputs:
                sources[slot.position] = slot.address
        self._shared = (program.pool.ctypes.data, self._workspace.ctypes.data)
        self._no_dims = (ctypes.c_int64 * 1)()
        self._kept: dict[bool, list[Any]] = {}
        # The results that the pointers of each phase lead to.
        self._bound: list[list[Any] | None] = [None, None]

    def _run(self, *inputs: Any, **named: Any) -> Any:
        """What a call does that is not like the one before."""
        entry = self._entry
        if entry is None:
            entry = self._entry = self._executable.entry()
        self._forget()
        values = self._arrange(inputs, named) if named else inputs
        if len(values) != len(self._inputs):
            raise InputError(
                f"the stream takes {len(self._inputs)} inputs "
                f"({', '.join(slot.spec.name for slot in self._inputs)}), not {len(values)}"
            )
        sources, targets = self._pointers[self._phase]
        like_torch = False
        foreign = []
        sizes = dict(self._sizes) if self._dynamic else self._sizes
        for slot, value in zip(self._inputs, values):
            if slot.copy(value):
                continue
            like_torch |= is_torch(value)
            array = prepare(slot.spec, value)
            if array.shape != slot.spec.shape:
                self._executable.bind_sizes(slot.spec, tuple(array.shape), sizes)
            foreign.append((slot, array))
        outputs = self._kept.get(like_torch) or self._make_outputs(like_torch, sizes)
        if outputs is not self._bound[self._phase]:
            for (o, _), output in zip(self._outputs, outputs):
                targets[o] = address(output)
            self._bound[self._phase] = outputs if self._reuse else None
        dims = self._dims(sizes) if self._dynamic else self._no_dims
        if foreign:
            code = self._run_foreign(entry, foreign, dims)
        else:
            code = entry(sources, targets, *self._shared, dims, None)
        if code:
            self._fail(code)
        result = outputs[0] if len(outputs) == 1 else tuple(outputs) or None
        if self._reuse and not self._dynamic and not foreign:
            self._keep(
                ctypes.cast(entry, ctypes.c_void_p).value or 0,
                ctypes.addressof(sources),
                ctypes.addressof(targets),
                *self._shared,
                ctypes.addressof(dims),
                result,
            )
        self._swap()
        return result

    def _fail(self, code: int) -> NoReturn:
        """Raise what the compiled code returned."""
        raise InputError(self._executable.program.checks[code - 1])

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep calls of other threads waiting."""
        self._acquire()
        try:
            yield
        finally:
            self._release()

    def _run_foreign(self, entry: Any, foreign: list[tuple[_Slot, Any]], dims: Any) -> int:
        """Run with inputs in memory of the caller, whose addresses are not kept."""
        sources, targets = self._pointers[self._phase]
        try:
            for slot, array in foreign:
                sources[slot.position] = address(array)
            code: int = entry(sources, targets, *self._shared, dims, None)
            return code
        finally:
            for slot, _ in foreign:
                sources[slot.position] = slot.address

    def reset(self, initial: Mapping[str, Any] | None = None) -> None:
        """Go back to the state before the first frame.

        Args:
            initial: other values for states, by name, for this time.

        Raises:
            InputError: a value does not have the shape or dtype of its state.
            ConfigError: a name is that of no state.
        """
        values = self._checked(initial or {})
        with self._alone():
            for k, start in enumerate(self._initial):
                np.copyto(self._states[self._phase][k], values.get(k, start))

    @property
    def state(self) -> dict[str, Array]:
        """A copy of the present state, by the inputs' names; bfloat16 as bit patterns in uint16."""
        with self._alone():
            return {name: self._states[self._phase][k].copy() for name, k in self._names.items()}

    @state.setter
    def state(self, values: Mapping[str, Any]) -> None:
        checked = self._checked(values)
        with self._alone():
            for k, value in checked.items():
                np.copyto(self._states[self._phase][k], value)

    def __repr__(self) -> str:
        return f"Stream({self._executable!r}, state={', '.join(self._names)})"

    def _arrange(self, inputs: Sequence[Any], named: Mapping[str, Any]) -> list[Any]:
        rest = dict(named)
        values = list(inputs)
        for slot in self._inputs[len(inputs) :]:
            if slot.spec.name in rest:
                values.append(rest.pop(slot.spec.name))
        if rest:
            raise InputError(
                f"the stream has no input {', '.join(rest)} besides those given; it takes "
                f"{', '.join(slot.spec.name for slot in self._inputs)}"
            )
        return values

    def _make_outputs(self, like_torch: bool, sizes: Mapping[str, int]) -> list[Any]:
        outputs = [
            empty(
                tuple(d if isinstance(d, int) else d.value(sizes) for d in spec.shape),
                spec.dtype,
                like_torch,
            )
            for _, spec in self._outputs
        ]
        if self._reuse and not self._dynamic:
            self._kept[like_torch] = outputs
        return outputs

    def _dims(self, sizes: Mapping[str, int]) -> Any:
        signature = self._executable.program.signature
        dims = [sizes[d] for spec in signature.inputs for d in spec.shape if isinstance(d, str)]
        for output in signature.outputs:
            dims += [d.value(sizes) for d in output.shape if not isinstance(d, int)]
        return (ctypes.c_int64 * max(len(dims), 1))(*dims)

    def _checked(self, values: Mapping[str, Any]) -> dict[int, Array]:
        checked = {}
        for name, value in values.items():
            if name not in self._names:
                raise ConfigError(
                    f"{name} is no state of this stream; its states are {', '.join(self._names)}"
                )
            k = self._names[name]
            checked[k] = _like(self._initial[k], name, value)
        return checked


class _Slot:
    """An input that is no state, and memory for it if it is small and its shape fixed.

    Attributes:
        position: in the model's inputs.
        memory: of the stream; None if there is none.
        address: of the memory; 0 if there is none.
    """

    def __init__(self, position: int, spec: InputSpec) -> None:
        self.position = position
        self.spec = spec
        self.address = 0
        self.memory: Array | None = None
        shape = tuple(size for size in spec.shape if isinstance(size, int))
        if len(shape) < len(spec.shape) or spec.dtype == "bfloat16":
            return
        start = np.zeros(shape, spec.dtype)
        if start.nbytes <= _COPIED:
            self.memory = _aligned(start)
            self._dtype, self._shape = start.dtype, shape
            self.address = address(self.memory)

    def copy(self, value: Any) -> bool:
        """Copy an array of the right shape and dtype to the memory; False if it is no such."""
        memory = self.memory
        if (
            memory is None
            or type(value) is not np.ndarray
            or value.dtype is not self._dtype
            or value.shape != self._shape
        ):
            return False
        memory[...] = value
        return True


def _leaves(structure: Any) -> list[dict[str, Any]]:
    """The tensors and constants of a result, in the order of PyTorch's flattening."""
    [(kind, content)] = structure.items()
    if kind in ("tuple", "list"):
        return [leaf for part in content for leaf in _leaves(part)]
    if kind == "dict":
        return [leaf for _, part in content for leaf in _leaves(part)]
    if kind == "namedtuple":
        return [leaf for _, part in content[1] for leaf in _leaves(part)]
    return [structure]


def _input(specs: Sequence[InputSpec], key: str | int) -> int:
    if isinstance(key, int) and 0 <= key < len(specs):
        return key
    for i, spec in enumerate(specs):
        if spec.name == key:
            return i
    raise ConfigError(
        f"state= names the input {key!r}; the model's inputs are "
        f"{', '.join(spec.name for spec in specs)}"
    )


def _output(results: Sequence[dict[str, Any]], position: int) -> int:
    if not isinstance(position, int) or not 0 <= position < len(results):
        raise ConfigError(
            f"state= names the result {position!r}; the model returns {len(results)} tensors, "
            f"counted from 0 in the order in which they stand in its result"
        )
    if "output" not in results[position]:
        raise ConfigError(
            f"result {position} is an input or a constant that the model passes on: it is no state"
        )
    return int(results[position]["output"])


def _initial(source: InputSpec, target: OutputSpec, given: Any) -> Array:
    """The values of a state before the first frame: `given`, or zeros."""
    same = source.dtype == target.dtype and len(source.shape) == len(target.shape)
    for a, b in zip(source.shape, target.shape):
        same &= a == b if isinstance(a, int) else str(b) == a
    wanted = ", ".join(map(str, source.shape))
    if not same:
        raise ConfigError(
            f"the state {source.name} is {source.dtype}({wanted}), the result that should follow "
            f"it is {target.dtype}({', '.join(map(str, target.shape))}): they must be the same"
        )
    fixed = tuple(size for size in source.shape if isinstance(size, int))
    if given is not None:
        given_shape = tuple(int(size) for size in given.shape)
        if len(given_shape) == len(source.shape):
            # Sizes that the model leaves open are those of the initial state.
            fixed = tuple(d if isinstance(d, int) else n for d, n in zip(source.shape, given_shape))
    elif len(fixed) < len(source.shape):
        raise ConfigError(
            f"the state {source.name} has sizes that are not fixed ({wanted}): pass "
            f"initial={{{source.name!r}: ...}} of the shape that this stream is to have"
        )
    zeros = np.zeros(fixed, "uint16" if source.dtype == "bfloat16" else source.dtype)
    return zeros if given is None else _like(zeros, source.name, given)


def _like(start: Array, name: str, value: Any) -> Array:
    """A copy of `value` as an array, which must have the shape and dtype of `start`."""
    if is_torch(value):
        value = value.detach().cpu()
        if str(value.dtype) == "torch.bfloat16":
            value = value.view(sys.modules["torch"].uint16)
        value = value.numpy()
    array = np.array(value)
    if array.shape != start.shape or array.dtype != start.dtype:
        raise InputError(
            f"the state {name} is {start.dtype}{list(start.shape)}, got "
            f"{array.dtype}{list(array.shape)}"
        )
    return array


def _aligned(start: Array) -> Array:
    memory = aligned_bytes(max(start.nbytes, 1))[: start.nbytes]
    array: Array = memory.view(start.dtype).reshape(start.shape)
    np.copyto(array, start)
    return array
