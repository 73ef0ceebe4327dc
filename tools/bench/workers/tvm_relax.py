"""TVM: ONNX to Relax, tuned by MetaSchedule with option `trials` for each kernel, or not at all.

Without tuning TVM runs its default schedules, which nobody would deploy; results name both. Tuning
uses as many processors as it is told threads, takes minutes to hours, and writes its records beside
the model, so that a second run with more trials goes on from there.
"""

import numpy as np
import onnx
import tvm
from tvm import relax
from tvm.relax.frontend import detach_params
from tvm.relax.frontend.onnx import from_onnx


def target(threads):
    return tvm.target.Target(
        {"kind": "llvm", "mcpu": tvm.target.codegen.llvm_get_system_cpu(), "num-cores": threads}
    )


def convert(case, product, threads, options):
    module = from_onnx(onnx.load(case / "onnx" / "model.onnx"), keep_params_in_input=True)
    module, parameters = detach_params(module)
    trials = options["trials"]
    kernels = 200  # more than any of the networks has
    module = relax.pipeline.static_shape_tuning_pipeline(
        total_trials=trials * kernels,
        max_trials_per_task=trials or None,
        target=target(threads),
        work_dir=str(product / "records"),
        cpu_weight_prepack=True,
    )(module)
    built = tvm.compile(module, target=target(threads))
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
