"""What the layout of the repository promises to a reader, checked."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PASSES = sorted(p for p in ROOT.glob("passes/*/*.td") if ": Pass<" in p.read_text())


def kebab(name: str) -> str:
    """BCRToLoops is bcr-to-loops."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name).lower()


@pytest.mark.parametrize("declaration", PASSES, ids=lambda path: path.stem)
def test_pass_has_contract_source_and_lit_test(declaration):
    assert declaration.with_suffix(".cpp").exists()
    test = ROOT / "test" / declaration.parent.name / f"{kebab(declaration.stem)}.mlir"
    assert test.exists(), f"{declaration.name} has no lit test {test.relative_to(ROOT)}"
    text = declaration.read_text()
    for clause in ("Requires", "Ensures", "Fails when"):
        assert clause in text, f"the description has no '{clause}'"
    assert (
        "passes/" + str(declaration.relative_to(ROOT / "passes"))
        in (ROOT / "passes" / "Passes.td").read_text()
    )


@pytest.mark.parametrize(
    ("folder", "forbidden"),
    [("dialect", ("passes/", "python/", "tools/")), ("passes", ("python/", "tools/"))],
)
def test_includes_point_downwards_only(folder, forbidden):
    sources = [p for p in (ROOT / folder).rglob("*") if p.suffix in (".cpp", ".h", ".td")]
    assert sources
    for source in sources:
        for included in re.findall(r'^#?include "([^"]+)"', source.read_text(), re.MULTILINE):
            assert not included.startswith(forbidden), f"{source.name} includes {included}"


def test_every_invariant_has_a_message_and_a_negative_test():
    def cited(paths):
        numbers = set()
        for path in paths:
            numbers |= {int(n) for n in re.findall(r"BCR-(\d+)", path.read_text())}
        return numbers

    documented = cited([ROOT / "dialect" / "README.md"])
    assert documented
    messages = cited(ROOT.glob("dialect/*.cpp"))
    tested = cited((ROOT / "test" / "dialect").glob("*.mlir"))
    assert documented == messages, "README.md and the verifiers disagree on the invariants"
    assert documented <= tested, "an invariant has no negative test"
