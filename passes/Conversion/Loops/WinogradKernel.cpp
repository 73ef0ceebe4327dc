//===- WinogradKernel.cpp - Fewer products for 3x3 kernels ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// F(4x4, 3x3) with tiles along the vector (Lavin and Gray 2016). The inputs of
// a band of tiles are transformed, channel by channel; then, for each of the 36
// positions of a transformed tile, the products of all channels are a matrix
// product, which runs in registers as in the kernel of output positions; then
// the products are transformed back, output channel by output channel.
//
// Both transforms have two steps with a few rows of pixels in between, which
// stay in the first level of the cache: across the rows, pixel by pixel, and
// along a row, where four columns become one vector each. So neither has more
// than six inputs at a time, images of any layout are read and written where
// they are, and padding and what a last tile lacks are zeros in those rows.
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/WinogradKernel.h"
#include "passes/Analysis/LayerReport.h"
#include "passes/Conversion/ActivationToArith.h"
#include "passes/Conversion/Loops/ImageRows.h"
#include "passes/Conversion/Loops/WinogradTransforms.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <optional>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

/// Weights of more bytes are asked for ahead, by as many of them as in the
/// kernel of rows (Kernel.cpp).
static constexpr int64_t kStreamBytes = 1 << 22;
static constexpr int64_t kPrefetchDistance = 2048;

namespace {
class WinogradKernel {
public:
  WinogradKernel(Conv2DOp op, const WinogradTiles &tiles, Emitter &emitter);

  /// `sharesBands`: threads work on one band together.
  void emit(ElementsAttr values, bool sharesBands);

private:
  /// A band of one sample.
  struct Band {
    Value sample;
    Value firstRow;
    /// Rows of tiles.
    Value numRows;
    /// Transformed inputs: (position, channel, tile).
    Value inputs;
  };

  Band getBand(Value index, Value inputs);
  /// The rows of pixels of a row of tiles, zeros at first.
  Value makeInputRows();
  void emitInputs(const Band &band, Value channel, Value pixels);
  /// Transforms across six rows of the image, beginning with row `first`.
  void emitInputRows(const Band &band, Value channel, Value first,
                     Value pixels);
  void emitProducts(const Band &band, Value pass, Value products);
  void emitOutputs(const Band &band, Value pass, Value products, Value pixels);
  /// Transforms to `count` rows of the result, beginning with row `first`.
  void emitOutputRows(const Band &band, Value row, Value first, int64_t count,
                      Value pixels);
  void emitPass(const Band &band, Value pass, Value products, Value pixels) {
    emitProducts(band, pass, products);
    emitOutputs(band, pass, products, pixels);
  }
  void select(Value condition, llvm::function_ref<void()> yes,
              llvm::function_ref<void()> no);
  /// Whether the weights come from beyond the caches of a core.
  bool prefetches() const { return 4 * tiles.getNumWeights() >= kStreamBytes; }
  Value allocateProducts();
  Value allocateOutputRows();

  Conv2DOp op;
  const WinogradTiles &tiles;
  Emitter &emitter;
  int64_t inputHeight, inputWidth, height, width;
  Value weights;
};
} // namespace

WinogradKernel::WinogradKernel(Conv2DOp op, const WinogradTiles &tiles,
                               Emitter &emitter)
    : op(op), tiles(tiles), emitter(emitter) {
  auto input = cast<MemRefType>(op.getInput().getType());
  auto init = cast<MemRefType>(op.getInit().getType());
  inputHeight = input.getDimSize(2);
  inputWidth = input.getDimSize(3);
  height = init.getDimSize(2);
  width = init.getDimSize(3);
}

void WinogradKernel::select(Value condition, llvm::function_ref<void()> yes,
                            llvm::function_ref<void()> no) {
  auto branch = scf::IfOp::create(emitter, condition, /*withElse=*/true);
  OpBuilder::InsertionGuard guard(emitter);
  emitter.setInsertionPointToStart(branch.thenBlock());
  yes();
  emitter.setInsertionPointToStart(branch.elseBlock());
  no();
}

