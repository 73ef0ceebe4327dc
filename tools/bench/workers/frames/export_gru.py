"""Converters that need PyTorch, in an environment of their own; nothing here is timed."""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

sys.path.append(str(Path(__file__).parents[1]))
from export import trace_to_ncnn


class Layers(nn.Module):
    """pnnx knows a GRU by its being a module of a module."""

    def __init__(self, rnn):
        super().__init__()
        self.rnn = rnn

    def forward(self, x, h):
        return self.rnn(x, h)


def to_onnx(model, inputs, product):
    torch.onnx.export(
        model, inputs, product / "model.onnx", dynamo=False, opset_version=17,
        input_names=["x", "h"], output_names=["y", "after"],
    )  # fmt: skip


def to_tflite(model, inputs, product):
    import litert_torch

    litert_torch.convert(model, inputs).export(str(product / "model.tflite"))


def convert(case, product, threads, options):
    model = Layers(torch.load(case / "gru.pt", weights_only=False)).eval()
    frames = torch.from_numpy(np.load(case / "frames.npy")[0])
    writers = {"onnx": to_onnx, "tflite": to_tflite, "ncnn": trace_to_ncnn}
    with torch.no_grad():
        writers[options["format"]](model, (frames, torch.zeros(2, 1, 1024)), product)
