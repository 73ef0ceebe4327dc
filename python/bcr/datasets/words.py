"""Single words spoken by espeak-ng in many voices, with noise; whole voices are held out."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from bcr import audio
from bcr.audio import SAMPLE_RATE, log_mel
from bcr.datasets import speech
from bcr.datasets.cache import Arrays, cached
from bcr.datasets.dataset import Dataset
from bcr.datasets.speech import Utterance
from bcr.errors import ConfigError

WORDS = (
    "yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go", "zero", "one", "two",
    "three", "four", "five", "six", "seven", "eight", "nine", "open", "close", "start", "back",
)  # fmt: skip
NOISES = ("white", "pink", "brown")
SAMPLES = SAMPLE_RATE
"""Length of an example: one second, which is 98 frames."""

_SNRS = (5, 10, 15, 20, 30)  # dB
_VERSION = 1  # of the way an example is made: part of the cache's key


def load_words(
    *,
    seed: int = 0,
    test_share: float = 0.25,
    takes: int = 2,
    test_takes: int | None = None,
    words: Sequence[str] = WORDS,
    voices: int | None = None,
) -> Dataset:
    """Return single words as log-mel frames.

    Inputs are float32 [N, 98, 40]: one second at 16 kHz in frames of 25 ms every 10 ms (see
    `bcr.audio.LogMel`). Sources are speakers, who are either in training or held out with all
    their variants; accents are in both. Each example has its own accent, speed (110 to 200 words a
    minute), pitch, loudness, place within the second, and noise (white, pink or brown; 5 to 30 dB
    below the word).

    Args:
        seed: of the split and of everything an example has its own.
        test_share: part of the speakers to hold out, between 0 and 1.
        takes: examples of each word in each voice.
        test_takes: those in each voice held out, if that is another number.
        words: what is said, the classes.
        voices: use only so many voices, for quick trials; default: all that espeak-ng has.

    Raises:
        ConfigError: an argument is impossible; espeak-ng or SciPy is missing.
    """
    test_takes = takes if test_takes is None else test_takes
    for name, count in (("takes", takes), ("test_takes", test_takes)):
        if count < 1:
            raise ConfigError(f"{name} is {count}: give at least 1")
    if not 0 < test_share < 1:
        raise ConfigError(f"test_share is {test_share!r}: give a number between 0 and 1")
    if len(set(words)) != len(words) or len(words) < 2:
        raise ConfigError(f"words are {list(words)}: give two or more that differ")
    variants = speech.variants()
    generator = np.random.default_rng(seed)
    if voices is not None:
        if not 2 <= voices <= len(variants):
            raise ConfigError(f"voices is {voices}: espeak-ng has 2 to {len(variants)}")
        variants = sorted(generator.permutation(variants)[:voices].tolist())
    speakers = sorted({speech.speaker(v) for v in variants})
    if len(speakers) < 2:
        raise ConfigError(f"all {len(variants)} voices are of one speaker: give more voices")
    key = {
        "version": _VERSION,
        "seed": seed,
        "share": test_share,
        "takes": [takes, test_takes],
        "words": list(words),
        "variants": variants,
    }

    def make() -> Arrays:
        order = generator.permutation(len(speakers))
        held_out = {speakers[i] for i in order[: max(1, round(test_share * len(speakers)))]}
        arrays: Arrays = {}
        for name, count in (("train", takes), ("test", test_takes)):
            chosen = [v for v in variants if (speech.speaker(v) in held_out) == (name == "test")]
            arrays |= _record(name, chosen, words, count, generator)
        return arrays

    return Dataset.of("words", words, cached("words", key, make))


def noise(kind: str, samples: int, generator: np.random.Generator) -> NDArray[np.float32]:
    """Return noise of unit power, float32 [N].

    Args:
        kind: "white", or power that falls with the frequency ("pink") or its square ("brown").
        samples: N.
        generator: of the random values.

    Raises:
        ConfigError: there is no such kind.
    """
    if kind not in NOISES:
        raise ConfigError(f"there is no noise {kind!r}; there are {', '.join(NOISES)}")
    spectrum = np.fft.rfft(generator.standard_normal(samples))
    frequency = np.maximum(np.arange(len(spectrum)), 1) * SAMPLE_RATE / samples
    # Below 50 Hz nothing is heard, and brown noise would have all of its power there.
    spectrum *= np.maximum(frequency, 50.0) ** (-NOISES.index(kind) / 2)
    wave = np.fft.irfft(spectrum, samples)
    unit: NDArray[np.float32] = (wave / np.sqrt(np.mean(wave**2))).astype(np.float32)
    return unit


def _record(
    split: str,
    variants: list[str],
    words: Sequence[str],
    takes: int,
    generator: np.random.Generator,
) -> Arrays:
    utterances, labels = [], []
    for variant in variants:
        for label, word in enumerate(words):
            for _ in range(takes):
                accent = speech.ACCENTS[generator.integers(len(speech.ACCENTS))]
                speed, pitch = generator.integers(110, 200), generator.integers(20, 80)
                utterances.append(Utterance(word, accent, variant, int(speed), int(pitch)))
                labels.append(label)
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each call waits for a process
        spoken = pool.map(speech.say, utterances)
        frames = np.stack([log_mel(_staged(samples, generator)) for samples in spoken])
    assert frames.shape[1:] == (audio.frame_count(SAMPLES), audio.BANDS)
    return {
        f"{split}.inputs": frames,
        f"{split}.labels": np.array(labels, np.int64),
        f"{split}.sources": np.array([speech.speaker(u.variant) for u in utterances]),
    }


def _staged(word: NDArray[np.float32], generator: np.random.Generator) -> NDArray[np.float32]:
    """One second with the word somewhere in it, at some loudness, over some noise."""
    word = word[:SAMPLES]
    loudness = 10 ** (generator.uniform(-32, -18) / 20)
    word = word * np.float32(loudness / max(float(np.sqrt(np.mean(word**2))), 1e-6))
    snr = _SNRS[generator.integers(len(_SNRS))]
    kind = NOISES[generator.integers(len(NOISES))]
    samples = noise(kind, SAMPLES, generator) * np.float32(loudness * 10 ** (-snr / 20))
    start = generator.integers(SAMPLES - len(word) + 1)
    samples[start : start + len(word)] += word
    clipped: NDArray[np.float32] = np.clip(samples, -1, 1)
    return clipped
