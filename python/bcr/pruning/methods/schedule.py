"""The cubic schedule of rates."""

from __future__ import annotations


def cubic_rate(step: int, *, begin: int, end: int, initial: float, final: float) -> float:
    """Return the pruning rate due at `step`.

    Zhu & Gupta, "To prune, or not to prune" (2017), equation 1: the sparsity s = 1 - 1/rate goes
    from s_i to s_f as ``s_t = s_f + (s_i - s_f) (1 - (t - t_0) / (n dt))^3``, fast at first, when
    there is much to spare. Here t_0 is `begin` and n dt is `end` - `begin`.

    Args:
        step: before `begin` counts as `begin`, after `end` as `end`.
        begin, end: first and last step of the schedule.
        initial, final: rates, at least 1.
    """
    if step >= end:
        return final
    left = 1 - max(step - begin, 0) / (end - begin)
    sparsity = (1 - 1 / final) + (1 / final - 1 / initial) * left**3
    return 1 / (1 - sparsity)
