//===- EmitSchedule.td - bcr-emit-schedule -----------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_EMITSCHEDULE_TD
#define BCR_PASSES_CONVERSION_EMITSCHEDULE_TD

include "mlir/Pass/PassBase.td"

def BCREmitSchedulePass : Pass<"bcr-emit-schedule", "::mlir::ModuleOp"> {
  let summary = "Write down what the host enqueues";
  let description = [{
    @main, which has nothing but launches of kernels on views of its arguments
    and loops around them, becomes the module attribute `bcr.schedule`: an array
    with a dictionary for each launch, in order: `kernel`, its name; `label`, the
    layer or what it does; `groups` and `local`, work-groups and work-items of a
    group in x, y and z; `arguments`, each an array of the memory it is in
    (`input`, `output`, `weights`, `arena`, `status`), the number of the input or
    output, its first byte there and its size; `loads` and `stores`, the numbers of
    the arguments that the kernel reads and writes. A loop of at least one turn is
    a dictionary of `repeat`, the number of its turns, and `body`, an array like
    the schedule; the argument `turn` is no memory but the number of the turn of a
    loop around the launch, counted from the innermost one. What runs the schedule
    needs no compiler and no MLIR; `passes/README.md` describes it for those who write it.

    *Requires:* `bcr-outline-kernels`, `bcr-plan-arena`, `bcr-pool-constants`.
    *Ensures:* @main is gone. *Fails when:* something is left that the host would
    have to compute; a loop's number of turns, a launch's size, or an address or
    the layout of what lies there is not known when the model is compiled.
  }];
}

#endif // BCR_PASSES_CONVERSION_EMITSCHEDULE_TD
