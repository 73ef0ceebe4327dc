"""The benchmark's own parts: statistics, protocol, cases, tables. No peer is installed."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from bench import cli, inside, layers, machine, measure, results, suites, sweep, tables
from bench.case import Case, prepare
from bench.environments import HERE
from bench.peers import PEERS, WORKERS, Peer, select
from bench.summary import Spread, pooled, ratio
from bench.worker import Worker, WorkerError

import bcr

PEER = """
import os
import time
import numpy as np

def convert(case, product, threads, options):
    (product / "made.txt").write_text(options["text"])
    return {"seconds": 3.5}

class Runner:
    def __init__(self, case, product, threads, options):
        self.calls = 0
        os.write(1, b"noise that is no JSON\\n")

    def run(self):
        time.sleep(2e-4)
        self.calls += 1
        if self.calls == 13:
            raise ValueError("thirteen")

    def output(self):
        return np.arange(6, dtype=np.float32).reshape(2, 3)
"""


@pytest.fixture
def worker(tmp_path):
    file = tmp_path / "peer.py"
    file.write_text(PEER)
    worker = Worker(Peer("fake", str(file), HERE, "dense"), 1, tmp_path / "log.txt")
    yield worker
    worker.close()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    for module in (measure, results):
        monkeypatch.setattr(module, "CACHE", tmp_path)
    monkeypatch.setattr("bench.case.CACHE", tmp_path)
    return tmp_path


def test_spread_is_median_and_quartiles():
    assert Spread.of([5.0, 1.0, 2.0, 4.0, 3.0]) == Spread(3.0, 2.0, 4.0)
    assert Spread.of([7.0]) == Spread(7.0, 7.0, 7.0)
    assert pooled([[5.0, 1.0], [2.0, 4.0, 3.0]]) == Spread(3.0, 2.0, 4.0)


def test_a_drift_does_not_touch_the_ratio():
    slow = [[4.0 * drift, 4.0 * drift, 9.0 * drift] for drift in (1, 2, 3)]
    fast = [[2.0 * drift, 2.0 * drift] for drift in (1, 2, 3)]
    assert ratio(slow, fast) == Spread(2.0, 2.0, 2.0)


def test_a_worker_converts_checks_and_runs(worker, tmp_path):
    case = {"case": str(tmp_path), "product": str(tmp_path), "threads": 1}
    answer = worker.ask("convert", options={"text": "abc"}, **case)
    assert (tmp_path / "made.txt").read_text() == "abc"
    assert answer["result"] == {"seconds": 3.5}
    assert worker.ask("load", options={}, **case)["seconds"] >= 0
    worker.ask("check", path=str(tmp_path / "y.npy"))
    answer = worker.ask("run", seconds=0, least=3, warm=2)
    assert len(answer["times"]) == 3
    assert set(worker.ask("memory")) == {"peak", "steady"}
    assert "noise" in (tmp_path / "log.txt").read_text()


def test_short_calls_are_timed_a_few_at_once():
    spec = importlib.util.spec_from_file_location("serve", WORKERS / "serve.py")
    serve = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(serve)
    calls = []

    class Runner:
        def run(self):
            calls.append(len(calls))
            if slow:
                time.sleep(0.01)

    worker = serve.Worker(None)
    worker._runner = Runner()
    for slow in (False, True):
        calls.clear()
        assert len(worker.run(seconds=0, least=2, warm=3)["times"]) == 2
        at_once, left = divmod(len(calls) - 3, 2)
        assert left == 0
        assert (at_once == 1) == slow


def test_an_error_in_a_worker_reaches_the_driver_and_the_worker_lives(worker, tmp_path):
    worker.ask("load", case=str(tmp_path), product=str(tmp_path), threads=1, options={})
    with pytest.raises(WorkerError, match=r"fake: ValueError: thirteen .*log\.txt"):
        worker.ask("run", seconds=0, least=20, warm=0)
    assert len(worker.ask("run", seconds=0, least=2, warm=0)["times"]) == 2


def test_a_worker_is_stopped_between_requests(worker):
    status = Path(f"/proc/{worker._process.pid}/status").read_text()
    assert "State:\tT (stopped)" in status


def test_a_worker_that_dies_or_cannot_start_is_an_error(worker, tmp_path):
    worker._process.kill()
    with pytest.raises(WorkerError, match="ended"):
        worker.ask("memory")
    file = tmp_path / "broken.py"
    file.write_text("import no_such_runtime")
    with pytest.raises(WorkerError, match="no_such_runtime"):
        Worker(Peer("broken", str(file), HERE, "dense"), 1, tmp_path / "log.txt")


def is_alive(status: Path) -> bool:
    try:
        return "State:\tZ" not in status.read_text()
    except OSError:
        return False


def test_a_worker_does_not_outlive_its_driver(tmp_path):
    file = tmp_path / "peer.py"
    file.write_text(PEER)
    driver = f"""
