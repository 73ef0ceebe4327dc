"""Arguments bind and results are rebuilt from JSON alone, without torch."""

from __future__ import annotations

import collections
import json
import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from bcr.errors import FormatError, InputError
from bcr.frontend import InputSpec, OutputSpec, bind, check, import_model, unflatten
from operator_matrix import Apply

Pair = collections.namedtuple("Pair", "first second")
A, B, C = torch.randn(2, 3), torch.randn(4), torch.randn(5, 1)


class Scaled(nn.Module):
    def forward(self, x, pair, *, mode="plus", extra, unused=None) -> object:
        y = x["a"] + pair.first.sum() if mode == "plus" else x["a"]
        out = {"y": y, 3: [extra * 2, None, (1.5, True, "text", float("inf"))]}
        return Pair(out, x["a"]), {}


ARGS = ({"a": A}, Pair(B, [C]))
KWARGS = {"extra": B, "mode": "plus"}


@pytest.fixture(scope="module")
def model():
    imported = import_model(Scaled(), ARGS, KWARGS)
    return json.loads(json.dumps(imported.signature())), imported


def test_bind_flattens_in_order(model) -> None:
    signature, _ = model
    flat = bind(signature["in_spec"], ARGS, KWARGS)
    assert [t.data_ptr() for t in flat] == [t.data_ptr() for t in (A, B, C, B)]
    by_name = bind(signature["in_spec"], (), {"x": ARGS[0], "pair": ARGS[1], **KWARGS})
    assert all(a is b for a, b in zip(flat, by_name, strict=True))


def test_unflatten_rebuilds_everything(model) -> None:
    signature, imported = model
    assert len(imported.outputs) == 2
    result = unflatten(signature["out_spec"], ["first", "second"], ["A", "B", "C", "B"])
    inner = result[0]
    assert type(inner).__name__ == "Pair"
    assert inner.first == {"y": "first", 3: ["second", None, (1.5, True, "text", float("inf"))]}
    assert inner.second == "A"
    assert result[1] == {}
    assert type(result) is tuple


def test_specs_survive_json(model) -> None:
    signature, imported = model
    assert tuple(map(InputSpec.from_json, signature["inputs"])) == imported.inputs
    assert tuple(map(OutputSpec.from_json, signature["outputs"])) == imported.outputs


def test_output_shapes_survive_json() -> None:
    dims = (({0: torch.export.Dim("n")},),)
    imported = import_model(Apply(lambda x: torch.cat([x, x, x[:1]])), (A,), dynamic_shapes=dims)
    [spec] = json.loads(json.dumps(imported.signature()))["outputs"]
    again = OutputSpec.from_json(spec)
    assert again == imported.outputs[0]
    assert [d.value({"n": 5}) for d in again.shape[:1]] == [11]
    assert str(again.shape[0]) == "2*n+1"


@pytest.mark.parametrize(
    ("args", "kwargs", "part"),
    [
        ((), KWARGS, "0 were given"),
        ((*ARGS, A), KWARGS, "3 were given"),
        (ARGS, {"extra": B}, "mode is missing"),
        (ARGS, {**KWARGS, "other": 1}, "no argument other"),
        (ARGS, {**KWARGS, "mode": "minus"}, "'minus'"),
        (({"b": A}, ARGS[1]), KWARGS, r"x: expected the keys \['a'\]"),
        ((A, ARGS[1]), KWARGS, "x: expected a dict, got a Tensor"),
        (({"a": 1.5}, ARGS[1]), KWARGS, r"x\['a'\]: expected a tensor, got 1.5"),
        ((ARGS[0], (B,)), KWARGS, "pair: expected a namedtuple of 2"),
        ((ARGS[0], (B, C)), KWARGS, r"pair\[1\]: expected a list of 1"),
        (ARGS, {**KWARGS, "mode": A}, "mode: .*fixed in it"),
    ],
)
def test_bind_refuses(model, args, kwargs, part: str) -> None:
    with pytest.raises(InputError, match=part):
        bind(model[0]["in_spec"], args, kwargs)


def test_damaged_structures_are_refused(model) -> None:
    signature, _ = model
    check(signature["in_spec"], 4, 0)
    check(signature["out_spec"], 4, 2)
    for structure, inputs, outputs in (
        (signature["in_spec"], 3, 0),
        (signature["in_spec"], 5, 0),
        (signature["out_spec"], 4, 1),
        (signature["out_spec"], 0, 2),
        ({"output": -1}, 1, 1),
        ({"output": True}, 1, 2),
        ({"output": 0, "input": 0}, 1, 1),
        ({"set": []}, 0, 0),
        ({"tuple": {"output": 0}}, 0, 1),
        ({"dict": [["a"]]}, 0, 0),
        ({"dict": [[["a"], {"output": 0}]]}, 0, 1),
        ({"namedtuple": ["P", [["class", {"output": 0}]]]}, 0, 1),
        ({"namedtuple": ["P", [["_a", {"output": 0}]]]}, 0, 1),
        ({"namedtuple": ["P()", [["a", {"output": 0}]]]}, 0, 1),
        ({"const": ["object", 1]}, 0, 0),
        ({"const": ["float", "many"]}, 0, 0),
        ("text", 0, 0),
        ([], 0, 0),
        (None, 0, 0),
    ):
        with pytest.raises(FormatError):
            check(structure, inputs, outputs)


def test_numbers_among_the_arguments_are_fixed() -> None:
    imported = import_model(Apply(lambda x, n, s, f: x[:n] * s if f else x), (A, 1, 0.5, True))
    assert len(bind(imported.in_spec, (A, 1, 0.5, True), {})) == 1
    for wrong in ((A, 2, 0.5, True), (A, 1, 0.25, True), (A, 1, 0.5, False)):
        with pytest.raises(InputError, match="compile again"):
            bind(imported.in_spec, wrong, {})


def test_results_that_are_inputs_are_not_computed() -> None:
    imported = import_model(Apply(lambda x, y: (y, x.contiguous(), x + 1, x + 1)), (A, B))
    parts = imported.out_spec["tuple"]
    assert parts[:2] == [{"input": 1}, {"input": 0}]
    assert parts[2] == parts[3] == {"output": 0}
    assert len(imported.outputs) == 1


def test_a_changed_element_type_is_no_passed_through_input() -> None:
    imported = import_model(Apply(lambda x: x.to(torch.uint8)), (torch.tensor([1, -2]).char(),))
    assert imported.out_spec == {"output": 0}
    assert imported.outputs[0].dtype == "uint8"


def test_parameters_may_be_results() -> None:
    class Returned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(A.clone())

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.weight, x

    imported = import_model(Returned(), (B,))
    assert imported.out_spec == {"tuple": [{"output": 0}, {"input": 0}]}
    assert set(imported.weights) == {"weight"}


def test_needs_no_torch() -> None:
    code = (
        "import sys, bcr.frontend as f; assert f.bind and f.unflatten and f.ImportedModel;"
        "sys.exit(any(m in sys.modules for m in ('torch', 'torch_mlir')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
