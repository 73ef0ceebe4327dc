//===- RaiseRecurrent.cpp - Make layers of declared recurrences -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// linalg has no operation for a recurrence. The front end writes one as a call
// of a private function without a body, whose attribute `bcr.recurrence` says
// what it computes:
//
//   func.func private @recurrence(tensor<?x1x96xf32>, tensor<1x32xf32>,
//                                 tensor<96x32xf32>) -> tensor<?x1x32xf32>
//     attributes {bcr.recurrence = {cell = "gru", reverse = false,
//                 operands = ["gates", "hidden", "weight"]}}
//
// Operands may also be "cell", "bias" and "projection"; an LSTM has two
// results. A projection becomes a layer in the region of the recurrent one.
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/StridedConstant.h"
#include "passes/Transforms/RaiseImpl.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/SymbolTable.h"

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::raise;

static constexpr StringLiteral kRecurrenceAttrName = "bcr.recurrence";

namespace {
/// What a declaration says.
struct Recurrence {
  CellKind cell;
  bool reverse = false;
  /// The operands by name; null where there is none.
  llvm::StringMap<Value> operands;
};
} // namespace

/// Reads the attribute of a declaration.
static FailureOr<Recurrence> readDeclaration(func::CallOp call,
                                             func::FuncOp callee) {
  auto emitError = [&] {
    return callee.emitError("bcr-raise: '")
           << kRecurrenceAttrName
           << "' is a dictionary of 'cell', 'reverse' and 'operands', which "
              "names every operand";
  };
  auto facts = callee->getAttrOfType<DictionaryAttr>(kRecurrenceAttrName);
  if (!facts)
    return emitError();
  auto kind = facts.getAs<StringAttr>("cell");
  auto reverse = facts.getAs<BoolAttr>("reverse");
  auto names = facts.getAs<ArrayAttr>("operands");
  std::optional<CellKind> cell =
      kind ? symbolizeCellKind(kind.getValue()) : std::nullopt;
  if (!cell || !reverse || !names || names.size() != call.getNumOperands())
    return emitError();
  Recurrence result;
  result.cell = *cell;
  result.reverse = reverse.getValue();
  for (auto [name, operand] : llvm::zip_equal(names, call.getOperands())) {
    auto text = dyn_cast<StringAttr>(name);
    if (!text || !isa<RankedTensorType>(operand.getType()))
      return emitError();
    result.operands[text.getValue()] = operand;
  }
  for (StringRef name : {"gates", "hidden", "weight"})
    if (!result.operands.lookup(name))
      return emitError();
  if ((*cell == CellKind::LSTM) !=
      static_cast<bool>(result.operands.lookup("cell")))
    return emitError();
  return result;
}

/// A constant in its own order, named after `layer` if it has to be copied.
static Value makeConstant(Value value, const Twine &name, Location loc,
                          RewriterBase &rewriter) {
  FailureOr<StridedConstant> constant = StridedConstant::match(value);
  if (failed(constant))
    return {};
  FailureOr<ElementsAttr> elements =
      constant->getElements(constant->shape, name.str());
  if (failed(elements))
    return {};
  return arith::ConstantOp::create(rewriter, loc, cast<TypedAttr>(*elements));
}

/// The product that a step ends with where the state is projected.
static void makeProjection(RecurrentOp op, Value weight, StringRef layer,
                           RewriterBase &rewriter) {
  OpBuilder::InsertionGuard guard(rewriter);
  Location loc = op.getLoc();
  int64_t samples = cast<ShapedType>(op.getGates().getType()).getDimSize(1);
  if (ShapedType::isDynamic(samples))
    samples = cast<ShapedType>(op.getHidden().getType()).getDimSize(0);
  auto getType = [&](int64_t size) {
    return RankedTensorType::get({samples, size}, rewriter.getF32Type());
  };
  Type type = getType(op.getNumColumns());
  Block *body = rewriter.createBlock(
      &op.getProjection(), {}, {getType(op.getNumUnits()), type}, {loc, loc});
  auto product = MatmulOp::create(
      rewriter, loc, type, body->getArgument(0), weight, /*bias=*/Value(),
      /*residual=*/Value(), body->getArgument(1), ActivationAttr(),
      rewriter.getStringAttr(layer), FormAttr(), /*block=*/DenseI64ArrayAttr(),
      ScheduleAttr(), /*chunks=*/DenseI64ArrayAttr());
  YieldOp::create(rewriter, loc, product.getResults());
}

