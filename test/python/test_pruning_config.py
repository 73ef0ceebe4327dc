"""`PruneConfig`: validation, override precedence, plain values and YAML."""

import copy
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from bcr import BCRError, ConfigError, PruneConfig
from bcr.pruning import LayerConfig

LINEAR = ["Linear", "Module", "object"]
CONV = ["Conv2d", "_ConvNd", "Module", "object"]


def test_values_are_kept_in_one_form():
    config = PruneConfig(rate=8, block=[np.int64(4), 16])
    assert config.rate == 8.0
    assert isinstance(config.rate, float)
    assert config.block == (4, 16)
    assert type(config.block[0]) is int
    assert PruneConfig(rate=np.float32(2.5)).rate == 2.5
    assert PruneConfig(8, "matrix").block == "matrix"
    with pytest.raises(AttributeError):
        config.rate = 4


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (0.5, "rate is 0.5: .*at least 1.*to keep the fraction 0.5 write 2"),
        (0, "rate is 0: .*at least 1"),
        (-8, "rate is -8"),
        (math.nan, "rate is nan"),
        (math.inf, "rate is inf: .*finite"),
        (True, "rate is True, a bool"),
        ("8", "rate is '8', a str"),
        (None, "rate is None, a NoneType"),
        ([8], r"rate is \[8\], a list"),
        (8 + 0j, "a complex"),
    ],
)
def test_impossible_rate(rate, words):
    with pytest.raises(ConfigError, match=words):
        PruneConfig(rate=rate)


@pytest.mark.parametrize(
    "block",
    [(0, 4), (4, -1), (4,), (4, 4, 4), (4.0, 4), (True, 4), ("4", 4), "4x4", "Matrix", 4, None, {}],
)
def test_impossible_block(block):
    with pytest.raises(ConfigError, match=re.escape(f"block is {block!r}: a block is a pair")):
        PruneConfig(rate=8, block=block)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"method": "one-shot"}, "method is 'one-shot': .*'oneshot'.*Did you mean 'oneshot'"),
        ({"method": None}, "method is None"),
        ({"scheme": "column"}, "scheme is 'column': .*'both', 'columns', 'rows'.*mean 'columns'"),
        ({"scheme": "4:2"}, "scheme is '4:2': N:M keeps N weights of M, so N is below M"),
        ({"scheme": "0:4"}, "scheme is '0:4': choose one of .*or an N:M scheme"),
        ({"scheme": "2:4"}, "scheme '2:4' has the rate 2, and rate is 8"),
        ({"ranking": "global"}, "ranking is 'global': .*'block', 'layer', 'network'"),
        ({"fallback": "patterns"}, "fallback is 'patterns': .*Did you mean 'pattern'"),
        ({"kernel_block": 8}, r"kernel_block is 8: .*positive whole numbers \(filters, channels\)"),
        ({"kernel_block": (8, 0)}, r"kernel_block is \(8, 0\): .*; 0 is not one"),
        ({"patterns": 57}, "patterns is 57: choose a whole number from 1 to 56"),
        ({"patterns": True}, "patterns is True"),
        ({"column_rate": 0.5}, "column_rate is 0.5"),
        (
            {"scheme": "bsp", "column_rate": 16},
            "column_rate 16.0 and row_rate None do not multiply",
        ),
        ({"scheme": "bsp", "column_rate": 3, "row_rate": 2}, "multiply to the rate 8: leave one"),
        ({"modules": {"fc": {"patterns": 0}}}, r"modules\['fc'\].patterns is 0"),
        ({"oversize": "clamp"}, "oversize is 'clamp': .*'error', 'clip', 'dense'"),
        ({"modules": ["fc"]}, r"modules is \['fc'\], a list: write a mapping"),
        ({"modules": {0: None}}, "modules has the key 0, a int: .*write '0' in quotes"),
        ({"modules": {"fc": 8}}, r"modules\['fc'\] is 8, a int"),
        ({"modules": {"fc": {"rates": 2}}}, r"modules\['fc'\] has no setting 'rates'.*mean 'rate'"),
        ({"modules": {"fc": {"rate": 0.1}}}, r"modules\['fc'\].rate is 0.1"),
        ({"module_types": {"Linear": {"block": (0, 1)}}}, r"module_types\['Linear'\].block is"),
        ({"modules": {"fc": {"method": "oneshot"}}}, r"modules\['fc'\] sets method: .*set it once"),
        ({"module_types": None}, "module_types is None"),
    ],
)
def test_impossible_setting(values, words):
    with pytest.raises(ConfigError, match=words) as caught:
        PruneConfig(rate=8, **values)
    assert isinstance(caught.value, BCRError)


