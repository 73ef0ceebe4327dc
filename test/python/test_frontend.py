"""Every operator of the matrix imports, and what stands in the text is what PyTorch computes."""

from __future__ import annotations

import functools
import re

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bcr.frontend import ImportedModel, Linear, SymbolRange, bind, import_model, unflatten
from mlir_oracle import Program, parses
from operator_matrix import CASES, Apply, assert_same

# What the front end itself rewrites, and every kind of value that crosses its border.
EXECUTED = [
    "adaptive_max_pool2d_uneven",
    "arc",
    "argsort",
    "atan2",
    "bfloat16",
    "bool",
    "buffers_and_shared_weights",
    "casts",
    "cdist",
    "constant_output",
    "conv2d",
    "conv_transpose2d_grouped",
    "cumprod",
    "cumsum",
    "embedding",
    "erf",
    "float16",
    "float64",
    "fold",
    "group_norm",
    "index_2d",
    "index_add",
    "index_put",
    "int16_int8",
    "is_finite",
    "layer_norm",
    "multihead_attention",
    "nan_to_num",
    "nested",
    "pad_negative",
    "rank_0",
    "remainder",
    "same_output_twice",
    "scalar_argument",
    "scatter",
    "scatter_add",
    "scatter_amax",
    "sdpa_bool_mask",
    "sort",
    "topk",
    "topk_smallest",
    "uint8_arithmetic",
    "uint8_image",
    "unused_input",
    "upsample_bicubic",
    "variance",
]


@functools.cache
def imported(name: str) -> ImportedModel:
    return import_model(*CASES[name]())


def to_array(tensor: Tensor) -> np.ndarray:
    if tensor.dtype == torch.bfloat16:
        return tensor.contiguous().view(torch.uint16).numpy()
    return tensor.detach().contiguous().numpy()


def to_tensor(array: np.ndarray, dtype: str) -> Tensor:
    tensor = torch.from_numpy(array)
    return tensor.view(torch.bfloat16) if dtype == "bfloat16" else tensor


def run(program: Program, *args: object) -> object:
    """Call a compiled model as an executable would."""
    model = program.model
    inputs = bind(model.in_spec, args, {})
    arrays = program(*(to_array(tensor) for tensor in inputs))
    outputs = [to_tensor(a, spec.dtype) for a, spec in zip(arrays, model.outputs)]
    return unflatten(model.out_spec, outputs, inputs)


@pytest.mark.parametrize("name", CASES)
def test_imports(name: str) -> None:
    model, args = CASES[name]()
    result = imported(name)
    tensors = bind(result.in_spec, args, {})
    assert [tuple(t.shape) for t in tensors] == [spec.shape for spec in result.inputs]
    assert [str(t.dtype) for t in tensors] == [f"torch.{s.dtype}" for s in result.inputs]
    used = {name.strip('"') for name in re.findall(r"dense_resource<([^>]*)>", result.text)}
    assert used == set(result.weights)
    literal = re.search(r"dense<[^>]{300,}>", result.text)
    assert literal is None, "a weight is printed as text"
    parameters = {k: v for k, v in model.named_parameters() if v.numel() > 1}
    assert len(parameters) <= len(used), "a parameter was folded away"


def test_every_text_parses() -> None:
    assert parses([imported(name).text for name in CASES]) == ""


@pytest.mark.parametrize("name", EXECUTED)
def test_computes_the_same(name: str) -> None:
    model, args = CASES[name]()
    with torch.no_grad():
        want = model(*args)
    assert_same(run(Program(imported(name)), *args), want)


@pytest.mark.parametrize("name", ["layer_norm", "group_norm", "variance", "softmax"])
def test_statistics_stay_in_float32_without_positions(name: str) -> None:
    assert "xf64>" not in imported(name).text
    assert "xi64>" not in imported(name).text


def test_text_is_deterministic_and_free_of_paths() -> None:
    first, second = (import_model(*CASES["transformer_encoder_layer"]()) for _ in range(2))
    assert first.text == second.text
    assert "/" not in "".join(re.findall(r'loc\("([^"]*)"', first.text))


def test_locations_name_modules_and_lines() -> None:
    text = import_model(nn.Sequential(nn.Linear(5, 3), nn.Tanh()), (torch.randn(2, 5),)).text
    assert re.search(r'loc\("0"\(', text)
    assert re.search(r'loc\("1"\(', text)
    assert 'loc("activation.py":' in text


def test_weights_are_views_named_like_the_parameters() -> None:
    model = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5)).eval()
    result = import_model(model, (torch.randn(1, 3, 7, 7),))
    state = {k: v for k, v in model.state_dict().items() if "num_batches" not in k}
    assert set(result.weights) == set(state)
    for name, array in result.weights.items():
        assert array.ctypes.data == state[name].data_ptr(), f"{name} was copied"


def test_weights_that_are_not_contiguous_keep_their_values() -> None:
    model = nn.Conv2d(3, 5, 3).to(memory_format=torch.channels_last)
    result = import_model(model, (torch.randn(1, 3, 7, 7),))
    np.testing.assert_array_equal(result.weights["weight"], model.weight.detach().numpy())


def test_shared_weights_appear_once_under_the_first_name() -> None:
    names = set(imported("buffers_and_shared_weights").weights)
    assert {"first.weight", "first.bias", "second.bias", "table", "mask"} < names
    assert "second.weight" not in names


