"""The compiled spotter on a sound, as it comes from a microphone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from detection import Detector
from network import FEATURES, STACK, Spotter, Step
from sounds import step_time

import bcr
from bcr.audio import BANDS, HOP, SAMPLE_RATE, LogMel


def compile_step(model: Spotter, target: str = "host", sparsity: str = "auto") -> bcr.Executable:
    """Compile one step of a spotter for a target."""
    inputs = torch.zeros(1, 1, FEATURES), model.start(1)
    return bcr.compile(Step(model).eval(), inputs, target=target, sparsity=sparsity)


def listen(
    executable: bcr.Executable,
    words: Sequence[str],
    samples: np.ndarray,
    heard: Callable[[float, str, float], None],
) -> tuple[np.ndarray, float]:
    """Take a sound in pieces of 10 ms and report words as soon as they are sure.

    Args:
        executable: see `compile_step`.
        words: that it knows.
        samples: int16 [N], 16 kHz.
        heard: called with the second, the word and how sure it is.

    Returns:
        The probabilities of all steps, float32 [T, 1 + words], and the real-time factor: the time
        taken, features and network, over the length of the sound.
    """
    features, detector = LogMel(), Detector(words)
    stream = executable.stream({"h": 1})
    pending = np.zeros((1, 1, FEATURES), np.float32)
    said, busy, frames = [], 0.0, 0
    for first in range(0, len(samples), HOP):
        begin = time.perf_counter()
        for frame in features.push(samples[first : first + HOP]):
            place = frames % STACK * BANDS
            pending[0, 0, place : place + BANDS] = frame
            frames += 1
            if frames % STACK:
                continue
            said.append(stream(pending))
            report = detector.push(said[-1])
            if report is not None:
                heard(float(step_time(len(said) - 1)), *report)
        busy += time.perf_counter() - begin
    count = 1 + len(words)
    return np.array(said, np.float32).reshape(-1, count), busy * SAMPLE_RATE / len(samples)
