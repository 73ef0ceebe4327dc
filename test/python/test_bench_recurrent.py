"""The benchmark of recurrent networks: its pruning, its CSR and its tables."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import bcr

TOOLS = Path(__file__).parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

from bench import recurrent, recurrent_tables, rtmobile  # noqa: E402
from bench.measure import Timing  # noqa: E402


def load_worker(name):
    spec = importlib.util.spec_from_file_location(name, TOOLS / f"bench/workers/frames/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("rate", [10, 103])
def test_two_steps_prune_whole_rows_and_columns_of_blocks(rate):
    weight = torch.ones(384, 256)
    row_rate, height = recurrent.STEPS[rate]
    recurrent.prune(weight, rate, row_rate, height)
    assert weight.numel() / int(weight.count_nonzero()) == pytest.approx(rate, rel=0.15)
    for rows in weight.split(height):
        kept = rows.any(1)
        assert int(kept.sum()) == round(height / row_rate)
        for block in rows.split(64, dim=1):
            columns = block.any(0)
            assert torch.equal(block != 0, kept[:, None] & columns[None])


def test_the_equations_on_csr_are_those_of_torch():
    torch.manual_seed(1)
    model = nn.GRU(5, 9, 2).eval()
    for parameter in model.parameters():
        parameter.detach()[..., ::3] = 0
    run = load_worker("torch_gru").sparse_gru(model)
    h = want_h = torch.randn(2, 1, 9)
    with torch.no_grad():
        for _ in range(3):
            x = torch.randn(4, 1, 5)
            y, h = run(x, h)
            want, want_h = model(x, want_h)
            torch.testing.assert_close(y, want)
            torch.testing.assert_close(h, want_h)


def test_a_runner_keeps_its_state_and_starts_again_for_its_output(tmp_path):
    base = load_worker("frame_runner")
    np.save(tmp_path / "frames.npy", np.arange(6, dtype=np.float32).reshape(3, 2, 1, 1))

    class Sum(base.FrameRunner):
        def load(self, case, product, threads, options):
            pass

        def reset(self):
            self._sum = 0.0

        def step(self, x):
            self._sum += x.sum()

        def result(self):
            return np.full((2, 1, 1), self._sum)

    runner = Sum(tmp_path, tmp_path, 1, {})
    runner.run()
    runner.run()
    assert runner.output()[:, 0, 0, 0].tolist() == [1, 6, 15]


def timing(name, kind, seconds, later=None):
    rounds = [[seconds] * 3, [later or seconds] * 2]
    return Timing(recurrent.Peer(name, "", "", kind), rounds=rounds)


def test_tables_have_ratios_and_shares():
    dense = [timing("Slow", "dense", 900e-6), timing("Fast", "dense", 600e-6)]
    ours = timing("bcr", "ours", 50e-6, 100e-6)
    point = recurrent.Point(
        10, 12.0, 3_000_000, ours, timing("CSR", "sparse", 450e-6), [80.0, 40.0]
    )
    result = recurrent.Result(1, [point], dense, {"Other": "why not"}, 0.0)
    row = next(r for r in recurrent_tables.rates_table(result).splitlines() if "10x" in r)
    # 600 / 50 and 600 / 100; 3 MB in 50 us are 60 GB/s of 80, in 100 us 30 of 40.
    assert row.split()[1:2] == ["12.0x"]
    assert row.split()[-7:] == ["50.0", "9.0x", "0.75", "450.0", "60", "60", "75%"]
    peers = recurrent_tables.peers_table(result)
    assert peers.index("Fast") < peers.index("Slow") < peers.index("why not")
    assert json.loads(json.dumps(recurrent.to_dict(result)))["fastest_dense"] == "Fast"


def test_an_account_adds_up():
    account = recurrent_tables.Account(29, total=16e-6, code=14e-6, cells=2e-6, memory=9e-6)
    table = recurrent_tables.accounts_table([account])
    row = next(line for line in table.splitlines() if "29x" in line)
    assert row.split() == ["29x", "16.0", "2.0", "2.0", "9.0", "3.0"]


@pytest.mark.parametrize("rate", rtmobile.PUBLISHED)
def test_published_times_and_speeds_agree(rate):
    row = rtmobile.PUBLISHED[rate]
    for microseconds, speed in ((row.gpu_us, row.gpu_gops), (row.cpu_us, row.cpu_gops)):
        # Every figure is rounded: operations to 1e5, times and speeds to a hundredth.
        least = 1e6 * (row.gop - 5e-5) / (microseconds + 5e-3) - 5e-3
        most = 1e6 * (row.gop + 5e-5) / (microseconds - 5e-3) + 5e-3
        assert least <= speed <= most
    assert row.gop == pytest.approx(rtmobile.PUBLISHED[1].gop / rate, abs=3e-3)


def test_published_and_measured_stand_side_by_side():
    assert rtmobile.PUBLISHED.keys() == recurrent.STEPS.keys()
    gru = nn.GRU(recurrent.FEATURES, recurrent.UNITS, recurrent.LAYERS)
    assert sum(p.numel() for p in gru.parameters() if p.dim() == 2) == rtmobile.WEIGHTS
    point = recurrent.Point(10, 12.0, 1, timing("bcr", "ours", 50e-6), None, [80.0])
    table = rtmobile.table(recurrent.Result(1, [point], [], {}, 0.0))
    row = next(line for line in table.splitlines() if "10x" in line)
    # 2 * 9.557 million / 12 in 50 us.
    assert row.split() == ["10x", "0.0580", "495.3", "1210.2", "117.1", "47.9", "50.0", "31.9"]
    assert "operations of 30 steps" in table


def test_products_and_equations_are_told_apart_by_their_divisions():
    from bench.aarch64.recurrent import find_loops_of_step

    inputs = torch.zeros(1, 1, 8), torch.zeros(1, 1, 32)
    exe = bcr.compile(nn.GRU(8, 32).eval(), inputs, target="cortex-a76")
    loops = find_loops_of_step(exe.program.code)
    assert loops["products"].multiply_adds >= 4
    assert not any("fdiv" in text for text in loops["products"].instructions)
    assert sum("fdiv" in text for text in loops["equations"].instructions) == 3
