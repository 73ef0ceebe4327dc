//===- Registration.cpp - Dialects, passes and pipelines ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Registration.h"
#include "dialect/BCR.h"
#include "dialect/Bufferization.h"
#include "passes/Passes.h"
#include "passes/Pipelines/BCRToLLVM.h"
#include "passes/Pipelines/BCRToSPIRV.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"

void mlir::bcr::registerAllDialects(DialectRegistry &registry) {
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<BCRDialect>();
  registerBufferization(registry);
}

void mlir::bcr::registerAllPasses() {
  registerBCRPasses();
  registerBCRToLLVM();
  registerBCRToSPIRV();
}
