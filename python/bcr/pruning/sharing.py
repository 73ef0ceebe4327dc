"""Who else uses a parameter: modules that share it, and parameters in the same memory."""

from __future__ import annotations

import itertools

from torch import nn
from torch.nn.parameter import is_lazy


def raw_weight(module: nn.Module) -> nn.Parameter | None:
    """Return the parameter that holds the weights of a module, if it has one."""
    return module._parameters.get("weight", module._parameters.get("weight_orig"))


def users_of(names: dict[str, nn.Module]) -> dict[int, list[str]]:
    """Names of the modules that hold each parameter directly, by the parameter's identity."""
    users: dict[int, list[str]] = {}
    for name, module in names.items():
        for parameter in module._parameters.values():
            if parameter is not None:
                users.setdefault(id(parameter), []).append(name)
    return users


def memory_users(names: dict[str, nn.Module]) -> dict[int, list[str]]:
    """Names of other parameters that lie in the memory of a parameter, by its identity."""
    spans: dict[tuple[str, int], list[tuple[int, int, int, str]]] = {}
    seen: set[int] = set()
    for name, module in names.items():
        for key, p in module._parameters.items():
            if p is None or id(p) in seen or is_lazy(p) or p.is_meta or p.numel() == 0:
                continue
            seen.add(id(p))
            try:
                storage = p.untyped_storage().data_ptr()
            except (NotImplementedError, RuntimeError):  # tensor subclasses without one memory
                continue
            first = int(p.storage_offset())
            last = first + sum((int(n) - 1) * int(s) for n, s in zip(p.shape, p.stride()))
            full = f"{name}.{key}" if name else key
            spans.setdefault((str(p.device), storage), []).append((first, last, id(p), full))
    users: dict[int, list[str]] = {}
    for parts in spans.values():
        parts.sort()
        for (_, last, a, name_a), (first, _, b, name_b) in itertools.pairwise(parts):
            if first <= last:
                users.setdefault(a, []).append(name_b)
                users.setdefault(b, []).append(name_a)
    return users
