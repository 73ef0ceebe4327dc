//===- BCRToLLVM.cpp - The pipeline bcr-to-llvm ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Pipelines/BCRToLLVM.h"
#include "passes/Target/CodeGen.h"

#include "mlir/Conversion/Passes.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Bufferization/Pipelines/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Func/Transforms/Passes.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Transforms/Passes.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mlir::bcr;

namespace {
/// Options with every value filled in.
struct Configuration {
  TargetInfo target;
  SetMachineOptions machine;
  int64_t threads;
  bool windows;
  SparsityMode sparsity;
  uint64_t poolMinBytes;
};
} // namespace

static bool isX86(const Configuration &config) {
  return StringRef(config.target.triple).starts_with("x86_64");
}

static void buildRaise(OpPassManager &manager, const Configuration &) {
  addRaise(manager);
}

static void buildSelect(OpPassManager &manager, const Configuration &config) {
  manager.addPass(createSetMachine(config.machine));
  SelectOptions select;
  select.sparsity = config.sparsity;
  select.lanes = config.target.lanes;
  select.registers = config.target.registers;
  manager.addPass(createSelect(select));
}

static void buildCompact(OpPassManager &manager, const Configuration &) {
  manager.addPass(createCompact());
}

static void buildReorder(OpPassManager &manager, const Configuration &config) {
  ReorderOptions reorder;
  reorder.threads = config.threads;
  manager.addPass(createReorder(reorder));
}

static void buildTile(OpPassManager &manager, const Configuration &config) {
  TileOptions tile;
  tile.lanes = config.target.lanes;
  tile.registers = config.target.registers;
  tile.threads = config.threads;
  manager.addPass(createTile(tile));
}

static void buildFuse(OpPassManager &manager, const Configuration &) {
  addFuse(manager);
}

static void buildBufferize(OpPassManager &manager, const Configuration &) {
  addBufferize(manager);
}

static void buildPlan(OpPassManager &manager, const Configuration &) {
  manager.addPass(createBCRPlanLayoutsPass());
}

static void buildInstrument(OpPassManager &manager,
                            const Configuration &config) {
  // AArch64's cycle counter is closed to user programs.
  BCRInstrumentPassOptions instrument;
  instrument.counter = isX86(config) ? Counter::Cycle : Counter::Steady;
  manager.addPass(createBCRInstrumentPass(instrument));
}

static void buildLoops(OpPassManager &manager, const Configuration &config) {
  ConvertBCRToLoopsPassOptions layers;
  layers.threads = config.threads;
  layers.lanes = config.target.lanes;
  layers.byElement = config.target.byElement;
  layers.windows = config.windows;
  manager.addPass(createConvertBCRToLoopsPass(layers));
  BCRLowerLinalgPassOptions linalg;
  linalg.threads = config.threads;
  linalg.lanes = config.target.lanes;
  linalg.registers = config.target.registers;
  manager.addNestedPass<func::FuncOp>(createBCRLowerLinalgPass(linalg));
  addCleanup(manager);
}

static void buildArena(OpPassManager &manager, const Configuration &) {
  manager.addPass(createBCRPlanArenaPass());
}

static void buildConstants(OpPassManager &manager,
                           const Configuration &config) {
  BCRPoolConstantsPassOptions pool;
  pool.minBytes = config.poolMinBytes;
  manager.addPass(createBCRPoolConstantsPass(pool));
}

static void buildOutline(OpPassManager &manager, const Configuration &) {
  manager.addPass(createBCROutlinePass());
  manager.addPass(func::createDuplicateFunctionEliminationPass());
}

static void buildEntry(OpPassManager &manager, const Configuration &) {
  manager.addPass(createBCREmitEntryPass());
}

/// Small float types are computed in f32: not every machine has them.
static void addFloatLowering(OpPassManager &manager,
                             const Configuration &config) {
  manager.addPass(math::createMathExtendToSupportedTypes());
  arith::ArithEmulateUnsupportedFloatsOptions emulate;
  emulate.sourceTypeStrs = {"bf16"};
  manager.addPass(arith::createArithEmulateUnsupportedFloats(emulate));
  manager.addPass(createBCRApproximateMathPass());
  BCRLowerExtremaPassOptions extrema;
  extrema.selectBounds = isX86(config);
  manager.addPass(createBCRLowerExtremaPass(extrema));
  arith::ArithExpandOpsPassOptions expand;
  expand.includeBf16 = true;
  manager.addPass(arith::createArithExpandOpsPass(expand));
}

/// Numbers of futex(2).
static constexpr int64_t kFutexOfX86 = 202;
static constexpr int64_t kFutexOfAArch64 = 98;

