"""Callbacks, each in the Trainer that it is for, against a loop written by hand."""

import logging
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from bcr import ConfigError, PruneConfig, Pruner

STEPS, FINAL, BATCH, PARTS = 8, 6, 4, 2
CONFIG = PruneConfig(3, (4, 4), "admm", method_options={"interval": 2, "rho": 0.05})
GRADUAL = PruneConfig(3, (4, 4), "gradual", method_options={"interval": 2, "end_step": 5})
# One sample after the other: nothing is shuffled, so a resumed run sees what it would have seen.
X = torch.randn(STEPS * PARTS * BATCH, 12, generator=torch.Generator().manual_seed(1))
Y = torch.arange(len(X)) % 5


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Linear(12, 13), nn.Tanh(), nn.Linear(13, 5))

    def forward(self, x, labels=None):
        y = self.body(x)
        return y if labels is None else {"loss": F.cross_entropy(y, labels), "logits": y}


def by_hand(config, steps=STEPS):
    """The same training with the penalty in the loss."""
    model = Net()
    pruner = Pruner(model.body, config)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    for step in range(steps):
        optimizer.zero_grad()
        for part in range(PARTS):
            start = (step * PARTS + part) * BATCH
            x, y = X[start : start + BATCH], Y[start : start + BATCH]
            ((F.cross_entropy(model(x), y) + pruner.penalty()) / PARTS).backward()
        optimizer.step()
        pruner.step()
        if step + 1 == FINAL:
            pruner.finalize()
    return model, pruner


def assert_close(model, other):
    for (name, one), two in zip(model.state_dict().items(), other.state_dict().values()):
        torch.testing.assert_close(one, two, msg=name)


def assert_same(model, other):
    for (name, one), two in zip(model.state_dict().items(), other.state_dict().values()):
        assert torch.equal(one, two), name


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


# --- Lightning ------------------------------------------------------------------------------------


def lightning_run(folder, config, *, resume=None, saving=None, **options):
    from lightning.pytorch import LightningModule, Trainer
    from torch.utils.data import DataLoader, TensorDataset

    from bcr.pruning.integrations.lightning import PruningCallback

    class Module(LightningModule):
        def __init__(self):
            super().__init__()
            self.net = Net()

        def training_step(self, batch, index):
            # By step and not by batch: Lightning resumes in mid-epoch with the first batch.
            start = (self.global_step * PARTS + index % PARTS) * BATCH
            x, y = X[start : start + BATCH], Y[start : start + BATCH]
            return F.cross_entropy(self.net(x), y)

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)

    callback = PruningCallback(config, finalize_step=FINAL, module="net.body")
    module = Module()
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        max_steps=STEPS,
        accumulate_grad_batches=PARTS,
        callbacks=[callback, *([saving] if saving else [])],
        logger=False,
        enable_checkpointing=saving is not None,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        **options,
    )
    trainer.fit(module, DataLoader(TensorDataset(X, Y), BATCH), ckpt_path=resume)
    return module.net, callback


@pytest.mark.parametrize("config", [CONFIG, GRADUAL], ids=["admm", "gradual"])
def test_lightning_trains_as_a_loop_by_hand(tmp_path, config):
    model, callback = lightning_run(tmp_path, config)
    expected, pruner = by_hand(config)
    assert_close(model, expected)
    assert torch.equal(callback.pruner.masks["0"], pruner.masks["0"])
    assert callback.report == callback.pruner.report
    assert callback.report.rate >= 3
    for name, mask in callback.pruner.masks.items():
        assert not model.body.get_submodule(name).weight[~mask].any()


def test_lightning_resumes_where_it_stopped(tmp_path):
    from lightning.pytorch.callbacks import ModelCheckpoint

    saving = ModelCheckpoint(tmp_path, "{step}", every_n_train_steps=1, save_top_k=-1)
    whole, callback = lightning_run(tmp_path, CONFIG, saving=saving)
    for stop in (3, FINAL + 1):
        file = tmp_path / f"step={stop}.ckpt"
        resumed, again = lightning_run(tmp_path, CONFIG, resume=file)
        assert_same(whole, resumed)
        assert again.report == callback.report


