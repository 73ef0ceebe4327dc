"""A model's kernels on a Vulkan device: recorded once, submitted at every call.

All launches of a model are one command buffer: a barrier between two of them, a time stamp after
each. A call copies the inputs, submits it, waits for its fence and copies the outputs. Buffers lie
in memory that host and device share; where the device has memory of its own, they lie there, and
weights are copied once, inputs and outputs by each call.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import starmap
from typing import Any, NamedTuple

import numpy as np

from bcr import cache
from bcr.errors import DeviceError
from bcr.kernels import Array
from bcr.launches import (
    STATUS_BYTES,
    Argument,
    Launch,
    launches_of,
    tensor_bytes,
    unrolled,
)
from bcr.program import Program
from bcr.tables import bytes_text
from bcr.vulkan.device import Device
from bcr.vulkan.driver import api, explained
from bcr.vulkan.memory import Memory
from bcr.vulkan.pipelines import PipelineCache


@dataclass(frozen=True)
class _Pipeline:
    """A kernel that is ready: itself, and the layouts of its arguments."""

    handle: Any
    layout: Any
    sets: Any


class _Dispatch(NamedTuple):
    """A launch as it is recorded: in a loop, once for each turn.

    Attributes:
        launch: what to launch.
        turns: the numbers of the turns of the loops around it, from the innermost.
    """

    launch: Launch
    turns: tuple[int, ...]


class Network:
    """A model on a device: kernels, buffers and the recorded launches.

    A call at a time: others wait for it.
    """

    def __init__(self, program: Program, device: Device) -> None:
        """Build the kernels, upload the weights, record the launches.

        Raises:
            DeviceError: the device's limits, memory or compiler do not allow the model.
        """
        assert program.schedule is not None
        assert program.library is not None
        vk = api()
        self.program = program
        self.device = device
        self.dispatches = tuple(starmap(_Dispatch, unrolled(program.schedule)))
        self._lock = threading.Lock()
        self._process = os.getpid()
        self._submitted = False
        # Nothing here may refer to this object: it would never end.
        self._ends: list[Callable[[], object]] = []
        self._check_limits()
        if self.dispatches:
            device.check_kernels(program.library)
        handle = self.handle = device.open()
        self._own(lambda: vk.vkDestroyDevice(handle, None))
        try:
            self._queue = vk.vkGetDeviceQueue(self.handle, device.family, 0)
            self._allocate()
            if self.dispatches:
                with explained("prepare the model", device.name):
                    self._build(program.library)
                    self._record()
        except BaseException:
            self.close()
            raise
        # A thread may be in a call when the process ends, which gives everything back anyway.
        weakref.finalize(self, _end, self._ends).atexit = False

    def _own(self, end: Callable[[], object]) -> None:
        self._ends.append(end)

    def close(self) -> None:
        """Give everything on the device back."""
        _end(self._ends)

    def _check_limits(self) -> None:
        """Raise a DeviceError where a launch exceeds the device's limits."""
        info = self.device
        assert self.program.schedule is not None
        for launch, _ in launches_of(self.program.schedule):
            label = launch.label or launch.kernel
            if len(launch.arguments) > info.bindings:
                raise DeviceError(
                    f"{label} has {len(launch.arguments)} arguments, {info.name} takes "
                    f"{info.bindings}: choose another device"
                )
            items = launch.local[0] * launch.local[1] * launch.local[2]
            if items > info.max_group:
                raise DeviceError(
                    f"{label} has work-groups of {items} items, {info.name} takes "
                    f"{info.max_group}: choose another device"
                )
            for count, most in zip(launch.groups, info.max_groups):
                if count > most:
                    raise DeviceError(
                        f"{label} has {count:,} work-groups in a row, {info.name} takes {most:,}: "
                        "compile for a smaller batch, or choose another device"
                    )
            for argument in launch.arguments:
                if argument.size > info.range_bytes:
                    raise DeviceError(
                        f"{label} reads {bytes_text(argument.size)} of {argument.space}, "
                        f"{info.name} lets a kernel see {bytes_text(info.range_bytes)} of a "
                        "buffer: prune this layer more, or choose another device"
                    )
                if argument.begin % info.alignment:
                    raise DeviceError(
                        f"{info.name} wants parts of buffers at multiples of {info.alignment} "
                        f"bytes, and the kernel {launch.kernel} has one at {argument.begin}: "
                        "compile the model again for this device"
                    )

    def _allocate(self) -> None:
        """Make all buffers, and fill those that do not change."""
        info, program = self.device, self.program
        pool = program.pool
        turns = max((1 + n for d in self.dispatches for n in d.turns), default=0)
        step = max(info.alignment, 8)
        sizes = {
            ("weights", 0): pool.size,
            ("arena", 0): program.arena.bytes,
            ("status", 0): STATUS_BYTES,
            ("turn", 0): turns * step,
        }
        signature = program.signature
        sizes.update({("input", i): tensor_bytes(s) for i, s in enumerate(signature.inputs)})
        sizes.update({("output", i): tensor_bytes(s) for i, s in enumerate(signature.outputs)})
        self._buffers: dict[tuple[str, int], Memory] = {}
        self._staged: dict[tuple[str, int], Memory] = {}
        for key, size in sizes.items():
            # A kernel sees whole words.
            size = -(-max(size, 1) // 16) * 16
            shared = not info.has_own_memory or key[0] in ("status", "turn")
            self._buffers[key] = self._make_memory(size, shared=shared)
            if not shared and key[0] != "arena":
                self._staged[key] = self._make_memory(size, shared=True)
        self._seen("weights", 0).bytes[: pool.size] = pool
        for turn in range(turns):
            self._buffers["turn", 0].bytes[turn * step :][:8].view(np.int64)[0] = turn

    def _make_memory(self, size: int, *, shared: bool) -> Memory:
        memory = Memory(self.handle, self.device, size, shared=shared)
        self._own(memory.free)
        return memory

    def _seen(self, space: str, number: int) -> Memory:
        """Return the memory that the host sees for a buffer."""
        return self._staged.get((space, number), self._buffers[space, number])

    def _part(self, argument: Argument, turns: tuple[int, ...]) -> Any:
        """Return the part of a buffer that is an argument."""
        if argument.space == "turn":
            begin = turns[argument.number] * max(self.device.alignment, 8)
            memory, size = self._buffers["turn", 0], 8
        else:
            memory = self._buffers[argument.space, argument.number]
            begin, size = argument.begin, argument.size
        size = min(-(-size // 16) * 16, memory.size - begin)
        return api().VkDescriptorBufferInfo(buffer=memory.buffer, offset=begin, range=size)

    def _build(self, spirv: bytes) -> None:
        """Make a pipeline for each kernel."""
        vk, device = api(), self.handle
        with explained("take the kernels", self.device.name):
            module = vk.vkCreateShaderModule(
                device, vk.VkShaderModuleCreateInfo(codeSize=len(spirv), pCode=spirv), None
            )
        self._own(lambda: vk.vkDestroyShaderModule(device, module, None))
        info = self.device
        path = cache.file_for("vulkan", info.name, info.version, info.driver, info.cache, spirv)
        kept = PipelineCache(device, cache.load(path))
        self._pipelines: dict[str, _Pipeline] = {}
        try:
            for dispatch in self.dispatches:
                name = dispatch.launch.kernel
                if name not in self._pipelines:
                    count = len(dispatch.launch.arguments)
                    self._pipelines[name] = self._make_pipeline(module, name, count, kept.handle)
            if kept.is_new:
                cache.store(path, kept.read())
        finally:
            kept.free()

    def _make_pipeline(self, module: Any, name: str, arguments: int, kept: Any) -> _Pipeline:
        vk, device = api(), self.handle
        bindings = [
            vk.VkDescriptorSetLayoutBinding(
                binding=i,
                descriptorType=vk.VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                descriptorCount=1,
                stageFlags=vk.VK_SHADER_STAGE_COMPUTE_BIT,
            )
            for i in range(arguments)
        ]
        sets = vk.vkCreateDescriptorSetLayout(
            device, vk.VkDescriptorSetLayoutCreateInfo(pBindings=bindings), None
        )
        self._own(lambda: vk.vkDestroyDescriptorSetLayout(device, sets, None))
        layout = vk.vkCreatePipelineLayout(
            device, vk.VkPipelineLayoutCreateInfo(pSetLayouts=[sets]), None
        )
        self._own(lambda: vk.vkDestroyPipelineLayout(device, layout, None))
        stage = vk.VkPipelineShaderStageCreateInfo(
            stage=vk.VK_SHADER_STAGE_COMPUTE_BIT, module=module, pName=name
        )
        info = vk.VkComputePipelineCreateInfo(stage=stage, layout=layout)
        with explained(f"compile the kernel {name}", self.device.name):
            pipeline = vk.vkCreateComputePipelines(device, kept, 1, [info], None)[0]
        self._own(lambda: vk.vkDestroyPipeline(device, pipeline, None))
        return _Pipeline(pipeline, layout, sets)

    def _make_sets(self) -> list[Any]:
        """Return what the arguments of each dispatch are, as the device wants it."""
        vk, device = api(), self.handle
        count = sum(len(dispatch.launch.arguments) for dispatch in self.dispatches)
        kind = vk.VK_DESCRIPTOR_TYPE_STORAGE_BUFFER
        with explained("keep the arguments of kernels", self.device.name):
            pool = vk.vkCreateDescriptorPool(
                device,
                vk.VkDescriptorPoolCreateInfo(
                    maxSets=len(self.dispatches),
                    pPoolSizes=[vk.VkDescriptorPoolSize(type=kind, descriptorCount=max(count, 1))],
                ),
                None,
            )
            self._own(lambda: vk.vkDestroyDescriptorPool(device, pool, None))
            layouts = [self._pipelines[d.launch.kernel].sets for d in self.dispatches]
            info = vk.VkDescriptorSetAllocateInfo(descriptorPool=pool, pSetLayouts=layouts)
            sets = list(vk.vkAllocateDescriptorSets(device, info))
        writes = [
            vk.VkWriteDescriptorSet(
                dstSet=target,
                dstBinding=i,
                descriptorType=kind,
                pBufferInfo=[self._part(argument, dispatch.turns)],
            )
            for dispatch, target in zip(self.dispatches, sets, strict=True)
            for i, argument in enumerate(dispatch.launch.arguments)
        ]
        vk.vkUpdateDescriptorSets(device, len(writes), writes, 0, None)
        return sets

    def _record(self) -> None:
        """Write the command buffer that every call submits."""
        vk, device = api(), self.handle
        sets = self._make_sets()
        stamps: Any = None
        count = len(self.dispatches) + 1
        if self.device.nanoseconds:
            kind = vk.VK_QUERY_TYPE_TIMESTAMP
            stamps = vk.vkCreateQueryPool(
                device, vk.VkQueryPoolCreateInfo(queryType=kind, queryCount=count), None
            )
            self._own(lambda: vk.vkDestroyQueryPool(device, stamps, None))
        self._stamps = stamps
        pool = vk.vkCreateCommandPool(
            device, vk.VkCommandPoolCreateInfo(queueFamilyIndex=self.device.family), None
        )
        self._own(lambda: vk.vkDestroyCommandPool(device, pool, None))
        info = vk.VkCommandBufferAllocateInfo(
            commandPool=pool, level=vk.VK_COMMAND_BUFFER_LEVEL_PRIMARY, commandBufferCount=1
        )
        commands = self._commands = vk.vkAllocateCommandBuffers(device, info)[0]
        compute, host = vk.VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, vk.VK_PIPELINE_STAGE_HOST_BIT
        point = vk.VK_PIPELINE_BIND_POINT_COMPUTE

        def stamp(number: int) -> None:
            if stamps is not None:
                vk.vkCmdWriteTimestamp(commands, compute, stamps, number)

        read, write = vk.VK_ACCESS_SHADER_READ_BIT, vk.VK_ACCESS_SHADER_WRITE_BIT
        copy = vk.VK_PIPELINE_STAGE_TRANSFER_BIT
        copied = [key for key in self._staged if key[0] == "input"]
        fetched = [key for key in self._staged if key[0] == "output"]

        def barrier(begin: int, written: int, to: int, access: int) -> None:
            memory = vk.VkMemoryBarrier(srcAccessMask=written, dstAccessMask=access)
            vk.vkCmdPipelineBarrier(commands, begin, to, 0, 1, [memory], 0, None, 0, None)

        self._upload(pool)
        vk.vkBeginCommandBuffer(commands, vk.VkCommandBufferBeginInfo())
        for key in copied:
            self._copy(commands, self._staged[key], self._buffers[key])
        if copied:
            barrier(copy, vk.VK_ACCESS_TRANSFER_WRITE_BIT, compute, read)
        if stamps is not None:
            vk.vkCmdResetQueryPool(commands, stamps, 0, count)
        stamp(0)
        for i, (dispatch, arguments) in enumerate(zip(self.dispatches, sets, strict=True)):
            pipeline = self._pipelines[dispatch.launch.kernel]
            vk.vkCmdBindPipeline(commands, point, pipeline.handle)
            vk.vkCmdBindDescriptorSets(commands, point, pipeline.layout, 0, 1, [arguments], 0, None)
            vk.vkCmdDispatch(commands, *dispatch.launch.groups)
            barrier(compute, write, compute, read | write)
            stamp(i + 1)
        if fetched:
            barrier(compute, write, copy, vk.VK_ACCESS_TRANSFER_READ_BIT)
        for key in fetched:
            self._copy(commands, self._buffers[key], self._staged[key])
        if fetched:
            barrier(copy, vk.VK_ACCESS_TRANSFER_WRITE_BIT, host, vk.VK_ACCESS_HOST_READ_BIT)
        barrier(compute, write, host, vk.VK_ACCESS_HOST_READ_BIT)
        vk.vkEndCommandBuffer(commands)

    def _copy(self, commands: Any, source: Memory, target: Memory) -> None:
        region = api().VkBufferCopy(srcOffset=0, dstOffset=0, size=source.size)
        api().vkCmdCopyBuffer(commands, source.buffer, target.buffer, 1, [region])

    def _upload(self, pool: Any) -> None:
        """Bring the weights to the device's own memory, and give back where they were before."""
        vk = api()
        staged = self._staged.pop(("weights", 0), None)
        if staged is None:
            return
        info = vk.VkCommandBufferAllocateInfo(
            commandPool=pool, level=vk.VK_COMMAND_BUFFER_LEVEL_PRIMARY, commandBufferCount=1
        )
        commands = vk.vkAllocateCommandBuffers(self.handle, info)[0]
        vk.vkBeginCommandBuffer(commands, vk.VkCommandBufferBeginInfo())
        self._copy(commands, staged, self._buffers["weights", 0])
        vk.vkEndCommandBuffer(commands)
        with explained("keep the weights", self.device.name):
            submit = vk.VkSubmitInfo(pCommandBuffers=[commands])
            vk.vkQueueSubmit(self._queue, 1, [submit], None)
            vk.vkQueueWaitIdle(self._queue)
        self._ends.remove(staged.free)
        staged.free()

    def run(
        self, inputs: Sequence[Array], outputs: Sequence[Array], *, timed: bool = False
    ) -> tuple[int, list[float]]:
        """Compute `outputs` from `inputs`, contiguous arrays.

        Returns:
            the number of the check that failed, or 0; and, if `timed`, the seconds of each dispatch
            by the device's clock, none where it has no clock.

        Raises:
            DeviceError: the device failed, or this is another process than opened it.
        """
        if os.getpid() != self._process:
            raise DeviceError(
                f"{self.device.name} was opened by the process that this one was forked from, and "
                "Vulkan does not work across fork(): load the model again in this process"
            )
        with self._lock:
            self._wait()
            for i, value in enumerate(inputs):
                self._bytes("input", i, value)[:] = _flat(value)
            status = self._buffers["status", 0].bytes[:STATUS_BYTES].view(np.int32)
            status[0] = 0
            if self.dispatches:
                self._submit()
                self._wait()
            for i, value in enumerate(outputs):
                _flat(value)[:] = self._bytes("output", i, value)
            return int(status[0]), self._times() if timed else []

    def _submit(self) -> None:
        vk = api()
        # First: an interrupt may come right behind the call.
        self._submitted = True
        with explained("run the model", self.device.name):
            submit = vk.VkSubmitInfo(pCommandBuffers=[self._commands])
            vk.vkQueueSubmit(self._queue, 1, [submit], None)

    def _wait(self) -> None:
        """Wait for what was submitted, also by a call that was interrupted."""
        if self._submitted:
            with explained("run the model", self.device.name):
                api().vkQueueWaitIdle(self._queue)
            self._submitted = False

    def _bytes(self, space: str, number: int, like: Array) -> Array:
        return self._seen(space, number).bytes[: like.nbytes]

    def _times(self) -> list[float]:
        if not self.dispatches or self._stamps is None:
            return []
        vk = api()
        stamps = np.zeros(len(self.dispatches) + 1, np.uint64)
        with explained("say when kernels ran", self.device.name):
            vk.vkGetQueryPoolResults(
                self.handle,
                self._stamps,
                0,
                len(stamps),
                stamps.nbytes,
                vk.ffi.from_buffer(stamps),
                stamps.itemsize,
                vk.VK_QUERY_RESULT_64_BIT | vk.VK_QUERY_RESULT_WAIT_BIT,
            )
        return [float(ticks) * self.device.nanoseconds * 1e-9 for ticks in np.diff(stamps)]


def _flat(value: Array) -> Array:
    return value.reshape(-1).view(np.uint8)


def _end(ends: list[Callable[[], object]]) -> None:
    """Give back what a network has on its device, the last first."""
    while ends:
        ends.pop()()
