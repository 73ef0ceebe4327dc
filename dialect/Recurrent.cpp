//===- Recurrent.cpp - The recurrent layer --------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/BCR.h"
#include "dialect/LayerVerifier.h"

#include "mlir/IR/TypeUtilities.h"

using namespace mlir;
using namespace mlir::bcr;

//===----------------------------------------------------------------------===//
// As a layer: h times W
//===----------------------------------------------------------------------===//

Value RecurrentOp::getInput() { return getHidden(); }

Value RecurrentOp::getInit() { return getInits().front(); }

Value RecurrentOp::getResidual() { return {}; }

MutableOperandRange RecurrentOp::getResidualMutable() {
  return MutableOperandRange(getOperation(), /*start=*/0, /*length=*/0);
}

ActivationAttr RecurrentOp::getActivationAttr() { return {}; }

void RecurrentOp::setActivationAttr(ActivationAttr) {
  llvm_unreachable("a recurrent layer has the activations of its cell");
}

int64_t RecurrentOp::getNumRows() {
  if (auto packed = dyn_cast<PackedType>(getWeight().getType()))
    return packed.getRows();
  return cast<ShapedType>(getWeight().getType()).getDimSize(0);
}

int64_t RecurrentOp::getNumColumns() {
  if (auto packed = dyn_cast<PackedType>(getWeight().getType()))
    return packed.getColumns();
  return cast<ShapedType>(getWeight().getType()).getDimSize(1);
}

int64_t RecurrentOp::getNumGates() {
  switch (getCell()) {
  case CellKind::GRU:
    return 3;
  case CellKind::LSTM:
    return 4;
  case CellKind::RNNTanh:
  case CellKind::RNNReLU:
    return 1;
  }
  llvm_unreachable("all cells are handled");
}

void RecurrentOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  getLayerEffects(*this, effects);
  for (OpOperand &scratch : getScratchMutable())
    effects.emplace_back(MemoryEffects::Write::get(), &scratch);
}

//===----------------------------------------------------------------------===//
// Verifier
//===----------------------------------------------------------------------===//

/// Checks that a value has `shape`, whose last size is known; others may be
/// dynamic on either side.
static LogicalResult verifyShape(RecurrentOp op, StringRef number,
                                 StringRef what, Value value,
                                 ArrayRef<int64_t> shape) {
  auto type = cast<ShapedType>(value.getType());
  if (type.getRank() == static_cast<int64_t>(shape.size()) &&
      succeeded(verifyCompatibleShape(type.getShape(), shape)) &&
      !ShapedType::isDynamic(type.getShape().back()))
    return success();
  return op.emitOpError(number)
         << ": " << what << " is "
         << RankedTensorType::get(shape, type.getElementType()) << ", got "
         << type;
}

/// Checks the region of an LSTM whose state is projected, and its buffers.
static LogicalResult verifyProjection(RecurrentOp op, int64_t samples) {
  bool onTensors = isa<RankedTensorType>(op.getInit().getType());
  if (op.hasProjection() && op.getCell() != CellKind::LSTM)
    return op.emitOpError("BCR-31: only the state of an LSTM is projected");
  size_t numBuffers = op.hasProjection() && !onTensors ? 2 : 0;
  if (op.getScratch().size() != numBuffers)
    return op.emitOpError("BCR-31: two buffers are scratch of a projection on "
                          "memrefs, otherwise none");
  if (!op.hasProjection())
    return success();
  Block &block = op.getProjection().front();
  SmallVector<Value> values(op.getScratch());
  llvm::append_range(values, block.getArguments());
  if (values.size() != 2 || block.getNumArguments() != (onTensors ? 2 : 0))
    return op.emitOpError("BCR-31: a projection has two arguments on tensors, "
                          "on memrefs none");
  if (failed(verifyShape(op, "BCR-31", "the projection's input", values[0],
                         {samples, op.getNumUnits()})) ||
      failed(verifyShape(op, "BCR-31", "the projection's destination",
                         values[1], {samples, op.getNumColumns()})))
    return failure();
  if (block.getTerminator()->getOperandTypes() !=
      (onTensors ? TypeRange(values[1].getType()) : TypeRange()))
    return op.emitOpError("BCR-31: a projection yields its destination's type "
                          "on tensors, on memrefs nothing");
  return success();
}

