"""The command `bcr`."""

from __future__ import annotations

import logging
import statistics
import sys
import time
import warnings
from pathlib import Path
from typing import Annotated, Any, TextIO

import typer

import bcr
from bcr.devices import parse_choice
from bcr.errors import BCRError, BCRWarning, DeviceError
from bcr.mapping.command import map_command, merge_tables_command
from bcr.memory import peak_memory, reset_peak_memory
from bcr.tables import NUMBER, TEXT, bytes_text, render, time_text

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Compile pruned PyTorch models, look at them and time them.",
)


_DeviceOption = Annotated[
    str, typer.Option("--device", help="of OpenCL or Vulkan: its name, a part of it, or its index")
]


@app.command("compile")
def compile_command(
    model: Annotated[Path, typer.Argument(help="model.pt2, from torch.export.save")],
    output: Annotated[Path, typer.Option("-o", "--output", help="the file to write")],
    target: Annotated[
        str,
        typer.Option(
            help="host, aarch64, x86-64, opencl, vulkan, a processor such as cortex-a76, or an "
            "LLVM triple"
        ),
    ] = "host",
    mcpu: Annotated[str, typer.Option(help="LLVM processor name, such as cortex-a76")] = "",
    mattr: Annotated[str, typer.Option(help="LLVM features, such as +sve")] = "",
    device: _DeviceOption = "",
    sparsity: Annotated[str, typer.Option(help="auto, force or off")] = "auto",
    num_threads: Annotated[
        int | None, typer.Option(help="threads of a call; default: $BCR_NUM_THREADS, or 1")
    ] = None,
    records: Annotated[
        Path | None, typer.Option(help="record file of `bcr tune` to schedule layers by")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="print nothing but errors")] = False,
) -> None:
    """Compile an exported model to one file that `bcr bench` and `bcr.load` take."""
    spec = _target(target, mcpu, mattr)
    if not output.parent.is_dir():
        raise BCRError(f"cannot write {output}: the folder {output.parent} does not exist")
    program, args, kwargs = _read_model(model, spec, sparsity, num_threads)
    executable = bcr.compile(
        program,
        args,
        kwargs,
        target=spec,
        device=parse_choice(device),
        sparsity=sparsity,
        num_threads=num_threads,
        verbose=not quiet,
        tune=records,
    )
    executable.save(output)
    if not quiet:
        print(executable.report())
        print(f"wrote {output} ({bytes_text(output.stat().st_size)})")


def _read_model(model: Path, target: Any, sparsity: str, num_threads: int | None) -> Any:
    """Return an exported program and its example inputs."""
    if not model.is_file():
        raise BCRError(f"{model} does not exist; write it with torch.export.save")
    from bcr.compiler import check_options

    check_options(target, sparsity, bcr.get_num_threads() if num_threads is None else num_threads)
    import torch

    # torch logs its own traces of a file it cannot read; ours is the one message.
    logging.disable(logging.WARNING)
    try:
        program = torch.export.load(model)
    except Exception as error:
        raise BCRError(
            f"{model} is no exported model ({str(error).splitlines()[0]}); write it with "
            "torch.export.save(torch.export.export(model, inputs), path)"
        ) from None
    if program.example_inputs is None:
        raise BCRError(f"{model} holds no example inputs; export it again with torch.export")
    return program, *program.example_inputs


