//===- ImageTiles.cpp - Work-items of a convolution -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/GPU/ImageTiles.h"
#include "passes/Conversion/ActivationToArith.h"
#include "passes/Conversion/Loops/ImageRows.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Interfaces/ViewLikeInterface.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::gpu_kernels;
using namespace mlir::bcr::loops;

/// Accumulators of a work-item at most: enough to hide the latency of a
/// multiply-add, few enough for the registers of a phone's GPU.
static constexpr int64_t kAccumulators = 24;

/// Positions of a work-item at most.
static constexpr int64_t kMaxPositions = 4;

/// Elements of a processor's vector.
static constexpr int64_t kLanes = 16;

/// A scatter is worth one vector in this many.
static constexpr int64_t kRowGain = 8;

/// Bytes of inputs that a second cache of most devices has room for, beside
/// weights and results.
static constexpr int64_t kTileBytes = 1 << 18;

/// Work-groups that keep all compute units of a phone's GPU at work.
static constexpr int64_t kMinGroups = 32;

/// Elements behind the last one of `memref` that are memory of its buffer.
static int64_t getSlack(Value memref) {
  auto type = cast<MemRefType>(memref.getType());
  auto [strides, offset] = type.getStridesAndOffset();
  int64_t end = offset + 1;
  for (auto [size, stride] : llvm::zip_equal(type.getShape(), strides))
    end += (size - 1) * stride;
  while (auto view = memref.getDefiningOp<ViewLikeOpInterface>())
    memref = view.getViewSource();
  auto whole = cast<MemRefType>(memref.getType());
  return whole.getLayout().isIdentity() ? whole.getNumElements() - end : 0;
}

ImageTiles::ImageTiles(Conv2DOp op, const InputLayout &layout,
                       const KernelOptions &options, Emitter &emitter)
    : op(op), emitter(emitter), rowStep(layout.getRowStep()),
      columnStep(layout.getColumnStep()) {
  auto type = cast<MemRefType>(op.getInit().getType());
  samples = type.getDimSize(0);
  height = type.getDimSize(2);
  width = type.getDimSize(3);
  auto inputType = cast<MemRefType>(op.getInput().getType());
  inputBytes = 4 * inputType.getNumElements() / samples;
  inputStrides = *getKnownStrides(op.getInput());
  outputStrides = *getKnownStrides(op.getInit());
  if (op.getResidual())
    residualStrides = *getKnownStrides(op.getResidual());
  std::optional<int64_t> rows = getImagePitch(op.getInit());
  if (rows)
    pitch = *rows;
  int64_t gap = std::max<int64_t>(pitch - width, 0);
  if (height == 1) {
    flat = true;
    length = width;
    inputStep = columnStep;
    outputStep = outputStrides[3];
    if (op.getResidual())
      residualStep = residualStrides[3];
  } else if (rows) {
    // Inputs of positions between the rows are read as well, and where zeros
    // follow the last row, those that would be behind the last input.
    bool readable = gap == 0 || !layout.isInPlace() ||
                    op.getGaps() != Gaps::Zero ||
                    static_cast<int64_t>(op.getOverread()) >= gap;
    // So are residuals.
    int64_t behind = op.getGaps() == Gaps::Zero ? gap : 0;
    if (op.getResidual())
      readable &= getImagePitch(op.getResidual()) == pitch &&
                  getSlack(op.getResidual()) >= behind;
    flat = readable && rowStep == pitch && columnStep == 1;
    length = height * pitch - gap + behind;
  }
  // A position between two rows is computed in vain, and so is a work-item
  // beyond the end of a row; besides, that one has to branch.
  if (!flat && columnStep == 1 &&
      rowStep <
          static_cast<int64_t>(llvm::alignTo(width, getGroupSize(width)))) {
    length = (height - 1) * rowStep + width;
    int64_t vectors = llvm::divideCeil(length, kLanes);
    int64_t rowVectors = height * llvm::divideCeil(width, kLanes);
    // Behind the last row a copy has as many elements as a row.
    overruns = options.processor && !layout.isInPlace() && !op.getResidual() &&
               rowVectors * kRowGain <= vectors * (kRowGain + 1) &&
               2 * width >= static_cast<int64_t>(
                                llvm::alignTo(width, getGroupSize(width)));
    flat = !overruns;
    inputPitch = flat ? rowStep : 0;
  }
  input = flatten(emitter, op.getInput(),
                  layout.isInPlace() ? op.getOverread() : 0);
  output = flatten(emitter, op.getInit(), op.getGaps() ? gap : int64_t(0));
  if (op.getResidual())
    residual = flatten(emitter, op.getResidual(),
                       flat && inputPitch == 0 && op.getGaps() == Gaps::Zero
                           ? gap
                           : int64_t(0));
}

