//===- ConvKernel.cpp - Convolutions as kernels ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A work-item computes the rows of one group of the packed weights at a few
// positions of the image. All work-items of a group load the same weights and
// indices, which a device does once for all of them.
//
// Rows that are sums of several groups are added up in the output: a work-item
// runs all groups that share rows, one after the other, at its positions.
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/GPU/ImageTiles.h"
#include "passes/Conversion/GPU/Kernels.h"
#include "passes/Conversion/Loops/Kernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::gpu_kernels;
using namespace mlir::bcr::loops;

/// Rows of a work-item at most.
static constexpr int64_t kMaxRows = 16;

namespace {
class ConvKernel {
public:
  ConvKernel(Conv2DOp op, const KernelPlan &plan, const InputLayout &layout,
             const KernelOptions &options, Emitter &emitter)
      : op(op), plan(plan), layout(layout), options(options), emitter(emitter),
        tiles(op, layout, options, emitter) {}
  void emit(ElementsAttr values);

private:
  void emitGroups(size_t classIndex);
  void emitSharedRows();
  void emitEmptyRows();
  SmallVector<Value> multiply(const KernelClass &entry,
                              const GroupValues &group, const ImageTile &tile,
                              ValueRange sums);
  Value getBias(Value row);
  StringRef getName() { return op.getLayer().value_or("conv"); }
  /// Bytes of the weights of all groups of a class.
  int64_t getWeightBytes(const KernelClass &entry) const;

  Conv2DOp op;
  const KernelPlan &plan;
  const InputLayout &layout;
  KernelOptions options;
  Emitter &emitter;
  ImageTiles tiles;
  std::optional<PlanConstants> constants;
};
} // namespace

Value ConvKernel::getBias(Value row) {
  if (!op.getBias())
    return emitter.constant(0, 1);
  return emitter.load(op.getBias(), row);
}

int64_t ConvKernel::getWeightBytes(const KernelClass &entry) const {
  int64_t columns = plan.columnBegins[entry.bounds.back()] -
                    plan.columnBegins[entry.bounds.front()];
  return 4 * columns * entry.height;
}

SmallVector<Value> ConvKernel::multiply(const KernelClass &entry,
                                        const GroupValues &group,
                                        const ImageTile &tile,
                                        ValueRange sums) {
  size_t count = tile.positions.size();
  Value origin =
      emitter.add(emitter.mul(group.convGroup, layout.getConvGroupStride()),
                  tiles.getOrigin(tile));
  return constants->reduceColumns(
      emitter, entry, group, origin, sums, loops::ColumnTurn::Single,
      [&](Value at, Value first, MutableArrayRef<Value> next) {
        SmallVector<Value> inputs;
        for (const ImagePosition &position : tile.positions)
          inputs.push_back(
              emitter.load(tiles.getInput(), emitter.add(at, position.input)));
        SmallVector<Value> weights = loadWeights(
            emitter, options, constants->getValues(), first, entry.height);
        for (auto [r, weight] : llvm::enumerate(weights))
          for (auto [i, value] : llvm::enumerate(inputs)) {
            Value &sum = next[r * count + i];
            sum = fuseMultiplyAdd(emitter, weight, value, sum);
          }
      });
}

void ConvKernel::emitGroups(size_t classIndex) {
  const KernelClass &entry = plan.classes[classIndex];
  int64_t count = entry.bounds.back() - entry.bounds.front();
  tiles.launchOver(
      getName(), count, entry.height, getWeightBytes(entry),
      [&](const ImageTile &tile, Value unit) {
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
            tiles.finish(sums[r * tile.positions.size() + i], tile, row,
                         position);
      });
}

void ConvKernel::emitSharedRows() {
  int64_t tallest = 1, bytes = 0;
  for (const KernelClass &entry : plan.classes)
    if (entry.accumulate) {
      tallest = std::max(tallest, entry.height);
      bytes += getWeightBytes(entry);
    }
  tiles.launchOver(
      getName(), plan.getNumChunks(), tallest, bytes,
      [&](const ImageTile &tile, Value chunk) {
        auto forEachSum =
            [&](llvm::function_ref<void(Value, const ImagePosition &)> each) {
              constants->forEachAccumulated(
                  emitter, chunk, [&](Value, Value row) {
                    for (const ImagePosition &position : tile.positions)
                      each(row, position);
                  });
            };
        forEachSum([&](Value row, const ImagePosition &position) {
          tiles.storeOutput(getBias(row), tile, row, position);
        });
        constants->forEachSharedGroup(
            emitter, chunk,
            [&](const KernelClass &entry, const GroupValues &group) {
              SmallVector<Value> rows, sums;
              for (int64_t r = 0; r < entry.height; ++r) {
                rows.push_back(constants->getRow(emitter, entry, group, r));
                for (const ImagePosition &position : tile.positions)
                  sums.push_back(tiles.loadOutput(tile, rows.back(), position));
              }
              sums = multiply(entry, group, tile, sums);
              for (auto [r, row] : llvm::enumerate(rows))
                for (auto [i, position] : llvm::enumerate(tile.positions))
                  tiles.storeOutput(sums[r * tile.positions.size() + i], tile,
                                    row, position);
            });
        forEachSum([&](Value row, const ImagePosition &position) {
          tiles.finish(tiles.loadOutput(tile, row, position), tile, row,
                       position);
        });
      });
}

void ConvKernel::emitEmptyRows() {
  tiles.launchOver(getName(), plan.empty.size(), /*rows=*/1, /*weightBytes=*/0,
                   [&](const ImageTile &tile, Value unit) {
                     Value row = constants->getEmptyRow(emitter, unit);
                     for (const ImagePosition &position : tile.positions)
                       tiles.finish(getBias(row), tile, row, position);
                   });
}

void ConvKernel::emit(ElementsAttr values) {
  constants.emplace(emitter, op, plan, layout.getOffsets(), values);
  for (auto [index, entry] : llvm::enumerate(plan.classes))
    if (!entry.accumulate)
      emitGroups(index);
  if (plan.hasAccumulated())
    emitSharedRows();
  if (!plan.empty.empty())
    emitEmptyRows();
  tiles.launchGaps();
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
  // What may be read behind the input is not behind the copy.
  op.setOverread(0);
  return padded;
}

LogicalResult gpu_kernels::emitConv(Conv2DOp op, ConstantOp weights,
                                    int64_t height, const InputLayout &layout,
                                    const KernelOptions &options,
                                    Emitter &emitter) {
  std::vector<int32_t> offsets = layout.getOffsets();
  PlanOptions planOptions;
  planOptions.maxHeight = std::min(height, kMaxRows);
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
