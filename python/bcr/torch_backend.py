"""The `torch.compile` backend "bcr".

`torch.compile` hands over a graph whose parameters are inputs. They are frozen into the compiled
model, as bcr reads their zeros at compile time; so the model must not be trained meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import torch

from bcr.compiler import compile as compile_model
from bcr.errors import UnsupportedError


def backend(
    graph: torch.fx.GraphModule,
    example_inputs: Sequence[Any],
    options: dict[str, Any] | None = None,
) -> Callable[..., Any]:
    """Compile one graph for this machine.

    Args:
        graph: what torch.compile captured.
        example_inputs: its inputs, parameters and buffers among them.
        options: keyword arguments of `bcr.compile`, from `torch.compile(options=...)`.

    Raises:
        UnsupportedError: gradients are wanted, a size is dynamic, or an operation cannot be
            compiled.
    """
    if torch.is_grad_enabled() and any(
        isinstance(value, torch.Tensor) and value.requires_grad for value in example_inputs
    ):
        raise UnsupportedError(
            'torch.compile(backend="bcr") runs inference only: call the model under '
            "torch.no_grad() or torch.inference_mode()"
        )
    if any(isinstance(value, (int, torch.SymInt)) for value in example_inputs):
        raise UnsupportedError(
            'torch.compile(backend="bcr") compiles fixed shapes: pass dynamic=False'
        )
    placeholders = [node for node in graph.graph.nodes if node.op == "placeholder"]
    frozen: dict[int, str] = {}
    for index, (node, value) in enumerate(zip(placeholders, example_inputs)):
        if _is_weight(node, value):
            frozen[index] = _qualified_name(node.target, index)
    module = _Frozen(graph, frozen, example_inputs).eval()
    live = [i for i in range(len(placeholders)) if i not in frozen]
    with torch.no_grad():
        executable = compile_model(
            module, tuple(example_inputs[i] for i in live), **(options or {})
        )

    def run(*args: Any) -> Any:
        return executable(*(args[i] for i in live))

    return run


def _is_weight(node: torch.fx.Node, value: Any) -> bool:
    if isinstance(value, torch.nn.Parameter):
        return True
    # A module's buffer: torch.compile names placeholders after where they come from.
    return isinstance(value, torch.Tensor) and "_buffers_" in str(node.target)


def _qualified_name(target: Any, index: int) -> str:
    """Return the parameter's name in the user's model, from the placeholder's."""
    match = re.fullmatch(r"L_self_(?:modules_)?(.*?)_(?:parameters|buffers)_(.*?)_?", str(target))
    if match is None:
        return f"weight{index}"
    path = match.group(1).replace("_modules_", ".").strip("_")
    return f"{path}.{match.group(2)}" if path else match.group(2)


class _Frozen(torch.nn.Module):
    """The graph with its parameters as its own buffers."""

    def __init__(
        self, graph: torch.fx.GraphModule, frozen: dict[int, str], values: Sequence[Any]
    ) -> None:
        super().__init__()
        self.graph_module = graph
        self.count = len(values)
        self.frozen = {}
        for index, name in frozen.items():
            attribute = name.replace(".", "__") or f"weight{index}"
            while hasattr(self, attribute):
                attribute += "_"
            self.register_buffer(attribute, values[index].detach())
            self.frozen[index] = attribute

    def forward(self, *live: Any) -> Any:
        rest = iter(live)
        args = [
            getattr(self, self.frozen[i]) if i in self.frozen else next(rest)
            for i in range(self.count)
        ]
        return self.graph_module(*args)
