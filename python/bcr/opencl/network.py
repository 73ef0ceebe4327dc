"""A compiled model on a device: what all calls share, and what each call at a time needs."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bcr.errors import DeviceError
from bcr.launches import (
    STATUS_BYTES,
    Argument,
    Launch,
    Repeat,
    Schedule,
    launches_of,
    tensor_bytes,
)
from bcr.opencl.binaries import Kernels, build
from bcr.opencl.device import Device
from bcr.opencl.driver import explained, load
from bcr.program import Program
from bcr.tables import bytes_text
from bcr.workspace import ALIGNMENT

Array = npt.NDArray[Any]


class Network:
    """The kernels and weights of a model on a device, and sessions that wait for a call."""

    def __init__(self, program: Program, device: Device) -> None:
        """Build the kernels and upload the weights.

        Raises:
            DeviceError: the device cannot run the model, its compiler fails, or it has too little
                memory.
        """
        assert program.schedule is not None
        assert program.library is not None
        self.program = program
        self.device = device
        self.schedule: Schedule = program.schedule
        self._check_limits()
        cl = load()
        self.kernels: Kernels | None = None
        if self.schedule:
            self.kernels = build(program.library, device)
        with explained(cl, "keep the weights", device.name):
            self.weights = self._upload(program.pool) if program.pool.size else None
        self._free: list[Session] = []

    def _check_limits(self) -> None:
        device, arena = self.device, self.program.arena.bytes
        signature = self.program.signature
        tensors = sum(map(tensor_bytes, signature.inputs + signature.outputs))
        largest = max(arena, self.program.pool.size)
        together = arena + self.program.pool.size + tensors
        if largest > device.max_allocation or together > device.global_bytes:
            raise DeviceError(
                f"{device.name} has too little memory: the model takes {bytes_text(together)}, "
                f"{bytes_text(largest)} of it in one buffer; the device has "
                f"{bytes_text(device.global_bytes)}, and {bytes_text(device.max_allocation)} for "
                "one buffer: compile for a smaller batch, or choose another device"
            )
        for launch, _ in launches_of(self.schedule):
            items = launch.local[0] * launch.local[1] * launch.local[2]
            if items > device.max_group:
                raise DeviceError(
                    f"{device.name} runs {device.max_group} work-items of a group at most, the "
                    f"kernel {launch.kernel} has {items}: choose another device"
                )
            for argument in launch.arguments:
                if argument.begin % device.alignment:
                    raise DeviceError(
                        f"{device.name} wants parts of buffers at multiples of {device.alignment} "
                        f"bytes, and the kernel {launch.kernel} has one at {argument.begin}: "
                        f"compile the model again with device={device.name!r}"
                    )

    def _upload(self, pool: Array) -> Any:
        cl = load()
        flags = cl.mem_flags
        how = flags.USE_HOST_PTR if self.device.shares_memory else flags.COPY_HOST_PTR
        return cl.Buffer(self.device.context, flags.READ_ONLY | how, hostbuf=pool)

    def take(self) -> Session:
        """Return a session that no other call uses; `give_back` it."""
        # Last in, first out: the memory used last is the most likely in a cache. `append` and
        # `pop` of a list are atomic.
        try:
            return self._free.pop()
        except IndexError:
            return Session(self)

    def give_back(self, session: Session) -> None:
        """Keep a session for the next call."""
        self._free.append(session)

    def __len__(self) -> int:
        """Return how many sessions wait for a call."""
        return len(self._free)


@dataclass(frozen=True)
class _Ready:
    """A launch with its kernel, and the arguments that are set later: the place of each, and the
    part of a tensor or the loop whose turn it is."""

    launch: Launch
    kernel: Any
    items: tuple[int, int, int]
    tensors: list[tuple[int, Argument]]
    turns: list[tuple[int, int]]


@dataclass(frozen=True)
class _ReadyLoop:
    turns: int
    body: list[_Ready | _ReadyLoop]


class Session:
    """What one call at a time needs: a queue, an arena, and kernels with their arguments set."""

    def __init__(self, network: Network, *, profiled: bool = False) -> None:
        """Allocate all memory of a call.

        Args:
            network: the model on its device.
            profiled: whether the device notes when each kernel begins and ends.

        Raises:
            DeviceError: the device has too little memory.
        """
        cl = load()
        self.cl = cl
        self._profiled = profiled
        # Only that: a network keeps its sessions, and goes when the model does.
        self._home = weakref.ref(network)
        device, program = network.device, network.program
        self.device = device
        self._kernels = network.kernels
        flags = cl.mem_flags
        properties = cl.command_queue_properties.PROFILING_ENABLE if profiled else 0
        used = {a.space for launch, _ in launches_of(network.schedule) for a in launch.arguments}
        with explained(cl, "make room for a call", device.name):
            self.queue = cl.CommandQueue(device.context, device.handle, properties=properties)
            self._buffers: dict[tuple[str, int], Any] = {("weights", 0): network.weights}
            if "arena" in used:
                self._buffers["arena", 0] = cl.Buffer(
                    device.context, flags.READ_WRITE, program.arena.bytes
                )
            self._status: Any = None
            if "status" in used:
                self._status = cl.Buffer(device.context, flags.READ_WRITE, STATUS_BYTES)
                self._buffers["status", 0] = self._status
            self._parts: dict[Argument, Any] = {}
            self._steps = self._prepare(network.schedule)
        # Device memory for tensors that the host does not share, by place; made when first used.
        self._own: dict[tuple[str, int], Any] = {}
        # What the last call enqueued, by label, if the session takes times.
        self.events: list[tuple[str, Any]] = []

    def _prepare(self, schedule: Schedule) -> list[_Ready | _ReadyLoop]:
        """Make kernels and set all arguments that no call changes."""
        steps: list[_Ready | _ReadyLoop] = []
        for step in schedule:
            if isinstance(step, Repeat):
                steps.append(_ReadyLoop(step.turns, self._prepare(step.body)))
                continue
            assert self._kernels is not None
            kernel = self.cl.Kernel(self._kernels.program, step.kernel)
            tensors, turns = [], []
            for place, argument in enumerate(step.arguments):
                if argument.space in ("input", "output"):
                    tensors.append((place, argument))
                elif argument.space == "turn":
                    turns.append((place, argument.number))
                else:
                    kernel.set_arg(place, self._part(argument))
            steps.append(_Ready(step, kernel, step.items, tensors, turns))
        return steps

    def _part(self, argument: Argument) -> Any:
        """Return the part of a buffer, which lives as long as the session."""
        if argument not in self._parts:
            whole = self._buffers[argument.space, argument.number]
            self._parts[argument] = _region(whole, argument)
        return self._parts[argument]

    def enqueue(self, inputs: Sequence[Array], outputs: Sequence[Array]) -> Pending:
        """Enqueue a call and return at once.

        Args:
            inputs: contiguous arrays; they must stay as they are until the call is done.
            outputs: contiguous arrays to write to.

        Raises:
            DeviceError: the device fails.
        """
        cl, queue = self.cl, self.queue
        pending = Pending(self)
        pending.hold(inputs, outputs)
        with explained(cl, "run the model", self.device.name), self._settled(pending):
            buffers = {}
            for i, array in enumerate(inputs):
                if array.size:
                    buffers["input", i] = self._send(i, array)
            for i, array in enumerate(outputs):
                if array.size:
                    buffers["output", i] = self._receiver(i, array)
            pending.hold(buffers)
            if self._status is not None:
                cl.enqueue_fill_buffer(queue, self._status, np.int32(0), 0, STATUS_BYTES)
            self.events = []
            self._set_tensors(self._steps, buffers, pending)
            self._launch(self._steps, ())
            for i, array in enumerate(outputs):
                if array.size:
                    pending.fetch(buffers["output", i], array)
            if self._status is not None:
                pending.copy(self._status, pending.status)
            queue.flush()
        return pending

    @contextmanager
    def _settled(self, pending: Pending) -> Iterator[None]:
        """If enqueueing fails or is interrupted, wait for what was enqueued before: it uses memory
        of the caller. The session is not used again."""
        try:
            yield
        except BaseException:
            with suppress(self.cl.Error):
                self.queue.finish()
            pending.abandon()
            raise

    def _set_tensors(
        self, steps: Sequence[_Ready | _ReadyLoop], buffers: dict[Any, Any], pending: Pending
    ) -> None:
        for step in steps:
            if isinstance(step, _ReadyLoop):
                self._set_tensors(step.body, buffers, pending)
                continue
            for place, argument in step.tensors:
                part = _region(buffers[argument.space, argument.number], argument)
                pending.hold(part)
                step.kernel.set_arg(place, part)

    def _launch(self, steps: Sequence[_Ready | _ReadyLoop], turns: tuple[int, ...]) -> None:
        """Enqueue steps; `turns` are those of the loops around them, the innermost first."""
        enqueue, queue = self.cl.enqueue_nd_range_kernel, self.queue
        for step in steps:
            if isinstance(step, _ReadyLoop):
                for turn in range(step.turns):
                    self._launch(step.body, (turn, *turns))
                continue
            for place, depth in step.turns:
                step.kernel.set_arg(place, np.int64(turns[depth]))
            event = enqueue(queue, step.kernel, step.items, step.launch.local)
            if self._profiled:
                self.events.append((step.launch.label, event))

    def shares(self, array: Array) -> bool:
        """Whether a kernel can work in the memory of an array."""
        # Kernels count on addresses that suit their widest access.
        return self.device.shares_memory and array.ctypes.data % ALIGNMENT == 0

    def _send(self, index: int, array: Array) -> Any:
        cl = self.cl
        if self.shares(array):
            flags = cl.mem_flags.READ_ONLY | cl.mem_flags.USE_HOST_PTR
            return cl.Buffer(self.device.context, flags, hostbuf=array)
        buffer = self._own_buffer("input", index, array.nbytes)
        cl.enqueue_copy(self.queue, buffer, array, is_blocking=False)
        return buffer

    def _receiver(self, index: int, array: Array) -> Any:
        cl = self.cl
        if self.shares(array):
            # A kernel may add to what an earlier one wrote.
            flags = cl.mem_flags.READ_WRITE | cl.mem_flags.USE_HOST_PTR
            return cl.Buffer(self.device.context, flags, hostbuf=array)
        return self._own_buffer("output", index, array.nbytes)

    def _own_buffer(self, space: str, index: int, size: int) -> Any:
        if (space, index) not in self._own:
            self._own[space, index] = self.cl.Buffer(
                self.device.context, self.cl.mem_flags.READ_WRITE, size
            )
        return self._own[space, index]

    def release(self) -> None:
        """Let another call use the session, unless it is one that takes times."""
        network = self._home()
        if network is not None and not self._profiled:
            network.give_back(self)


def _region(buffer: Any, argument: Argument) -> Any:
    if argument.begin == 0:
        return buffer
    return buffer.get_sub_region(argument.begin, argument.size)


class Pending:
    """A call that is under way."""

    def __init__(self, session: Session) -> None:
        self._session: Session | None = session
        self._events: list[Any] = []
        self._held: list[Any] = []
        self._maps: list[Any] = []
        self._error: DeviceError | None = None
        self._lock = threading.Lock()
        self.status = np.zeros(1, np.int32)

    def hold(self, *things: Any) -> None:
        """Keep buffers and arrays alive until the call is done."""
        self._held += things

    def fetch(self, buffer: Any, array: Array) -> None:
        """Bring what a buffer holds into an array, which may be the buffer's own memory."""
        session = self._session
        assert session is not None
        cl, queue = session.cl, session.queue
        if not session.shares(array):
            return self.copy(buffer, array)
        mapped, event = cl.enqueue_map_buffer(
            queue, buffer, cl.map_flags.READ, 0, array.shape, array.dtype, is_blocking=False
        )
        self._maps.append(mapped)
        self._events.append(event)

    def copy(self, buffer: Any, array: Array) -> None:
        """Copy what a buffer holds into an array."""
        session = self._session
        assert session is not None
        event = session.cl.enqueue_copy(session.queue, array, buffer, is_blocking=False)
        self._events.append(event)

    def done(self) -> bool:
        """Whether the results, or an error, are there, without waiting."""
        session, events = self._session, self._events
        if session is None:
            return True
        # A command that failed has a negative status.
        complete = session.cl.command_execution_status.COMPLETE
        return all(event.command_execution_status <= complete for event in events)

    def wait(self) -> int:
        """Wait for the results and return 0, or the number of the check that failed.

        Raises:
            DeviceError: the device failed.
        """
        with self._lock:
            session = self._session
            if session is not None:
                try:
                    self._finish(session)
                except DeviceError as error:
                    with suppress(session.cl.Error):
                        session.queue.finish()
                    self._error = error
                    self.abandon()
                else:
                    # Not before: who is interrupted while waiting may ask again.
                    self.abandon()
                    session.release()
        if self._error is not None:
            raise self._error
        return int(self.status[0])

    def _finish(self, session: Session) -> None:
        cl = session.cl
        with explained(cl, "run the model", session.device.name):
            if self._events:
                cl.wait_for_events(self._events)
            else:
                session.queue.finish()
            while self._maps:
                self._maps.pop().base.release(session.queue)

    def abandon(self) -> None:
        """Let go of the session and of what the call held; nothing may be under way."""
        self._session = None
        self._events, self._held, self._maps = [], [], []

    def __del__(self) -> None:
        # A call whose result nobody wants still uses its buffers.
        if self._session is not None:
            with suppress(DeviceError):
                self.wait()
