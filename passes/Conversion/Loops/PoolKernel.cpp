//===- PoolKernel.cpp - Maximum and sum of a window -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/PoolKernel.h"
#include "passes/Conversion/Loops/PlaneKernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/Support/MathExtras.h"

#include <limits>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

/// Output rows of a tile: as many chains of operations hide their latency, and
/// fit the registers of every target.
static constexpr int64_t kTileRows = 4;

/// More taps than this would be long code; the loops over them are scalar.
static constexpr int64_t kMaxTaps = 81;

/// What a window without a position in the image has.
static double getNeutral(Pool2DOp op) {
  return op.getKind() == PoolKind::Max
             ? -std::numeric_limits<double>::infinity()
             : 0.0;
}

/// Takes `value` into `sum`. A NaN stays, as in PyTorch. Of two zeros any is
/// the maximum.
static Value combineValues(Emitter &emitter, Pool2DOp op, Value sum,
                           Value value) {
  if (op.getKind() == PoolKind::Sum)
    return arith::AddFOp::create(emitter, sum, value);
  return arith::MaximumFOp::create(emitter, sum, value,
                                   arith::FastMathFlags::nsz);
}

static Value divide(Emitter &emitter, Pool2DOp op, Value sum, int64_t width) {
  double divisor = op.getDivisor().convertToDouble();
  if (divisor == 1.0)
    return sum;
  return arith::DivFOp::create(emitter, sum, emitter.constant(divisor, width));
}

namespace {
class PoolKernel : public PlaneKernel {
public:
  PoolKernel(Pool2DOp op, int64_t tileRows, int64_t lanes, Emitter &emitter)
      : PlaneKernel(emitter, op.getInput(), op.getInit(), getWindow(op),
                    tileRows, /*tileVectors=*/1, lanes, getNeutral(op)),
        op(op) {}

  void emit() {
    forEachPlane([&](Value sample, Value channel) {
      emitPlane(getPlane(op.getInput(), sample, channel),
                getPlane(op.getInit(), sample, channel));
    });
  }

private:
  Value start() override { return emitter.constant(getNeutral(op), width); }
  Value combine(Value sum, Value loaded, int64_t, int64_t) override {
    return combineValues(emitter, op, sum, loaded);
  }
  Value finish(Value sum, const Place &) override {
    return divide(emitter, op, sum, width);
  }

  Pool2DOp op;
};
} // namespace

namespace {
/// The taps of a window that lie in the image: [begin, end), and the coordinate
/// of tap 0.
struct Taps {
  Value first, begin, end;
};
} // namespace

static Taps getTaps(Emitter &emitter, Pool2DOp op, unsigned axis,
                    Value output) {
  int64_t size = cast<MemRefType>(op.getInput().getType()).getDimSize(2 + axis);
  Value zero = emitter.index(0);
  Value first = emitter.sub(emitter.mul(output, op.getStrides()[axis]),
                            emitter.index(op.getPadding()[axis]));
  auto toTaps = [&](Value distance) -> Value {
    Value taps = arith::CeilDivSIOp::create(
        emitter, distance, emitter.index(op.getDilations()[axis]));
    return arith::MinSIOp::create(emitter,
                                  arith::MaxSIOp::create(emitter, taps, zero),
                                  emitter.index(op.getKernel()[axis]));
  };
  return {first, toTaps(emitter.sub(zero, first)),
          toTaps(emitter.sub(emitter.index(size), first))};
}

void loops::emitPoolPosition(Pool2DOp op, Emitter &emitter, Value sample,
                             Value channel, Value y, Value x) {
  auto load = [&](Value row, Value column) {
    return emitter.load(op.getInput(), {sample, channel, row, column});
  };
  Taps rows = getTaps(emitter, op, 0, y), columns = getTaps(emitter, op, 1, x);
  Value start = emitter.constant(getNeutral(op), 1);
  SmallVector<Value> sum = emitter.reduce(
      rows.begin, rows.end, 1, start, [&](Value i, ValueRange outer) {
        Value row =
            emitter.add(rows.first, emitter.mul(i, op.getDilations()[0]));
        return emitter.reduce(
            columns.begin, columns.end, 1, outer,
            [&](Value j, ValueRange inner) {
              Value column = emitter.add(columns.first,
                                         emitter.mul(j, op.getDilations()[1]));
              return SmallVector<Value>{
                  combineValues(emitter, op, inner[0], load(row, column))};
            });
      });
  emitter.store(divide(emitter, op, sum[0], 1), op.getInit(),
                {sample, channel, y, x});
}

/// One position at a time, for any stride and layout.
static void emitScalar(Pool2DOp op, Emitter &emitter) {
  auto type = cast<MemRefType>(op.getInit().getType());
  Value samples = emitter.createOrFold<memref::DimOp>(op.getInit(), 0);
  int64_t channels = type.getDimSize(1);
  emitter.parallelLoop(emitter.mul(samples, channels), [&](Value task) {
    Value sample = emitter.div(task, channels);
    Value channel = emitter.rem(task, channels);
    emitter.loop(type.getDimSize(2), [&](Value y) {
      emitter.loop(type.getDimSize(3), [&](Value x) {
        emitPoolPosition(op, emitter, sample, channel, y, x);
      });
    });
  });
}

void loops::emitPoolKernel(Pool2DOp op, int64_t lanes, Emitter &emitter) {
  auto type = cast<MemRefType>(op.getInit().getType());
  Window window = getWindow(op);
  if (!PlaneKernel::canWalk({op.getInput(), op.getInit()}, window) ||
      window.kernel[0] * window.kernel[1] > kMaxTaps)
    return emitScalar(op, emitter);
  int64_t height = type.getDimSize(2);
  int64_t tiles = llvm::divideCeil(height, kTileRows);
  PoolKernel(op, llvm::divideCeil(height, tiles), lanes, emitter).emit();
}
