//===- Team.h - Code that the threads of a team run -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// All threads of a team run the same code: a value is computed by each of them,
// a loop is shared, and they wait for each other at barriers. A team may have
// fewer threads than were asked for.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_CONVERSION_TEAM_H
#define BCR_PASSES_CONVERSION_TEAM_H

#include "passes/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::bcr {

/// What a thread knows of its team, as values of one function.
struct Team {
  /// The number of the thread, and how many there are (index).
  Value thread, size;
  /// The counter of the barriers that the team passes (!llvm.ptr to i64).
  Value counter;
  /// Whether the thread has number 0 (i1).
  Value isFirst;

  /// Appends arguments for a team to `function`.
  static Team addArguments(func::FuncOp function);
  /// The values for those arguments.
  SmallVector<Value> getArguments() const { return {thread, size, counter}; }
};

/// Declares in `module` what the functions below call, and defines the barrier.
/// `futex` is the number of Linux's system call of that name, or 0 elsewhere.
void declareTeamFunctions(ModuleOp module, SpinHint hint, int64_t futex);

/// Allocates the counter of the barriers in the frame of `function`.
Value allocateCounter(func::FuncOp function);

/// Sets the counter to zero, before the threads of a team start.
void resetCounter(ImplicitLocOpBuilder &builder, Value counter);

/// Asks the runtime where this thread stands. Inside a parallel region.
Team getTeam(ImplicitLocOpBuilder &builder, Value counter);

/// Waits until all threads of the team are here; what they wrote before is seen
/// after.
void emitBarrier(ImplicitLocOpBuilder &builder, const Team &team);

/// Replaces a loop by the share of it that a thread runs: thread t of n takes
/// the iterations from t/n to (t + 1)/n of them, in row-major order.
void shareLoop(scf::ParallelOp loop, const Team &team);

} // namespace mlir::bcr

#endif // BCR_PASSES_CONVERSION_TEAM_H