import os, pathlib
from bench.peers import Peer
from bench.worker import Worker
peer = Peer("fake", {str(file)!r}, "bcr", "dense")
worker = Worker(peer, 1, pathlib.Path({str(tmp_path)!r}) / "log.txt")
print(worker._process.pid, flush=True)
os._exit(0)
"""
    tools = Path(cli.__file__).parents[1]
    done = subprocess.run(
        [sys.executable, "-c", driver],
        text=True,
        capture_output=True,
        env=os.environ | {"PYTHONPATH": str(tools)},
    )
    status = Path("/proc") / done.stdout.strip() / "status"
    end = time.monotonic() + 60
    while is_alive(status):
        assert time.monotonic() < end, "the worker still lives"
        time.sleep(0.02)


def test_each_peer_has_a_worker_file_and_a_key():
    assert all((WORKERS / peer.file).exists() for peer in PEERS)
    assert len({peer.key for peer in PEERS}) == len(PEERS)
    assert [peer.key for peer in select(["openvino", "mnn"], ["tvm"])] == ["mnn", "openvino", "tvm"]
    assert not any(peer.slow for peer in select([], []))
    with pytest.raises(KeyError, match=r"no peer nobody; there are bcr, "):
        select(["nobody"], [])


def test_difference_sees_shapes_and_nan():
    import numpy as np

    expected = np.array([1.0, -4.0], np.float32)
    assert measure.difference(np.array([1.0, -3.0], np.float32), expected) == 0.25
    assert measure.difference(np.array([[1.0, -4.0]], np.float32), expected) == float("inf")
    assert not measure.difference(np.array([1.0, np.nan], np.float32), expected) <= 1


def test_a_case_is_pruned_but_for_its_first_and_depthwise_layers(cache):
    from bench.case import make_model
    from torch import nn

    case = Case("mobilenet_v2_cifar", 4)
    assert case == Case("mobilenet_v2_cifar", 4.0)
    assert case.folder == Case("mobilenet_v2_cifar", 4.0).folder
    zeros = {
        name: float((module.weight == 0).float().mean())
        for name, module in make_model(case).named_modules()
        if isinstance(module, (nn.Conv2d, nn.Linear))
    }
    depthwise = {name for name in zeros if name.endswith("body.3") and name != "features.3.body.3"}
    depthwise |= {"features.3.body.0", "features.0"}
    assert all(zeros[name] == 0 for name in depthwise)
    assert all(0.7 < value < 0.8 for name, value in zeros.items() if name not in depthwise)


def test_ours_and_pytorch_on_a_network(cache, capsys):
    case = Case("squeeze_excite", 4)
    peers = select(["bcr", "pytorch"], [])
    comparison = measure.compare(case, peers, 1, rounds=2, seconds=0.0, units=machine.units()[:1])
    assert comparison.failures == {}
    ours, eager = comparison.find("bcr"), comparison.find("pytorch")
    assert comparison.fastest_dense is eager
    assert 0 < ours.error < 1e-4
    assert eager.error < 1e-6
    assert [len(times) for times in ours.rounds] == [2, 2]
    assert ours.memory["peak"] > 0
    assert comparison.facts == prepare(case)
    assert comparison.facts["weights"] > 2 * comparison.facts["kept"]
    text = tables.peers_table(comparison) + suites.summary([comparison])
    assert "squeeze_excite 4x, 1 thread(s)" in text
    assert "PyTorch" in text
    path = results.write("x", results.header() | results.comparison_dict(comparison))
    assert json.loads(path.read_text())["fastest_dense"] == "PyTorch"
    assert list(path.parent.iterdir()) == [path]


def test_a_wrong_peer_is_left_out(cache, tmp_path):
    file = tmp_path / "peer.py"
    file.write_text(PEER)
    wrong = Peer("wrong", str(file), HERE, "dense")
    comparison = measure.compare(Case("squeeze_excite", 4), [wrong], 1, rounds=1, seconds=0.0)
    assert comparison.timings == []
    assert "differs from PyTorch's by inf" in comparison.failures["wrong"]


def test_a_peer_that_fails_while_it_is_timed_is_left_out(cache, tmp_path):
    right = PEER.replace("self.calls = 0", "self.calls, self.case = 0, case")
    right = right.replace(
        "np.arange(6, dtype=np.float32).reshape(2, 3)", 'np.load(self.case / "expected.npy")'
    )
    for name, text in (("lasting", right.replace("== 13", "== 1000")), ("failing", right)):
        (tmp_path / f"{name}.py").write_text(text)
    peers = [Peer(n, str(tmp_path / f"{n}.py"), HERE, "dense") for n in ("failing", "lasting")]
    comparison = measure.compare(Case("squeeze_excite", 4), peers, 1, rounds=6, seconds=0.0)
    assert [timing.peer.name for timing in comparison.timings] == ["lasting"]
    assert len(comparison.timings[0].rounds) == 6
    assert "ValueError: thirteen" in comparison.failures["failing"]


def test_layers_of_networks_are_found_once():
    where = layers.convolutions(["resnet18_cifar"])
    named = {str(layer): names for layer, names in where.items()}
    assert named["3x3 3-64 32x32"] == ["resnet18_cifar:stem.0.0"]
    assert len(named["3x3 64-64 32x32"]) == 4
    assert "1x1 64-128 32x32 /2" in named


def test_a_layer_is_measured_sparse_and_dense():
    layer = layers.Layer(24, 40, (3, 3), (2, 2), (1, 1), 1, 13, 9)
    sparse, dense = layers.measure(layer, Case("layers", 4), rounds=1)
    assert (sparse.kind, dense.kind) == ("sparse", "dense")
    assert 3.9 < sparse.rate < 4.2
    assert dense.rate == 1
    # 7x5 outputs; bytes of input, output and weights, and those of the offsets of columns.
    conv = torch.nn.Conv2d(24, 40, 3, 2, 1).eval()
    exe = bcr.compile(conv, (torch.zeros(1, 24, 13, 9),), sparsity="off")
    index_bytes = exe.report().layers[0].index_bytes
    assert dense.touched == 4 * (24 * 13 * 9 + 40 * 7 * 5 + 40 * 24 * 9) + index_bytes
    assert dense.dense_gflops == pytest.approx(2e-9 * 40 * 24 * 9 * 35 / dense.seconds)
    assert sparse.stored_gflops == pytest.approx(sparse.dense_gflops / sparse.rate)
    text = layers.table([sparse, dense], {layer: ["a", "b"]}, machine.units()[0], 100.0, "T")
    assert "3x3 24-40 13x9 /2" in text


def test_a_sweep_compares_the_layers_of_two_compilations():
    points = sweep.measure(Case("squeeze_excite", 4), threads=1, rounds=1, priority=False)
    assert {point.verdict for point in points} >= {"picked", "dense"}
    assert all(point.auto > 0 and point.dense > 0 for point in points)
    slow = sweep.Point("n", 4, "slow", "picked", 2.0e-5, 1.5e-5)
    fast = sweep.Point("n", 4, "fast", "picked", 1.5e-5, 4.5e-5)
    assert (slow.slower, fast.slower) == (True, False)
    assert not sweep.Point("n", 4, "tiny", "picked", 9e-7, 5e-7).slower
    assert not sweep.Point("n", 4, "same code", "dense", 2.0e-5, 1.5e-5).slower
    text = sweep.table([slow, fast])
    assert "1.71x" in text
    assert "0.75x" in text
    assert "slower: n 4x slow (picked): 20.0 µs against 15.0 µs dense" in text


def test_layers_inside_a_network_are_profiled():
    unit = machine.units()[-1]
    result = inside.measure(Case("squeeze_excite", 4), "auto", threads=1, unit=unit, priority=False)
    assert result.total >= sum(row.seconds for row in result.rows)
    assert result.peak > 1
    text = inside.table(result, unit)
    assert "(everything else)" in text
    assert all(row.name in text for row in result.rows)


def test_the_machine_has_limits():
    unit = machine.units()[-1]
    assert 1 < unit.gflops(0.001) < 10_000
    assert 0.1 < unit.gigabytes(16 << 10, 0.001) < 100_000
    usable = os.sched_getaffinity(0)
    handover = unit.handover()
    assert (handover is None) == (len(usable) < 2)
    assert handover is None or 1e-9 < handover < 1
    assert os.sched_getaffinity(0) == usable


def test_processors_that_share_no_cache_are_worth_a_warning():
    comparison = measure.Comparison(Case("resnet18"), 2, {}, [], {}, {}, load=0.0)
    comparison.handovers = (6e-8, 5e-8)
    assert not comparison.warnings
    comparison.handovers = (2.2e-7, 6e-8, 2.3e-7, 2.1e-7)
    assert comparison.warnings == [
        "in 3 of 4 rounds the processors shared no cache: a cache line took 220 ns from one to the "
        "other"
    ]


def test_the_command_line_knows_its_commands(capsys):
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    text = capsys.readouterr().out
    assert all(word in text for word in ("networks", "speed", "layers", "sweep", "compile"))
