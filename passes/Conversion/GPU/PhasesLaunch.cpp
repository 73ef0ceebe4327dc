//===- PhasesLaunch.cpp - Inputs of strided convolutions ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// With strides, neighbouring positions read what is not neighbours, which a
// processor loads element by element, for each group of the weights again. A
// copy with a part for each remainder of the coordinates by the strides makes
// neighbours of them, and has the zeros of the padding too.
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/GPU/Kernels.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::gpu_kernels;

Value gpu_kernels::emitPhases(Conv2DOp op, const loops::InputLayout &layout,
                              Emitter &emitter) {
  Value input = op.getInput();
  auto type = cast<MemRefType>(input.getType());
  int64_t samples = type.getDimSize(0), channels = layout.getNumChannels();
  Value copy = emitter.allocate({samples, layout.getNumElements()});
  int64_t pitch = layout.getPitch(), size = layout.getNumRows() * pitch;
  Grid grid{size, samples * channels, 1, getGroupSize(size)};
  std::string name = (op.getLayer().value_or("conv") + ".phases").str();
  launch(emitter, name, grid, [&](const WorkItem &item) {
    Value channel = emitter.rem(item.y, channels);
    Value sample = emitter.div(item.y, channels);
    Value row = emitter.div(item.x, pitch), column = emitter.rem(item.x, pitch);
    Value at =
        emitter.add(emitter.mul(channel, layout.getChannelStride()), item.x);
    auto locate = [&](Value number, unsigned axis, int64_t origin) {
      // Coordinates before the image are large as unsigned numbers.
      return emitter.sub(emitter.mul(number, op.getStrides()[axis]),
                         emitter.index(-origin));
    };
    for (const loops::InputLayout::Part &part : layout.getParts()) {
      Value y = locate(row, 0, part.y), x = locate(column, 1, part.x);
      Value inside = arith::AndIOp::create(
          emitter, isLess(emitter, y, emitter.index(type.getDimSize(2))),
          isLess(emitter, x, emitter.index(type.getDimSize(3))));
      SmallVector<Value> to = {sample, emitter.add(at, part.begin)};
      emitter.store(emitter.constant(0, 1), copy, to);
      emitIf(emitter, inside, [&] {
        emitter.store(emitter.load(input, {sample, channel, y, x}), copy, to);
      });
    }
  });
  op.getInputMutable().assign(copy);
  return copy;
}
