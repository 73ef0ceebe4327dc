//===- SetMachine.cpp - bcr-set-machine -----------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/MachineModel.h"
#include "passes/Passes.h"

namespace mlir::bcr {
#define GEN_PASS_DEF_SETMACHINE
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;
using namespace mlir::bcr;

namespace {
class SetMachinePass : public bcr::impl::SetMachineBase<SetMachinePass> {
public:
  using SetMachineBase::SetMachineBase;

  void runOnOperation() override {
    if (lanes < 1) {
      getOperation().emitError("bcr-set-machine: 'lanes' is positive");
      return signalPassFailure();
    }
    // In the order of getMachineFields().
    const int64_t given[] = {
        fmaPipes,        fmaLatency,      loadPorts,
        l1Bytes,         l2Bytes,         l3Bytes,
        l2BytesPerCycle, l3BytesPerCycle, memoryBytesPerCycle};
    MachineModel machine = getMachineOfCPU(cpu, lanes);
    for (auto [field, value] : llvm::zip_equal(getMachineFields(), given)) {
      if (value < 0) {
        getOperation().emitError("bcr-set-machine: '")
            << field.name << "' is positive, or 0 for the processor's";
        return signalPassFailure();
      }
      if (value > 0)
        machine.*field.value = value;
    }
    machine.pixelsOnly = pixelsOnly;
    setMachine(getOperation(), machine);
  }
};
} // namespace
