"""`import_model`: an nn.Module, an exported program or a .pt2 file becomes linalg text."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram
from torch_mlir import ir

from bcr.errors import BCRError
from bcr.frontend.checks import check_not_empty, check_without_effects
from bcr.frontend.diagnose import report_random, unsupported
from bcr.frontend.export import decompose, quiet, to_program
from bcr.frontend.index_checks import check_indices
from bcr.frontend.narrow_integers import widen
from bcr.frontend.results import simplify_results
from bcr.frontend.signature import Signature, read_signature
from bcr.frontend.specs import ImportedModel, OutputSpec, Structure
from bcr.frontend.torch_mlir_import import WeightStore, import_program, lower, print_text

_RESOURCE = re.compile(r'dense_resource<(?:"((?:[^"\\]|\\.)*)"|([^">]+))>')


def import_model(
    model: nn.Module | ExportedProgram | str | os.PathLike[str],
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    dynamic_shapes: Any = None,
) -> ImportedModel:
    """Import a model in eval mode.

    Args:
        model: the model, its exported program, or the path of a .pt2 file.
        args: example arguments of `forward`, tensors or arrays in any nesting of tuple, list,
            dict and namedtuple; not needed for a program that is exported already. Plain numbers,
            truth values, strings and None among them are fixed in the result.
        kwargs: example keyword arguments.
        dynamic_shapes: dimensions that each call may choose, as `torch.export.export` takes them,
            for example `({0: torch.export.Dim("batch")},)`.

    Returns:
        Text, weights and signature. Importing copies no contiguous weight, so the result is valid
        as long as the model's weights are not changed.

    Raises:
        ConfigError: the arguments of this function do not make sense.
        FormatError: the file is not an exported program.
        UnsupportedError: the model cannot be traced, is in training mode, keeps state, has NaN or
            infinite weights, an element type that is not supported, or operators that cannot be
            lowered; the message lists all of these operators with module and line.
    """
    program = decompose(to_program(model, args, kwargs, dynamic_shapes))
    with quiet(), torch.no_grad():
        signature = read_signature(program, dynamic_shapes)
        report_random(program)
        check_without_effects(program.graph)
        check_not_empty(program.graph)
        widen(program.graph)
        check_indices(program)
        store = WeightStore(program)
        try:
            module = import_program(program, [result.node for result in signature.results], store)
            lower(module)
        except BCRError:
            raise
        except Exception as error:
            raise unsupported(program, error) from None
        return _assemble(module, signature, store)


def _assemble(module: ir.Module, signature: Signature, store: WeightStore) -> ImportedModel:
    alike = [
        {
            i
            for i, spec in enumerate(signature.inputs)
            if spec.dtype == result.spec.dtype
            and result.node.meta["val"].shape == signature.input_nodes[i].meta["val"].shape
        }
        for result in signature.results
    ]
    places = simplify_results(module, alike)
    outputs: dict[int, OutputSpec] = {}
    for (kind, index), result in zip(places, signature.results):
        if kind == "output":
            outputs.setdefault(index, result.spec)
    text = print_text(module)
    used = {_unquote(match) for match in _RESOURCE.finditer(text)}
    return ImportedModel(
        text=text,
        weights={name: array for name, array in store.arrays.items() if name in used},
        inputs=signature.inputs,
        outputs=tuple(outputs[i] for i in range(len(outputs))),
        in_spec=signature.in_spec,
        out_spec=_relocate(signature.out_spec, places),
        symbols=signature.symbols,
    )


def _unquote(match: re.Match[str]) -> str:
    quoted, bare = match.groups()
    if quoted is None:
        return bare
    text = re.sub(
        rb"\\([0-9A-Fa-f]{2}|.)",
        lambda m: m[1] if len(m[1]) == 1 else bytes([int(m[1], 16)]),
        quoted.encode(),
    )
    return text.decode()


def _relocate(structure: Structure, places: list[tuple[str, int]]) -> Structure:
    """Let an out_spec that counts the program's results refer to `@main`'s instead."""
    if isinstance(structure, list):
        return [_relocate(part, places) for part in structure]
    if not isinstance(structure, dict):
        return structure
    if "output" in structure:
        kind, index = places[structure["output"]]
        return {kind: index}
    return {kind: _relocate(content, places) for kind, content in structure.items()}
