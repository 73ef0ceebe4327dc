//===- BCRToSPIRV.cpp - The pipeline bcr-to-spirv -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Pipelines/BCRToSPIRV.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Dialect/Linalg/Passes.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;
using namespace mlir::bcr;

/// Lanes and registers that the models of bcr-select and bcr-tile assume: a
/// sub-group, and what a work-item can have at full occupancy.
static constexpr int64_t kLanes = 16, kRegisters = 32;

static void buildRaise(OpPassManager &manager, const BCRToSPIRVOptions &) {
  addRaise(manager);
}

static void buildSelect(OpPassManager &manager,
                        const BCRToSPIRVOptions &options) {
  SetMachineOptions machine;
  machine.lanes = kLanes;
  machine.pixelsOnly = true;
  manager.addPass(createSetMachine(machine));
  SelectOptions select;
  select.sparsity = options.sparsity;
  select.lanes = kLanes;
  select.registers = kRegisters;
  manager.addPass(createSelect(select));
}

static void buildCompact(OpPassManager &manager, const BCRToSPIRVOptions &) {
  manager.addPass(createCompact());
}

static void buildReorder(OpPassManager &manager, const BCRToSPIRVOptions &) {
  manager.addPass(createReorder());
}

static void buildTile(OpPassManager &manager, const BCRToSPIRVOptions &) {
  TileOptions tile;
  tile.lanes = kLanes;
  tile.registers = kRegisters;
  manager.addPass(createTile(tile));
}

static void buildFuse(OpPassManager &manager, const BCRToSPIRVOptions &) {
  addFuse(manager);
}

static void buildBufferize(OpPassManager &manager, const BCRToSPIRVOptions &) {
  addBufferize(manager);
}

static void buildPlan(OpPassManager &manager, const BCRToSPIRVOptions &) {
  manager.addPass(createBCRPlanLayoutsPass());
}

static void buildKernels(OpPassManager &manager,
                         const BCRToSPIRVOptions &options) {
  ConvertBCRToGPUPassOptions layers;
  layers.weightVector = options.weightVector;
  // Vulkan has no vectors of 16; and its drivers for processors load element by
  // element even what is neighbours, so a copy is of no use there.
  layers.processor = options.processor && options.api == KernelAPI::OpenCL;
  manager.addPass(createConvertBCRToGPUPass(layers));
  manager.addNestedPass<func::FuncOp>(createConvertLinalgToParallelLoopsPass());
  manager.addNestedPass<func::FuncOp>(createBCRLaunchLoopsPass());
  addCleanup(manager);
  if (options.storage == Storage::F32)
    return;
  BCRNarrowStoragePassOptions storage;
  storage.activations = options.storage == Storage::F16;
  manager.addPass(createBCRNarrowStoragePass(storage));
}

static void buildArena(OpPassManager &manager,
                       const BCRToSPIRVOptions &options) {
  BCRPlanArenaPassOptions arena;
  arena.alignment = options.alignment;
  manager.addPass(createBCRPlanArenaPass(arena));
}

static void buildConstants(OpPassManager &manager,
                           const BCRToSPIRVOptions &options) {
  BCRPoolConstantsPassOptions pool;
  pool.minBytes = 0;
  pool.alignment = options.alignment;
  manager.addPass(createBCRPoolConstantsPass(pool));
}

static void buildOutline(OpPassManager &manager, const BCRToSPIRVOptions &) {
  addCleanup(manager);
  manager.addPass(createBCROutlineKernelsPass());
}

static void buildSchedule(OpPassManager &manager, const BCRToSPIRVOptions &) {
  manager.addPass(createBCREmitSchedulePass());
}

static void buildSPIRV(OpPassManager &manager,
                       const BCRToSPIRVOptions &options) {
  OpPassManager &kernels = manager.nest<gpu::GPUModuleOp>();
  kernels.addPass(memref::createFoldMemRefAliasOpsPass());
  kernels.addPass(memref::createExpandOpsPass());
  kernels.addPass(createLowerAffinePass());
  math::MathExpandOpsPassOptions powers;
  powers.opMnemonics = {"fpowi"};
  kernels.addPass(math::createMathExpandOpsPass(powers));
  // OpenCL has no bf16: its arithmetic is that of f32, rounded.
  math::MathExtendToSupportedTypesOptions extend;
  extend.extraTypeStrs = {"f16"};
  kernels.addPass(math::createMathExtendToSupportedTypes(extend));
  arith::ArithEmulateUnsupportedFloatsOptions emulate;
  emulate.sourceTypeStrs = {"bf16"};
  kernels.addPass(arith::createArithEmulateUnsupportedFloats(emulate));
  arith::ArithExpandOpsPassOptions expand;
  expand.includeBf16 = true;
  kernels.addPass(arith::createArithExpandOpsPass(expand));
  addCleanup(kernels);
  BCRKernelsToSPIRVPassOptions kernelOptions;
  kernelOptions.api = options.api;
  manager.addPass(createBCRKernelsToSPIRVPass(kernelOptions));
}

static constexpr Stage<BCRToSPIRVOptions> kStages[] = {
    {"raise", buildRaise},         {"select", buildSelect},
    {"compact", buildCompact},     {"reorder", buildReorder},
    {"tile", buildTile},           {"fuse", buildFuse},
    {"bufferize", buildBufferize}, {"plan", buildPlan},
    {"kernels", buildKernels},     {"arena", buildArena},
    {"constants", buildConstants}, {"outline", buildOutline},
    {"schedule", buildSchedule},   {"spirv", buildSPIRV},
};

ArrayRef<StringRef> mlir::bcr::getSPIRVStageNames() {
  static const SmallVector<StringRef> names = getNames(ArrayRef(kStages));
  return names;
}

LogicalResult mlir::bcr::buildBCRToSPIRV(
    OpPassManager &manager, const BCRToSPIRVOptions &options,
    function_ref<LogicalResult(const Twine &)> emitError) {
  if (options.weightVector != 1 && options.weightVector != 4)
    return emitError("weight-vector is 1 or 4, got " +
                     Twine(options.weightVector.getValue()));
  if (options.api == KernelAPI::Vulkan && options.weightVector != 1)
    return emitError("weight-vector is 1 for Vulkan, whose buffers have "
                     "elements of one type, got " +
                     Twine(options.weightVector.getValue()));
  if (options.alignment < 64 || !llvm::isPowerOf2_64(options.alignment))
    return emitError("alignment is a power of two of at least 64, got " +
                     Twine(options.alignment.getValue()));
  auto range = findStages(getSPIRVStageNames(), options.startAfter,
                          options.stopAfter, emitError);
  if (failed(range))
    return failure();
  for (size_t i = range->first; i < range->second; ++i)
    kStages[i].build(manager, options);
  return success();
}

void mlir::bcr::registerBCRToSPIRV() {
  registerPassPipeline(
      "bcr-to-spirv",
      "Compile a network from linalg to kernels in SPIR-V for OpenCL or "
      "Vulkan",
      [](OpPassManager &manager, StringRef text,
         function_ref<LogicalResult(const Twine &)> emitError) {
        BCRToSPIRVOptions options;
        if (failed(options.parseFromString(text)))
          return failure();
        return buildBCRToSPIRV(manager, options, emitError);
      },
      [](function_ref<void(const detail::PassOptions &)> handler) {
        handler(BCRToSPIRVOptions());
      });
}
