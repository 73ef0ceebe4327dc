"""Measures compiled networks beside the runtimes that people use; see README.md."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The repository."""

CACHE = ROOT / "build" / "bench"
"""Where environments, converted models and results are kept; git ignores it."""
