//===- DepthwiseKernel.h - Positions along the vector, one channel -*- C++ -*-//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_DEPTHWISEKERNEL_H
#define BCR_PASSES_CONVERSION_LOOPS_DEPTHWISEKERNEL_H

#include "dialect/Packed.h"
#include "passes/Conversion/Loops/Emitter.h"

namespace mlir::bcr::loops {

/// Whether the depthwise kernel can run `op`: one input channel for each
/// output, no pruned weight, a horizontal stride of one or two, and images
/// whose rows are neighbouring elements a known distance apart.
bool canRunDepthwise(Conv2DOp op, ConstantOp weights);

/// Emits the loops of such a convolution. `height` output rows by `vectors`
/// vectors are a tile. Fails with a diagnostic if the weights have no data.
LogicalResult emitDepthwiseKernel(Conv2DOp op, ConstantOp weights,
                                  ScheduleAttr schedule, Emitter &emitter);

} // namespace mlir::bcr::loops

#endif // BCR_PASSES_CONVERSION_LOOPS_DEPTHWISEKERNEL_H
