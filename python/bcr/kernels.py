"""What compiled models of kernels have in common, whatever device runs them."""

from __future__ import annotations

import abc
import ctypes
import os
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

from bcr.devices import Choice, HasName
from bcr.errors import ConfigError, UnsupportedError
from bcr.executable import Executable
from bcr.launches import launches_of, tensor_bytes
from bcr.report import Profile, layer_time
from bcr.tensors import is_torch

if TYPE_CHECKING:
    from bcr.export_kernels import Api
    from bcr.frontend.specs import InputSpec, OutputSpec
    from bcr.program import Program

Array: TypeAlias = "npt.NDArray[Any]"


Device = TypeVar("Device", bound=HasName)
Network = TypeVar("Network", bound="HasDevice")


class HasDevice(Protocol):
    """A model on a device."""

    @property
    def device(self) -> Any:
        """The device."""


class KernelExecutable(Executable, abc.ABC, Generic[Network, Device]):
    """A compiled model that is kernels and a schedule of their launches.

    Attributes:
        c_api: what its C program has that those for other APIs have not.
    """

    c_api: ClassVar[Api]

    def __init__(self, program: Program, name: str = "model", device: Choice = None) -> None:
        super().__init__(program, name)
        self._choice = device
        self._network: Network | None = None

    @abc.abstractmethod
    def find_device(self, choice: Choice) -> Device:
        """Return the device that is meant.

        Raises:
            ConfigError: no device is meant by the name or index, or more than one.
            DeviceError: there is no device.
        """

    @abc.abstractmethod
    def open_network(self, device: Device) -> Network:
        """Bring the model to a device.

        Raises:
            DeviceError: it cannot run the model.
        """

    @property
    def network(self) -> Network:
        """The model on its device, brought there if need be.

        Raises:
            ConfigError: no device is meant by the name or index, or more than one.
            DeviceError: there is no device, or it cannot run the model.
        """
        if self._network is None:
            with self._lock:
                if self._network is None:
                    self._network = self.open_network(self.find_device(self._choice))
        return self._network

    @property
    def device(self) -> Device:
        """The device that calls run on.

        Raises:
            ConfigError: no device is meant by the name or index, or more than one.
            DeviceError: there is no device.
        """
        if self._network is None:
            return self.find_device(self._choice)
        device: Device = self._network.device
        return device

    def prepare(self) -> None:
        """Build the kernels and upload the weights now, instead of in the first call.

        Raises:
            ConfigError: no device is meant by the name or index, or more than one.
            DeviceError: there is no device, or it cannot run the model.
        """
        _ = self.network

    def __repr__(self) -> str:
        where = self._network.device.name if self._network else "a device of this machine"
        inputs = ", ".join(
            f"{spec.name}: {spec.dtype}{list(spec.shape)}" for spec in self.input_specs
        )
        return f"{type(self).__name__}({self._name}({inputs}) for {where})"

    @abc.abstractmethod
    def run_arrays(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> int:
        """Run the kernels and wait; return 0, or the number of the check that failed."""

    def entry(self) -> Any:
        """Return a function that takes what the `bcr_run` of a processor takes.

        Raises:
            ConfigError: no device is meant by the name or index, or more than one.
            DeviceError: there is no device, or it cannot run the model.
        """
        self.prepare()
        signature = self._program.signature

        def run(sources: Any, targets: Any, *_: Any) -> int:
            inputs = list(map(_at, sources, signature.inputs))
            return self.run_arrays(inputs, list(map(_at, targets, signature.outputs)))

        return run

    def run_with_stamps(self, args: Sequence[Any], kwargs: Mapping[str, Any], buffer: Any) -> Any:
        """Kernels take no stamps: `profile` reads the device's clock.

        Raises:
            UnsupportedError: always, unless `buffer` is None.
        """
        if buffer is not None:
            raise UnsupportedError(
                f"a model on {self.device.name} takes no time stamps: profile() reads its clock"
            )
        return self(*args, **kwargs)

    @abc.abstractmethod
    def start_profile(self) -> Any:
        """Return what `time_kernels` needs, made once."""

    @abc.abstractmethod
    def time_kernels(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], session: Any
    ) -> list[tuple[str, float]]:
        """Run the model; return label and seconds of each kernel, by the device's clock."""

    def profile(self, *args: Any, repeats: int = 30, **kwargs: Any) -> Profile:
        """Measure where the time goes, by the device's own clock.

        Args:
            args, kwargs: as for a call.
            repeats: calls to take the median of, after a warm-up.

        Returns:
            A table with the time of each layer, stored and dense-equivalent GFLOP/s and share; then
            of kernels that belong to no layer, by what they do. What is left is the host's work and
            the way there and back.

        Raises:
            ConfigError: `repeats` is less than 1.
            DeviceError: the device has no clock, or failed.
        """
        if repeats < 1:
            raise ConfigError(f"repeats must be at least 1, got {repeats}")
        session = self.start_profile()
        times: dict[str, list[float]] = {
            launch.label: [] for launch, _ in launches_of(self._program.schedule or ())
        }
        totals = []
        for turn in range(repeats + 1):
            begin = time.perf_counter()
            kernels = self.time_kernels(args, kwargs, session)
            wall = time.perf_counter() - begin
            if turn == 0:
                continue
            totals.append(wall)
            taken = dict.fromkeys(times, 0.0)
            for label, seconds in kernels:
                taken[label] += seconds
            for label, seconds in taken.items():
                times[label].append(seconds)
        total = statistics.median(totals)
        layers = self._program.layers
        known = [name for name in layers if name in times]
        rows = [
            layer_time(name, layers.get(name), statistics.median(times[name]), total)
            for name in (*known, *(label for label in times if label not in layers))
        ]
        rest = max(total - sum(row.seconds for row in rows), 0.0)
        return Profile(tuple(rows), rest, total)

    def export(self, folder: str | os.PathLike[str], name: str | None = None) -> list[Path]:
        """Write a C program that runs the model with nothing but the headers and the loader of
        OpenCL or Vulkan.

        Args:
            folder: made if missing.
            name: prefix of files and C functions; a C identifier. Default: "model".

        Returns:
            The files written: kernels, weights, host code, header, an example `main.c` and a
            `CMakeLists.txt` that builds them.

        Raises:
            ConfigError: the name is no C identifier.
            ExportError: a file cannot be written.
        """
        from bcr.export_kernels import export_kernels

        return export_kernels(self._program, Path(folder), name or self._name, self.c_api)


def as_array(value: Any) -> Array:
    """Return the memory of a tensor or an array as an array."""
    if not is_torch(value):
        array: Array = value
        return array
    value = value.detach()
    if str(value.dtype) == "torch.bfloat16":
        value = value.view(sys.modules["torch"].uint16)
    array = value.numpy()
    return array


def _at(pointer: int, spec: InputSpec | OutputSpec) -> Array:
    """Return the memory of a tensor at an address as an array."""
    memory = (ctypes.c_uint8 * tensor_bytes(spec)).from_address(pointer)
    return np.ctypeslib.as_array(memory).view("u2" if spec.dtype == "bfloat16" else spec.dtype)
