//===- Passes.td - The passes of bcr -----------------------*- tablegen -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Each pass is declared beside its source, in a .td of the same name.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_TD
#define BCR_PASSES_TD

include "mlir/Pass/PassBase.td"
include "passes/Conversion/ApproximateMath.td"
include "passes/Conversion/BCRToGPU.td"
include "passes/Conversion/BCRToLinalg.td"
include "passes/Conversion/BCRToLoops.td"
include "passes/Conversion/EmitEntry.td"
include "passes/Conversion/EmitSchedule.td"
include "passes/Conversion/KernelsToSPIRV.td"
include "passes/Conversion/LowerExtrema.td"
include "passes/Conversion/LowerLinalg.td"
include "passes/Conversion/LowerParallel.td"
include "passes/Transforms/Compact.td"
include "passes/Transforms/Decompose.td"
include "passes/Transforms/Destinations.td"
include "passes/Transforms/Fuse.td"
include "passes/Transforms/Guard.td"
include "passes/Transforms/Instrument.td"
include "passes/Transforms/LaunchLoops.td"
include "passes/Transforms/NarrowStorage.td"
include "passes/Transforms/Outline.td"
include "passes/Transforms/OutlineKernels.td"
include "passes/Transforms/PlanArena.td"
include "passes/Transforms/PlanLayouts.td"
include "passes/Transforms/PoolConstants.td"
include "passes/Transforms/Raise.td"
include "passes/Transforms/Reorder.td"
include "passes/Transforms/Select.td"
include "passes/Transforms/SeparateDestinations.td"
include "passes/Transforms/SetMachine.td"
include "passes/Transforms/Tile.td"

#endif // BCR_PASSES_TD
