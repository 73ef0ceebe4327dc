//===- EmitSchedule.cpp - What the host enqueues --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/EntryFunction.h"
#include "passes/Conversion/GPU/Launch.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Interfaces/DataLayoutInterfaces.h"
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

  SmallVector<Place> places;
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

/// Elements that a memref may touch, from the address it is based on.
static int64_t getExtent(MemRefType type) {
  SmallVector<int64_t> strides;
  int64_t offset;
  [[maybe_unused]] LogicalResult known =
      type.getStridesAndOffset(strides, offset);
  assert(succeeded(known) && "kernels are made for known layouts");
  int64_t extent = offset + 1;
  for (auto [size, stride] : llvm::zip_equal(type.getShape(), strides))
    extent += (size - 1) * stride;
  return extent;
}

FailureOr<Attribute> EmitSchedule::describe(gpu::LaunchFuncOp launch,
                                            Value operand) {
  auto type = cast<MemRefType>(operand.getType());
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
    } else if (auto view = dyn_cast<ViewLikeOpInterface>(op)) {
      operand = view.getViewSource();
    } else {
      return launch.emitOpError(
                 "has an argument that is no part of an argument "
                 "of @main but of ")
             << op->getName();
    }
  }
  const Place &place = places[cast<BlockArgument>(operand).getArgNumber()];
  Builder builder(&getContext());
  int64_t width = DataLayout(getOperation())
                      .getTypeSize(type.getElementType())
                      .getFixedValue();
  return Attribute(builder.getArrayAttr(
      {builder.getStringAttr(place.space),
       builder.getI64IntegerAttr(place.number),
       builder.getI64IntegerAttr(begin),
       builder.getI64IntegerAttr(getExtent(type) * width)}));
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
  auto sizes = [&](gpu::KernelDim3 dims) {
    return builder.getDenseI64ArrayAttr({*getConstantIntValue(dims.x),
                                         *getConstantIntValue(dims.y),
                                         *getConstantIntValue(dims.z)});
  };
  Attribute label = launch->getAttr(gpu_kernels::kKernelAttrName);
  return Attribute(builder.getDictionaryAttr(
      {builder.getNamedAttr("kernel", launch.getKernelName()),
       builder.getNamedAttr("label", label ? label : builder.getStringAttr("")),
       builder.getNamedAttr("groups", sizes(launch.getGridSizeOperandValues())),
       builder.getNamedAttr("local", sizes(launch.getBlockSizeOperandValues())),
       builder.getNamedAttr("arguments", builder.getArrayAttr(arguments))}));
}

void EmitSchedule::runOnOperation() {
  ModuleOp module = getOperation();
  FailureOr<func::FuncOp> function = getEntryFunction(module);
  if (failed(function))
    return signalPassFailure();
  collectPlaces(*function);
  SmallVector<Attribute> launches;
  for (Operation &op : function->getBody().front()) {
    if (auto launch = dyn_cast<gpu::LaunchFuncOp>(op)) {
      FailureOr<Attribute> entry = describe(launch);
      if (failed(entry))
        return signalPassFailure();
      launches.push_back(*entry);
    } else if (!isa<ViewLikeOpInterface, func::ReturnOp>(op) &&
               !matchPattern(&op, m_Constant())) {
      op.emitOpError("is left for the host, which only enqueues kernels");
      return signalPassFailure();
    }
  }
  module->setAttr("bcr.schedule",
                  Builder(&getContext()).getArrayAttr(launches));
  function->erase();
}
