"""Clips with two spoken words each, in noise, and where in them the words are."""

from __future__ import annotations

import os
import wave
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from network import FEATURES, STACK

from bcr.audio import HOP, SAMPLE_RATE, WINDOW, log_mel
from bcr.datasets import speech
from bcr.datasets.cache import cached
from bcr.datasets.speech import Utterance
from bcr.datasets.words import NOISES, noise
from bcr.errors import InputError

CLIP = 40_000
"""Samples of a clip: 2.5 s."""
IGNORED = -100
"""Target of a step at which either answer is right: the first part of a word."""

_AFTER = 0.16  # s after a word in which it should be recognised


@dataclass(frozen=True)
class Clips:
    """Clips for training, or of voices held out.

    Attributes:
        inputs: float32 [N, T, 80], log-mel features of steps of two frames.
        targets: int64 [N, T]: 0, 1 + the word that is being or was just said, or `IGNORED`.
        spoken: float32 [N, 2, 3]: of each word its index, begin and end in seconds.
    """

    inputs: np.ndarray
    targets: np.ndarray
    spoken: np.ndarray


def step_time(step: int | np.ndarray) -> float | np.ndarray:
    """Return the second at which the last frame of a step has its middle."""
    return ((STACK * (step + 1) - 1) * HOP + WINDOW / 2) / SAMPLE_RATE