static LogicalResult raiseCall(func::CallOp call, func::FuncOp callee,
                               LayerNames &names, RewriterBase &rewriter) {
  FailureOr<Recurrence> found = readDeclaration(call, callee);
  if (failed(found))
    return failure();
  auto get = [&](StringRef name) { return found->operands.lookup(name); };
  Location loc = call.getLoc();
  rewriter.setInsertionPoint(call);
  FailureOr<StridedConstant> weights = StridedConstant::match(get("weight"));
  std::string layer = names.get(
      succeeded(weights) ? weights->getKey() : StringRef(), "recurrent");
  Value weight = makeConstant(get("weight"), layer + ".weight", loc, rewriter);
  Value projection = get("projection");
  std::string projectionLayer;
  if (projection) {
    FailureOr<StridedConstant> found = StridedConstant::match(projection);
    projectionLayer = names.get(
        succeeded(found) ? found->getKey() : StringRef(), "projection");
    projection = makeConstant(projection, projectionLayer, loc, rewriter);
  }
  if (!weight || (get("projection") && !projection))
    return call.emitError("bcr-raise: the weights of recurrent layer '")
           << layer << "' are no constants whose data is there";

  SmallVector<Value> states = {get("hidden")};
  if (Value cell = get("cell"))
    states.push_back(cell);
  // Sizes that are not known are those of the operands.
  auto samples = tensor::getMixedSize(rewriter, loc, get("gates"), 1);
  SmallVector<Value> inits;
  for (Type result : call.getResultTypes()) {
    auto type = cast<RankedTensorType>(result);
    SmallVector<OpFoldResult> sizes =
        getAsIndexOpFoldResult(rewriter.getContext(), type.getShape());
    if (type.isDynamicDim(type.getRank() - 2))
      sizes[type.getRank() - 2] = samples;
    if (type.getRank() == 3 && type.isDynamicDim(0))
      sizes[0] = tensor::getMixedSize(rewriter, loc, get("gates"), 0);
    inits.push_back(
        tensor::EmptyOp::create(rewriter, loc, sizes, type.getElementType()));
  }
  auto op = RecurrentOp::create(
      rewriter, loc, call.getResultTypes(), get("gates"), states, weight,
      get("bias"), /*scratch=*/ValueRange(), inits, found->cell, found->reverse,
      rewriter.getStringAttr(layer), FormAttr(), DenseI64ArrayAttr(),
      ScheduleAttr(), /*chunks=*/DenseI64ArrayAttr());
  if (projection)
    makeProjection(op, projection, projectionLayer, rewriter);
  rewriter.replaceOp(call, op);
  return success();
}

FailureOr<int64_t> mlir::bcr::raise::raiseRecurrent(ModuleOp module,
                                                    LayerNames &names,
                                                    RewriterBase &rewriter) {
  SymbolTableCollection symbols;
  SmallVector<std::pair<func::CallOp, func::FuncOp>> calls;
  module.walk([&](func::CallOp call) {
    auto callee = symbols.lookupNearestSymbolFrom<func::FuncOp>(
        call, call.getCalleeAttr());
    if (callee && callee.isExternal() && callee->hasAttr(kRecurrenceAttrName))
      calls.push_back({call, callee});
  });
  for (auto [call, callee] : calls)
    if (failed(raiseCall(call, callee, names, rewriter)))
      return failure();
  llvm::SmallDenseSet<Operation *> callees;
  for (auto [call, callee] : calls)
    if (callees.insert(callee).second)
      rewriter.eraseOp(callee);
  return static_cast<int64_t>(calls.size());
}
