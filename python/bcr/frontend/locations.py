"""Where a node of an exported graph comes from: module, Python file and line."""

from __future__ import annotations

import os
import re
import sysconfig
import traceback
from types import TracebackType

import torch
from torch.fx import Node

_TORCH = os.path.dirname(torch.__file__) + os.sep
_PYTHON = sysconfig.get_path("stdlib") + os.sep
_FRAME = re.compile(r'File "([^"]+)", line (\d+)')


def module_of(node: Node) -> str:
    """Return the qualified name of the innermost module that made a node, "" for the model."""
    stack = node.meta.get("nn_module_stack") or {}
    path = ""
    for name, _ in stack.values():
        path = str(name)
    # An exported program that was retraced names the root "L['self']".
    return path.removeprefix("L['self']").removeprefix(".")


def line_of(node: Node) -> tuple[str, int] | None:
    """Return file and line of the user's code that made a node.

    The innermost frame outside torch; for a model made of torch's own modules alone, the
    innermost frame.
    """
    frames = _FRAME.findall(node.meta.get("stack_trace") or "")
    if not frames:
        return None
    own = [frame for frame in frames if not frame[0].startswith((_TORCH, "<"))]
    file, line = (own or frames)[-1]
    return file, int(line)


def describe(node: Node, directory: bool = True) -> str:
    """Return "in module features.0 at net.py:12" as far as that is known.

    Args:
        node: the node.
        directory: whether the file is named with its directory, which depends on the machine.
    """
    module, line = module_of(node), line_of(node)
    text = f"in module {module}" if module else "in the model's forward"
    if line is None:
        return text
    file = line[0] if directory else file_name(line[0])
    return f"{text} at {file}:{line[1]}"


def file_name(path: str) -> str:
    """Return the last part of a path of any system."""
    return re.split(r"[/\\]", path)[-1]


def line_of_error(trace: TracebackType | None) -> str:
    """Return " at net.py:12" for the innermost frame outside torch and this package, or ""."""
    own = os.path.dirname(os.path.dirname(__file__)) + os.sep
    for frame in reversed(traceback.extract_tb(trace)):
        if not frame.filename.startswith((_TORCH, _PYTHON, own, "<")):
            return f" at {frame.filename}:{frame.lineno}"
    return ""
