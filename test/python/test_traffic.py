"""Operations and bytes of each layer on a GPU, against counts by hand."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

import bcr
from bcr.launches import Launch
from bcr.traffic import layer_traffic
from conftest import prune


def traffic_of(model, *args, sparsity="off", **options):
    """Return the layers of a report by name."""
    exe = bcr.compile(model.eval(), args, target="opencl", sparsity=sparsity, **options)
    return exe, {layer.name: layer for layer in exe.report().layers}


def test_a_dense_1x1_convolution():
    # In place: 2 samples of 8 channels of 6x5 become 12 channels of 6x5.
    exe, layers = traffic_of(nn.Sequential(nn.Conv2d(8, 12, 1)), torch.randn(2, 8, 6, 5))
    traffic = layers["0"].traffic
    assert traffic.flops == 2 * 12 * 8 * 2 * 30
    assert traffic.weight_bytes == 4 * (12 * 8 + 12)
    assert traffic.read_bytes == 4 * 2 * 8 * 30
    assert traffic.written_bytes == 4 * 2 * 12 * 30
    assert traffic.index_bytes == layers["0"].index_bytes
    together = 4 * (108 + 480 + 720) + layers["0"].index_bytes
    assert traffic.bytes == together
    assert traffic.intensity == pytest.approx(5760 * 2 / together)
    text = str(exe.report())
    assert "FLOP/byte" in text
    assert f"{traffic.intensity:.1f}" in text
    assert exe.report().to_dict()["layers"][0]["traffic"]["flops"] == traffic.flops


def test_a_padded_copy_counts():
    # 3 channels of 7x9 are read, 3 of 9x11 written and read, 4 of 7x9 written.
    _, layers = traffic_of(nn.Sequential(nn.Conv2d(3, 4, 3, padding=1)), torch.randn(1, 3, 7, 9))
    traffic = layers["0"].traffic
    assert traffic.flops == 2 * 4 * 27 * 63
    assert traffic.read_bytes == 4 * (3 * 63 + 3 * 99)
    assert traffic.written_bytes == 4 * (3 * 99 + 4 * 63)


def test_pruned_weights_are_not_read():
    model = nn.Sequential(nn.Linear(64, 32, bias=False))
    prune(model, block=(8, 16), scheme="columns")
    exe, layers = traffic_of(model, torch.randn(1, 64), sparsity="force")
    traffic = layers["0"].traffic
    kept = int((model[0].weight != 0).sum())
    assert kept == 32 * 64 // 4
    assert traffic.flops == 2 * kept
    # A processor reads the last columns in whole vectors, and there are values for that.
    stored = traffic.weight_bytes // 4
    assert kept <= stored < kept + 16
    assert traffic.read_bytes == 4 * 64
    assert traffic.written_bytes == 4 * 32
    _, narrow = traffic_of(model, torch.randn(1, 64), sparsity="force", storage="f16")
    assert dataclasses.replace(narrow["0"].traffic, weight_bytes=4 * stored) == traffic
    assert narrow["0"].traffic.weight_bytes == 2 * stored


def test_every_step_of_a_recurrent_layer_counts():
    # 5 steps of 3 gates of 7 units, which read all recurrent weights each time.
    _, layers = traffic_of(nn.GRU(4, 7, bias=False), torch.randn(5, 2, 4))
    recurrent = next(layer for layer in layers.values() if layer.op == "gru")
    assert recurrent.shape == (21, 7)
    assert recurrent.traffic.flops == 2 * 21 * 7 * 2 * 5
    assert 5 * 4 * 21 * 7 <= recurrent.traffic.weight_bytes <= 5 * 4 * (21 * 7 + 21)


def test_where_nothing_is_known():
    linear, x = nn.Sequential(nn.Linear(8, 4)).eval(), torch.randn(1, 8)
    assert bcr.compile(linear, (x,)).report().layers[0].traffic is None
    assert "FLOP/byte" not in str(bcr.compile(linear, (x,)).report())
    exe = bcr.compile(linear, (x,), target="opencl")
    json = [step.to_json() for step in exe.program.schedule]
    old = tuple(
        Launch.from_json({k: v for k, v in step.items() if k not in ("loads", "stores")})
        for step in json
    )
    assert layer_traffic(dataclasses.replace(exe.program, schedule=old)) == {}
    assert tuple(map(Launch.from_json, json)) == exe.program.schedule
