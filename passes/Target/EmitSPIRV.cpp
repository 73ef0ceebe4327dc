//===- EmitSPIRV.cpp - Kernels as a SPIR-V binary -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Target/CodeGen.h"

#include "mlir/Dialect/SPIRV/IR/SPIRVOps.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Target/SPIRV/Serialization.h"

using namespace mlir;

bool mlir::bcr::emitSPIRV(ModuleOp module, std::string &output,
                          std::string &error) {
  SmallVector<spirv::ModuleOp> kernels(module.getOps<spirv::ModuleOp>());
  if (kernels.size() != 1) {
    error = "the module has " + std::to_string(kernels.size()) +
            " modules of kernels; run bcr-to-spirv first";
    return false;
  }
  SmallVector<uint32_t> words;
  if (failed(spirv::serialize(kernels.front(), words))) {
    error = "the kernels cannot be written as SPIR-V";
    return false;
  }
  output.assign(reinterpret_cast<const char *>(words.data()),
                words.size() * sizeof(uint32_t));
  return true;
}
