"""The faults of tools/mutations.toml must still fit the sources (tools/mutate runs them)."""

import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MUTATIONS = tomllib.loads((ROOT / "tools" / "mutations.toml").read_text())["mutation"]


def test_at_least_ten_faults_with_distinct_names():
    names = [mutation["name"] for mutation in MUTATIONS]
    assert len(set(names)) == len(names) >= 10


@pytest.mark.parametrize("mutation", MUTATIONS, ids=[m["name"] for m in MUTATIONS])
def test_fault_fits_the_source_in_one_place(mutation):
    source = (ROOT / mutation["file"]).read_text()
    assert source.count(mutation["find"]) == 1
    assert mutation["replace"] != mutation["find"]
    for test in mutation["tests"]:
        assert (ROOT / test.split("::")[0]).exists(), test
