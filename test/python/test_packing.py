"""bcr-compact, bcr-reorder and bcr-tile keep every matrix, for random shapes, blocks and zeros.

The packed constants are read from the printed IR and unpacked by definition.
"""

from __future__ import annotations

import itertools
import re
import subprocess
from dataclasses import dataclass

import numpy as np
import pytest

from loops_harness import find_tool

LAYERS = 24


@dataclass
class Case:
    """A layer: its weight matrix, the block it is packed in, convolution groups, output size."""

    weight: np.ndarray
    block: tuple[int, int]
    groups: int
    image: int | None

    def text(self, index: int, dense: bool) -> str:
        """A function with the layer."""
        m, k = self.weight.shape
        attributes = f'layer = "l{index}"'
        if not dense:
            attributes += f", block = array<i64: {self.block[0]}, {self.block[1]}>"
        if self.image is None:
            x, o, w = f"tensor<3x{k}xf32>", f"tensor<3x{m}xf32>", f"tensor<{m}x{k}xf32>"
            op = "bcr.matmul"
        else:
            side = self.image
            x = f"tensor<1x{k * self.groups}x{side}x{side}xf32>"
            o, w = f"tensor<1x{m}x{side}x{side}xf32>", f"tensor<{m}x{k}x1x1xf32>"
            attributes += f", kernel = array<i64: 1, 1>, groups = {self.groups} : i64"
            op = "bcr.conv2d"
        data = self.weight.tobytes().hex().upper()
        return (
            f"func.func @f{index}(%x: {x}, %o: {o}) -> {o} {{\n"
            f'  %w = arith.constant dense<"0x{data}"> : {w}\n'
            f"  %y = {op} ins(%x : {x}) weights(%w : {w}) outs(%o : {o}) {{{attributes}}} -> {o}\n"
            f"  return %y : {o}\n}}\n"
        )


@dataclass
class Unpacked:
    """What the IR says of a layer."""

    groups: list[tuple[list[int], list[int]]]
    weight: np.ndarray
    line: str

    def chunks(self) -> list[int]:
        found = re.search(r"chunks = array<i64: ([^>]*)>", self.line)
        return [int(i) for i in found[1].split(",")] if found else [0]


def make_case(rng: np.random.Generator) -> Case:
    """Distinct values, ragged edges, empty and full blocks, pruned rows, shared column lists."""
    groups = int(rng.choice([1, 1, 1, 2, 3]))
    m, k = groups * int(rng.integers(1, 40)), int(rng.integers(1, 70))
    block = (
        min(m, int(rng.choice([1, 2, 3, 4, 8, 16, 99]))),
        min(k, int(rng.choice([1, 2, 5, 9, 16, 99]))),
    )
    # No value twice, so that no swap can go unseen.
    weight = (1 + rng.permutation(m * k).reshape(m, k)).astype(np.float32)
    shared = rng.random((4, k)) < rng.choice([0.1, 0.4, 0.9])
    for r in range(0, m, block[0]):
        for c in range(0, k, block[1]):
            part = weight[r : r + block[0], c : c + block[1]]
            columns = shared[rng.integers(4), c : c + block[1]]
            rows = rng.random(part.shape[0]) < rng.choice([0.0, 0.5, 1.0, 1.0, 1.0])
            part[~np.outer(rows, columns)] = rng.choice([0.0, -0.0])
    weight[rng.integers(m), rng.integers(k)] = 0
    image = int(rng.choice([1, 2, 9])) if groups > 1 or rng.random() < 0.6 else None
    return Case(weight, block, groups, image)


def parse_elements(text: str, resources: dict[str, str], kind: str) -> np.ndarray:
    """An elements attribute as a flat array; i16 is unsigned."""
    numpy_type = {"i32": np.int32, "i16": np.uint16, "f32": np.float32}[kind]
    if found := re.fullmatch(r"dense_resource<(.*)>", text):
        # Four bytes of alignment come first.
        return np.frombuffer(bytes.fromhex(resources[found[1]])[4:], numpy_type)
    body = text.removeprefix("dense<").removesuffix(">")
    if body.startswith('"0x'):
        return np.frombuffer(bytes.fromhex(body[3:-1]), numpy_type)
    numbers = [float(i) for i in re.findall(r"-?[0-9.]+(?:[eE][+-]?[0-9]+)?", body)]
    return np.array(numbers).astype(numpy_type)