WinogradKernel::Band WinogradKernel::getBand(Value index, Value inputs) {
  int64_t bands = tiles.getNumBands();
  Band band;
  band.sample = emitter.div(index, bands);
  band.firstRow = emitter.mul(emitter.rem(index, bands), tiles.bandRows);
  band.numRows = emitter.index(tiles.bandRows);
  if (tiles.tileRows % tiles.bandRows != 0)
    band.numRows = emitter.createOrFold<arith::MinSIOp>(
        band.numRows,
        emitter.sub(emitter.index(tiles.tileRows), band.firstRow));
  band.inputs = inputs;
  return band;
}

Value WinogradKernel::makeInputRows() {
  int64_t elements = kWinogradReach * tiles.getInputPitch();
  Value pixels = emitter.allocate({elements});
  emitter.coverRange(elements, tiles.lanes, [&](Value at, int64_t count) {
    emitter.store(emitter.constant(0, count), pixels, at);
  });
  return pixels;
}

Value WinogradKernel::allocateProducts() {
  return emitter.allocate({tiles.getProductBytes() / 4});
}

Value WinogradKernel::allocateOutputRows() {
  return emitter.allocate({kWinogradReach * tiles.getOutputPitch()});
}

void WinogradKernel::emitInputRows(const Band &band, Value channel, Value first,
                                   Value pixels) {
  int64_t left = op.getPadding()[1], lanes = tiles.lanes;
  auto emitColumns = [&](bool atEdge) {
    SmallVector<Value> rows, isInside;
    Value none = emitter.index(0), last = emitter.index(inputHeight - 1);
    for (int64_t i = 0; i < kWinogradReach; ++i) {
      Value row = emitter.add(first, i);
      if (atEdge) {
        isInside.push_back(arith::CmpIOp::create(emitter,
                                                 arith::CmpIPredicate::ult, row,
                                                 emitter.index(inputHeight)));
        row = arith::MaxSIOp::create(
            emitter, arith::MinSIOp::create(emitter, row, last), none);
      }
      rows.push_back(row);
    }
    auto emitPiece = [&](Value column, int64_t count, int64_t zeros) {
      SmallVector<Value> loaded;
      for (auto [i, row] : llvm::enumerate(rows)) {
        Value value = emitter.load(op.getInput(),
                                   {band.sample, channel, row, column}, count);
        Value none = emitter.constant(0, count);
        if (atEdge)
          value = arith::SelectOp::create(emitter, isInside[i], value, none);
        loaded.push_back(shiftLanes(emitter, none, value, zeros));
      }
      Value at = emitter.add(column, left - zeros);
      for (auto [i, value] : llvm::enumerate(transformInput(emitter, loaded)))
        emitter.store(
            value, pixels,
            emitter.add(at, static_cast<int64_t>(i) * tiles.getInputPitch()));
    };
    // The first vector has the padding too: then the others, which are loaded
    // again at once, are stored to whole cache lines.
    int64_t begin = 0;
    if (left > 0 && left < lanes && inputWidth >= lanes) {
      emitPiece(emitter.index(0), lanes, left);
      begin = lanes - left;
    }
    emitter.coverRange(inputWidth - begin, lanes,
                       [&](Value column, int64_t count) {
                         emitPiece(emitter.add(column, begin), count, 0);
                       });
  };
  int64_t top = op.getPadding()[0];
  int64_t end = (tiles.tileRows - 1) * kWinogradTile - top + kWinogradReach;
  if (top == 0 && end <= inputHeight)
    return emitColumns(/*atEdge=*/false);
  if (inputHeight < kWinogradReach)
    return emitColumns(/*atEdge=*/true);
  // Negative rows are large unsigned ones.
  Value inside =
      arith::CmpIOp::create(emitter, arith::CmpIPredicate::ult, first,
                            emitter.index(inputHeight - kWinogradReach + 1));
  select(
      inside, [&] { emitColumns(/*atEdge=*/false); },
      [&] { emitColumns(/*atEdge=*/true); });
}

