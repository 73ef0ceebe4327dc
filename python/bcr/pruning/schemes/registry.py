"""The pruning schemes by name; a configuration checks names by `bcr.pruning.scheme_names`."""

from __future__ import annotations

from bcr.pruning.scheme_names import n_of_m
from bcr.pruning.schemes.block_punched import BlockPunched
from bcr.pruning.schemes.bsp import BSP
from bcr.pruning.schemes.column_row import Both, Columns, Rows
from bcr.pruning.schemes.n_of_m import NOfM
from bcr.pruning.schemes.pattern import Pattern
from bcr.pruning.schemes.scheme import Scheme
from bcr.pruning.schemes.whole import Channels, Filters, Unstructured

_SCHEMES: dict[str, Scheme] = {
    "both": Both(),
    "columns": Columns(),
    "rows": Rows(),
    "bsp": BSP(),
    "block-punched": BlockPunched(),
    "pattern": Pattern(),
    "filter": Filters(),
    "channel": Channels(),
    "unstructured": Unstructured(),
}


def scheme_of(name: str) -> Scheme:
    """Return the scheme of a name that `scheme_names.check_scheme` let pass."""
    counts = n_of_m(name)
    return NOfM(*counts) if counts else _SCHEMES[name]
