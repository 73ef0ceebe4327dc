"""A mapping as YAML that `Pruner.from_yaml` takes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from bcr.container import write_atomically

if TYPE_CHECKING:
    from bcr.pruning import PruneConfig


def recipe(config: PruneConfig, comment: str = "") -> str:
    """Return a configuration as YAML.

    Args:
        config: what `allocate`, `map_by_rules` or `search` found.
        comment: lines for the top of the file.
    """
    head = "".join(f"# {line}".rstrip() + "\n" for line in comment.splitlines())
    return head + yaml.safe_dump(config.to_dict(), sort_keys=False, default_flow_style=None)


def save_recipe(config: PruneConfig, path: str | os.PathLike[str], comment: str = "") -> None:
    """Write `recipe` to a file.

    Raises:
        ExportError: the file cannot be written; an old one is untouched.
    """
    text = recipe(config, comment)
    write_atomically(Path(path), lambda to: to.write_text(text, encoding="utf-8"))
