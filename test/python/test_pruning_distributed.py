"""Two processes over gloo that train one model: DistributedDataParallel and FSDP2.

One pair of processes runs all scenarios and hands back what it saw, because starting it is slow.
"""

import tempfile
from pathlib import Path

import pytest
import torch
from torch import distributed, nn
from torch.nn import functional as F

from bcr import ConfigError, PruneConfig, Pruner

METHODS = {
    "gradual": {"end_step": 6, "interval": 2},
    "admm": {"interval": 2, "rho": 0.05},
    "reweighted": {"interval": 2, "strength": 0.02},
    "scratch": {"end_step": 6, "interval": 2, "strength": 0.02},
}
STEPS, SIZE, WORLD = 8, 6, 2


def make(seed=0):
    """13 and 7 rows: neither splits evenly over two processes, nor into blocks of 4 rows."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(12, 13), nn.Tanh(), nn.Linear(13, 7), nn.Tanh(), nn.Linear(7, 5))


def config(method):
    return PruneConfig(
        3, (4, 4), method, modules={"4": None}, method_options=METHODS.get(method, {})
    )


def batch(step, rank=None):
    """The whole batch, or the part of one process."""
    generator = torch.Generator().manual_seed(100 + step)
    x, y = torch.randn(SIZE, 12, generator=generator), torch.arange(SIZE) % 5
    return (x, y) if rank is None else (x.chunk(WORLD)[rank], y.chunk(WORLD)[rank])


def train(model, pruner, steps, rank=None, optimizer=None):
    optimizer = optimizer or torch.optim.Adam(model.parameters(), lr=0.02)
    for step in steps:
        x, y = batch(step, rank)
        optimizer.zero_grad()
        (F.cross_entropy(model(x), y) + pruner.penalty()).backward()
        optimizer.step()
        pruner.step()
    return optimizer


def whole(model):
    return {
        name.removeprefix("module."): (
            value.full_tensor() if hasattr(value, "full_tensor") else value
        ).clone()
        for name, value in model.state_dict().items()
    }


def with_ddp(rank, method):
    model = nn.parallel.DistributedDataParallel(make(seed=rank))
    pruner = Pruner(model.module, config(method))
    optimizer = train(model, pruner, range(STEPS), rank)
    state = pruner.state_dict()
    report = pruner.finalize()
    train(model, pruner, range(STEPS, STEPS + 2), rank, optimizer)
    return {"weights": whole(model), "masks": pruner.masks, "state": state, "rate": report.rate}


def with_fsdp(rank, method):
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    model = make()
    mesh = init_device_mesh("cpu", (WORLD,))
    fully_shard(model[2], mesh=mesh)
    fully_shard(model, mesh=mesh)
    pruner = Pruner(model, config(method))
    optimizer = train(model, pruner, range(STEPS // 2), rank)
    if method != "gradual":  # a new Pruner goes on from the state, in the middle of the schedule
        state = pruner.state_dict()
        pruner = Pruner(model, config(method))
        pruner.load_state_dict(state)
    train(model, pruner, range(STEPS // 2, STEPS), rank, optimizer)
    with torch.no_grad():
        model.eval()(batch(0)[0])  # leaves the outermost parameters gathered
        pruner.finalize()
        output = model(batch(0)[0])
    pruned = whole(model)
    momentum = [optimizer.state[model[0].weight]["exp_avg"].full_tensor().clone()]
    train(model.train(), pruner, range(STEPS, STEPS + 2), rank, optimizer)
    momentum.append(optimizer.state[model[0].weight]["exp_avg"].full_tensor())
    return {
        "weights": whole(model),
        "pruned": pruned,
        "output": output,
        "masks": pruner.masks,
        "local": tuple(model[0].weight.to_local().shape),
        "momentum": torch.stack(momentum),
    }


def without_agreement(rank):
    model = make(seed=rank)
    pruner = Pruner(model, config("oneshot"))
    try:
        pruner.finalize()
        message = "no error"
    except ConfigError as error:
        message = str(error)
    untouched = pruner.masks == {} and bool(model[0].weight.all())
    alone = Pruner(model, config("oneshot"), process_group=None).finalize().rate
    return {"message": message, "untouched": untouched, "alone": alone}


def process(rank, folder):
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=WORLD
    )
    seen = {"without agreement": without_agreement(rank)}
    for method in METHODS:
        seen[f"ddp {method}"] = with_ddp(rank, method)
        seen[f"fsdp {method}"] = with_fsdp(rank, method)
    torch.save(seen, f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


@pytest.fixture(scope="module")
def seen():
    """What each of the two processes saw."""
    with tempfile.TemporaryDirectory() as folder:
        torch.multiprocessing.spawn(process, (folder,), nprocs=WORLD)
        return [torch.load(Path(folder) / f"{rank}.pt") for rank in range(WORLD)]


def alone(method):
    """One process, the whole batch."""
    model = make()
    pruner = Pruner(model, config(method))
    optimizer = train(model, pruner, range(STEPS))
    pruner.finalize()
    train(model, pruner, range(STEPS, STEPS + 2), optimizer=optimizer)
    return model.state_dict(), pruner.masks


def assert_equal(one, other):
    assert one.keys() == other.keys()
    for key in one:
        if isinstance(one[key], dict):
            assert_equal(one[key], other[key])
        elif isinstance(one[key], torch.Tensor):
            assert torch.equal(one[key], other[key]), key
        else:
            assert one[key] == other[key], key


@pytest.mark.parametrize("method", METHODS)
def test_ddp_prunes_all_ranks_alike(seen, method):
    first, second = (ranks[f"ddp {method}"] for ranks in seen)
    assert_equal(first, second)
    assert 3 <= first["rate"] < 3.4
    for name, mask in first["masks"].items():
        weight = first["weights"][f"{name}.weight"]
        assert not weight[~mask].any()
        assert weight[mask].all()


@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
@pytest.mark.parametrize("method", METHODS)
def test_two_processes_train_as_one_does(seen, kind, method):
    weights, masks = alone(method)
    both = seen[0][f"{kind} {method}"]
    assert_equal(both["masks"], masks)
    for name, weight in weights.items():
        torch.testing.assert_close(both["weights"][name], weight, rtol=1e-3, atol=1e-4, msg=name)


@pytest.mark.parametrize("method", METHODS)
def test_fsdp_holds_the_zeros_of_every_shard(seen, method):
    first, second = (ranks[f"fsdp {method}"] for ranks in seen)
    assert (first.pop("local"), second.pop("local")) == ((7, 12), (6, 12))
    assert_equal(first, second)
    for name, mask in first["masks"].items():
        for weights in (first["pruned"], first["weights"]):
            assert not weights[f"{name}.weight"][~mask].any()
        assert not torch.equal(first["pruned"][f"{name}.weight"], weights[f"{name}.weight"])
    plain = make()
    plain.load_state_dict(first["pruned"])
    torch.testing.assert_close(first["output"], plain(batch(0)[0]))
    # Pruned weights get no gradient: over two steps their momentum only decays, by 0.9 a step.
    before, after = (m[~first["masks"]["0"]] for m in first["momentum"])
    torch.testing.assert_close(after, 0.81 * before)


def test_ranks_that_disagree_are_told(seen):
    for rank in seen:
        found = rank["without agreement"]
        assert "module '0', module '2': the processes chose different masks" in found["message"]
        assert "DistributedDataParallel" in found["message"]
        assert found["untouched"]
        assert found["alone"] >= 3
