//===- WinogradKernel.h - Fewer products for 3x3 kernels -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_WINOGRADKERNEL_H
#define BCR_PASSES_CONVERSION_LOOPS_WINOGRADKERNEL_H

#include "dialect/Packed.h"
#include "passes/Conversion/Loops/Emitter.h"

namespace mlir::bcr::loops {

/// Whether the kernel can run `op` where its images are: elements of a row have
/// to be neighbours, and rows a known distance apart.
bool canEmitWinograd(Conv2DOp op);

/// Emits the loops of such a convolution. Fails with a diagnostic if the
/// weights have no data.
LogicalResult emitWinogradKernel(Conv2DOp op, ConstantOp weights,
                                 ScheduleAttr schedule, Emitter &emitter);

} // namespace mlir::bcr::loops

#endif // BCR_PASSES_CONVERSION_LOOPS_WINOGRADKERNEL_H
