"""bcr.pool2d against its definition: windows, edges, strides, layouts, NaN and infinities."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from loops_harness import call, compile_layers


@dataclass
class Pool:
    """One pooling to compile and check."""

    name: str
    kind: str
    image: tuple[int, int, int]  # channels, height, width
    kernel: tuple[int, int]
    strides: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    dilations: tuple[int, int] = (1, 1)
    batch: int = 1
    divisor: float = 1.0
    layout: str = ""

    def output_shape(self) -> tuple[int, ...]:
        """Shape of the result."""
        sizes = []
        for i in range(2):
            padded = self.image[1 + i] + self.padding[i] + self.padding[2 + i]
            reach = self.dilations[i] * (self.kernel[i] - 1) + 1
            sizes.append((padded - reach) // self.strides[i] + 1)
        return (self.batch, self.image[0], *sizes)

    def function(self) -> str:
        """A function of this pooling's name on memrefs."""
        layout = f", {self.layout}" if self.layout else ""
        x = f"memref<{'x'.join(map(str, (self.batch, *self.image)))}xf32{layout}>"
        out = f"memref<{'x'.join(map(str, self.output_shape()))}xf32>"
        attributes = [f"kind = #bcr.pool<{self.kind}>", f"divisor = {self.divisor} : f32"]
        for key in ("kernel", "strides", "padding", "dilations"):
            attributes.append(f"{key} = array<i64: {', '.join(map(str, getattr(self, key)))}>")
        return (
            f"func.func @{self.name}(%x: {x}, %o: {out}) attributes {{llvm.emit_c_interface}} {{\n"
            f"  bcr.pool2d ins(%x : {x}) outs(%o : {out}) {{{', '.join(attributes)}}}\n"
            "  return\n}\n"
        )

    def reference(self, x: np.ndarray) -> np.ndarray:
        """The definition, in double precision."""
        top, left, bottom, right = self.padding
        neutral = -np.inf if self.kind == "max" else 0.0
        edges = ((0, 0), (0, 0), (top, bottom), (left, right))
        image = np.pad(x.astype(np.float64), edges, constant_values=neutral)
        height, width = self.output_shape()[2:]
        taps = []
        for i in range(self.kernel[0]):
            for j in range(self.kernel[1]):
                rows = image[:, :, i * self.dilations[0] :: self.strides[0]]
                columns = rows[..., j * self.dilations[1] :: self.strides[1]]
                taps.append(columns[:, :, :height, :width])
        return np.max(taps, axis=0) if self.kind == "max" else np.sum(taps, axis=0) / self.divisor


def make_pools() -> list[Pool]:
    """What networks have, and images below a vector, padding beyond one, every stride."""
    pools: list[Pool] = []
    for kind, divisor in (("max", 1.0), ("sum", 7.0)):

        def add(
            name: str,
            image: tuple[int, int, int],
            kernel: int | tuple[int, int],
            strides: int | tuple[int, int] = 1,
            padding: int | tuple[int, int, int, int] = 0,
            kind: str = kind,
            divisor: float = divisor,
            **options: object,
        ) -> None:
            pool = Pool(
                f"{name}_{kind}",
                kind,
                image,
                (kernel, kernel) if isinstance(kernel, int) else kernel,
                (strides, strides) if isinstance(strides, int) else strides,
                (padding,) * 4 if isinstance(padding, int) else padding,
                divisor=divisor,
                **options,  # type: ignore[arg-type]
            )
            pools.append(pool)

        for size in (4, 7, 15, 34, 70):
            add(f"halves{size}", (3, size, size + 1), 2, 2)
            add(f"resnet{size}", (2, size, size + 2), 3, 2, 1, batch=3)
            add(f"same{size}", (2, size, size), 3, 1, 1)
        add("one", (3, 1, 1), 1)
        add("row", (3, 1, 41), (1, 3), 1, (0, 1, 0, 1))
        add("whole", (5, 7, 9), (7, 9))
        add("lopsided", (2, 13, 23), 3, 2, (0, 0, 1, 1))
        add("five", (2, 14, 18), 5, 1, 2)
        add("dilated", (2, 19, 40), 3, 1, 2, dilations=(2, 3))
        add("strides", (2, 19, 40), (2, 4), (3, 1))
        add("strides3", (2, 19, 40), 3, 3, 1)
        add("beyond", (2, 3, 4), 2, 1, (3, 5, 2, 19))
        add("large", (2, 20, 21), 11, 2, 5)
        add("any_layout", (2, 8, 9), 3, 2, 1, layout="strided<[?, ?, ?, ?], offset: ?>")
    return pools


POOLS = make_pools()
LANES = (1, 4, 8, 16)


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> list[ctypes.CDLL]:
    """The poolings compiled for every width of vectors, the last one for two threads."""
    folder: Path = tmp_path_factory.mktemp("pooling")
    return [
        compile_layers(POOLS, folder, lanes=lanes, threads=2 if lanes == 16 else 1)
        for lanes in LANES
    ]


def run(libraries: list[ctypes.CDLL], pool: Pool, x: np.ndarray) -> None:
    """Runs with other values around the input, and checks that nothing else is written."""
    around = np.full(x.size + 128, 1e6, np.float32)
    inside = around[64:-64].reshape(x.shape)
    inside[...] = x
    expected = pool.reference(x)
    for library in libraries:
        whole = np.full(expected.size + 128, 12345, np.float32)
        out = whole[64:-64].reshape(expected.shape)
        out[...] = np.nan
        call(library, pool, inside, out)
        np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-6)
        out[...] = 12345
        assert np.all(whole == 12345)


def make_input(pool: Pool) -> np.ndarray:
    """Distinct values, most of them negative, so that a zero would be seen."""
    shape = (pool.batch, *pool.image)
    return (np.random.default_rng(shape).standard_normal(shape) - 1).astype(np.float32)


@pytest.mark.parametrize("pool", POOLS, ids=lambda pool: pool.name)
def test_pool(libraries: list[ctypes.CDLL], pool: Pool) -> None:
    run(libraries, pool, make_input(pool))


@pytest.mark.parametrize("pool", POOLS, ids=lambda pool: pool.name)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_special_values(libraries: list[ctypes.CDLL], pool: Pool) -> None:
    """A NaN, wherever in the window it is, is the result; infinities are numbers."""
    x = make_input(pool)
    flat = x.reshape(-1)
    flat[:: max(x.size // 7, 2)] = np.nan
    flat[1 :: max(x.size // 5, 3)] = -np.inf
    flat[2 :: max(x.size // 3, 4)] = np.inf
    run(libraries, pool, x)