def unpack(ir: str) -> dict[str, Unpacked]:
    """Every layer of printed IR that uses a bcr.constant."""
    resources = dict(re.findall(r'([\w.]+|"[^"]+"): "0x([0-9A-Fa-f]+)"', ir))
    result = {}
    constants = {}
    for line in ir.splitlines():
        if found := re.match(r"\s*(%\w+) = bcr\.constant", line):
            fields = {}
            for name in ("groups", "rows", "columns", "values"):
                match = re.search(
                    rf"\b{name} = (dense_resource<[^>]*>|dense<[^>]*>) : tensor<([x\d]*)x(\w+)>",
                    line,
                )
                assert match, line
                array = parse_elements(match[1], resources, match[3])
                count = np.prod([int(i) for i in match[2].split("x")])
                fields[name] = np.broadcast_to(array, count) if array.size == 1 else array
            shape = re.search(r": (?:!bcr\.packed)?<(\d+)x(\d+)xf32>", line)
            assert shape
            constants[found[1]] = (fields, (int(shape[1]), int(shape[2])))
        elif found := re.search(r"weights\((%\w+) : !bcr.packed", line):
            fields, size = constants[found[1]]
            weight, groups, position = np.zeros(size, np.float32), [], 0
            for row, rows, column, columns in fields["groups"].reshape(-1, 4):
                r = [int(i) for i in fields["rows"][row : row + rows]]
                c = [int(i) for i in fields["columns"][column : column + columns]]
                values = fields["values"][position : position + rows * columns]
                weight[np.ix_(r, c)] = values.reshape(columns, rows).T
                groups.append((r, c))
                position += rows * columns
            assert position == len(fields["values"])
            name = re.search(r'layer = "(\w+)"', line)
            assert name
            result[name[1]] = Unpacked(groups, weight, line)
    return result


