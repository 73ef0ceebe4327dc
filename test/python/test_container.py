"""The .bcr file: what goes in comes out, and a damaged file is refused."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import save_file

import bcr
from conftest import make_net, prune

CONFIG = {"modules": {"stem": None, "depthwise": None, "head": {"block": (4, 5)}}}


@pytest.fixture(scope="module")
def compiled():
    x = torch.randn(1, 3, 9, 11)
    return bcr.compile(prune(make_net(), **CONFIG), (x,), sparsity="force"), x


@pytest.fixture(scope="module")
def saved(compiled, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "net.bcr"
    compiled[0].save(path)
    return path


def test_round_trip(compiled, saved):
    exe, x = compiled
    loaded = bcr.load(saved)
    assert torch.equal(loaded(x), exe(x))
    assert str(loaded.report()).splitlines()[:6] == str(exe.report()).splitlines()[:6]
    assert loaded.profile(x, repeats=2).total > 0
    with pytest.raises(bcr.ConfigError, match="does not keep its IR"):
        loaded.mlir("tile")


def test_two_files_in_one_process(compiled, saved, tmp_path):
    exe, x = compiled
    other = bcr.compile(torch.nn.Linear(11, 5).eval(), (x[0, 0],))
    other.save(tmp_path / "other.bcr")
    first, second = bcr.load(saved), bcr.load(tmp_path / "other.bcr")
    for _ in range(2):
        assert torch.equal(first(x), exe(x))
        assert torch.equal(second(x[0, 0]), other(x[0, 0]))


def test_same_model_same_file(compiled, saved, tmp_path):
    exe, x = compiled
    again = bcr.compile(prune(make_net(), **CONFIG), (x,), sparsity="force")
    again.save(tmp_path / "again.bcr")
    assert (tmp_path / "again.bcr").read_bytes() == saved.read_bytes()


def test_loading_needs_neither_torch_nor_the_compiler(compiled, saved, tmp_path):
    exe, x = compiled
    np.save(tmp_path / "x.npy", x.numpy())
    script = f"""
import sys, numpy as np, bcr
exe = bcr.load({str(saved)!r})
np.save({str(tmp_path / "y.npy")!r}, exe(np.load({str(tmp_path / "x.npy")!r})))
print(exe.report())
heavy = ("torch", "torch_mlir")
bad = [m for m in sys.modules if m.split(".")[0] in heavy or m == "bcr._core"]
assert not bad, bad
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    assert np.array_equal(np.load(tmp_path / "y.npy"), exe(x).numpy())


def rewrite(saved: Path, path: Path, change) -> None:
    """Write a file like `saved` with manifest and tensors changed and the digests made right."""
    with safe_open(saved, framework="numpy") as file:
        manifest = json.loads(file.metadata()["bcr"])
        tensors = {name: file.get_tensor(name).copy() for name in file.keys()}  # noqa: SIM118
    change(manifest, tensors)
    import hashlib

    for name, array in tensors.items():
        manifest["digest"][name] = hashlib.sha256(array.tobytes()).hexdigest()
    save_file(tensors, path, metadata={"bcr": json.dumps(manifest)})


def test_missing(tmp_path):
    with pytest.raises(bcr.FormatError, match="does not exist"):
        bcr.load(tmp_path / "no.bcr")
    with pytest.raises(bcr.FormatError, match="not a file"):
        bcr.load(tmp_path)


