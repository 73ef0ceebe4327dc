//===- PlanLayouts.td - bcr-plan-layouts ----------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_TRANSFORMS_PLANLAYOUTS_TD
#define BCR_TRANSFORMS_PLANLAYOUTS_TD

include "mlir/Pass/PassBase.td"

def BCRPlanLayoutsPass : Pass<"bcr-plan-layouts", "::mlir::ModuleOp"> {
  let summary = "Give activations the layout that the convolutions read";
  let description = [{
    A buffer of images that convolutions read or write gets room for the zeros
    of their padding: rows lie a common pitch apart, the zeros between two rows
    are the right edge of the one and the left edge of the next, those between
    two channels the lower edge of the one and the upper edge of the next. All
    images that convolutions of stride one and residuals tie together have one
    pitch, so that a position of the output is the same distance from the start
    as the position of the input it belongs to, and a kernel can run over all of
    them as one range. The zeros are written after the allocation, those between
    rows by the convolutions that write the rows (`gaps`).

    A buffer whose padding nobody reads has the pitch only, and its gaps are free.

    A convolution that reads such a buffer has no padding any more: it reads a
    view that holds the zeros. `overread` tells it how far it may read past them.

    A convolution that reads a copy of its input, as that of the network's own
    input, stores sums in the pitch of the copy. Its result gets this pitch, so
    they need not be copied out; GPUs store no gaps and keep theirs.

    Depthwise kernels need no zeros around an image and no common pitch: those
    convolutions keep their padding and ask for nothing.

    Buffers stay as they are if something else than convolutions, pooling,
    linalg and copies uses them (an argument, a result, a reshape), if no
    convolution gains, or if rows would become more than half as long again,
    images of up to four columns excepted.

    *Requires:* layers on memrefs. *Ensures:* no convolution with padding reads
    a buffer that was laid out anew. *Fails when:* never.

    ```mlir
    %a = memref.alloc() : memref<1x8x4x4xf32>
    bcr.conv2d ins(%a) ... {padding = array<i64: 1, 1, 1, 1>}
    // becomes
    %a = memref.alloc() : memref<...xf32>
    // zeros around the images
    %p = memref.reinterpret_cast %a to offset: [0], sizes: [1, 8, 6, 6],
                                      strides: [200, 25, 5, 1]
    bcr.conv2d ins(%p) ... {overread = 64}
    ```
  }];
  let dependentDialects = ["::mlir::arith::ArithDialect",
    "::mlir::linalg::LinalgDialect", "::mlir::memref::MemRefDialect"];
  let statistics = [
    Statistic<"numBuffers", "num-buffers-laid-out",
              "Number of buffers with room for padding">,
    Statistic<"numUnpadded", "num-convolutions-without-padding",
              "Number of convolutions whose padding is in the buffer">
  ];
}

#endif // BCR_TRANSFORMS_PLANLAYOUTS_TD
