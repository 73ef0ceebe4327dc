"""convert-bcr-to-loops against the definition of a layer, over shapes, blocks and schedules."""

from __future__ import annotations

import ctypes
from pathlib import Path

import numpy as np
import pytest

from loops_harness import Layer, Packed, call, compile_layers, pack_blocks, pack_whole

WIDE, NARROW = (
    "pixels, height = 8, vectors = 3, lanes = 16",
    "pixels, height = 4, vectors = 3, lanes = 4",
)
ROWS, THIN = (
    "rows, height = 32, vectors = 4, lanes = 8",
    "rows, height = 4, vectors = 3, lanes = 16",
)
# Samples of a linear layer along the vector.
SAMPLES, FEW_SAMPLES = (
    "pixels, height = 8, vectors = 2, lanes = 16",
    "pixels, height = 4, vectors = 3, lanes = 4",
)
ACTIVATIONS = [
    "relu", "relu6", "leaky_relu, 0.1", "hardswish", "silu", "gelu", "gelu_tanh", "sigmoid",
    "tanh", "clamp, -0.5, 0.75",
]  # fmt: skip


def make_layers() -> list[Layer]:
    """Every kernel, size, stride, padding, dilation and grouping, with ragged edges."""
    rng = np.random.default_rng(7)
    layers: list[Layer] = []

    def blocks(m: int, k: int, block: tuple[int, int] = (8, 64), **options: bool) -> Packed:
        return pack_blocks(rng, m, k, block, 0.25, **options)

    def whole(m: int, k: int) -> Packed:
        return pack_whole(rng.standard_normal((m, k)).astype(np.float32))

    def add(name: str, packed: Packed, **options: object) -> None:
        options.setdefault("batch", 1)
        layers.append(Layer(name, packed, **options))  # type: ignore[arg-type]

    pad1 = (1, 1, 1, 1)
    for tag, schedule in (("w", WIDE), ("n", NARROW), ("r", ROWS), ("d", None)):
        add(
            f"c3_{tag}",
            blocks(20, 9 * 8),
            schedule=schedule,
            image=(8, 14, 14),
            kernel=(3, 3),
            padding=pad1,
            activation="relu",
        )
        add(
            f"c3rows_{tag}",
            blocks(21, 9 * 9, (8, 16), rows_too=True),
            schedule=schedule,
            image=(9, 9, 11),
            kernel=(3, 3),
            padding=pad1,
            residual=True,
            activation="relu6",
        )
        add(
            f"c3shuffled_{tag}",
            blocks(24, 9 * 6, (4, 16), shuffle=True),
            schedule=schedule,
            image=(6, 7, 7),
            kernel=(3, 3),
            padding=pad1,
            residual=True,
            batch=3,
            dynamic=True,
        )
        add(
            f"c3residual_{tag}",
            blocks(12, 9 * 6, (4, 16)),
            schedule=schedule,
            image=(6, 7, 9),
            kernel=(3, 3),
            padding=pad1,
            residual=True,
            activation="relu",
        )
        add(
            f"c1_{tag}",
            blocks(24, 32),
            schedule=schedule,
            image=(32, 7, 7),
            batch=2,
            residual=True,
            activation="relu",
        )
        add(
            f"c1rows_{tag}",
            blocks(17, 32, (4, 8), rows_too=True),
            schedule=schedule,
            image=(32, 5, 6),
            batch=2,
            residual=True,
            activation="silu",
        )
        add(
            f"c1even_{tag}",
            blocks(17, 32, (4, 8), rows_too=True),
            schedule=schedule,
            image=(32, 8, 8),
            batch=2,
            activation="relu",
        )
        # Rows of the output are whole vectors, which lie farther apart in the copy of the input.
        add(
            f"c3whole_{tag}",
            blocks(21, 9 * 9, (8, 16), rows_too=True),
            schedule=schedule,
            image=(9, 5, 48),
            kernel=(3, 3),
            padding=pad1,
            batch=2,
            dynamic=True,
            residual=True,
            activation="relu",
        )
        add(
            f"c3whole_s2_{tag}",
            blocks(11, 9 * 3),
            schedule=schedule,
            image=(3, 11, 32),
            kernel=(3, 3),
            strides=(2, 2),
            padding=pad1,
        )
        add(f"c1s2_{tag}", whole(12, 10), schedule=schedule, image=(10, 14, 14), strides=(2, 2))
        add(
            f"c3s2_{tag}",
            blocks(16, 9 * 5),
            schedule=schedule,
            image=(5, 15, 13),
            kernel=(3, 3),
            strides=(2, 2),
            padding=pad1,
            bias=False,
        )
        add(
            f"c7s2_{tag}",
            whole(11, 49 * 3),
            schedule=schedule,
            image=(3, 32, 30),
            kernel=(7, 7),
            strides=(2, 2),
            padding=(3, 3, 3, 3),
            activation="relu",
        )
        add(
            f"c5d2_{tag}",
            blocks(9, 25 * 4, (3, 7)),
            schedule=schedule,
            image=(4, 12, 17),
            kernel=(5, 5),
            dilations=(2, 2),
            padding=(4, 3, 2, 4),
        )
        add(
            f"c3s3_{tag}",
            whole(5, 9 * 2),
            schedule=schedule,
            image=(2, 11, 16),
            kernel=(3, 3),
            strides=(3, 2),
            dilations=(1, 2),
            padding=(0, 2, 1, 1),
        )
        add(
            f"c13_{tag}",
            blocks(10, 3 * 8),
            schedule=schedule,
            image=(8, 1, 40),
            kernel=(1, 3),
            padding=(0, 1, 0, 1),
        )
        add(
            f"valid_{tag}",
            whole(10, 9 * 4),
            schedule=schedule,
            image=(4, 10, 9),
            kernel=(3, 3),
            batch=2,
        )
        add(
            f"one_{tag}",
            blocks(16, 40),
            schedule=schedule,
            image=(40, 1, 1),
            batch=3,
            dynamic=True,
            activation="hardswish",
        )
        add(
            f"two_{tag}",
            blocks(16, 9 * 5, (5, 9), rows_too=True),
            schedule=schedule,
            image=(5, 2, 2),
            kernel=(3, 3),
            padding=pad1,
        )
        add(f"big_pad_{tag}", whole(3, 2), schedule=schedule, image=(2, 3, 3), padding=(2, 1, 1, 3))
        add(
            f"depthwise_{tag}",
            whole(9, 9),
            schedule=schedule,
            image=(9, 14, 12),
            kernel=(3, 3),
            padding=pad1,
            groups=9,
            activation="relu6",
        )
        add(
            f"depthwise_s2_{tag}",
            whole(10, 25),
            schedule=schedule,
            image=(5, 14, 12),
            kernel=(5, 5),
            strides=(2, 2),
            padding=(2, 2, 2, 2),
            groups=5,
        )
        add(
            f"grouped_{tag}",
            blocks(12, 9 * 4, (5, 9), rows_too=True),
            schedule=schedule,
            image=(12, 6, 10),
            kernel=(3, 3),
            padding=pad1,
            groups=3,
            residual=True,
        )
        add(
            f"nothing_{tag}",
            Packed(np.zeros((5, 18), np.float32), []),
            schedule=schedule,
            image=(2, 4, 5),
            kernel=(3, 3),
            padding=pad1,
            residual=True,
            activation="relu",
        )
        add(
            f"strided_{tag}",
            blocks(10, 9 * 3),
            schedule=schedule,
            image=(3, 6, 8),
            kernel=(3, 3),
            padding=pad1,
            residual=True,
            batch=2,
            layouts=dict.fromkeys(("input", "residual", "out"), "strided<[?, ?, ?, ?], offset: ?>"),
        )
    for tag, schedule in (("w", WIDE), ("n", NARROW), ("r", ROWS)):
        packed = blocks(20, 9 * 8, (6, 16), rows_too=True)
        packed.weight[...] = np.round(packed.weight * 8)
        add(
            f"exact_{tag}",
            packed,
            schedule=schedule,
            image=(8, 9, 9),
            kernel=(3, 3),
            padding=pad1,
            activation="relu",
        )
    add(
        "bands_w",
        blocks(9, 9 * 200),
        schedule=WIDE,
        image=(200, 28, 28),
        kernel=(3, 3),
        padding=pad1,
    )
    add(
        "bands_whole",
        blocks(9, 9 * 200),
        schedule=WIDE,
        image=(200, 28, 32),
        kernel=(3, 3),
        padding=pad1,
    )
    add("bands_n", blocks(9, 300), schedule=NARROW, image=(300, 24, 24), residual=True)
    for index, activation in enumerate(ACTIVATIONS):
        add(f"act{index}", whole(8, 4), schedule=WIDE, image=(4, 5, 5), activation=activation)
        add(f"linear_act{index}", whole(11, 4), schedule=ROWS, activation=activation, batch=3)
    for tag, schedule in (("r", ROWS), ("t", THIN), ("d", None)):
        for batch in (1, 3, 4, 9):
            dynamic = batch in (1, 9)
            add(
                f"linear{batch}_{tag}",
                whole(50, 37),
                schedule=schedule,
                batch=batch,
                dynamic=dynamic,
                residual=True,
            )
            add(
                f"linear_blocks{batch}_{tag}",
                blocks(50, 80, (8, 16)),
                schedule=schedule,
                batch=batch,
                dynamic=dynamic,
                activation="relu",
            )
            add(
                f"linear_rows{batch}_{tag}",
                blocks(50, 80, (8, 16), rows_too=True),
                schedule=schedule,
                batch=batch,
                dynamic=dynamic,
                residual=True,
                activation="relu",
            )
            add(
                f"linear_shuffled{batch}_{tag}",
                blocks(50, 80, (16, 80), shuffle=True),
                schedule=schedule,
                batch=batch,
                bias=False,
                dynamic=dynamic,
                residual=True,
            )
        add(
            f"linear_empty_{tag}",
            Packed(np.zeros((5, 18), np.float32), []),
            schedule=schedule,
            batch=2,
        )
        add(
            f"linear_strided_{tag}",
            blocks(20, 80),
            schedule=schedule,
            batch=2,
            residual=True,
            layouts=dict.fromkeys(("input", "residual", "out"), "strided<[?, ?], offset: ?>"),
        )
    for tag, schedule in (("s", SAMPLES), ("f", FEW_SAMPLES)):
        for batch in (1, 3, 16, 23, 52):
            add(
                f"samples{batch}_{tag}",
                blocks(50, 83, (8, 16)),
                schedule=schedule,
                batch=batch,
                residual=True,
                activation="relu",
            )
            add(
                f"samples_rows{batch}_{tag}",
                blocks(37, 81, (8, 16), rows_too=True),
                schedule=schedule,
                batch=batch,
                bias=batch != 3,
            )
        add(f"samples_whole_{tag}", whole(19, 21), schedule=schedule, batch=9, activation="gelu")
        add(f"samples_small_{tag}", whole(3, 2), schedule=schedule, batch=5, residual=True)
        add(f"samples_wide_{tag}", blocks(9, 4100, (4, 64)), schedule=schedule, batch=70)
        add(
            f"samples_empty_{tag}",
            Packed(np.zeros((21, 18), np.float32), []),
            schedule=schedule,
            batch=6,
            activation="sigmoid",
        )
        add(
            f"samples_strided_{tag}",
            blocks(20, 80),
            schedule=schedule,
            batch=7,
            residual=True,
            layouts=dict.fromkeys(("input", "residual", "out"), "strided<[?, ?], offset: ?>"),
        )
    # Steps between columns of every width: one and two bytes, four, a table of them, none at all;
    # groups that begin far from the first column, of one column, of the last; groups cut into runs
    # at more different steps than a table holds.
    steps: dict[str, list[list[int]]] = {
        "none": [[5, 6, 7], [30], [8, 9]],
        "bytes": [[0, 1, 256], [4, 259, 262], [261]],
        "shorts": [[0, 256, 300], [4, 7000], [69999]],
        "words": [[0, 1, 69999], [2, 3, 65540], [69998]],
        "scale": [[0, 400, 800, 80000], [400, 40000]],
        "table": [[i % 3, *range(1000 + 7 * i, 90000, 10007)] for i in range(40)],
        "runs": [[*range(i, i + 10), *range(310 + 12 * i, 320 + 12 * i)] for i in range(300)],
        "table_runs": [
            [begin + 261 * (j // 2) + j % 2 for begin in (i, 1900 + 12 * i) for j in range(12)]
            for i in range(300)
        ],
        "far": [[65536 + 3 * i, 65537 + 3 * i] for i in range(9)],
    }
    for name, lists in steps.items():
        size = max(column for columns in lists for column in columns) + 1
        weight = np.zeros((2 * len(lists), size), np.float32)
        groups = [([2 * i + 1, 2 * i], columns) for i, columns in enumerate(lists)]
        for rows, columns in groups:
            weight[np.ix_(rows, columns)] = rng.standard_normal((2, len(columns)))
        for tag, schedule in (("r", ROWS), ("f", FEW_SAMPLES)):
            add(f"steps_{name}_{tag}", Packed(weight, groups), schedule=schedule, batch=3)
    return layers


LAYERS = make_layers()
NARROW_LAYERS = [layer for layer in LAYERS if layer.schedule in (NARROW, FEW_SAMPLES)]


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> list[ctypes.CDLL]:
    """The layers compiled for one thread and for three."""
    folder: Path = tmp_path_factory.mktemp("loops")
    return [compile_layers(LAYERS, folder, threads=threads) for threads in (1, 3)]


@pytest.fixture(scope="module")
def by_element(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    """The narrow layers with weights in vectors and pairs of columns in a turn."""
    return compile_layers(NARROW_LAYERS, tmp_path_factory.mktemp("loops"), by_element=True)


def make_arrays(layer: Layer) -> list[np.ndarray]:
    """Input, bias, residual and a destination full of NaN: every element must be written."""
    rng = np.random.default_rng(len(layer.name))
    arrays = [rng.standard_normal(layer.input_shape()).astype(np.float32)]
    if layer.bias:
        arrays.append(rng.standard_normal(layer.packed.weight.shape[0]).astype(np.float32))
    if layer.residual:
        arrays.append(rng.standard_normal(layer.output_shape()).astype(np.float32))
    arrays.append(np.full(layer.output_shape(), np.nan, np.float32))
    return arrays


def guarded(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A copy inside a larger array of a known value, to see reads and writes outside it."""
    whole = np.full(array.size + 256, 12345.0, np.float32)
    inside = whole[128:-128].reshape(array.shape)
    inside[...] = array
    return whole, inside


def check(libraries: list[ctypes.CDLL], layer: Layer, arrays: list[np.ndarray]) -> None:
    """Compares with the definition, and three threads with one, bit for bit."""
    outputs = []
    for library in libraries:
        whole, out = guarded(arrays[-1])
        call(library, layer, *arrays[:-1], out)
        assert np.all(whole[:128] == 12345)
        assert np.all(whole[-128:] == 12345)
        outputs.append(out)
    bias = arrays[1] if layer.bias else None
    residual = arrays[-2] if layer.residual else None
    expected = layer.reference(arrays[0], bias, residual)
    largest = np.abs(expected[np.isfinite(expected)]).max(initial=1.0)
    np.testing.assert_allclose(outputs[0], expected, rtol=0, atol=3e-6 * largest)
    np.testing.assert_array_equal(*outputs)


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_layer(libraries: list[ctypes.CDLL], layer: Layer) -> None:
    check(libraries, layer, make_arrays(layer))


@pytest.mark.parametrize("layer", NARROW_LAYERS, ids=lambda layer: layer.name)
def test_weights_by_element(
    libraries: list[ctypes.CDLL], by_element: ctypes.CDLL, layer: Layer
) -> None:
    check([by_element, libraries[0]], layer, make_arrays(layer))


@pytest.mark.parametrize(
    "layer",
    [layer for layer in LAYERS if layer.activation is None and layer.packed.groups],
    ids=lambda layer: layer.name,
)
@pytest.mark.parametrize("poison", [np.nan, np.inf])
@pytest.mark.filterwarnings("ignore:invalid value")
def test_only_kept_positions_contribute(
    libraries: list[ctypes.CDLL], layer: Layer, poison: float
) -> None:
    """NaN and Inf reach the outputs that keep the position they are at, and no other."""
    arrays = make_arrays(layer)
    channels = arrays[0].shape[1]
    arrays[0][:, channels // 2] = poison
    check(libraries, layer, arrays)


def test_exact_on_integers(libraries: list[ctypes.CDLL]) -> None:
    """Small whole numbers are summed up without rounding, so nothing may differ."""
    for layer in LAYERS:
        if layer.name.startswith("exact"):
            arrays = [np.round(array * 4) for array in make_arrays(layer)]
            out = np.full(layer.output_shape(), np.nan, np.float32)
            call(libraries[0], layer, *arrays[:-1], out)
            np.testing.assert_array_equal(out, layer.reference(arrays[0], arrays[1], None))