def test_truncated_at_every_scale(saved, tmp_path):
    data = saved.read_bytes()
    for size in (0, 1, 7, 8, 100, len(data) // 2, len(data) - 1):
        path = tmp_path / f"{size}.bcr"
        path.write_bytes(data[:size])
        with pytest.raises(bcr.FormatError, match=str(path)):
            bcr.load(path)


def test_foreign_files(tmp_path):
    (tmp_path / "text").write_text("hello " * 100)
    save_file({"weights": np.zeros(4, np.float32)}, tmp_path / "other.safetensors")
    torch.save({"a": 1}, tmp_path / "model.pt")
    for name in ("text", "other.safetensors", "model.pt"):
        with pytest.raises(bcr.FormatError, match="not a .bcr file"):
            bcr.load(tmp_path / name)


def test_every_altered_byte_is_noticed(saved, tmp_path):
    data = bytearray(saved.read_bytes())
    rng = np.random.default_rng(0)
    for position in rng.integers(8, len(data), 60):
        changed = bytearray(data)
        changed[position] ^= 0x41
        path = tmp_path / "changed.bcr"
        path.write_bytes(changed)
        try:
            bcr.load(path)
        except bcr.FormatError:
            continue
        # The manifest is text: a change inside a name or a reason is no harm.
        with safe_open(path, framework="numpy") as file:
            assert json.loads(file.metadata()["bcr"])["digest"]


def test_other_version(saved, tmp_path):
    rewrite(saved, tmp_path / "v.bcr", lambda m, t: m.update(version=99))
    with pytest.raises(bcr.FormatError, match="version 99"):
        bcr.load(tmp_path / "v.bcr")


def test_a_file_from_before_the_arena(saved, tmp_path):
    rewrite(saved, tmp_path / "v.bcr", lambda m, t: (m.pop("arena"), m.update(version=1)))
    with pytest.raises(bcr.FormatError, match="version 1, this bcr reads 2; compile and save"):
        bcr.load(tmp_path / "v.bcr")


def test_every_index_array_is_validated(saved, tmp_path):
    with safe_open(saved, framework="numpy") as file:
        constants = json.loads(file.metadata()["bcr"])["constants"]
    indexed = [entry for entry in constants if entry[4] is not None]
    assert indexed, "a sparse model has index arrays"
    for name, offset, size, dtype, bound in indexed:
        width = {"i8": 1, "i16": 2, "i32": 4, "i64": 8}[dtype]

        def change(manifest, tensors, offset=offset, size=size, bound=bound, width=width):
            value = int(bound).to_bytes(width, "little")
            last = offset + size - width
            tensors["pool"][last : last + width] = np.frombuffer(value, np.uint8)

        rewrite(saved, tmp_path / "i.bcr", change)
        with pytest.raises(bcr.FormatError, match="reaches outside"):
            bcr.load(tmp_path / "i.bcr")
        assert name


@pytest.mark.parametrize(
    "change",
    [
        lambda m, t: m["constants"].append(["x", 10**12, 4, "f32", None]),
        lambda m, t: m["constants"].append(["x", -64, 4, "f32", None]),
        lambda m, t: m["constants"].append(["x", 0]),
        lambda m, t: m.pop("signature"),
        lambda m, t: m["signature"].pop("in_spec"),
        lambda m, t: m["signature"]["inputs"][0].update(shape="abc"),
        lambda m, t: m["signature"].update(out_spec={"output": 5}),
        lambda m, t: m.update(layers=3),
        lambda m, t: m.pop("arena"),
        lambda m, t: m["arena"].update(bytes=-64),
        lambda m, t: m["arena"].update(bytes="64"),
        lambda m, t: m["arena"].pop("live_bytes"),
        lambda m, t: m.update(target=["x"]),
        lambda m, t: t.update(code=t["code"].view(np.int8)),
    ],
)
def test_damaged_manifest(saved, tmp_path, change):
    rewrite(saved, tmp_path / "m.bcr", change)
    with pytest.raises(bcr.FormatError):
        bcr.load(tmp_path / "m.bcr")


def test_path_not_writable(compiled, tmp_path):
    with pytest.raises(bcr.ExportError, match="cannot write"):
        compiled[0].save(tmp_path / "no" / "such" / "folder.bcr")
    (tmp_path / "file").touch()
    with pytest.raises(bcr.ExportError):
        compiled[0].save(tmp_path / "file" / "x.bcr")
    with pytest.raises(bcr.ExportError):
        compiled[0].export(tmp_path / "file" / "out")


def test_disk_full_leaves_the_old_file(compiled, tmp_path, monkeypatch):
    path = tmp_path / "net.bcr"
    path.write_bytes(b"old")

    def full(fd):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(bcr.ExportError, match="No space left"):
        compiled[0].save(path)
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["net.bcr"]


def test_disk_full_for_real(compiled, tmp_path):
    """A file size limit stops the write itself, as a full disk does."""
    exe, x = compiled
    exe.save(tmp_path / "ok.bcr")
    script = f"""
import resource, signal, bcr
exe = bcr.load({str(tmp_path / "ok.bcr")!r})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    exe.save({str(tmp_path / "full.bcr")!r})
except bcr.ExportError as error:
    print("refused", error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "refused" in done.stdout, done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["ok.bcr"]
