"""The latency table: its file, what lies between measurements, and one that is really measured."""

import json
import os
import sys
import time

import pytest

import bcr
from bcr.mapping import DENSE, Choice, Form, LatencyTable, LayerSpec, MeasuredLatency, Measurement
from bcr.mapping.bench import _mask
from bcr.mapping.measured import _by_importance
from bcr.mapping.table import TableKey

CONV = LayerSpec((16, 8, 3, 3), 1, (9, 7), (2, 1), (1, 0), (1, 1), 1)
LINEAR = LayerSpec((24, 40), 3)
HERE = TableKey("x86_64-linux-gnu", "znver5", "+avx512f", 1, "0.1.0")


def columns(rate, block=(8, 16)):
    return Choice(Form("columns", block), rate)


def make_table(*entries, key=HERE):
    table = LatencyTable(key)
    for spec, choice, seconds, runs in entries:
        table.set(spec, choice, Measurement(seconds, round(seconds * 1e9), 0.02, runs))
    return table


def test_the_key_of_a_layer_says_all_that_matters():
    assert str(LINEAR) == "linear 3x40 to 24"
    assert str(CONV) == (
        "conv 1x8x9x7 to 16 kernel 3x3 stride 2x1 padding 1x0 dilation 1x1 groups 1"
    )
    assert str(columns(8)) == "columns 8x16 rate 8"
    assert str(Choice(Form("2:4"), 2.0)) == "2:4 rate 2"
    assert str(DENSE) == "dense"


def test_a_file_gives_back_what_was_saved(tmp_path):
    table = make_table(
        (CONV, DENSE, 3e-5, 9), (CONV, columns(4), 1e-5, 8), (LINEAR, DENSE, 2e-6, 7)
    )
    table.save(tmp_path / "deep" / "t.json")
    loaded = LatencyTable.load(tmp_path / "deep" / "t.json")
    assert loaded.key == HERE
    assert sorted(loaded, key=str) == sorted(table, key=str)
    assert len(loaded) == 3
    assert loaded.get(CONV, columns(4)) == Measurement(1e-5, 10000, 0.02, 8)
    assert loaded.get(CONV, columns(8)) is None
    assert os.listdir(tmp_path / "deep") == ["t.json"]


def test_saving_keeps_what_another_process_added(tmp_path):
    make_table((CONV, DENSE, 3e-5, 9)).save(tmp_path / "t.json")
    make_table((LINEAR, DENSE, 2e-6, 7)).save(tmp_path / "t.json")
    assert len(LatencyTable.load(tmp_path / "t.json")) == 2


def test_merging_keeps_what_ran_more_often():
    ours = make_table((CONV, DENSE, 3e-5, 9), (CONV, columns(4), 1e-5, 8))
    ours.merge(
        make_table((CONV, DENSE, 4e-5, 10), (CONV, columns(4), 2e-5, 7), (LINEAR, DENSE, 1e-6, 1))
    )
    assert [m.seconds for _, _, m in ours] == [4e-5, 1e-5, 1e-6]
    other = TableKey("aarch64-linux-gnu", "cortex-a76", "", 1, "0.1.0")
    with pytest.raises(bcr.ConfigError, match="two targets cannot be merged.*znver5.*cortex-a76"):
        ours.merge(make_table(key=other))


