"""Handwritten digits: which scheme, block and rate for each layer, at one latency?

    python python/examples/mapping.py [--speedup 5] [--trials 20] [--repeats 3]

compares ways to prune a network to one latency. The functions are also what `bcr map` takes:

    cd python/examples
    bcr map mapping:make --latency 0.04 --batches mapping:batches --check -o recipe.yaml
    bcr map mapping:make --latency 0.04 --by search --evaluate mapping:evaluate --plot front.png
"""

from __future__ import annotations

import argparse
import copy
import functools
import statistics
import warnings
from collections.abc import Iterator

import torch
from digits import DigitNet, load_data, train
from rich.console import Console
from torch import nn

import bcr
from bcr.mapping import (
    Allocation,
    Budget,
    FisherLoss,
    LossIncrease,
    MeasuredLatency,
    allocate,
    choose_blocks,
    map_by_rules,
    plot_front,
    search,
)
from bcr.tables import NUMBER, TEXT, render, time_text

EPOCHS = 8
SHORT = 3
"""Epochs of fine-tuning of a trial, which show where a network is heading."""


@functools.cache
def data() -> tuple[torch.Tensor, ...]:
    """Return images and labels to train on, to choose by, and to report on."""
    images, labels, test_images, test_labels = load_data(seed=0)
    return images[:1000], labels[:1000], images[1000:], labels[1000:], test_images, test_labels


@functools.cache
def trained() -> nn.Module:
    """Return the dense network."""
    torch.manual_seed(0)
    model = DigitNet()
    train(model, data()[0], data()[1], EPOCHS, 0.1, "train")
    return model


def make() -> tuple[nn.Module, tuple[torch.Tensor]]:
    """Return the trained network and its input."""
    return trained(), (data()[4][:1],)


def loss(model: nn.Module) -> float:
    """Return the cross entropy on the images to choose by."""
    with torch.no_grad():
        return float(nn.functional.cross_entropy(model(data()[2]), data()[3]))


def batches() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Return the images to choose by."""
    return [(data()[2], data()[3])]


def accuracy(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the fraction of the images that the model gets right."""
    with torch.no_grad():
        return float((model.eval()(images).argmax(1) == labels).double().mean())


def evaluate(model: nn.Module) -> Iterator[float]:
    """Fine-tune, and yield the accuracy on the images to choose by after each epoch."""
    torch.manual_seed(1)
    for _ in range(SHORT):
        train(model, data()[0], data()[1], 1, 0.02, "fine-tune")
        yield accuracy(model, data()[2], data()[3])


def outcome(config: bcr.PruneConfig, repeats: int) -> list[float]:
    """Return the accuracy on the images to report on, after fine-tuning, for each repetition."""
    found = []
    for seed in range(repeats):
        model = copy.deepcopy(trained())
        bcr.Pruner(model, config).finalize()
        torch.manual_seed(seed)
        train(model, data()[0], data()[1], EPOCHS, 0.05, "fine-tune")
        found.append(accuracy(model, data()[4], data()[5]))
    return found


def uniform(source: MeasuredLatency, bound: float, scheme: str, tolerance: float) -> Allocation:
    """Return the lowest rate that meets the bound when all layers but the first have it."""
    model, x = make()
    for rate in (2, 3, 4, 6, 8, 12, 16, 24, 32, 48):
        found = choose_blocks(
            model, x, rate, scheme=scheme, source=source, exclude=["features.0"],
            tolerance=tolerance,
        )  # fmt: skip
        assert found.after is not None
        if found.after <= bound:
            return found
    raise bcr.ConfigError("no rate is fast enough: ask for a smaller --speedup")


def main() -> None:
    """Compare the ways."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--speedup", type=float, default=5.0, help="over the compiled dense one")
    parser.add_argument("--trials", type=int, default=20, help="of the search, for each bound")
    parser.add_argument("--repeats", type=int, default=3, help="of the last fine-tuning")
    parser.add_argument("--plot", default="front.png", help="the picture to write")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", category=FutureWarning)
    torch.set_num_threads(1)
    model, x = make()
    source = MeasuredLatency()
    dense = source.network(model, x).seconds
    bound = dense / options.speedup
    budget = Budget(latency=bound)
    rates = (2, 3, 4, 6, 8, 12, 16, 24, 32)
    sensitivity = FisherLoss(batches())
    common = {"source": source, "rates": rates}
    ways = {
        "one rate, scheme both": uniform(source, bound, "both", 0.05),
        "one rate, scheme columns": uniform(source, bound, "columns", 0.05),
        "allocate, projection error": allocate(model, x, budget, **common),
        "allocate, loss": allocate(model, x, budget, sensitivity=LossIncrease(loss), **common),
        "allocate, Fisher": allocate(model, x, budget, sensitivity=sensitivity, **common),
        "rules, Fisher": map_by_rules(model, x, budget, sensitivity=sensitivity, **common),
    }
    # A second bound beside the one that is compared shows where more time would lead.
    result = search(
        model, x, evaluate, [bound, 2 * bound], trials=options.trials, sensitivity=sensitivity,
        **common,
    )  # fmt: skip
    plot_front(result, options.plot)
    ways["search, Fisher"] = result.allocation(result.best_within(bound))
    print(result)
    console = Console(highlight=False)
    test = accuracy(model, data()[4], data()[5])
    rows = [("dense", "1.00x", time_text(dense), time_text(dense), f"{100 * test:.2f}", "")]
    for name, found in ways.items():
        console.print(f"[bold]{name}[/bold]")
        console.print(str(found), soft_wrap=True)
        pruned = copy.deepcopy(model)
        bcr.Pruner(pruned, found.config).finalize()
        measured = source.network(pruned, x).seconds
        scores = [100 * score for score in outcome(found.config, options.repeats)]
        assert found.after is not None
        rows.append(
            (
                name,
                f"{found.rate:.2f}x",
                time_text(found.after),
                time_text(measured),
                f"{statistics.mean(scores):.2f}",
                f"{min(scores):.2f} to {max(scores):.2f}",
            )
        )
    columns = [("way", TEXT), ("rate", NUMBER), ("predicted", NUMBER), ("measured", NUMBER),
               ("accuracy, %", NUMBER), ("spread", NUMBER)]  # fmt: skip
    print(render(f"Digits, bound {time_text(bound)}", columns, rows))


if __name__ == "__main__":
    main()
