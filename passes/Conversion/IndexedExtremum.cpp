//===- IndexedExtremum.cpp - Where the largest element is -----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The combined reduction carries a value and an index that depend on each
// other, which no vectoriser takes apart.
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/IndexedExtremum.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace mlir::bcr;
using linalg::GenericOp;

/// Whether `place` counts the elements: a dimension's index, or those of
/// several in one number.
static bool isPlace(Value place) {
  if (auto apply = place.getDefiningOp<affine::AffineApplyOp>())
    return llvm::all_of(apply.getOperands(), [](Value operand) {
      return operand.getDefiningOp<linalg::IndexOp>();
    });
  return place.getDefiningOp<linalg::IndexOp>();
}

/// Whether the body is: out = max(in, out); index = in > out ? place : index.
static bool isIndexedExtremum(GenericOp op) {
  if (op.getNumDpsInputs() != 1 || op.getNumDpsInits() != 2 ||
      op.getNumReductionLoops() == 0 || !op.hasPureBufferSemantics())
    return false;
  auto index = dyn_cast<MemRefType>(op.getDpsInits()[1].getType());
  if (!index || !index.hasStaticShape() ||
      !isa<IntegerType>(index.getElementType()) ||
      op.getMatchingIndexingMap(op.getDpsInitOperand(0)) !=
          op.getMatchingIndexingMap(op.getDpsInitOperand(1)))
    return false;
  Block *body = op.getBody();
  Value in = body->getArgument(0), out = body->getArgument(1);
  Operation *yield = body->getTerminator();
  Operation *extremum = yield->getOperand(0).getDefiningOp();
  auto select = yield->getOperand(1).getDefiningOp<arith::SelectOp>();
  if (!select ||
      !isa_and_nonnull<arith::MaximumFOp, arith::MinimumFOp>(extremum))
    return false;
  bool largest = isa<arith::MaximumFOp>(extremum);
  auto compare = select.getCondition().getDefiningOp<arith::CmpFOp>();
  auto cast = select.getTrueValue().getDefiningOp<arith::IndexCastOp>();
  return cast && compare && isPlace(cast.getIn()) &&
         llvm::is_contained(extremum->getOperands(), in) &&
         llvm::is_contained(extremum->getOperands(), out) &&
         select.getFalseValue() == body->getArgument(2) &&
         compare.getLhs() == in && compare.getRhs() == out &&
         compare.getPredicate() ==
             (largest ? arith::CmpFPredicate::OGT : arith::CmpFPredicate::OLT);
}

bool mlir::bcr::splitIndexedExtremum(RewriterBase &rewriter, GenericOp op) {
  if (!isIndexedExtremum(op))
    return false;
  rewriter.setInsertionPoint(op);
  Location loc = op.getLoc();
  Value input = op.getDpsInputs()[0], extremum = op.getDpsInits()[0],
        index = op.getDpsInits()[1];
  AffineMap inputMap = op.getMatchingIndexingMap(op.getDpsInputOperand(0));
  AffineMap outputMap = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  auto iterators = op.getIteratorTypesArray();
  bool largest = isa<arith::MaximumFOp>(
      op.getBody()->getTerminator()->getOperand(0).getDefiningOp());
  GenericOp::create(rewriter, loc, TypeRange(), input, extremum,
                    ArrayRef({inputMap, outputMap}), iterators,
                    [&](OpBuilder &nested, Location at, ValueRange values) {
                      Value result =
                          largest ? Value(arith::MaximumFOp::create(
                                        nested, at, values[0], values[1]))
                                  : Value(arith::MinimumFOp::create(
                                        nested, at, values[0], values[1]));
                      linalg::YieldOp::create(nested, at, result);
                    });

  Value placeInOp = op.getBody()
                        ->getTerminator()
                        ->getOperand(1)
                        .getDefiningOp<arith::SelectOp>()
                        .getTrueValue();
  auto indexType = cast<MemRefType>(index.getType());
  auto integer = cast<IntegerType>(indexType.getElementType());
  Value none = arith::ConstantOp::create(
      rewriter, loc,
      rewriter.getIntegerAttr(integer,
                              APInt::getSignedMaxValue(integer.getWidth())));
  Value found = memref::AllocOp::create(
      rewriter, loc, MemRefType::get(indexType.getShape(), integer));
  linalg::FillOp::create(rewriter, loc, none, found);
  GenericOp::create(
      rewriter, loc, TypeRange(), ValueRange{input, extremum}, found,
      ArrayRef({inputMap, outputMap, outputMap}), iterators,
      [&](OpBuilder &nested, Location at, ValueRange values) {
        Value equal = arith::CmpFOp::create(
            nested, at, arith::CmpFPredicate::OEQ, values[0], values[1]);
        Value isNaN = arith::CmpFOp::create(
            nested, at, arith::CmpFPredicate::UNO, values[0], values[0]);
        IRMapping copies;
        for (Operation &inner : op.getBody()->without_terminator())
          if (isa<linalg::IndexOp, affine::AffineApplyOp, arith::IndexCastOp>(
                  inner))
            nested.clone(inner, copies);
        Value place = copies.lookup(placeInOp);
        Value candidate = arith::SelectOp::create(
            nested, at, arith::OrIOp::create(nested, at, equal, isNaN), place,
            none);
        linalg::YieldOp::create(
            nested, at,
            Value(arith::MinSIOp::create(nested, at, candidate, values[2])));
      });
  AffineMap identity = rewriter.getMultiDimIdentityMap(indexType.getRank());
  SmallVector<utils::IteratorType> parallel(indexType.getRank(),
                                            utils::IteratorType::parallel);
  GenericOp::create(
      rewriter, loc, TypeRange(), found, index, ArrayRef({identity, identity}),
      parallel, [&](OpBuilder &nested, Location at, ValueRange values) {
        Value missing = arith::CmpIOp::create(
            nested, at, arith::CmpIPredicate::eq, values[0], none);
        linalg::YieldOp::create(
            nested, at,
            Value(arith::SelectOp::create(nested, at, missing, values[1],
                                          values[0])));
      });
  memref::DeallocOp::create(rewriter, loc, found);
  rewriter.eraseOp(op);
  return true;
}
