//===- ImageRows.cpp - Rows of images in memory ---------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/ImageRows.h"

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

Value loops::flattenImage(Emitter &emitter, Value memref) {
  if (!memref)
    return Value();
  auto type = cast<MemRefType>(memref.getType());
  int64_t pitch = *getImagePitch(memref);
  if (pitch == type.getDimSize(3)) {
    SmallVector<ReassociationIndices> dimensions = {{0}, {1}, {2, 3}};
    return memref::CollapseShapeOp::create(emitter, memref, dimensions);
  }
  auto metadata = memref::ExtractStridedMetadataOp::create(emitter, memref);
  SmallVector<int64_t> strides;
  int64_t offset;
  (void)type.getStridesAndOffset(strides, offset);
  OpFoldResult samples = metadata.getSizes()[0];
  if (!type.isDynamicDim(0))
    samples = emitter.getIndexAttr(type.getDimSize(0));
  SmallVector<OpFoldResult> sizes = {
      samples, emitter.getIndexAttr(type.getDimSize(1)),
      emitter.getIndexAttr(type.getDimSize(2) * pitch)};
  auto getStride = [&](unsigned i) -> OpFoldResult {
    if (ShapedType::isDynamic(strides[i]))
      return metadata.getStrides()[i];
    return emitter.getIndexAttr(strides[i]);
  };
  SmallVector<OpFoldResult> flatStrides = {getStride(0), getStride(1),
                                           emitter.getIndexAttr(1)};
  OpFoldResult flatOffset = metadata.getOffset();
  if (!ShapedType::isDynamic(offset))
    flatOffset = emitter.getIndexAttr(offset);
  auto flatType = MemRefType::get(
      {type.getDimSize(0), type.getDimSize(1), type.getDimSize(2) * pitch},
      type.getElementType(),
      StridedLayoutAttr::get(emitter.getContext(), offset,
                             {strides[0], strides[1], 1}));
  return memref::ReinterpretCastOp::create(emitter, flatType,
                                           metadata.getBaseBuffer(), flatOffset,
                                           sizes, flatStrides);
}

void loops::emitZeroGap(Emitter &emitter, Conv2DOp conv, ValueRange row) {
  auto type = cast<MemRefType>(conv.getInit().getType());
  int64_t width = type.getDimSize(3), pitch = *getImagePitch(conv.getInit());
  if (pitch == width)
    return;
  // Indices outside the image are none of the view of the image.
  Value flat = flattenImage(emitter, conv.getInit());
  Value begin = emitter.mul(row[2], pitch);
  for (int64_t x = width; x < pitch; ++x)
    emitter.store(emitter.constant(0, 1), flat,
                  {row[0], row[1], emitter.add(begin, x)});
}

DenseElementsAttr loops::makeGapMask(Builder &builder, int64_t length,
                                     int64_t width, int64_t pitch) {
  std::vector<int32_t> mask(length);
  for (int64_t i = 0; i < length; ++i)
    mask[i] = i % pitch < width ? -1 : 0;
  return DenseElementsAttr::get(
      RankedTensorType::get({length}, builder.getI32Type()),
      ArrayRef<int32_t>(mask));
}

void loops::recordCopies(Emitter &emitter, LayerOpInterface layer,
                         int64_t inputElements, int64_t outputElements) {
  auto bytes = [&](int64_t elements) {
    return emitter.getI64IntegerAttr(elements *
                                     static_cast<int64_t>(sizeof(float)));
  };
  emitter.getReport().set(
      layer,
      {emitter.getNamedAttr("input_copy_bytes", bytes(inputElements)),
       emitter.getNamedAttr("output_copy_bytes", bytes(outputElements))});
}
