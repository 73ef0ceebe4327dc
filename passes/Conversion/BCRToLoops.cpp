//===- BCRToLoops.cpp - convert-bcr-to-loops ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/MachineModel.h"
#include "passes/Conversion/ConvertLayers.h"
#include "passes/Conversion/Loops/DepthwiseKernel.h"
#include "passes/Conversion/Loops/Kernel.h"
#include "passes/Conversion/Loops/PoolKernel.h"
#include "passes/Conversion/Loops/RecurrentKernel.h"
#include "passes/Conversion/Loops/WinogradKernel.h"
#include "passes/Passes.h"
#include "passes/Transforms/PackedWeights.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace mlir::bcr {
#define GEN_PASS_DEF_CONVERTBCRTOLOOPSPASS
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

/// A schedule that fits 32 vector registers, and two thirds of it in 16.
static ScheduleAttr getDefaultSchedule(Operation *layer, int64_t lanes) {
  if (isa<Conv2DOp>(layer))
    return ScheduleAttr::get(layer->getContext(), KernelKind::Pixels,
                             /*height=*/8, /*vectors=*/3, lanes);
  return ScheduleAttr::get(layer->getContext(), KernelKind::Rows,
                           /*height=*/4 * lanes, /*vectors=*/4, lanes);
}

namespace {
struct ConvertBCRToLoopsPass
    : public mlir::bcr::impl::ConvertBCRToLoopsPassBase<ConvertBCRToLoopsPass> {
  using ConvertBCRToLoopsPassBase::ConvertBCRToLoopsPassBase;

  LogicalResult convert(LayerOpInterface layer, SymbolTable &symbols,
                        LayerReport &report) {
    Operation *op = layer;
    if (!isa<MemRefType>(layer.getInit().getType()))
      return op->emitOpError("is on tensors; bufferize it before "
                             "convert-bcr-to-loops");
    auto weights = layer.getWeight().getDefiningOp<ConstantOp>();
    if (!weights)
      return op->emitOpError("has weights that are not packed; run bcr-tile "
                             "before bufferization");
    ScheduleAttr schedule = layer.getScheduleAttr();
    if (!schedule)
      schedule = getDefaultSchedule(op, lanes);

    if (!llvm::is_contained(
            cast<ShapedType>(layer.getInit().getType()).getShape(), 0)) {
      Emitter emitter(layer, symbols, report, getOptions());
      if (schedule.getKernel() == KernelKind::Rows) {
        ++numRowKernels;
        if (failed(emitRowKernel(layer, weights, schedule, emitter)))
          return failure();
      } else {
        auto conv = dyn_cast<Conv2DOp>(op);
        bool depthwise = schedule.getKernel() == KernelKind::Depthwise;
        bool winograd = schedule.getKernel() == KernelKind::Winograd;
        if ((depthwise && (!conv || !canRunDepthwise(conv, weights))) ||
            (winograd && (!conv || !canEmitWinograd(conv)))) {
          depthwise = winograd = false;
          schedule = getDefaultSchedule(op, schedule.getLanes());
        }
        if (!conv &&
            cast<ShapedType>(layer.getInit().getType()).isDynamicDim(0))
          return op->emitOpError("has an unknown number of samples to run "
                                 "along the vector; its schedule has to be "
                                 "'rows'");
        ++(depthwise  ? numDepthwiseKernels
           : winograd ? numWinogradKernels
                      : numPixelKernels);
        LogicalResult emitted =
            depthwise  ? emitDepthwiseKernel(conv, weights, schedule, emitter)
            : winograd ? emitWinogradKernel(conv, weights, schedule, emitter)
            : conv     ? emitPixelKernel(conv, weights, schedule, emitter)
                       : emitSampleKernel(cast<MatmulOp>(op), weights, schedule,
                                          emitter);
        if (failed(emitted))
          return failure();
      }
    }
    op->erase();
    if (weights->use_empty())
      weights->erase();
    return success();
  }

  LoopOptions getOptions() {
    LoopOptions options;
    options.threads = threads;
    options.byElement = byElement;
    options.windows = windows;
    options.followsStreams =
        getMachine(getOperation(), lanes, /*registers=*/1).followsStreams;
    return options;
  }

  /// The products of a step are a layer, which is converted then.
  LogicalResult convert(RecurrentOp op, SymbolTable &symbols,
                        LayerReport &report) {
    auto type = dyn_cast<MemRefType>(op.getInit().getType());
    if (!type)
      return op.emitOpError("is on tensors; bufferize it before "
                            "convert-bcr-to-loops");
    Emitter emitter(op, symbols, report, getOptions());
    ScheduleAttr schedule = op.getScheduleAttr();
    if (!schedule)
      schedule = getDefaultSchedule(op, lanes);
    RecurrentProducts products =
        emitRecurrentKernel(op, schedule, lanes, emitter);
    StringAttr layer = op.getLayerAttr();
    op->erase();
    ++numRecurrentKernels;
    if (failed(convert(cast<LayerOpInterface>(products.matmul.getOperation()),
                       symbols, report)))
      return failure();
    if (layer && products.indexBytes > 0)
      report.add(layer, "index_bytes", products.indexBytes);
    return success();
  }

  LogicalResult convert(Pool2DOp pool, SymbolTable &symbols,
                        LayerReport &report) {
    auto type = dyn_cast<MemRefType>(pool.getInit().getType());
    if (!type)
      return pool.emitOpError("is on tensors; bufferize it before "
                              "convert-bcr-to-loops");
    if (!llvm::is_contained(type.getShape(), 0)) {
      Emitter emitter(pool, "pool", symbols, report, getOptions());
      emitPoolKernel(pool, lanes, emitter);
      ++numPoolKernels;
    }
    pool->erase();
    return success();
  }

  void runOnOperation() override {
    if (threads < 1 || lanes < 1) {
      getOperation().emitError("convert-bcr-to-loops: 'threads' and 'lanes' "
                               "are positive");
      return signalPassFailure();
    }
    SmallVector<Attribute> packedValues;
    getOperation().walk(
        [&](ConstantOp op) { packedValues.push_back(op.getValues()); });
    LogicalResult converted =
        convertLayers(getOperation(), [&](auto layer, SymbolTable &symbols,
                                          LayerReport &report) {
          return convert(layer, symbols, report);
        });
    if (failed(converted))
      return signalPassFailure();
    // Kernels with an order of their own have copied the weights.
    UnusedData unused(getOperation());
    llvm::for_each(packedValues, [&](Attribute a) { unused.add(a); });
  }
};
} // namespace
