//===- LowerParallel.cpp - Parallel loops to OpenMP -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/OpenMP/OpenMPDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

#include <algorithm>

namespace mlir::bcr {
#define GEN_PASS_DEF_BCRLOWERPARALLELPASS
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;
using namespace mlir::bcr;

// Entries of LLVM's runtime that say where a thread stands in its team. The
// functions of the OpenMP standard do the same, but PyTorch brings a second
// runtime into the process, and a name of the standard may be that one's.
static constexpr StringLiteral kThreadNumber = "__kmpc_bound_thread_num";
static constexpr StringLiteral kNumThreads = "__kmpc_bound_num_threads";

namespace {
struct LowerParallel : bcr::impl::BCRLowerParallelPassBase<LowerParallel> {
  using BCRLowerParallelPassBase::BCRLowerParallelPassBase;
  void runOnOperation() override;

private:
  void lower(scf::ParallelOp loop);
};
} // namespace

/// Asks the runtime, which takes a source position that may be null.
static Value ask(ImplicitLocOpBuilder &builder, StringRef name) {
  Value null = LLVM::ZeroOp::create(
      builder, LLVM::LLVMPointerType::get(builder.getContext()));
  Value answer = func::CallOp::create(builder, name, builder.getI32Type(), null)
                     .getResult(0);
  return arith::IndexCastUIOp::create(builder, builder.getIndexType(), answer);
}

void LowerParallel::lower(scf::ParallelOp loop) {
  ImplicitLocOpBuilder builder(loop.getLoc(), loop);
  auto constant = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, value);
  };
  SmallVector<Value> counts;
  Value total = constant(1);
  for (auto [begin, end, step] : llvm::zip_equal(
           loop.getLowerBound(), loop.getUpperBound(), loop.getStep())) {
    Value length = builder.createOrFold<arith::SubIOp>(end, begin);
    length = builder.createOrFold<arith::MaxSIOp>(length, constant(0));
    counts.push_back(builder.createOrFold<arith::CeilDivUIOp>(length, step));
    total = builder.createOrFold<arith::MulIOp>(total, counts.back());
  }
  int64_t team = threads;
  if (std::optional<int64_t> known = getConstantIntValue(total))
    team = std::clamp<int64_t>(*known, 1, threads);

  omp::ParallelOperands clauses;
  clauses.numThreads =
      arith::ConstantOp::create(builder, builder.getI32IntegerAttr(team));
  auto parallel = omp::ParallelOp::create(builder, clauses);
  builder.createBlock(&parallel.getRegion());
  Value thread = ask(builder, kThreadNumber);
  Value numThreads = ask(builder, kNumThreads);
  auto getBegin = [&](Value share) -> Value {
    Value skipped = builder.createOrFold<arith::MulIOp>(share, total);
    return builder.createOrFold<arith::DivUIOp>(skipped, numThreads);
  };
  Value next = arith::AddIOp::create(builder, thread, constant(1));
  auto share = scf::ForOp::create(builder, getBegin(thread), getBegin(next),
                                  constant(1));
  omp::TerminatorOp::create(builder);

  builder.setInsertionPointToStart(share.getBody());
  SmallVector<Value> variables(counts.size());
  Value rest = share.getInductionVar();
  for (int64_t i = counts.size() - 1; i >= 0; --i) {
    Value position = rest;
    if (i > 0) {
      position = builder.createOrFold<arith::RemUIOp>(rest, counts[i]);
      rest = builder.createOrFold<arith::DivUIOp>(rest, counts[i]);
    }
    variables[i] = builder.createOrFold<arith::AddIOp>(
        loop.getLowerBound()[i],
        builder.createOrFold<arith::MulIOp>(position, loop.getStep()[i]));
  }
  loop.getBody()->getTerminator()->erase();
  IRRewriter rewriter(&getContext());
  rewriter.inlineBlockBefore(loop.getBody(), share.getBody()->getTerminator(),
                             variables);
  loop.erase();
  ++numLowered;
}

void LowerParallel::runOnOperation() {
  ModuleOp module = getOperation();
  if (threads < 1) {
    module.emitError("bcr-lower-parallel: 'threads' is positive");
    return signalPassFailure();
  }
  SmallVector<scf::ParallelOp> loops;
  module.walk<WalkOrder::PreOrder>([&](scf::ParallelOp loop) {
    if (!loop.getInitVals().empty())
      return WalkResult::advance();
    loops.push_back(loop);
    return WalkResult::skip();
  });
  if (loops.empty() || threads == 1)
    return;
  OpBuilder builder = OpBuilder::atBlockBegin(module.getBody());
  auto type = builder.getFunctionType(LLVM::LLVMPointerType::get(&getContext()),
                                      builder.getI32Type());
  for (StringRef name : {kThreadNumber, kNumThreads})
    if (!module.lookupSymbol(name))
      func::FuncOp::create(builder, module.getLoc(), name, type).setPrivate();
  for (scf::ParallelOp loop : loops)
    lower(loop);
}