@app.command()
def tune(
    model: Annotated[Path, typer.Argument(help="model.pt2, from torch.export.save")],
    records: Annotated[
        Path, typer.Option("--records", "-r", help="the record file; made if missing")
    ],
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="also write the compiled model")
    ] = None,
    seconds: Annotated[float, typer.Option(help="time for measuring", min=0.1)] = 60.0,
    trials: Annotated[int, typer.Option(help="most schedules a layer", min=1)] = 64,
    seed: Annotated[int, typer.Option(help="of the search", min=0)] = 0,
    sparsity: Annotated[str, typer.Option(help="auto, force or off")] = "auto",
    num_threads: Annotated[int, typer.Option(help="threads of a call")] = 1,
    quiet: Annotated[bool, typer.Option("--quiet", help="print nothing but errors")] = False,
) -> None:
    """Measure schedules of a model's layers on this machine and keep the fastest.

    Layers that the record file knows already are not measured again. Ctrl-C keeps what was found.
    """
    for path in (records, output):
        if path is not None and not path.parent.is_dir():
            raise BCRError(f"cannot write {path}: the folder {path.parent} does not exist")
    spec = bcr.Target.of("host")
    program, args, kwargs = _read_model(model, spec, sparsity, num_threads)
    executable = bcr.compile(
        program,
        args,
        kwargs,
        sparsity=sparsity,
        num_threads=num_threads,
        verbose=not quiet,
        tune=bcr.TuneConfig(records=records, seconds=seconds, trials=trials, seed=seed),
    )
    if output is not None:
        executable.save(output)
    if not quiet:
        print(executable.report())
        print(f"the records are in {records}")


@app.command("merge-records")
def merge_records(
    files: Annotated[list[Path], typer.Argument(help="record files")],
    output: Annotated[Path, typer.Option("-o", "--output", help="the file to write")],
) -> None:
    """Put record files together; of two records of a layer, that of more measurements stays."""
    merged = bcr.TuningRecords()
    for file in files:
        merged.merge(bcr.TuningRecords.load(file))
    merged.save(output)


app.command("map")(map_command)
app.command("merge-tables")(merge_tables_command)


def _target(name: str, cpu: str, features: str) -> Any:
    if name not in bcr.Target.names() and name.count("-") >= 2:
        return bcr.Target(name, cpu, features)
    base = bcr.Target.of(name)
    if not cpu and not features:
        return base
    return bcr.Target(base.triple, cpu or base.cpu, features)


@app.command()
def bench(
    model: Annotated[Path, typer.Argument(help="a file that `bcr compile` wrote")],
    repeats: Annotated[int, typer.Option(help="timed calls, after a warm-up", min=1)] = 50,
    batch: Annotated[int, typer.Option(help="size of dynamic dimensions", min=1)] = 1,
    device: _DeviceOption = "",
) -> None:
    """Time a compiled model on random inputs, layer by layer, and show the memory it takes."""
    executable = bcr.load(model, device=parse_choice(device))
    # Reading the file is not running the model.
    reset_peak_memory()
    inputs = _random_inputs(executable, batch)
    # The model may take nested containers; a run on flat tensors needs them rebuilt.
    args, kwargs = _rebuild(executable.program.signature.in_spec, inputs)
    for _ in range(5):
        executable(*args, **kwargs)
    times = []
    for _ in range(repeats):
        begin = time.perf_counter()
        executable(*args, **kwargs)
        times.append(time.perf_counter() - begin)
    times.sort()
    row = [time_text(t) for t in (statistics.median(times), times[0], times[int(0.9 * repeats)])]
    constants, arena = executable.program.pool.size, executable.program.arena.bytes
    peak = peak_memory()
    columns = [("median", NUMBER), ("fastest", NUMBER), ("90th percentile", NUMBER)]
    print(render(f"{model}: {repeats} calls", columns, [row]))
    sizes = [bytes_text(size) for size in (constants, arena, constants + arena)]
    columns = [("constants", NUMBER), ("arena", NUMBER), ("together", NUMBER)]
    if peak is not None:
        columns.append(("process while it runs, with Python", NUMBER))
        sizes.append(bytes_text(peak))
    print(render("Memory", columns, [sizes]))
    print(executable.profile(*args, repeats=min(repeats, 30), **kwargs))


def _random_inputs(executable: bcr.Executable, batch: int) -> list[Any]:
    import numpy as np

    rng = np.random.default_rng(0)
    arrays: list[Any] = []
    for spec in executable.input_specs:
        shape = tuple(batch if isinstance(dim, str) else dim for dim in spec.shape)
        if spec.dtype == "bfloat16":
            raise BCRError(f"{spec.name} is bfloat16, which `bcr bench` cannot make")
        if spec.dtype.startswith("float"):
            arrays.append(rng.standard_normal(shape).astype(spec.dtype))
        else:
            # Integers are mostly indices: small ones are in range of any table.
            arrays.append(rng.integers(0, 2, shape).astype(spec.dtype))
    return arrays


