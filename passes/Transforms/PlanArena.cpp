//===- PlanArena.cpp - bcr-plan-arena -------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/ArenaLayout.h"
#include "passes/Analysis/BufferLifetimes.h"
#include "passes/Analysis/EntryFunction.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "mlir/Interfaces/DataLayoutInterfaces.h"
#include "llvm/Support/MathExtras.h"

namespace mlir::bcr {
#define GEN_PASS_DEF_BCRPLANARENAPASS
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;
using namespace mlir::bcr;

/// The number of the iteration that runs, from 0.
static Value getIteration(ImplicitLocOpBuilder &builder,
                          ArrayRef<scf::ParallelOp> loops) {
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, value);
  };
  Value number = constant(0);
  for (scf::ParallelOp loop : loops)
    for (auto [variable, begin, end, step] :
         llvm::zip_equal(loop.getInductionVars(), loop.getLowerBound(),
                         loop.getUpperBound(), loop.getStep())) {
      int64_t first = *getConstantIntValue(begin);
      int64_t stride = *getConstantIntValue(step);
      int64_t count =
          llvm::divideCeil(*getConstantIntValue(end) - first, stride);
      Value position = builder.createOrFold<arith::DivUIOp>(
          builder.createOrFold<arith::SubIOp>(variable, constant(first)),
          constant(stride));
      number = builder.createOrFold<arith::AddIOp>(
          builder.createOrFold<arith::MulIOp>(number, constant(count)),
          position);
    }
  return number;
}

namespace {
/// A buffer and what its iterations are apart.
struct PlannedBuffer {
  BufferLifetime lifetime;
  int64_t stride;
};

struct PlanArena : bcr::impl::BCRPlanArenaPassBase<PlanArena> {
  using BCRPlanArenaPassBase::BCRPlanArenaPassBase;
  void runOnOperation() override;

private:
  LogicalResult replace(func::FuncOp function, ArrayRef<PlannedBuffer> buffers,
                        ArrayRef<ArenaItem> items, int64_t bytes);
  void report(ArrayRef<ArenaItem> items, int64_t bytes);
};
} // namespace

LogicalResult PlanArena::replace(func::FuncOp function,
                                 ArrayRef<PlannedBuffer> buffers,
                                 ArrayRef<ArenaItem> items, int64_t bytes) {
  Builder attributes(&getContext());
  auto type = MemRefType::get({bytes}, attributes.getI8Type());
  auto mark = attributes.getDictionaryAttr(
      attributes.getNamedAttr("bcr.arena", attributes.getUnitAttr()));
  unsigned position = function.getNumArguments();
  if (failed(function.insertArgument(position, type, mark, function.getLoc())))
    return failure();
  auto entry = ImplicitLocOpBuilder::atBlockBegin(function.getLoc(),
                                                  &function.getBody().front());
  Value arena = memref::AssumeAlignmentOp::create(
                    entry, function.getArgument(position), alignment)
                    .getResult();
  for (auto [buffer, item] : llvm::zip_equal(buffers, items)) {
    memref::AllocOp alloc = buffer.lifetime.alloc;
    ImplicitLocOpBuilder builder(alloc.getLoc(), alloc);
    Value offset = arith::ConstantIndexOp::create(builder, item.offset);
    if (!buffer.lifetime.parallelLoops.empty()) {
      Value stride = arith::ConstantIndexOp::create(builder, buffer.stride);
      offset = builder.createOrFold<arith::AddIOp>(
          builder.createOrFold<arith::MulIOp>(
              getIteration(builder, buffer.lifetime.parallelLoops), stride),
          offset);
    }
    Value view = memref::ViewOp::create(builder, alloc.getType(), arena, offset,
                                        ValueRange());
    alloc.replaceAllUsesWith(view);
    alloc.erase();
  }
  return success();
}

void PlanArena::report(ArrayRef<ArenaItem> items, int64_t bytes) {
  ModuleOp module = getOperation();
  int64_t sum = 0, unplanned = 0;
  for (const ArenaItem &item : items)
    sum += item.bytes;
  module.walk([&](memref::AllocOp) { ++unplanned; });
  numPlanned += items.size();
  numUnplanned += unplanned;
  Builder builder(&getContext());
  auto field = [&](StringRef name, int64_t value) {
    return builder.getNamedAttr(name, builder.getI64IntegerAttr(value));
  };
  module->setAttr("bcr.arena",
                  builder.getDictionaryAttr(
                      {field("bytes", bytes),
                       field("buffers", static_cast<int64_t>(items.size())),
                       field("buffer_bytes", sum),
                       field("live_bytes", getPeakBytes(items, alignment)),
                       field("unplanned", unplanned)}));
}

void PlanArena::runOnOperation() {
  ModuleOp module = getOperation();
  FailureOr<func::FuncOp> function = getEntryFunction(module);
  if (failed(function))
    return signalPassFailure();
  if (!SymbolTable::symbolKnownUseEmpty(*function, module)) {
    function->emitOpError("is called, but only a caller outside the module can "
                          "give it an arena");
    return signalPassFailure();
  }

  BufferLifetimes lifetimes(*function, alignment, maxSlices);
  DataLayout layout(module);
  SmallVector<PlannedBuffer> buffers;
  SmallVector<ArenaItem> items;
  for (const BufferLifetime &lifetime : lifetimes.getBuffers()) {
    MemRefType type = memref::AllocOp(lifetime.alloc).getType();
    int64_t bytes = type.getNumElements() *
                    layout.getTypeSize(type.getElementType()).getFixedValue();
    int64_t stride =
        std::max<int64_t>(llvm::alignTo(bytes, alignment), alignment);
    buffers.push_back({lifetime, stride});
    items.push_back({stride * std::max<int64_t>(lifetime.slices, 1),
                     lifetime.begin, lifetime.end});
  }
  int64_t bytes = layOutArena(items, alignment);
  for (memref::DeallocOp dealloc : lifetimes.getDeallocs())
    dealloc.erase();
  if (!items.empty() && failed(replace(*function, buffers, items, bytes)))
    return signalPassFailure();
  report(items, bytes);
}
