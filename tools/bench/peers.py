"""Who is measured: one row per configuration of a runtime."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bench.environments import HERE

WORKERS = Path(__file__).parent / "workers"
EXPORTS = ("onnx", "tflite", "ncnn")
"""Formats that the environment "export" makes from PyTorch's."""


@dataclass(frozen=True)
class Peer:
    """A runtime and how it is set up.

    Attributes:
        name: in tables.
        file: in `workers/`.
        environment: a key of `environments.REQUIREMENTS`, or `HERE`.
        kind: "ours", "dense" (the ratio of a table is to the fastest of these), or "sparse".
        format: one of `EXPORTS` that it reads, if any.
        converts: has a `convert` of its own; "always" repeats it at each run.
        options: handed to the worker.
        slow: takes minutes to prepare; only measured when it is asked for by name.
    """

    name: str
    file: str
    environment: str
    kind: str
    format: str | None = None
    converts: str | None = None
    options: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    slow: bool = False

    @property
    def key(self) -> str:
        """The name as a command line and a file system like it."""
        return self.name.lower().replace(",", "").replace(" ", "-")


PEERS = (
    Peer("bcr", "bcr.py", HERE, "ours", converts="always", options={"sparsity": "auto"}),
    Peer("bcr dense", "bcr.py", HERE, "ours", converts="always", options={"sparsity": "off"}),
    Peer("MNN", "mnn.py", "mnn", "dense", "onnx", "once"),
    Peer("LiteRT", "litert.py", "litert", "dense", "tflite"),
    Peer("ONNX Runtime", "onnx_runtime.py", "onnxruntime", "dense", "onnx"),
    Peer("OpenVINO", "open_vino.py", "openvino", "dense", "onnx"),
    Peer("ncnn", "ncnn_net.py", "ncnn", "dense", "ncnn"),
    Peer("inductor", "inductor.py", HERE, "dense"),
    Peer("PyTorch", "eager.py", HERE, "dense"),
    Peer("MNN sparse", "mnn.py", "mnn", "sparse", "onnx", "once", {"sparse": True}),
    Peer("TVM", "tvm_relax.py", "tvm", "dense", "onnx", "once", {"trials": 0}, slow=True),
    Peer("TVM tuned", "tvm_relax.py", "tvm", "dense", "onnx", "once", {"trials": 16}, slow=True),
    Peer("CSR, torch", "csr.py", HERE, "sparse", options={"library": "torch"}),
    Peer("CSR, scipy", "csr.py", HERE, "sparse", options={"library": "scipy"}),
)


def select(keys: list[str], also: list[str]) -> tuple[Peer, ...]:
    """Return peers by key, in the order of `PEERS`; no key means all that are not slow.

    Raises:
        KeyError: there is no such peer; the message lists them.
    """
    known = {peer.key: peer for peer in PEERS}
    if unknown := {*keys, *also} - set(known):
        raise KeyError(f"no peer {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    chosen = set(keys or (peer.key for peer in PEERS if not peer.slow)) | set(also)
    return tuple(peer for peer in PEERS if peer.key in chosen)
