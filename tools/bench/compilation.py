"""Compilation of whole networks: seconds, memory at the peak, sizes of what comes out."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass

from bcr.tables import NUMBER, TEXT, bytes_text, render, time_text
from bench import CACHE
from bench.case import Case, prepare
from bench.environments import HERE
from bench.peers import Peer
from bench.worker import Worker


@dataclass(frozen=True)
class Compilation:
    """One network.

    Attributes:
        seconds: from the PyTorch module to machine code, imports not counted.
        processor: processor seconds of it, which other programs do not change.
        memory: what it adds to the process at its peak, in bytes, as are the sizes below.
    """

    case: Case
    sparsity: str
    weights: int
    seconds: float
    processor: float
    memory: int
    constants: int
    code: int


def measure(case: Case, sparsity: str, threads: int) -> Compilation:
    """Compile in a process of its own, so that its peak memory is its own."""
    facts = prepare(case)
    peer = Peer(f"compile {sparsity}", "bcr.py", HERE, "ours", options={"sparsity": sparsity})
    worker = Worker(peer, threads, CACHE / "logs" / "compile.txt")
    try:
        with tempfile.TemporaryDirectory() as product:
            answer = worker.ask(
                "convert", case=str(case.folder), product=product, threads=threads,
                options=dict(peer.options),
            )  # fmt: skip
    finally:
        worker.close()
    made = answer["result"]
    return Compilation(
        case=case,
        sparsity=sparsity,
        weights=4 * facts["weights"],
        seconds=made["seconds"],
        processor=made["processor"],
        memory=answer["memory"],
        constants=made["constants"],
        code=made["code"],
    )


def table(found: Sequence[Compilation]) -> str:
    """One row per network."""
    columns = [
        ("network", TEXT), ("sparsity", TEXT), ("weights", NUMBER), ("import + compile", NUMBER),
        ("processor", NUMBER),
        ("peak memory", NUMBER), ("of the weights", NUMBER), ("constants", NUMBER),
        ("code", NUMBER),
    ]  # fmt: skip
    rows = [
        (
            str(result.case),
            result.sparsity,
            bytes_text(result.weights),
            time_text(result.seconds),
            time_text(result.processor),
            bytes_text(result.memory),
            f"{result.memory / result.weights:.2f}x",
            bytes_text(result.constants),
            bytes_text(result.code),
        )
        for result in found
    ]
    return render("Compilation", columns, rows)
