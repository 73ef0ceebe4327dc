"""Recurrent layers without unrolling: one operator for a whole sequence.

torch itself rewrites `nn.GRU`, `nn.LSTM` and `nn.RNN` into a copy of the cell for each step of the
example input. Here each direction of each layer is a linear layer of the whole sequence, which does
not depend on the state, and one call of `bcr::recurrence` or `bcr::lstm`, which stands for the
loop over the steps; their equations are in the description of `bcr.recurrent` in the dialect.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._ops import OperatorBase
from torch.nn.utils.rnn import PackedSequence
from torch.overrides import TorchFunctionMode
from torch.utils import _pytree as pytree

from bcr.errors import UnsupportedError

aten = torch.ops.aten

_LIBRARY: Any = torch.library.Library("bcr", "DEF")  # type: ignore[no-untyped-call]
_LIBRARY.define(
    "recurrence(Tensor gates, Tensor hidden, Tensor weight, Tensor? bias, str cell, "
    "bool reverse) -> Tensor"
)
_LIBRARY.define(
    "lstm(Tensor gates, Tensor hidden, Tensor cell, Tensor weight, Tensor? bias, "
    "Tensor? projection, bool reverse) -> (Tensor, Tensor)"
)


def _recurrence_shape(
    gates: Tensor, hidden: Tensor, weight: Tensor, bias: Tensor | None, cell: str, reverse: bool
) -> Tensor:
    return gates.new_empty((gates.shape[0], gates.shape[1], hidden.shape[1]))


def _lstm_shape(
    gates: Tensor,
    hidden: Tensor,
    cell: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    projection: Tensor | None,
    reverse: bool,
) -> tuple[Tensor, Tensor]:
    sequence = gates.new_empty((gates.shape[0], gates.shape[1], hidden.shape[1]))
    return sequence, torch.empty_like(cell)


torch.library.register_fake("bcr::recurrence", _recurrence_shape)
torch.library.register_fake("bcr::lstm", _lstm_shape)


def _direction(
    kind: str, x: Tensor, states: Sequence[Tensor], weights: Sequence[Tensor | None], reverse: bool
) -> list[Tensor]:
    """Run one direction of one layer.

    Args:
        kind: "gru", "lstm", "rnn_tanh" or "rnn_relu".
        x: steps x samples x features.
        states: h of samples x features before the first step, and c of an LSTM.
        weights: of the input, of the state, their biases or None, and the projection or None.
        reverse: whether the steps run from the last to the first.

    Returns:
        h of all steps, h after the last one, and c of an LSTM after the last one.
    """
    input_weight, weight, input_bias, bias, projection = weights
    assert input_weight is not None
    gates = torch.nn.functional.linear(x, input_weight, input_bias)
    last = 0 if reverse else -1
    if kind != "lstm":
        y = torch.ops.bcr.recurrence(gates, states[0], weight, bias, kind, reverse)
        return [y, y.select(0, last)]
    y, c = torch.ops.bcr.lstm(gates, *states, weight, bias, projection, reverse)
    return [y, y.select(0, last), c]


def _stack(
    kind: str,
    x: Tensor,
    states: Sequence[Tensor],
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Tensor, ...]:
    """Run all layers. States and results are torch's: a state has a line for each direction."""
    if batch_first:
        x = x.transpose(0, 1)
    count = len(params) // (num_layers * (2 if bidirectional else 1))
    finals: list[list[Tensor]] = []
    rest = list(params)
    for _ in range(num_layers):
        results = []
        for reverse in (False, True)[: 2 if bidirectional else 1]:
            given: list[Tensor | None] = list(rest[:count])
            del rest[:count]
            if not has_biases:
                given[2:2] = [None, None]
            weights = given + [None] * (5 - len(given))
            own = [state.select(0, len(finals)) for state in states]
            y, *after = _direction(kind, x, own, weights, reverse)
            results.append(y)
            finals.append(after)
        x = torch.cat(results, -1) if bidirectional else results[0]
    if batch_first:
        x = x.transpose(0, 1)
    return (x, *(torch.stack(parts) for parts in zip(*finals)))


