"""`bcr.ir`: arrays as the data of resources, without a copy and without a leak."""

from __future__ import annotations

import gc
import sys
import weakref

import numpy as np
import pytest

import bcr
from bcr import ir

TEXT = """
func.func @main() -> (tensor<2x3xf32>, tensor<4xi1>, tensor<2xbf16>, tensor<2x3xf32>) {
  %a = arith.constant dense_resource<layer.0.weight> : tensor<2x3xf32>
  %b = arith.constant dense_resource<mask> : tensor<4xi1>
  %c = arith.constant dense_resource<half> : tensor<2xbf16>
  %d = arith.constant dense_resource<layer.0.weight> : tensor<2x3xf32>
  return %a, %b, %c, %d : tensor<2x3xf32>, tensor<4xi1>, tensor<2xbf16>, tensor<2x3xf32>
}
"""


class Tracked(np.ndarray):
    """An array that a weak reference can watch."""


def tracked(shape: tuple[int, ...]) -> Tracked:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape).view(Tracked)


def value_of(module: ir.Module, index: int) -> np.ndarray:
    constants = [op for op in module.walk() if op.name == "arith.constant"]
    return constants[index].attributes["value"].to_python()


def test_names_and_types() -> None:
    resources = ir.Module.parse(TEXT).resources()
    assert {name: str(kind) for name, kind in resources.items()} == {
        "layer.0.weight": "tensor<2x3xf32>",
        "mask": "tensor<4xi1>",
        "half": "tensor<2xbf16>",
    }
    assert list(resources) == ["layer.0.weight", "mask", "half"]


def test_set_and_read_back() -> None:
    module = ir.Module.parse(TEXT)
    with pytest.raises(bcr.IRError, match="has no data"):
        value_of(module, 0)
    weight = np.arange(6, dtype=np.float32).reshape(2, 3)
    module.set_resources(
        {
            "layer.0.weight": weight,
            "mask": np.array([True, False, False, True]),
            "half": np.array([0x3F80, 0x4000], np.uint16),
        }
    )
    for index in (0, 3):
        np.testing.assert_array_equal(value_of(module, index), weight)
    np.testing.assert_array_equal(value_of(module, 1), [True, False, False, True])
    np.testing.assert_array_equal(value_of(module, 2), [0x3F80, 0x4000])
    # Text and bytecode carry the data.
    for copy in (ir.Module.parse(str(module)), ir.Module.parse(module.bytecode())):
        np.testing.assert_array_equal(value_of(copy, 0), weight)
    assert "dialect_resources" not in module.get_asm(large_resource_limit=4)


def test_nothing_is_copied() -> None:
    module = ir.Module.parse(TEXT)
    weight = np.zeros((2, 3), np.float32)
    module.set_resource("layer.0.weight", weight)
    weight[1, 2] = 7
    assert value_of(module, 0)[1, 2] == 7
    value_of(module, 0)[0, 0] = 9
    assert weight[0, 0] == 0


def test_array_lives_as_long_as_its_resource() -> None:
    module = ir.Module.parse(TEXT)
    first, second = tracked((2, 3)), tracked((2, 3))
    watch_first, watch_second = weakref.ref(first), weakref.ref(second)
    module.set_resource("layer.0.weight", first)
    del first
    gc.collect()
    assert watch_first() is not None
    module.set_resource("layer.0.weight", second)
    del second
    gc.collect()
    assert watch_first() is None, "a replaced array is released"
    assert watch_second() is not None
    del module
    gc.collect()
    assert watch_second() is None, "the context releases what is left"


def test_no_reference_is_lost_over_many_rounds() -> None:
    array = np.ones((2, 3), np.float32)
    before = sys.getrefcount(array)
    for _ in range(50):
        module = ir.Module.parse(TEXT)
        for _ in range(3):
            module.set_resource("layer.0.weight", array)
        del module
    gc.collect()
    assert sys.getrefcount(array) == before


def test_memory_map_and_slices(tmp_path) -> None:
    path = tmp_path / "weights"
    np.arange(12, dtype=np.float32).tofile(path)
    module = ir.Module.parse(TEXT)
    mapped = np.memmap(path, np.float32, "r", shape=(4, 3))
    module.set_resource("layer.0.weight", mapped[2:])
    np.testing.assert_array_equal(value_of(module, 0), [[6, 7, 8], [9, 10, 11]])


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("layer.0.weight", np.zeros((3, 2), np.float32).T, "C-contiguous"),
        ("layer.0.weight", np.zeros((2, 3), np.float64), "dtype f4, not f8"),
        ("layer.0.weight", np.zeros((2, 3), np.int32), "dtype f4, not i4"),
        ("layer.0.weight", np.zeros((2, 3), ">f4"), "dtype f4"),
        ("layer.0.weight", np.zeros((3, 2), np.float32), r"shape \(3, 2\)"),
        ("layer.0.weight", np.zeros(6, np.float32), r"shape \(6\)"),
        ("layer.0.weight", np.frombuffer(bytes(25), np.float32, 6, 1).reshape(2, 3), "aligned"),
        ("layer.0.weight", [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], "C-contiguous"),
        ("half", np.zeros(2, np.float16), "dtype u2, not f2"),
        ("layer.1.weight", np.zeros((2, 3), np.float32), r"no dense_resource<layer\.1\.weight>"),
    ],
    ids=str,
)
def test_arrays_that_do_not_fit(name: str, array: np.ndarray, message: str) -> None:
    module = ir.Module.parse(TEXT)
    with pytest.raises(bcr.IRError, match=message):
        module.set_resource(name, array)


def test_all_or_none() -> None:
    module = ir.Module.parse(TEXT)
    with pytest.raises(bcr.IRError, match="dtype"):
        module.set_resources(
            {"layer.0.weight": np.ones((2, 3), np.float32), "mask": np.ones(4, np.float32)}
        )
    with pytest.raises(bcr.IRError, match="has no data"):
        value_of(module, 0)
