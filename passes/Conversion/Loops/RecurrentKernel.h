//===- RecurrentKernel.h - Steps of a recurrent layer ----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_RECURRENTKERNEL_H
#define BCR_PASSES_CONVERSION_LOOPS_RECURRENTKERNEL_H

#include "passes/Conversion/Loops/Emitter.h"

namespace mlir::bcr::loops {

/// Emits a loop over the steps of `op`, which is on memrefs: the products of
/// the state with the weights of all gates, a layer that is returned to be
/// converted, and the equations of the cell on vectors of `lanes` units.
MatmulOp emitRecurrentKernel(RecurrentOp op, int64_t lanes, Emitter &emitter);

} // namespace mlir::bcr::loops

#endif // BCR_PASSES_CONVERSION_LOOPS_RECURRENTKERNEL_H
