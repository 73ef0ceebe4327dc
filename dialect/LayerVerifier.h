//===- LayerVerifier.h - What all layers check alike -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Shared by the files that define layers; no interface to others.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_DIALECT_LAYERVERIFIER_H
#define BCR_DIALECT_LAYERVERIFIER_H

#include "dialect/BCR.h"

namespace mlir::bcr {

/// Reads of tensors are values, not effects; a memref operand is read, or
/// written if it is a destination.
void getLayerEffects(
    DestinationStyleOpInterface op,
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects);

/// Checks what passes left on a layer: `block` and `chunks`.
LogicalResult verifyDecisions(LayerOpInterface layer);

} // namespace mlir::bcr

#endif // BCR_DIALECT_LAYERVERIFIER_H