/// Checks that operands and results are all tensors or all memrefs, of f32.
static LogicalResult verifyKinds(RecurrentOp op) {
  bool onTensors = isa<RankedTensorType>(op.getInit().getType());
  for (Value operand : op->getOperands()) {
    if (operand == op.getWeight())
      continue;
    if (isa<RankedTensorType>(operand.getType()) != onTensors)
      return op.emitOpError("BCR-11: operands are all tensors or all memrefs");
    if (!getElementTypeOrSelf(operand).isF32())
      return op.emitOpError("BCR-12: layers compute in f32, got ")
             << operand.getType();
  }
  if (onTensors ? TypeRange(op.getInits()) != TypeRange(op.getResult())
                : op->getNumResults() > 0)
    return op.emitOpError("BCR-11: on tensors a layer has results of the types "
                          "of 'outs', on memrefs none");
  return success();
}

LogicalResult RecurrentOp::verify() {
  size_t numStates = getCell() == CellKind::LSTM ? 2 : 1;
  if (getStates().size() != numStates || getInits().size() != numStates)
    return emitOpError("BCR-30: ") << stringifyCellKind(getCell()) << " has "
                                   << numStates << " states, in and out";
  if (failed(verifyKinds(*this)))
    return failure();

  if (auto weight = dyn_cast<ShapedType>(getWeight().getType()))
    if (weight.getRank() != 2 || !weight.hasStaticShape() ||
        !weight.getElementType().isF32())
      return emitOpError("BCR-13: dense weights are a static f32 matrix, got ")
             << weight;
  int64_t rows = getNumRows();
  int64_t features = getNumColumns();
  if (rows % getNumGates() != 0)
    return emitOpError("BCR-32: ")
           << getNumGates() << " gates do not divide the " << rows
           << " rows of the weights";
  int64_t units = getNumUnits();
  if (!hasProjection() && units != features)
    return emitOpError("BCR-32: the weights have ")
           << features << " columns for " << units << " units";

  auto gates = cast<ShapedType>(getGates().getType());
  if (gates.getRank() != 3 || gates.getDimSize(2) != rows)
    return emitOpError("BCR-33: the products of the input are steps x samples "
                       "x ")
           << rows << ", got " << gates;
  int64_t steps = gates.getDimSize(0);
  int64_t samples = gates.getDimSize(1);
  auto verifyState = [&](StringRef what, Value value, int64_t size) {
    return verifyShape(*this, "BCR-33", what, value, {samples, size});
  };
  if (failed(verifyShape(*this, "BCR-33", "the result", getInit(),
                         {steps, samples, features})) ||
      failed(verifyState("the state", getHidden(), features)))
    return failure();
  if (getCell() == CellKind::LSTM &&
      (failed(verifyState("the cell's state", getCellState(), units)) ||
       failed(verifyState("the cell's last state", getCellInit(), units))))
    return failure();
  if (failed(verifyProjection(*this, samples)))
    return failure();
  if (getBias()) {
    auto bias = cast<ShapedType>(getBias().getType());
    auto has = [&](int64_t size) {
      return bias.getRank() == 1 && bias.getDimSize(0) == size;
    };
    if (!has(rows) && !(getCell() == CellKind::GRU && has(units)))
      return emitOpError("BCR-14: the bias is f32, one value a row of the "
                         "weights, or, of a gru, one a unit for s_n alone, "
                         "got ")
             << bias;
  }
  return verifyDecisions(*this);
}

//===----------------------------------------------------------------------===//
// The end of a projection
//===----------------------------------------------------------------------===//

/// On memrefs there is nothing to yield.
void YieldOp::build(OpBuilder &, OperationState &) {}
