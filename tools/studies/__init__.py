"""Accuracy of pruned networks, from real training runs; see README.md."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
"""The repository."""

OUTPUT = ROOT / "build" / "studies"
"""Where results, weights and pictures are kept; git ignores it."""
