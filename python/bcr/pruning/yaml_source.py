"""Reads a mapping from a YAML file or text, strictly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from bcr.errors import ConfigError


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that occurs twice, where PyYAML would silently keep the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str) and key in seen:
                line = key_node.start_mark.line + 1
                raise ConfigError(f"line {line}: the key {key!r} occurs twice, remove one")
            seen.add(key if isinstance(key, str) else id(key_node))
        return super().construct_mapping(node, deep)


def load_yaml(source: str | Path) -> dict[str, Any]:
    """Return the mapping in `source`; `PruneConfig.from_yaml` says what is a file.

    Raises:
        ConfigError: the file cannot be read, or the text is no YAML mapping.
    """
    is_file = isinstance(source, Path) or (
        "\n" not in source and source.endswith((".yaml", ".yml"))
    )
    where = f"{source}: " if is_file else "YAML text: "
    try:
        text = Path(source).read_text(encoding="utf-8") if is_file else str(source)
        values = yaml.load(text, Loader=_StrictLoader)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{where}cannot be read: {error}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{where}is not YAML: {error}") from error
    except ConfigError as error:
        raise ConfigError(f"{where}{error}") from error
    if not isinstance(values, dict):
        raise ConfigError(
            f"{where}holds {values!r}, not a mapping of settings such as 'rate: 8'; to read a "
            "file pass a pathlib.Path or a name that ends in .yaml"
        )
    return values
