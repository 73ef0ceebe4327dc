"""TVM: ONNX to Relax, tuned by MetaSchedule with option `trials` for each kernel, or not at all.

Without tuning TVM runs its default schedules, which nobody would deploy; results name both. Tuning
takes minutes to hours.
"""

import numpy as np
import onnx
import tvm
from tvm import relax
from tvm.relax import transform
from tvm.relax.frontend import detach_params
from tvm.relax.frontend.onnx import from_onnx
from tvm.s_tir import meta_schedule

KERNELS = 200
"""More than any of the networks has; trials are given to each."""

SECONDS = 300
"""For building one candidate: the default, 30, is too short on a machine that does other work."""


def tune(module, target, trials, records):
    """Return the module with the best schedules found.

    Raises:
        RuntimeError: no candidate could be built and run.
    """
    database = meta_schedule.relax_integration.tune_relax(
        module,
        {},
        target,
        work_dir=str(records),
        max_trials_global=trials * KERNELS,
        max_trials_per_task=trials,
        num_trials_per_iter=trials,
        builder=meta_schedule.builder.LocalBuilder(timeout_sec=SECONDS),
        seed=0,
    )
    if not database.get_all_tuning_records():
        raise RuntimeError("MetaSchedule could not build and run a single candidate")
    with database:
        return transform.MetaScheduleApplyDatabase()(module)


def convert(case, product, threads, options):
    # The default number of cores is that of the machine.
    target = tvm.target.Target(
        {"kind": "llvm", "mcpu": tvm.target.codegen.llvm_get_system_cpu(), "num-cores": threads}
    )
    module = from_onnx(onnx.load(case / "onnx" / "model.onnx"), keep_params_in_input=True)
    module, parameters = detach_params(module)
    # relax.pipeline.static_shape_tuning_pipeline, whose tuner takes no options.
    with target:
        module = tvm.transform.Sequential(
            [
                transform.DecomposeOpsForInference(),
                transform.CanonicalizeBindings(),
                relax.pipeline.zero_pipeline(),
                transform.AttachAttrLayoutFreeBuffers(),
            ]
        )(module)
        if options["trials"]:
            module = tune(module, target, options["trials"], product / "records")
        module = tvm.transform.Sequential(
            [
                transform.SplitLayoutRewritePreproc(),
                transform.LiftTransformParams(),
                transform.FoldConstant(),
            ]
        )(module)
    built = tvm.compile(module, target=target)
    machine = relax.VirtualMachine(built, tvm.cpu())
    packed = machine["main_transform_params"](parameters["main"])
    built.export_library(str(product / "model.so"))
    np.savez(product / "weights.npz", *[array.numpy() for array in packed])


class Runner:
    def __init__(self, case, product, threads, options):
        library = tvm.runtime.load_module(str(product / "model.so"))
        self._call = relax.VirtualMachine(library, tvm.cpu())["main"]
        with np.load(product / "weights.npz") as weights:
            arrays = [weights[f"arr_{i}"] for i in range(len(weights.files))]
        self._inputs = [tvm.runtime.tensor(a) for a in (np.load(case / "input.npy"), *arrays)]

    def run(self):
        self._y = self._call(*self._inputs)

    def output(self):
        return self._y.numpy()
