"""The refusal that the front end turns into an error which names the user's module."""

from __future__ import annotations


class LoweringError(Exception):
    """Something has no lowering to linalg; the message is the first diagnostics."""
