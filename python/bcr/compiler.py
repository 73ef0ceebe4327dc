"""From a PyTorch model to a compiled one."""

from __future__ import annotations

import contextlib
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bcr.errors import (
    CompileError,
    ConfigError,
    DeviceError,
    GenericTargetWarning,
    IRError,
    UnsupportedError,
    VerificationError,
)
from bcr.executable import Executable, make_executable
from bcr.launches import check_reach, schedule_from_json
from bcr.program import Constant, Program, Signature
from bcr.target import Target
from bcr.threads import check_num_threads, get_num_threads
from bcr.tuning.config import Tune, TuneConfig
from bcr.workspace import PAGE, Arena, aligned_bytes

if TYPE_CHECKING:
    from bcr.frontend.specs import ImportedModel
    from bcr.tuning.records import Schedule

SPARSITY = ("auto", "force", "off")
STORAGE = ("f32", "f16-weights", "f16")
_COMMON_STAGES = {
    "bcr-raise": "raise",
    "bcr-select": "select",
    "bcr-compact": "compact",
    "bcr-reorder": "reorder",
    "bcr-tile": "tile",
    "one-shot-bufferize": "bufferize",
}
STAGES = {**_COMMON_STAGES, "convert-bcr-to-loops": "loops"}
KERNEL_STAGES = {
    **_COMMON_STAGES,
    "convert-bcr-to-gpu": "kernels",
    "bcr-outline-kernels": "outline",
}
"""The passes after which the IR is kept, and how `Executable.mlir` calls the stages."""
KERNEL_ALIGNMENT = 128
"""Bytes that parts of buffers begin at multiples of unless a device wants more: what most do."""
TOLERANCE = 1e-4
"""Largest difference from eager PyTorch that `verify=True` accepts, relative to the largest
output (f32)."""


def compile(
    model: Any,
    args: Sequence[Any],
    kwargs: Mapping[str, Any] | None = None,
    *,
    target: str | Target = "host",
    device: str | int | None = None,
    sparsity: str = "auto",
    storage: str = "f32",
    num_threads: int | None = None,
    dynamic_shapes: Any = None,
    verify: bool = False,
    verbose: bool = False,
    tune: Tune = None,
) -> Executable:
    """Compile a model.

    Args:
        model: an `nn.Module` in eval mode, an `ExportedProgram` or the path of a `.pt2` file.
            Weights that contain zeros in blocks of rows and columns run sparse. They are copied:
            later changes of the model do not change the result.
        args, kwargs: example inputs, which fix shapes and dtypes: a tuple, or one tensor.
        target: "host", "aarch64", "x86-64", "opencl", "vulkan" or a `bcr.Target`.
        device: for "opencl" and "vulkan", the device to run on: its name, a part of its name, or
            its index in `bcr.opencl.devices()` or `bcr.vulkan.devices()`; None: the only one there
            is (Vulkan: the first GPU, or where there is none the first device). Without a device
            the model can be saved and exported; its first call raises.
        sparsity: "auto" runs a layer sparse where that is faster than dense, "force" wherever it
            can, "off" nowhere.
        storage: for "opencl" and "vulkan", what is half floats in memory: nothing ("f32"), weights
            ("f16-weights"), or weights and what lies between layers ("f16"). Kernels compute in f32
            whatever it is; see passes/README.md for the error. An activation above 65504 becomes
            infinite; weights above it stay f32.
        num_threads: threads that a call uses; default: `bcr.get_num_threads()`. The result has
            the same bits for any number of threads. On a GPU its driver decides.
        dynamic_shapes: as `torch.export.export` takes it, for the batch dimension.
        verify: run the result and the PyTorch model on the example inputs and compare.
        verbose: show the stages while they run, and a table of their times at the end, on stderr.
        tune: how layers are scheduled. None: by the cost model. The path of a record file: as it
            says, where it has records for this target and these layers. A number of seconds or a
            `bcr.TuneConfig`: as measured, on this machine, for a target that is this machine. A
            network with records is never slower than without: those that do not help are left out
            when they are measured.

    Warns:
        GenericTargetWarning: the processor is a baseline such as AArch64's "generic".

    Raises:
        ConfigError: an argument is impossible.
        FormatError: `tune` names a damaged file.
        UnsupportedError: the model uses operations that cannot be compiled; all are listed.
        CompileError: the compiler failed; `reproducer` names a file that `bcr-opt` replays.
        DeviceError: the device that is named or found cannot run the model.
        VerificationError: `verify=True` and the outputs differ.
    """
    spec = Target.of(target)
    if hasattr(args, "__array__"):
        # One tensor is one argument, not its rows.
        args = (args,)
    if num_threads is None:
        num_threads = get_num_threads()
    # Impossible options fail before the long work begins.
    check_options(spec, sparsity, num_threads, storage)
    found = _find_device(spec, device, tune, verify)
    _warn_if_generic(spec)
    config = TuneConfig.of(tune)
    if verify and not spec.runs_here:
        raise ConfigError(f"verify=True runs the code, but {spec.triple} does not run here")

    from bcr.progress import Stages

    with Stages(verbose) as stages:
        stages.start("import")
        from bcr.frontend import import_model

        imported = import_model(model, args, dict(kwargs or {}), dynamic_shapes)
        options: dict[str, Any] = {"sparsity": sparsity, "num_threads": num_threads}
        records = None
        if config is not None:
            stages.start("tune")
            records = _find_records(imported, spec, config, args, kwargs or {}, options)
        if spec.api:
            options["storage"] = storage
        if found is not None:
            options["alignment"] = max(found.alignment, KERNEL_ALIGNMENT)
            options["processor"] = found.kind == "cpu"
        program = compile_imported(imported, spec, **options, stages=stages, records=records)
        executable = make_executable(program, device=device)
        if found is not None or (spec.runs_here and not spec.api):
            stages.start("link")
            executable.prepare()
        if verify:
            stages.start("verify")
            _verify(executable, model, args, kwargs or {})
    return executable


