"""Converters that need PyTorch, in an environment of their own; nothing here is timed."""

import json
import os
import subprocess
import sys

import numpy as np


def to_onnx(case, product):
    import torch

    model = torch.export.load(case / "model.pt2").module()
    x = torch.from_numpy(np.load(case / "input.npy"))
    with torch.no_grad():
        torch.onnx.export(
            model, (x,), product / "model.onnx", dynamo=False, opset_version=17,
            # An exported program is in eval mode for good and refuses to be told so.
            training=torch.onnx.TrainingMode.PRESERVE,
            input_names=["input"], output_names=["output"],
        )  # fmt: skip


def to_tflite(case, product):
    import litert_torch
    import torch

    model = torch.export.load(case / "model.pt2").module()
    x = torch.from_numpy(np.load(case / "input.npy"))
    litert_torch.convert(model, (x,)).export(str(product / "model.tflite"))


def to_ncnn(case, product):
    import torch

    model = torch.export.load(case / "model.pt2").module()
    trace_to_ncnn(model, (torch.from_numpy(np.load(case / "input.npy")),), product)


def trace_to_ncnn(model, inputs, product):
    import torch

    with torch.no_grad():
        torch.jit.trace(model, inputs, check_trace=False).save(product / "model.pt")
    shapes = ",".join(json.dumps(list(x.shape)).replace(" ", "") + "f32" for x in inputs)
    subprocess.run(
        [f"{sys.prefix}/bin/pnnx", "model.pt", f"inputshape={shapes}", "fp16=0"],
        cwd=product,
        check=True,
    )
    for path in product.iterdir():
        if not path.name.startswith("model.ncnn."):
            os.unlink(path)


def convert(case, product, threads, options):
    {"onnx": to_onnx, "tflite": to_tflite, "ncnn": to_ncnn}[options["format"]](case, product)
