//===- FoldStateBias.cpp - Biases of a state into those of the input ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// PyTorch's recurrent layers have a bias for the products of the input and one
// for those of the state. Wherever both sums are added one is enough: a step
// then reads, and adds, as many numbers less. Only the last gate of a GRU
// multiplies what comes from the state by another gate first.
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/StridedConstant.h"
#include "passes/Transforms/RaiseImpl.h"

#include "dialect/Packed.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::raise;

/// The layer whose outputs, behind reshapes, are `gates` and nothing else; null
/// if there is none.
static MatmulOp findInputProducts(Value gates) {
  SmallVector<Operation *> reshapes;
  Value value = gates;
  for (; value.hasOneUse(); value = reshapes.back()->getOperand(0)) {
    Operation *op = value.getDefiningOp();
    if (isa_and_present<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op)) {
      reshapes.push_back(op);
      continue;
    }
    auto products = dyn_cast_if_present<MatmulOp>(op);
    if (!products || products.getActivationAttr() || products.getResidual())
      return {};
    int64_t channelDim = 1;
    for (Operation *reshape : llvm::reverse(reshapes))
      channelDim = followChannel(reshape, channelDim);
    return channelDim == 2 ? products : MatmulOp();
  }
  return {};
}

void raise::foldStateBias(RecurrentOp op, RewriterBase &rewriter) {
  int64_t rows = op.getNumRows(), units = op.getNumUnits();
  bool isGRU = op.getCell() == CellKind::GRU;
  MatmulOp products = findInputProducts(op.getGates());
  if (!products || !op.getBias() ||
      cast<ShapedType>(op.getBias().getType()).getDimSize(0) != rows)
    return;
  FailureOr<StridedConstant> constant = StridedConstant::match(op.getBias());
  if (failed(constant))
    return;
  FailureOr<std::vector<float>> bias = constant->gather();
  if (failed(bias))
    return;
  ChannelAffine affine;
  affine.shift.assign(bias->begin(), bias->end());
  if (isGRU)
    std::fill(affine.shift.end() - units, affine.shift.end(), 0.0);
  if (failed(foldAffine(products, affine, rewriter)))
    return;
  if (!isGRU)
    return rewriter.modifyOpInPlace(op, [&] { op.getBiasMutable().clear(); });
  std::string name = op.getLayerAttr() ? op.getLayerAttr().str() : "recurrent";
  rewriter.setInsertionPoint(op);
  auto own = arith::ConstantOp::create(
      rewriter, op.getLoc(),
      cast<TypedAttr>(makeFloatElements(
          {units}, name + ".bias",
          std::vector<float>(bias->end() - units, bias->end()),
          op.getContext())));
  rewriter.modifyOpInPlace(op, [&] { op.getBiasMutable().assign(own); });
}
