//===- MachineModel.h - What the cost models know of a CPU -----*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The numbers that the models of the kernels need: plain data, so that a model
// says which machine it speaks of. `bcr-set-machine` writes them to the module
// attribute `bcr.machine`, and the passes that rank schedules read them there.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_ANALYSIS_MACHINEMODEL_H
#define BCR_PASSES_ANALYSIS_MACHINEMODEL_H

#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinOps.h"

namespace mlir::bcr {

/// Name of the module attribute that holds the machine.
inline constexpr StringRef kMachineAttrName = "bcr.machine";

/// One core, and the caches as it sees them. Defaults are those of a core with
/// AVX-512 that the table does not know.
struct MachineModel {
  /// f32 lanes of a vector, and vector registers: options of the passes.
  int64_t lanes = 16;
  int64_t registers = 32;
  /// Vector multiply-adds that start in a cycle, and cycles until one is done.
  int64_t fmaPipes = 2;
  int64_t fmaLatency = 4;
  /// Vector loads that start in a cycle.
  int64_t loadPorts = 2;
  int64_t l1Bytes = 32 << 10;
  int64_t l2Bytes = 1 << 20;
  int64_t l3Bytes = 16 << 20;
  /// Bytes a cycle that one core reads from the cache of a level.
  int64_t l2BytesPerCycle = 48;
  int64_t l3BytesPerCycle = 20;
  int64_t memoryBytesPerCycle = 10;
  /// What is read in order by whole vectors comes from the third cache and from
  /// memory as fast as it can: asked for ahead of its use, it comes later.
  bool followsStreams = false;
  /// Convolutions have no kernel but `pixels`.
  bool pixelsOnly = false;
};

/// A number of a MachineModel with its name in IR and options.
struct MachineField {
  StringRef name;
  int64_t MachineModel::*value;
};

/// The numbers that are in `bcr.machine`: all but lanes and registers.
ArrayRef<MachineField> getMachineFields();

/// The machine of an LLVM processor name. One that is not in the table is a
/// typical core with vectors of `lanes` f32 elements.
MachineModel getMachineOfCPU(StringRef cpu, int64_t lanes);

/// The machine that `module` names, with those lanes and registers.
MachineModel getMachine(ModuleOp module, int64_t lanes, int64_t registers);

/// Writes the machine to `module`.
void setMachine(ModuleOp module, const MachineModel &machine);

} // namespace mlir::bcr

#endif // BCR_PASSES_ANALYSIS_MACHINEMODEL_H