ImageTiles::Shape ImageTiles::chooseShape(int64_t units, int64_t rows) {
  SmallVector<int64_t> sizes = {getGroupSize(width)};
  if (flat) {
    sizes = {64, 48, 32, 16};
    llvm::erase_if(sizes,
                   [&](int64_t size) { return size > 16 && size > length; });
  }
  Shape best;
  double least = 0;
  // Of two shapes that are as good, one whose inputs stay in a cache.
  auto fits = [&](const Shape &shape) {
    return shape.local * shape.count * inputBytes <= kTileBytes * length;
  };
  for (int64_t local : sizes)
    for (int64_t count = 1; count <= kMaxPositions; ++count) {
      if (count > 1 && count * rows > kAccumulators)
        break;
      int64_t tiles = flat ? llvm::divideCeil(length, local * count)
                           : llvm::divideCeil(width, local) *
                                 llvm::divideCeil(height, count);
      if (count > 1 && (tiles * units * samples < kMinGroups ||
                        (flat && local * count > length)))
        break;
      // A column is a multiply-add a sum, and loads of an input a position, of
      // a weight a row and of an offset, which take half as long.
      double column = rows * count + 0.5 * (count + rows + 1);
      double cost = static_cast<double>(tiles * local) * column;
      Shape shape = {local, count, tiles};
      bool isSmaller = flat && cost == least && fits(shape) && !fits(best);
      if (least == 0 || cost < least || isSmaller) {
        least = cost;
        best = shape;
      }
    }
  return best;
}

Value ImageTiles::locate(Value y, int64_t rowStride, Value x,
                         int64_t columnStride) {
  return emitter.add(emitter.mul(y, rowStride), emitter.mul(x, columnStride));
}

ImagePosition ImageTiles::makeFlatPosition(Value position) {
  ImagePosition result;
  result.input = emitter.mul(position, inputStep);
  result.output = emitter.mul(position, outputStep);
  result.residual = emitter.mul(position, residualStep);
  if (inputPitch > 0) {
    Value y = emitter.div(position, inputPitch);
    Value x = emitter.rem(position, inputPitch);
    if (inputPitch > width) {
      result.isStored = isLess(emitter, x, emitter.index(width));
      x = arith::MinUIOp::create(emitter, x, emitter.index(width - 1));
    }
    result.output = locate(y, outputStrides[2], x, outputStrides[3]);
    if (residual)
      result.residual = locate(y, residualStrides[2], x, residualStrides[3]);
    return result;
  }
  if (height > 1 && pitch > width && op.getGaps() != Gaps::Free) {
    Value inside =
        isLess(emitter, emitter.rem(position, pitch), emitter.index(width));
    // Where the gaps are not the op's, no partial sum may be left there either.
    (op.getGaps() ? result.isInImage : result.isStored) = inside;
  }
  return result;
}

ImagePosition ImageTiles::makePosition(Value y, Value x, bool whole) {
  ImagePosition result;
  Value inRow;
  if (overruns && width % getGroupSize(width) != 0)
    inRow = isLess(emitter, x, emitter.index(width));
  result.isStored = inRow;
  if (!whole) {
    result.isStored = isLess(emitter, y, emitter.index(height));
    if (inRow)
      result.isStored = arith::AndIOp::create(emitter, result.isStored, inRow);
    y = arith::MinUIOp::create(emitter, y, emitter.index(height - 1));
  }
  result.input = locate(y, rowStep, x, columnStep);
  result.output = locate(y, outputStrides[2], x, outputStrides[3]);
  if (residual)
    result.residual = locate(y, residualStrides[2], x, residualStrides[3]);
  return result;
}

void ImageTiles::emitFlat(const Shape &shape, Value tile, const WorkItem &item,
                          Value sample, Value unit, Body body) {
  int64_t size = shape.local * shape.count;
  Value begin = emitter.mul(tile, size);
  // The last tile is moved back to end with the image: addresses of neighbours
  // stay neighbours, which a minimum for each of them would hide.
  Value start = begin;
  if (length % size != 0 && length > size)
    start =
        arith::MinUIOp::create(emitter, begin, emitter.index(length - size));
  auto emitBody = [&] {
    ImageTile result{sample, {}};
    for (int64_t i = 0; i < shape.count; ++i) {
      Value position =
          emitter.add(emitter.add(start, item.local), i * shape.local);
      result.positions.push_back(makeFlatPosition(position));
      if (start != begin) {
        Value own = arith::CmpIOp::create(emitter, arith::CmpIPredicate::uge,
                                          position, begin);
        Value &isStored = result.positions.back().isStored;
        isStored =
            isStored ? arith::AndIOp::create(emitter, isStored, own) : own;
      }
    }
    body(result, unit);
  };
  if (length >= size)
    emitBody();
  else
    emitIf(emitter, isLess(emitter, item.local, emitter.index(length)),
           emitBody);
}