def test_odd_module_names_survive() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.parts = nn.ModuleDict({"a-b c": nn.Linear(5, 3), "x$é": nn.Linear(3, 2)})

        def forward(self, x: Tensor) -> Tensor:
            for part in self.parts.values():
                x = part(x)
            return x

    result = import_model(Named(), (torch.randn(2, 5),))
    assert "parts.a-b c.weight" in result.weights
    assert "parts.x$é.bias" in result.weights
    assert parses([result.text]) == ""


def test_dynamic_batch() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(80, 3)
    ).eval()
    dim = torch.export.Dim("batch", min=1, max=64)
    result = import_model(model, (torch.randn(2, 3, 4, 5),), dynamic_shapes=({0: dim},))
    assert result.inputs[0].shape == ("batch", 3, 4, 5)
    assert result.outputs[0].shape == (Linear("batch"), 3)
    assert result.symbols == {"batch": SymbolRange(1, 64)}
    program = Program(result)
    for batch in (1, 3, 8):
        x = torch.randn(batch, 3, 4, 5)
        assert_same(run(program, x), model(x).detach())


def test_dynamic_attention() -> None:
    model, _ = CASES["transformer_encoder_layer"]()
    dim = torch.export.Dim("n", min=1, max=9)
    result = import_model(model, (torch.randn(3, 5, 12),), dynamic_shapes={"src": {0: dim}})
    assert result.outputs[0].shape == (Linear("n"), 5, 12)
    program = Program(result)
    for batch in (1, 4):
        x = torch.randn(batch, 5, 12)
        assert_same(run(program, x), model(x).detach())


def test_dynamic_sizes_of_outputs_are_linear() -> None:
    model = Apply(lambda x: (torch.cat([x, x, x[:1]]), x.reshape(-1), x.sum(0)))
    dim = torch.export.Dim("n")
    result = import_model(model, (torch.randn(4, 5),), dynamic_shapes=(({0: dim},),))
    shapes = [spec.shape for spec in result.outputs]
    assert shapes == [(Linear("n", 2, 1), 5), (Linear("n", 5),), (5,)]
    x = torch.randn(7, 5)
    assert_same(run(Program(result), x), model(x))


def test_a_place_that_sizes_give_is_no_lookup() -> None:
    model = Apply(lambda x: x[:, x.shape[1] - 2] * 2)
    dim = torch.export.Dim("n", min=2, max=50)
    result = import_model(model, (torch.randn(3, 6, 4),), dynamic_shapes=(({1: dim},),))
    assert "tensor.extract " not in result.text
    program = Program(result)
    for steps in (6, 2, 9):
        x = torch.randn(3, steps, 4)
        assert_same(run(program, x), model(x))


def test_sort_puts_nan_last_and_is_stable() -> None:
    x = torch.tensor([2.0, float("nan"), -1.0, 2.0, float("inf"), -1.0, float("nan"), 0.0, 2.0])
    for descending in (False, True):
        model = Apply(lambda x, d=descending: torch.sort(x, stable=True, descending=d))
        program = Program(import_model(model, (torch.zeros(9),)))
        assert_same(tuple(run(program, x)), tuple(model(x)))


def test_integers_sort_and_wrap() -> None:
    model = Apply(lambda x, y: (torch.sort(x, 0), x * 100, y - 7, y // 3, y & 6))
    args = (torch.tensor([5, -128, 127, 0], dtype=torch.int8),
            torch.tensor([5, 250, 3, 0], dtype=torch.uint8))  # fmt: skip
    assert_same(run(Program(import_model(model, args)), *args), model(*args))


def test_scatter_counts_dimensions_from_the_end() -> None:
    model = Apply(
        lambda x, i, v: (
            x.scatter(-1, i, v),
            x.scatter(-2, i, 0.5),
            x.scatter_add(-1, i, v),
            x.scatter_reduce(-1, i, v, "amax"),
        )
    )
    args = torch.randn(3, 5), torch.tensor([[2, 0], [1, 2], [0, 1]]), torch.randn(3, 2)
    assert_same(run(Program(import_model(model, args)), *args), model(*args))


def test_scatter_takes_negative_indices() -> None:
    model = Apply(lambda x, i, v: torch.index_put(x, (i,), v))
    args = (torch.randn(5, 3), torch.tensor([-1, 1, -4]), torch.randn(3, 3))
    assert_same(run(Program(import_model(model, args)), *args), model(*args))


def test_exported_programs_and_files_give_the_same(tmp_path) -> None:
    model, args = nn.Linear(5, 3).eval(), (torch.randn(2, 5),)
    program = torch.export.export(model, args, strict=False)
    path = tmp_path / "model.pt2"
    torch.export.save(program, path)
    direct = import_model(model, args)
    for other in (import_model(program), import_model(path), import_model(str(path))):
        assert other.signature() == direct.signature()
        assert set(other.weights) == set(direct.weights)
    again = import_model(program)
    assert again.text == import_model(program).text, "importing changed the program"


def test_arguments_may_be_arrays_or_one_tensor() -> None:
    model, x = nn.Linear(5, 3).eval(), torch.randn(2, 5)
    want = import_model(model, (x,)).signature()
    assert import_model(model, x).signature() == want
    assert import_model(model, (x.numpy(),)).signature() == want
    assert import_model(model, kwargs={"input": x}).inputs[0].shape == (2, 5)