void WinogradKernel::emitInputs(const Band &band, Value channel, Value pixels) {
  int64_t lanes = tiles.getTransformWidth();
  Value base = emitter.mul(channel, tiles.getTileStride());
  emitter.loop(emitter.index(0), band.numRows, 1, [&](Value tileRow) {
    Value first = emitter.sub(
        emitter.mul(emitter.add(band.firstRow, tileRow), kWinogradTile),
        emitter.index(op.getPadding()[0]));
    emitInputRows(band, channel, first, pixels);
    Value begin = emitter.add(base, emitter.mul(tileRow, tiles.tileColumns));
    emitter.loop(kWinogradReach, [&](Value i) {
      Value row = emitter.mul(i, tiles.getInputPitch());
      Value out = emitter.add(
          begin, emitter.mul(i, kWinogradReach * tiles.getInputStride()));
      emitter.loop(tiles.getTransforms(), [&](Value part) {
        Value at = emitter.add(row, emitter.mul(part, kWinogradTile * lanes));
        SmallVector<Value> columns =
            loadTileColumns(emitter, pixels, at, lanes);
        Value tile = emitter.add(out, emitter.mul(part, lanes));
        for (auto [j, value] :
             llvm::enumerate(transformInput(emitter, columns)))
          emitter.store(value, band.inputs,
                        emitter.add(tile, j * tiles.getInputStride()));
      });
    });
  });
}

void WinogradKernel::emitProducts(const Band &band, Value pass,
                                  Value products) {
  int64_t lanes = tiles.lanes, blockSize = tiles.channels * tiles.height;
  int64_t total = tiles.getBandVectors();
  auto emitTile = [&](Value position, Value block, Value firstVector,
                      int64_t vectors, int64_t rest) {
    Value tile = emitter.mul(firstVector, lanes);
    Value input =
        emitter.add(emitter.mul(position, tiles.getInputStride()), tile);
    Value weight = emitter.mul(
        emitter.add(
            emitter.mul(
                emitter.add(emitter.mul(pass, kWinogradPositions), position),
                tiles.blocksPerPass),
            block),
        blockSize);
    SmallVector<Value> sums(tiles.height * vectors, emitter.constant(0, lanes));
    sums.append(rest, emitter.constant(0, tiles.height));
    sums = emitter.reduce(
        emitter.index(0), emitter.index(tiles.channels), 1, sums,
        [&](Value channel, ValueRange before) {
          SmallVector<Value> next(before);
          Value at =
              emitter.add(input, emitter.mul(channel, tiles.getTileStride()));
          SmallVector<Value> loaded;
          for (int64_t v = 0; v < vectors; ++v)
            loaded.push_back(
                emitter.load(band.inputs, emitter.add(at, v * lanes), lanes));
          Value factorsAt =
              emitter.add(weight, emitter.mul(channel, tiles.height));
          if (prefetches())
            memref::PrefetchOp::create(
                emitter, weights, emitter.add(factorsAt, kPrefetchDistance),
                /*isWrite=*/false, /*localityHint=*/3, /*isDataCache=*/true);
          Factors factors(emitter, weights, factorsAt, tiles.height, lanes);
          for (int64_t r = 0; r < tiles.height; ++r) {
            Value factor = factors.get(r);
            for (int64_t v = 0; v < vectors; ++v) {
              Value &sum = next[r * vectors + v];
              sum = emitter.multiplyAdd(factor, loaded[v], sum);
            }
          }
          for (int64_t i = 0; i < rest; ++i) {
            Value &sum = next[tiles.height * vectors + i];
            Value factor = emitter.load(weights, factorsAt, tiles.height);
            Value scalar =
                emitter.load(band.inputs, emitter.add(at, vectors * lanes + i));
            sum = emitter.multiplyAdd(emitter.broadcast(scalar, tiles.height),
                                      factor, sum);
          }
          return next;
        });
    Value out = emitter.add(
        emitter.add(emitter.mul(position, tiles.getProductStride()),
                    emitter.mul(block, tiles.height * tiles.getTileStride())),
        tile);
    for (int64_t r = 0; r < tiles.height; ++r)
      for (int64_t v = 0; v < vectors; ++v)
        emitter.store(sums[r * vectors + v], products,
                      emitter.add(out, r * tiles.getTileStride() + v * lanes));
    for (int64_t i = 0; i < rest; ++i) {
      Value rows = sums[tiles.height * vectors + i];
      for (int64_t r = 0; r < tiles.height; ++r)
        emitter.store(
            vector::ExtractOp::create(emitter, rows, r), products,
            emitter.add(out, r * tiles.getTileStride() + vectors * lanes + i));
    }
  };
  emitter.loop(kWinogradPositions, [&](Value position) {
    emitter.loop(tiles.blocksPerPass, [&](Value block) {
      // The last register tile has the vectors that are left, and takes the
      // rest of the tiles with it.
      int64_t left = total % tiles.vectors, rest = tiles.getRestTiles();
      int64_t last = left == 0 && rest > 0 ? tiles.vectors : left;
      emitter.loop((total - last) / tiles.vectors, [&](Value group) {
        emitTile(position, block, emitter.mul(group, tiles.vectors),
                 tiles.vectors, /*rest=*/0);
      });
      if (last > 0)
        emitTile(position, block, emitter.index(total - last), last, rest);
    });
  });
}

