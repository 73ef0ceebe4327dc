"""Each thing that cannot be imported gives one error that names it and says what to do."""

from __future__ import annotations

import inspect
import pathlib
import tempfile

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bcr.errors import ConfigError, FormatError, UnsupportedError
from bcr.frontend import import_model
from operator_matrix import Apply

X = torch.randn(3, 5)


def refuse(model: nn.Module, *args: object, **options: object) -> str:
    before = set(pathlib.Path(tempfile.gettempdir()).iterdir())
    with pytest.raises(UnsupportedError) as caught:
        import_model(model, args or (X,), **options)
    left = set(pathlib.Path(tempfile.gettempdir()).iterdir()) - before
    assert not [p for p in left if p.suffix == ".mlir"], "a file was left behind"
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    return str(caught.value)


def test_training_mode_names_the_modules() -> None:
    model = nn.Sequential(nn.Linear(5, 3), nn.Dropout(0.3), nn.ModuleDict(), nn.BatchNorm1d(3))
    message = refuse(model)
    assert "1 (Dropout)" in message
    assert "3 (BatchNorm1d)" in message
    assert "model.eval()" in message
    assert "Linear" not in message


def test_training_mode_without_an_effect_is_accepted() -> None:
    model = nn.Sequential(nn.Linear(5, 3), nn.Dropout(0.0), nn.LayerNorm(3)).train()
    import_model(model, (X,))


def test_quantised_modules_are_named() -> None:
    quantised = torch.ao.nn.quantized.Linear(5, 3)
    message = refuse(nn.Sequential(nn.Linear(5, 5), nn.ModuleDict({"head": quantised})).eval())
    assert "quantised: 1.head (Linear); compile the model as it was before" in message


def test_a_mask_of_rows_names_the_operator() -> None:
    model = Apply(lambda x, mask: x[mask].sum()).eval()
    assert "aten.index.Tensor" in refuse(model, X, torch.tensor([True, False, True]))


def test_programs_exported_in_training_mode() -> None:
    for model in (nn.BatchNorm1d(5), nn.Dropout()):
        program = torch.export.export(model.train(), (X,), strict=False)
        with pytest.raises(UnsupportedError, match=r"model\.eval\(\)"):
            import_model(program)


