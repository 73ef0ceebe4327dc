//===- Stages.cpp - What the pipelines have in common ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Pipelines/Stages.h"

#include "mlir/Dialect/Bufferization/Pipelines/Passes.h"
#include "mlir/Dialect/Bufferization/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;
using namespace mlir::bcr;

FailureOr<std::pair<size_t, size_t>>
mlir::bcr::findStages(ArrayRef<StringRef> names, StringRef startAfter,
                      StringRef stopAfter, EmitError emitError) {
  auto find = [&](StringRef name, size_t &position) {
    const StringRef *found = llvm::find(names, name);
    if (found == names.end())
      return emitError("unknown stage '" + name + "'; the stages are " +
                       llvm::join(names, ", "));
    position = found - names.begin() + 1;
    return success();
  };
  size_t begin = 0, end = names.size();
  if (!startAfter.empty() && failed(find(startAfter, begin)))
    return failure();
  if (!stopAfter.empty() && failed(find(stopAfter, end)))
    return failure();
  return std::pair(begin, std::max(begin, end));
}

void mlir::bcr::addCleanup(OpPassManager &manager) {
  manager.addPass(createCanonicalizerPass());
  manager.addPass(createCSEPass());
}

void mlir::bcr::addRaise(OpPassManager &manager) {
  addCleanup(manager);
  manager.addPass(createRaise());
  addCleanup(manager);
}

void mlir::bcr::addFuse(OpPassManager &manager) {
  manager.addNestedPass<func::FuncOp>(createBCRDecomposePass());
  addCleanup(manager);
  manager.addNestedPass<func::FuncOp>(createBCRFusePass());
  addCleanup(manager);
}

void mlir::bcr::addBufferize(OpPassManager &manager) {
  // Before the results get buffers: see bcr-destinations.
  manager.addPass(bufferization::createEmptyTensorEliminationPass());
  manager.addPass(createBCRDestinationsPass());
  manager.addPass(memref::createResolveRankedShapeTypeResultDimsPass());
  addCleanup(manager);
  manager.addPass(createBCRGuardPass());
  addCleanup(manager);
  manager.addPass(createBCRSeparateDestinationsPass());
  bufferization::OneShotBufferizePassOptions bufferize;
  bufferize.bufferizeFunctionBoundaries = true;
  bufferize.functionBoundaryTypeConversion =
      bufferization::LayoutMapOption::IdentityLayoutMap;
  manager.addPass(bufferization::createOneShotBufferizePass(bufferize));
  addCleanup(manager);
  bufferization::buildBufferDeallocationPipeline(manager);
  addCleanup(manager);
}
