"""Training and pruning of the spotter."""

from __future__ import annotations

import copy
import math

import numpy as np
import torch
from network import Spotter
from rich.console import Console
from rich.progress import Progress
from sounds import IGNORED, Clips
from torch import nn

import bcr

_BATCH = 32
_LEARNING_RATE = 4e-3


def train_dense(
    clips: Clips, words: int, width: int, epochs: int, seed: int, console: Console
) -> Spotter:
    """Train a new network.

    Args:
        clips: to learn from.
        words: how many there are.
        width: units of a GRU layer.
        epochs: times that every clip is seen.
        seed: of weights and order.
        console: for the progress.
    """
    torch.manual_seed(seed)
    model = Spotter(words, width)
    model.mean.copy_(torch.from_numpy(clips.inputs.mean((0, 1))))
    model.scale.copy_(torch.from_numpy(1 / clips.inputs.std((0, 1))))
    _train(model, clips, epochs, "train", console)
    return model


def prune(
    dense: Spotter, clips: Clips, rate: float, epochs: int, seed: int, console: Console
) -> Spotter:
    """Return a copy whose GRU is pruned: half of the epochs with ADMM, half with the zeros held.

    Args:
        dense: trained; not changed.
        clips: to learn from.
        rate: weights of the GRU over those it keeps.
        epochs: in all.
        seed: of the order.
        console: for the progress.
    """
    torch.manual_seed(seed)
    model = copy.deepcopy(dense)
    steps = epochs // 2 * math.ceil(len(clips.inputs) / _BATCH)
    config = bcr.PruneConfig(
        rate=rate,
        scheme="columns",
        block=(8, 16),
        ranking="network",
        oversize="clip",
        modules={"head": None},
        method="admm",
        # With Adam, whose steps have one length, a stronger pull would leave the loss no say.
        method_options={
            "interval": max(1, steps // 24), "rho": 1e-3, "rho_growth": 1.25, "rho_max": 0.1,
        },
    )  # fmt: skip
    pruner = bcr.Pruner(model, config)
    _train(model, clips, epochs // 2, f"{rate:g}x, ADMM", console, pruner, falling=False)
    print(pruner.finalize())
    _train(model, clips, epochs - epochs // 2, f"{rate:g}x, retrain", console, pruner)
    return model


def _train(
    model: Spotter,
    clips: Clips,
    epochs: int,
    title: str,
    console: Console,
    pruner: bcr.Pruner | None = None,
    falling: bool = True,
) -> None:
    """Train with AdamW; the learning rate rises in the first tenth, then stays or falls."""
    inputs, targets = torch.from_numpy(clips.inputs), torch.from_numpy(clips.targets)
    total = epochs * math.ceil(len(inputs) / _BATCH)
    optimizer = torch.optim.AdamW(model.parameters(), lr=_LEARNING_RATE, fused=True)

    def factor(step: int) -> float:
        share = step / total
        return min(1.0, (step + 1) / (0.1 * total)) * (
            0.5 * (1 + math.cos(math.pi * share)) if falling else 1.0
        )

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    model.train()
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(title, total=total)
        for epoch in range(epochs):
            for chosen in torch.randperm(len(inputs)).split(_BATCH):
                # Louder or softer, and another colour: voices and microphones differ.
                colour = 0.5 * torch.randn(len(chosen), 1, 1) + 0.2 * torch.randn(
                    len(chosen), 1, inputs.shape[2]
                )
                scores, _ = model(inputs[chosen] + colour, model.start(len(chosen)))
                loss = nn.functional.cross_entropy(
                    scores.flatten(0, 1), targets[chosen].flatten(), ignore_index=IGNORED
                )
                if pruner is not None:
                    loss = loss + pruner.penalty()
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                if pruner is not None:
                    pruner.step()
                progress.update(task, advance=1)
            if not console.is_terminal:
                console.print(f"   {title}: epoch {epoch + 1} of {epochs}, loss {loss.item():.3f}")
    model.eval()


def probabilities(model: Spotter, clips: Clips) -> np.ndarray:
    """Return what the model says at every step, float32 [N, T, 1 + words]."""
    parts = []
    with torch.no_grad():
        for x in torch.from_numpy(clips.inputs).split(256):
            parts.append(torch.softmax(model(x, model.start(len(x)))[0], 2))
    return torch.cat(parts).numpy()
