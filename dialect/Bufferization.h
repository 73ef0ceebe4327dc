//===- Bufferization.h - Bufferization of the bcr dialect ------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_DIALECT_BUFFERIZATION_H
#define BCR_DIALECT_BUFFERIZATION_H

namespace mlir {
class DialectRegistry;
namespace bcr {

/// Teaches one-shot bufferization how bcr.matmul and bcr.conv2d bufferize.
void registerBufferization(DialectRegistry &registry);

} // namespace bcr
} // namespace mlir

#endif // BCR_DIALECT_BUFFERIZATION_H