def test_from_dict_refuses_unknown_and_missing_keys():
    with pytest.raises(ConfigError, match=r"no setting 'blocks'.* Did you mean 'block'"):
        PruneConfig.from_dict({"rate": 8, "blocks": [4, 4]})
    with pytest.raises(ConfigError, match="has no rate"):
        PruneConfig.from_dict({})
    with pytest.raises(ConfigError, match="is 8, a int"):
        PruneConfig.from_dict(8)


def test_plain_values_round_trip():
    config = PruneConfig(
        rate=8,
        block=(4, 16),
        scheme="columns",
        oversize="clip",
        ranking="network",
        fallback="1:4",
        kernel_block=[4, 4],
        patterns=6,
        row_rate=2,
        module_types={"Linear": {"rate": 4, "block": "matrix"}, "Conv1d": None},
        modules={"features.0": None, "fc": {"block": (2, 8), "kernel_block": (2, 2)}},
    )
    plain = json.loads(json.dumps(config.to_dict()))
    assert plain["kernel_block"] == [4, 4]
    assert PruneConfig.from_dict(plain) == config
    assert config.kernel_block == (4, 4)
    assert copy.deepcopy(config) == config
    plain["modules"]["fc"]["rate"] = 2
    assert PruneConfig.from_dict(plain) != config


def test_overrides_are_copied():
    entry = {"rate": 4}
    config = PruneConfig(rate=8, modules={"fc": entry})
    entry["rate"] = 0
    config.to_dict()["modules"]["fc"]["rate"] = 0
    assert config.resolve("fc", LINEAR).rate == 4


def test_precedence_is_model_then_type_then_name():
    config = PruneConfig(
        rate=8,
        block=(4, 16),
        module_types={"Linear": {"rate": 4, "scheme": "rows"}, "Conv2d": None},
        modules={"a": {"rate": 2}, "b": None, "c": {"block": "matrix"}},
    )
    assert config.resolve("x", ["Conv1d"]) == LayerConfig(8, (4, 16), "both", "error")
    assert config.resolve("x", LINEAR) == LayerConfig(4, (4, 16), "rows", "error")
    assert config.resolve("a", LINEAR) == LayerConfig(2, (4, 16), "rows", "error")
    assert config.resolve("b", LINEAR) is None
    assert config.resolve("x", CONV) is None
    assert config.resolve("c", CONV) == LayerConfig(8, "matrix", "both", "error")


def test_the_most_derived_type_wins():
    config = PruneConfig(rate=8, module_types={"Linear": None, "MyLinear": {"rate": 2}})
    assert config.resolve("x", ["MyLinear", *LINEAR]).rate == 2
    assert config.resolve("x", LINEAR) is None


def test_the_rate_of_n_of_m_follows_from_it():
    config = PruneConfig(
        rate=8,
        module_types={"Linear": {"scheme": "2:4"}, "Conv2d": {"scheme": "1:3", "rate": 3}},
        modules={"a": {"scheme": "1:4"}, "b": {"scheme": "both"}, "c": {"rate": 4}},
    )
    assert config.resolve("x", LINEAR).rate == 2
    assert config.resolve("x", CONV).rate == 3
    assert config.resolve("a", LINEAR) == LayerConfig(4, (8, 64), "1:4")
    assert config.resolve("b", LINEAR).rate == 8
    with pytest.raises(ConfigError, match="module 'c': scheme '2:4' has the rate 2, and rate is 4"):
        config.resolve("c", LINEAR)
    assert PruneConfig(rate=2, scheme="2:4").resolve("x", LINEAR).rate == 2
    fallen = PruneConfig(8, scheme="pattern", fallback="2:4").resolve("x", LINEAR).with_fallback()
    assert (fallen.scheme, fallen.rate) == ("2:4", 2)


