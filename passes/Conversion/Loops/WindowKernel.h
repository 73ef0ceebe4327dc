//===- WindowKernel.h - Groups of few rows ---------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_WINDOWKERNEL_H
#define BCR_PASSES_CONVERSION_LOOPS_WINDOWKERNEL_H

#include "passes/Conversion/Loops/Emitter.h"

#include "dialect/Packed.h"

#include <vector>

namespace mlir::bcr::loops {

/// Few rows and columns that lie in one window of the input.
struct WindowGroup {
  int64_t chunk = 0;
  /// Where the window begins.
  int64_t origin = 0;
  std::vector<int32_t> rows;
  /// Increasing, counted from the origin.
  std::vector<int32_t> columns;
  /// Row by row.
  std::vector<float> values;
};

/// Groups that the window kernel runs faster than the rows kernel are taken out
/// of `structure`, whose values are `values`, and of `chunkStarts`, the first
/// group of each chunk, if it is not empty. `restValues` become those of the
/// groups that stay. Returns none if the machine or the layer is not for it.
std::vector<WindowGroup> takeWindowGroups(MatmulOp op, int64_t lanes,
                                          int64_t threads,
                                          PackedStructure &structure,
                                          ArrayRef<float> values,
                                          std::vector<int64_t> &chunkStarts,
                                          std::vector<float> &restValues);

/// Emits loops that add the products of `groups` to the output of `op`. Returns
/// the bytes of their indices.
int64_t emitWindowKernel(MatmulOp op, std::vector<WindowGroup> groups,
                         int64_t chunks, Emitter &emitter);

} // namespace mlir::bcr::loops

#endif // BCR_PASSES_CONVERSION_LOOPS_WINDOWKERNEL_H
