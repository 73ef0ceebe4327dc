"""Small networks, one per operator kind, for every suite that has to cover "whatever imports".

`CASES` maps a name to a function that makes `(module in eval mode, example arguments)`. The same
name gives the same weights and inputs in every process. Sizes are odd and all different, so that
a swapped axis, a missed remainder or a wrong stride changes the result.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Case = tuple[nn.Module, tuple[object, ...]]
CASES: dict[str, Callable[[], Case]] = {}


class Apply(nn.Module):
    """A function of tensors as a module."""

    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: object) -> object:
        return self.function(*args)


def _add(name: str, make: Callable[[], tuple[nn.Module | Callable[..., object], tuple]]) -> None:
    def build() -> Case:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(zlib.crc32(name.encode()))
            module, args = make()
            if not isinstance(module, nn.Module):
                module = Apply(module)
            _spread_statistics(module)
        return module.eval(), args

    assert name not in CASES, name
    CASES[name] = build


def _spread_statistics(module: nn.Module) -> None:
    """Give layers that start with equal values others, different from channel to channel."""
    for part in module.modules():
        for name in ("running_mean", "running_var"):
            value = getattr(part, name, None)
            if isinstance(value, Tensor):
                value.copy_(torch.rand_like(value) + (0.5 if name == "running_var" else -0.5))
        if isinstance(part, nn.MultiheadAttention):
            # Zeros by default, and a bias of zeros tests no bias.
            nn.init.uniform_(part.in_proj_bias, -0.5, 0.5)
            nn.init.uniform_(part.out_proj.bias, -0.5, 0.5)
        if "Norm" in type(part).__name__:
            for parameter in part.parameters(recurse=False):
                nn.init.uniform_(parameter, 0.5, 1.5)


def _layer(name: str, make: Callable[[], nn.Module], *shape: int) -> None:
    _add(name, lambda: (make(), (torch.randn(shape),)))


def _function(name: str, function: Callable[..., object], *shapes: tuple[int, ...]) -> None:
    _add(name, lambda: (function, tuple(torch.randn(shape) for shape in shapes)))


def _integers(low: int, high: int, *shape: int, dtype: torch.dtype = torch.int64) -> Tensor:
    return torch.randint(low, high, shape).to(dtype)


# --- convolutions -----------------------------------------------------------------------------

_layer("conv1d", lambda: nn.Conv1d(3, 5, 4, stride=2, padding=1), 2, 3, 17)
_layer("conv1d_dilated_grouped", lambda: nn.Conv1d(4, 6, 3, dilation=2, groups=2), 1, 4, 19)
_layer("conv2d", lambda: nn.Conv2d(3, 5, 3, padding=1), 1, 3, 9, 11)
_layer("conv2d_batch_3", lambda: nn.Conv2d(3, 7, 3, padding=1, bias=False), 3, 3, 7, 10)
_layer("conv2d_1x1", lambda: nn.Conv2d(6, 10, 1), 1, 6, 5, 7)
_layer("conv2d_stride_2", lambda: nn.Conv2d(3, 8, 3, stride=2, padding=1), 1, 3, 13, 10)
_layer("conv2d_rectangular", lambda: nn.Conv2d(2, 5, (5, 3), (1, 2), (2, 0)), 1, 2, 11, 13)
_layer("conv2d_dilated", lambda: nn.Conv2d(3, 4, 3, padding=2, dilation=2), 1, 3, 9, 12)
_layer("conv2d_grouped", lambda: nn.Conv2d(6, 9, 3, padding=1, groups=3), 2, 6, 8, 7)
_layer("conv2d_depthwise", lambda: nn.Conv2d(7, 7, 3, padding=1, groups=7), 1, 7, 9, 8)
_layer("conv2d_depthwise_stride_2", lambda: nn.Conv2d(5, 5, 5, 2, 2, groups=5), 1, 5, 11, 14)
_layer("conv2d_depthwise_batch", lambda: nn.Conv2d(5, 5, 3, padding=1, groups=5), 3, 5, 17, 21)
_layer(
    "conv2d_depthwise_lopsided",
    lambda: nn.Sequential(
        nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(6, 6, 3, 2, groups=6), nn.ReLU6()
    ),
    1, 6, 14, 36,
)  # fmt: skip
_layer("conv2d_depthwise_dilated", lambda: nn.Conv2d(4, 4, 3, 1, 2, 2, groups=4), 1, 4, 7, 7)
_layer("conv2d_depthwise_multiplier", lambda: nn.Conv2d(3, 6, 3, groups=3), 1, 3, 8, 9)
_layer("conv2d_same", lambda: nn.Conv2d(3, 4, 4, padding="same"), 1, 3, 9, 7)
_layer("conv2d_reflect", lambda: nn.Conv2d(2, 3, 3, padding=1, padding_mode="reflect"), 1, 2, 7, 6)
_layer(
    "conv2d_circular", lambda: nn.Conv2d(2, 3, 3, padding=1, padding_mode="circular"), 1, 2, 7, 6
)
_layer("conv2d_unbatched", lambda: nn.Conv2d(3, 4, 3), 3, 8, 7)
_layer("conv3d", lambda: nn.Conv3d(2, 4, 3, stride=(1, 2, 1), padding=1), 1, 2, 5, 7, 6)
_layer("conv_transpose1d", lambda: nn.ConvTranspose1d(4, 3, 4, stride=2, padding=1), 1, 4, 9)
_layer("conv_transpose2d", lambda: nn.ConvTranspose2d(5, 3, 3, stride=2, padding=1), 1, 5, 6, 7)
_layer(
    "conv_transpose2d_grouped",
    lambda: nn.ConvTranspose2d(4, 6, 2, stride=2, groups=2, output_padding=1),
    1, 4, 5, 7,
)  # fmt: skip
_layer("conv_transpose2d_dilated", lambda: nn.ConvTranspose2d(2, 3, 3, dilation=2), 1, 2, 6, 5)
_layer("conv_transpose3d", lambda: nn.ConvTranspose3d(2, 3, 2, stride=2), 1, 2, 3, 4, 5)

# --- matrix products --------------------------------------------------------------------------

_layer("linear", lambda: nn.Linear(13, 7), 3, 13)
_layer("linear_no_bias", lambda: nn.Linear(11, 5, bias=False), 1, 11)
_layer("linear_3d", lambda: nn.Linear(9, 4), 2, 5, 9)
_layer("linear_vector", lambda: nn.Linear(9, 4), 9)
_add("bilinear", lambda: (nn.Bilinear(3, 5, 4), (torch.randn(2, 3), torch.randn(2, 5))))
_function("matmul_vector", torch.matmul, (5, 7), (7,))
_function("matmul_broadcast", torch.matmul, (2, 1, 3, 5), (4, 5, 6))
_function("bmm", torch.bmm, (3, 4, 5), (3, 5, 7))
_function("baddbmm", lambda c, a, b: torch.baddbmm(c, a, b, beta=0.5, alpha=2.0),
          (2, 3, 5), (2, 3, 4), (2, 4, 5))  # fmt: skip
_function("einsum", lambda a, b: torch.einsum("bij,bkj->bik", a, b), (2, 3, 5), (2, 4, 5))
_function("outer", torch.outer, (5,), (7,))

# --- pooling ----------------------------------------------------------------------------------

_layer("max_pool1d", lambda: nn.MaxPool1d(3, 2), 1, 3, 14)
_layer("max_pool2d", lambda: nn.MaxPool2d(2), 1, 3, 8, 10)
_layer("max_pool2d_padded", lambda: nn.MaxPool2d(3, 2, 1), 2, 3, 9, 12)
_layer("max_pool2d_wide", lambda: nn.MaxPool2d(3, 2, 1), 3, 2, 35, 38)
_layer("max_pool2d_stride_3", lambda: nn.MaxPool2d(3, 3), 1, 3, 13, 17)
_layer("max_pool2d_same", lambda: nn.MaxPool2d(5, 1, 2), 1, 3, 7, 7)
_layer("max_pool2d_ceil", lambda: nn.MaxPool2d(3, 2, ceil_mode=True), 1, 3, 8, 10)
_layer("max_pool2d_dilated", lambda: nn.MaxPool2d(2, 1, dilation=2), 1, 3, 7, 8)
_layer("max_pool2d_indices", lambda: nn.MaxPool2d(2, return_indices=True), 1, 2, 6, 8)
_layer("max_pool3d", lambda: nn.MaxPool3d(2), 1, 2, 4, 6, 5)
_layer("avg_pool1d", lambda: nn.AvgPool1d(3, 2, 1), 1, 3, 13)
_layer("avg_pool2d", lambda: nn.AvgPool2d(3, 2), 1, 3, 9, 11)
_layer("avg_pool2d_padded", lambda: nn.AvgPool2d(3, 2, 1), 1, 3, 8, 11)
_layer(
    "avg_pool2d_exclude_pad", lambda: nn.AvgPool2d(3, 2, 1, count_include_pad=False), 1, 3, 8, 11
)
_layer("avg_pool2d_ceil", lambda: nn.AvgPool2d(3, 2, ceil_mode=True), 1, 3, 8, 10)
_layer("avg_pool3d", lambda: nn.AvgPool3d(2), 1, 2, 4, 6, 5)
_layer("lp_pool2d", lambda: nn.LPPool2d(2, 2), 1, 2, 6, 8)
_layer("adaptive_avg_pool1d", lambda: nn.AdaptiveAvgPool1d(5), 1, 3, 13)
_layer("adaptive_avg_pool2d_1", lambda: nn.AdaptiveAvgPool2d(1), 2, 3, 7, 9)
_layer("adaptive_avg_pool2d_divides", lambda: nn.AdaptiveAvgPool2d((2, 3)), 1, 3, 8, 9)
_layer("adaptive_avg_pool2d_uneven", lambda: nn.AdaptiveAvgPool2d((3, 4)), 1, 2, 7, 9)
_layer("adaptive_avg_pool3d", lambda: nn.AdaptiveAvgPool3d(1), 1, 2, 3, 5, 4)
_layer("adaptive_max_pool1d", lambda: nn.AdaptiveMaxPool1d(4), 1, 3, 13)
_layer("adaptive_max_pool2d_1", lambda: nn.AdaptiveMaxPool2d(1), 1, 3, 7, 9)
_layer("adaptive_max_pool2d_uneven", lambda: nn.AdaptiveMaxPool2d((3, 2)), 1, 2, 7, 9)

# --- normalisation ----------------------------------------------------------------------------

_layer("batch_norm1d", lambda: nn.BatchNorm1d(5), 3, 5)
_layer("batch_norm2d", lambda: nn.BatchNorm2d(5), 2, 5, 3, 7)
_layer("batch_norm3d", lambda: nn.BatchNorm3d(3), 1, 3, 2, 5, 4)
_layer("batch_norm_no_affine", lambda: nn.BatchNorm2d(4, affine=False), 1, 4, 3, 5)
_layer("layer_norm", lambda: nn.LayerNorm(11), 2, 5, 11)
_layer("layer_norm_2_axes", lambda: nn.LayerNorm((3, 7)), 2, 3, 7)
_layer("group_norm", lambda: nn.GroupNorm(2, 6), 2, 6, 5, 3)
_layer("instance_norm2d", lambda: nn.InstanceNorm2d(4, affine=True), 2, 4, 5, 7)
_layer("instance_norm1d", lambda: nn.InstanceNorm1d(3), 2, 3, 9)
_layer("instance_norm_tracked", lambda: nn.InstanceNorm2d(4, track_running_stats=True), 2, 4, 5, 3)
_layer("rms_norm", lambda: nn.RMSNorm(13), 2, 3, 13)
_layer("local_response_norm", lambda: nn.LocalResponseNorm(3), 1, 5, 4, 6)
_function("normalize", lambda x: F.normalize(x, dim=1), (3, 7))

# --- activations ------------------------------------------------------------------------------

for _name in [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "LogSigmoid",
    "Mish",
    "PReLU",
    "ReLU",
    "ReLU6",
    "SELU",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Tanh",
    "Tanhshrink",
    "RReLU",
]:
    _layer(f"act_{_name.lower()}", getattr(nn, _name), 2, 5, 6)
_layer("act_gelu_tanh", lambda: nn.GELU(approximate="tanh"), 3, 7)
_layer("act_threshold", lambda: nn.Threshold(0.1, -2.0), 3, 7)
_layer("softmax", lambda: nn.Softmax(dim=-1), 2, 3, 7)
_layer("softmax_wide", lambda: nn.Softmax(dim=-1), 3, 137)
_layer("softmax_middle", lambda: nn.Softmax(dim=1), 2, 5, 3)
_layer("log_softmax", lambda: nn.LogSoftmax(dim=1), 3, 7)
_layer("softmin", lambda: nn.Softmin(dim=1), 3, 7)

# --- attention and recurrence -----------------------------------------------------------------

_function("sdpa", F.scaled_dot_product_attention, (2, 3, 5, 8), (2, 3, 7, 8), (2, 3, 7, 6))
_function("sdpa_causal", lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True),
          (1, 2, 5, 4), (1, 2, 5, 4), (1, 2, 5, 4))  # fmt: skip
_add(
    "sdpa_bool_mask",
    lambda: (
        lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, attn_mask=m),
        (*(torch.randn(1, 2, 5, 4) for _ in range(3)), torch.ones(5, 5).tril().bool()),
    ),
)


class _SelfAttention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(12, 3, batch_first=True)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.attention(x, x, x)


_layer("multihead_attention", _SelfAttention, 2, 5, 12)
_layer(
    "transformer_encoder_layer",
    lambda: nn.TransformerEncoderLayer(12, 3, dim_feedforward=20, batch_first=True),
    2, 5, 12,
)  # fmt: skip
_layer(
    "transformer_encoder_norm_first",
    lambda: nn.TransformerEncoderLayer(
        8, 2, dim_feedforward=11, activation="gelu", batch_first=True, norm_first=True
    ),
    1, 7, 8,
)  # fmt: skip
_add(
    "transformer_decoder_layer",
    lambda: (
        nn.TransformerDecoderLayer(8, 2, dim_feedforward=13, batch_first=True),
        (torch.randn(1, 3, 8), torch.randn(1, 5, 8)),
    ),
)
_layer("lstm", lambda: nn.LSTM(5, 7, batch_first=True), 2, 3, 5)
_layer("gru_bidirectional", lambda: nn.GRU(5, 3, bidirectional=True), 4, 2, 5)
_layer("rnn_two_layers", lambda: nn.RNN(4, 6, num_layers=2), 3, 1, 4)

# --- moving data ------------------------------------------------------------------------------

_function("cat", lambda a, b: torch.cat([a, b, a], 1), (2, 3, 5), (2, 4, 5))
_function("stack", lambda a, b: torch.stack([a, b], -1), (3, 5), (3, 5))
_function("split", lambda x: x.split([2, 5, 1], 1), (3, 8))
_function("chunk", lambda x: x.chunk(3, 1), (2, 8, 3))
_function("slice_step", lambda x: x[:, 1:8:3, -4:-1], (2, 9, 7))
_function("slice_assign", lambda x, y: torch.slice_scatter(x, y, 1, 2, 7, 2), (3, 9), (3, 3))
_function("select_scatter", lambda x, y: torch.select_scatter(x, y, 0, 1), (3, 5), (5,))
_function("permute_reshape", lambda x: x.permute(2, 0, 1).reshape(5, 6), (2, 3, 5))
_function("transpose_last", lambda x: x.transpose(-1, -2), (2, 3, 5))
_function("expand_add", lambda x, y: x.expand(4, 3, 5) + y, (1, 3, 1), (4, 1, 5))
_function("squeeze_unsqueeze", lambda x: x.squeeze(1).unsqueeze(-1), (3, 1, 5))
_function("flatten", lambda x: torch.flatten(x, 1), (2, 3, 5))
_function("flip", lambda x: torch.flip(x, [0, 2]), (2, 3, 5))
_function("roll", lambda x: torch.roll(x, (1, -2), (0, 1)), (3, 7))
_function("repeat", lambda x: x.repeat(2, 1, 3), (2, 3))
_function("repeat_interleave", lambda x: x.repeat_interleave(3, 1), (2, 5))
_function("unfold", lambda x: F.unfold(x, 3, padding=1, stride=2), (1, 2, 6, 7))
_function("fold", lambda x: F.fold(x, (5, 6), 2), (1, 8, 20))
_function("pad_constant", lambda x: F.pad(x, (1, 2, 0, 3), value=1.5), (2, 3, 5))
_function("pad_negative", lambda x: F.pad(x, (-1, 2)), (3, 7))
_function("pad_reflect", lambda x: F.pad(x, (2, 1), mode="reflect"), (2, 3, 7))
_function("pad_replicate", lambda x: F.pad(x, (1, 2, 2, 1), mode="replicate"), (1, 2, 4, 5))
_function("pad_circular", lambda x: F.pad(x, (2, 1), mode="circular"), (1, 3, 7))
_function("pixel_shuffle", lambda x: F.pixel_shuffle(x, 2), (1, 12, 3, 5))
_function("pixel_unshuffle", lambda x: F.pixel_unshuffle(x, 2), (1, 3, 4, 6))
_function("channel_shuffle", lambda x: F.channel_shuffle(x, 3), (1, 6, 3, 5))
_function("diagonal", lambda x: torch.diagonal(x, 1, -2, -1), (2, 4, 5))
_function("tril_triu", lambda x: (torch.tril(x, -1), torch.triu(x, 1)), (5, 7))
_add("embedding", lambda: (nn.Embedding(11, 5), (_integers(0, 11, 3, 4),)))
_add(
    "embedding_padding",
    lambda: (nn.Embedding(7, 3, padding_idx=2), (_integers(0, 7, 9, dtype=torch.int32),)),
)
_add(
    "gather",
    lambda: (lambda x, i: torch.gather(x, 1, i), (torch.randn(3, 7), _integers(0, 7, 3, 5))),
)
_add(
    "index_select",
    lambda: (lambda x, i: torch.index_select(x, 1, i), (torch.randn(3, 7), _integers(0, 7, 4))),
)
_add("index_2d", lambda: (lambda x, i, j: x[i, j],
     (torch.randn(5, 7, 3), _integers(-5, 5, 4), _integers(0, 7, 4))))  # fmt: skip
_add("index_number", lambda: (lambda x, i: x[:, i], (torch.randn(3, 5, 2), torch.tensor(-2))))
_function("index_constant", lambda x: x[:, [3, 0, 2]], (2, 5))
_add("take_along_dim", lambda: (lambda x, i: torch.take_along_dim(x, i, 0),
     (torch.randn(5, 3), _integers(0, 5, 2, 3))))  # fmt: skip
_add("one_hot", lambda: (lambda i: F.one_hot(i, 6), (_integers(0, 6, 2, 5),)))
_add("scatter", lambda: (lambda x, s: x.scatter(1, torch.tensor([[4, 0, 2]]), s),
     (torch.randn(1, 5), torch.randn(1, 3))))  # fmt: skip
_add("scatter_add", lambda: (lambda x, i, s: x.scatter_add(0, i, s),
     (torch.randn(4, 3), _integers(0, 4, 6, 3), torch.randn(6, 3))))  # fmt: skip
_add("scatter_amax", lambda: (lambda x, i, s: x.scatter_reduce(1, i, s, "amax"),
     (torch.randn(3, 4), _integers(0, 4, 3, 6), torch.randn(3, 6))))  # fmt: skip
_add("index_put", lambda: (lambda x, i, v: torch.index_put(x, (i,), v),
     (torch.randn(5, 3), torch.tensor([3, 0]), torch.randn(2, 3))))  # fmt: skip
_add("index_add", lambda: (lambda x, i, v: torch.index_add(x, 0, i, v),
     (torch.randn(4, 3), torch.tensor([2, 0, 2]), torch.randn(3, 3))))  # fmt: skip

# --- resampling -------------------------------------------------------------------------------

_layer("upsample_nearest", lambda: nn.Upsample(scale_factor=2), 1, 3, 4, 5)
_layer("upsample_nearest_size", lambda: nn.Upsample(size=(7, 9)), 1, 2, 4, 5)
_layer("upsample_nearest1d", lambda: nn.Upsample(scale_factor=3), 1, 2, 5)
_layer("upsample_bilinear", lambda: nn.Upsample(scale_factor=2, mode="bilinear"), 1, 3, 4, 5)
_layer(
    "upsample_bilinear_corners",
    lambda: nn.Upsample(size=(7, 9), mode="bilinear", align_corners=True),
    1, 2, 4, 5,
)  # fmt: skip
_layer("upsample_linear", lambda: nn.Upsample(scale_factor=2, mode="linear"), 1, 3, 7)
_layer("upsample_bicubic", lambda: nn.Upsample(scale_factor=2, mode="bicubic"), 1, 2, 4, 5)
_layer("upsample_trilinear", lambda: nn.Upsample(scale_factor=2, mode="trilinear"), 1, 1, 2, 3, 4)
_function("downsample_bilinear", lambda x: F.interpolate(x, (3, 4), mode="bilinear"), (1, 2, 7, 9))
_function("grid_sample", lambda x, g: F.grid_sample(x, g.tanh(), align_corners=False),
          (1, 2, 5, 6), (1, 3, 4, 2))  # fmt: skip

# --- element-wise -----------------------------------------------------------------------------

_function(
    "arithmetic", lambda x, y: (x + y, x - 2 * y, x * y, x / (y.abs() + 1), -x), (3, 5), (3, 5)
)
_function("broadcast_scalar", lambda x, y: x + y * 2.5, (3, 5, 1), (7,))
_function("exp_log", lambda x: (torch.exp(x), torch.log(x.abs() + 1), torch.log1p(x.abs())), (3, 7))
_function("exp2_log2", lambda x: (torch.exp2(x), torch.log2(x.abs() + 1), torch.expm1(x)), (3, 7))
_function("powers", lambda x: (x**2, x**3, x.abs() ** 0.5, x.abs().rsqrt(), x.abs().sqrt()), (3, 7))
_function("trigonometric", lambda x: (x.sin(), x.cos(), x.tan(), x.atan(), x.sinh()), (3, 7))
_function("arc", lambda x: (x.tanh().asin(), x.tanh().acos(), x.tanh().atanh()), (3, 7))
_function("atan2", torch.atan2, (3, 7), (3, 7))
_function("rounding", lambda x: (x.floor(), x.ceil(), (3 * x).round(), x.trunc(), x.frac()), (3, 7))
_function("abs_sign", lambda x: (x.abs(), x.sign(), x.neg(), x.square(), x.reciprocal()), (3, 7))
_function("clamp", lambda x: (x.clamp(-0.5, 0.7), x.clamp(min=0.1), x.clamp_max(0.3)), (3, 7))
_function("clamp_tensor", torch.clamp, (3, 7), (7,), (3, 1))
_function("min_max", lambda x, y: (torch.minimum(x, y), torch.maximum(x, y)), (3, 7), (3, 7))
_function("remainder", lambda x, y: (x % 0.7, torch.fmod(x, 0.7), x // 0.3), (3, 7), (3, 7))
_function("erf", lambda x: (torch.erf(x), torch.erfc(x)), (3, 7))
_function("lerp", lambda x, y: torch.lerp(x, y, 0.3), (3, 7), (3, 7))
_function("addcmul", lambda a, b, c: torch.addcmul(a, b, c, value=0.5), (3, 7), (3, 7), (3, 7))
_function("addcdiv", lambda a, b, c: torch.addcdiv(a, b, c.abs() + 1), (3, 7), (3, 7), (3, 7))
_function("where", lambda x, y: torch.where(x > y, x, 2 * y), (3, 7), (3, 7))
_function("masked_fill", lambda x: x.masked_fill(x > 0.3, -1.0), (3, 7))
_function("nan_to_num", lambda x: torch.nan_to_num(x / x.relu(), 7.0, 8.0, -8.0), (3, 7))
_function("is_finite", lambda x: (torch.isfinite(x), torch.isnan(x), torch.isinf(x)), (3, 7))

# --- reductions, scans, ordering --------------------------------------------------------------

_function("sums", lambda x: (x.sum(), x.sum(1), x.sum((0, 2), keepdim=True)), (2, 3, 5))
_function("means", lambda x: (x.mean(), x.mean(-1), x.mean((1, 2))), (2, 3, 5))
_function("variance", lambda x: (x.var(1), x.std(2), x.var(0, correction=0)), (2, 3, 5))
_function("extremes", lambda x: (x.amax(1), x.amin((0, 2)), x.max(), x.min()), (2, 3, 5))
_function("max_with_indices", lambda x: (*x.max(1), *x.min(2)), (2, 3, 5))
_add("extremes_nan", lambda: (lambda x: (x.amax(1), x.amin(1), x.amax(0)),
    (torch.where(torch.eye(3, 157).bool(), torch.nan, torch.randn(3, 157)),)))  # fmt: skip
_function("arg_max_min", lambda x: (x.argmax(1), x.argmin(-1), x.argmax()), (2, 3, 5))
_function("product", lambda x: (x.prod(1), x.prod()), (2, 3, 5))
_function("norms", lambda x: (x.norm(), x.norm(dim=1), x.norm(p=1, dim=2)), (2, 3, 5))
_function("logsumexp", lambda x: torch.logsumexp(x, 1), (3, 7))
_function("any_all", lambda x: ((x > 1).any(1), (x > -1).all(0), (x > 9).any()), (3, 7))
_function("cumsum", lambda x: (x.cumsum(1), x.cumsum(0)), (3, 7))
_function("cumprod", lambda x: x.cumprod(1), (3, 7))
_function("topk", lambda x: torch.topk(x, 3, 1), (3, 9))
_function("topk_smallest", lambda x: torch.topk(x, 2, 0, largest=False), (5, 3))
_function("sort", lambda x: torch.sort(x, 1, descending=True), (3, 9))
_function("argsort", lambda x: torch.argsort(x, 0), (7, 3))
_function("elements", lambda x: (x[3], x[1:][4] * 2, x[6] + x[2:4]), (8,))
_function("median_of_all", lambda x: x.median(), (4, 7))
_function("kthvalue", lambda x: torch.kthvalue(x, 3, 0), (7, 5))
_function("kthvalue_keepdim", lambda x: torch.kthvalue(x, 5, keepdim=True), (3, 6))
_function("mse_loss", F.mse_loss, (3, 7), (3, 7))
_function("cosine_similarity", F.cosine_similarity, (3, 7), (3, 7))
_function("cdist", torch.cdist, (3, 5), (4, 5))
_add("cross_entropy", lambda: (F.cross_entropy, (torch.randn(5, 7), _integers(0, 7, 5))))

# --- element types ----------------------------------------------------------------------------

_add("int64", lambda: (lambda x, y: (x + y, x * 3 - y, x // 4, x % 5),
     (_integers(-99, 99, 3, 7), _integers(-99, 99, 3, 7))))  # fmt: skip
_add("int32", lambda: (lambda x, y: (x * y, torch.maximum(x, y), x.sum(1)),
     tuple(_integers(-99, 99, 3, 7, dtype=torch.int32) for _ in range(2))))  # fmt: skip
_add("int16_int8", lambda: (lambda x, y: (x + 1, y - 2, x + y),
     (_integers(-99, 99, 7, dtype=torch.int16),
      _integers(-50, 50, 7, dtype=torch.int8))))  # fmt: skip
_add(
    "uint8_image",
    lambda: (lambda x: x.float() / 255 - 0.5, (_integers(0, 256, 1, 3, 5, 4, dtype=torch.uint8),)),
)
_add(
    "uint8_arithmetic",
    lambda: (
        lambda x, y: (x + y, x * 3, x // 3, x >> 1, x > y, x == 250, x.sum(), x.max(1), x % 7),
        tuple(_integers(100, 256, 3, 7, dtype=torch.uint8) for _ in range(2)),
    ),
)
_add("bit_operations", lambda: (lambda x, y: (x & y, x | y, x ^ y, ~x, x << 2, x >> 1),
     (_integers(0, 99, 7), _integers(0, 99, 7))))  # fmt: skip
_add("bool", lambda: (lambda x, y: (x & y, x | ~y, x ^ y, x.float(), x.sum()),
     (_integers(0, 2, 3, 7) > 0, _integers(0, 2, 3, 7) > 0)))  # fmt: skip
_function("compare", lambda x, y: (x < y, x <= y, x == y, x != y, x > 0.5, x >= 0), (3, 7), (3, 7))
_add("compare_int", lambda: (lambda x, y: (x < y, x == y, x >= 2),
     (_integers(0, 4, 3, 7), _integers(0, 4, 3, 7))))  # fmt: skip
_add("casts", lambda: (lambda x: (x.int(), x.long(), x.double(), x.bool(), x.half()),
     (3 * torch.randn(3, 7),)))  # fmt: skip
_add("float64", lambda: (nn.Linear(5, 3).double(), (torch.randn(2, 5, dtype=torch.float64),)))
_add("float16", lambda: (nn.Linear(5, 3).half(), (torch.randn(2, 5).half(),)))
_add("bfloat16", lambda: (nn.Linear(5, 3).bfloat16(), (torch.randn(2, 5).bfloat16(),)))
_add("mixed_types", lambda: (lambda x, i: x * i + i, (torch.randn(3, 5), _integers(0, 9, 3, 5))))

# --- shapes of the signature ------------------------------------------------------------------


class _Nested(nn.Module):
    """Nested containers in and out, a constant and a passed-through input among the outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(5, 3)

    def forward(self, inputs: dict[str, Tensor], pair: tuple[Tensor, list[Tensor]]) -> object:
        x, (y, (z,)) = inputs["x"], pair
        return {"sum": self.layer(x) + y, "rest": [z, (z * 2, None, 3)]}, inputs["x"]


