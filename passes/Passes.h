//===- Passes.h - The passes of bcr ----------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_PASSES_H
#define BCR_PASSES_PASSES_H

#include "mlir/Pass/Pass.h"

namespace mlir::bcr {

/// What bcr-instrument stamps.
enum class Counter { Cycle, Steady };

/// What a thread that waits tells its processor.
enum class SpinHint { None, Pause, Yield };

/// What takes the kernels of a GPU.
enum class KernelAPI { OpenCL, Vulkan };

/// What kernels of a GPU keep in memory as half floats.
enum class Storage { F32, F16Weights, F16 };

/// Which layers bcr-select makes sparse.
enum class SparsityMode { Auto, Force, Off };

#define GEN_PASS_DECL
#include "passes/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "passes/Passes.h.inc"

} // namespace mlir::bcr

#endif // BCR_PASSES_PASSES_H
