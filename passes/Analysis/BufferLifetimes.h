//===- BufferLifetimes.h - When a buffer holds data ------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_ANALYSIS_BUFFERLIFETIMES_H
#define BCR_PASSES_ANALYSIS_BUFFERLIFETIMES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

namespace mlir::bcr {

/// A buffer that a function allocates and frees, whose memory is thereby free
/// for others outside [begin, end], positions in the function's order.
struct BufferLifetime {
  memref::AllocOp alloc;
  int64_t begin = 0;
  int64_t end = 0;
  /// The parallel loops around the allocation, outermost first: each iteration
  /// has a buffer of its own, and all of them live as long as the loop.
  SmallVector<scf::ParallelOp> parallelLoops;
  /// Their iterations.
  int64_t slices = 1;
};

/// The buffers of static size and row-major layout of a function.
class BufferLifetimes {
public:
  /// Leaves out those that ask for more than `alignment` bytes, and those that
  /// more than `maxSlices` iterations of parallel loops have.
  BufferLifetimes(func::FuncOp function, uint64_t alignment, int64_t maxSlices);

  /// Buffers whose every use is known, in the order of their allocations.
  ArrayRef<BufferLifetime> getBuffers() const { return buffers; }

  /// What frees them.
  ArrayRef<memref::DeallocOp> getDeallocs() const { return deallocs; }

private:
  SmallVector<BufferLifetime> buffers;
  SmallVector<memref::DeallocOp> deallocs;
};

} // namespace mlir::bcr

#endif // BCR_PASSES_ANALYSIS_BUFFERLIFETIMES_H
