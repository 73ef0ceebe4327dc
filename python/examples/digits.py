"""Handwritten digits: train, prune at 8x, fine-tune, compile, run.

    python python/examples/digits.py [--rate 8] [--epochs 8] [--seed 0]

The data are the 1 797 handwritten digits that scikit-learn installs, scaled up to 32x32.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import bcr
from bcr.emulate import Emulator
from bcr.tables import NUMBER, TEXT, bytes_text, render, time_text

console = Console(highlight=False)


class DigitNet(nn.Module):
    """Four convolutions with batch norm, then a linear layer; 32x32 grey images, 10 classes."""

    def __init__(self) -> None:
        super().__init__()

        def convolution(inputs: int, outputs: int, stride: int = 1) -> Iterable[nn.Module]:
            yield nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
            yield nn.BatchNorm2d(outputs)
            yield nn.ReLU(inplace=True)

        self.features = nn.Sequential(
            *convolution(1, 32, stride=2),
            *convolution(32, 64),
            nn.MaxPool2d(2),
            *convolution(64, 128),
            *convolution(128, 128),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Linear(128 * 4 * 4, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return class scores [N, 10] of images [N, 1, 32, 32]."""
        return self.classifier(self.features(x).flatten(1))


def load_data(seed: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return training images and labels, test images and labels; images are f32 [N, 1, 32, 32]."""
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
    images = nn.functional.interpolate(images, size=32, mode="bilinear", align_corners=False)
    labels = torch.tensor(digits.target)
    train, test = train_test_split(
        np.arange(len(labels)), test_size=0.25, random_state=seed, stratify=labels
    )
    return images[train], labels[train], images[test], labels[test]


def train(
    model: nn.Module,
    images: torch.Tensor,
    labels: torch.Tensor,
    epochs: int,
    rate: float,
    title: str,
    after_step: Callable[[], object] = lambda: None,
) -> None:
    """Train with SGD and a one-cycle schedule; `after_step` runs once per optimiser step."""
    model.train()
    batch = 64
    steps = epochs * ((len(images) + batch - 1) // batch)
    optimiser = torch.optim.SGD(model.parameters(), lr=rate, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=rate, total_steps=steps)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=steps)
        for epoch in range(epochs):
            total = 0.0
            for indices in torch.randperm(len(images)).split(batch):
                # Shift by up to two pixels: the test set has other hands.
                shift = torch.randint(-2, 3, (2,)).tolist()
                x = torch.roll(images[indices], shift, (2, 3))
                loss = nn.functional.cross_entropy(model(x), labels[indices])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                after_step()
                schedule.step()
                total += loss.item() * len(indices)
                progress.update(task, advance=1, description=f"{title} (loss {loss.item():.3f})")
            if not console.is_terminal:
                mean = total / len(images)
                console.print(f"   {title}: epoch {epoch + 1} of {epochs}, mean loss {mean:.3f}")
    model.eval()


def accuracy(run: Callable[[Any], Any], images: Any, labels: torch.Tensor) -> float:
    """Return the fraction of the images that `run`, one at a time, gets right."""
    right = 0
    with torch.no_grad():
        for image, label in zip(images, labels, strict=True):
            right += int(np.argmax(np.asarray(run(image[None]))) == int(label))
    return right / len(labels)


def latency(runs: dict[str, Callable[[Any], Any]], x: torch.Tensor) -> dict[str, float]:
    """Return the median seconds of a call, all measured in turn so that drift hits all alike."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    with torch.no_grad():
        for round_ in range(70):
            for name, run in runs.items():
                begin = time.perf_counter()
                run(x)
                if round_ >= 10:
                    times[name].append(time.perf_counter() - begin)
    return {name: statistics.median(values) for name, values in times.items()}


def main() -> None:
    """Run the whole road and print it as tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rate", type=float, default=8.0, help="weights divided by kept weights")
    parser.add_argument("--epochs", type=int, default=8, help="epochs of each training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", default="digits.bcr", help="the compiled model to write")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", category=FutureWarning)
    torch.manual_seed(options.seed)
    torch.set_num_threads(2)

    images, labels, test_images, test_labels = load_data(options.seed)
    console.print(f"[bold]1. Train[/bold]: {len(images)} digits, {len(test_images)} held out")
    dense = DigitNet()
    train(dense, images, labels, options.epochs, 0.005, "train")

    console.print(f"\n[bold]2. Prune[/bold] at {options.rate:g}x and fine-tune")
    pruned = copy.deepcopy(dense)
    config = bcr.PruneConfig(
        rate=options.rate,
        block=(8, 36),
        modules={"features.0": None, "classifier": {"block": (2, 64)}},
    )
    pruner = bcr.Pruner(pruned, config)
    pruning = pruner.finalize()
    train(pruned, images, labels, options.epochs, 0.01, "fine-tune", pruner.step)
    print(pruning)

    console.print("\n[bold]3. Compile[/bold] for this machine and for AArch64")
    torch.set_num_threads(1)
    x = test_images[:1]
    ours_dense = bcr.compile(pruned, (x,), sparsity="off", verify=True)
    ours = bcr.compile(pruned, (x,), verify=True)
    arm = bcr.compile(pruned, (x,), target="cortex-a76")
    print(ours.report())

    console.print("\n[bold]4. Run[/bold]")
    part = 40
    with Emulator(arm) as emulator:
        on_arm = accuracy(
            lambda image: emulator(image.numpy())[0], test_images[:part], test_labels[:part]
        )
    same = accuracy(pruned, test_images[:part], test_labels[:part])
    rows = [
        ("dense, PyTorch", accuracy(dense, test_images, test_labels), len(test_images)),
        ("pruned, PyTorch", accuracy(pruned, test_images, test_labels), len(test_images)),
        ("pruned, compiled", accuracy(ours, test_images, test_labels), len(test_images)),
        ("pruned, PyTorch, the first of them", same, part),
        ("pruned, AArch64 under QEMU, the same", on_arm, part),
    ]
    columns = [("model", TEXT), ("accuracy", NUMBER), ("images", NUMBER)]
    print(render("Accuracy", columns, [(n, f"{a:.1%}", str(k)) for n, a, k in rows]))

    if not console.is_terminal:
        console.print("   torch.compile, for comparison")
    inductor = torch.compile(pruned)
    with console.status("torch.compile, for comparison"), torch.no_grad():
        inductor(x)
    times = latency(
        {
            "PyTorch eager": pruned,
            "torch.compile (inductor)": inductor,
            "bcr, dense": ours_dense,
            "bcr, sparse": ours,
        },
        x,
    )
    best = times["bcr, sparse"]
    columns = [("one image, one thread", TEXT), ("median", NUMBER), ("bcr is faster by", NUMBER)]
    rows_text = [(name, time_text(t), f"{t / best:.1f}x") for name, t in times.items()]
    print(render("Latency", columns, rows_text))

    columns = [("weights and indices", TEXT), ("size", NUMBER)]
    report = ours.report()
    dense_size = sum(layer.dense_bytes for layer in report.layers)
    packed_size = sum(layer.value_bytes + layer.index_bytes for layer in report.layers)
    sizes = [("dense", bytes_text(dense_size)), ("packed", bytes_text(packed_size))]
    print(render("Size", columns, sizes))

    ours.save(options.output)
    console.print("[bold]Next[/bold]")
    for command, purpose in (
        (f".venv/bin/bcr inspect {options.output}", "what became of each layer, and why"),
        (f".venv/bin/bcr bench {options.output}", "where the time goes"),
        (f"tools/quickstart --rate {2 * options.rate:g}", "prune harder"),
    ):
        console.print(f"  {command:<40} {purpose}")


if __name__ == "__main__":
    main()