/// What can go function by function does: a function at a time stays in the
/// cache from pass to pass, and time grows with their number.
static void buildLLVM(OpPassManager &manager, const Configuration &config) {
  OpPassManager &loops = manager.nest<func::FuncOp>();
  loops.addPass(createConvertVectorToSCFPass());
  loops.addPass(memref::createExpandStridedMetadataPass());
  loops.addPass(memref::createExpandOpsPass());
  loops.addPass(createLowerAffinePass());
  addFloatLowering(loops, config);
  addCleanup(loops);
  if (config.threads > 1) {
    BCRLowerParallelPassOptions parallel;
    parallel.threads = config.threads;
    StringRef triple = config.target.triple;
    parallel.hint = triple.starts_with("x86_64")    ? SpinHint::Pause
                    : triple.starts_with("aarch64") ? SpinHint::Yield
                                                    : SpinHint::None;
    if (triple.contains("linux"))
      parallel.futex = triple.starts_with("x86_64")    ? kFutexOfX86
                       : triple.starts_with("aarch64") ? kFutexOfAArch64
                                                       : 0;
    manager.addPass(createBCRLowerParallelPass(parallel));
  }
  OpPassManager &blocks = manager.nest<func::FuncOp>();
  blocks.addPass(createSCFToControlFlowPass());
  blocks.addPass(createConvertVectorToLLVMPass());
  blocks.addPass(createConvertMathToLLVMPass());
  manager.addPass(createConvertMathToLibmPass());
  OpPassManager &scalars = manager.nest<func::FuncOp>();
  scalars.addPass(createArithToLLVMConversionPass());
  scalars.addPass(createConvertIndexToLLVMPass());
  scalars.addPass(createUBToLLVMConversionPass());
  FinalizeMemRefToLLVMConversionPassOptions memref;
  memref.useAlignedAlloc = true;
  manager.addPass(createFinalizeMemRefToLLVMConversionPass(memref));
  manager.addPass(createConvertControlFlowToLLVMPass());
  manager.addPass(createConvertFuncToLLVMPass());
  if (config.threads > 1)
    manager.addPass(createConvertOpenMPToLLVMPass());
  OpPassManager &code = manager.nest<LLVM::LLVMFuncOp>();
  code.addPass(createReconcileUnrealizedCastsPass());
  addCleanup(code);
}

static constexpr Stage<Configuration> kStages[] = {
    {"raise", buildRaise},
    {"select", buildSelect},
    {"compact", buildCompact},
    {"reorder", buildReorder},
    {"tile", buildTile},
    {"fuse", buildFuse},
    {"bufferize", buildBufferize},
    {"plan", buildPlan},
    {"instrument", buildInstrument},
    {"loops", buildLoops},
    {"arena", buildArena},
    {"constants", buildConstants},
    {"outline", buildOutline},
    {"entry", buildEntry},
    {"llvm", buildLLVM},
};

ArrayRef<StringRef> mlir::bcr::getStageNames() {
  static const SmallVector<StringRef> names = getNames(ArrayRef(kStages));
  return names;
}

LogicalResult mlir::bcr::buildBCRToLLVM(
    OpPassManager &manager, const BCRToLLVMOptions &options,
    function_ref<LogicalResult(const Twine &)> emitError) {
  Configuration config;
  std::string error;
  if (!describeTarget({options.triple, options.cpu, options.features},
                      config.target, error))
    return emitError(error);
  if (options.lanes < 0 || options.registers < 0)
    return emitError("lanes and registers must not be negative");
  if (options.lanes > 0)
    config.target.lanes = options.lanes;
  if (options.registers > 0)
    config.target.registers = options.registers;
  config.machine.cpu = config.target.cpu;
  config.machine.lanes = config.target.lanes;
  config.machine.fmaPipes = options.fmaPipes;
  config.machine.fmaLatency = options.fmaLatency;
  config.machine.loadPorts = options.loadPorts;
  config.machine.l1Bytes = options.l1Bytes;
  config.machine.l2Bytes = options.l2Bytes;
  config.machine.l3Bytes = options.l3Bytes;
  config.machine.l2BytesPerCycle = options.l2BytesPerCycle;
  config.machine.l3BytesPerCycle = options.l3BytesPerCycle;
  config.machine.memoryBytesPerCycle = options.memoryBytesPerCycle;
  if (options.threads < 1 || options.threads > 1024)
    return emitError("threads must be between 1 and 1024, got " +
                     Twine(options.threads.getValue()));
  config.threads = options.threads;
  config.sparsity = options.sparsity;
  config.windows = options.windows;
  config.poolMinBytes = options.poolMinBytes;

  auto range = findStages(getStageNames(), options.startAfter,
                          options.stopAfter, emitError);
  if (failed(range))
    return failure();
  for (size_t i = range->first; i < range->second; ++i)
    kStages[i].build(manager, config);
  return success();
}

void mlir::bcr::registerBCRToLLVM() {
  registerPassPipeline(
      "bcr-to-llvm", "Compile a network from linalg to the LLVM dialect",
      [](OpPassManager &manager, StringRef text,
         function_ref<LogicalResult(const Twine &)> emitError) {
        BCRToLLVMOptions options;
        if (failed(options.parseFromString(text)))
          return failure();
        return buildBCRToLLVM(manager, options, emitError);
      },
      [](function_ref<void(const detail::PassOptions &)> handler) {
        handler(BCRToLLVMOptions());
      });
}
