"""Tuning: records, their files, and the search on layers so small that it takes a second."""

import json
import os
import sys

import numpy as np
import pytest
import torch
from torch import nn

import bcr
from bcr.tuning.records import LayerRecord, target_key
from conftest import prune

HERE = ("x86_64-linux-gnu", "znver5", "+avx512f", 1)
THERE = ("aarch64-linux-gnu", "cortex-a76", "", 2)


def record(height=4, speedup=1.5, trials=7):
    return LayerRecord({"kernel": "pixels", "height": height, "vectors": 2}, speedup, trials)


def make_records(*entries):
    records = bcr.TuningRecords()
    for target, layer, entry in entries:
        records.set(target, layer, entry)
    return records


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(3)
    layers = [nn.Conv2d(16, 24, 3, padding=1), nn.ReLU(), nn.Conv2d(24, 17, 1), nn.Flatten()]
    model = prune(nn.Sequential(*layers, nn.Linear(17 * 36, 10)).eval(), rate=4, block=(8, 16))
    return model, (torch.randn(1, 16, 6, 6),)


def host_key():
    from bcr import _core

    described = _core.describe_target()
    target = bcr.Target(described.triple, described.cpu, described.features)
    return target_key(target, 1)


# --- files ---------------------------------------------------------------------------------------


def test_a_file_gives_back_what_was_saved(tmp_path):
    entries = [(HERE, "a", record(8)), (HERE, "b", LayerRecord(trials=3)), (THERE, "a", record(2))]
    make_records(*entries).save(tmp_path / "r.json")
    loaded = bcr.TuningRecords.load(tmp_path / "r.json")
    assert sorted(loaded.targets()) == sorted([HERE, THERE])
    assert loaded.of(HERE) == {"a": record(8), "b": LayerRecord({}, 1.0, 3)}
    assert loaded.of(THERE) == {"a": record(2)}
    assert loaded.of((*HERE[:3], 2)) == {}


def test_saving_leaves_no_other_file(tmp_path):
    make_records((HERE, "a", record())).save(tmp_path / "r.json")
    make_records((HERE, "b", record())).save(tmp_path / "r.json")
    assert os.listdir(tmp_path) == ["r.json"]
    assert set(bcr.TuningRecords.load(tmp_path / "r.json").of(HERE)) == {"b"}


def test_saving_into_a_missing_folder(tmp_path):
    with pytest.raises(bcr.ExportError, match=r"cannot write the tuning records to .*gone"):
        make_records().save(tmp_path / "gone" / "r.json")


def test_merging_keeps_what_rests_on_more_measurements():
    ours = make_records(
        (HERE, "more here", record(8, 1.2, 9)),
        (HERE, "more there", record(8, 1.2, 9)),
        (HERE, "faster there", record(8, 1.2, 9)),
        (HERE, "only here", record(1)),
    )
    ours.merge(
        make_records(
            (HERE, "more here", record(2, 1.9, 8)),
            (HERE, "more there", record(2, 1.1, 10)),
            (HERE, "faster there", record(2, 1.3, 9)),
            (THERE, "only there", record(3)),
        )
    )
    heights = {name: entry.schedule["height"] for name, entry in ours.of(HERE).items()}
    assert heights == {"more here": 8, "more there": 2, "faster there": 2, "only here": 1}
    assert ours.of(THERE) == {"only there": record(3)}


DAMAGED = {
    "empty": "",
    "truncated": '{"format": "bcr tuning records", "version": 1, "targets": [{"tri',
    "of another kind": '{"format": "cookies", "version": 1, "targets": []}',
    "a list": "[1, 2]",
    "deep": "[" * 100000,
    "without targets": '{"format": "bcr tuning records", "version": 1}',
    "with odd targets": '{"format": "bcr tuning records", "version": 1, "targets": [5]}',
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_one_clear_error(tmp_path, case, network):
    path = tmp_path / "r.json"
    path.write_text(DAMAGED[case])
    with pytest.raises(bcr.FormatError, match=r"r\.json.*delete") as caught:
        bcr.TuningRecords.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("height", "eight"), ("height", 2.5), ("kernel", 3), ("depth", 3), ("speedup", 0),
        ("trials", "many"),
    ],
)  # fmt: skip
def test_a_damaged_record_is_refused(tmp_path, name, value):
    path = tmp_path / "r.json"
    make_records((HERE, "a", record())).save(path)
    content = json.loads(path.read_text())
    entry = content["targets"][0]["layers"]["a"]
    (entry if name in entry else entry["schedule"])[name] = value
    path.write_text(json.dumps(content))
    with pytest.raises(bcr.FormatError, match="damaged"):
        bcr.TuningRecords.load(path)


