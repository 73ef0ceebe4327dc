//===- RaiseImpl.h - The parts of bcr-raise --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Shared by Raise.cpp and the files that do its steps; no interface to others.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_TRANSFORMS_RAISEIMPL_H
#define BCR_PASSES_TRANSFORMS_RAISEIMPL_H

#include "dialect/BCR.h"
#include "passes/Analysis/ScalarExpression.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"
#include "llvm/ADT/StringSet.h"

#include <string>
#include <vector>

namespace mlir::bcr::raise {

/// Gives each layer of a module a name of its own.
class LayerNames {
public:
  /// The name for a layer whose weights have the resource key `key`, or, if
  /// that is empty, one that starts with `kind`.
  std::string get(StringRef key, StringRef kind);

private:
  llvm::StringSet<> used;
};

/// What became of one linalg operation.
struct RaiseResult {
  /// The layer that replaced it, or null.
  LayerOpInterface layer;
  /// If it has constant weights and stays: why. Empty otherwise.
  std::string reason;
  /// The name of the layer that could not be raised.
  std::string name;
};

/// Computes products of two constants, as torch.nn.utils.prune makes them.
void foldMaskedWeights(ModuleOp module, RewriterBase &rewriter);

/// Replaces a linalg convolution or matmul with constant weights by a layer.
RaiseResult raiseLayer(linalg::LinalgOp op, LayerNames &names,
                       RewriterBase &rewriter);

/// Makes a layer of each call of a function that is declared as a recurrence.
/// Returns how many, or fails where its weights are no constants.
FailureOr<int64_t> raiseRecurrent(ModuleOp module, LayerNames &names,
                                  RewriterBase &rewriter);

/// `scale * x + shift`; both hold one number, or one for each channel.
struct ChannelAffine {
  std::vector<double> scale = {1.0};
  std::vector<double> shift = {0.0};

  bool scales() const;
  bool shifts() const;
  /// Whether it is a different function for each channel, as a batch norm is.
  bool scalesByChannel() const { return scale.size() > 1; }
  /// `this` after `first`.
  ChannelAffine after(const ChannelAffine &first) const;
};

/// What element-wise `op` does to `input`, if that is affine with constants
/// that depend on dimension `channelDim` only. -1 stands for no dimension.
FailureOr<ChannelAffine> matchAffine(linalg::GenericOp op, Value input,
                                     int64_t channelDim, int64_t numChannels);

/// Makes `affine` part of the layer's weights and bias. Leaves the layer as it
/// is and fails if they are not constants or a result is not finite.
LogicalResult foldAffine(LayerOpInterface layer, const ChannelAffine &affine,
                         RewriterBase &rewriter);

/// Makes the biases of `op`, where what they are added to is added to the
/// products of the input, part of those products' bias.
void foldStateBias(RecurrentOp op, RewriterBase &rewriter);

/// Where dimension `channelDim` goes in a reshape, or -1 if it is mixed with
/// others.
int64_t followChannel(Operation *reshape, int64_t channelDim);

/// The activation that `formula` is, or null.
ActivationAttr matchActivation(const Scalar *formula, ScalarBuilder &builder,
                               MLIRContext *context);

/// Makes `bcr.pool2d` of the poolings of f32 images in `module`, with the
/// padding in front of them and a division by a constant behind. Returns how
/// many.
int64_t raisePoolings(ModuleOp module, RewriterBase &rewriter);

/// What was fused into one layer.
struct FusedEpilogue {
  bool batchNorm = false;
  bool residual = false;
  bool activation = false;
};

/// Fuses the element-wise operations that follow `layer` into it.
FusedEpilogue fuseEpilogue(LayerOpInterface layer, RewriterBase &rewriter);

} // namespace mlir::bcr::raise

#endif // BCR_PASSES_TRANSFORMS_RAISEIMPL_H
