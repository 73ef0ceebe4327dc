//===- CodeGen.h - From the LLVM dialect to machine code -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Plain interfaces: no LLVM class is derived from and none needs RTTI, so that
// the Python bindings can include this file.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_TARGET_CODEGEN_H
#define BCR_PASSES_TARGET_CODEGEN_H

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace mlir {
class ModuleOp;
}

namespace mlir::bcr {

/// The machine that code is made for. Empty strings mean the host's.
struct TargetMachineSpec {
  std::string triple;
  std::string cpu;
  std::string features;
};

/// What kernels need to know of a machine.
struct TargetInfo {
  std::string triple;
  std::string cpu;
  std::string features;
  /// f32 lanes of the widest vector that is worth using.
  int64_t lanes = 0;
  /// Number of vector registers.
  int64_t registers = 0;
  /// Vectors can be multiplied by one element of another.
  bool byElement = false;
  /// Whether `cpu` is a baseline that fits every machine of the triple and no
  /// feature is known.
  bool generic = false;
  /// Those of the extensions that matter to networks that the machine has, by
  /// LLVM's names: vectors wider than the baseline, small types, dot products.
  std::vector<std::string> extensions;
};

/// Describes `spec`; on an unknown triple, CPU or feature returns false and
/// sets `error` to a message that names it and what exists.
bool describeTarget(const TargetMachineSpec &spec, TargetInfo &info,
                    std::string &error);

enum class OutputKind { Object, Assembly, LLVMIR };

/// Seconds that the steps of emitModule took, in order.
using StepTimes = std::vector<std::pair<std::string, double>>;

/// Optimises the module, which is in the LLVM dialect, and emits it.
bool emitModule(ModuleOp module, const TargetMachineSpec &spec, OutputKind kind,
                std::string &output, std::string &error,
                StepTimes *times = nullptr);

/// Writes the module of kernels that `bcr-to-spirv` leaves as a SPIR-V binary.
bool emitSPIRV(ModuleOp module, std::string &output, std::string &error);

/// Host object files loaded into this process.
class Jit {
public:
  /// Returns null and sets `error` if the object cannot be loaded.
  static std::unique_ptr<Jit> load(const std::string &object,
                                   std::string &error);
  ~Jit();
  /// The address of a function, or 0.
  uint64_t lookup(const std::string &name);

private:
  struct Implementation;
  explicit Jit(std::unique_ptr<Implementation> implementation);
  std::unique_ptr<Implementation> implementation;
};

/// Total size of the pool that `bcr.pool` describes, in bytes.
int64_t getPoolSize(ModuleOp module);

/// Copies every pooled constant to its offset in `pool` and frees each as soon
/// as it is copied. `pool` has getPoolSize bytes.
bool writePool(ModuleOp module, char *pool, std::string &error);

} // namespace mlir::bcr

#endif // BCR_PASSES_TARGET_CODEGEN_H
