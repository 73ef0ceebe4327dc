//===- Destinations.cpp - Results into buffers of the caller --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/EntryFunction.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"

namespace mlir::bcr {
#define GEN_PASS_DEF_BCRDESTINATIONSPASS
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;
using namespace mlir::bcr;

namespace {
struct Destinations : bcr::impl::BCRDestinationsPassBase<Destinations> {
  void runOnOperation() override;
};
} // namespace

/// Checks that the buffer is as large as the result.
static void checkSizes(OpBuilder &builder, Location loc, Value result,
                       Value buffer, unsigned number) {
  auto type = cast<RankedTensorType>(result.getType());
  for (int64_t i = 0, e = type.getRank(); i < e; ++i) {
    if (!type.isDynamicDim(i))
      continue;
    Value size = tensor::DimOp::create(builder, loc, result, i);
    Value room = memref::DimOp::create(builder, loc, buffer, i);
    Value equal = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                        size, room);
    cf::AssertOp::create(builder, loc, equal,
                         "the buffer of output " + std::to_string(number) +
                             " has the wrong size in dimension " +
                             std::to_string(i));
  }
}

/// Whether `value` is an empty tensor, or one that `fill` gives a number.
static bool startsAnew(Value value, linalg::FillOp &fill) {
  fill = value.getDefiningOp<linalg::FillOp>();
  Value start = fill ? fill.getDpsInits()[0] : value;
  return isa_and_present<tensor::EmptyOp>(start.getDefiningOp());
}

/// Walks from `value` to what reshapes made it of.
static Value skipReshapes(Value value, SmallVectorImpl<Operation *> &reshapes) {
  while (isa_and_present<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(
      value.getDefiningOp())) {
    reshapes.push_back(value.getDefiningOp());
    value = reshapes.back()->getOperand(0);
  }
  return value;
}

/// Shapes `value` like that which `reshapes`, the last one first, were given.
static Value undoReshapes(OpBuilder &builder, Location loc, Value value,
                          ArrayRef<Operation *> reshapes) {
  for (Operation *op : reshapes) {
    auto type = cast<RankedTensorType>(op->getOperand(0).getType());
    if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
      value = tensor::CollapseShapeOp::create(builder, loc, type, value,
                                              expand.getReassociationIndices());
    else
      value = tensor::ExpandShapeOp::create(
          builder, loc, type, value,
          cast<tensor::CollapseShapeOp>(op).getReassociationIndices());
  }
  return value;
}

/// What reshapes the buffer takes sizes that are known.
static bool haveStaticShapes(ArrayRef<Operation *> reshapes) {
  return llvm::all_of(reshapes, [](Operation *op) {
    return cast<ShapedType>(op->getResult(0).getType()).hasStaticShape();
  });
}

/// The operand that the op which makes `value` writes into, if it is one.
static OpOperand *getInit(Value value) {
  auto producer = value.getDefiningOp<DestinationStyleOpInterface>();
  return producer ? producer.getTiedOpOperand(cast<OpResult>(value)) : nullptr;
}

/// Lets the op that makes what is inserted fill its place in `destination`.
static void writeSliceInPlace(tensor::InsertSliceOp insert, Value destination) {
  SmallVector<Operation *> reshapes;
  OpOperand *init = getInit(skipReshapes(insert.getSource(), reshapes));
  linalg::FillOp fill;
  if (!init || !haveStaticShapes(reshapes) || !startsAnew(init->get(), fill) ||
      fill || !insert.getSourceType().hasStaticShape() ||
      !insert.getOffsets().empty() || !insert.getStrides().empty())
    return;
  OpBuilder builder(init->getOwner());
  Location loc = init->getOwner()->getLoc();
  Value slice = tensor::ExtractSliceOp::create(
      builder, loc, insert.getSourceType(), destination,
      insert.getMixedOffsets(), insert.getMixedSizes(),
      insert.getMixedStrides());
  init->set(undoReshapes(builder, loc, slice, reshapes));
}

