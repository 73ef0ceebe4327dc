"""Runs lint, the staleness check of the documentation, lit and pytest, and adds up their results.

Called by tools/test once everything is built; see there for the options.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPORTS = ROOT / "build" / "test-reports"
PARTS = ("lint", "docs", "lit", "pytest")

# Test processes run side by side, one per processor: a second level of threads in PyTorch or
# BLAS would make each of them slower.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
GIGABYTES_PER_WORKER = 4  # a test that compiles VGG-16 holds its weights three times


@dataclass
class Result:
    """What one part of the run found."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    failures: list[str] = field(default_factory=list)
    skips: list[str] = field(default_factory=list)

    def add(self, other: Result) -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.skipped += other.skipped
        self.failures += other.failures
        self.skips += other.skips

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def workers() -> int:
    """Test processes that fit both the processors and the memory of this machine."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES") / 2**30
    return max(1, min(len(os.sched_getaffinity(0)), int(memory / GIGABYTES_PER_WORKER)))


def run_checks(title: str, command: list[str]) -> Result:
    """Run a checker whose last lines hold `<title>: N passed, N failed, N skipped`."""
    process = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE)
    assert process.stdout is not None
    result = Result()
    summary = None
    for line in process.stdout:
        print(line, end="", flush=True)
        if line.startswith("  FAILED"):
            result.failures.append(f"{title}: {line[10:].strip()}")
        if counts := re.match(rf"{title}: (\d+) passed, (\d+) failed, (\d+) skipped", line):
            summary = [int(number) for number in counts.groups()]
    code = process.wait()
    if summary is None:
        return Result(failed=1, failures=[f"{title}: no result, exit code {code}"])
    result.passed, result.failed, result.skipped = summary
    return result


def run_suite(title: str, command: list[str], report: Path, may_be_empty: bool) -> Result:
    """Run lit or pytest and read the JUnit report that both of them write."""
    report.unlink(missing_ok=True)
    code = subprocess.run(command, cwd=ROOT, env=os.environ | ONE_THREAD).returncode
    if may_be_empty and (code == 5 or (code == 0 and not report.exists())):
        return Result()
    result = Result()
    try:
        cases = list(ElementTree.parse(report).iter("testcase"))
    except (OSError, ElementTree.ParseError):
        return Result(failed=1, failures=[f"{title}: no report, exit code {code}"])
    for case in cases:
        name = f"{title}: {case.get('classname', '')} {case.get('name', '')}"
        skipped = case.find("skipped")
        if case.find("failure") is not None or case.find("error") is not None:
            result.failed += 1
            result.failures.append(name)
        elif skipped is not None:
            reason = skipped.get("message") or (skipped.text or "").strip() or "no reason given"
            if "not selected" not in reason:  # lit reports what its filter left out
                result.skipped += 1
                result.skips.append(f"{name}: {reason}")
        else:
            result.passed += 1
    if code and not result.failed:
        # An internal error or an interrupt leaves a report without the failure in it.
        result.failed += 1
        result.failures.append(f"{title}: exit code {code}")
    return result


def run_lit(where: list[str], keyword: str | None) -> Result:
    report = REPORTS / "lit.xml"
    command = [str(Path(sys.prefix) / "bin" / "lit"), "-s", "-v", "--timeout=300"]
    command += [f"-j{len(os.sched_getaffinity(0))}", f"--xunit-xml-output={report}"]
    if keyword:
        command += [f"--filter={keyword}", "--allow-empty-runs"]
    return run_suite("lit", [*command, *(where or ["test"])], report, bool(keyword))


def run_pytest(where: list[str], keyword: str | None, others: list[str]) -> Result:
    report = REPORTS / "pytest.xml"
    command = [sys.executable, "-m", "pytest", f"--junit-xml={report}", "--durations=5"]
    interactive = any(option.startswith(("--pdb", "-s", "--trace")) for option in others)
    if workers() > 1 and not interactive:
        command += [f"-n{workers()}", "--dist=worksteal"]
    if keyword:
        command += ["-k", keyword]
    return run_suite(
        "pytest", [*command, *others, *(where or ["test/python"])], report, bool(keyword)
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="tools/test", add_help=False, allow_abbrev=False)
    parser.add_argument("-k", dest="keyword")
    parser.add_argument("--only", action="append", choices=PARTS)
    options, others = parser.parse_known_args()
    where = [argument for argument in others if not argument.startswith("-")]
    others = [argument for argument in others if argument.startswith("-")]
    for_lit, for_pytest = [], []
    for place in where:
        file, *node = place.split("::")
        if not Path(file).exists():
            parser.error(f"{file} does not exist")
        path = Path(file).resolve()
        group = for_pytest if path.is_relative_to(ROOT / "test" / "python") else for_lit
        group.append("::".join([str(path), *node]))

    parts = list(options.only or PARTS)
    if not options.only and (options.keyword or where or others):
        # A choice of tests was made: the checks of the whole repository are no part of it.
        parts = ["lit", "pytest"] if options.keyword else []
        parts += ["lit"] if for_lit else []
        parts += ["pytest"] if for_pytest or (others and not where) else []

    os.chdir(ROOT)
    REPORTS.mkdir(parents=True, exist_ok=True)
    jobs = {
        "lint": lambda: run_checks("lint", ["tools/lint"]),
        "docs": lambda: run_checks("docs", [sys.executable, "tools/docs", "--check"]),
        "lit": lambda: run_lit(for_lit, options.keyword),
        "pytest": lambda: run_pytest(for_pytest, options.keyword, others),
    }
    total = Result()
    lines = []
    for part in PARTS:
        if part not in parts:
            continue
        print(f"[test] {part}", flush=True)
        begin = time.monotonic()
        result = jobs[part]()
        lines.append(f"  {part:8} {result} in {time.monotonic() - begin:.0f} s")
        total.add(result)

    print("\n[test] summary")
    print("\n".join(lines))
    for title, names in (("failed", total.failures), ("skipped", total.skips)):
        for name in names:
            print(f"  {title}: {name}")
    if not total.passed and not total.failed:
        print("  no test was selected")
    print(total)
    sys.exit(1 if total.failed or not total.passed else 0)


if __name__ == "__main__":
    main()
