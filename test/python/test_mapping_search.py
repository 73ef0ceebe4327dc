"""The search by trials: what it finds, going on, sharing a study, stopping, and its plot."""

import subprocess
import sys
from pathlib import Path

import optuna
import pytest
import torch

import bcr
from bcr.mapping import Budget, accuracy_on, allocate, plot_front, recipe, search
from bcr.mapping.optuna_search import SearchResult, Trial
from mapping_harness import Formula, make_net

OPTIONS = {"blocks": [(4, 8)], "rates": [2, 4, 8], "progress": False}
BOUND = 2e-5


def accuracy(model):
    """Falls with the weights that `point` and `hidden` lose, most with those of `hidden`."""
    lost = [float((m.weight == 0).double().mean()) for m in (model.hidden, model.point)]
    return 1 - 0.5 * lost[0] - 0.1 * lost[1]


def run(evaluate=accuracy, latency=BOUND, **options):
    net, x = make_net()
    return search(net, x, evaluate, latency, **{"source": Formula(), **OPTIONS, **options})


def test_a_search_is_better_than_its_first_guess_and_meets_the_bound():
    result = run(trials=25)
    assert len(result.trials) == 25
    assert all(trial.latency <= BOUND for trial in result.trials)
    # Energy says nothing of what this accuracy depends on; the trials find out.
    net, x = make_net()
    guess = allocate(net, x, Budget(latency=BOUND), source=Formula(), **OPTIONS)
    bcr.Pruner(net, guess.config).finalize()
    assert result.best.accuracy > accuracy(net) + 0.02
    assert result.dense == (1.0, pytest.approx(guess.before))
    again, _ = make_net()
    bcr.Pruner.from_yaml(again, recipe(result.config())).finalize()
    assert accuracy(again) == pytest.approx(result.best.accuracy)
    assert result.allocation().config == result.config()
    assert result.allocation().after == pytest.approx(result.best.latency)


def test_the_first_trial_is_what_allocate_finds():
    net, x = make_net()
    guess = allocate(net, x, Budget(latency=BOUND), source=Formula(), **OPTIONS)
    first = next(trial for trial in run(trials=3).trials if trial.number == 0)
    assert first.choices == {layer.name: layer.choice for layer in guess.layers}


def test_the_model_is_left_alone_and_training_keeps_the_zeros():
    net, x = make_net()
    before = [p.detach().clone() for p in net.parameters()]
    zeros = []

    def train(model):
        model.train()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        masks = {n: p == 0 for n, p in model.named_parameters()}
        for _ in range(2):
            model(x[0]).square().sum().backward()
            optimizer.step()
        zeros.append(all(bool((p[masks[n]] == 0).all()) for n, p in model.named_parameters()))
        yield 0.5

    search(net, x, train, BOUND, trials=2, source=Formula(), **OPTIONS)
    assert all(zeros)
    assert all(torch.equal(a, b) for a, b in zip(before, net.parameters()))


def test_a_search_goes_on_where_it_ended(tmp_path):
    calls = []

    def counted(model):
        calls.append(1)
        return accuracy(model)

    storage = tmp_path / "study.db"
    first = run(counted, trials=4, storage=storage)
    assert len(first.trials) == 4
    so_far = len(calls)
    second = run(counted, trials=9, storage=storage)
    assert len(second.trials) == 9
    assert second.trials[:4] == first.trials
    # The dense model is not evaluated again, nor is a network that was there before.
    assert len(calls) - so_far <= 5
    assert len(run(counted, trials=9, storage=storage).trials) == 9
    assert len(calls) - so_far <= 5


def test_a_study_of_another_problem_is_refused(tmp_path):
    run(trials=1, storage=tmp_path / "s.db")
    with pytest.raises(bcr.ConfigError, match="is one of other layers, schemes or blocks"):
        run(trials=2, storage=tmp_path / "s.db", rates=[2, 4])
    assert len(run(trials=1, storage=tmp_path / "s.db", rates=[2, 4], name="other").trials) == 1


def test_trials_that_fall_behind_are_stopped():
    def epochs(model):
        final = accuracy(model)
        for epoch in range(1, 4):
            steps.append(epoch)
            yield final - 1 / epoch

    steps = []
    pruner = optuna.pruners.MedianPruner(n_startup_trials=2)
    result = run(epochs, trials=15, pruner=pruner)
    assert 0 < result.stopped < 15
    assert len(result.trials) + result.stopped == 15
    assert steps.count(3) < steps.count(1)
    assert f"{result.stopped} stopped early" in str(result)


