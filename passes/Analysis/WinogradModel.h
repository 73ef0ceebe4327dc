//===- WinogradModel.h - Cycles of the kernel winograd ---------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_ANALYSIS_WINOGRADMODEL_H
#define BCR_PASSES_ANALYSIS_WINOGRADMODEL_H

#include "passes/Analysis/KernelModel.h"

namespace mlir::bcr {

/// The schedule of the kernel `winograd` for a convolution with dense weights
/// and a register tile, with the band that is fastest, and its cycles.
std::pair<ScheduleAttr, double> chooseWinogradBand(MLIRContext *context,
                                                   const LayerWork &work,
                                                   const MachineModel &machine,
                                                   int64_t height,
                                                   int64_t vectors);

} // namespace mlir::bcr

#endif // BCR_PASSES_ANALYSIS_WINOGRADMODEL_H