def test_another_version_is_named(tmp_path):
    (tmp_path / "r.json").write_text('{"format": "bcr tuning records", "version": 99}')
    with pytest.raises(bcr.FormatError, match="version 99, this bcr reads version 1"):
        bcr.TuningRecords.load(tmp_path / "r.json")


# --- arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"seconds": -1}, {"seconds": "long"}, {"seconds": float("nan")}, {"trials": 0},
        {"trials": 1.5}, {"seed": -1}, {"seed": True}, {"seconds": 0},
    ],
)  # fmt: skip
def test_impossible_configurations(wrong):
    with pytest.raises(bcr.ConfigError, match="TuneConfig: " + next(iter(wrong))):
        bcr.TuneConfig(**wrong)


@pytest.mark.parametrize("tune", [True, [60], "no-such-file.json", -3])
def test_impossible_arguments(network, tune):
    with pytest.raises(bcr.ConfigError, match="tune|TuneConfig"):
        bcr.compile(*network, tune=tune)


@pytest.mark.filterwarnings("ignore::bcr.GenericTargetWarning")
def test_only_this_machine_can_be_measured(network):
    with pytest.raises(bcr.ConfigError, match=r"aarch64.*run `bcr tune` there and pass its record"):
        bcr.compile(*network, target="aarch64", tune=5)


