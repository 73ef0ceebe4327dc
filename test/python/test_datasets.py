"""Data sets: shapes, splits that share no source, equal for equal seeds; and the log-mel frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bcr import audio
from bcr.cache import folder
from bcr.datasets import load_digits, load_glyphs, load_words, speech
from bcr.datasets.cache import cached
from bcr.datasets.glyphs import CLASSES
from bcr.datasets.words import noise
from bcr.errors import ConfigError, InputError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("BCR_CACHE", str(tmp_path / "cache"))


def test_cache_folder(tmp_path, monkeypatch):
    assert folder("datasets") == tmp_path / "cache" / "datasets"
    monkeypatch.delenv("BCR_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert folder("datasets") == tmp_path / "xdg" / "bcr" / "datasets"


def test_cache_makes_once_and_again_when_damaged():
    calls = []

    def make():
        calls.append(1)
        return {"a": np.arange(5), "b": np.array(["x", "yy"])}

    for _ in range(2):
        arrays = cached("thing", {"k": [1, "two"]}, make)
        assert arrays["a"].tolist() == [0, 1, 2, 3, 4]
        assert arrays["b"].tolist() == ["x", "yy"]
    assert len(calls) == 1
    cached("thing", {"k": [1, "three"]}, make)
    assert len(calls) == 2
    files = sorted(folder("datasets").iterdir())
    assert len(files) == 2
    for file in files:
        file.write_bytes(file.read_bytes()[:40])
    cached("thing", {"k": [1, "two"]}, make)
    assert len(calls) == 3


def test_cache_that_cannot_be_written(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setenv("BCR_CACHE", str(file))
    assert cached("thing", {}, lambda: {"a": np.ones(2)})["a"].tolist() == [1, 1]


def test_digits():
    a, again, other = load_digits(seed=3), load_digits(seed=3), load_digits(seed=4)
    assert a.train.inputs.shape == (1347, 32, 32)
    assert a.test.inputs.shape == (450, 32, 32)
    assert a.train.inputs.dtype == np.uint8
    assert (a.train.inputs.min(), a.train.inputs.max()) == (0, 255)
    assert np.array_equal(a.test.inputs, again.test.inputs)
    assert not np.array_equal(a.test.labels, other.test.labels)
    counts = np.bincount(a.test.labels, minlength=10)
    assert counts.min() >= 43
    assert counts.max() <= 47
    images = {x.tobytes() for x in a.train.inputs}
    assert not images & {x.tobytes() for x in a.test.inputs}
    with pytest.raises(ConfigError, match="test_share is 1"):
        load_digits(test_share=1)


def test_digits_are_scaled_as_torch_does():
    import torch
    from sklearn import datasets

    raw = datasets.load_digits()
    small = torch.tensor(raw.images[:7])[:, None] / 16 * 255
    large = torch.nn.functional.interpolate(small, size=32, mode="bilinear", align_corners=False)
    data = load_digits(test_share=0.5)
    ours = np.concatenate([data.train.inputs, data.test.inputs])
    for image in large[:, 0].numpy():
        assert abs(ours - image).max((1, 2)).min() < 0.51


def test_glyphs():
    # Not all fonts of this machine, of which there may be hundreds.
    where = [Path("/usr/share/fonts/truetype") / name for name in ("dejavu", "open-sans")]
    data = load_glyphs(faces_per_family=1, test_variants=2, test_share=0.5, where=where)
    again = load_glyphs(faces_per_family=1, test_variants=2, test_share=0.5, where=where)
    families = {*data.train.sources}, {*data.test.sources}
    assert not families[0] & families[1]
    assert {"DejaVu", "Open"} == families[0] | families[1]
    assert len(data.train) == 62 * len(families[0])
    assert len(data.test) == 62 * 2 * len(families[1])
    assert data.train.inputs.shape[1:] == (32, 32)
    assert data.train.inputs.dtype == np.uint8
    assert np.bincount(data.train.labels).tolist() == [len(families[0])] * 62
    assert np.array_equal(data.train.inputs, again.train.inputs)
    assert (data.train.inputs.max((1, 2)) > 100).all()
    # Variants of one glyph differ, and so do capitals from small letters.
    first, second = data.test.inputs[0::2], data.test.inputs[1::2]
    assert (first != second).any((1, 2)).all()
    ink = [(data.train.inputs[data.train.labels == CLASSES.index(c)] > 60).sum() for c in "Oo"]
    assert ink[0] > 1.2 * ink[1]


def test_glyphs_without_fonts(tmp_path):
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    with pytest.raises(ConfigError, match="0 families of text fonts found in .*fonts-dejavu-core"):
        load_glyphs(where=[tmp_path])
    with pytest.raises(ConfigError, match="faces_per_family is 0"):
        load_glyphs(faces_per_family=0)


def test_words():
    words = ("yes", "seven", "off")
    data = load_words(words=words, voices=5, takes=2, seed=1)
    assert data.classes == words
    sources = {*data.train.sources}, {*data.test.sources}
    assert sources[0]
    assert sources[1]
    assert not sources[0] & sources[1]
    assert len(data.train) + len(data.test) == 3 * 5 * 2
    assert data.train.inputs.shape[1:] == (98, 40)
    assert data.train.inputs.dtype == np.float32
    assert np.isfinite(data.train.inputs).all()
    # Somewhere in every example is a word: louder than the quietest frames.
    energy = data.train.inputs.mean(2)
    assert (energy.max(1) > energy.min(1) + 1).all()
    again = load_words(words=words, voices=5, takes=2, seed=1)
    assert np.array_equal(data.test.inputs, again.test.inputs)


def test_words_refuse():
    with pytest.raises(ConfigError, match="takes is 0"):
        load_words(takes=0)
    with pytest.raises(ConfigError, match="two or more that differ"):
        load_words(words=("yes", "yes"))
    with pytest.raises(ConfigError, match="voices is 1:"):
        load_words(voices=1)


def test_voices():
    variants = speech.variants()
    assert {"m1", "f2", "linda"} <= set(variants)
    assert not [v for v in variants if "robo" in v.lower() or "whisper" in v.lower()]
    assert [speech.speaker(v) for v in ("f1", "f12", "iven", "iven2", "RicishayMax3")] == [
        "f1", "f1", "iven", "iven", "RicishayMax",
    ]  # fmt: skip
    low, high = (
        speech.say(speech.Utterance("zero", "en-us", variant, 150, 50)) for variant in ("m1", "f2")
    )
    for samples in (low, high):
        assert 0.2 * audio.SAMPLE_RATE < len(samples) < 1.2 * audio.SAMPLE_RATE
        assert 0.05 < abs(samples).max() <= 1.5
    size = min(len(low), len(high))
    assert abs(low[:size] - high[:size]).max() > 0.05


def test_noise():
    generator = np.random.default_rng(0)
    tilt = []
    for kind in ("white", "pink", "brown"):
        samples = noise(kind, 16_000, generator)
        assert np.mean(samples**2) == pytest.approx(1, rel=1e-3)
        power = np.abs(np.fft.rfft(samples)) ** 2
        tilt.append(power[100:1000].sum() / power[4000:].sum())
    assert tilt[0] < 0.5
    assert tilt[0] * 5 < tilt[1] < tilt[2] / 5
    with pytest.raises(ConfigError, match="no noise 'blue'"):
        noise("blue", 100, generator)


def test_log_mel_by_definition():
    # Another road to the same numbers: a plain sum over samples, bands from their definition.
    generator = np.random.default_rng(1)
    samples = generator.uniform(-0.5, 0.5, 1000)
    frames = audio.log_mel(samples)
    assert frames.shape == (4, 40)
    assert audio.frame_count(1000) == 4
    n = np.arange(400)
    window = np.sin(np.pi * n / 400) ** 2
    mel = lambda f: 2595 * np.log10(1 + f / 700)  # noqa: E731
    edges = [mel(60) + (mel(7600) - mel(60)) * i / 41 for i in range(42)]
    edges = [700 * (10 ** (m / 2595) - 1) for m in edges]
    for frame, band in ((0, 0), (1, 7), (2, 23), (3, 39)):
        part = samples[160 * frame : 160 * frame + 400] * window
        energy = 0.0
        for point in range(257):
            frequency = point * 16_000 / 512
            low, peak, high = edges[band : band + 3]
            weight = min((frequency - low) / (peak - low), (high - frequency) / (high - peak))
            if weight > 0:
                spectrum = (part * np.exp(-2j * np.pi * point * n / 512)).sum()
                energy += weight * abs(spectrum) ** 2
        assert frames[frame, band] == pytest.approx(np.log(energy + 1e-6), abs=1e-4)


def test_log_mel_of_a_tone_is_in_its_band():
    time = np.arange(16_000) / 16_000
    low, high = (audio.log_mel(0.3 * np.sin(2 * np.pi * f * time)).mean(0) for f in (300, 3000))
    assert low.argmax() < high.argmax()
    assert low.max() > np.median(low) + 5


@pytest.mark.parametrize("cuts", [[1, 2, 399, 400, 401], [0, 0, 160, 5000], [7999], []])
def test_log_mel_streams(cuts):
    samples = np.random.default_rng(2).uniform(-1, 1, 8123).astype(np.float32)
    stream = audio.LogMel()
    for _ in range(2):
        parts = [stream.push(block) for block in np.split(samples, cuts)]
        assert all(part.dtype == np.float32 for part in parts)
        frames = np.concatenate(parts)
        assert frames.shape == (audio.frame_count(8123), 40)
        np.testing.assert_allclose(frames, audio.log_mel(samples), atol=2e-5)
        stream.reset()


def test_log_mel_takes_integers_and_refuses_others():
    samples = np.random.default_rng(3).integers(-9000, 9000, 700).astype(np.int16)
    np.testing.assert_allclose(audio.log_mel(samples), audio.log_mel(samples / 32768), atol=1e-5)
    assert audio.log_mel(np.zeros(399, np.float32)).shape == (0, 40)
    np.testing.assert_allclose(audio.log_mel(np.zeros(400, np.float32)), np.log(1e-6), rtol=1e-5)
    for wrong in (np.zeros((400, 2), np.float32), np.zeros(400, np.int32)):
        with pytest.raises(InputError, match="give one channel"):
            audio.log_mel(wrong)
