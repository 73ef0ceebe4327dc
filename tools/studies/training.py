"""One training, from the data to an accuracy."""

from __future__ import annotations

import copy
import functools
import math
import os
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import bcr
from studies.catalogue import STUDIES
from studies.data import Data, Part, load
from studies.points import Point
from studies.study import Job, Plan, Study
from studies.variation import vary

_TEMPERATURE = 2.0


@functools.lru_cache(maxsize=2)
def _data(study: str, seed: int, quick: bool) -> Data:
    return load(STUDIES[study], seed, quick)


def run(job: Job, weights: Path) -> dict[str, Any]:
    """Train as the job says and return its entry in the results.

    Args:
        job: what to train.
        weights: folder of trained weights; a job with a point needs those of `job.start` there.
    """
    begin = time.perf_counter(), time.process_time()
    study = STUDIES[job.study]
    network = study.network(job.network)
    data = _data(job.study, job.seed, job.quick)
    torch.manual_seed(job.seed)
    model = network.make().to(memory_format=torch.channels_last)
    entry: dict[str, Any] = {"network": job.network, "seed": job.seed}
    if job.point is None:
        plan = job.plan
        _train(study, model, data.train, plan, plan.dense, plan.rate, warm_up=0.3)
        entry["curve"], entry["rate"] = "start", 1.0
    else:
        model.load_state_dict(torch.load(weights / f"{job.start.key()}.pt", weights_only=True))
        # Another order of examples than that of the dense training, the same for all points.
        torch.manual_seed(1000 + job.seed)
        entry["curve"], entry["rate"] = job.point.curve, job.point.rate
        entry["reached"] = _prune(study, model, network.matrices(model), data, job.point, job.plan)
    entry["validation"] = _accuracy(study, model, data.validation)
    entry["accuracy"] = _accuracy(study, model, data.test)
    entry["seconds"] = time.perf_counter() - begin[0]
    entry["processor_seconds"] = time.process_time() - begin[1]
    _save(model, weights / f"{job.key()}.pt")
    return entry


def _prune(
    study: Study, model: nn.Module, matrices: nn.ModuleDict, data: Data, point: Point, plan: Plan
) -> float:
    """Prune and retrain, and return the rate reached."""
    steps = plan.pruning * math.ceil(len(data.train) / plan.batch)
    teacher = copy.deepcopy(model).eval() if plan.distillation else None
    train = functools.partial(_train, study, model, data.train, plan, teacher=teacher)
    if not point.scheme:
        train(plan.pruning, plan.retraining_rate, constant=True)
        train(plan.retraining, plan.retraining_rate)
        return 1.0
    settings: dict[str, Any] = {
        "rate": point.rate,
        "scheme": point.scheme,
        "ranking": point.ranking or plan.ranking,
        "method": plan.method,
    }
    if point.block is not None:
        settings |= {"block": point.block, "oversize": "clip"}
    interval = max(1, steps // plan.updates)
    if plan.method == "gradual":
        options = {"interval": interval, "end_step": max(1, steps * 3 // 4), **(plan.options or {})}
    else:
        options = {"interval": interval, **(plan.options or {})}
    pruner = bcr.Pruner(matrices, bcr.PruneConfig(**settings, method_options=options))
    train(plan.pruning, plan.retraining_rate, constant=True, pruner=pruner)
    report = pruner.finalize()
    train(plan.retraining, plan.retraining_rate, pruner=pruner)
    pruned = [row for row in report.rows if row.pruned]
    weights, kept = sum(row.weights for row in pruned), sum(row.kept for row in pruned)
    left = sum(int(torch.count_nonzero(p)) for p in matrices.parameters() if p.dim() > 1)
    if left > kept:
        raise AssertionError(f"{point}: {left} weights are not zero, the masks keep {kept}")
    return weights / kept if kept else math.inf


def _train(
    study: Study,
    model: nn.Module,
    data: Part,
    plan: Plan,
    epochs: int,
    rate: float,
    *,
    warm_up: float = 0.0,
    constant: bool = False,
    pruner: bcr.Pruner | None = None,
    teacher: nn.Module | None = None,
) -> None:
    """Train with a learning rate that is constant or falls as a cosine, after a linear start."""
    batches = math.ceil(len(data) / plan.batch)
    total = max(1, epochs * batches)
    optimizer = _optimizer(model, plan, rate)

    def factor(step: int) -> float:
        if step < warm_up * total:
            return (step + 1) / (warm_up * total)
        return 1.0 if constant else _cosine((step - warm_up * total) / (total * (1 - warm_up)))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    model.train()
    for _ in range(epochs):
        for chosen in torch.randperm(len(data)).split(plan.batch):
            if len(chosen) == 1:  # batch norm has no variance of one example
                continue
            x = vary(study.feed(data.inputs[chosen]), plan)
            with torch.autocast("cpu", torch.bfloat16, enabled=plan.bf16):
                scores = model(x)
                with torch.no_grad():
                    wanted = teacher(x) if teacher is not None else None
            loss = nn.functional.cross_entropy(
                scores.float(), data.labels[chosen], label_smoothing=plan.smoothing
            )
            if wanted is not None:
                loss = torch.lerp(loss, _distance(scores, wanted), plan.distillation)
            if pruner is not None:
                loss = loss + pruner.penalty()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if pruner is not None:
                pruner.step()


def _distance(scores: Tensor, wanted: Tensor) -> Tensor:
    """Cross entropy of scores [N, classes] against those of a teacher, both softened.

    Source: Hinton et al., "Distilling the Knowledge in a Neural Network", 2015, section 2.
    """
    soft = torch.softmax(wanted.float() / _TEMPERATURE, 1)
    return nn.functional.cross_entropy(scores.float() / _TEMPERATURE, soft) * _TEMPERATURE**2


def _cosine(share: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * min(share, 1.0)))


def _optimizer(model: nn.Module, plan: Plan, rate: float) -> torch.optim.Optimizer:
    if plan.optimizer == "adam":
        return torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=plan.decay, fused=True)
    return torch.optim.SGD(
        model.parameters(),
        lr=rate,
        momentum=0.9,
        nesterov=True,
        weight_decay=plan.decay,
        fused=True,
    )


def _accuracy(study: Study, model: nn.Module, part: Part) -> float:
    """Return the share of examples that the model gets right."""
    model.eval()
    right = 0
    with torch.no_grad():
        for x, y in zip(part.inputs.split(256), part.labels.split(256)):
            right += int((model(study.feed(x)).argmax(1) == y).sum())
    return right / len(part)


def _save(model: nn.Module, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}.tmp")
    torch.save(model.state_dict(), unfinished)
    os.replace(unfinished, path)


def work(job: Job, weights: Path) -> dict[str, Any]:
    """`run` in a process of its own that shares the machine with others: on one thread."""
    torch.set_num_threads(1)
    # Momentum of pruned weights halves every few steps, and numbers that small are slow.
    torch.set_flush_denormal(True)
    return run(job, weights)
