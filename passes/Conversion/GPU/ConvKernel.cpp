//===- ConvKernel.cpp - Convolutions as kernels ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A work-item computes the rows of one group of the packed weights at a few
// positions of the image. Work-items of a group are neighbouring positions, so
// they load neighbouring inputs, and all of them load the same weights and
// indices. Groups of the weights are the third dimension of the grid.
//
// Where a position of the input's layout is one of the output, positions are
// flat and a work-item has several of them, a work-group's size apart. Else the
// grid has columns and rows of the image, and a work-item one position.
//
// Rows that are sums of several groups are added up in the output: a work-item
// runs all groups that share rows, one after the other, at its position.
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/ActivationToArith.h"
#include "passes/Conversion/GPU/Kernels.h"
#include "passes/Conversion/Loops/ImageRows.h"
#include "passes/Conversion/Loops/InputLayout.h"
#include "passes/Conversion/Loops/Kernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::gpu_kernels;
using namespace mlir::bcr::loops;

/// Accumulators of a work-item: enough to hide the latency of a multiply-add,
/// few enough for the registers of a phone's GPU at full occupancy.
static constexpr int64_t kAccumulators = 16;

/// Positions of a work-item at most.
static constexpr int64_t kMaxPositions = 4;

namespace {
class ConvKernel {
public:
  ConvKernel(Conv2DOp op, const KernelPlan &plan, InputLayout layout,
             const KernelOptions &options, Emitter &emitter);
  void emit(ElementsAttr values);

private:
  /// A position of the image.
  struct Position {
    /// From the first element of a channel of the input, of the output and of
    /// the residual.
    Value input, output, residual;
    /// Whether it is in the image and not between two rows; null: it is.
    Value inImage;
  };
  /// The positions of a work-item, in one sample.
  struct Tile {
    Value sample;
    SmallVector<Position> positions;
  };
  /// Launches a kernel over all positions, all samples and `units`.
  void launchOver(StringRef name, int64_t units, int64_t height,
                  llvm::function_ref<void(const Tile &, Value unit)> body);
  void launchFlat(StringRef name, int64_t units, int64_t height,
                  llvm::function_ref<void(const Tile &, Value unit)> body);
  Position makeFlatPosition(Value position);

  void emitGroups(size_t classIndex);
  void emitSharedRows();
  void emitEmptyRows();
  SmallVector<Value> multiply(const KernelClass &entry,
                              const GroupValues &group, const Tile &tile,
                              ValueRange sums);
  Value getBias(Value row);
  /// Position in the flat output or residual of `position` of a channel.
  Value getElement(ArrayRef<int64_t> strides, const Tile &tile, Value row,
                   Value position);
  /// Residual, activation and store of a sum.
  void finish(const Tile &tile, Value row, const Position &position, Value sum);

  Conv2DOp op;
  const KernelPlan &plan;
  InputLayout layout;
  KernelOptions options;
  Emitter &emitter;
  int64_t samples, height, width;
  /// Elements between two rows of a flat output.
  int64_t pitch = 0;
  bool flat = false;
  /// Flat positions.
  int64_t length = 0;
  SmallVector<int64_t> inputStrides, outputStrides, residualStrides;
  Value input, output, residual;
  std::optional<PlanConstants> constants;
};
} // namespace

ConvKernel::ConvKernel(Conv2DOp op, const KernelPlan &plan, InputLayout layout,
                       const KernelOptions &options, Emitter &emitter)
    : op(op), plan(plan), layout(std::move(layout)), options(options),
      emitter(emitter) {
  auto type = cast<MemRefType>(op.getInit().getType());
  samples = type.getDimSize(0);
  height = type.getDimSize(2);
  width = type.getDimSize(3);
  inputStrides = *getKnownStrides(op.getInput());
  outputStrides = *getKnownStrides(op.getInit());
  if (op.getResidual())
    residualStrides = *getKnownStrides(op.getResidual());
  std::optional<int64_t> rows = getImagePitch(op.getInit());
  if (!rows)
    return;
  pitch = *rows;
  int64_t gap = pitch - width;
  // Inputs of positions between the rows are read as well.
  int64_t slack = (op.getKernel()[1] - 1) * op.getDilations()[1];
  bool readable = gap == 0 || static_cast<int64_t>(op.getOverread()) >=
                                  gap - std::min(gap, slack);
  flat = readable && this->layout.getRowStep() == pitch &&
         this->layout.getColumnStep() == 1 &&
         (!op.getResidual() || getImagePitch(op.getResidual()) == pitch);
  length = height * pitch;
  if (op.getGaps() != Gaps::Zero)
    length -= gap;
}

