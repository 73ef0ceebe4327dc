"""A compiled model that runs on an OpenCL device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bcr.devices import Choice
from bcr.executable import Call
from bcr.kernels import Array, KernelExecutable, as_array
from bcr.opencl.device import Device, find_device
from bcr.opencl.export import API
from bcr.opencl.network import Network, Pending, Session
from bcr.tensors import empty
from bcr.workspace import aligned_bytes


class Future:
    """The result of a call that is under way; made by `OpenCLExecutable.submit`."""

    def __init__(self, executable: OpenCLExecutable, call: Call, pending: Pending) -> None:
        self._executable = executable
        self._call = call
        self._pending = pending

    def done(self) -> bool:
        """Whether `result` returns at once."""
        return self._pending.done()

    def result(self) -> Any:
        """Wait for the call and return what it computed, as a call of the executable does.

        Raises:
            InputError: a value of an input does not fit (an index out of range).
            DeviceError: the device failed.
        """
        return self._executable.finish(self._call, self._pending.wait())


class OpenCLExecutable(KernelExecutable[Network, Device]):
    """A compiled model. Call it with what the PyTorch model takes.

    A call enqueues all kernels at once, on buffers that were allocated before, and waits for its
    result only; `submit` does not wait. Safe to call from several threads at once, each of which
    then has a queue and buffers of its own; kernels and weights are shared.

    Where the device shares the host's memory, kernels read inputs and write results in place, if
    they begin at multiples of 64 bytes, as torch's tensors do.
    """

    c_api = API

    def find_device(self, choice: Choice) -> Device:
        """Return the device that is meant."""
        return find_device(choice)

    def open_network(self, device: Device) -> Network:
        """Build the kernels and upload the weights."""
        network = Network(self._program, device)
        # The first session shows whether there is memory for a call.
        network.give_back(Session(network))
        return network

    # --- running -------------------------------------------------------------------------------

    def submit(self, *args: Any, **kwargs: Any) -> Future:
        """Enqueue a call and return at once.

        Calls under way at the same time have an arena each, of `program.arena.bytes`.

        Args:
            args, kwargs: as for a call; their memory must not change until the result is there.

        Returns:
            What `result()` returns the model's result of.

        Raises:
            InputError: number, shape, dtype or device of the inputs do not fit.
            DeviceError: the device fails.
        """
        call = self.bind_call(args, kwargs)
        network = self.network
        return Future(self, call, self._enqueue(network.take(), call))

    def execute(self, call: Call, profile: Any) -> int:
        """Run the kernels and wait for the results; `profile` is a session that takes the time."""
        session = profile if profile is not None else self.network.take()
        return self._enqueue(session, call).wait()

    def _enqueue(self, session: Session, call: Call) -> Pending:
        return session.enqueue(
            [as_array(value) for value in call.inputs],
            [as_array(value) for value in call.outputs],
        )

    def make_output(self, shape: tuple[int, ...], dtype: str, like_torch: bool) -> Any:
        """Return memory for a result, aligned so that a device can write it in place."""
        if like_torch or dtype == "bfloat16":
            return empty(shape, dtype, like_torch)
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        return aligned_bytes(size).view(dtype).reshape(shape)

    def run_arrays(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> int:
        """Run the kernels and wait; return 0, or the number of the check that failed."""
        return self.network.take().enqueue(inputs, outputs).wait()

    # --- looking -------------------------------------------------------------------------------

    def time_kernels(
        self, args: Sequence[Any], kwargs: Mapping[str, Any], session: Any
    ) -> list[tuple[str, float]]:
        """Run the model; return label and seconds of each kernel, by the device's clock."""
        call = self.bind_call(args, kwargs)
        pending = self._enqueue(session, call)
        self.finish(call, pending.wait())
        return [
            (label, (event.profile.end - event.profile.start) * 1e-9)
            for label, event in session.events
        ]

    def start_profile(self) -> Session:
        """Return buffers and a queue that takes the time."""
        return Session(self.network, profiled=True)
