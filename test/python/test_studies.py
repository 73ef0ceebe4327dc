"""The studies on a small slice of their data: what they train, keep, measure and show."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from studies import __main__ as command
from studies import catalogue, data, latency, plot, pool, tables, training, variation
from studies.catalogue import STUDIES
from studies.points import Point
from studies.results import Results, Summary, find, summarise
from studies.study import Job, short

import bcr
from bcr.datasets import fonts


@pytest.fixture(autouse=True)
def small_world(tmp_path, monkeypatch):
    """A cache of our own, and two of the fonts of this machine, which may have hundreds."""
    monkeypatch.setenv("BCR_CACHE", str(tmp_path / "cache"))
    where = [Path("/usr/share/fonts/truetype") / name for name in ("dejavu", "open-sans")]
    monkeypatch.setattr(fonts, "folders", lambda: where)


def jobs(study: str, network: str, *points: Point) -> list[Job]:
    plan = short(STUDIES[study].network(network).plan)
    return [Job(study, network, 0, point, plan, quick=True) for point in points]


BCR = Point("BCR 4x16", 4, "both", (4, 16))
FILTER = Point("filter", 8, "filter")


@pytest.mark.parametrize(
    ("study", "network", "classes"),
    [("digits", "SmallCNN", 10), ("glyphs", "ResNet", 62), ("glyphs", "MobileNet", 62)],
)
def test_networks(study, network, classes):
    model = STUDIES[study].network(network).make()
    assert model(torch.zeros(2, 1, 32, 32)).shape == (2, classes)
    matrices = STUDIES[study].network(network).matrices(model)
    pruned = sum(m.weight.numel() for m in matrices.values())
    every = sum(m.weight.numel() for m in model.modules() if isinstance(m, nn.Conv2d))
    assert 0.9 * every < pruned < every
    assert not any(m is model.stem[0] for m in matrices.values())


def test_the_whole_gru_is_pruned_and_compiled_as_a_loop():
    network = STUDIES["words"].network("GRU")
    model = network.make()
    config = bcr.PruneConfig(rate=4, block=(4, 8), oversize="clip")
    report = bcr.Pruner(network.matrices(model), config).finalize()
    assert [row.name.rpartition(".")[2] for row in report.rows if row.pruned] == [
        "weight_ih_l0", "weight_hh_l0", "weight_ih_l1", "weight_hh_l1",
    ]  # fmt: skip
    assert model.gru.weight_hh_l1.count_nonzero() <= model.gru.weight_hh_l1.numel() / 4 + 1
    x = torch.randn(1, *network.shape)
    exe = bcr.compile(model.eval(), (x,), verify=True)
    # Not one product for each of the steps.
    assert len(exe.report().layers) <= 2 * 2 + 1
    torch.testing.assert_close(exe(x), model(x), rtol=0, atol=1e-4)


def test_frames_are_stacked_in_order():
    words = STUDIES["words"].load(0, True)
    assert not {*words.train.sources} & {*words.test.sources}
    train, test = catalogue._frames(words)
    assert train.shape == (len(words.train), 24, 160)
    assert test.shape == (len(words.test), 24, 160)
    raw = words.test.inputs
    mean, deviation = words.train.inputs.mean((0, 1)), words.train.inputs.std((0, 1))
    np.testing.assert_allclose(test[1, 5, 80:120], (raw[1, 22] - mean) / deviation, rtol=1e-5)


@pytest.mark.parametrize(
    ("study", "network", "points"),
    [
        ("digits", "SmallCNN", [Point("dense", 1), BCR, FILTER, Point("N:M", 4, "1:4")]),
        ("words", "GRU", [BCR, Point("unstructured", 10, "unstructured")]),
    ],
)
def test_training_reaches_its_rates(study, network, points, tmp_path):
    todo = jobs(study, network, *points)
    start = training.run(todo[0].start, tmp_path)
    assert start["curve"] == "start"
    dense = torch.load(tmp_path / f"{todo[0].start.key()}.pt", weights_only=True)
    for job in todo:
        entry = training.run(job, tmp_path)
        assert 0 <= entry["accuracy"] <= 1
        assert 0 <= entry["validation"] <= 1
        assert entry["reached"] == pytest.approx(job.point.rate, rel=0.02)
        model = STUDIES[study].network(network).make()
        state = torch.load(tmp_path / f"{job.key()}.pt", weights_only=True)
        model.load_state_dict(state)
        matrices = STUDIES[study].network(network).matrices(model)
        weights = [p for p in matrices.parameters() if p.dim() > 1]
        kept = sum(int(w.count_nonzero()) for w in weights)
        whole = sum(w.numel() for w in weights)
        assert whole / kept == pytest.approx(job.point.rate, rel=0.02)
        # Trained on after pruning.
        assert any(not torch.equal(state[name], dense[name]) for name in state)


def test_jobs_have_their_own_keys_and_share_their_start():
    one, two = jobs("digits", "SmallCNN", BCR, FILTER)
    longer = replace(one, plan=replace(one.plan, retraining=9))
    other = replace(one, seed=1)
    assert len({j.key() for j in (one, two, longer, other, one.start)}) == 5
    assert one.start == two.start == longer.start
    assert one.start != other.start


def test_command_goes_on_where_it_stopped(tmp_path, capsys, monkeypatch):
    class Here:
        """A pool of no processes, which would take seconds to start."""

        def __init__(self, *args, **kwargs):
            pass

        def submit(self, function, *args):
            from concurrent.futures import Future

            future = Future()
            future.set_result(function(*args))
            return future

        def shutdown(self, **kwargs):
            pass

    monkeypatch.setattr(pool, "ProcessPoolExecutor", Here)
    monkeypatch.setattr(latency, "ROUNDS", 2)
    arguments = ["digits", "--quick", "--seeds", "1", "--output", str(tmp_path)]
    command.main([*arguments, "--rates", "8", "--curves", "filter", "--compile-only"])
    stored = json.loads((tmp_path / "digits-quick-SmallCNN.json").read_text())
    assert len(stored["runs"]) == 3  # the start, the dense network, one pruned
    assert not stored["latency"]
    assert len(list((tmp_path / "weights").glob("*.bcr"))) == 2
    capsys.readouterr()

    ran = []
    run = training.run
    monkeypatch.setattr(training, "run", lambda job, *rest: ran.append(job) or run(job, *rest))
    command.main([*arguments, "--rates", "8", "--curves", "filter", "BCR 8x36"])
    assert [job.point.curve for job in ran] == ["BCR 8x36"]
    stored = json.loads((tmp_path / "digits-quick-SmallCNN.json").read_text())
    assert len(stored["runs"]) == 4
    assert len(stored["latency"]) == 3
    assert all(entry["seconds"] > 0 for entry in stored["latency"].values())
    printed = capsys.readouterr().out
    assert "SmallCNN: accuracy" in printed
    assert "SmallCNN: latency" in printed
    assert "BCR 8x36" in printed
    assert "filter" in printed  # trained by the run before
    assert (tmp_path / "digits-quick.png").read_bytes()[:4] == b"\x89PNG"


def test_a_part_is_shown_among_what_was_trained_before(tmp_path, monkeypatch):
    stored = {"ResNet": ("dense", "filter", "N:M"), "MobileNet": ("dense", "BCR 8x16")}
    for network, curves in stored.items():
        results = Results(tmp_path / f"glyphs-{network}.json")
        found = STUDIES["glyphs"].network(network)
        for point in found.points:
            if point.curve in curves and point.rate in (1, 4):
                entry = {"accuracy": 0.9, "validation": 0.9, "reached": point.rate}
                results.add(Job("glyphs", network, 0, point, found.plan), entry)
    trained, drawn = [], []
    monkeypatch.setattr(command, "run_all", lambda jobs, *rest: trained.extend(jobs))
    monkeypatch.setattr(plot, "draw", lambda title, networks, *rest: drawn.append(networks))
    arguments = ["--networks", "MobileNet", "--curves", "filter", "--rates", "4", "--seeds", "2"]
    command.main(["glyphs", *arguments, "--no-latency", "--output", str(tmp_path)])
    assert {job.network for job in trained} == {"MobileNet"}
    assert {job.point.curve for job in trained} == {"dense", "filter"}
    shown = {name: tuple(s.point.curve for s in part) for name, part in drawn[0].items()}
    assert shown == stored


def test_summaries_and_verdicts(tmp_path):
    network = STUDIES["glyphs"].network("MobileNet")
    chosen = [p for p in network.points if p.rate in (1, 2, 8)]
    results = Results(tmp_path / "r.json")
    accuracy = {"dense": 0.90, "BCR 4x8": 0.896, "BCR 8x16": 0.88, "unstructured": 0.907,
                "filter": 0.7, "filter, by layer": 0.6, "N:M": 0.88}  # fmt: skip
    todo = []
    for seed in range(3):
        for point in chosen:
            job = Job("glyphs", "MobileNet", seed, point, network.plan)
            value = accuracy[point.curve] + 0.01 * (seed - 1)
            # Validation likes the other block better at 2x.
            shown = value - 0.05 * (point.curve == "BCR 4x8" and point.rate == 2)
            results.add(job, {"accuracy": value, "validation": shown, "reached": point.rate})
            todo.append(job)
    results.latency[todo[0].key()] = {"seconds": 2e-4}
    results.write()
    found = summarise(Results(tmp_path / "r.json"), network, todo)
    assert [s.point for s in found] == chosen
    best = find(found, "BCR 4x8", 8)
    assert best.mean == pytest.approx(0.896)
    assert best.spread == pytest.approx(0.01)
    assert find(found, "dense", 1).seconds == 2e-4
    text = tables.bars_table(network, found, (8, 0.5))
    row = next(line for line in text.splitlines() if line.strip().startswith("8x"))
    assert row.split() == ["8x", "BCR", "4x8", "-0.40", "-1.10", "NO", "+19.60", "yes", "yes"]
    row = next(line for line in text.splitlines() if line.strip().startswith("2x"))
    assert row.split()[:4] == ["2x", "BCR", "8x16", "-2.00"]
    assert "88.00 ±1.00" in tables.accuracy_table(network, found)
    worse = [
        replace(s, accuracies=(0.8,), validation=(0.8,)) if s.point.block is not None else s
        for s in found
    ]
    row = next(
        line
        for line in tables.bars_table(network, worse, (8, 0.5)).splitlines()
        if line.strip().startswith("8x")
    )
    assert row.split()[-1] == "NO"


def test_picture_of_what_is_there(tmp_path):
    summaries = [
        Summary(Point("dense", 1), (0.9,), (0.9,), 1, None),
        Summary(BCR, (0.8, 0.82), (0.8, 0.8), 4, 1e-4),
    ]
    path = plot.draw("title", {"one": summaries, "two": summaries[:1]}, "image", tmp_path / "p.png")
    assert path.stat().st_size > 5000


def test_data_sets_are_split_by_source():
    glyphs = STUDIES["glyphs"].load(0, True)
    assert not {*glyphs.train.sources} & {*glyphs.test.sources}
    parts = data.load(STUDIES["glyphs"], 0, True)
    inputs = parts.train.inputs
    assert inputs.shape == (len(parts.train), 1, 32, 32)
    assert inputs.dtype == torch.uint8
    assert len(parts.train) + len(parts.validation) == len(glyphs.train)
    assert len(parts.test) == len(glyphs.test)
    x = STUDIES["glyphs"].feed(parts.test.inputs[:3])
    assert x.dtype == torch.float32
    assert -0.51 < x.min() < x.max() < 1.6


def test_validation_is_of_sources_of_its_own():
    sources = np.array(list("aabbbcdeefgh"))
    labels = np.arange(len(sources)) % 3
    held = data._held_out(sources, labels, 5)
    assert 0 < held.sum() < len(held)
    assert not {*sources[held]} & {*sources[~held]}
    assert len({*sources[held]}) == round(data.VALIDATION * 8)
    unknown = data._held_out(np.full(40, ""), np.repeat([0, 1], 20), 5)
    assert [int(unknown[:20].sum()), int(unknown[20:].sum())] == [3, 3]
    assert not np.array_equal(unknown, data._held_out(np.full(40, ""), np.repeat([0, 1], 20), 6))


def test_parts_of_sounds_are_blanked():
    plan = replace(STUDIES["words"].network("GRU").plan, shift=0, masked=(10, 4))
    torch.manual_seed(0)
    x = variation.vary(torch.ones(200, 24, 160), plan).view(200, 24, 4, 40)
    frames, bands = (x.sum((2, 3)) == 0).sum(1), (x.sum((1, 2)) == 0).sum(1)
    assert (frames.min(), frames.max()) == (0, 4)
    assert (bands.min(), bands.max()) == (0, 10)
    # A band is blank in each frame of a step.
    assert torch.equal(x[:, :, 0], x[:, :, 3])
    still = replace(plan, masked=(0, 0))
    assert torch.equal(variation.vary(torch.ones(2, 24, 160), still), torch.ones(2, 24, 160))


def test_a_teacher_is_followed():
    wanted = torch.tensor([[2.0, -1.0, 0.5]])
    scores = torch.zeros(1, 3, requires_grad=True)
    for _ in range(200):
        (gradient,) = torch.autograd.grad(training._distance(scores, wanted), scores)
        scores = (scores - 0.5 * gradient).detach().requires_grad_()
    shifted = scores - scores.mean()
    torch.testing.assert_close(shifted, wanted - wanted.mean(), rtol=0, atol=1e-2)


def test_points_are_compared_over_the_seeds_that_both_have():
    one = Summary(BCR, (0.7, 0.8, 0.9), (), 4, None, (0, 1, 2))
    other = Summary(FILTER, (0.85, 0.6), (), 8, None, (2, 0))
    assert one.above(other) == pytest.approx((0.05 + 0.1) / 2)
    assert other.above(one) == pytest.approx(-0.075)
    assert np.isnan(one.above(replace(other, seeds=(3, 4))))


def test_the_margin_over_filters_has_to_grow():
    def rows(*margins):
        summaries = [Summary(Point("dense", 1), (0.9,), (0.9,), 1, None)]
        for rate, margin in zip((2, 4, 8, 16), margins):
            summaries += [
                Summary(Point("BCR 4x8", rate, "both", (4, 8)), (0.8,), (0.8,), rate, None),
                Summary(Point("filter", rate, "filter"), (0.8 - margin,), (0.8,), rate, None),
            ]
        network = STUDIES["glyphs"].network("MobileNet")
        lines = tables.bars_table(network, summaries, (8, 0.5)).splitlines()
        return [line.split()[5] for line in lines if line.strip()[:2] in ("4x", "8x", "16")]

    assert rows(0.2, 0.01, 0.02, 0.03) == ["yes", "yes", "yes"]
    assert rows(0.0, 0.02, 0.01, 0.03) == ["yes", "NO", "yes"]
    assert rows(0.0, -0.01, 0.01, 0.0) == ["NO", "yes", "NO"]


def test_bcr_is_compared_with_the_better_way_to_prune_filters():
    def margin(ranked, by_layer):
        summaries = [
            Summary(Point("dense", 1), (0.9,), (0.9,), 1, None),
            Summary(Point("BCR 4x8", 8, "both", (4, 8)), (0.8,), (0.8,), 8, None),
            Summary(Point("filter", 8, "filter"), (0.5,), (ranked,), 8, None),
            Summary(Point("filter, by layer", 8, "filter", None, "layer"), (0.7,), (by_layer,), 8,
                    None),
        ]  # fmt: skip
        table = tables.bars_table(STUDIES["digits"].networks[0], summaries, (8, 0.5))
        return next(line.split()[4] for line in table.splitlines() if line.strip()[:2] == "8x")

    assert margin(0.4, 0.6) == "+10.00"
    assert margin(0.6, 0.4) == "+30.00"