ConvKernel::Position ConvKernel::makeFlatPosition(Value position) {
  Position result{position, position, position, Value()};
  if (pitch > width && op.getGaps() != Gaps::Free)
    result.inImage =
        isLess(emitter, emitter.rem(position, pitch), emitter.index(width));
  return result;
}

void ConvKernel::launchFlat(
    StringRef name, int64_t units, int64_t rows,
    llvm::function_ref<void(const Tile &, Value unit)> body) {
  int64_t local = getGroupSize(length);
  int64_t count = std::clamp<int64_t>(kAccumulators / rows, 1, kMaxPositions);
  // A group of few work-items leaves compute units without work.
  count = std::clamp<int64_t>(length / (2 * local), 1, count);
  int64_t perGroup = local * count;
  int64_t groups = llvm::divideCeil(length, perGroup);
  Grid grid{groups * local, samples, units, local};
  launchAll(emitter, name, grid, [&](const WorkItem &item) {
    Value first = emitter.add(emitter.mul(item.group, perGroup), item.local);
    auto whole = [&] {
      Tile tile{item.y, {}};
      for (int64_t i = 0; i < count; ++i)
        tile.positions.push_back(
            makeFlatPosition(emitter.add(first, i * local)));
      body(tile, item.z);
    };
    if (length % perGroup == 0)
      return whole();
    Value last = emitter.index(length / perGroup);
    if (length >= perGroup)
      emitIf(emitter, isLess(emitter, item.group, last), whole);
    auto rest = [&] {
      for (int64_t begin = 0; begin < length % perGroup; begin += local) {
        Value position = emitter.add(first, begin);
        emitIf(emitter, isLess(emitter, position, emitter.index(length)), [&] {
          body(Tile{item.y, {makeFlatPosition(position)}}, item.z);
        });
      }
    };
    emitIf(emitter,
           arith::CmpIOp::create(emitter, arith::CmpIPredicate::eq, item.group,
                                 last),
           rest);
  });
}

void ConvKernel::launchOver(
    StringRef name, int64_t units, int64_t rows,
    llvm::function_ref<void(const Tile &, Value unit)> body) {
  if (flat)
    return launchFlat(name, units, rows, body);
  Grid grid{width, height, units * samples, getGroupSize(width)};
  launch(emitter, name, grid, [&](const WorkItem &item) {
    Position position;
    position.input = emitter.add(emitter.mul(item.y, layout.getRowStep()),
                                 emitter.mul(item.x, layout.getColumnStep()));
    auto locate = [&](ArrayRef<int64_t> strides) {
      return emitter.add(emitter.mul(item.y, strides[2]),
                         emitter.mul(item.x, strides[3]));
    };
    position.output = locate(outputStrides);
    if (op.getResidual())
      position.residual = locate(residualStrides);
    body(Tile{samples == 1 ? emitter.index(0) : emitter.div(item.z, units),
              {position}},
         samples == 1 ? item.z : emitter.rem(item.z, units));
  });
}

Value ConvKernel::getBias(Value row) {
  if (!op.getBias())
    return emitter.constant(0, 1);
  return emitter.load(op.getBias(), row);
}

Value ConvKernel::getElement(ArrayRef<int64_t> strides, const Tile &tile,
                             Value row, Value position) {
  Value origin = emitter.mul(row, strides[1]);
  if (samples > 1)
    origin = emitter.add(origin, emitter.mul(tile.sample, strides[0]));
  return emitter.add(origin, position);
}

void ConvKernel::finish(const Tile &tile, Value row, const Position &position,
                        Value sum) {
  if (residual) {
    Value at = getElement(residualStrides, tile, row, position.residual);
    sum = arith::AddFOp::create(emitter, sum, emitter.load(residual, at));
  }
  sum = buildActivation(emitter, emitter.getLoc(), op.getActivationAttr(), sum);
  Value at = getElement(outputStrides, tile, row, position.output);
  if (!position.inImage) {
    emitter.store(sum, output, at);
  } else if (op.getGaps() == Gaps::Zero) {
    Value kept = arith::SelectOp::create(emitter, position.inImage, sum,
                                         emitter.constant(0, 1));
    emitter.store(kept, output, at);
  } else {
    emitIf(emitter, position.inImage, [&] { emitter.store(sum, output, at); });
  }
}

