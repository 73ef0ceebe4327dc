"""A compiled model that runs on a Vulkan device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bcr.devices import Choice
from bcr.errors import DeviceError
from bcr.executable import Call
from bcr.kernels import Array, KernelExecutable, as_array
from bcr.vulkan.device import Device, find_device
from bcr.vulkan.export import API
from bcr.vulkan.network import Network


class VulkanExecutable(KernelExecutable[Network, Device]):
    """A compiled model. Call it with what the PyTorch model takes.

    All kernels of a call are one command buffer, recorded when the model came to its device.
    Safe to call from several threads at once, which take turns.
    """

    c_api = API

    def find_device(self, choice: Choice) -> Device:
        """Return the device that is meant."""
        return find_device(choice)

    def open_network(self, device: Device) -> Network:
        """Build the kernels and upload the weights."""
        return Network(self._program, device)

    def execute(self, call: Call, profile: Any) -> int:
        """Run the kernels; return 0, or the number of the check that failed.

        Raises:
            DeviceError: there is no device, or it failed.
        """
        return self._submit(call)[0]

    def _submit(self, call: Call, *, timed: bool = False) -> tuple[int, list[float]]:
        return self.network.run(
            [as_array(value) for value in call.inputs],
            [as_array(value) for value in call.outputs],
            timed=timed,
        )

    def run_arrays(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> int:
        """Run the kernels and wait; return 0, or the number of the check that failed."""
        return self.network.run(inputs, outputs)[0]

    def start_profile(self) -> Network:
        """Return the model on its device.

        Raises:
            DeviceError: there is no device, or it has no clock.
        """
        if not self.network.device.nanoseconds:
            raise DeviceError(f"{self.network.device.name} has no clock: measure whole calls")
        return self.network

    def time_kernels(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], session: Network
    ) -> list[tuple[str, float]]:
        """Run the model; return label and seconds of each kernel, by the device's clock."""
        call = self.bind_call(args, kwargs)
        code, seconds = self._submit(call, timed=True)
        self.finish(call, code)
        labels = [dispatch.launch.label for dispatch in session.dispatches]
        return list(zip(labels, seconds, strict=True))
