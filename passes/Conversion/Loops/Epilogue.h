//===- Epilogue.h - Activations of a layer ---------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_LOOPS_EPILOGUE_H
#define BCR_PASSES_CONVERSION_LOOPS_EPILOGUE_H

#include "passes/Conversion/Loops/Emitter.h"

namespace mlir::bcr::loops {

/// Applies `activation`, if there is one, to a scalar or a vector. A NaN stays
/// a NaN, as in PyTorch.
Value applyActivation(Emitter &emitter, ActivationAttr activation, Value value);

} // namespace mlir::bcr::loops

#endif // BCR_PASSES_CONVERSION_LOOPS_EPILOGUE_H