/// Lets the ops that make `result` write into `buffer`, where they fill a
/// tensor of its own: one op, or, as a concatenation is written, some that
/// insert one slice each, behind reshapes. Upstream's elimination of empty
/// tensors does more and must not see these buffers: where two results start
/// from one empty tensor it gives the buffer of the first to both.
static void writeInPlace(Value result, Value buffer) {
  SmallVector<Operation *> reshapes;
  SmallVector<tensor::InsertSliceOp> inserts;
  Value value = skipReshapes(result, reshapes);
  if (!haveStaticShapes(reshapes))
    return;
  OpOperand *init = nullptr;
  while (auto insert = value.getDefiningOp<tensor::InsertSliceOp>()) {
    inserts.push_back(insert);
    init = &insert.getDestMutable();
    value = init->get();
  }
  if (!init && (init = getInit(value)))
    value = init->get();
  linalg::FillOp fill;
  if (!init || !startsAnew(value, fill))
    return;
  // At the beginning, before what makes slices.
  OpBuilder builder =
      OpBuilder::atBlockBegin(cast<BlockArgument>(buffer).getOwner());
  Location loc = init->getOwner()->getLoc();
  Value destination = bufferization::ToTensorOp::create(
      builder, loc, result.getType(), buffer, /*restrict=*/true,
      /*writable=*/true);
  destination = undoReshapes(builder, loc, destination, reshapes);
  if (fill) {
    builder.setInsertionPoint(init->getOwner());
    destination = linalg::FillOp::create(builder, loc, fill.getInputs(),
                                         ValueRange(destination))
                      .getResult(0);
  }
  init->set(destination);
  if (!fill)
    for (tensor::InsertSliceOp insert : inserts)
      writeSliceInPlace(insert, destination);
}

void Destinations::runOnOperation() {
  FailureOr<func::FuncOp> entry = getEntryFunction(getOperation());
  if (failed(entry))
    return signalPassFailure();
  func::FuncOp function = *entry;
  if (!function.getBody().hasOneBlock()) {
    function.emitOpError("must have one block before its results become "
                         "buffers");
    return signalPassFailure();
  }
  for (Type type : function.getResultTypes()) {
    if (!isa<RankedTensorType>(type) && !type.isIntOrIndexOrFloat()) {
      function.emitOpError("has a result of type ")
          << type << ", which is neither a ranked tensor nor a number";
      return signalPassFailure();
    }
  }

  auto terminator =
      cast<func::ReturnOp>(function.getBody().front().getTerminator());
  OpBuilder builder(terminator);
  auto mark = builder.getDictionaryAttr(
      builder.getNamedAttr("bcr.output", builder.getUnitAttr()));
  for (auto [number, result] : llvm::enumerate(terminator.getOperands())) {
    auto tensor = dyn_cast<RankedTensorType>(result.getType());
    auto type =
        tensor ? MemRefType::get(tensor.getShape(), tensor.getElementType())
               : MemRefType::get({}, result.getType());
    unsigned position = function.getNumArguments();
    if (failed(
            function.insertArgument(position, type, mark, terminator.getLoc())))
      return signalPassFailure();
    Value buffer = function.getArgument(position);
    ++numDestinations;
    if (!tensor) {
      memref::StoreOp::create(builder, terminator.getLoc(), result, buffer,
                              ValueRange());
      continue;
    }
    checkSizes(builder, terminator.getLoc(), result, buffer, number);
    writeInPlace(result, buffer);
    auto materialize = bufferization::MaterializeInDestinationOp::create(
        builder, terminator.getLoc(), /*result=*/Type(), result, buffer);
    materialize.setRestrict(true);
    materialize.setWritable(true);
  }
  terminator->setOperands({});
  llvm::BitVector all(function.getNumResults(), true);
  if (failed(function.eraseResults(all)))
    signalPassFailure();
}
