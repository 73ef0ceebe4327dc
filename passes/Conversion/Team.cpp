//===- Team.cpp - Code that the threads of a team run ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Team.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

using namespace mlir;
using namespace mlir::bcr;

// Entries of LLVM's runtime that say where a thread stands in its team. The
// functions of the OpenMP standard do the same, but PyTorch brings a second
// runtime into the process, and a name of the standard may be that one's.
static constexpr StringLiteral kThreadNumber = "__kmpc_bound_thread_num";
static constexpr StringLiteral kNumThreads = "__kmpc_bound_num_threads";

static constexpr StringLiteral kBarrier = "bcr_barrier";
static constexpr StringLiteral kYield = "sched_yield";
static constexpr StringLiteral kSystemCall = "syscall";

/// Operations of Linux's futex(2), for threads of one process.
static constexpr int64_t kFutexWait = 0 | 128;
static constexpr int64_t kFutexWake = 1 | 128;

/// Looks at the counter before a waiting thread gives its processor away, some
/// tens of microseconds: threads of a team that all run are rarely farther
/// apart. Where that was not enough, the team shares its processors with other
/// threads, and one that looks on keeps another one from running: from then on,
/// about one microsecond.
static constexpr int64_t kPatience = 1024;
static constexpr int64_t kLittlePatience = 32;

/// The frame of a call has the counter; beside it, for the thread that comes
/// last has that line, how many threads sleep; and on another cache line, as it
/// is read and hardly ever written, the patience.
static constexpr int64_t kSleepersOffset = 8;
static constexpr int64_t kPatienceOffset = 64;
static constexpr int64_t kFrameBytes = 128;

static Value makeIndex(ImplicitLocOpBuilder &builder, int64_t value) {
  return arith::ConstantIndexOp::create(builder, value);
}

static Value makeI64(ImplicitLocOpBuilder &builder, int64_t value) {
  return arith::ConstantIntOp::create(builder, value, 64);
}

static Value isFirstThread(ImplicitLocOpBuilder &builder, Value thread) {
  return arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, thread,
                               makeIndex(builder, 0));
}

Team Team::addArguments(func::FuncOp function) {
  MLIRContext *context = function.getContext();
  Type index = IndexType::get(context);
  unsigned first = function.getNumArguments();
  SmallVector<Type> types = {index, index, LLVM::LLVMPointerType::get(context)};
  // Appending to the arguments of a definition cannot fail.
  (void)function.insertArguments(
      SmallVector<unsigned>(3, first), types,
      SmallVector<DictionaryAttr>(3, DictionaryAttr::get(context)),
      SmallVector<Location>(3, function.getLoc()));
  auto builder =
      ImplicitLocOpBuilder::atBlockBegin(function.getLoc(), &function.front());
  Value thread = function.getArgument(first);
  return {thread, function.getArgument(first + 1),
          function.getArgument(first + 2), isFirstThread(builder, thread)};
}

//===----------------------------------------------------------------------===//
// The barrier
//===----------------------------------------------------------------------===//

static Value getField(ImplicitLocOpBuilder &builder, Value counter,
                      int64_t offset) {
  return LLVM::GEPOp::create(
      builder, counter.getType(), builder.getI8Type(), counter,
      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(offset)});
}

static Value loadAtomic(ImplicitLocOpBuilder &builder, Value from,
                        LLVM::AtomicOrdering ordering) {
  return LLVM::LoadOp::create(builder, builder.getI64Type(), from,
                              /*alignment=*/8, /*isVolatile=*/false,
                              /*isNonTemporal=*/false, /*isInvariant=*/false,
                              /*isInvariantGroup=*/false, ordering);
}

/// Tells the processor that a loop waits for memory.
static void emitSpinHint(ImplicitLocOpBuilder &builder, SpinHint hint) {
  auto call = [&](StringRef name, ValueRange arguments) {
    LLVM::CallIntrinsicOp::create(builder, TypeRange(),
                                  builder.getStringAttr(name), arguments,
                                  LLVM::FastmathFlagsAttr());
  };
  if (hint == SpinHint::Pause)
    return call("llvm.x86.sse2.pause", {});
  if (hint == SpinHint::Yield) {
    Value yield = arith::ConstantIntOp::create(builder, 1, 32);
    call("llvm.aarch64.hint", yield);
  }
}

/// futex(2) on the counter's low half, which comes first in memory.
static void callFutex(ImplicitLocOpBuilder &builder, int64_t number,
                      Value counter, int64_t operation, Value value) {
  Value none = LLVM::ZeroOp::create(builder, counter.getType());
  func::CallOp::create(builder, kSystemCall, builder.getI64Type(),
                       ValueRange{makeI64(builder, number), counter,
                                  makeI64(builder, operation), value, none});
}

