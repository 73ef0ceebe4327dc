"""Nested arguments and results as JSON, without torch.

A structure is one of

    {"input": i}              tensor `i` of `ImportedModel.inputs`
    {"output": i}             tensor `i` of `ImportedModel.outputs` (results only)
    {"const": [type, value]}  a Python number, truth value, string or None, fixed at export
    {"tuple": [...]}, {"list": [...]}
    {"dict": [[key, structure], ...]}
    {"namedtuple": [name, [[field, structure], ...]]}

and an `in_spec` is {"args": [...], "kwargs": [[name, structure], ...], "names": [...]}, where
`names` are the parameters of `forward` that stand for the positional arguments.
"""

from __future__ import annotations

import keyword
import math
from collections import namedtuple
from collections.abc import Mapping, Sequence
from typing import Any

from bcr.errors import FormatError, InputError
from bcr.frontend.specs import Structure

_KEYS = (str, int, bool, float)


def constant(value: object) -> Structure:
    """Describe a plain Python value.

    Raises:
        TypeError: `value` is not a number, a truth value, a string or None.
    """
    if value is None:
        return {"const": ["none", None]}
    if type(value) is float:
        # JSON has no infinities and no NaN.
        return {"const": ["float", value if math.isfinite(value) else repr(value)]}
    if type(value) in (bool, int, str):
        return {"const": [type(value).__name__, value]}
    raise TypeError(f"{type(value).__name__} is not a plain Python value")


def _constant_value(pair: Sequence[Any]) -> Any:
    kind, value = pair
    return float(value) if kind == "float" else value