def voices(count: int | None, seed: int) -> tuple[list[str], list[str]]:
    """Return the voices to train with, and those of other speakers, a quarter, to test with.

    Args:
        count: use only so many, for quick trials.
        seed: of the choice.
    """
    generator = np.random.default_rng(seed)
    names = speech.variants()
    speakers = generator.permutation(sorted({speech.speaker(name) for name in names}))
    held_out = set(speakers[: len(speakers) // 4])
    parts = [
        [n for n in names if (speech.speaker(n) in held_out) == test] for test in (False, True)
    ]
    if count is not None:
        parts = [part[:: max(1, len(part) // count)][:count] for part in parts]
    return parts[0], parts[1]


def make_clips(
    words: Sequence[str], names: Sequence[str], takes: int, mixes: int, seed: int
) -> Clips:
    """Speak every word in every voice and put them into clips of two; kept in bcr's cache.

    Args:
        words: what is said.
        names: voices.
        takes: how often each voice says each word, at other speeds and pitches.
        mixes: clips that each recording is in, with other noise and another neighbour.
        seed: of everything that differs.

    Raises:
        bcr.ConfigError: espeak-ng or SciPy is missing.
    """
    key = {"version": 1, "words": list(words), "voices": list(names), "takes": takes,
           "mixes": mixes, "seed": seed}  # fmt: skip
    arrays = cached("keyword_spotting", key, lambda: _record(words, names, takes, mixes, seed))
    return Clips(arrays["inputs"], arrays["targets"], arrays["spoken"])


def _record(
    words: Sequence[str], names: Sequence[str], takes: int, mixes: int, seed: int
) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    utterances = [
        (label, _utterance(word, name, generator))
        for name in names
        for label, word in enumerate(words)
        for _ in range(takes)
    ]
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each call waits for a process
        sounds = list(pool.map(speech.say, [utterance for _, utterance in utterances]))
    labels = [label for label, _ in utterances]
    inputs, targets, spoken = [], [], []
    for _ in range(mixes):
        order = generator.permutation(len(sounds))
        for pair in order[: len(order) // 2 * 2].reshape(-1, 2):
            clip, places = mix([sounds[i] for i in pair], CLIP, generator)
            inputs.append(steps(log_mel(clip)))
            said = [(labels[i], *place) for i, place in zip(pair, places)]
            targets.append(_targets(len(inputs[-1]), said))
            spoken.append(said)
    return {
        "inputs": np.stack(inputs),
        "targets": np.stack(targets),
        "spoken": np.array(spoken, np.float32),
    }


def _utterance(word: str, voice: str, generator: np.random.Generator) -> Utterance:
    accent = speech.ACCENTS[generator.integers(len(speech.ACCENTS))]
    speed, pitch = generator.integers(110, 190), generator.integers(20, 80)
    return Utterance(word, accent, voice, int(speed), int(pitch))


def mix(
    sounds: Sequence[np.ndarray], samples: int, generator: np.random.Generator
) -> tuple[np.ndarray, list[tuple[float, float]]]:
    """Put sounds one after the other, at random distances, over noise 10 to 30 dB below them.

    Returns:
        float32 [samples], and begin and end of each sound in seconds.
    """
    sounds = [sound[: samples // len(sounds) - HOP] for sound in sounds]
    free = samples - sum(map(len, sounds))
    pauses = (generator.dirichlet(np.ones(len(sounds) + 1)) * free).astype(int)
    loudness = 10 ** (generator.uniform(-32, -18) / 20)
    kind, snr = NOISES[generator.integers(len(NOISES))], generator.uniform(10, 30)
    mixed = noise(kind, samples, generator) * np.float32(loudness * 10 ** (-snr / 20))
    places, begin = [], 0
    for pause, sound in zip(pauses, sounds):
        begin += pause
        power = np.sqrt(np.mean(sound**2))
        mixed[begin : begin + len(sound)] += sound * np.float32(loudness / max(power, 1e-6))
        places.append((begin / SAMPLE_RATE, (begin + len(sound)) / SAMPLE_RATE))
        begin += len(sound)
    return np.clip(mixed, -1, 1), places


def steps(frames: np.ndarray) -> np.ndarray:
    """Stack frames [T, 40] to steps [T / 2, 80]; an odd one at the end is left out."""
    return frames[: len(frames) // STACK * STACK].reshape(-1, FEATURES)


def _targets(count: int, said: Sequence[tuple[int, float, float]]) -> np.ndarray:
    time = step_time(np.arange(count))
    targets = np.zeros(count, np.int64)
    for label, begin, end in said:
        targets[(time >= begin) & (time < end)] = IGNORED
        targets[(time >= (begin + end) / 2) & (time < end + _AFTER)] = 1 + label
    return targets


def write_wav(path: Path, samples: np.ndarray) -> None:
    """Write one channel of 16 bits at 16 kHz.

    Args:
        path: the file.
        samples: float32 [N] in -1 to 1.
    """
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(np.rint(samples * 32767).astype("<i2").tobytes())


def read_wav(path: Path) -> np.ndarray:
    """Return the samples of a file, int16 [N].

    Raises:
        bcr.InputError: it cannot be read, or is not one channel of 16 bits at 16 kHz.
    """
    try:
        with wave.open(str(path), "rb") as file:
            form = file.getnchannels(), file.getsampwidth(), file.getframerate()
            data = file.readframes(file.getnframes())
    except (OSError, wave.Error, EOFError) as error:
        raise InputError(f"{path} is no WAV file: {error}") from None
    if form != (1, 2, SAMPLE_RATE):
        raise InputError(
            f"{path} has {form[0]} channels of {8 * form[1]} bits at {form[2]} Hz: convert it with "
            f"sox {path} -c 1 -b 16 -r {SAMPLE_RATE} out.wav"
        )
    if len(data) < 2 * HOP or len(data) % 2:
        raise InputError(f"{path} has {len(data)} bytes of sound: it is empty or cut off")
    return np.frombuffer(data, "<i2")


def demonstration(words: Sequence[str], voice: str, count: int, seed: int) -> np.ndarray:
    """Return so many words by one voice, in noise, float32 [N]."""
    generator = np.random.default_rng(seed)
    order = [words[i % len(words)] for i in generator.permutation(count)]
    sounds = [speech.say(_utterance(word, voice, generator)) for word in order]
    pause = SAMPLE_RATE * 3 // 5
    return mix(sounds, sum(map(len, sounds)) + pause * (count + 1), generator)[0]