/// Sleeps until the last thread has come, unless the counter is no longer
/// `seen`. Either the last thread sees that somebody sleeps, or the kernel sees
/// that it came: both changes have one order for all threads.
static void emitSleep(ImplicitLocOpBuilder &builder, int64_t futex,
                      Value counter, Value seen) {
  Value sleepers = getField(builder, counter, kSleepersOffset);
  LLVM::AtomicRMWOp::create(builder, LLVM::AtomicBinOp::add, sleepers,
                            makeI64(builder, 1), LLVM::AtomicOrdering::seq_cst);
  callFutex(builder, futex, counter, kFutexWait, seen);
  LLVM::AtomicRMWOp::create(builder, LLVM::AtomicBinOp::sub, sleepers,
                            makeI64(builder, 1),
                            LLVM::AtomicOrdering::monotonic);
}

/// Wakes those who sleep if this thread, before which `before` came, is the
/// last of a barrier.
static void emitWake(ImplicitLocOpBuilder &builder, int64_t futex,
                     Value counter, Value before, Value goal) {
  Value arrived = arith::AddIOp::create(builder, before, makeI64(builder, 1));
  auto last = scf::IfOp::create(
      builder,
      arith::CmpIOp::create(builder, arith::CmpIPredicate::eq, arrived, goal));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(last.thenBlock());
  Value sleepers =
      loadAtomic(builder, getField(builder, counter, kSleepersOffset),
                 LLVM::AtomicOrdering::seq_cst);
  auto any = scf::IfOp::create(
      builder, arith::CmpIOp::create(builder, arith::CmpIPredicate::ne,
                                     sleepers, makeI64(builder, 0)));
  builder.setInsertionPointToStart(any.thenBlock());
  callFutex(builder, futex, counter, kFutexWake,
            makeI64(builder, std::numeric_limits<int32_t>::max()));
}

/// The counter only grows: with n threads, barrier k is passed when it has
/// reached k n. So there is one line of memory that moves between processors,
/// nothing to set back, and a thread that has gone on cannot be mistaken for
/// one that is late.
static void defineBarrier(ModuleOp module, SpinHint hint, int64_t futex) {
  auto builder =
      ImplicitLocOpBuilder::atBlockBegin(module.getLoc(), module.getBody());
  Type i64 = builder.getI64Type();
  auto type =
      builder.getFunctionType({LLVM::LLVMPointerType::get(builder.getContext()),
                               builder.getIndexType()},
                              {});
  auto function = func::FuncOp::create(builder, kBarrier, type);
  function.setPrivate();
  function->setAttr("llvm.linkage",
                    LLVM::LinkageAttr::get(builder.getContext(),
                                           LLVM::linkage::Linkage::Internal));
  function->setAttr("passthrough",
                    builder.getArrayAttr(builder.getStringAttr("noinline")));
  builder.setInsertionPointToStart(function.addEntryBlock());
  Value counter = function.getArgument(0);
  Value size =
      arith::IndexCastOp::create(builder, i64, function.getArgument(1));
  Value one = makeI64(builder, 1);
  Value before =
      LLVM::AtomicRMWOp::create(builder, LLVM::AtomicBinOp::add, counter, one,
                                LLVM::AtomicOrdering::seq_cst);
  Value passed = arith::DivUIOp::create(builder, before, size);
  Value goal = arith::MulIOp::create(
      builder, arith::AddIOp::create(builder, passed, one), size);
  if (futex)
    emitWake(builder, futex, counter, before, goal);
  Value patienceAt = getField(builder, counter, kPatienceOffset);
  Value patience =
      loadAtomic(builder, patienceAt, LLVM::AtomicOrdering::monotonic);
  // Carries the looks so far, and what the last one saw.
  SmallVector<Type> carried = {i64, i64};
  SmallVector<Location> locations(2, builder.getLoc());
  auto loop =
      scf::WhileOp::create(builder, carried, ValueRange{makeI64(builder, 0)});
  builder.createBlock(&loop.getBefore(), {}, i64, builder.getLoc());
  Value now = loadAtomic(builder, counter, LLVM::AtomicOrdering::acquire);
  Value waits =
      arith::CmpIOp::create(builder, arith::CmpIPredicate::ult, now, goal);
  scf::ConditionOp::create(builder, waits,
                           ValueRange{loop.getBefore().getArgument(0), now});
  builder.createBlock(&loop.getAfter(), {}, carried, locations);
  Value looks = loop.getAfter().getArgument(0);
  Value patient = arith::CmpIOp::create(builder, arith::CmpIPredicate::ult,
                                        looks, patience);
  auto choice = scf::IfOp::create(builder, patient, /*withElseRegion=*/true);
  Value next = arith::AddIOp::create(builder, looks, one);
  scf::YieldOp::create(builder, next);
  builder.setInsertionPointToStart(choice.thenBlock());
  emitSpinHint(builder, hint);
  builder.setInsertionPointToStart(choice.elseBlock());
  LLVM::StoreOp::create(builder, makeI64(builder, kLittlePatience), patienceAt,
                        /*alignment=*/8, /*isVolatile=*/false,
                        /*isNonTemporal=*/false, /*isInvariantGroup=*/false,
                        LLVM::AtomicOrdering::monotonic);
  if (futex)
    emitSleep(builder, futex, counter, loop.getAfter().getArgument(1));
  else
    func::CallOp::create(builder, kYield, builder.getI32Type());
  builder.setInsertionPointToEnd(&function.front());
  func::ReturnOp::create(builder);
}