def bind(in_spec: Structure, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    """Flatten a call's arguments to the tensors of `ImportedModel.inputs`, in their order.

    A positional argument of the export may be given by name. Tensors are not looked at.

    Raises:
        InputError: an argument is missing, unknown, of another structure, or differs from the
            value that it was fixed to at export.
    """
    expected, names = in_spec["args"], in_spec["names"]
    given = list(args)
    named = dict(kwargs)
    for i in range(len(given), len(expected)):
        if i < len(names) and names[i] in named:
            given.append(named.pop(names[i]))
    if len(given) != len(expected):
        raise InputError(
            f"the model takes {len(expected)} positional arguments "
            f"({', '.join(names[: len(expected)])}), but {len(given)} were given"
        )
    wanted = [*names[: len(expected)], *(name for name, _ in in_spec["kwargs"])]
    unknown = sorted(set(named) - {name for name, _ in in_spec["kwargs"]})
    if unknown:
        raise InputError(
            f"the model has no argument {', '.join(unknown)}; it was exported with "
            f"{', '.join(wanted)}"
        )
    leaves: dict[int, Any] = {}
    for i, (structure, value) in enumerate(zip(expected, given)):
        _flatten(structure, value, names[i] if i < len(names) else f"argument {i}", leaves)
    for name, structure in in_spec["kwargs"]:
        if name not in named:
            raise InputError(f"the argument {name} is missing; the model was exported with it")
        _flatten(structure, named[name], name, leaves)
    return [leaves[i] for i in range(len(leaves))]


def _flatten(structure: Structure, value: Any, path: str, leaves: dict[int, Any]) -> None:
    [(kind, content)] = structure.items()
    if kind == "input":
        if not hasattr(value, "shape"):
            raise InputError(f"{path}: expected a tensor, got {_describe(value)}")
        leaves[content] = value
    elif kind == "const":
        fixed = _constant_value(content)
        both_nan = fixed != fixed and value != value
        if hasattr(value, "shape") or not (value == fixed or both_nan):
            raise InputError(
                f"{path}: the model was exported with the value {fixed!r}, which is fixed in it, "
                f"but got {_describe(value)}; compile again with the other value"
            )
    elif kind == "dict":
        if not isinstance(value, Mapping):
            raise InputError(f"{path}: expected a dict, got {_describe(value)}")
        keys = [key for key, _ in content]
        if set(keys) != set(value):
            raise InputError(f"{path}: expected the keys {keys}, got {list(value)}")
        for key, part in content:
            _flatten(part, value[key], f"{path}[{key!r}]", leaves)
    else:
        parts = [part for _, part in content[1]] if kind == "namedtuple" else content
        accepted = list if kind == "list" else tuple
        if not isinstance(value, accepted) or len(value) != len(parts):
            raise InputError(
                f"{path}: expected a {kind} of {len(parts)} elements, got {_describe(value)}"
            )
        for i, part in enumerate(parts):
            _flatten(part, value[i], f"{path}[{i}]", leaves)


def _describe(value: Any) -> str:
    if isinstance(value, (list, tuple, dict)):
        return f"a {type(value).__name__} of {len(value)} elements"
    if value is None or isinstance(value, (bool, int, float, str)):
        return repr(value)
    return f"a {type(value).__name__}"


def unflatten(out_spec: Structure, outputs: Sequence[Any], inputs: Sequence[Any]) -> Any:
    """Rebuild a model's result.

    Args:
        out_spec: `ImportedModel.out_spec`.
        outputs: the results of `@main`.
        inputs: the tensors that `bind` returned, for results that are an input itself.
    """
    [(kind, content)] = out_spec.items()
    if kind == "output":
        return outputs[content]
    if kind == "input":
        return inputs[content]
    if kind == "const":
        return _constant_value(content)
    if kind == "dict":
        return {key: unflatten(part, outputs, inputs) for key, part in content}
    if kind == "namedtuple":
        name, fields = content
        # The class of the model is out of reach without its source: this one has its fields.
        made = namedtuple(name, [field for field, _ in fields])  # type: ignore[misc]
        return made(*(unflatten(part, outputs, inputs) for _, part in fields))
    parts = [unflatten(part, outputs, inputs) for part in content]
    return parts if kind == "list" else tuple(parts)


def check(structure: Structure, num_inputs: int, num_outputs: int) -> None:
    """Validate a structure that was read from a file.

    Raises:
        FormatError: it is not a structure, or names a tensor that does not exist.
    """
    if isinstance(structure, dict) and set(structure) == {"args", "kwargs", "names"}:
        _require(isinstance(structure["args"], list), structure)
        names = structure["names"]
        _require(isinstance(names, list) and all(isinstance(n, str) for n in names), structure)
        for part in structure["args"]:
            check(part, num_inputs, 0)
        for part in _pairs(structure["kwargs"], (str,)):
            check(part, num_inputs, 0)
        found = sorted(_input_indices(structure["args"]) + _input_indices(structure["kwargs"]))
        _require(found == list(range(num_inputs)), structure)
        return
    _require(isinstance(structure, dict) and len(structure) == 1, structure)
    [(kind, content)] = structure.items()
    if kind in ("input", "output"):
        limit = num_inputs if kind == "input" else num_outputs
        _require(type(content) is int and 0 <= content < limit, structure)
    elif kind == "const":
        _require(isinstance(content, list) and len(content) == 2, structure)
        _require(content[0] in ("none", "bool", "int", "float", "str"), structure)
        _require(not isinstance(content[1], (list, dict)), structure)
        try:
            _constant_value(content)
        except (TypeError, ValueError):
            _require(False, structure)
    elif kind in ("tuple", "list"):
        _require(isinstance(content, list), structure)
        for part in content:
            check(part, num_inputs, num_outputs)
    elif kind == "dict":
        for part in _pairs(content, _KEYS):
            check(part, num_inputs, num_outputs)
    elif kind == "namedtuple":
        _require(isinstance(content, list) and len(content) == 2, structure)
        for part in _pairs(content[1], (str,)):
            check(part, num_inputs, num_outputs)
        fields = [field for field, _ in content[1]]
        for name in (content[0], *fields):
            usable = isinstance(name, str) and name.isidentifier() and not keyword.iskeyword(name)
            _require(usable, structure)
        _require(not any(field.startswith("_") for field in fields), structure)
        _require(len(set(fields)) == len(fields), structure)
    else:
        _require(False, structure)


def _pairs(value: Any, keys: tuple[type, ...]) -> list[Structure]:
    _require(isinstance(value, list), value)
    for pair in value:
        _require(isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], keys), value)
    return [part for _, part in value]


def _input_indices(value: Any) -> list[int]:
    if isinstance(value, dict):
        own = [value["input"]] if "input" in value else []
        return own + [i for part in value.values() for i in _input_indices(part)]
    if isinstance(value, list):
        return [i for part in value for i in _input_indices(part)]
    return []


def _require(condition: bool, value: object) -> None:
    if not condition:
        raise FormatError(
            f"the description of the model's arguments or results is damaged at "
            f"{str(value)[:80]}; compile and save the model again"
        )
