"""From probabilities to words, and how many of them are right."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from sounds import Clips, step_time

STEPS = 6
"""Probabilities are averaged over so many steps: 120 ms."""
HIGH = 0.6
"""A word is reported when its average rises above this."""
LOW = 0.3
"""Nothing else is reported until the average of that word has fallen below this."""
_LATE = 0.4  # s after a word in which its report still counts


class Detector:
    """Takes the probabilities of one step after the other and reports words.

    Args:
        words: classes 1, 2, ...; class 0 is everything else.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._last: deque[np.ndarray] = deque(maxlen=STEPS)
        self._held = 0

    def push(self, probabilities: np.ndarray) -> tuple[str, float] | None:
        """Take float32 [1 + words] and return a word that begins to be sure, and how sure."""
        self._last.append(probabilities)
        mean = sum(self._last) / STEPS
        if self._held and mean[self._held] < LOW:
            self._held = 0
        best = 1 + int(np.argmax(mean[1:]))
        if self._held or mean[best] <= HIGH:
            return None
        self._held = best
        return self.words[best - 1], float(mean[best])


def judge(words: Sequence[str], probabilities: np.ndarray, clips: Clips) -> tuple[float, float]:
    """Return the share of spoken words that are reported, and false reports a minute.

    Args:
        words: see `Detector`.
        probabilities: float32 [N, T, 1 + words].
        clips: those that they belong to.
    """
    found = false = 0
    for steps, spoken in zip(probabilities, clips.spoken):
        detector = Detector(words)
        missing = [(words[int(label)], begin, end) for label, begin, end in spoken]
        for step, values in enumerate(steps):
            report = detector.push(values)
            if report is None:
                continue
            time = step_time(step)
            right = [m for m in missing if m[0] == report[0] and m[1] <= time <= m[2] + _LATE]
            if right:
                missing.remove(right[0])
                found += 1
            else:
                false += 1
    minutes = len(clips.inputs) * step_time(probabilities.shape[1] - 1) / 60
    return found / clips.spoken[:, :, 0].size, false / minutes
