"""The stub of each extension names what the extension has, and nothing else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from bcr import _core, _stream

# What Python gives every class, and enumerations their members.
COMMON = {*dir(object), "__module__", "__dict__", "__weakref__", "__annotations__"}


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


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
    return {name for name in names - COMMON if not is_private(name)}


@pytest.mark.parametrize("extension", [_core, _stream], ids=lambda module: module.__name__)
def test_stub_matches_the_extension(extension) -> None:
    name = extension.__name__.rpartition(".")[2]
    tree = ast.parse(Path(extension.__file__).with_name(f"{name}.pyi").read_text())
    public = {name for name in vars(extension) if not name.startswith("__")}
    assert declared(tree) == public
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.bases == []:
            names = set(vars(getattr(extension, node.name)))
            defined = {name for name in names - COMMON if not is_private(name)}
            assert declared(node) == defined, node.name
