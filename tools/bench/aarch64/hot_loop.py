"""The innermost loop with the most multiply-adds of AArch64 code, and what a model says of it.

The loops are read from the disassembly of an object file, so they are what runs; `llvm-mca` models
one turn after the other without cache misses.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\s+(\S.*?)\s*$")
_FUNCTION = re.compile(r"^[0-9a-f]+ <(.*)>:$")
_BRANCH = re.compile(r"^(?:b|b\.\w+|cbn?z|tbn?z)\s.*?\b0x([0-9a-f]+)(?: <[^>]*>)?$")
_MULTIPLY_ADD = re.compile(r"^fmla\s")
_VECTOR_STORE = re.compile(r"^(?:str|stur)\s+q\d+, (?!.*\[sp\b)")
_VECTOR_STACK = re.compile(r"^(?:ldr|str|ldp|stp|ldur|stur)\s+[qv]\d.*\[sp\b")


@dataclass(frozen=True)
class HotLoop:
    """One turn of a loop.

    Attributes:
        instructions: text of each, in order, without the addresses of branches.
        multiply_adds: how many of them are `fmla` on vectors.
        stores: how many of them store a vector, other than to the stack.
        broadcasts: how many of them load a number into all lanes: the bias of a channel.
        spills: how many of them move a vector between a register and the stack.
    """

    instructions: tuple[str, ...]

    @property
    def multiply_adds(self) -> int:
        return sum(map(bool, map(_MULTIPLY_ADD.match, self.instructions)))

    @property
    def stores(self) -> int:
        return sum(map(bool, map(_VECTOR_STORE.match, self.instructions)))

    @property
    def broadcasts(self) -> int:
        return sum(text.startswith("ld1r ") for text in self.instructions)

    @property
    def spills(self) -> int:
        return sum(map(bool, map(_VECTOR_STACK.match, self.instructions)))


@dataclass(frozen=True)
class Analysis:
    """What llvm-mca says of a loop, a turn.

    Attributes:
        cycles: of a turn in the steady state.
        micro_operations: that the model splits a turn into.
    """

    cycles: float
    micro_operations: float


def find_tool(name: str) -> str:
    """Return the path of an LLVM tool, of version 22 where several are installed.

    Raises:
        FileNotFoundError: it is not installed.
    """
    path = shutil.which(f"{name}-22") or shutil.which(name)
    if path is None:
        raise FileNotFoundError(f"{name} is not installed; on Debian: apt-get install llvm-22")
    return path


def disassemble(code: bytes) -> list[tuple[str, list[tuple[int, str]]]]:
    """Return name and instructions (address, text) of each function of an object file."""
    with tempfile.NamedTemporaryFile(suffix=".o") as file:
        file.write(code)
        file.flush()
        command = [find_tool("llvm-objdump"), "-d", "--no-show-raw-insn", file.name]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    functions: list[tuple[str, list[tuple[int, str]]]] = []
    for line in text.splitlines():
        if name := _FUNCTION.match(line):
            functions.append((name[1], []))
        elif (found := _INSTRUCTION.match(line)) and functions:
            functions[-1][1].append((int(found[1], 16), " ".join(found[2].split())))
    return functions


def find_loops(code: bytes) -> list[HotLoop]:
    """Return the innermost loops of an object file: no loop begins inside them."""
    loops = []
    for _, body in disassemble(code):
        position = {address: i for i, (address, _) in enumerate(body)}
        spans = []
        for i, (_, text) in enumerate(body):
            branch = _BRANCH.match(text)
            begin = position.get(int(branch[1], 16)) if branch else None
            if begin is not None and begin <= i:
                spans.append((begin, i))
        for begin, end in spans:
            if any((b, e) != (begin, end) and begin <= b and e <= end for b, e in spans):
                continue
            texts = (re.sub(r"\b0x[0-9a-f]+ <.*>$", ".", text) for _, text in body[begin : end + 1])
            loops.append(HotLoop(tuple(texts)))
    return loops


def find_hot_loop(code: bytes) -> HotLoop | None:
    """Return the innermost loop with the most multiply-adds, or None if there are none."""
    loops = [loop for loop in find_loops(code) if loop.multiply_adds]
    return max(loops, key=lambda loop: loop.multiply_adds, default=None)


@cache
def analyse(loop: HotLoop, cpu: str = "neoverse-n1", turns: int = 400) -> Analysis:
    """Let llvm-mca model `turns` turns of a loop on a processor, from the second hundred on."""

    def run(count: int) -> tuple[float, float]:
        command = [find_tool("llvm-mca"), "-mtriple=aarch64-linux-gnu", f"-mcpu={cpu}", "--json"]
        command += [f"-iterations={count}", "-resource-pressure=false", "-instruction-info=false"]
        text = "\n".join(loop.instructions) + "\n"
        done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
        view = json.loads(done.stdout)["CodeRegions"][0]["SummaryView"]
        return view["TotalCycles"], view["TotaluOps"]

    # The difference of two runs is free of filling and draining the pipeline.
    first, last = run(100), run(100 + turns)
    return Analysis((last[0] - first[0]) / turns, (last[1] - first[1]) / turns)


def read_object(path: Path) -> HotLoop | None:
    """Return the hot loop of an object file on disk."""
    return find_hot_loop(path.read_bytes())
