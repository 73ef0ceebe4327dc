//===- Kernels.h - Layers as kernels ---------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_GPU_KERNELS_H
#define BCR_PASSES_CONVERSION_GPU_KERNELS_H

#include "passes/Conversion/GPU/Launch.h"
#include "passes/Conversion/Loops/InputLayout.h"

#include "mlir/Dialect/Math/IR/Math.h"

namespace mlir::bcr::gpu_kernels {

/// What the kernels are made for.
struct KernelOptions {
  /// Neighbouring weights that a work-item loads at once: 1 or 4.
  int64_t weightVector = 1;
  /// The device is a processor: what is not neighbours it loads one by one.
  bool processor = false;
};

/// Emits the launches of a convolution whose input is as `layout` says, with
/// `height` rows a work-item.
LogicalResult emitConv(Conv2DOp op, ConstantOp weights, int64_t height,
                       const loops::InputLayout &layout,
                       const KernelOptions &options, Emitter &emitter);

/// Whether `op` keeps all weights and each output channel reads one input
/// channel.
bool isDenseDepthwise(Conv2DOp op, ConstantOp weights);

/// Emits the launch of such a convolution, of a known layout without padding.
LogicalResult emitDepthwise(Conv2DOp op, ConstantOp weights,
                            const KernelOptions &options, Emitter &emitter);

/// Copies the input of a convolution into a buffer with the zeros of its
/// padding, and lets the convolution read that. Returns the buffer.
Value emitPadding(Conv2DOp op, Emitter &emitter);

/// Copies the input of a convolution into a buffer of the layout that `layout`
/// has for copies, and lets the convolution read that. Returns the buffer.
Value emitPhases(Conv2DOp op, const loops::InputLayout &layout,
                 Emitter &emitter);

/// Whether a linear layer has so many samples that these are best the
/// work-items of a group.
bool hasManySamples(MatmulOp op);

/// Puts the samples of a feature side by side in buffers between such layers,
/// which need no copies then.
void transposeSamples(ModuleOp module);

/// A buffer of features x samples; and one as samples x features.
Value allocateTransposed(OpBuilder &builder, Location loc, int64_t samples,
                         int64_t features);
Value viewTransposed(OpBuilder &builder, Location loc, Value buffer,
                     int64_t samples);

/// Such a layer as a convolution over its samples.
struct SamplesConv {
  Conv2DOp conv;
  /// Copies: the transposed input, or null where the layer's is; and the
  /// transposed result, or null where the convolution writes the layer's.
  Value input, result;
};

/// Replaces such a layer by a convolution over its samples. Where
/// `options.processor`, the convolution writes sums to a buffer and
/// `finishConv` brings them to the layer's result.
SamplesConv makeConv(MatmulOp op, const KernelOptions &options,
                     Emitter &emitter);
void finishConv(MatmulOp op, const SamplesConv &made, Emitter &emitter);

/// Rows of a linear layer that are sums of the parts of several groups.
class RowParts {
public:
  /// No row is: the layer's result has them all.
  RowParts() = default;
  /// `owners` has the row of each part.
  RowParts(Emitter &emitter, MatmulOp op, int64_t samples,
           ArrayRef<int32_t> owners);

  explicit operator bool() const { return static_cast<bool>(buffer); }
  /// samples x parts.
  Value getBuffer() const { return buffer; }
  /// The sum of a row without its bias.
  Value getSum(Emitter &emitter, Value sample, Value row) const;

private:
  Value buffer, list;
  int64_t numRows = 0, most = 0;
};

/// Emits the launch of a linear layer of a known number of samples, but for the
/// rows that are sums of parts. Where some are, all of the rows are, and the
/// layer's result is not written.
FailureOr<RowParts> emitParts(MatmulOp op, ConstantOp weights,
                              const KernelOptions &options, Emitter &emitter);

/// Emits the launch that adds the parts up.
void emitSums(MatmulOp op, const RowParts &parts, Emitter &emitter);

/// Emits the launches of a recurrent layer on memrefs of known shape, in a loop
/// of the host. `emitProducts` emits those of the products of a step, which are
/// a layer without activation, or of the parts of these.
LogicalResult
emitRecurrent(RecurrentOp op, Emitter &emitter,
              llvm::function_ref<FailureOr<RowParts>(MatmulOp)> emitProducts);

/// Emits the launch of a pooling.
void emitPool(Pool2DOp op, Emitter &emitter);

/// a * b + sum as one instruction, which every GPU of a phone has; compilers do
/// not all make one of two.
inline Value fuseMultiplyAdd(Emitter &emitter, Value a, Value b, Value sum) {
  return math::FmaOp::create(emitter, a, b, sum);
}

/// Loads `count` weights from `first` on, `options.weightVector` at a time
/// where they divide the count.
SmallVector<Value> loadWeights(Emitter &emitter, const KernelOptions &options,
                               Value values, Value first, int64_t count);

} // namespace mlir::bcr::gpu_kernels

#endif // BCR_PASSES_CONVERSION_GPU_KERNELS_H