def test_lightning_in_mixed_precision_with_clipping(tmp_path):
    options = {"precision": "bf16-mixed", "gradient_clip_val": 0.5}
    model, callback = lightning_run(tmp_path, CONFIG, **options)
    assert 3 <= callback.report.rate < 3.5
    assert all(p.isfinite().all() and p.dtype == torch.float32 for p in model.parameters())


# --- Hugging Face ---------------------------------------------------------------------------------


def huggingface_run(folder, config, *, steps=STEPS, resume=None, checkpoint=None, **options):
    from transformers import Trainer, TrainingArguments

    from bcr.pruning.integrations.huggingface import PruningCallback

    class InOrder(Trainer):
        def _get_train_sampler(self, dataset=None):
            return None

    model = Net()
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=BATCH,
        gradient_accumulation_steps=PARTS,
        lr_scheduler_type="constant",
        max_grad_norm=0,
        save_steps=1,
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        use_cpu=True,
        **options,
    )
    callback = PruningCallback(config, finalize_step=FINAL, module="body", checkpoint=checkpoint)
    trainer = InOrder(
        model,
        arguments,
        train_dataset=[{"x": x, "labels": y} for x, y in zip(X, Y)],
        callbacks=[callback],
        optimizers=(torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9), None),
    )
    trainer.train(resume_from_checkpoint=resume)
    return model, callback


@pytest.mark.parametrize("config", [CONFIG, GRADUAL], ids=["admm", "gradual"])
def test_huggingface_trains_as_a_loop_by_hand(tmp_path, config):
    model, callback = huggingface_run(tmp_path, config)
    expected, pruner = by_hand(config)
    assert_close(model, expected)
    assert torch.equal(callback.pruner.masks["0"], pruner.masks["0"])
    assert callback.report.rate >= 3
    for stop in (3, FINAL + 1):
        folder = str(tmp_path / f"checkpoint-{stop}")
        resumed, again = huggingface_run(tmp_path, config, resume=folder)
        assert_same(model, resumed)
        assert again.report == callback.report


def test_huggingface_in_mixed_precision_with_clipping(tmp_path):
    model, callback = huggingface_run(tmp_path, CONFIG, bf16=True)
    assert 3 <= callback.report.rate < 3.5
    assert all(p.isfinite().all() for p in model.parameters())


def test_huggingface_names_the_state_that_it_misses(tmp_path):
    huggingface_run(tmp_path, CONFIG, steps=2)
    folder = tmp_path / "checkpoint-2"
    (folder / "bcr_pruner.pt").rename(tmp_path / "elsewhere.pt")
    with pytest.raises(ConfigError, match=r"goes on from step 2, but .*bcr_pruner.pt is missing"):
        huggingface_run(tmp_path, CONFIG, resume=str(folder))


# --- Both -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", ["lightning", "huggingface"])
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (({"rate": 3},), "config is a dict: pass a bcr.PruneConfig"),
        ((CONFIG, 0), "finalize_step is 0: it counts optimiser steps"),
        ((CONFIG, 2.5), "finalize_step is 2.5"),
    ],
)
def test_wrong_arguments(library, arguments, words):
    import importlib

    callback = importlib.import_module(f"bcr.pruning.integrations.{library}").PruningCallback
    named = dict(zip(("config", "finalize_step"), arguments))
    with pytest.raises(ConfigError, match=words):
        callback(**named)


def test_an_unknown_part_of_the_model():
    from bcr.pruning.integrations.session import Session

    with pytest.raises(ConfigError, match="no module 'bodi' to prune. Did you mean 'body'"):
        Session(CONFIG, module="bodi").begin(Net())
