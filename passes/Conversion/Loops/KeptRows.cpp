//===- KeptRows.cpp - Matrices that lose whole rows -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/KeptRows.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <algorithm>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

/// Lanes of AVX-512.
static constexpr int64_t kLanes = 16;

/// The pass is worth it if as many rows as one in so many need not be
/// scattered: it takes half a micro-operation a row, and a scattered row some
/// five.
static constexpr int64_t kScatterShare = 8;

static bool areNeighbours(ArrayRef<int32_t> rows) {
  for (size_t i = 1; i < rows.size(); ++i)
    if (rows[i] != rows[i - 1] + 1)
      return false;
  return true;
}

std::optional<KeptRows> KeptRows::take(MatmulOp op,
                                       const PackedStructure &structure,
                                       ConstantOp weights, int64_t lanes,
                                       Emitter &emitter) {
  auto type = cast<MemRefType>(op.getInit().getType());
  int64_t numRows = structure.numRows;
  if (lanes != kLanes || numRows < kLanes || type.isDynamicDim(0))
    return std::nullopt;
  for (Value operand : {op.getInit(), op.getBias(), op.getResidual()})
    if (operand && !hasUnitStride(operand))
      return std::nullopt;

  // What each row is among those kept; -1 of the others.
  std::vector<int32_t> numbers(numRows, -1);
  for (const PackedGroup &group : structure.groups)
    for (int32_t row : structure.getRows(group))
      numbers[row] = 0;
  KeptRows kept;
  kept.op = op;
  kept.numRows = numRows;
  for (auto [row, number] : llvm::enumerate(numbers))
    if (number == 0) {
      number = static_cast<int32_t>(kept.rows.size());
      kept.rows.push_back(static_cast<int32_t>(row));
    }
  std::vector<int32_t> renumbered;
  for (int32_t row : structure.rows)
    renumbered.push_back(std::max(numbers[row], 0));
  int64_t saved = 0;
  for (const PackedGroup &group : structure.groups)
    if (!areNeighbours(structure.getRows(group)) &&
        areNeighbours(
            ArrayRef(renumbered).slice(group.rowBegin, group.rowCount)))
      saved += group.rowCount;
  auto numKept = static_cast<int64_t>(kept.rows.size());
  if (numKept == numRows || saved * kScatterShare < numRows)
    return std::nullopt;

  MLIRContext *context = op.getContext();
  kept.weights = cast<ConstantOp>(emitter.clone(*weights));
  kept.weights.getResult().setType(PackedType::get(
      context, numKept, structure.numColumns, emitter.getF32Type()));
  kept.weights.setBlock(
      {std::min(structure.block[0], numKept), structure.block[1]});
  kept.weights.setRowsAttr(makeIndexElements(
      {static_cast<int64_t>(renumbered.size())},
      (emitter.getLayerName() + ".kept_rows").str(), renumbered,
      weights.getRows().getElementType().getIntOrFloatBitWidth(), context));
  int64_t samples = type.getDimSize(0);
  kept.buffer = emitter.allocate({samples, numKept + kLanes});
  auto getSizes = [&](ArrayRef<int64_t> sizes) {
    return getAsIndexOpFoldResult(context, sizes);
  };
  Value sums =
      memref::SubViewOp::create(emitter, kept.buffer, getSizes({0, 0}),
                                getSizes({samples, numKept}), getSizes({1, 1}));
  kept.products = MatmulOp::create(
      emitter, /*result=*/TypeRange(), op.getInput(), kept.weights,
      /*bias=*/Value(), /*residual=*/Value(), sums, ActivationAttr(),
      op.getLayerAttr(), op.getFormAttr(), /*block=*/DenseI64ArrayAttr(),
      op.getScheduleAttr(), op.getChunksAttr());
  return kept;
}

int64_t KeptRows::makeLists(Emitter &emitter) {
  std::vector<int32_t> maskList, beginList;
  for (int64_t i = 0; i < numRows; i += kLanes) {
    int64_t begin = std::min(i, numRows - kLanes);
    auto first = llvm::lower_bound(rows, begin);
    auto last = llvm::lower_bound(rows, begin + kLanes);
    int32_t mask = 0;
    for (auto row = first; row != last; ++row)
      mask |= 1 << (*row - begin);
    maskList.push_back(mask);
    beginList.push_back(static_cast<int32_t>(first - rows.begin()));
  }
  auto size = static_cast<int64_t>(maskList.size());
  masks = emitter.global(
      "kept_masks",
      makeIndexElements({size}, (emitter.getLayerName() + ".kept_masks").str(),
                        maskList, /*bits=*/16, emitter.getContext()));
  begins = IndexList(emitter, "kept_begins", beginList);
  return begins.getBytes() + 2 * size;
}

Value KeptRows::spread(Emitter &emitter, Value sample, Value number) const {
  auto bits = VectorType::get({1}, emitter.getI16Type());
  auto lanes = VectorType::get({kLanes}, emitter.getI1Type());
  Value mask = vector::BitCastOp::create(
      emitter, lanes, vector::LoadOp::create(emitter, bits, masks, number));
  // In a register: from memory the instruction takes six times as long.
  Value sums = emitter.hide(
      emitter.load(buffer, {sample, begins.load(emitter, number)}, kLanes));
  return LLVM::CallIntrinsicOp::create(
             emitter, sums.getType(),
             emitter.getStringAttr("llvm.x86.avx512.mask.expand.v16f32"),
             ValueRange{sums, emitter.constant(0, kLanes), mask})
      .getResults();
}

int64_t KeptRows::emitResult(Emitter &emitter) {
  int64_t bytes = makeLists(emitter);
  emitter.parallelLoop(
      emitter.index(cast<MemRefType>(buffer.getType()).getDimSize(0)),
      [&](Value sample) {
        auto emitVector = [&](Value number, Value output) {
          Value value = spread(emitter, sample, number);
          if (op.getBias())
            value = arith::AddFOp::create(
                emitter, value, emitter.load(op.getBias(), output, kLanes));
          if (op.getResidual())
            value = arith::AddFOp::create(
                emitter, value,
                emitter.load(op.getResidual(), {sample, output}, kLanes));
          emitter.store(emitter.activate(op.getActivationAttr(), value),
                        op.getInit(), {sample, output});
        };
        emitter.loop(numRows / kLanes, [&](Value number) {
          emitVector(number, emitter.mul(number, kLanes));
        });
        if (numRows % kLanes != 0)
          emitVector(emitter.index(numRows / kLanes),
                     emitter.index(numRows - kLanes));
      });
  emitter.deallocate(buffer);
  Operation *view = products.getInit().getDefiningOp();
  products->erase();
  weights->erase();
  if (view->use_empty())
    view->erase();
  return bytes;
}
