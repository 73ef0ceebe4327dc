"""Kernels on oclgrind, which simulates an OpenCL device and reports what a real one hides.

    .venv/bin/python test/python/oclgrind.py [--faults] [CASE...]

runs the operator matrix and pruned networks, with the kernels for GPUs and those for processors
where these differ, and prints a line for each case; with `--faults` it first breaks a model on
purpose and prints what oclgrind did not notice. oclgrind reads LLVM
bitcode of LLVM 14, which Debian's llvm-spirv-14 makes of SPIR-V.

Every launch gets buffers of exactly the size that the schedule states, so that one byte beyond a
part of the arena or of the weights is out of bounds, and the arena holds NaN at first.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.utils import _pytree as pytree

import bcr
from bcr.compiler import relative_error
from bcr.kernels import as_array
from bcr.launches import Repeat, tensor_bytes
from bcr.opencl.device import devices
from bcr.opencl.driver import load

RUNTIME = Path("/usr/lib/oclgrind/liboclgrind-rt-icd.so")
TRANSLATOR = "llvm-spirv-14"


def environment(log: Path) -> dict[str, str]:
    """What a process needs to find oclgrind, and nothing else, as its OpenCL."""
    return {
        **os.environ,
        "OCL_ICD_VENDORS": str(RUNTIME),
        "OCLGRIND_LOG": str(log),
        "OCLGRIND_DATA_RACES": "1",
        "OCLGRIND_MAX_ERRORS": "1000000",
    }


@functools.cache
def translate(spirv: bytes) -> bytes:
    """SPIR-V as the bitcode that oclgrind reads."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "kernels.spv"), Path(folder, "kernels.bc")
        source.write_bytes(spirv)
        subprocess.run([TRANSLATOR, "-r", source, "-o", target], check=True)
        return target.read_bytes()


class Simulator:
    """A compiled model on oclgrind."""

    def __init__(self, program: bcr.program.Program) -> None:
        (device,) = devices()
        self.cl = load()
        self.program = program
        self.queue = self.cl.CommandQueue(device.context, device.handle)
        binary = translate(program.library)
        self.kernels = self.cl.Program(device.context, [device.handle], [binary]).build()

    def __call__(self, inputs: list[np.ndarray]) -> list[np.ndarray]:
        """Run the schedule launch by launch and return the outputs."""
        signature = self.program.signature
        # Memory of the host: what lies in it moves to buffers of its own for each launch.
        self.memory = {
            ("weights", 0): self.program.pool.copy(),
            ("arena", 0): np.full(self.program.arena.bytes, 0xFF, np.uint8),
            ("status", 0): np.zeros(4, np.uint8),
        }
        for i, array in enumerate(inputs):
            self.memory["input", i] = np.ascontiguousarray(array).reshape(-1).view(np.uint8).copy()
        for i, spec in enumerate(signature.outputs):
            self.memory["output", i] = np.full(tensor_bytes(spec), 0xFF, np.uint8)
        self._run(self.program.schedule, ())
        code = int(self.memory["status", 0].view(np.int32)[0])
        if code:
            raise bcr.InputError(self.program.checks[code - 1])
        return [
            self.memory["output", i].view(_dtype(spec)).reshape(spec.shape)
            for i, spec in enumerate(signature.outputs)
        ]

    def _run(self, schedule, turns) -> None:
        for step in schedule:
            if isinstance(step, Repeat):
                for turn in range(step.turns):
                    self._run(step.body, (turn, *turns))
            else:
                self._launch(step, turns)

    def _launch(self, launch, turns) -> None:
        cl, context = self.cl, self.queue.context
        kernel = cl.Kernel(self.kernels, launch.kernel)
        buffers = []
        for place, argument in enumerate(launch.arguments):
            if argument.space == "turn":
                kernel.set_arg(place, np.int64(turns[argument.number]))
                continue
            begin, end = argument.begin, argument.begin + argument.size
            whole = self.memory[argument.space, argument.number]
            # Parts that overlap are one buffer, with an origin of its own for each.
            for known, first, last, space in buffers:
                if space == (argument.space, argument.number) and first <= begin and end <= last:
                    part = known.get_sub_region(begin - first, end - begin)
                    break
            else:
                flags = cl.mem_flags.READ_WRITE | cl.mem_flags.COPY_HOST_PTR
                part = cl.Buffer(context, flags, hostbuf=whole[begin:end])
                buffers.append((part, begin, end, (argument.space, argument.number)))
            kernel.set_arg(place, part)
        cl.enqueue_nd_range_kernel(self.queue, kernel, launch.items, launch.local)
        for part, begin, end, space in buffers:
            cl.enqueue_copy(self.queue, self.memory[space][begin:end], part)
        self.queue.finish()


RACE = "kernel void race(global int *x) { x[0] = get_global_id(0); }"


def _dtype(spec) -> str:
    """How NumPy holds a tensor's elements."""
    return "uint16" if spec.dtype == "bfloat16" else spec.dtype


def _values(tensor: torch.Tensor) -> np.ndarray:
    if tensor.dtype == torch.bfloat16:
        tensor = tensor.float()
    return tensor.detach().numpy()


