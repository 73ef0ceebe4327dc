//===- LinalgAccess.cpp - How loops walk operands -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/LinalgAccess.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;

int64_t bcr::getWalkCost(AffineMap map, Type type, unsigned loop) {
  auto memref = dyn_cast<MemRefType>(type);
  if (!memref || !map.isFunctionOfDim(loop))
    return 0;
  SmallVector<int64_t> strides;
  int64_t offset;
  bool unit = succeeded(memref.getStridesAndOffset(strides, offset)) &&
              !strides.empty() && strides.back() == 1;
  for (AffineExpr result : map.getResults().drop_back())
    if (result.isFunctionOfDim(loop))
      return 8;
  if (!unit)
    return 8;
  // The stride is what one step of the loop adds to the last index.
  MLIRContext *context = map.getContext();
  AffineExpr last = map.getResults().back();
  AffineExpr step = simplifyAffineExpr(
      last - last.replace(getAffineDimExpr(loop, context),
                          getAffineDimExpr(loop, context) - 1),
      map.getNumDims(), map.getNumSymbols());
  auto constant = dyn_cast<AffineConstantExpr>(step);
  if (!constant)
    return 8;
  return constant.getValue() == 1 ? 1 : constant.getValue() <= 4 ? 3 : 8;
}

SmallVector<Value> bcr::getAccess(ImplicitLocOpBuilder &builder, AffineMap map,
                                  ValueRange counters) {
  SmallVector<Value> indices;
  for (AffineExpr result : map.getResults()) {
    if (auto dim = dyn_cast<AffineDimExpr>(result)) {
      indices.push_back(counters[dim.getPosition()]);
      continue;
    }
    if (auto constant = dyn_cast<AffineConstantExpr>(result)) {
      indices.push_back(
          arith::ConstantIndexOp::create(builder, constant.getValue()));
      continue;
    }
    auto part = AffineMap::get(map.getNumDims(), map.getNumSymbols(), result);
    indices.push_back(affine::AffineApplyOp::create(builder, part, counters));
  }
  return indices;
}