_add("nested", lambda: (_Nested(), (
    {"x": torch.randn(2, 5)}, (torch.randn(2, 3), [torch.randn(4)]))))  # fmt: skip
_add("scalar_argument", lambda: (lambda x, n, s: x[:n] * s, (torch.randn(5, 3), 2, 0.5)))
_add("unused_input", lambda: (lambda x, y: y + 1, (torch.randn(2, 3), torch.randn(5))))
_add("constant_output", lambda: (lambda x: (x + 1, torch.arange(5)), (torch.randn(3),)))
_add("rank_0", lambda: (lambda x, y: x * y, (torch.tensor(2.5), torch.tensor(3.5))))
_function("same_output_twice", lambda x: (x.relu(), x.relu(), x), (3, 5))


class _Buffers(nn.Module):
    """A float table, a boolean mask and an anonymous constant next to a shared parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("table", torch.randn(5, 7))
        self.register_buffer("mask", torch.rand(5, 7) > 0.5, persistent=False)
        self.first = nn.Linear(7, 7)
        self.second = nn.Linear(7, 7)
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        x = self.second(self.first(x + self.table).masked_fill(self.mask, 0.5))
        return x * torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.5])


_layer("buffers_and_shared_weights", _Buffers, 5, 7)


# --- comparison -------------------------------------------------------------------------------

_TOLERANCE = {
    torch.float64: 1e-9,
    torch.float32: 1e-4,
    torch.float16: 5e-3,
    torch.bfloat16: 2e-2,
}


def assert_same(got: object, want: object, path: str = "result") -> None:
    """Compare nested results: structure, types, and values to a tolerance of the largest one."""
    if isinstance(want, Tensor):
        assert isinstance(got, Tensor), f"{path}: {got}"
        assert (got.dtype, got.shape) == (want.dtype, want.shape), path
        if not want.is_floating_point():
            assert torch.equal(got, want), f"{path}: {got} instead of {want}"
            return
        finite = want[want.isfinite()].abs()
        largest = float(finite.max()) if finite.numel() else 1.0
        tolerance = _TOLERANCE[want.dtype]
        torch.testing.assert_close(
            got, want, rtol=0, atol=tolerance * max(largest, 1e-6), equal_nan=True, msg=path
        )
    elif isinstance(want, dict):
        assert isinstance(got, dict)
        assert list(got) == list(want), path
        for key, part in want.items():
            assert_same(got[key], part, f"{path}[{key!r}]")
    elif isinstance(want, (tuple, list)):
        assert isinstance(got, list if isinstance(want, list) else tuple), path
        assert len(got) == len(want), path
        for i, (a, b) in enumerate(zip(got, want)):
            assert_same(a, b, f"{path}[{i}]")
    else:
        assert type(got) is type(want), path
        assert got == want, path
