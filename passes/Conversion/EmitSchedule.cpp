//===- EmitSchedule.cpp - What the host enqueues --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/EntryFunction.h"
#include "passes/Analysis/LaunchSizes.h"
#include "passes/Conversion/GPU/Launch.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/DataLayoutInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "mlir/Interfaces/ViewLikeInterface.h"

namespace mlir::bcr {
#define GEN_PASS_DEF_BCREMITSCHEDULEPASS
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;
using namespace mlir::bcr;

namespace {
/// Where the host finds an argument of @main.
struct Place {
  StringRef space;
  int64_t number;
};

struct EmitSchedule : bcr::impl::BCREmitSchedulePassBase<EmitSchedule> {
  void runOnOperation() override;

private:
  /// Finds the places of the arguments of `function`.
  void collectPlaces(func::FuncOp function);
  FailureOr<Attribute> describe(gpu::LaunchFuncOp launch, Value operand);
  FailureOr<Attribute> describe(gpu::LaunchFuncOp launch);
  FailureOr<Attribute> describe(scf::ForOp loop);
  FailureOr<ArrayAttr> describe(Block &block);

  SmallVector<Place> places;
  /// Finds kernels by their names.
  SymbolTableCollection *symbols = nullptr;
};
} // namespace

void EmitSchedule::collectPlaces(func::FuncOp function) {
  places.clear();
  int64_t inputs = 0, outputs = 0;
  for (unsigned i = 0, e = function.getNumArguments(); i < e; ++i) {
    if (function.getArgAttr(i, "bcr.output"))
      places.push_back({"output", outputs++});
    else if (function.getArgAttr(i, "bcr.pool"))
      places.push_back({"weights", 0});
    else if (function.getArgAttr(i, "bcr.arena"))
      places.push_back({"arena", 0});
    else if (function.getArgAttr(i, "bcr.status"))
      places.push_back({"status", 0});
    else
      places.push_back({"input", inputs++});
  }
}

/// Elements that a memref may touch, from the address it is based on, or
/// failure where they are not known.
static FailureOr<int64_t> getExtent(MemRefType type) {
  SmallVector<int64_t> strides;
  int64_t offset;
  if (!type.hasStaticShape() ||
      failed(type.getStridesAndOffset(strides, offset)) ||
      ShapedType::isDynamic(offset) || ShapedType::isDynamicShape(strides))
    return failure();
  int64_t extent = offset + 1;
  for (auto [size, stride] : llvm::zip_equal(type.getShape(), strides))
    extent += (size - 1) * stride;
  return extent;
}

/// An argument of a launch as the host reads it.
static Attribute makeArgument(MLIRContext *context, StringRef space,
                              int64_t number, int64_t begin, int64_t size) {
  Builder builder(context);
  return builder.getArrayAttr(
      {builder.getStringAttr(space), builder.getI64IntegerAttr(number),
       builder.getI64IntegerAttr(begin), builder.getI64IntegerAttr(size)});
}

/// The number of the loop around `launch` whose turns `value` counts, from the
/// innermost one.
static std::optional<int64_t> getTurnDepth(gpu::LaunchFuncOp launch,
                                           Value value) {
  int64_t depth = 0;
  for (auto loop = launch->getParentOfType<scf::ForOp>(); loop;
       loop = loop->getParentOfType<scf::ForOp>(), ++depth)
    if (loop.getInductionVar() == value)
      return depth;
  return std::nullopt;
}

FailureOr<Attribute> EmitSchedule::describe(gpu::LaunchFuncOp launch,
                                            Value operand) {
  auto type = dyn_cast<MemRefType>(operand.getType());
  if (!type) {
    if (std::optional<int64_t> depth = getTurnDepth(launch, operand))
      return makeArgument(&getContext(), "turn", *depth, 0, sizeof(int64_t));
    return launch.emitOpError("uses a number of type ")
           << operand.getType() << " that only the host could compute";
  }
  FailureOr<int64_t> extent = getExtent(type);
  if (failed(extent))
    return launch.emitOpError("has an argument of type ")
           << type << ", whose place is not known when the model is compiled";
  int64_t begin = 0;
  // Views keep the address and put their offset into the type, which is what
  // kernels are compiled for; only memref.view moves the address.
  while (Operation *op = operand.getDefiningOp()) {
    if (auto view = dyn_cast<memref::ViewOp>(op)) {
      std::optional<int64_t> shift = getConstantIntValue(view.getByteShift());
      if (!shift)
        return launch.emitOpError("has an argument whose address is not known "
                                  "when the model is compiled");
      begin += *shift;
      operand = view.getSource();
    } else {
      // Nothing else is left in @main: see describe(Block &).
      operand = cast<ViewLikeOpInterface>(op).getViewSource();
    }
  }
  const Place &place = places[cast<BlockArgument>(operand).getArgNumber()];
  int64_t width = DataLayout(getOperation())
                      .getTypeSize(type.getElementType())
                      .getFixedValue();
  return makeArgument(&getContext(), place.space, place.number, begin,
                      *extent * width);
}

/// The numbers of the arguments of `kernel` whose memory it reads, or writes.
static SmallVector<int64_t> getAccessed(gpu::GPUFuncOp kernel, bool isStore) {
  SmallVector<int64_t> numbers;
  for (BlockArgument argument : kernel.getArguments()) {
    // Views in kernels are folded into accesses only later.
    SmallVector<Value> memrefs = {argument};
    bool accessed = false;
    while (!memrefs.empty() && !accessed)
      for (OpOperand &use : memrefs.pop_back_val().getUses()) {
        Operation *op = use.getOwner();
        if (isa<ViewLikeOpInterface>(op))
          llvm::append_range(memrefs, op->getResults());
        else if (isStore)
          accessed |= hasEffect<MemoryEffects::Write>(op, use.get());
        else
          accessed |= hasEffect<MemoryEffects::Read>(op, use.get());
      }
    if (accessed)
      numbers.push_back(argument.getArgNumber());
  }
  return numbers;
}

FailureOr<Attribute> EmitSchedule::describe(gpu::LaunchFuncOp launch) {
  Builder builder(&getContext());
  SmallVector<Attribute> arguments;
  for (Value operand : launch.getKernelOperands()) {
    FailureOr<Attribute> argument = describe(launch, operand);
    if (failed(argument))
      return failure();
    arguments.push_back(*argument);
  }
  FailureOr<SmallVector<int64_t>> groups = getKnownSizes(
                                      launch, "groups",
                                      launch.getGridSizeOperandValues()),
                                  local = getKnownSizes(
                                      launch, "work-items",
                                      launch.getBlockSizeOperandValues());
  if (failed(groups) || failed(local))
    return failure();
  Attribute label = launch->getAttr(gpu_kernels::kKernelAttrName);
  auto kernel = symbols->lookupNearestSymbolFrom<gpu::GPUFuncOp>(
      launch, launch.getKernel());
  return Attribute(builder.getDictionaryAttr(
      {builder.getNamedAttr("kernel", launch.getKernelName()),
       builder.getNamedAttr("label", label ? label : builder.getStringAttr("")),
       builder.getNamedAttr("groups", builder.getDenseI64ArrayAttr(*groups)),
       builder.getNamedAttr("local", builder.getDenseI64ArrayAttr(*local)),
       builder.getNamedAttr("arguments", builder.getArrayAttr(arguments)),
       builder.getNamedAttr("loads", builder.getDenseI64ArrayAttr(getAccessed(
                                         kernel, /*isStore=*/false))),
       builder.getNamedAttr("stores", builder.getDenseI64ArrayAttr(getAccessed(
                                          kernel, /*isStore=*/true)))}));
}

FailureOr<Attribute> EmitSchedule::describe(scf::ForOp loop) {
  std::optional<int64_t> begin = getConstantIntValue(loop.getLowerBound()),
                         end = getConstantIntValue(loop.getUpperBound()),
                         step = getConstantIntValue(loop.getStep());
  if (begin != 0 || !end || step != 1 || loop.getNumResults() > 0)
    return loop.emitOpError("is left for the host, which repeats launches as "
                            "often as was known when the model was compiled");
  FailureOr<ArrayAttr> body = describe(*loop.getBody());
  if (failed(body))
    return failure();
  Builder builder(&getContext());
  return Attribute(builder.getDictionaryAttr(
      {builder.getNamedAttr("repeat", builder.getI64IntegerAttr(*end)),
       builder.getNamedAttr("body", *body)}));
}

FailureOr<ArrayAttr> EmitSchedule::describe(Block &block) {
  SmallVector<Attribute> entries;
  for (Operation &op : block) {
    FailureOr<Attribute> entry = failure();
    auto loop = dyn_cast<scf::ForOp>(op);
    std::optional<APInt> turns;
    if (loop)
      turns = loop.getStaticTripCount();
    if (auto launch = dyn_cast<gpu::LaunchFuncOp>(op))
      entry = describe(launch);
    else if (turns && turns->isZero())
      continue;
    else if (loop)
      entry = describe(loop);
    else if (isa<ViewLikeOpInterface, func::ReturnOp, scf::YieldOp>(op) ||
             matchPattern(&op, m_Constant()))
      continue;
    else
      op.emitOpError("is left for the host, which only enqueues kernels");
    if (failed(entry))
      return failure();
    entries.push_back(*entry);
  }
  return ArrayAttr::get(&getContext(), entries);
}

void EmitSchedule::runOnOperation() {
  ModuleOp module = getOperation();
  FailureOr<func::FuncOp> function = getEntryFunction(module);
  if (failed(function))
    return signalPassFailure();
  collectPlaces(*function);
  SymbolTableCollection tables;
  symbols = &tables;
  FailureOr<ArrayAttr> schedule = describe(function->getBody().front());
  if (failed(schedule))
    return signalPassFailure();
  module->setAttr("bcr.schedule", *schedule);
  function->erase();
}
