"""Keyword spotting: speak, train, prune at 10x and 29x, compile, listen; also on AArch64.

    python python/examples/keyword_spotting [--wav sound.wav] [--rates 10 29] [--quick]

Words are spoken by espeak-ng. Trained networks are kept in the output folder and used again.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import program
import torch
from detection import judge
from listening import compile_step, listen
from network import Spotter
from rich.console import Console
from sounds import demonstration, make_clips, read_wav, voices, write_wav
from training import probabilities, prune, train_dense

import bcr
from bcr.container import write_atomically
from bcr.tables import NUMBER, TEXT, bytes_text, render

WORDS = ("yes", "no", "up", "down", "left", "right", "on", "off", "stop", "go")
console = Console(highlight=False)


@dataclass(frozen=True)
class Size:
    """How much is trained.

    Attributes:
        words: that are spotted.
        voices: of each split; None for all that espeak-ng has.
        takes, mixes: see `sounds.make_clips`.
        width: units of each of the two GRU layers.
        dense, pruned: epochs of training, and of pruning and retraining at each rate.
        demonstration: words of the sound that is listened to.
    """

    words: tuple[str, ...]
    voices: int | None
    takes: int
    mixes: int
    width: int
    dense: int
    pruned: int
    demonstration: int


FULL = Size(WORDS, None, 4, 2, 128, 20, 20, 10)
QUICK = Size(("yes", "stop", "seven"), 6, 2, 6, 48, 20, 12, 6)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the whole road; see the README."""
    parser = argparse.ArgumentParser(prog="keyword_spotting", description=__doc__.splitlines()[0])
    parser.add_argument("--wav", type=Path, help="listen to this instead: 16 kHz, mono, 16 bits")
    parser.add_argument("--rates", type=float, nargs="+", default=[10, 29])
    parser.add_argument("--quick", action="store_true", help="three words: takes some seconds")
    parser.add_argument("--again", action="store_true", help="train again what is there already")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2, help="of the training")
    parser.add_argument("--output", type=Path, default=Path("build/keyword_spotting"))
    options = parser.parse_args(arguments)
    warnings.filterwarnings("ignore", category=FutureWarning)
    torch.set_num_threads(options.threads)
    # Momentum of pruned weights halves every few steps, and numbers that small are slow.
    torch.set_flush_denormal(True)
    size = QUICK if options.quick else FULL
    given = options.wav and read_wav(options.wav)
    options.output.mkdir(parents=True, exist_ok=True)

    names, held_out = voices(size.voices, options.seed)
    console.print(
        f"[bold]1. Speak[/bold]: {len(size.words)} words in {len(names)} voices, "
        f"{len(held_out)} others to test with"
    )
    clips = make_clips(size.words, names, size.takes, size.mixes, options.seed)
    test = make_clips(size.words, held_out, size.takes, 1, options.seed + 1)

    console.print(
        f"\n[bold]2. Train and prune[/bold]: {len(clips.inputs)} clips of 2.5 s, GRU 2x{size.width}"
    )
    begin = time.perf_counter()
    count, seed = len(size.words), options.seed
    dense = _kept(
        options, size, "dense",
        lambda: train_dense(clips, count, size.width, size.dense, seed, console),
    )  # fmt: skip
    models = {"dense": dense}
    for rate in options.rates:
        models[f"{rate:g}x"] = _kept(
            options, size, f"{rate:g}x",
            lambda rate=rate: prune(dense, clips, rate, size.pruned, seed, console),
        )  # fmt: skip
    console.print(f"   {time.perf_counter() - begin:.0f} s")
    torch.set_num_threads(1)

    wav, samples = options.wav, given
    if samples is None:
        wav = options.output / "demonstration.wav"
        write_wav(wav, demonstration(size.words, held_out[0], size.demonstration, seed))
        samples = read_wav(wav)
    console.print(f"\n[bold]3. Listen[/bold] to {wav}, {len(samples) / 16000:.1f} s")
    rows = []
    for name, model in models.items():
        executable = compile_step(model, sparsity="off" if name == "dense" else "auto")
        executable.save(options.output / f"{name}.bcr")
        print(f"   {name}:")
        _, factor = listen(executable, size.words, samples, _print)
        found, false = judge(size.words, probabilities(model, test), test)
        stored = sum(w.value_bytes + w.index_bytes for w in executable.report().layers)
        step = _step_time(executable)
        rows.append(
            (name, f"{found:.1%}", f"{false:.1f}", bytes_text(stored), f"{1e6 * step:.1f} us",
             f"{factor:.4f}")
        )  # fmt: skip
    columns = [
        ("GRU", TEXT), ("words found", NUMBER), ("false a minute", NUMBER), ("weights", NUMBER),
        ("network, one step", NUMBER), ("real-time factor", NUMBER),
    ]  # fmt: skip
    footer = f"found and false: of {2 * len(test.inputs)} words by voices held out"
    print(render("Spotting", columns, rows, footer))

    console.print("\n[bold]4. As C programs[/bold], for this machine and for AArch64 under QEMU")
    sparsest = f"{options.rates[-1]:g}x"
    for target in ("host", "cortex-a76"):
        executable = compile_step(models[sparsest], target)
        folder = options.output / target
        built = program.build(executable, size.words, size.width, folder)
        print(f"   {built} ({sparsest}, {executable.target.triple}):")
        for line in program.run(built, executable.target, wav, folder / "probabilities.raw"):
            print(f"   {line}")
    console.print("   (QEMU's factor is that of the emulation, no time of an AArch64 processor)")


def _print(second: float, word: str, how_sure: float) -> None:
    print(f"   {second:6.2f} s  {word:<6} {how_sure:.2f}", flush=True)


def _kept(options: argparse.Namespace, size: Size, name: str, make) -> Spotter:
    """Return the network of an earlier run of the same size and seed, or make and keep it."""
    path = options.output / f"{name}.pt"
    key = {"size": repr(size), "seed": options.seed}
    if path.exists() and not options.again:
        stored = torch.load(path, weights_only=True)
        if stored["key"] == key:
            model = Spotter(len(size.words), size.width)
            model.load_state_dict(stored["weights"])
            console.print(f"   {name}: from {path}")
            return model.eval()
    model = make()
    content = {"key": key, "weights": model.state_dict()}
    write_atomically(path, lambda file: torch.save(content, file))
    return model


def _step_time(executable: bcr.Executable) -> float:
    """Return the median seconds of a step of a stream."""
    stream, x = executable.stream({"h": 1}, reuse=True), torch.zeros(1, 1, 80).numpy()
    times = []
    for _ in range(2000):
        begin = time.perf_counter()
        stream(x)
        times.append(time.perf_counter() - begin)
    return sorted(times)[len(times) // 2]


if __name__ == "__main__":
    try:
        main()
    except bcr.BCRError as error:
        raise SystemExit(f"keyword_spotting: error: {error}") from None
