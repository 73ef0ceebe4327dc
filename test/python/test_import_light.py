"""`import bcr` is instant; each part loads only what it needs."""

import json
import subprocess
import sys

import pytest

HEAVY = ("torch", "torch_mlir", "numpy", "rich", "typer", "yaml", "safetensors", "sklearn")


def loaded_by(statement: str) -> tuple[set[str], float]:
    """Run the statement in a fresh interpreter; return the modules loaded and the seconds taken."""
    code = (
        "import json, sys, time\n"
        "start = time.perf_counter()\n"
        f"{statement}\n"
        "print(json.dumps([sorted(sys.modules), time.perf_counter() - start]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    modules, seconds = json.loads(done.stdout)
    assert done.stderr == ""
    return set(modules), seconds


def test_import_bcr_loads_nothing_heavy_and_is_fast():
    modules, _ = loaded_by("import bcr")
    assert modules.isdisjoint(HEAVY)
    # Only pure Python: whatever of bcr is loaded has no compiled extension in it.
    assert {m for m in modules if m.startswith("bcr")} == {"bcr", "bcr.errors", "bcr.lazy"}
    assert min(loaded_by("import bcr")[1] for _ in range(3)) < 0.5


@pytest.mark.parametrize(
    "statement",
    [
        "from bcr import PruneConfig; PruneConfig(rate=8, modules={'fc': None}).to_dict()",
        "import bcr.pruning",
        "from bcr.pruning import PruneReport, LayerRow",
        "import bcr.errors",
    ],
)
def test_configurations_and_reports_need_neither_torch_nor_numpy(statement):
    modules, _ = loaded_by(statement)
    assert modules.isdisjoint(HEAVY)


def test_reference_loads_numpy_only():
    modules, _ = loaded_by("import bcr.reference")
    assert "numpy" in modules
    assert modules.isdisjoint(set(HEAVY) - {"numpy"})
    assert {m for m in modules if m.startswith("bcr")} == {
        "bcr", "bcr.errors", "bcr.lazy", "bcr.reference"
    }  # fmt: skip


def test_pruning_loads_no_compiler():
    modules, _ = loaded_by("from bcr import Pruner")
    assert "torch" in modules
    assert "torch_mlir" not in modules
    assert {m for m in modules if m.startswith("bcr.")} <= {
        "bcr.errors",
        "bcr.lazy",
        "bcr.pruning",
    } | {m for m in modules if m.startswith("bcr.pruning.")}


def test_every_public_name_of_pruning_exists():
    import bcr.pruning

    for name in bcr.pruning.__all__:
        assert getattr(bcr.pruning, name) is not None
    assert set(bcr.pruning.__all__) <= set(dir(bcr.pruning))
    with pytest.raises(AttributeError, match="no attribute 'Prunner'"):
        bcr.pruning.Prunner  # noqa: B018