SmallVector<Value> ConvKernel::multiply(const KernelClass &entry,
                                        const GroupValues &group,
                                        const Tile &tile, ValueRange sums) {
  size_t count = tile.positions.size();
  Value origin = emitter.mul(group.convGroup, layout.getConvGroupStride());
  if (samples > 1)
    origin = emitter.add(origin, emitter.mul(tile.sample, inputStrides[0]));
  return constants->reduceColumns(
      emitter, entry, group, origin, sums, /*manyColumns=*/false,
      [&](Value at, Value first, MutableArrayRef<Value> next) {
        SmallVector<Value> inputs;
        for (const Position &position : tile.positions)
          inputs.push_back(
              emitter.load(input, emitter.add(at, position.input)));
        SmallVector<Value> weights = loadWeights(
            emitter, options, constants->getValues(), first, entry.height);
        for (auto [r, weight] : llvm::enumerate(weights))
          for (auto [i, value] : llvm::enumerate(inputs)) {
            Value &sum = next[r * count + i];
            sum = emitter.multiplyAdd(weight, value, sum);
          }
      });
}

void ConvKernel::emitGroups(size_t classIndex) {
  const KernelClass &entry = plan.classes[classIndex];
  int64_t count = entry.bounds.back() - entry.bounds.front();
  launchOver(op.getLayer().value_or("conv"), count, entry.height,
             [&](const Tile &tile, Value unit) {
               GroupValues group = constants->getGroup(
                   emitter, entry, emitter.add(unit, entry.bounds.front()));
               SmallVector<Value> rows, sums;
               for (int64_t r = 0; r < entry.height; ++r) {
                 rows.push_back(constants->getRow(emitter, entry, group, r));
                 sums.append(tile.positions.size(), getBias(rows.back()));
               }
               sums = multiply(entry, group, tile, sums);
               for (auto [r, row] : llvm::enumerate(rows))
                 for (auto [i, position] : llvm::enumerate(tile.positions))
                   finish(tile, row, position,
                          sums[r * tile.positions.size() + i]);
             });
}

void ConvKernel::emitSharedRows() {
  int64_t tallest = 1;
  for (const KernelClass &entry : plan.classes)
    if (entry.accumulate)
      tallest = std::max(tallest, entry.height);
  launchOver(
      op.getLayer().value_or("conv"), plan.getNumChunks(), tallest,
      [&](const Tile &tile, Value chunk) {
        auto forEachSum =
            [&](llvm::function_ref<void(Value, const Position &)> each) {
              constants->forEachAccumulated(
                  emitter, chunk, [&](Value, Value row) {
                    for (const Position &position : tile.positions)
                      each(row, position);
                  });
            };
        forEachSum([&](Value row, const Position &position) {
          emitter.store(getBias(row), output,
                        getElement(outputStrides, tile, row, position.output));
        });
        for (size_t index = 0; index < plan.classes.size(); ++index) {
          const KernelClass &entry = plan.classes[index];
          if (!entry.accumulate)
            continue;
          constants->forEachGroup(
              emitter, index, chunk, [&](const GroupValues &group) {
                SmallVector<Value> elements, sums;
                for (int64_t r = 0; r < entry.height; ++r) {
                  Value row = constants->getRow(emitter, entry, group, r);
                  for (const Position &position : tile.positions) {
                    elements.push_back(
                        getElement(outputStrides, tile, row, position.output));
                    sums.push_back(emitter.load(output, elements.back()));
                  }
                }
                sums = multiply(entry, group, tile, sums);
                for (auto [sum, element] : llvm::zip_equal(sums, elements))
                  emitter.store(sum, output, element);
              });
        }
        forEachSum([&](Value row, const Position &position) {
          Value at = getElement(outputStrides, tile, row, position.output);
          finish(tile, row, position, emitter.load(output, at));
        });
      });
}