def test_several_bounds_make_a_front():
    result = run(latency=[1.5e-5, 2e-5, 3e-5], trials=4)
    assert len(result.trials) == 12
    front = result.front
    assert len({trial.bound for trial in result.trials}) == 3
    assert [t.latency for t in front] == sorted(t.latency for t in front)
    assert [t.accuracy for t in front] == sorted(t.accuracy for t in front)
    for trial in result.trials:
        assert any(t.latency <= trial.latency and t.accuracy >= trial.accuracy for t in front)
    assert result.best_within(2e-5).latency <= 2e-5
    with pytest.raises(bcr.ConfigError, match="no trial is predicted to take 1.0 µs or less"):
        result.best_within(1e-6)


def test_of_equal_trials_the_front_has_the_fastest():
    trials = [Trial(i, 1.0, a, t, 2.0, {}) for i, (a, t) in enumerate(
        [(0.5, 3.0), (0.9, 3.0), (0.9, 4.0), (0.2, 1.0), (0.1, 2.0)]
    )]  # fmt: skip
    result = SearchResult(tuple(trials), 0, (1.0, 9.0), "oneshot", None)
    assert [trial.number for trial in result.front] == [3, 1]
    assert result.best.number == 1
    assert result.best_within(2.5).number == 3


def test_a_bound_that_cannot_be_met_is_an_error_before_any_trial():
    with pytest.raises(bcr.ConfigError, match="the lowest latency that"):
        run(lambda model: pytest.fail("evaluated"), latency=[BOUND, 1e-6])
    with pytest.raises(bcr.ConfigError, match="a bound and a trial"):
        run(latency=[])


def test_an_evaluation_without_a_number_is_an_error():
    with pytest.raises(bcr.ConfigError, match="evaluate returned an empty iterable"):
        run(lambda model: iter(()), trials=1)


def test_accuracy_is_that_of_all_batches_so_far():
    model = torch.nn.Identity()
    scores = torch.eye(4)[torch.tensor([0, 1, 2, 3, 0])]
    batches = [(scores[:3], torch.tensor([0, 1, 0])), (scores[3:], torch.tensor([3, 1]))]
    assert list(accuracy_on(batches)(model)) == [2 / 3, 3 / 5]
    with pytest.raises(bcr.ConfigError, match="needs a batch"):
        accuracy_on([])


WORKER = """
import os, pathlib, sys, time
sys.path.insert(0, sys.argv[1])
import torch
from test_mapping_search import accuracy, run
from bcr.mapping.optuna_search import search
torch.set_num_threads(1)
folder, name = pathlib.Path(sys.argv[2]), sys.argv[3]
(folder / f"{name}.ready").touch()
while len(list(folder.glob("*.ready"))) < 2:
    time.sleep(0.01)
count = 0
def slow(model):
    global count
    count += 1
    # Neither goes on before both have a trial in hand, however busy the machine is.
    (folder / f"{name}.working").touch()
    patience = time.monotonic() + 100
    while len(list(folder.glob("*.working"))) < 2 and time.monotonic() < patience:
        time.sleep(0.01)
    time.sleep(0.05)
    return accuracy(model)
result = run(slow, trials=16, storage=folder / "study.db")
print(count, len(result.trials), result.best.accuracy)
"""


def test_two_processes_share_a_study(tmp_path):
    # The study is there before both begin: they only add trials.
    run(trials=1, storage=tmp_path / "study.db")
    command = [sys.executable, "-c", WORKER, str(Path(__file__).parent), str(tmp_path)]
    workers = [
        subprocess.Popen(
            [*command, name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for name in "ab"
    ]
    printed = [worker.communicate(timeout=240) for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], printed
    lines = [out.split() for out, _ in printed]
    counts = [int(count) for count, _, _ in lines]
    assert min(counts) >= 1
    total = run(trials=16, storage=tmp_path / "study.db")
    # Each may have had one in hand when the last one was counted.
    assert 16 <= len(total.trials) <= 18
    assert sum(counts) < 16
    numbers = [trial.number for trial in total.trials]
    assert len(set(numbers)) == len(numbers)


def test_the_plot_is_a_picture(tmp_path):
    result = run(latency=[1.5e-5, 3e-5], trials=3)
    plot_front(result, tmp_path / "front.png")
    data = (tmp_path / "front.png").read_bytes()
    assert data.startswith(b"\x89PNG")
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    assert (width, height) == (1050, 675)
    with pytest.raises(bcr.ExportError, match="cannot write"):
        plot_front(result, tmp_path / "gone" / "front.png")