def _random(dropout: float, train: bool, num_layers: int) -> bool:
    return train and dropout > 0 and num_layers > 1


def _layers(kind: str) -> Callable[..., Any]:
    def run(
        x: Tensor,
        state: Tensor | Sequence[Tensor],
        params: Sequence[Tensor],
        has_biases: bool,
        num_layers: int,
        dropout: float,
        train: bool,
        bidirectional: bool,
        batch_first: bool,
    ) -> Any:
        if _random(dropout, train, num_layers):
            return NotImplemented
        states = [state] if isinstance(state, Tensor) else state
        options = (has_biases, num_layers, bidirectional, batch_first)
        return _stack(kind, x, states, params, *options)

    return run


def _cell(kind: str) -> Callable[..., Tensor]:
    def run(
        x: Tensor,
        state: Tensor,
        w_ih: Tensor,
        w_hh: Tensor,
        b_ih: Tensor | None = None,
        b_hh: Tensor | None = None,
    ) -> Tensor:
        weights = (w_ih, w_hh, b_ih, b_hh, None)
        return _direction(kind, x.unsqueeze(0), [state], weights, False)[1]

    return run


def _lstm_cell(
    x: Tensor,
    states: Sequence[Tensor],
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    weights = (w_ih, w_hh, b_ih, b_hh, None)
    _, h, c = _direction("lstm", x.unsqueeze(0), states, weights, False)
    return h, c


DECOMPOSITIONS: dict[OperatorBase, Callable[..., Any]] = {
    aten.gru.input: _layers("gru"),
    aten.rnn_tanh.input: _layers("rnn_tanh"),
    aten.rnn_relu.input: _layers("rnn_relu"),
    aten.lstm.input: _layers("lstm"),
    aten.gru_cell.default: _cell("gru"),
    aten.rnn_tanh_cell.default: _cell("rnn_tanh"),
    aten.rnn_relu_cell.default: _cell("rnn_relu"),
    aten.lstm_cell.default: _lstm_cell,
}
"""For programs that were exported elsewhere and still have torch's own operators."""

_FUNCTIONS = {
    getattr(torch._VF, str(operator).split(".")[1]): run for operator, run in DECOMPOSITIONS.items()
}


_PACKED = (
    "a packed sequence, which has fewer samples from step to step; the compiled loop has as many "
    "in each. Pass padded sequences and ignore what is behind the end of each, or, where layers "
    "are bidirectional or the states after the last steps are used, one sequence a call"
)


class PackedSequenceError(Exception):
    """A model makes a packed sequence while it is traced."""

    def __init__(self) -> None:
        super().__init__(f"makes {_PACKED}.")


def refuse_packed_sequences(model: str, inputs: Any) -> None:
    """Refuse inputs that the tracer would take apart, and fail on with a message of its own.

    Raises:
        UnsupportedError: there is a `PackedSequence` among them.
    """
    leaves = pytree.tree_leaves(inputs, is_leaf=lambda value: isinstance(value, PackedSequence))
    if any(isinstance(leaf, PackedSequence) for leaf in leaves):
        raise UnsupportedError(f"an input of {model} is {_PACKED}.")


class WithoutUnrolling(TorchFunctionMode):
    """While it is active, recurrent layers are traced as one operator for a whole sequence.

    The rewriting has to happen before `torch.export` sees the layers: it would fix the number of
    steps, and run each of them.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        if func is torch._VF._pack_padded_sequence:
            raise PackedSequenceError
        run = _FUNCTIONS.get(func)
        if run is not None and not kwargs and not _is_packed(args):
            result = run(*args)
            if result is not NotImplemented:
                return result
        return func(*args, **(kwargs or {}))


def _is_packed(args: tuple[Any, ...]) -> bool:
    """Whether the input is a packed sequence: its sizes come where a state would be."""
    return len(args) > 3 and isinstance(args[3], (list, tuple))