def check_options(target: Target, sparsity: str, num_threads: int, storage: str = "f32") -> None:
    """Check what `compile` is told.

    Raises:
        ConfigError: an option is impossible; the message says what is allowed.
    """
    if sparsity not in SPARSITY:
        raise ConfigError(f"sparsity must be one of {', '.join(SPARSITY)}, got {sparsity!r}")
    if storage not in STORAGE:
        raise ConfigError(f"storage must be one of {', '.join(STORAGE)}, got {storage!r}")
    if storage != "f32" and not target.api:
        raise ConfigError(
            f'storage={storage!r} is for target="opencl" or "vulkan", not for '
            f"{target.triple or 'host'}, whose kernels read f32"
        )
    check_num_threads(num_threads)
    target.resolve()


def _find_device(target: Target, choice: str | int | None, tune: Tune, verify: bool) -> Any:
    """Return the device that the model will run on, if one is known already.

    Raises:
        ConfigError: options do not go together, or no device is meant by `choice`.
        DeviceError: a device is named and cannot be had.
    """
    if not target.api:
        if choice is not None:
            raise ConfigError(
                f'device= is for target="opencl" or "vulkan", not for {target.triple or "host"}'
            )
        return None
    if tune is not None:
        raise ConfigError(f"tune= schedules loops of processors; leave it out for {target.api}")
    find_device = import_module(f"bcr.{target.api}").find_device

    if choice is not None or verify:
        return find_device(choice)
    with contextlib.suppress(ConfigError, DeviceError):
        return find_device()
    return None


def _warn_if_generic(target: Target) -> None:
    if not target.is_generic:
        return
    resolved = target.resolve()
    example = "x86-64-v3" if resolved.architecture == "x86_64" else "cortex-a76"
    warnings.warn(
        f"code for any {resolved.architecture} processor ({resolved.cpu}) is slower than code for "
        f"the one it will run on: name it, such as bcr.Target({resolved.triple!r}, {example!r}) or "
        f"--mcpu {example}",
        GenericTargetWarning,
        stacklevel=3,
    )


