"""Sound to features: the logarithm of the energy in bands of the mel scale, whole or as it comes.

Source of the mel scale: O'Shaughnessy, "Speech Communication", 1987: m = 2595 log10(1 + f / 700).
The bands are triangles of height one, evenly spaced in mel (Davis and Mermelstein, 1980).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bcr.errors import InputError

SAMPLE_RATE = 16_000
"""Samples per second that all of this expects."""
WINDOW = 400
"""Samples of one frame: 25 ms."""
HOP = 160
"""Samples from one frame to the next: 10 ms."""
BANDS = 40
"""Features of one frame."""

POINTS = 512
"""Points of the Fourier transform of one frame."""
LOWEST, HIGHEST = 60.0, 7600.0
"""Hz: outer edges of the first and the last band."""
FLOOR = 1e-6
"""Energy that a band of silence has: some 60 dB below speech."""


class LogMel:
    """Turns samples into frames as they come; the frames are those of the whole sound at once.

    ::

        features = LogMel()
        for block in microphone:
            for frame in features.push(block):
                ...

    Frame `i` is of the samples 160 i to 160 i + 400, in a Hann window; samples at the end that
    fill no window are kept until more come.
    """

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.float32)

    def push(self, samples: NDArray[np.generic]) -> NDArray[np.float32]:
        """Take the next samples and return the frames that they complete.

        Args:
            samples: [N], 16 kHz, mono: float32 or float64 in -1 to 1, or int16. N may be 0.

        Returns:
            float32 [T, 40], natural logarithm of the energy; T is 0 as long as no window is full.

        Raises:
            InputError: another shape or dtype.
        """
        self._rest = np.concatenate([self._rest, _checked(samples)])
        count = max(0, (len(self._rest) - WINDOW) // HOP + 1)
        if count == 0:
            return np.zeros((0, BANDS), np.float32)
        frames = np.lib.stride_tricks.sliding_window_view(self._rest, WINDOW)[: count * HOP : HOP]
        spectrum = np.fft.rfft(frames * _HANN, POINTS)
        power = spectrum.real**2 + spectrum.imag**2
        self._rest = self._rest[count * HOP :].copy()
        # Not by BLAS, which would wake its threads for some microseconds of work.
        energy = np.einsum("tp,bp->tb", power, _FILTERS)
        frames_out: NDArray[np.float32] = np.log(energy + np.float32(FLOOR))
        return frames_out

    def reset(self) -> None:
        """Forget the samples kept, before another sound begins."""
        self._rest = np.zeros(0, np.float32)


def log_mel(samples: NDArray[np.generic]) -> NDArray[np.float32]:
    """Return the frames of a whole sound, float32 [T, 40]; see `LogMel.push`."""
    return LogMel().push(samples)


def frame_count(samples: int) -> int:
    """Return how many frames a sound of so many samples has."""
    return max(0, (samples - WINDOW) // HOP + 1)


def _checked(samples: NDArray[np.generic]) -> NDArray[np.float32]:
    samples = np.asarray(samples)
    if samples.ndim != 1 or samples.dtype not in (np.float32, np.float64, np.int16):
        raise InputError(
            f"sound is {samples.dtype} {list(samples.shape)}: give one channel [N] of int16, or of "
            "floats between -1 and 1"
        )
    scale = 1 / 32768 if samples.dtype == np.int16 else 1
    return samples.astype(np.float32) * np.float32(scale)


def _mel_filters() -> NDArray[np.float32]:
    """Weights [40, 257] of the points of the transform in the bands."""
    lowest, highest = (2595 * np.log10(1 + f / 700) for f in (LOWEST, HIGHEST))
    mel = np.linspace(lowest, highest, BANDS + 2)
    edges = 700 * (10 ** (mel / 2595) - 1)
    points = np.arange(POINTS // 2 + 1) * SAMPLE_RATE / POINTS
    low, peak, high = (edges[i : i + BANDS, None] for i in range(3))
    rising = (points - low) / (peak - low)
    falling = (high - points) / (high - peak)
    filters: NDArray[np.float32] = np.maximum(np.minimum(rising, falling), 0).astype(np.float32)
    return filters


_FILTERS = _mel_filters()
# Periodic: the window of a spectrum, not of a filter.
_HANN = (0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)).astype(np.float32)
