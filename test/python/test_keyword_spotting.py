"""The example that spots words: what it learns, hears, and how its C programs agree with it."""

from __future__ import annotations

import argparse
import shutil
import sys
import wave
from pathlib import Path

import numpy as np
import pytest

import bcr
from bcr.audio import log_mel
from bcr.datasets import speech

FOLDER = Path(__file__).resolve().parents[2] / "python" / "examples" / "keyword_spotting"


@pytest.fixture(scope="module")
def example():
    """The modules of the example, which is no package, by name."""
    import importlib

    names = ("network", "sounds", "training", "detection", "listening", "program")
    sys.path.insert(0, str(FOLDER))
    try:
        yield {name: importlib.import_module(name) for name in names}
    finally:
        sys.path.remove(str(FOLDER))
        for name in names:
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A quick run: what it prints, and its folder."""
    import contextlib
    import io
    import os
    import runpy

    folder = tmp_path_factory.mktemp("spotting")
    cache = os.environ.get("BCR_CACHE")
    os.environ["BCR_CACHE"] = str(folder / "cache")
    text = io.StringIO()
    sys.path.insert(0, str(FOLDER))
    try:
        module = runpy.run_path(str(FOLDER / "__main__.py"))
        with contextlib.redirect_stdout(text):
            module["main"](["--quick", "--rates", "4", "--threads", "1", "--output", str(folder)])
    finally:
        sys.path.remove(str(FOLDER))
        os.environ.pop("BCR_CACHE")
        if cache is not None:
            os.environ["BCR_CACHE"] = cache
    return text.getvalue(), folder, module


def heard(text, title):
    """The lines "second, word, how sure" below a title."""
    lines = text[text.index(title) :].splitlines()[1:]
    found = []
    for line in lines:
        parts = line.split()
        if len(parts) != 4 or parts[1] != "s":
            break
        found.append((parts[0], parts[2]))
    return found


def test_words_are_heard_and_all_programs_agree(run, example):
    text, folder, _ = run
    table = {line.split()[0]: line.split() for line in text.splitlines() if "%" in line}
    assert float(table["dense"][1].rstrip("%")) > 70
    assert float(table["4x"][1].rstrip("%")) > 70
    words = heard(text, "   4x:")
    assert len(words) >= 3
    assert {word for _, word in words} <= {"yes", "stop", "seven"}
    assert heard(text, "host/spot") == heard(text, "cortex-a76/spot") == words
    # Not only the words: every probability, from features to softmax.
    words_known = ("yes", "stop", "seven")
    executable = bcr.load(folder / "4x.bcr")
    samples = example["sounds"].read_wav(folder / "demonstration.wav")
    said, factor = example["listening"].listen(executable, words_known, samples, lambda *_: None)
    assert said.shape[1] == 4
    assert 0 < factor < 1
    for target in ("host", "cortex-a76"):
        raw = np.fromfile(folder / target / "probabilities.raw", np.float32)
        np.testing.assert_allclose(raw.reshape(-1, 4), said, atol=1e-3)
    assert said[:, 1:].max() > 0.6


def test_a_second_run_uses_what_was_trained(run, example):
    import torch

    _, folder, module = run
    options = argparse.Namespace(output=folder, again=False, seed=0)

    def train():
        raise AssertionError("trained again")

    model = module["_kept"](options, module["QUICK"], "4x", train)
    stored = torch.load(folder / "4x.pt", weights_only=True)["weights"]
    weights = [value for name, value in stored.items() if name.startswith("gru.weight")]
    kept = sum(int(w.count_nonzero()) for w in weights)
    assert sum(w.numel() for w in weights) / kept == pytest.approx(4, rel=0.02)
    assert all(torch.equal(model.state_dict()[name], value) for name, value in stored.items())
    options.seed = 1
    with pytest.raises(AssertionError, match="trained again"):
        module["_kept"](options, module["QUICK"], "4x", train)


def test_targets_follow_the_words(example):
    sounds = example["sounds"]
    generator = np.random.default_rng(3)
    tones = [np.sin(np.arange(n) * 0.3).astype(np.float32) for n in (6000, 9000)]
    clip, places = sounds.mix(tones, sounds.CLIP, generator)
    assert clip.shape == (sounds.CLIP,)
    assert places[0][1] - places[0][0] == pytest.approx(6000 / 16000)
    assert places[0][1] <= places[1][0]
    steps = sounds.steps(log_mel(clip))
    targets = sounds._targets(len(steps), [(4, *places[0]), (1, *places[1])])
    for step, target in enumerate(targets):
        time = sounds.step_time(step)
        late = [
            label
            for label, (begin, end) in zip((5, 2), places)
            if (begin + end) / 2 <= time < end + 0.16
        ]
        early = [0 for begin, end in places if begin <= time < (begin + end) / 2]
        # A word right behind another one hides its end.
        assert target == (late[-1] if late else sounds.IGNORED if early else 0)
    loud = np.array([steps[t].mean() for t in range(len(steps)) if targets[t] > 0])
    assert loud.mean() > steps[targets == 0].mean()


def test_a_word_is_reported_once_and_again_after_a_pause(example):
    detector = example["detection"].Detector(("up", "down"))
    steps = example["detection"].STEPS
    up, down = (np.eye(3, dtype=np.float32)[i] for i in (1, 2))
    none = np.eye(3, dtype=np.float32)[0]
    reports = [detector.push(p) for p in [up] * 12 + [none] * 12 + [up] * 12 + [down] * 12]
    said = [(i, r[0]) for i, r in enumerate(reports) if r]
    assert [word for _, word in said] == ["up", "up", "down"]
    assert said[0][0] == next(n for n in range(12) if (n + 1) / steps > 0.6)
    assert said[0][0] + 24 == said[1][0]


def test_reports_are_judged_by_word_and_time(example):
    sounds, detection = example["sounds"], example["detection"]
    spoken = np.array([[[0, 0.2, 0.6], [1, 1.0, 1.5]]], np.float32)
    probabilities = np.zeros((1, 124, 3), np.float32)
    probabilities[..., 0] = 1

    def say(word, begin, end):
        first, last = (int(t / 0.02) for t in (begin, end))
        probabilities[0, first:last] = np.eye(3, dtype=np.float32)[word]

    clips = sounds.Clips(np.zeros((1, 124, 80)), np.zeros((1, 124)), spoken)
    say(1, 0.4, 0.7)
    say(1, 1.2, 1.5)  # "down" taken for "up"
    say(2, 2.1, 2.4)  # too late
    found, false = detection.judge(("up", "down"), probabilities, clips)
    assert found == 0.5
    assert false == pytest.approx(2 / (sounds.step_time(123) / 60))


def test_sounds_of_another_form_are_refused(example, tmp_path):
    import wave

    with wave.open(str(tmp_path / "s.wav"), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44100)
        file.writeframes(bytes(400))
    with pytest.raises(bcr.InputError, match="2 channels of 16 bits at 44100 Hz: convert it with"):
        example["sounds"].read_wav(tmp_path / "s.wav")
    (tmp_path / "no.wav").write_bytes(b"RIFF nothing")
    with pytest.raises(bcr.InputError, match=r"no\.wav is no WAV file"):
        example["sounds"].read_wav(tmp_path / "no.wav")


def test_without_espeak_the_package_is_named(example, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert speech.shutil is shutil
    with pytest.raises(bcr.ConfigError, match="apt-get install espeak-ng"):
        example["sounds"].voices(None, 0)


@pytest.mark.parametrize("frames", [b"", b"\0" * 100])
def test_a_file_without_sound(example, tmp_path, frames):
    path = tmp_path / "silence.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(frames)
    with pytest.raises(bcr.InputError, match="empty or cut off"):
        example["sounds"].read_wav(path)
