//===- WinogradModel.h - Cycles of the kernel winograd ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_ANALYSIS_WINOGRADMODEL_H
#define BCR_PASSES_ANALYSIS_WINOGRADMODEL_H

#include "passes/Analysis/KernelModel.h"

namespace mlir::bcr {

/// Cycles of a convolution with dense weights under a schedule of the kernel
/// `winograd`.
double estimateWinogradCycles(const LayerWork &work,
                              const MachineModel &machine,
                              ScheduleAttr schedule);

} // namespace mlir::bcr

#endif // BCR_PASSES_ANALYSIS_WINOGRADMODEL_H
