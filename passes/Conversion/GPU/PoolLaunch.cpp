//===- PoolLaunch.cpp - Poolings as kernels -------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/GPU/Kernels.h"
#include "passes/Conversion/Loops/PoolKernel.h"

using namespace mlir;
using namespace mlir::bcr;

void gpu_kernels::emitPool(Pool2DOp op, Emitter &emitter) {
  ArrayRef<int64_t> shape = cast<MemRefType>(op.getInit().getType()).getShape();
  Grid grid{shape[3], shape[2], shape[0] * shape[1], getGroupSize(shape[3])};
  launch(emitter, "pool", grid, [&](const WorkItem &item) {
    loops::emitPoolPosition(op, emitter, emitter.div(item.z, shape[1]),
                            emitter.rem(item.z, shape[1]), item.y, item.x);
  });
}
