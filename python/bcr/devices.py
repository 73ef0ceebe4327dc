"""How a device is chosen among those of a machine, whatever drives it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeAlias, TypeVar

from bcr.errors import ConfigError

Choice: TypeAlias = "str | int | None"
"""How a device is named: by its name or a part of it, by its index, or not at all."""


def parse_choice(text: str) -> Choice:
    """Return the choice that a command line's text makes: digits are an index."""
    return int(text) if text.isdecimal() else text or None


class HasName(Protocol):
    """A device in a list."""

    @property
    def index(self) -> int:
        """Its place in the list, from 0."""

    @property
    def name(self) -> str:
        """What it calls itself."""


Device = TypeVar("Device", bound=HasName)


def choose_named(choice: str | int, present: Sequence[Device], api: str) -> Device:
    """Return the device of that index or name, or of a name that no other has a part of.

    Raises:
        ConfigError: no device, or more than one, is meant; the message lists those present.
    """
    listed = list_devices(present)
    if isinstance(choice, int) and not isinstance(choice, bool):
        if 0 <= choice < len(present):
            return present[choice]
        raise ConfigError(f"there is no {api} device {choice}; this machine has {listed}")
    if not isinstance(choice, str):
        raise ConfigError(f"device= is a name or an index, got {choice!r}")
    wanted = choice.casefold()
    found = [device for device in present if device.name.casefold() == wanted]
    found = found or [device for device in present if wanted in device.name.casefold()]
    if len(found) == 1:
        return found[0]
    problem = f"no {api} device is" if not found else f"several {api} devices are"
    raise ConfigError(f"{problem} named {choice!r}; this machine has {listed}")


def list_devices(devices: Iterable[HasName]) -> str:
    """Return indices and names, for a message."""
    return ", ".join(f"{device.index}: {device.name}" for device in devices)
