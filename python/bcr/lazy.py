"""Names of a package that are loaded when they are first used, so that importing it is cheap."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(
    namespace: dict[str, Any], names: Mapping[str, str], modules: tuple[str, ...] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` for a package.

    Args:
        namespace: the `globals()` of the package, which keeps what was loaded.
        names: for each name the module that defines it, relative to the package.
        modules: modules of the package that are attributes of it.
    """
    package = str(namespace["__name__"])

    def get(name: str) -> Any:
        if name in names:
            module = importlib.import_module(f"{package}.{names[name]}")
            namespace[name] = getattr(module, name)
            return namespace[name]
        if name in modules:
            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def list_all() -> list[str]:
        return sorted({*namespace, *names, *modules})

    return get, list_all
