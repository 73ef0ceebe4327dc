//===- RecurrentKernel.h - Steps of a recurrent layer ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_RECURRENTKERNEL_H
#define BCR_PASSES_CONVERSION_LOOPS_RECURRENTKERNEL_H

#include "passes/Conversion/Loops/Emitter.h"

namespace mlir::bcr::loops {

/// The products of the state with the weights of all gates.
struct RecurrentProducts {
  /// To be converted, with the weights that it has.
  MatmulOp matmul;
  /// Of lists beside those of `matmul`.
  int64_t indexBytes = 0;
};

/// Emits a loop over the steps of `op`, which is on memrefs: the products,
/// which `schedule` is for, and the equations of the cell on vectors of `lanes`
/// units.
RecurrentProducts emitRecurrentKernel(RecurrentOp op, ScheduleAttr schedule,
                                      int64_t lanes, Emitter &emitter);

} // namespace mlir::bcr::loops

#endif // BCR_PASSES_CONVERSION_LOOPS_RECURRENTKERNEL_H
