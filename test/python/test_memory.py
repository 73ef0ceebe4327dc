"""A call works in its arena: it allocates nothing, and what the arena held does not matter."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch.utils import _pytree as pytree

import bcr
import bcr.models
from conftest import make_net, prune

CONFIG = {"modules": {"stem": None, "depthwise": None, "head": {"block": (4, 5)}}}

COUNTER = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

static atomic_int counting;
static atomic_long calls;
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

static void count(void) { if (atomic_load(&counting)) atomic_fetch_add(&calls, 1); }
void *malloc(size_t n) { count(); return __libc_malloc(n); }
void *calloc(size_t n, size_t m) { count(); return __libc_calloc(n, m); }
void *realloc(void *p, size_t n) { count(); return __libc_realloc(p, n); }
void *memalign(size_t a, size_t n) { count(); return __libc_memalign(a, n); }
void *aligned_alloc(size_t a, size_t n) { count(); return __libc_memalign(a, n); }
int posix_memalign(void **p, size_t a, size_t n) {
  count();
  *p = __libc_memalign(a, n);
  return *p ? 0 : 12;
}

typedef int32_t run_type(const void *, void *, const void *, void *, const void *, void *);

/* Calls `run` and returns the allocations that any thread made meanwhile, or -1. */
long count_allocations(run_type *run, const void *inputs, void *outputs, const void *weights,
                       void *workspace, const void *dims, void *profile) {
  atomic_store(&calls, 0);
  atomic_store(&counting, 1);
  int32_t code = run(inputs, outputs, weights, workspace, dims, profile);
  atomic_store(&counting, 0);
  return code ? -1 : atomic_load(&calls);
}
"""

CALLER = """
import ctypes, sys
import numpy as np
import bcr
import bcr.executable

counter = ctypes.CDLL(sys.argv[1])
exe = bcr.load(sys.argv[2])
function = counter.count_allocations
function.restype = ctypes.c_long
function.argtypes = [ctypes.c_void_p] * 7
entry = exe._load()
address = ctypes.cast(entry, ctypes.c_void_p)
counts = []
def run(*args):
    counts.append(function(address, *args))
    return 0
exe._entry = run
x = np.load(sys.argv[3])
for _ in range(3):
    exe.run_with_stamps((x,), {}, None)
print(*counts)
"""


@pytest.fixture(scope="module")
def counter(tmp_path_factory):
    folder = tmp_path_factory.mktemp("counter")
    (folder / "counter.c").write_text(COUNTER)
    library = folder / "counter.so"
    flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Werror"]
    subprocess.run(["cc", *flags, folder / "counter.c", "-o", library], check=True)
    return library


def count_allocations(counter, exe, x, folder):
    """Allocations of the second and third call, in a process of its own."""
    exe.save(folder / "net.bcr")
    np.save(folder / "x.npy", x.numpy())
    arguments = [counter, folder / "net.bcr", folder / "x.npy"]
    done = subprocess.run(
        [sys.executable, "-c", CALLER, *map(str, arguments)],
        env={**os.environ, "LD_PRELOAD": str(counter)},
        capture_output=True,
        text=True,
        check=True,
    )
    # The first call may start the threads of OpenMP.
    return [int(count) for count in done.stdout.split()[1:]]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("sparsity", ["force", "off"])
def test_a_call_allocates_nothing(counter, tmp_path, threads, sparsity):
    x = torch.randn(2, 3, 33, 29)
    net = prune(make_net(), **CONFIG)
    exe = bcr.compile(net, (x,), sparsity=sparsity, num_threads=threads)
    assert exe.program.arena.unplanned == 0
    assert count_allocations(counter, exe, x, tmp_path) == [0, 0]


def test_a_dynamic_batch_allocates_what_the_report_says(counter, tmp_path):
    x = torch.randn(2, 3, 17, 13)
    shapes = ({0: torch.export.Dim("batch", min=1, max=9)},)
    exe = bcr.compile(prune(make_net(), **CONFIG), (x,), dynamic_shapes=shapes)
    unplanned = exe.program.arena.unplanned
    assert unplanned > 0
    assert f"allocates {unplanned} more" in str(exe.report())
    counts = count_allocations(counter, exe, x, tmp_path)
    assert all(0 < count <= unplanned for count in counts)


def fill_workspace(exe, byte):
    with exe.workspaces.lease() as workspace:
        workspace[:] = byte
    assert len(exe.workspaces) == 1


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    "name",
    ["resnet18_cifar", "mobilenet_v2_cifar", "transformer", "unet", "conv1d", "squeeze_excite"],
)
def test_what_the_arena_held_does_not_matter(name, threads):
    torch.manual_seed(1)
    model, args = bcr.models.get(name), bcr.models.inputs(name)
    prune(model, rate=8, block=(4, 16), oversize="clip")
    exe = bcr.compile(model, args, sparsity="force", num_threads=threads)
    arena = exe.program.arena
    assert arena.live_bytes <= arena.bytes <= 1.5 * arena.live_bytes
    assert arena.bytes < arena.buffer_bytes
    results = []
    # 255 is NaN in every float type.
    for byte in (0, 255, 63):
        fill_workspace(exe, byte)
        results.append(pytree.tree_leaves(exe(*args)))
    for result in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(result, results[0], strict=True))
    assert all(leaf.isfinite().all() for leaf in results[0])


def test_the_workspace_is_aligned_and_used_again():
    x = torch.randn(1, 3, 9, 11)
    exe = bcr.compile(make_net(), (x,))
    with exe.workspaces.lease() as first, exe.workspaces.lease() as second:
        assert first.size == second.size == exe.program.arena.bytes
        assert first.ctypes.data % 64 == second.ctypes.data % 64 == 0
        assert not np.shares_memory(first, second)
        expected = exe(x)
    assert len(exe.workspaces) == 3
    assert torch.equal(exe(x), expected)
    assert len(exe.workspaces) == 3
