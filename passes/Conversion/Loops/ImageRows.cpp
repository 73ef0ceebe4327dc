//===- ImageRows.cpp - Rows of images in memory ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/LayerReport.h"
#include "passes/Conversion/Loops/Kernel.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

std::optional<int64_t> loops::getImagePitch(Value memref) {
  auto type = cast<MemRefType>(memref.getType());
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(type.getStridesAndOffset(strides, offset)) || strides[3] != 1 ||
      ShapedType::isDynamic(strides[2]))
    return std::nullopt;
  return strides[2];
}

void loops::emitZeroGap(Emitter &emitter, Conv2DOp conv, ValueRange row) {
  auto type = cast<MemRefType>(conv.getInit().getType());
  int64_t width = type.getDimSize(3);
  int64_t gap = *getImagePitch(conv.getInit()) - width;
  SmallVector<Value> indices(row);
  indices.push_back(emitter.index(0));
  for (int64_t i = 0; i < gap; ++i) {
    indices.back() = emitter.index(width + i);
    emitter.store(emitter.constant(0, 1), conv.getInit(), indices);
  }
}

void loops::recordCopies(LayerOpInterface layer, int64_t inputElements,
                         int64_t outputElements) {
  Builder builder(layer.getContext());
  auto bytes = [&](int64_t elements) {
    return builder.getI64IntegerAttr(elements *
                                     static_cast<int64_t>(sizeof(float)));
  };
  setLayerInfo(
      layer,
      {builder.getNamedAttr("input_copy_bytes", bytes(inputElements)),
       builder.getNamedAttr("output_copy_bytes", bytes(outputElements))});
}