void WinogradKernel::emitOutputRows(const Band &band, Value row, Value first,
                                    int64_t count, Value pixels) {
  Value bias;
  if (op.getBias())
    bias = emitter.load(op.getBias(), row);
  emitter.coverRange(width, tiles.lanes, [&](Value column, int64_t lanes) {
    SmallVector<Value> loaded;
    for (int64_t i = 0; i < kWinogradReach; ++i)
      loaded.push_back(emitter.load(
          pixels, emitter.add(column, i * tiles.getOutputPitch()), lanes));
    SmallVector<Value> sums = transformOutput(emitter, loaded);
    for (int64_t i = 0; i < count; ++i) {
      SmallVector<Value> indices = {band.sample, row, emitter.add(first, i),
                                    column};
      Value value = sums[i];
      if (bias)
        value = arith::AddFOp::create(emitter, value,
                                      emitter.broadcast(bias, lanes));
      if (op.getResidual())
        value = arith::AddFOp::create(
            emitter, value, emitter.load(op.getResidual(), indices, lanes));
      emitter.store(buildActivation(emitter, emitter.getLoc(),
                                    op.getActivationAttr(), value),
                    op.getInit(), indices);
    }
  });
  if (op.getGaps() == Gaps::Zero)
    for (int64_t i = 0; i < count; ++i)
      emitZeroGap(emitter, op, {band.sample, row, emitter.add(first, i)});
}

void WinogradKernel::emitOutputs(const Band &band, Value pass, Value products,
                                 Value pixels) {
  int64_t lanes = tiles.getTransformWidth();
  int64_t rowsPerPass = tiles.blocksPerPass * tiles.height;
  Value firstChannel = emitter.mul(pass, rowsPerPass);
  Value numChannels = emitter.createOrFold<arith::MinSIOp>(
      emitter.index(rowsPerPass),
      emitter.sub(emitter.index(tiles.rows), firstChannel));
  emitter.loop(emitter.index(0), numChannels, 1, [&](Value channel) {
    Value base = emitter.mul(channel, tiles.getTileStride());
    emitter.loop(emitter.index(0), band.numRows, 1, [&](Value tileRow) {
      Value begin = emitter.add(base, emitter.mul(tileRow, tiles.tileColumns));
      emitter.loop(kWinogradReach, [&](Value i) {
        Value in = emitter.add(
            begin, emitter.mul(i, kWinogradReach * tiles.getProductStride()));
        Value row = emitter.mul(i, tiles.getOutputPitch());
        emitter.loop(tiles.getTransforms(), [&](Value part) {
          Value tile = emitter.add(in, emitter.mul(part, lanes));
          SmallVector<Value> loaded;
          for (int64_t j = 0; j < kWinogradReach; ++j)
            loaded.push_back(emitter.load(
                products, emitter.add(tile, j * tiles.getProductStride()),
                lanes));
          storeTileColumns(
              emitter, transformOutput(emitter, loaded), pixels,
              emitter.add(row, emitter.mul(part, kWinogradTile * lanes)));
        });
      });
      Value outputChannel = emitter.add(firstChannel, channel);
      Value tileRowOfImage = emitter.add(band.firstRow, tileRow);
      Value first = emitter.mul(tileRowOfImage, kWinogradTile);
      int64_t rest = height % kWinogradTile;
      if (rest == 0)
        return emitOutputRows(band, outputChannel, first, kWinogradTile,
                              pixels);
      if (tiles.tileRows == 1)
        return emitOutputRows(band, outputChannel, first, rest, pixels);
      Value whole = arith::CmpIOp::create(emitter, arith::CmpIPredicate::ult,
                                          tileRowOfImage,
                                          emitter.index(tiles.tileRows - 1));
      select(
          whole,
          [&] {
            emitOutputRows(band, outputChannel, first, kWinogradTile, pixels);
          },
          [&] { emitOutputRows(band, outputChannel, first, rest, pixels); });
    });
  });
}

