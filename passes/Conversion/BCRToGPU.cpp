//===- BCRToGPU.cpp - convert-bcr-to-gpu ----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/ConvertLayers.h"
#include "passes/Conversion/GPU/Kernels.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

namespace mlir::bcr {
#define GEN_PASS_DEF_CONVERTBCRTOGPUPASS
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::gpu_kernels;

/// Rows of a work-item of a convolution that has no schedule.
static constexpr int64_t kDefaultHeight = 8;

/// Says which operand of `op` is not of known layout.
static LogicalResult checkLayouts(Operation *op, ValueRange operands) {
  for (Value operand : operands) {
    if (!operand)
      continue;
    if (!isa<MemRefType>(operand.getType()))
      return op->emitOpError("is on tensors; bufferize it before "
                             "convert-bcr-to-gpu");
    if (failed(getKnownStrides(operand)))
      return op->emitOpError("has an operand of type ")
             << operand.getType()
             << "; kernels for a GPU need shapes and layouts that are known "
                "when the model is compiled";
  }
  return success();
}

/// Where the kernels find the input of a convolution without padding.
static loops::InputLayout getLayoutInPlace(Conv2DOp op) {
  loops::InputLayout layout(op, /*rounding=*/0);
  layout.readInPlace();
  return layout;
}

/// A work-item's neighbours ask for the memory that it will want, and SPIR-V
/// does not convert what finds bits.
static constexpr loops::LoopOptions kOptions = {
    /*threads=*/1,
    /*byElement=*/false,
    /*prefetches=*/false,
    /*followsStreams=*/false,
    /*windows=*/false,
    /*findsBits=*/false};

namespace {
struct ConvertBCRToGPUPass
    : public mlir::bcr::impl::ConvertBCRToGPUPassBase<ConvertBCRToGPUPass> {
  using ConvertBCRToGPUPassBase::ConvertBCRToGPUPassBase;

  /// Where `parts` is set, rows that are sums of parts may be left as those.
  LogicalResult convert(LayerOpInterface layer, SymbolTable &symbols,
                        LayerReport &report, RowParts *parts = nullptr);
  LogicalResult convert(RecurrentOp op, SymbolTable &symbols,
                        LayerReport &report);
  LogicalResult convert(Pool2DOp pool, SymbolTable &symbols,
                        LayerReport &report);
  void runOnOperation() override;
};
} // namespace

LogicalResult ConvertBCRToGPUPass::convert(LayerOpInterface layer,
                                           SymbolTable &symbols,
                                           LayerReport &report,
                                           RowParts *parts) {
  Operation *op = layer;
  if (failed(checkLayouts(
          op, {layer.getInput(), layer.getInit(), layer.getResidual()})))
    return failure();
  auto weights = layer.getWeight().getDefiningOp<ConstantOp>();
  if (!weights)
    return op->emitOpError("has weights that are not packed; run bcr-tile "
                           "before bufferization");
  auto type = cast<MemRefType>(layer.getInit().getType());
  SmallVector<Value> copies;
  if (type.getNumElements() > 0) {
    Emitter emitter(layer, symbols, report, kOptions);
    KernelOptions options{weightVector, processor};
    LogicalResult emitted = success();
    if (auto conv = dyn_cast<Conv2DOp>(op)) {
      ScheduleAttr schedule = layer.getScheduleAttr();
      bool pixels = schedule && schedule.getKernel() == KernelKind::Pixels;
      int64_t height = pixels ? schedule.getHeight() : kDefaultHeight;
      bool isDepthwise = isDenseDepthwise(conv, weights);
      loops::InputLayout phases(conv, /*rounding=*/0);
      if (processor && !isDepthwise && !phases.hasStrideOne()) {
        copies = {emitPhases(conv, phases, emitter)};
        ++numPadded;
        emitted = emitConv(conv, weights, height, phases, options, emitter);
      } else {
        if (llvm::any_of(conv.getPadding(), [](int64_t p) { return p > 0; }) ||
            getKnownStrides(conv.getInput())->back() != 1) {
          copies = {emitPadding(conv, emitter)};
          ++numPadded;
        }
        emitted = isDepthwise
                      ? emitDepthwise(conv, weights, options, emitter)
                      : emitConv(conv, weights, height, getLayoutInPlace(conv),
                                 options, emitter);
      }
    } else if (auto matmul = cast<MatmulOp>(op); hasManySamples(matmul)) {
      SamplesConv made = makeConv(matmul, options, emitter);
      copies = {made.input, made.result};
      emitted = emitConv(made.conv, weights, kDefaultHeight,
                         getLayoutInPlace(made.conv), options, emitter);
      finishConv(matmul, made, emitter);
      made.conv->erase();
    } else {
      FailureOr<RowParts> left = emitParts(matmul, weights, options, emitter);
      emitted = left;
      if (succeeded(left) && parts) {
        *parts = *left;
      } else if (succeeded(left) && *left) {
        emitSums(matmul, *left, emitter);
        copies = {left->getBuffer()};
      }
    }
    if (failed(emitted))
      return failure();
    for (Value copy : copies)
      if (copy)
        emitter.deallocate(copy);
  }
  ++numLayers;
  op->erase();
  if (weights->use_empty())
    weights->erase();
  return success();
}

LogicalResult ConvertBCRToGPUPass::convert(RecurrentOp op, SymbolTable &symbols,
                                           LayerReport &report) {
  SmallVector<Value> operands = {op.getGates()};
  llvm::append_range(operands, op.getStates());
  llvm::append_range(operands, op.getInits());
  if (failed(checkLayouts(op, operands)))
    return failure();
  Emitter emitter(op, symbols, report, kOptions);
  auto convertProducts = [&](MatmulOp products) -> FailureOr<RowParts> {
    RowParts parts;
    if (failed(convert(cast<LayerOpInterface>(products.getOperation()), symbols,
                       report, &parts)))
      return failure();
    return parts;
  };
  auto weights = op.getWeight().getDefiningOp<ConstantOp>();
  LogicalResult emitted = emitRecurrent(op, emitter, convertProducts);
  op->erase();
  if (weights && weights->use_empty())
    weights->erase();
  return emitted;
}

LogicalResult ConvertBCRToGPUPass::convert(Pool2DOp pool, SymbolTable &symbols,
                                           LayerReport &report) {
  if (failed(checkLayouts(pool, {pool.getInput(), pool.getInit()})))
    return failure();
  if (cast<MemRefType>(pool.getInit().getType()).getNumElements() > 0) {
    Emitter emitter(pool, "pool", symbols, report, kOptions);
    emitPool(pool, emitter);
    ++numLayers;
  }
  pool->erase();
  return success();
}

void ConvertBCRToGPUPass::runOnOperation() {
  if (weightVector != 1 && weightVector != 4) {
    getOperation().emitError("convert-bcr-to-gpu: 'weight-vector' is 1 or 4");
    return signalPassFailure();
  }
  // One error for the whole network instead of one a layer.
  for (auto function : getOperation().getOps<func::FuncOp>())
    for (Type type : function.getArgumentTypes())
      if (auto memref = dyn_cast<MemRefType>(type);
          memref && !memref.hasStaticShape()) {
        function.emitOpError("has an argument of type ")
            << type
            << "; kernels for a GPU are compiled for one size: compile the "
               "model without dynamic shapes";
        return signalPassFailure();
      }
  transposeSamples(getOperation());
  LogicalResult converted =
      convertLayers(getOperation(),
                    [&](auto layer, SymbolTable &symbols, LayerReport &report) {
                      // Here: the products of a recurrent layer are a layer of
                      // one step.
                      Operation *op = layer;
                      if (isa<LayerOpInterface>(op))
                        report.set(op, getPositions(op));
                      return convert(layer, symbols, report);
                    });
  if (failed(converted))
    signalPassFailure();
}
