"""From whatever the user calls a model to an `ExportedProgram`, with errors that can be read."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.export import ExportedProgram
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode
from torch.utils import _pytree as pytree

from bcr.errors import ConfigError, FormatError, UnsupportedError
from bcr.frontend.bags import BagsOfOneSize
from bcr.frontend.checks import check_eval_mode, check_not_quantised
from bcr.frontend.decompositions import table
from bcr.frontend.locations import line_of_error
from bcr.frontend.recurrent import (
    PackedSequenceError,
    WithoutUnrolling,
    refuse_packed_sequences,
)

_NOISY = ("torch._subclasses.fake_tensor", "torch.fx.experimental.symbolic_shapes", "torch.export")
_FOR_DEVELOPERS = (
    "For more ",
    "For C++ stack trace",
    "Caused by: (_export",
    "For extended logs",
    "If you suspect the guard",
    "The error above occurred when",
    "consider using data-dependent friendly",
)
_MAX_LINES = 4


def to_program(
    model: nn.Module | ExportedProgram | str | os.PathLike[str],
    args: Any,
    kwargs: Mapping[str, Any] | None,
    dynamic_shapes: Any,
) -> ExportedProgram:
    """Return the exported form of a model.

    Raises:
        ConfigError: there is no such file, the model is a ScriptModule, example arguments are
            missing, or `dynamic_shapes` is given for a program that is already exported.
        FormatError: the file is not an exported program.
        UnsupportedError: the model is in training mode or quantised, or `torch.export` cannot trace
            it.
    """
    if isinstance(model, (ExportedProgram, str, os.PathLike)):
        if dynamic_shapes is not None:
            raise ConfigError(
                "dynamic_shapes applies to an nn.Module; this program is exported already: pass "
                "dynamic_shapes to torch.export.export"
            )
        return model if isinstance(model, ExportedProgram) else _load(os.fspath(model))
    if isinstance(model, torch.jit.ScriptModule):
        raise ConfigError(
            f"cannot compile a {type(model).__name__}, which torch.export does not take: pass the "
            f"nn.Module that it was made of"
        )
    if not isinstance(model, nn.Module):
        raise ConfigError(
            f"cannot compile a {type(model).__name__}: pass an nn.Module, an ExportedProgram or "
            f"the path of a .pt2 file"
        )
    if args is None and not kwargs:
        raise ConfigError("example arguments are missing: pass a tuple of tensors, such as (x,)")
    if args is None:
        args = ()
    if isinstance(args, (torch.Tensor, np.ndarray)):
        args = (args,)
    if not isinstance(args, Sequence) or isinstance(args, str):
        raise ConfigError(
            f"example arguments must be a tuple, not a {type(args).__name__}; named ones are kwargs"
        )
    check_eval_mode(model)
    check_not_quantised(model)
    args, kwargs = pytree.tree_map(_as_tensor, (tuple(args), dict(kwargs or {})))
    for value in pytree.tree_leaves((args, kwargs)):
        if isinstance(value, torch.Tensor) and value.is_quantized:
            raise UnsupportedError(
                "an argument is a quantised tensor; pass integers or call dequantize() first"
            )
    return _export(model, args, kwargs, dynamic_shapes)


def _as_tensor(value: Any) -> Any:
    return torch.from_numpy(value) if isinstance(value, np.ndarray) else value


def _load(path: str) -> ExportedProgram:
    if not os.path.isfile(path):
        raise ConfigError(f"there is no file {path}")
    try:
        with quiet():
            program: ExportedProgram = torch.export.load(path)
            return program
    except Exception as error:
        raise FormatError(
            f"{path} is not a program saved by torch.export.save of torch {torch.__version__}: "
            f"{_first_lines(error)}"
        ) from None


def _export(model: nn.Module, args: Any, kwargs: Any, dynamic_shapes: Any) -> ExportedProgram:
    printed = io.StringIO()
    refuse_packed_sequences(type(model).__name__, (args, kwargs))
    try:
        with (
            quiet(),
            torch.no_grad(),
            contextlib.redirect_stderr(printed),
            WithoutUnrolling(),
            BagsOfOneSize(),
        ):
            program = torch.export.export(
                model, args, kwargs, dynamic_shapes=dynamic_shapes, strict=False
            )
    except PackedSequenceError as error:
        where = line_of_error(error.__traceback__)
        raise UnsupportedError(f"{type(model).__name__}{where} {error}") from None
    except Exception as error:
        # torch prints the graph so far, and its own trace is hundreds of lines of torch; the
        # reason is in the first few.
        raise _cannot_trace(type(model).__name__, error) from None
    sys.stderr.write(printed.getvalue())
    return program


def decompose(program: ExportedProgram) -> ExportedProgram:
    """Rewrite a program to the operators that torch-mlir lowers.

    Raises:
        UnsupportedError: torch cannot do it, for example because of a module's odd name.
    """
    try:
        with quiet(), torch.no_grad():
            rewritten: ExportedProgram = program.run_decompositions(table())
            return rewritten
    except Exception as error:
        raise _cannot_trace("the exported program", error) from None


def _cannot_trace(what: str, error: Exception) -> UnsupportedError:
    advice = ""
    if isinstance(error, GuardOnDataDependentSymNode):
        advice = (
            "\n  The model decides by the value of a tensor. Use torch.where, or decide outside "
            "the compiled model."
        )
    return UnsupportedError(
        f"torch.export cannot trace {what}{line_of_error(error.__traceback__)}: "
        f"{type(error).__name__}: {_first_lines(error)}{advice}"
    )


def _first_lines(error: Exception) -> str:
    lines = [line.rstrip() for line in str(error).splitlines() if line.strip()]
    lines = [line for line in lines if not line.lstrip().startswith(_FOR_DEVELOPERS)]
    return "\n  ".join(lines[:_MAX_LINES]) or "no further reason is given"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep torch's warnings and error logs to itself, and its fused attention out of the graph.

    In eval mode `nn.TransformerEncoderLayer` and `nn.MultiheadAttention` call one opaque kernel
    unless that fast path is off.
    """
    loggers = [logging.getLogger(name) for name in _NOISY]
    levels = [logger.level for logger in loggers]
    fast_path = torch.backends.mha.get_fastpath_enabled()
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL + 1)
        torch.backends.mha.set_fastpath_enabled(False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast_path)
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)