def compile_imported(
    imported: ImportedModel,
    target: Target,
    *,
    sparsity: str,
    num_threads: int,
    stages: Any,
    records: Mapping[str, Schedule] | None = None,
    alignment: int = KERNEL_ALIGNMENT,
    storage: str = "f32",
    processor: bool = False,
) -> Program:
    """Compile what the front end made.

    Args:
        imported: the network.
        target: the machine.
        sparsity, num_threads: as for `compile`.
        stages: told where the work is.
        records: schedules by layer key, see `bcr.tuning.records`.
        alignment: for a GPU, bytes that parts of buffers begin at multiples of.
        storage: for a GPU, as for `compile`.
        processor: whether the device that takes kernels is a processor.

    Raises:
        UnsupportedError: a size is left open, and the target is a GPU.
        CompileError: the compiler failed; `reproducer` names a file that `bcr-opt` replays.
    """
    from bcr import _core, ir

    extensions = target.extensions
    target = target.resolve()
    kept = STAGES
    name, options = (
        "bcr-to-llvm",
        (
            f"sparsity={sparsity} threads={num_threads} triple={target.triple} cpu={target.cpu} "
            f"features={target.features}"
        ),
    )
    if target.api:
        if imported.symbols:
            raise UnsupportedError(
                "kernels for a GPU need sizes that are fixed: compile without dynamic_shapes, "
                "once for each batch size"
            )
        kept = KERNEL_STAGES
        name, options = (
            "bcr-to-spirv",
            f"sparsity={sparsity} api={target.api} alignment={alignment} storage={storage} "
            f"processor={str(processor).lower()}",
        )
    pipeline = f"builtin.module({name}{{{options}}})"
    context = ir.Context()
    snapshots: dict[str, str] = {}
    remarks: list[str] = []
    diagnostics: list[_core.Diagnostic] = []
    try:
        stages.start("parse")
        module = ir.Module.parse(imported.text, context)
        module.set_resources(dict(imported.weights))
        text = imported.text
        if records is not None:
            module.operation.attributes["bcr.records"] = {k: dict(v) for k, v in records.items()}
            text = module.get_asm(large_resource_limit=0, enable_debug_info=True)
        before = ""
        for stage in _core.stage_names(name):
            stages.start(stage)
            part = f"{name}{{{options} start-after={before} stop-after={stage}}}"
            result = ir.PassManager.parse(part, context).run(module, snapshots=tuple(kept))
            snapshots.update(result.snapshots)
            remarks += map(str, result.remarks)
            diagnostics += result.diagnostics
            before = stage
        facts = module.operation.attributes
        code = kernels = schedule = None
        if target.api:
            stages.start("SPIR-V")
            schedule = schedule_from_json(_python(facts, "bcr.schedule", []))
            if target.api == "vulkan":
                check_reach(schedule)
            kernels = _core.emit_spirv(module) if schedule else b""
        else:
            stages.start("machine code")
            steps: dict[str, float] = {}
            code = _core.emit(module, target.triple, target.cpu, target.features, times=steps)
            stages.split({f"LLVM: {step}": seconds for step, seconds in steps.items()})
        stages.start("pool of constants")
        layers = _python(facts, "bcr.layers", {})
        checks = tuple(_python(facts, "bcr.checks", []))
        constants = tuple(_constant(entry) for entry in _python(facts, "bcr.pool", []))
        arena = Arena.from_json(_python(facts, "bcr.arena", vars(Arena())))
        pool = aligned_bytes(_core.pool_size(module), PAGE)
        _core.write_pool(module, pool)
    except IRError as error:
        path = _write_reproducer(text, pipeline)
        raise CompileError(
            f"the compiler failed on this model:\n{error}\n"
            f"Replay: bcr-opt {path} --pass-pipeline='{pipeline}'",
            reproducer=str(path),
        ) from None
    for diagnostic in diagnostics:
        if "tuning record" in diagnostic.message:
            warnings.warn(diagnostic.message, stacklevel=3)
    texts = {"import": imported.text}
    texts.update((kept[name], text) for name, text in snapshots.items())
    texts["spirv" if target.api else "llvm"] = module.get_asm(large_elements_limit=16)
    return Program(
        signature=Signature(
            imported.inputs,
            imported.outputs,
            imported.in_spec,
            imported.out_spec,
            imported.symbols,
        ),
        target=target,
        options={
            "sparsity": sparsity,
            "num_threads": num_threads,
            "storage": storage,
            "extensions": list(extensions),
        },
        layers=layers,
        checks=checks,
        constants=constants,
        pool=pool,
        arena=arena,
        code=code,
        library=kernels,
        schedule=schedule,
        stages=texts,
        remarks=tuple(remarks),
    )