@pytest.fixture
def merge_tables(monkeypatch, capsys):
    """Returns a function that runs the command and returns its status and what it prints."""
    from bcr import cli

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["bcr", "merge-tables", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        return caught.value.code, capsys.readouterr().out

    return run


def test_tables_are_merged_from_the_command_line(merge_tables, tmp_path):
    one, two, out = (tmp_path / name for name in ("one.json", "two.json", "out.json"))
    make_table((CONV, DENSE, 3e-5, 9), (CONV, columns(4), 1e-5, 8)).save(one)
    make_table((CONV, DENSE, 4e-5, 10), (LINEAR, DENSE, 1e-6, 1)).save(two)
    code, text = merge_tables(one, two, "-o", out)
    assert code == 0
    assert text == f"wrote {out}: 3 measurements\n"
    merged = LatencyTable.load(out)
    assert merged.get(CONV, DENSE).seconds == 4e-5
    assert merged.get(CONV, columns(4)).seconds == 1e-5
    assert merged.get(LINEAR, DENSE).seconds == 1e-6
    assert len(LatencyTable.load(one)) == len(LatencyTable.load(two)) == 2


def test_tables_of_two_targets_are_not_merged_from_the_command_line(merge_tables, tmp_path):
    one, two, out = (tmp_path / name for name in ("one.json", "two.json", "out.json"))
    make_table((CONV, DENSE, 3e-5, 9)).save(one)
    make_table((CONV, DENSE, 3e-5, 9), key=TableKey("t", "board", "", 1, "0.1.0")).save(two)
    message, _ = merge_tables(one, two, "-o", out)
    assert message.startswith("bcr: error: tables of two targets cannot be merged")
    assert not out.exists()


DAMAGED = {
    "empty": "",
    "truncated": '{"format": "bcr latency table", "ver',
    "of another kind": '{"format": "bcr tuning records", "version": 1}',
    "of another version": '{"format": "bcr latency table", "version": 9}',
    "without a target": '{"format": "bcr latency table", "version": 1, "layers": {}}',
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_file_is_one_clear_error(tmp_path, case):
    path = tmp_path / "t.json"
    path.write_text(DAMAGED[case])
    with pytest.raises(bcr.FormatError, match=r"t\.json is no latency table.*delete") as caught:
        LatencyTable.load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [("seconds", 0), ("seconds", "fast"), ("spread", -1), ("bytes", 2.5), ("runs", None)],
)
def test_a_damaged_measurement_is_refused(tmp_path, name, value):
    path = tmp_path / "t.json"
    make_table((CONV, DENSE, 3e-5, 9)).save(path)
    content = json.loads(path.read_text())
    content["layers"][str(CONV)]["dense"][name] = value
    path.write_text(json.dumps(content))
    with pytest.raises(bcr.FormatError, match="no latency table"):
        LatencyTable.load(path)


def test_between_two_rates_time_goes_with_the_weights_kept():
    table = make_table(
        (CONV, DENSE, 9e-5, 9), (CONV, columns(2), 6e-5, 9), (CONV, columns(4), 4e-5, 9),
        (CONV, columns(16), 3e-5, 9), (CONV, columns(3, (4, 16)), 1e-6, 9),
    )  # fmt: skip
    # A third of the weights: two thirds of the way from one half to one quarter.
    between = table.between(CONV, columns(3))
    assert between.seconds == pytest.approx(6e-5 - 2e-5 * 2 / 3)
    assert between.bytes == round(60000 - 20000 * 2 / 3)
    assert between.runs == 0
    assert table.between(CONV, columns(4)).runs == 9
    # Too far apart, beyond the ends, next to dense, another layer.
    assert table.between(CONV, columns(8)) is None
    assert table.between(CONV, columns(8), gap=4).seconds == pytest.approx(4e-5 - 1e-5 * 2 / 3)
    assert table.between(CONV, columns(32)) is None
    assert table.between(CONV, columns(1.5)) is None
    assert table.between(LINEAR, columns(3)) is None


def test_times_of_other_splits_are_no_neighbours():
    def both(rate, rows):
        return Choice(Form("both", (8, 16)), rate, rows)

    table = make_table(
        (CONV, both(2.0, 4), 6e-5, 9), (CONV, both(4.0, 4), 4e-5, 9), (CONV, both(4.0, 2), 9e-5, 9),
        (CONV, Choice(Form("both", (8, 16)), 2.0), 1e-6, 9),
    )  # fmt: skip
    assert str(both(4.0, 2)) == "both 8x16 rate 4 rows 2"
    assert table.between(CONV, both(3.0, 4)).seconds == pytest.approx(6e-5 - 2e-5 * 2 / 3)
    assert table.between(CONV, both(3.0, 2)) is None
    assert table.between(CONV, Choice(Form("both", (8, 16)), 3.0)) is None


@pytest.mark.parametrize(("rows", "columns"), [(1, 8), (2, 4), (4, 2)])
def test_weights_are_pruned_to_a_split(rows, columns):
    weight = LayerSpec((16, 5, 3, 3), 1, (4, 4), (1, 1), (1, 1), (1, 1), 1).make().weight.detach()
    mask = _mask(weight, Choice(Form("both", (8, 15)), 15.0, rows)).reshape(16, 45)
    kept_rows, kept_columns = bcr.pruning.block_counts(mask, (8, 15))
    assert kept_rows.tolist() == [rows] * 6
    assert kept_columns.tolist() == [columns] * 6
    assert mask.sum() == 16 * 45 / 15


def test_what_comes_first_says_most():
    choices = [columns(rate) for rate in (2, 3, 4, 6, 8, 12, 16)]
    order = [
        (str(spec), choice.rate)
        for spec, choice in _by_importance([(CONV, [DENSE, *choices]), (LINEAR, [DENSE])])
    ]
    assert {order[0], order[1]} == {(str(CONV), 1.0), (str(LINEAR), 1.0)}
    rates = [rate for _, rate in order[2:]]
    assert rates[0] == 16
    assert sorted(rates[:4]) == [2, 4, 8, 16]


def test_a_table_of_another_target_is_refused(tmp_path):
    make_table((CONV, DENSE, 3e-5, 9), key=TableKey("t", "cpu", "", 1, "0.0.1")).save(
        tmp_path / "t.json"
    )
    with pytest.raises(bcr.ConfigError, match=r"t\.json is the table of t cpu, 1 threads, bcr"):
        MeasuredLatency(path=tmp_path / "t.json")


def test_another_machine_is_not_measured(tmp_path):
    source = MeasuredLatency("cortex-a76", path=tmp_path / "t.json")
    with pytest.raises(bcr.ConfigError, match=r"cortex-a76: run the same there.*bcr map --table"):
        source.prepare([CONV], [[columns(4)]])
    # A table that was made there is enough.
    source.table.set(CONV, DENSE, Measurement(1e-4, 10, 0.0, 9))
    source.table.set(CONV, columns(4), Measurement(5e-5, 5, 0.0, 9))
    source.prepare([CONV], [[columns(4)]])
    assert source.layer(CONV, columns(4)).seconds == 5e-5


def test_the_default_file_is_in_the_cache_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    one, two = (MeasuredLatency(num_threads=threads).path for threads in (1, 2))
    assert one != two
    assert one.is_relative_to(tmp_path / "bcr" / "latency")


def test_measuring_a_tiny_layer(tmp_path):
    path = tmp_path / "t.json"
    conv = LayerSpec((32, 32, 3, 3), 1, (14, 14), (1, 1), (1, 1), (1, 1), 1)
    linear = LayerSpec((256, 512), 1)
    state = LayerSpec((768, 256), 1, cell="GRU", steps=5)
    choices = [columns(rate) for rate in (2, 3, 4, 8, 16)]
    source = MeasuredLatency(path=path, progress=False)
    source.prepare([conv, linear, state], [choices, choices[:1], choices[2:3]])
    dense, *pruned = [source.layer(conv, choice) for choice in (DENSE, *choices)]
    # Far enough apart for a machine that does other work.
    assert dense.seconds > 2 * pruned[-1].seconds > 0
    assert dense.bytes >= 4 * 32 * 288
    assert pruned[0].bytes > pruned[2].bytes > pruned[4].bytes > 4 * 32 * 288 / 16
    assert [m.runs > 0 for m in pruned] == [True, False, True, True, True]
    assert source.layer(linear, DENSE).bytes >= 4 * 256 * 512
    assert source.layer(linear, columns(2)).runs > 0
    # The cells take the same time whatever is pruned.
    assert source.layer(state, DENSE).seconds > 1.2 * source.layer(state, columns(4)).seconds > 0
    assert source.layer(state, DENSE).bytes > 2 * source.layer(state, columns(4)).bytes
    # The second time everything comes from the file.
    before = time.perf_counter()
    again = MeasuredLatency(path=path)
    again.prepare([conv, linear, state], [choices, choices[:1], choices[2:3]])
    assert time.perf_counter() - before < 0.5
    assert sorted(again.table, key=str) == sorted(LatencyTable.load(path), key=str)


def test_a_time_limit_leaves_the_rest_to_interpolation(tmp_path):
    conv = LayerSpec((8, 8, 3, 3), 1, (5, 5), (1, 1), (1, 1), (1, 1), 1)
    source = MeasuredLatency(path=tmp_path / "t.json", seconds=0.0, progress=False)
    source.prepare([conv], [[columns(4)]])
    assert source.layer(conv, DENSE).runs > 0
    assert source.layer(conv, columns(4)) is None
    # Now neighbours of any distance will do.
    source.table.set(conv, columns(2), Measurement(4e-6, 40, 0.0, 9))
    source.table.set(conv, columns(16), Measurement(1e-6, 10, 0.0, 9))
    assert 1e-6 < source.layer(conv, columns(4)).seconds < 4e-6