void ImageTiles::emitColumns(const Shape &shape, Value tile,
                             const WorkItem &item, Value sample, Value unit,
                             Body body) {
  int64_t parts = llvm::divideCeil(width, shape.local);
  Value x = emitter.add(emitter.mul(emitter.rem(tile, parts), shape.local),
                        item.local);
  Value y = emitter.mul(emitter.div(tile, parts), shape.count);
  auto emitBody = [&] {
    ImageTile result{sample, {}};
    for (int64_t i = 0; i < shape.count; ++i)
      result.positions.push_back(
          makePosition(emitter.add(y, i), x, height % shape.count == 0));
    body(result, unit);
  };
  if (width % shape.local == 0 || overruns)
    emitBody();
  else
    emitIf(emitter, isLess(emitter, x, emitter.index(width)), emitBody);
}

void ImageTiles::launchOver(StringRef name, int64_t units, int64_t rows,
                            int64_t weightBytes, Body body) {
  Shape shape = chooseShape(units, rows);
  // What runs at the same time shares what does not change from group to group:
  // the inputs of a tile, or the weights of a unit. The other one is read again
  // each time.
  bool unitsFirst = units > static_cast<int64_t>(op.getGroups()) &&
                    shape.tiles * weightBytes <= units * inputBytes;
  Grid grid{(unitsFirst ? units : shape.tiles) * shape.local,
            unitsFirst ? shape.tiles : units, samples, shape.local};
  launchAll(emitter, name, grid, [&](const WorkItem &item) {
    Value tile = unitsFirst ? item.y : item.group;
    Value unit = unitsFirst ? item.group : item.y;
    if (flat)
      emitFlat(shape, tile, item, item.z, unit, body);
    else
      emitColumns(shape, tile, item, item.z, unit, body);
  });
}

Value ImageTiles::getOrigin(const ImageTile &tile) {
  if (samples == 1)
    return emitter.index(0);
  return emitter.mul(tile.sample, inputStrides[0]);
}

Value ImageTiles::getElement(ArrayRef<int64_t> strides, const ImageTile &tile,
                             Value row, Value position) {
  Value origin = emitter.mul(row, strides[1]);
  if (samples > 1)
    origin = emitter.add(origin, emitter.mul(tile.sample, strides[0]));
  return emitter.add(origin, position);
}

Value ImageTiles::loadOutput(const ImageTile &tile, Value row,
                             const ImagePosition &at) {
  auto load = [&]() -> Value {
    return emitter.load(output,
                        getElement(outputStrides, tile, row, at.output));
  };
  if (!at.isStored)
    return load();
  // What another work-item stores may change while it is loaded.
  auto choice = scf::IfOp::create(emitter, TypeRange(emitter.typeOf(1)),
                                  at.isStored, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(emitter);
  emitter.setInsertionPointToStart(choice.thenBlock());
  scf::YieldOp::create(emitter, load());
  emitter.setInsertionPointToStart(choice.elseBlock());
  scf::YieldOp::create(emitter, emitter.constant(0, 1));
  return choice.getResult(0);
}

void ImageTiles::storeOutput(Value value, const ImageTile &tile, Value row,
                             const ImagePosition &at) {
  auto store = [&] {
    emitter.store(value, output,
                  getElement(outputStrides, tile, row, at.output));
  };
  if (at.isStored)
    emitIf(emitter, at.isStored, store);
  else
    store();
}

void ImageTiles::finish(Value sum, const ImageTile &tile, Value row,
                        const ImagePosition &at) {
  if (residual) {
    Value from = getElement(residualStrides, tile, row, at.residual);
    sum = arith::AddFOp::create(emitter, sum, emitter.load(residual, from));
  }
  sum = buildActivation(emitter, emitter.getLoc(), op.getActivationAttr(), sum);
  if (at.isInImage)
    sum = arith::SelectOp::create(emitter, at.isInImage, sum,
                                  emitter.constant(0, 1));
  storeOutput(sum, tile, row, at);
}

void ImageTiles::launchGaps() {
  int64_t gap = pitch - width;
  if ((flat && height > 1 && inputPitch == 0) || op.getGaps() != Gaps::Zero ||
      gap <= 0)
    return;
  auto type = cast<MemRefType>(op.getInit().getType());
  Grid grid{gap, height, type.getDimSize(1) * samples, getGroupSize(gap)};
  launch(emitter, "gaps", grid, [&](const WorkItem &item) {
    Value channel = emitter.rem(item.z, type.getDimSize(1));
    Value sample = emitter.div(item.z, type.getDimSize(1));
    Value at = emitter.add(emitter.mul(sample, outputStrides[0]),
                           emitter.mul(channel, outputStrides[1]));
    at = emitter.add(at, emitter.add(emitter.mul(item.y, pitch), item.x));
    emitter.store(emitter.constant(0, 1), output, emitter.add(at, width));
  });
}