def make_pruned(scheme: str, block: tuple[int, int], batch: int) -> tuple[object, tuple]:
    """A small network whose blocks lose rows, columns or both; rows may be in several groups."""
    from conftest import make_net, prune

    modules = {"stem": None, "depthwise": None, "head": {"block": (4, 5)}}
    net = prune(make_net(), block=block, scheme=scheme, oversize="clip", modules=modules)
    return net, (torch.randn(batch, 3, 9, 11),)


PRUNED = {
    "pruned_columns": functools.partial(make_pruned, "columns", (4, 12), 1),
    "pruned_rows": functools.partial(make_pruned, "rows", (8, 16), 9),
    "pruned_both": functools.partial(make_pruned, "both", (5, 7), 2),
}


def all_cases() -> dict[str, Callable[[], tuple]]:
    """The operator matrix and what it has not: pruned layers."""
    from operator_matrix import CASES

    return {**PRUNED, **CASES}


def check_case(name: str) -> str:
    """Compile a case, run it, and say how it went."""
    from bcr.compiler import compile_imported
    from bcr.executable import make_executable
    from bcr.frontend import import_model
    from bcr.progress import Stages
    from bcr.target import Target

    model, args = all_cases()[name]()
    options = {"sparsity": "force", "num_threads": 1, "stages": Stages(False)}
    try:
        imported = import_model(model, args, {})
        programs = [
            compile_imported(imported, Target.of("opencl"), **options, processor=processor)
            for processor in (False, True)
        ]
    except bcr.UnsupportedError as error:
        return f"not compiled: {str(error).splitlines()[0]}"
    if not programs[0].schedule:
        return "nothing to run"
    if programs[0].library == programs[1].library:
        programs.pop()
    errors = [run_case(make_executable(program), model, args) for program in programs]
    return f"error {max(errors):.1e}"


def run_case(exe: bcr.Executable, model: torch.nn.Module, args: tuple) -> float:
    """Run a compiled case and return its largest error."""
    call = exe.bind_call(args, {})
    outputs = Simulator(exe.program)([as_array(value) for value in call.inputs])
    for target, output in zip(call.outputs, outputs):
        as_array(target)[...] = output
    got = pytree.tree_leaves(exe.finish(call, 0))
    with torch.no_grad():
        want = pytree.tree_leaves(model(*args))
    errors = [
        relative_error(_values(a), _values(b))
        for a, b in zip(got, want, strict=True)
        if isinstance(b, torch.Tensor)
    ]
    return max(errors, default=0.0)


def check_faults() -> list[str]:
    """Break a model on purpose: what comes back is what oclgrind should have reported of."""
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 5, 3, padding=1), torch.nn.MaxPool2d(2)).eval()
    program = bcr.compile(model, (torch.randn(1, 3, 6, 6),), target="opencl").program
    inputs = [np.ones((1, 3, 6, 6), np.float32)]
    missed = []
    for i, launch in enumerate(program.schedule):
        for j, argument in enumerate(launch.arguments):
            if argument.space not in ("arena", "output"):
                continue
            arguments = list(launch.arguments)
            # The last element is now beyond the end.
            arguments[j] = dataclasses.replace(argument, size=argument.size - 4)
            schedule = list(program.schedule)
            schedule[i] = dataclasses.replace(launch, arguments=tuple(arguments))
            simulator = Simulator(dataclasses.replace(program, schedule=tuple(schedule)))
            if not reports(lambda simulator=simulator: simulator(inputs)):
                missed.append(f"{launch.label} {argument}")
    queue, context = simulator.queue, simulator.queue.context
    kernel = simulator.cl.Kernel(simulator.cl.Program(context, RACE).build(), "race")
    kernel.set_arg(0, simulator.cl.Buffer(context, simulator.cl.mem_flags.READ_WRITE, 4))

    def race() -> None:
        simulator.cl.enqueue_nd_range_kernel(queue, kernel, (8,), (8,))
        queue.finish()

    return missed if reports(race) else [*missed, "a race"]


def reports(run: Callable[[], object]) -> str:
    """Run something and return what oclgrind says of it."""
    log = Path(os.environ["OCLGRIND_LOG"])
    before = log.stat().st_size if log.exists() else 0
    run()
    return log.read_text()[before:].strip() if log.exists() else ""


def main() -> None:
    """Run cases and print for each how it went, and what oclgrind said."""
    wrong, names = 0, sys.argv[1:]
    if "--faults" in names:
        names.remove("--faults")
        for fault in check_faults():
            print(f"not reported: {fault}", flush=True)
    names = names or list(all_cases())
    for name in names:
        results: list[str] = []
        said = reports(lambda name=name, results=results: results.append(check_case(name)))
        print(f"{name}: {results[0]}{', ' if said else ''}{said}", flush=True)
        wrong += bool(said)
    print(f"{wrong} of {len(names)} cases with reports")


if __name__ == "__main__":
    if os.environ.get("OCL_ICD_VENDORS") != str(RUNTIME):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([sys.executable, *sys.argv], env=environment(Path(folder, "log")))
        sys.exit(done.returncode)
    main()