def test_settings_of_schemes_go_through_all_levels():
    config = PruneConfig.from_yaml("""
rate: 8
scheme: bsp
column_rate: 4
kernel_block: [16, 2]
module_types: {Linear: {scheme: block-punched, ranking: layer}}
modules:
  a: {kernel_block: [4, 4], fallback: dense}
  b: {rate: 4}
""")
    x = config.resolve("x", ["Conv1d"])
    assert (x.scheme, x.column_rate, x.row_rate, x.kernel_block) == ("bsp", 4, None, (16, 2))
    a = config.resolve("a", LINEAR)
    assert (a.scheme, a.ranking, a.kernel_block, a.fallback) == (
        "block-punched",
        "layer",
        (4, 4),
        "dense",
    )
    assert config.resolve("b", CONV).rate == 4
    assert PruneConfig.from_dict(config.to_dict()) == config


def test_inner_names_win_over_containers():
    config = PruneConfig(
        rate=8,
        modules={"layer1": None, "layer1.0": {"rate": 2}, "layer1.0.conv": {"scheme": "rows"}},
    )
    assert config.resolve("layer1.1.conv", CONV) is None
    assert config.resolve("layer1.0.conv", CONV) == LayerConfig(2, (8, 64), "rows", "error")
    assert config.resolve("layer1.0.conv2", CONV) == LayerConfig(2, (8, 64), "both", "error")
    assert config.resolve("layer10", CONV).rate == 8


YAML = """
rate: 8
block: [4, 16]
module_types:
  Linear: {rate: 4, block: matrix}
modules:
  features.0: null   # stays dense
  "1": {rate: 2.5}
"""


def test_yaml_text_and_file(tmp_path):
    expected = PruneConfig(
        rate=8,
        block=(4, 16),
        module_types={"Linear": {"rate": 4, "block": "matrix"}},
        modules={"features.0": None, "1": {"rate": 2.5}},
    )
    file = tmp_path / "prune.yaml"
    file.write_text(YAML)
    assert PruneConfig.from_yaml(YAML) == expected
    assert PruneConfig.from_yaml(file) == expected
    assert PruneConfig.from_yaml(str(file)) == expected
    assert PruneConfig.from_yaml("{rate: 3}") == PruneConfig(rate=3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rate: 8\nrate: 4", "YAML text: line 2: the key 'rate' occurs twice"),
        ("rate: 8\nmodules: {a: {rate: 2}, a: null}", "line 2: the key 'a' occurs twice"),
        ("rate: [8", "YAML text: is not YAML: .*line 1"),
        ("prune.conf", "holds 'prune.conf', not a mapping.*pathlib.Path"),
        ("", "holds None, not a mapping"),
        ("rate: 8\nmodules: {1: null}", "modules has the key 1, a int: .*write '1' in quotes"),
        ("rate: 8x", "rate is '8x', a str"),
        ("rate: !!python/object/apply:os.getcwd []", "is not YAML"),
    ],
)
def test_bad_yaml(text, words):
    with pytest.raises(ConfigError, match=f"(?s){words}"):
        PruneConfig.from_yaml(text)


def test_unreadable_yaml_file(tmp_path):
    with pytest.raises(ConfigError, match=r"missing\.yaml: cannot be read: .*No such file"):
        PruneConfig.from_yaml(tmp_path / "missing.yaml")
    with pytest.raises(ConfigError, match=r"missing\.yml: cannot be read"):
        PruneConfig.from_yaml("missing.yml")
    binary = Path(tmp_path / "b.yaml")
    binary.write_bytes(b"\xff\xfe\x00rate")
    with pytest.raises(ConfigError, match="cannot be read"):
        PruneConfig.from_yaml(binary)
