"""Instructions of whole networks on AArch64: ours sparse and dense, MNN and ncnn."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import bcr
from bcr.tables import NUMBER, TEXT, render
from bench.aarch64.emulation import count_call, system
from bench.aarch64.program import SYSROOT, build
from bench.case import Case, prepare
from bench.measure import TOLERANCE, convert_for, difference
from bench.peers import PEERS, WORKERS, Peer

PEERS_HERE = ("mnn", "mnn-sparse", "ncnn")


@dataclass(frozen=True)
class Count:
    """Instructions of one call. `error` is from PyTorch, relative to the largest output."""

    network: str
    rate: float
    runtime: str
    instructions: int
    error: float


def count_ours(case: Case, sparsity: str, cpu: str) -> Count:
    """Compile a case for a processor and count one call of the program."""
    import torch

    facts = prepare(case)
    x = np.load(case.folder / "input.npy")
    model = torch.export.load(case.folder / "model.pt2")
    target = bcr.Target("aarch64-linux-gnu", cpu)
    executable = bcr.compile(model, (torch.from_numpy(x),), target=target, sparsity=sparsity)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        x.tofile(folder / "input")
        sizes = {"INPUT_SIZE": x.size, "OUTPUT_SIZE": int(np.prod(facts["output"]))}
        program = build(executable, "calls.c", sizes, folder)
        command = [program, "{count}", folder / "input", folder / "output"]
        instructions = count_call(command, SYSROOT, cpu)
        output = np.fromfile(folder / "output", np.float32).reshape(facts["output"])
    name = "bcr dense" if sparsity == "off" else "bcr"
    return _checked(case, name, instructions, output)


def count_peer(case: Case, peer: Peer, cpu: str) -> Count:
    """Convert a case for a peer and count one call in an emulated Python."""
    prepare(case)
    product, _ = convert_for(case, peer, threads=1)
    root = system()
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch) / "output.npy"
        command = [
            root / "usr/bin/python3.11",
            "-c",
            # The emulated program does not see PYTHONPATH's usual folders of this machine.
            f"import sys, runpy; sys.path.insert(0, {str(root / 'site')!r}); "
            f"sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')",
            Path(__file__).with_name("calls.py"),
            WORKERS / peer.file,
            case.folder,
            product,
            json.dumps(dict(peer.options)),
            "{count}",
            output,
        ]
        instructions = count_call(command, root, cpu)
        return _checked(case, peer.name, instructions, np.load(output))


def _checked(case: Case, runtime: str, instructions: int, output: np.ndarray) -> Count:
    error = difference(output, np.load(case.folder / "expected.npy"))
    if not error <= TOLERANCE:
        raise RuntimeError(f"{case}: {runtime} differs from PyTorch by {error:.1e}")
    return Count(case.network, case.rate, runtime, instructions, error)


def count_case(case: Case, cpu: str) -> list[Count]:
    """Count one network with every runtime."""
    peers = [peer for peer in PEERS if peer.key in PEERS_HERE]
    counts = [count_ours(case, sparsity, cpu) for sparsity in ("auto", "off")]
    return counts + [count_peer(case, peer, cpu) for peer in peers]


def table(counts: list[Count]) -> str:
    """Return one row per network and runtime."""
    ours = {(c.network, c.rate): c.instructions for c in counts if c.runtime == "bcr"}
    columns = [("network", TEXT), ("rate", NUMBER), ("runtime", TEXT)]
    columns += [("million instructions", NUMBER), ("of bcr's", NUMBER), ("error", NUMBER)]
    rows = [
        (
            c.network,
            f"{c.rate:g}x",
            c.runtime,
            f"{c.instructions / 1e6:.1f}",
            f"{c.instructions / ours[c.network, c.rate]:.2f}x",
            f"{c.error:.0e}",
        )
        for c in counts
    ]
    return render("Instructions of one call on AArch64, one thread, f32", columns, rows)
