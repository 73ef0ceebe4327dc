//===- RaisePooling.cpp - Poolings with their padding and divisor ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Transforms/RaiseImpl.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::raise;

/// Whether `value` is the number that changes no maximum, or no sum.
static bool isNeutral(Value value, PoolKind kind) {
  FloatAttr constant;
  if (!value || !matchPattern(value, m_Constant(&constant)))
    return false;
  APFloat number = constant.getValue();
  return kind == PoolKind::Max ? number.isInfinity() && number.isNegative()
                               : number.isZero();
}

/// The padding of `pad`: top, left, bottom, right, if it pads images with the
/// neutral number.
static FailureOr<SmallVector<int64_t>> getPadding(tensor::PadOp pad,
                                                  PoolKind kind) {
  ArrayRef<int64_t> low = pad.getStaticLow(), high = pad.getStaticHigh();
  SmallVector<int64_t> padding;
  for (ArrayRef<int64_t> sizes : {low, high})
    for (auto [i, size] : llvm::enumerate(sizes)) {
      if (ShapedType::isDynamic(size) || size < 0 || (i < 2 && size != 0))
        return failure();
      if (i >= 2)
        padding.push_back(size);
    }
  if (low.size() != 4 || !isNeutral(pad.getConstantPaddingValue(), kind))
    return failure();
  return padding;
}

/// The divisor of `op` if all it does is to divide `input` by a constant.
static FloatAttr getDivisor(Operation *op, Value input) {
  auto generic = dyn_cast<linalg::GenericOp>(op);
  if (!generic || generic.getNumDpsInputs() != 1 ||
      generic.getNumLoops() != generic.getNumParallelLoops() ||
      generic.getDpsInputOperand(0)->get() != input ||
      generic->getNumResults() != 1 ||
      generic->getResult(0).getType() != input.getType() ||
      !llvm::all_of(generic.getIndexingMapsArray(),
                    [](AffineMap map) { return map.isIdentity(); }))
    return FloatAttr();
  Block *body = generic.getBody();
  auto quotient = dyn_cast<arith::DivFOp>(body->front());
  FloatAttr divisor;
  if (!quotient || body->getOperations().size() != 2 ||
      body->getTerminator()->getOperand(0) != quotient ||
      quotient.getLhs() != body->getArgument(0) ||
      !matchPattern(quotient.getRhs(), m_Constant(&divisor)) ||
      divisor.getValue().isZero() || !divisor.getValue().isFinite())
    return FloatAttr();
  return divisor;
}

/// The numbers of a strides or dilations attribute.
static SmallVector<int64_t> getNumbers(DenseIntElementsAttr attribute) {
  if (!attribute)
    return {1, 1};
  return llvm::to_vector(attribute.getValues<int64_t>());
}

template <typename OpTy>
static bool raisePooling(OpTy op, PoolKind kind, RewriterBase &rewriter) {
  if (!op.hasPureTensorSemantics())
    return false;
  Value input = op.getDpsInputOperand(0)->get();
  auto inputType = dyn_cast<RankedTensorType>(input.getType());
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  auto kernel = cast<ShapedType>(op.getDpsInputOperand(1)->get().getType());
  auto fill =
      op.getDpsInitOperand(0)->get().template getDefiningOp<linalg::FillOp>();
  if (!type.getElementType().isF32() || type.isDynamicDim(1) ||
      type.isDynamicDim(2) || type.isDynamicDim(3) ||
      !kernel.hasStaticShape() || !fill ||
      !isNeutral(fill.getInputs()[0], kind))
    return false;
  SmallVector<int64_t> strides = getNumbers(op.getStrides());
  SmallVector<int64_t> dilations = getNumbers(op.getDilations());
  SmallVector<int64_t> padding(4, 0);
  if (auto pad = input.template getDefiningOp<tensor::PadOp>())
    if (auto found = getPadding(pad, kind); succeeded(found)) {
      padding = *found;
      input = pad.getSource();
      inputType = cast<RankedTensorType>(input.getType());
    }
  for (unsigned i = 0; i < 2; ++i) {
    // Rows and columns that no window reaches are no padding: ceil_mode leaves
    // some.
    int64_t size = inputType.getDimSize(2 + i);
    if (ShapedType::isDynamic(size) || kernel.getDimSize(i) < 1)
      return false;
    int64_t reach = (type.getDimSize(2 + i) - 1) * strides[i] +
                    (kernel.getDimSize(i) - 1) * dilations[i] + 1;
    padding[2 + i] =
        std::clamp<int64_t>(reach - size - padding[i], 0, padding[2 + i]);
    if (size + padding[i] + padding[2 + i] - reach >= strides[i])
      return false;
  }
  Value result = op->getResult(0);
  FloatAttr divisor = rewriter.getF32FloatAttr(1.0f);
  if (kind == PoolKind::Sum && result.hasOneUse())
    if (FloatAttr found = getDivisor(*result.user_begin(), result)) {
      divisor = found;
      result = (*result.user_begin())->getResult(0);
    }
  rewriter.setInsertionPoint(op);
  auto pool = Pool2DOp::create(rewriter, op.getLoc(), TypeRange(type), input,
                               fill.getOutputs()[0], kind, kernel.getShape(),
                               strides, padding, dilations, divisor.getValue());
  rewriter.replaceAllUsesWith(result, pool->getResult(0));
  if (result.getDefiningOp() != op)
    rewriter.eraseOp(result.getDefiningOp());
  rewriter.eraseOp(op);
  return true;
}

int64_t mlir::bcr::raise::raisePoolings(ModuleOp module,
                                        RewriterBase &rewriter) {
  SmallVector<Operation *> poolings;
  module.walk([&](Operation *op) {
    if (isa<linalg::PoolingNchwMaxOp, linalg::PoolingNchwSumOp>(op))
      poolings.push_back(op);
  });
  int64_t count = 0;
  for (Operation *op : poolings) {
    if (auto max = dyn_cast<linalg::PoolingNchwMaxOp>(op))
      count += raisePooling(max, PoolKind::Max, rewriter);
    else
      count += raisePooling(cast<linalg::PoolingNchwSumOp>(op), PoolKind::Sum,
                            rewriter);
  }
  return count;
}