void ConvKernel::emitEmptyRows() {
  int64_t count = plan.empty.size();
  launchOver(op.getLayer().value_or("conv"), count, /*height=*/1,
             [&](const Tile &tile, Value unit) {
               Value row = constants->getEmptyRow(emitter, unit);
               for (const Position &position : tile.positions)
                 finish(tile, row, position, getBias(row));
             });
}

void ConvKernel::emit(ElementsAttr values) {
  constants.emplace(emitter, op, plan, layout.getOffsets(), values);
  input = flatten(emitter, op.getInput(), op.getOverread());
  int64_t gap = pitch > width ? pitch - width : 0;
  output = flatten(emitter, op.getInit(), op.getGaps() ? gap : int64_t(0));
  if (op.getResidual())
    residual = flatten(emitter, op.getResidual(), flat ? gap : int64_t(0));
  for (auto [index, entry] : llvm::enumerate(plan.classes))
    if (!entry.accumulate)
      emitGroups(index);
  if (plan.hasAccumulated())
    emitSharedRows();
  if (!plan.empty.empty())
    emitEmptyRows();
  if (flat || op.getGaps() != Gaps::Zero || gap == 0)
    return;
  // The gaps of an image that is not walked as one range.
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

SmallVector<Value> gpu_kernels::loadWeights(Emitter &emitter,
                                            const KernelOptions &options,
                                            Value values, Value first,
                                            int64_t count) {
  int64_t width = count % options.weightVector == 0 ? options.weightVector : 1;
  SmallVector<Value> weights;
  for (int64_t i = 0; i < count; i += width) {
    Value loaded = emitter.load(values, emitter.add(first, i), width);
    if (width == 1)
      weights.push_back(loaded);
    for (int64_t j = 0; width > 1 && j < width; ++j)
      weights.push_back(vector::ExtractOp::create(emitter, loaded, j));
  }
  return weights;
}

Value gpu_kernels::emitPadding(Conv2DOp op, Emitter &emitter) {
  auto type = cast<MemRefType>(op.getInput().getType());
  ArrayRef<int64_t> padding = op.getPadding();
  SmallVector<int64_t> shape(type.getShape());
  shape[2] += padding[0] + padding[2];
  shape[3] += padding[1] + padding[3];
  Value padded = emitter.allocate(shape);
  Grid grid{shape[3], shape[2], shape[0] * shape[1], getGroupSize(shape[3])};
  launch(emitter, (op.getLayer().value_or("conv") + ".padding").str(), grid,
         [&](const WorkItem &item) {
           Value channel = emitter.rem(item.z, shape[1]);
           Value sample = emitter.div(item.z, shape[1]);
           // Coordinates before the image are large as unsigned numbers.
           Value y = emitter.sub(item.y, emitter.index(padding[0]));
           Value x = emitter.sub(item.x, emitter.index(padding[1]));
           Value inside = arith::AndIOp::create(
               emitter, isLess(emitter, y, emitter.index(type.getDimSize(2))),
               isLess(emitter, x, emitter.index(type.getDimSize(3))));
           SmallVector<Value> at = {sample, channel, item.y, item.x};
           emitter.store(emitter.constant(0, 1), padded, at);
           emitIf(emitter, inside, [&] {
             emitter.store(emitter.load(op.getInput(), {sample, channel, y, x}),
                           padded, at);
           });
         });
  op.getInputMutable().assign(padded);
  op.setPadding({0, 0, 0, 0});
  return padded;
}

LogicalResult gpu_kernels::emitConv(Conv2DOp op, ConstantOp weights,
                                    int64_t height,
                                    const KernelOptions &options,
                                    Emitter &emitter) {
  InputLayout layout(op, /*rounding=*/0);
  layout.readInPlace();
  std::vector<int32_t> offsets = layout.getOffsets();
  PlanOptions planOptions;
  planOptions.maxHeight = std::min(height, kAccumulators);
  planOptions.convGroups = op.getGroups();
  planOptions.numberSums = false;
  planOptions.separateSums = true;
  planOptions.offsets = offsets;
  ElementsAttr values;
  FailureOr<KernelPlan> plan = planLayer(op, weights, readStructure(weights),
                                         planOptions, emitter, values);
  if (failed(plan))
    return failure();
  ConvKernel(op, *plan, layout, options, emitter).emit(values);
  return success();
}