void WinogradKernel::emit(ElementsAttr values, bool sharesBands) {
  recordCopies(emitter, op, /*inputElements=*/0, /*outputElements=*/0);
  LayerReport &report = emitter.getReport();
  report.set(op, "value_bytes",
             emitter.getI64IntegerAttr(4 * tiles.getNumWeights()));
  report.set(op, "index_bytes", emitter.getI64IntegerAttr(0));
  weights = emitter.global("values", values);
  Value samples = emitter.createOrFold<memref::DimOp>(op.getInit(), 0);
  Value bands = emitter.mul(samples, tiles.getNumBands());
  auto allocateInputs = [&] {
    return emitter.allocate({tiles.getInputBytes() / 4});
  };
  if (sharesBands) {
    Value inputs = allocateInputs();
    emitter.loop(emitter.index(0), bands, 1, [&](Value index) {
      Band band = getBand(index, inputs);
      emitter.parallelLoop(emitter.index(tiles.channels), [&](Value channel) {
        Value pixels = makeInputRows();
        emitInputs(band, channel, pixels);
        emitter.deallocate(pixels);
      });
      emitter.parallelLoop(
          emitter.index(tiles.getNumPasses()), [&](Value pass) {
            Value products = allocateProducts(), pixels = allocateOutputRows();
            emitPass(band, pass, products, pixels);
            emitter.deallocate(products);
            emitter.deallocate(pixels);
          });
    });
    emitter.deallocate(inputs);
    return;
  }
  SmallVector<Value> buffers;
  auto allocateBuffers = [&] {
    buffers = {allocateInputs(), makeInputRows(), allocateProducts(),
               allocateOutputRows()};
  };
  auto deallocateBuffers = [&] {
    for (Value buffer : buffers)
      emitter.deallocate(buffer);
  };
  // With one thread, buffers are allocated once.
  bool once = emitter.getThreads() == 1;
  if (once)
    allocateBuffers();
  emitter.parallelLoop(bands, [&](Value index) {
    if (!once)
      allocateBuffers();
    Band band = getBand(index, buffers[0]);
    emitter.loop(tiles.channels,
                 [&](Value channel) { emitInputs(band, channel, buffers[1]); });
    emitter.loop(tiles.getNumPasses(), [&](Value pass) {
      emitPass(band, pass, buffers[2], buffers[3]);
    });
    if (!once)
      deallocateBuffers();
  });
  if (once)
    deallocateBuffers();
}

bool loops::canEmitWinograd(Conv2DOp op) {
  SmallVector<Value> images = {op.getInput(), op.getInit()};
  if (op.getResidual())
    images.push_back(op.getResidual());
  return op.isWinograd() && llvm::all_of(images, [](Value image) {
           return getImagePitch(image).has_value();
         });
}

LogicalResult loops::emitWinogradKernel(Conv2DOp op, ConstantOp weights,
                                        ScheduleAttr schedule,
                                        Emitter &emitter) {
  FailureOr<std::vector<float>> dense = readDense(weights);
  if (failed(dense))
    return op.emitOpError(
        "the values of its weights are a resource without data");
  WinogradTiles tiles(WinogradTiles::getShape(op), schedule);
  // Where bands are few, threads share each of them, by input channels, then by
  // output channels.
  int64_t threads = emitter.getThreads();
  int64_t samples = cast<MemRefType>(op.getInit().getType()).getDimSize(0);
  int64_t bands = std::max<int64_t>(samples, 1) * tiles.getNumBands();
  bool sharesBands = threads > 1 && bands % threads != 0 && bands < 4 * threads;
  if (sharesBands)
    tiles.sharePasses(threads);
  std::vector<float> transformed = transformWeights(*dense, tiles);
  ElementsAttr values = makeFloatElements(
      {tiles.getNumWeights()}, (emitter.getLayerName() + ".values").str(),
      std::move(transformed), op.getContext());
  WinogradKernel(op, tiles, emitter).emit(values, sharesBands);
  return success();
}