void mlir::bcr::declareTeamFunctions(ModuleOp module, SpinHint hint,
                                     int64_t futex) {
  auto builder =
      ImplicitLocOpBuilder::atBlockBegin(module.getLoc(), module.getBody());
  Type i32 = builder.getI32Type();
  Type pointer = LLVM::LLVMPointerType::get(builder.getContext());
  Type i64 = builder.getI64Type();
  auto declare = [&](StringRef name, TypeRange arguments, Type result) {
    if (!module.lookupSymbol(name))
      func::FuncOp::create(builder, name,
                           builder.getFunctionType(arguments, result))
          .setPrivate();
  };
  for (StringRef name : {kThreadNumber, kNumThreads})
    declare(name, pointer, i32);
  if (futex)
    declare(kSystemCall, {i64, pointer, i64, i64, pointer}, i64);
  else
    declare(kYield, {}, i32);
  defineBarrier(module, hint, futex);
}

Value mlir::bcr::allocateCounter(func::FuncOp function) {
  auto builder =
      ImplicitLocOpBuilder::atBlockBegin(function.getLoc(), &function.front());
  Type pointer = LLVM::LLVMPointerType::get(builder.getContext());
  return LLVM::AllocaOp::create(builder, pointer, builder.getI64Type(),
                                makeI64(builder, kFrameBytes / 8),
                                /*alignment=*/kFrameBytes);
}

void mlir::bcr::resetCounter(ImplicitLocOpBuilder &builder, Value counter) {
  auto set = [&](int64_t offset, int64_t value) {
    LLVM::StoreOp::create(builder, makeI64(builder, value),
                          getField(builder, counter, offset));
  };
  LLVM::StoreOp::create(builder, makeI64(builder, 0), counter);
  set(kSleepersOffset, 0);
  set(kPatienceOffset, kPatience);
}

void mlir::bcr::emitBarrier(ImplicitLocOpBuilder &builder, const Team &team) {
  func::CallOp::create(builder, kBarrier, TypeRange(),
                       ValueRange{team.counter, team.size});
}

//===----------------------------------------------------------------------===//
// Threads and their shares
//===----------------------------------------------------------------------===//

Team mlir::bcr::getTeam(ImplicitLocOpBuilder &builder, Value counter) {
  // The runtime takes a source position that may be null.
  Value null = LLVM::ZeroOp::create(
      builder, LLVM::LLVMPointerType::get(builder.getContext()));
  auto ask = [&](StringRef name) -> Value {
    Value answer =
        func::CallOp::create(builder, name, builder.getI32Type(), null)
            .getResult(0);
    return arith::IndexCastUIOp::create(builder, builder.getIndexType(),
                                        answer);
  };
  Value thread = ask(kThreadNumber), size = ask(kNumThreads);
  return {thread, size, counter, isFirstThread(builder, thread)};
}

void mlir::bcr::shareLoop(scf::ParallelOp loop, const Team &team) {
  ImplicitLocOpBuilder builder(loop.getLoc(), loop);
  SmallVector<Value> counts;
  Value total = makeIndex(builder, 1);
  for (auto [begin, end, step] : llvm::zip_equal(
           loop.getLowerBound(), loop.getUpperBound(), loop.getStep())) {
    Value length = builder.createOrFold<arith::SubIOp>(end, begin);
    length =
        builder.createOrFold<arith::MaxSIOp>(length, makeIndex(builder, 0));
    counts.push_back(builder.createOrFold<arith::CeilDivUIOp>(length, step));
    total = builder.createOrFold<arith::MulIOp>(total, counts.back());
  }
  auto getBegin = [&](Value share) -> Value {
    Value skipped = builder.createOrFold<arith::MulIOp>(share, total);
    return builder.createOrFold<arith::DivUIOp>(skipped, team.size);
  };
  Value next =
      arith::AddIOp::create(builder, team.thread, makeIndex(builder, 1));
  auto share = scf::ForOp::create(builder, getBegin(team.thread),
                                  getBegin(next), makeIndex(builder, 1));

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
  IRRewriter rewriter(loop.getContext());
  rewriter.inlineBlockBefore(loop.getBody(), share.getBody()->getTerminator(),
                             variables);
  loop.erase();
}