def _find_records(
    imported: ImportedModel,
    target: Target,
    config: TuneConfig,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    options: Mapping[str, Any],
) -> dict[str, Schedule]:
    """Return the schedules to compile with: from a file, or measured."""
    from bcr import _core
    from bcr.progress import Stages
    from bcr.tuning.records import TuningRecords
    from bcr.tuning.tuner import tune_network, usable_schedules

    described = _core.describe_target(target.triple, target.cpu, target.features)
    target = Target(described.triple, described.cpu, described.features)
    if config.seconds == 0:
        assert config.path is not None
        return usable_schedules(TuningRecords.load(config.path), target, options["num_threads"])

    def compile_with(records: Mapping[str, Schedule] | None) -> Program:
        return compile_imported(imported, target, **options, stages=Stages(False), records=records)

    def run(network: Executable, stamps: Any) -> object:
        return network.run_with_stamps(args, kwargs, stamps)

    return tune_network(imported, target, config, **options, compile_with=compile_with, run=run)


def _python(facts: Any, name: str, default: Any) -> Any:
    return facts[name].to_python() if name in facts else default


def _constant(entry: Mapping[str, Any]) -> Constant:
    bound = entry.get("bound")
    return Constant(
        str(entry["name"]),
        int(entry["offset"]),
        int(entry["bytes"]),
        str(entry["dtype"]),
        None if bound is None else int(bound),
    )


def _write_reproducer(text: str, pipeline: str) -> Path:
    """Keep the module that the compiler failed on, without its weights."""
    handle = tempfile.NamedTemporaryFile(  # noqa: SIM115
        "w", prefix="bcr-reproducer-", suffix=".mlir", delete=False
    )
    with handle:
        handle.write(f"// bcr-opt --pass-pipeline='{pipeline}'\n{text}")
    return Path(handle.name)


def _verify(
    executable: Executable, model: Any, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> None:
    """Compare with eager PyTorch on the example inputs."""
    import torch
    from torch.utils import _pytree as pytree

    eager = model
    if isinstance(model, (str, Path)):
        eager = torch.export.load(model).module()
    elif isinstance(model, torch.export.ExportedProgram):
        eager = model.module()
    with torch.no_grad():
        expected = pytree.tree_leaves(eager(*args, **kwargs))
    actual = pytree.tree_leaves(executable(*args, **kwargs))
    for index, (want, got) in enumerate(zip(expected, actual)):
        if not isinstance(want, torch.Tensor):
            continue
        error = relative_error(got.detach().numpy(), want.detach().numpy())
        if not error <= TOLERANCE:
            raise VerificationError(
                f"output {index} differs from PyTorch by {error:.2e} of its largest value "
                f"(accepted: {TOLERANCE:.0e}); please report this with the model"
            )


def relative_error(actual: Any, expected: Any) -> float:
    """Return the largest difference divided by the largest expected magnitude.

    Equal infinities and NaN at the same place count as equal; shapes or dtypes that differ give
    infinity.
    """
    actual, expected = np.asarray(actual), np.asarray(expected)
    if actual.shape != expected.shape or actual.dtype != expected.dtype:
        return float("inf")
    if actual.size == 0:
        return 0.0
    if actual.dtype.kind not in "fc":
        return 0.0 if np.array_equal(actual, expected) else float("inf")
    a, e = actual.astype(np.float64), expected.astype(np.float64)
    same = (a == e) | (np.isnan(a) & np.isnan(e))
    if same.all():
        return 0.0
    finite = np.isfinite(a) & np.isfinite(e)
    if not (same | finite).all():
        return float("inf")
    scale = np.abs(e[finite]).max(initial=0.0)
    difference = float(np.abs(a[finite] - e[finite]).max(initial=0.0))
    return difference / float(scale) if scale > 0 else difference
