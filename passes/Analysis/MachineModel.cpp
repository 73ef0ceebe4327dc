//===- MachineModel.cpp - What the cost models know of a CPU --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/MachineModel.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace mlir::bcr;

static constexpr MachineField kFields[] = {
    {"fma_pipes", &MachineModel::fmaPipes},
    {"fma_latency", &MachineModel::fmaLatency},
    {"load_ports", &MachineModel::loadPorts},
    {"l1_bytes", &MachineModel::l1Bytes},
    {"l2_bytes", &MachineModel::l2Bytes},
    {"l3_bytes", &MachineModel::l3Bytes},
    {"l2_bytes_per_cycle", &MachineModel::l2BytesPerCycle},
    {"l3_bytes_per_cycle", &MachineModel::l3BytesPerCycle},
    {"memory_bytes_per_cycle", &MachineModel::memoryBytesPerCycle},
};

static constexpr StringRef kFollowsStreamsName = "follows_streams";
static constexpr StringRef kPixelsOnlyName = "pixels_only";

ArrayRef<MachineField> mlir::bcr::getMachineFields() { return kFields; }

namespace {
/// A machine of the table; sizes in KiB.
struct Entry {
  StringRef cpu;
  int64_t fmaPipes, fmaLatency, loadPorts;
  int64_t l1, l2, l3;
  int64_t l2BytesPerCycle, l3BytesPerCycle, memoryBytesPerCycle;
  bool followsStreams = false;
};
} // namespace

/// Sources: the software optimisation guides of Arm (cortex-a55, cortex-a76,
/// neoverse-n1, neoverse-v1), AMD (families 17h, 19h, 1Ah) and Intel. A cache
/// that the makers of systems choose has its most common size. Processors with
/// halved units for wide vectors count one for two: cortex-a55, znver4.
static constexpr Entry kCPUs[] = {
    {"znver5", 2, 4, 2, 48, 1024, 32768, 32, 20, 10},
    {"znver4", 1, 4, 1, 32, 1024, 32768, 32, 16, 8,
     /*followsStreams=*/true},
    {"znver3", 2, 4, 2, 32, 512, 32768, 32, 16, 8},
    {"znver2", 2, 5, 2, 32, 512, 16384, 32, 16, 8},
    {"skylake-avx512", 2, 4, 2, 32, 1024, 16384, 48, 8, 5},
    {"cascadelake", 2, 4, 2, 32, 1024, 16384, 48, 8, 5},
    {"icelake-server", 2, 4, 2, 48, 1280, 24576, 48, 10, 6},
    {"sapphirerapids", 2, 4, 2, 48, 2048, 32768, 48, 10, 6},
    {"x86-64-v4", 2, 4, 2, 32, 1024, 16384, 48, 10, 6},
    {"x86-64-v3", 2, 5, 2, 32, 256, 8192, 32, 12, 6},
    {"haswell", 2, 5, 2, 32, 256, 8192, 32, 12, 6},
    {"skylake", 2, 4, 2, 32, 256, 8192, 32, 12, 6},
    {"cortex-a55", 1, 4, 1, 32, 128, 1024, 8, 4, 2},
    {"cortex-a76", 2, 4, 2, 64, 256, 2048, 16, 8, 4},
    {"neoverse-n1", 2, 4, 2, 64, 1024, 16384, 16, 8, 5},
    {"neoverse-v1", 4, 4, 3, 64, 1024, 16384, 32, 12, 8},
    {"apple-m1", 4, 4, 3, 128, 12288, 8192, 32, 16, 12},
};

MachineModel mlir::bcr::getMachineOfCPU(StringRef cpu, int64_t lanes) {
  MachineModel machine;
  StringRef typical = lanes > 8   ? "x86-64-v4"
                      : lanes > 4 ? "x86-64-v3"
                                  : "cortex-a76";
  const Entry *known =
      llvm::find_if(kCPUs, [&](const Entry &e) { return e.cpu == cpu; });
  if (known == std::end(kCPUs))
    known =
        llvm::find_if(kCPUs, [&](const Entry &e) { return e.cpu == typical; });
  machine.lanes = lanes;
  machine.fmaPipes = known->fmaPipes;
  machine.fmaLatency = known->fmaLatency;
  machine.loadPorts = known->loadPorts;
  machine.l1Bytes = known->l1 << 10;
  machine.l2Bytes = known->l2 << 10;
  machine.l3Bytes = known->l3 << 10;
  machine.l2BytesPerCycle = known->l2BytesPerCycle;
  machine.l3BytesPerCycle = known->l3BytesPerCycle;
  machine.memoryBytesPerCycle = known->memoryBytesPerCycle;
  machine.followsStreams = known->followsStreams;
  return machine;
}

MachineModel mlir::bcr::getMachine(ModuleOp module, int64_t lanes,
                                   int64_t registers) {
  MachineModel machine;
  machine.lanes = lanes;
  machine.registers = registers;
  auto facts = module->getAttrOfType<DictionaryAttr>(kMachineAttrName);
  if (!facts)
    return machine;
  for (const MachineField &field : kFields)
    if (auto value = facts.getAs<IntegerAttr>(field.name))
      machine.*field.value = std::max<int64_t>(value.getInt(), 1);
  machine.followsStreams = facts.contains(kFollowsStreamsName);
  machine.pixelsOnly = facts.contains(kPixelsOnlyName);
  return machine;
}

void mlir::bcr::setMachine(ModuleOp module, const MachineModel &machine) {
  Builder builder(module.getContext());
  NamedAttrList facts;
  for (const MachineField &field : kFields)
    facts.set(field.name, builder.getI64IntegerAttr(machine.*field.value));
  if (machine.followsStreams)
    facts.set(kFollowsStreamsName, builder.getUnitAttr());
  if (machine.pixelsOnly)
    facts.set(kPixelsOnlyName, builder.getUnitAttr());
  module->setAttr(kMachineAttrName, facts.getDictionary(module.getContext()));
}
