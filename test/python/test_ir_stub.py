"""The stub of the extension names what the extension has, and nothing else."""

from __future__ import annotations

import ast
from pathlib import Path

import bcr
from bcr import _core

STUB = Path(bcr.__file__).with_name("_core.pyi")
# What Python gives every class, and enumerations their members.
COMMON = {*dir(object), "__module__", "__dict__", "__weakref__", "__annotations__"}


def declared(node: ast.Module | ast.ClassDef) -> set[str]:
    names = set()
    for item in node.body:
        if isinstance(item, ast.FunctionDef | ast.ClassDef):
            names.add(item.name)
        elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            # An alias of types is there for the type checker alone.
            if ast.unparse(item.annotation) != "TypeAlias":
                names.add(item.target.id)
        elif isinstance(item, ast.Assign) and isinstance(node, ast.ClassDef):
            names.update(target.id for target in item.targets if isinstance(target, ast.Name))
    private = {name for name in names if name.startswith("_") and not name.startswith("__")}
    return names - COMMON - private


def test_stub_matches_the_extension() -> None:
    tree = ast.parse(STUB.read_text())
    public = {name for name in vars(_core) if not name.startswith("__")}
    assert declared(tree) == public
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.bases == []:
            defined = set(vars(getattr(_core, node.name)))
            assert declared(node) == defined - COMMON, node.name
