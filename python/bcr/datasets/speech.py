"""Speech by espeak-ng: its voices, and single words as samples."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import wave
from dataclasses import dataclass
from math import gcd

import numpy as np
from numpy.typing import NDArray

from bcr.audio import SAMPLE_RATE
from bcr.errors import ConfigError

ACCENTS = (
    "en-us",
    "en-gb",
    "en-gb-x-rp",
    "en-gb-scotland",
    "en-gb-x-gbclan",
    "en-gb-x-gbcwmd",
    "en-029",
    "en-us-nyc",
)
# Variants that are no voice of their own: sound effects, and those that ask for the synthesiser
# klatt, without which they sound like no variant at all.
_EFFECTS = re.compile(
    r"robo|whisper|croak|demonic|tweaky|fast|kaukovalta|storm|klatt|caleb", re.IGNORECASE
)
# "f1" and "f2" are two speakers, "iven2" is another setting of "iven".
_SPEAKER = re.compile(r"([fm]\d|.*?)\d*")


@dataclass(frozen=True)
class Utterance:
    """One word as espeak-ng is to say it.

    Attributes:
        word: what is said.
        accent: one of `ACCENTS`.
        variant: one of `variants()`.
        speed: words per minute, 80 to 450.
        pitch: 0 to 99.
    """

    word: str
    accent: str
    variant: str
    speed: int
    pitch: int


def variants() -> list[str]:
    """Return the names of the voices that are no sound effects.

    Raises:
        ConfigError: espeak-ng is missing.
    """
    listing = _espeak("--voices=variant").decode(errors="replace")
    # The file is the fifth column, "!v/Andy"; one with a space in its name cannot be asked for.
    found = re.findall(r"!v/(\S+)(?=\s{2}|\s*$)", listing, re.MULTILINE)
    return sorted({name for name in found if not _EFFECTS.search(name)})


def speaker(variant: str) -> str:
    """Return whose voice a variant is: "iven" for "iven2"."""
    match = _SPEAKER.fullmatch(variant)
    return match[1] if match and match[1] else variant


def say(utterance: Utterance) -> NDArray[np.float32]:
    """Return the word as float32 [N], 16 kHz, silence before and after it cut off.

    Raises:
        ConfigError: espeak-ng is missing or refuses.
    """
    recording = _espeak(
        "-v", f"{utterance.accent}+{utterance.variant}", "-s", str(utterance.speed),
        "-p", str(utterance.pitch), "--stdout", utterance.word,
    )  # fmt: skip
    rate, samples = _decode(recording)
    return _trimmed(_resampled(samples, rate))


def _espeak(*arguments: str) -> bytes:
    program = shutil.which("espeak-ng")
    if program is None:
        raise ConfigError(
            "words are spoken by espeak-ng, which is not installed: apt-get install espeak-ng"
        )
    done = subprocess.run([program, *arguments], capture_output=True)
    if done.returncode != 0 or not done.stdout:
        reason = done.stderr.decode(errors="replace").strip() or f"exit status {done.returncode}"
        raise ConfigError(f"espeak-ng {' '.join(arguments)}: {reason}")
    return done.stdout


def _decode(recording: bytes) -> tuple[int, NDArray[np.float32]]:
    # A stream has no length in its header: espeak-ng writes the largest number, `wave` reads on
    # to the end.
    with wave.open(io.BytesIO(recording)) as file:
        rate = file.getframerate()
        data = file.readframes(len(recording))
    samples = np.frombuffer(data[: len(data) // 2 * 2], "<i2")
    return rate, samples.astype(np.float32) / np.float32(32768)


def _resampled(samples: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    try:
        from scipy.signal import resample_poly
    except ImportError:
        raise ConfigError(
            "speech is resampled with SciPy, which is not installed: pip install scipy"
        ) from None
    common = gcd(rate, SAMPLE_RATE)
    resampled = resample_poly(samples, SAMPLE_RATE // common, rate // common)
    result: NDArray[np.float32] = resampled.astype(np.float32)
    return result


def _trimmed(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    loud = np.nonzero(np.abs(samples) > 0.02 * np.abs(samples).max(initial=0))[0]
    return samples[loud[0] : loud[-1] + 1] if len(loud) else samples