def _rebuild(in_spec: Any, inputs: list[Any]) -> tuple[list[Any], dict[str, Any]]:
    from bcr.frontend.structure import unflatten

    args = [unflatten(part, [], inputs) for part in in_spec["args"]]
    return args, {name: unflatten(part, [], inputs) for name, part in in_spec["kwargs"]}


@app.command()
def inspect(
    model: Annotated[Path, typer.Argument(help="a file that `bcr compile` wrote")],
) -> None:
    """Show what a compiled model takes and returns, its layers and its sizes."""
    executable = bcr.load(model)
    program = executable.program
    target = program.target
    print(f"{model}: {target.triple}, {target.cpu}, {bytes_text(model.stat().st_size)}")
    print(f"processor extensions: {', '.join(program.options['extensions']) or 'none'}")
    rows = [("in", s.name, s.dtype, "x".join(map(str, s.shape))) for s in program.signature.inputs]
    rows += [
        ("out", s.name, s.dtype, "x".join(map(str, s.shape))) for s in program.signature.outputs
    ]
    print(render("Tensors", [("", TEXT), ("name", TEXT), ("type", TEXT), ("shape", TEXT)], rows))
    print(executable.report())


@app.command("devices")
def devices_command() -> None:
    """List the devices of this machine, which `--device` chooses from, and their limits."""
    from bcr import opencl, vulkan

    missing = []
    for api in (opencl, vulkan):
        try:
            found = api.devices()
        except DeviceError as error:
            missing.append(str(error))
            continue
        if found:
            print(api.device_table(found))
        else:
            missing.append(api.NO_DEVICE)
    if len(missing) == 2:
        raise DeviceError("; ".join(missing))
    for reason in missing:
        print(reason)


@app.command("prune-report")
def prune_report(
    model: Annotated[
        Path, typer.Argument(help="model.pt2, or a state dict as .safetensors, .pt or .pth")
    ],
    html: Annotated[
        Path | None, typer.Option(help="also write a page with a picture of each layer's zeros")
    ] = None,
) -> None:
    """Show which blocks and pruning schemes the zeros of a model's weights fit."""
    from bcr.pruning import inspect

    report = inspect(_read_weights(model))
    print(report)
    if html is not None:
        report.to_html(html)
        print(f"wrote {html}")


def _read_weights(model: Path) -> Any:
    """Return an exported program or a state dict."""
    if not model.is_file():
        raise BCRError(f"{model} does not exist")
    if model.suffix not in (".pt2", ".safetensors", ".pt", ".pth"):
        raise BCRError(
            f"{model} is no .pt2 of torch.export.save, and no .safetensors, .pt or .pth with a "
            "state dict"
        )
    import torch

    logging.disable(logging.WARNING)
    try:
        if model.suffix == ".pt2":
            return torch.export.load(model)
        if model.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(model)
        return torch.load(model, map_location="cpu", weights_only=True)
    except Exception as error:
        raise BCRError(
            f"{model} cannot be read ({str(error).splitlines()[0]}); save a model's state_dict()"
        ) from None


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="print the version")] = False,
) -> None:
    if version:
        print(f"bcr {bcr.__version__}")
        raise typer.Exit


def main() -> None:
    """Run the command line; errors and warnings are one line each, not a trace."""
    show = warnings.showwarning

    def show_in_one_line(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        if issubclass(category, BCRWarning):
            print(f"bcr: warning: {message}", file=sys.stderr)
        else:
            show(message, category, filename, lineno, file, line)

    warnings.showwarning = show_in_one_line
    try:
        app()
    except BCRError as error:
        raise SystemExit(f"bcr: error: {error}") from None