def test_optuna_is_optional(network, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(bcr.ConfigError, match=r"pip install 'bcr\[tune\]'"):
        bcr.compile(*network, tune=1)


# --- using records -------------------------------------------------------------------------------


def keys_of(network, tmp_path):
    """The keys of the network's layers, in order: an empty file makes the compiler tell them."""
    path = tmp_path / "empty.json"
    make_records().save(path)
    exe = bcr.compile(*network, tune=path)
    return {name: info["tuning_key"] for name, info in exe.program.layers.items()}


def kernels(exe):
    return {layer.name: layer.kernel for layer in exe.report().layers}


def test_records_are_used(network, tmp_path):
    keys = keys_of(network, tmp_path)
    wanted = {"kernel": "pixels", "height": 4, "vectors": 2, "band": 3, "form": "dense"}
    other = {"kernel": "rows", "height": 16, "vectors": 3}
    records = make_records(
        (host_key(), keys["0"], LayerRecord(wanted, 1.1, 5)),
        (host_key(), keys["2"], LayerRecord(other, 1.1, 5)),
    )
    records.save(tmp_path / "r.json")
    exe = bcr.compile(*network, tune=str(tmp_path / "r.json"), verify=True)
    assert kernels(exe)["0"] == "pixels 4x2x" + str(lanes())
    assert kernels(exe)["2"] == "rows 16x3x" + str(lanes())
    assert "band = 3" in exe.mlir("tile")
    assert [layer.verdict for layer in exe.report().layers][:1] == ["missed"]
    assert kernels(exe)["4"] == kernels(bcr.compile(*network))["4"]


def lanes():
    from bcr import _core

    return _core.describe_target().lanes


def test_records_of_another_machine_are_not_used(network, tmp_path):
    keys = keys_of(network, tmp_path)
    entry = LayerRecord({"kernel": "pixels", "height": 1, "vectors": 1}, 1.1, 5)
    triple, cpu, features, threads = host_key()
    others = [(triple, "cortex-a76", features, threads), (triple, cpu, features, threads + 1)]
    make_records(*((other, keys["0"], entry) for other in others)).save(tmp_path / "r.json")
    exe = bcr.compile(*network, tune=tmp_path / "r.json")
    assert kernels(exe) == kernels(bcr.compile(*network))


def test_an_illegal_record_is_a_warning(network, tmp_path):
    keys = keys_of(network, tmp_path)
    entry = LayerRecord({"kernel": "pixels", "height": 99, "vectors": 9}, 1.1, 5)
    make_records((host_key(), keys["0"], entry)).save(tmp_path / "r.json")
    with pytest.warns(UserWarning, match=r"tuning record of layer '0' is not used: 99 rows by 9"):
        exe = bcr.compile(*network, tune=tmp_path / "r.json", verify=True)
    assert kernels(exe) == kernels(bcr.compile(*network))


# --- measuring -----------------------------------------------------------------------------------


def test_tuning_measures_what_is_missing_and_only_that(network, tmp_path, monkeypatch):
    import bcr.tuning.tuner as tuner

    path = tmp_path / "r.json"
    config = bcr.TuneConfig(records=path, seconds=60, trials=6)
    exe = bcr.compile(*network, tune=config, verify=True)
    layers = bcr.TuningRecords.load(path).of(host_key())
    assert set(layers) == set(keys_of(network, tmp_path).values())
    assert all(1 <= entry.trials <= 6 for entry in layers.values())
    for key, entry in layers.items():
        assert (not entry.schedule) == (entry.speedup == 1), key
        assert entry.speedup >= 1

    def refuse(*arguments, **options):
        raise AssertionError("measured again")

    monkeypatch.setattr(tuner, "LayerSearch", refuse)
    before = path.read_text()
    again = bcr.compile(*network, tune=config)
    assert path.read_text() == before
    x = network[1][0]
    np.testing.assert_allclose(again(x), exe(x), rtol=1e-4, atol=1e-5)
    from_file = bcr.compile(*network, tune=path)
    np.testing.assert_allclose(from_file(x), exe(x), rtol=1e-4, atol=1e-5)


def test_new_layers_join_a_file(network, tmp_path):
    path = tmp_path / "r.json"
    make_records((THERE, "a", record())).save(path)
    bcr.compile(*network, tune=bcr.TuneConfig(records=path, seconds=60, trials=2))
    records = bcr.TuningRecords.load(path)
    assert records.of(THERE) == {"a": record()}
    assert records.of(host_key())


def test_the_same_seed_proposes_the_same_schedules(network):
    from bcr import _core, frontend, ir
    from bcr.tuning.isolate import find_layers, isolate
    from bcr.tuning.search import LayerSearch

    described = _core.describe_target()
    target = bcr.Target(described.triple, described.cpu, described.features)
    imported = frontend.import_model(*network, {})
    module = ir.Module.parse(imported.text)
    module.set_resources(imported.weights)
    module.operation.attributes["bcr.records"] = {}
    ir.PassManager.parse("builtin.module(bcr-to-llvm{stop-after=select})", module.context).run(
        module
    )
    op, info = next(iter(find_layers(module).values()))
    layer = isolate(op, info, may_choose=True)

    def proposals(seed):
        search = LayerSearch(layer, target, 1, cache_bytes=4096, trials=64, seed=seed)
        study = search._make_study()
        points = []
        for _ in range(20):
            trial = study.ask()
            points.append(search._space.suggest(trial))
            study.tell(trial, float(len(points) * 7 % 5))
        return points

    assert proposals(0) == proposals(0) != proposals(1)


def test_worse_records_are_dropped(network, tmp_path):
    """What makes a layer slower in the network does not survive the comparison of networks."""
    from bcr.tuning.tuner import keep_what_helps

    keys = keys_of(network, tmp_path)
    slow = {"kernel": "pixels", "height": 1, "vectors": 1, "form": "dense"}

    def compile_with(schedules):
        path = tmp_path / "s.json"
        entries = [(host_key(), k, LayerRecord(s, 2.0, 1)) for k, s in (schedules or {}).items()]
        make_records(*entries).save(path)
        return bcr.compile(*network, tune=path).program

    def run(exe, stamps):
        return exe.run_with_stamps(network[1], {}, stamps)

    baseline = bcr.Executable(compile_with(None))
    assert keep_what_helps(baseline, {keys["0"]: slow}, compile_with, run) == {}


def test_an_interrupt_keeps_what_was_found(network, tmp_path, monkeypatch):
    import bcr.tuning.search as search

    calls = []

    def interrupted(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return compare(*arguments)

    compare = search.compare
    monkeypatch.setattr(search, "compare", interrupted)
    path = tmp_path / "r.json"
    exe = bcr.compile(*network, tune=bcr.TuneConfig(records=path, seconds=600))
    assert exe(network[1][0]).shape == (1, 10)
    (entry,) = bcr.TuningRecords.load(path).of(host_key()).values()
    assert entry.trials == 2


# --- the commands --------------------------------------------------------------------------------


def test_the_commands(network, tmp_path):
    from typer.testing import CliRunner

    from bcr.cli import app

    model = tmp_path / "model.pt2"
    torch.export.save(torch.export.export(*network), model)
    invoke = CliRunner().invoke
    records, output = tmp_path / "r.json", tmp_path / "model.bcr"
    result = invoke(
        app, ["tune", str(model), "--seconds", "60", "--trials", "2", "-r", str(records),
              "-o", str(output), "--quiet"],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert result.output == ""
    x = network[1][0]
    np.testing.assert_allclose(bcr.load(output)(x), network[0](x).detach(), rtol=1e-3, atol=1e-4)
    merged = tmp_path / "merged.json"
    make_records((THERE, "a", record())).save(tmp_path / "other.json")
    result = invoke(
        app, ["merge-records", str(records), str(tmp_path / "other.json"), "-o", str(merged)]
    )
    assert result.exit_code == 0, result.output
    assert set(bcr.TuningRecords.load(merged).targets()) == {host_key(), THERE}
    result = invoke(
        app, ["compile", str(model), "--records", str(merged), "-o", str(output), "--quiet"]
    )
    assert result.exit_code == 0, result.output
