//===- PoolToLinalg.cpp - The meaning of poolings in linalg ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/PoolToLinalg.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <limits>

using namespace mlir;
using namespace mlir::bcr;

Value mlir::bcr::buildPool(Pool2DOp op, OpBuilder &builder) {
  Location loc = op.getLoc();
  bool isMax = op.getKind() == PoolKind::Max;
  float neutral = isMax ? -std::numeric_limits<float>::infinity() : 0.0f;
  Value outside =
      arith::ConstantOp::create(builder, loc, builder.getF32FloatAttr(neutral));
  ArrayRef<int64_t> padding = op.getPadding();
  auto toFold = [&](ArrayRef<int64_t> sizes) {
    return getAsIndexOpFoldResult(builder.getContext(), sizes);
  };
  Value input = op.getInput();
  if (llvm::any_of(padding, [](int64_t size) { return size != 0; }))
    input = tensor::PadOp::create(
        builder, loc, Type(), input, toFold({0, 0, padding[0], padding[1]}),
        toFold({0, 0, padding[2], padding[3]}), outside);
  Value window = tensor::EmptyOp::create(builder, loc, op.getKernel(),
                                         builder.getF32Type());
  Value start =
      linalg::FillOp::create(builder, loc, outside, op.getInit())->getResult(0);
  auto strides = builder.getI64VectorAttr(op.getStrides());
  auto dilations = builder.getI64VectorAttr(op.getDilations());
  SmallVector<Value> operands = {input, window};
  if (isMax)
    return linalg::PoolingNchwMaxOp::create(builder, loc, start.getType(),
                                            operands, start, strides, dilations)
        ->getResult(0);
  Value sum =
      linalg::PoolingNchwSumOp::create(builder, loc, start.getType(), operands,
                                       start, strides, dilations)
          ->getResult(0);
  if (op.getDivisor().convertToDouble() == 1.0)
    return sum;
  SmallVector<AffineMap> maps(2, builder.getMultiDimIdentityMap(4));
  SmallVector<utils::IteratorType> iterators(4, utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             builder, loc, sum.getType(), sum, op.getInit(), maps, iterators,
             [&](OpBuilder &b, Location loc, ValueRange args) {
               Value divisor =
                   arith::ConstantOp::create(b, loc, op.getDivisorAttr());
               Value quotient = arith::DivFOp::create(b, loc, args[0], divisor);
               linalg::YieldOp::create(b, loc, quotient);
             })
      ->getResult(0);
}