class Inner(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        y = torch.special.i0(x)
        return y + torch.mode(x, 1).values.sum() + torch.special.i0(x + 1)


class Outer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(5, 5)
        self.head = Inner()

    def forward(self, x: Tensor) -> Tensor:
        return torch.cummax(self.head(self.layer(x)), 0).values


def test_all_operators_are_listed_with_module_and_line() -> None:
    message = refuse(Outer())
    first = inspect.getsourcelines(Inner.forward)[1]
    last = inspect.getsourcelines(Outer.forward)[1] + 1
    for operator, module, line in (
        ("aten.i0.default", "module head", first + 1),
        ("aten.mode.default", "module head", first + 2),
        ("aten.i0.default", "module head", first + 2),
        ("aten.cummax.default", "the model's forward", last),
    ):
        assert f"  {operator} in {module} at {__file__}:{line}: " in message
    assert "4 operators" in message
    assert "Traceback" not in message
    assert "addmm" not in message


def test_assertions_of_the_exporter_are_no_operators() -> None:
    # A cast by a method exports an assertion about the type of what it casts.
    assert "one operator" in refuse(Apply(lambda x: torch.special.i0(x.double())))


@pytest.mark.parametrize(
    ("function", "part"),
    [
        (lambda x: x if x.sum() > 0 else -x, "Use torch.where"),
        (lambda x: torch.nonzero(x), "depends on the values"),
        (lambda x: x[x > 0], "depends on the values"),
        (lambda x: x.sum().item(), "only tensors may vary"),
        (lambda x: x.no_such_method(), "no_such_method"),
        (lambda x: torch.rand_like(x) + x, "draws random numbers"),
        (lambda x: nn.functional.dropout(x, 0.5, True), "model.eval()"),
        (lambda x: x.add_(1), "in place"),
        (lambda x: torch.fft.rfft(x).abs(), "aten.fft_rfft.default"),
        (lambda x: x.to(torch.complex64), "complex64"),
        (lambda x: x.to_sparse(), "sparse"),
        (lambda x: {(1, 2): x}, "key (1, 2)"),
        (lambda x: torch.cond(x.sum() > 0, torch.sin, torch.cos, (x,)), "cond"),
        (lambda x: (x, x.dtype), "dtype"),
    ],
)
def test_refused_functions(function, part: str) -> None:
    message = refuse(Apply(function).eval())
    assert part in message
    assert len(message.splitlines()) < 9


def test_tracing_errors_name_the_line() -> None:
    line = inspect.currentframe().f_lineno + 1
    assert f"{__file__}:{line}" in refuse(Apply(lambda x: x @ x))


@pytest.mark.parametrize(
    ("value", "part"),
    [
        (X.to(torch.complex64), "complex64"),
        (X.to_sparse(), "sparse"),
        (X.to(torch.float8_e4m3fn), "float8_e4m3fn"),
    ],
)
def test_refused_inputs(value: Tensor, part: str) -> None:
    assert part in refuse(Apply(lambda x: x.to_dense().float()).eval(), value)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_quantised_input() -> None:
    value = torch.quantize_per_tensor(X, 0.1, 0, torch.qint8)
    assert "dequantize" in refuse(Apply(lambda x: x.dequantize()), value)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite(dtype: torch.dtype, bad: float) -> None:
    model = nn.Sequential(nn.Linear(5, 3)).to(dtype)
    model[0].weight.data[2, 4] = bad
    message = refuse(model, X.to(dtype))
    assert "0.weight" in message
    assert f"{bad} at (2, 4)" in message


def test_one_bad_weight_far_from_the_start() -> None:
    model = nn.Linear(1500, 1000)
    model.weight.data[-1, -2] = float("nan")
    assert "nan at (999, 1498)" in refuse(model, torch.randn(1, 1500))


def test_statistics_must_be_finite_but_masks_need_not() -> None:
    norm = nn.BatchNorm1d(5).eval()
    norm.running_var[3] = float("inf")
    assert "running_var contains inf at (3,)" in refuse(norm)

    class Masked(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mask", torch.full((3, 5), -float("inf")).triu(1))

        def forward(self, x: Tensor) -> Tensor:
            return (x + self.mask).softmax(-1)

    assert np.isinf(import_model(Masked(), (X,)).weights["mask"]).sum() == 9


def test_state_is_refused() -> None:
    class Counter(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("count", torch.zeros(3, 1))

        def forward(self, x: Tensor) -> Tensor:
            self.count += 1
            return x + self.count

    assert "buffers count" in refuse(Counter().eval())


def test_effects_are_refused() -> None:
    model = Apply(lambda x: torch.linalg.inv(x + 2 * torch.eye(4)))
    with pytest.raises(UnsupportedError, match=r"(?s)more than .*linalg_check.* in the model"):
        import_model(model, (torch.rand(3, 4, 4),))


def test_dynamic_shapes() -> None:
    dim = torch.export.Dim
    both = (({0: dim("a")}, {0: dim("b")}),)
    message = refuse(Apply(lambda x, y: torch.cat([x, y])), X, X[:2], dynamic_shapes=both)
    assert "multiple of one dynamic dimension" in message
    square = (({0: dim("a")},),)
    assert "**2" in refuse(Apply(lambda x: (x @ x.T).reshape(-1)), dynamic_shapes=square)
    twice = (({0: 2 * dim("half")},),)
    assert "Dim of its own" in refuse(
        Apply(lambda x: x + 1), torch.randn(4, 5), dynamic_shapes=twice
    )
    message = refuse(Apply(lambda x: x + torch.ones(3, 5)), dynamic_shapes=square)
    assert "specialized it to be a constant (3)" in message
    count = refuse(Apply(lambda x: (x, x.shape[0])), dynamic_shapes=square)
    assert "only tensors may vary" in count


def test_wrong_use() -> None:
    program = torch.export.export(nn.Linear(5, 3), (X,), strict=False)
    for call, part in (
        (lambda: import_model(3, (X,)), "int"),
        (lambda: import_model(nn.Linear(5, 3)), "example arguments"),
        (lambda: import_model(nn.Linear(5, 3), 7), "tuple"),
        (lambda: import_model(nn.Linear(5, 3), {"input": X}), "not a dict; named ones are kwargs"),
        (lambda: import_model(torch.jit.trace(nn.Linear(5, 3), X), (X,)), "made of"),
        (lambda: import_model("no/such/file.pt2"), "no/such/file.pt2"),
        (lambda: import_model(program, dynamic_shapes=({0: None},)), "dynamic_shapes"),
    ):
        with pytest.raises(ConfigError, match=part):
            call()


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 cut off"])
def test_files_that_are_no_programs(content: bytes, tmp_path) -> None:
    path = tmp_path / "model.pt2"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=r"model\.pt2"):
        import_model(path)