def run(cases: list[Case], passes: list[str], dense: bool = False) -> dict[str, Unpacked]:
    """The layers after the passes."""
    source = "".join(case.text(i, dense) for i, case in enumerate(cases))
    done = subprocess.run(
        [find_tool("bcr-opt"), "-", *passes], input=source, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[:2000]
    return unpack(done.stdout)


def canonical(case: Case) -> list[tuple[list[int], list[int]]]:
    """The groups by definition: exact cover of each block, equal row sets merged."""
    groups = []
    m, k = case.weight.shape
    for r in range(0, m, case.block[0]):
        merged: dict[tuple[int, ...], list[int]] = {}
        for c in range(0, k, case.block[1]):
            part = case.weight[r : r + case.block[0], c : c + case.block[1]] != 0
            if part.any():
                rows = tuple(int(i) + r for i in np.flatnonzero(part.any(1)))
                columns = [int(i) + c for i in np.flatnonzero(part.any(0))]
                merged.setdefault(rows, []).extend(columns)
        groups += [(list(rows), columns) for rows, columns in merged.items()]
    return groups


SELECT = "--bcr-select=sparsity=force"


@pytest.fixture(params=range(3))
def cases(request: pytest.FixtureRequest) -> list[Case]:
    rng = np.random.default_rng(request.param)
    return [make_case(rng) for _ in range(LAYERS)]


def test_compact_is_canonical(cases: list[Case]) -> None:
    layers = run(cases, [SELECT, "--bcr-compact"])
    assert len(layers) > LAYERS // 2
    for i, case in enumerate(cases):
        if layer := layers.get(f"l{i}"):
            np.testing.assert_array_equal(layer.weight, case.weight)
            assert layer.groups == canonical(case)


def check_chunks(layer: Unpacked, threads: int) -> None:
    bounds = [*layer.chunks(), len(layer.groups)]
    assert bounds[0] == 0
    assert len(bounds) <= threads + 1
    rows = [
        {r for group in layer.groups[begin:end] for r in group[0]}
        for begin, end in itertools.pairwise(bounds)
    ]
    assert sum(map(len, rows)) == len(set().union(*rows))


def check_merged(layer: Unpacked) -> None:
    """Groups of equal columns are one, unless that would tie more than a part of the weights."""
    groups = [(set(rows), tuple(columns)) for rows, columns in layer.groups]
    part = max(sum(len(rows) * len(columns) for rows, columns in groups) // 32, 1)
    # The groups that share rows, directly or through others, and what they weigh.
    tied: list[tuple[set[int], list[int]]] = []
    for number, (rows, _) in enumerate(groups):
        linked = [entry for entry in tied if entry[0] & rows]
        tied = [entry for entry in tied if entry not in linked]
        tied.append(
            (rows.union(*(e[0] for e in linked)), [number, *(n for e in linked for n in e[1])])
        )
    weight = {}
    for _, numbers in tied:
        lists = [groups[n][1] for n in numbers]
        assert len(lists) == len(set(lists))
        total = sum(len(groups[n][0]) * len(groups[n][1]) for n in numbers)
        weight.update(dict.fromkeys(numbers, total))
    alone: dict[tuple[int, ...], int] = {}
    for number, (_, columns) in enumerate(groups):
        if columns in alone:
            assert weight[number] + weight[alone[columns]] > part
        alone[columns] = number


@pytest.mark.parametrize("threads", [1, 3])
def test_reorder_keeps_the_matrix(cases: list[Case], threads: int) -> None:
    before = run(cases, [SELECT, "--bcr-compact"])
    layers = run(cases, [SELECT, "--bcr-compact", f"--bcr-reorder=threads={threads}"])
    assert layers.keys() == before.keys()
    for i, case in enumerate(cases):
        if layer := layers.get(f"l{i}"):
            np.testing.assert_array_equal(layer.weight, case.weight)
            check_chunks(layer, threads)
            if case.groups == 1:
                check_merged(layer)


@pytest.mark.parametrize(("lanes", "registers", "threads"), [(16, 32, 1), (8, 16, 3), (4, 32, 2)])
def test_tile_keeps_the_matrix(cases: list[Case], lanes: int, registers: int, threads: int) -> None:
    tile = f"--bcr-tile=lanes={lanes} registers={registers} threads={threads}"
    reorder = f"--bcr-reorder=threads={threads}"
    for passes in ([SELECT, "--bcr-compact", reorder, tile], ["--bcr-select=sparsity=off", tile]):
        layers = run(cases, passes)
        assert len(layers) == LAYERS
        for i, case in enumerate(cases):
            layer = layers[f"l{i}"]
            np.testing.assert_array_equal(layer.weight, case.weight)
            if "off" in passes[0]:
                stored = sum(len(rows) * len(columns) for rows, columns in layer.groups)
                assert stored == case.weight.size
            check_chunks(layer, threads)
            found = re.search(r"schedule<(\w+), height = (\d+)", layer.line)
            assert found
            bounds = layer.chunks()
            for number, (rows, _) in enumerate(layer.groups):
                assert len(rows) <= int(found[2])
                per_group = case.weight.shape[0] // case.groups
                assert len({row // per_group for row in rows}) == 1
                # Highest first inside a chunk.
                if number and number not in bounds:
                    assert len(rows) <= len(layer.groups[number - 1][0])


def test_select_finds_the_grid() -> None:
    """The block a matrix was pruned in is read from its zeros."""
    rng = np.random.default_rng(7)
    grids = [(8, 64, 4, 16), (4, 16, 2, 4), (16, 9, 8, 3), (8, 36, 4, 9), (128, 576, 50, 70)]
    grids += [(32, 48, 16, 10), (1, 1, 0, 0)]
    cases = []
    for rows, columns, keep_rows, keep_columns in grids:
        weight = rng.standard_normal((128, 576)).astype(np.float32)
        if rows == 1:
            weight[rng.random(weight.shape) < 0.9] = 0
        for r in range(0, 128 if rows > 1 else 0, rows):
            for c in range(0, 576, columns):
                part = weight[r : r + rows, c : c + columns]
                kept = np.zeros(part.shape, bool)
                kept[
                    np.ix_(
                        rng.permutation(part.shape[0])[:keep_rows],
                        rng.permutation(part.shape[1])[:keep_columns],
                    )
                ] = True
                part[~kept] = 0
        cases.append(Case(weight, (rows, columns), 1, 28))
    source = "".join(case.text(i, dense=True) for i, case in enumerate(cases))
    done = subprocess.run(
        [find_tool("bcr-opt"), "-", SELECT],
        input=source.replace("576x1x1", "64x3x3")
        .replace("1x576x28x28", "1x64x28x28")
        .replace(
            "kernel = array<i64: 1, 1>",
            "kernel = array<i64: 3, 3>, padding = array<i64: 1, 1, 1, 1>",
        ),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[:2000]
    module = done.stdout.splitlines()[0]
    for i, case in enumerate(cases):
        block = re.search(rf"l{i} = {{block = array<i64: (\d+), (\d+)>", module)
        assert block, case.block
        assert (int(block[1]), int(block[2])) == case.block
