//===- InputLayout.cpp - Where a convolution finds its input --------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/InputLayout.h"
#include "passes/Conversion/Loops/ImageRows.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

/// Channels a multiple of this many elements apart would all lie in the same
/// few sets of a cache.
static constexpr int64_t kBadStride = 1024;

/// Elements of a cache line.
static constexpr int64_t kCacheLine = 16;

/// A copy's rows may be longer than it needs by one part in this many.
static constexpr int64_t kWidening = 8;

InputLayout::InputLayout(Conv2DOp op, int64_t rounding)
    : input(op.getInput()), convGroups(op.getGroups()),
      overread(op.getOverread()), rounding(rounding) {
  auto inputType = cast<MemRefType>(op.getInput().getType());
  channels = inputType.getDimSize(1);
  y = ConvAxis::get(op, 0);
  x = ConvAxis::get(op, 1);
  phasesY = y.getPhases();
  phasesX = x.getPhases();

  SmallVector<int64_t> strides;
  int64_t offset;
  if (succeeded(inputType.getStridesAndOffset(strides, offset)))
    readableInPlace =
        llvm::all_of(op.getPadding(), [](int64_t p) { return p == 0; }) &&
        strides[3] == 1 && !ShapedType::isDynamic(strides[1]) &&
        !ShapedType::isDynamic(strides[2]) && strides[2] >= x.outputs;
  if (readableInPlace) {
    inPlacePitch = strides[2];
    inPlaceStride = strides[1];
  }

  pitch = getPitchOfCopy(op);
  // A copy in the pitch of the output lets results go straight there, for a few
  // positions more.
  std::optional<int64_t> outputPitch = getImagePitch(op.getInit());
  if (!hasStrideOne() && op.getGaps() && outputPitch && *outputPitch > pitch &&
      *outputPitch - pitch <= llvm::divideCeilSigned(pitch, kWidening))
    pitch = *outputPitch;
  windowRows = y.outputs;
  computeStrides();
}

void InputLayout::computeStrides() {
  channelStride = getWindowReach() * pitch;
  if (channelStride % kBadStride == 0)
    channelStride += kCacheLine;
  phaseStride = channels * channelStride;
}

void InputLayout::setWindow(int64_t rows) {
  windowed = true;
  windowRows = rows;
  computeStrides();
}

int64_t InputLayout::getPhaseIndex(int64_t phaseY, int64_t phaseX) const {
  return (llvm::find(phasesY, phaseY) - phasesY.begin()) * phasesX.size() +
         (llvm::find(phasesX, phaseX) - phasesX.begin());
}

SmallVector<InputLayout::Part> InputLayout::getParts() const {
  SmallVector<Part> parts;
  for (int64_t phaseY : phasesY)
    for (int64_t phaseX : phasesX)
      parts.push_back({getPhaseIndex(phaseY, phaseX) * phaseStride,
                       y.getOrigin(phaseY), x.getOrigin(phaseX)});
  return parts;
}

int64_t InputLayout::getOffset(int64_t column) const {
  int64_t tapX = column % x.kernel;
  int64_t tapY = column / x.kernel % y.kernel;
  int64_t channel = column / (x.kernel * y.kernel);
  if (inPlace)
    return channel * channelStride + tapY * y.dilation * pitch +
           tapX * x.dilation;
  return getPhaseIndex(y.getPhase(tapY), x.getPhase(tapX)) * phaseStride +
         channel * channelStride + y.getStep(tapY) * pitch + x.getStep(tapX);
}

std::vector<int32_t> InputLayout::getOffsets() const {
  std::vector<int32_t> offsets;
  for (int64_t column = 0, end = channels / convGroups * y.kernel * x.kernel;
       column < end; ++column)
    offsets.push_back(static_cast<int32_t>(getOffset(column)));
  return offsets;
}

int64_t InputLayout::getSpan(int64_t rows) const {
  return ((rows - 1) * y.stride + (y.kernel - 1) * y.dilation) * pitch + x.size;
}

int64_t InputLayout::getElementsRead(int64_t rows) const {
  if (inPlace) {
    int64_t reach = (rows - 1) * y.stride + (y.kernel - 1) * y.dilation + 1;
    return std::min(reach, rows * y.kernel) * pitch * channels;
  }
  return (rows + y.getStep(y.kernel - 1)) * pitch * channels *
         static_cast<int64_t>(phasesX.size() * phasesY.size());
}

int64_t InputLayout::getNumElements() const {
  // Rows of the last channel run into what follows by the width of the padding
  // and by the rounding of the kernels.
  return phaseStride * phasesX.size() * phasesY.size() + pitch + rounding;
}

Value InputLayout::allocate(Emitter &emitter) const {
  return inPlace ? Value() : emitter.allocate({getNumElements()});
}

void InputLayout::fillZero(Emitter &emitter, Value buffer, Value begin,
                           int64_t length, int64_t lanes) const {
  emitter.coverRange(length, lanes, [&](Value position, int64_t width) {
    emitter.store(emitter.constant(0, width), buffer,
                  emitter.add(begin, position));
  });
}

/// Loads `width` elements of the input that are two apart, as two vectors of
/// neighbours: none of them reaches past the last element that is wanted.
Value InputLayout::loadStrided(Emitter &emitter, ValueRange indices,
                               int64_t width) const {
  if (x.stride == 1 || width == 1)
    return emitter.load(input, indices, width);
  Value low = emitter.load(input, indices, width);
  SmallVector<Value> next(indices);
  next.back() = emitter.add(next.back(), width - 1);
  Value high = emitter.load(input, next, width);
  SmallVector<int64_t> even;
  for (int64_t i = 0; i < width; i += 2)
    even.push_back(i);
  for (int64_t i = 1; i < width; i += 2)
    even.push_back(width + i);
  return vector::ShuffleOp::create(emitter, low, high, even);
}

void InputLayout::fillRow(Emitter &emitter, Value buffer, Value row,
                          int64_t phaseX, ValueRange source,
                          int64_t lanes) const {
  int64_t begin = x.getBegin(phaseX), end = x.getEnd(phaseX);
  fillZero(emitter, buffer, row, begin, lanes);
  bool vectors =
      (x.stride == 1 || (x.stride == 2 && llvm::isPowerOf2_64(lanes))) &&
      hasUnitStride(input);
  emitter.coverRange(
      end - begin, vectors ? lanes : 1, [&](Value position, int64_t width) {
        Value at = emitter.add(emitter.mul(position, x.stride),
                               begin * x.stride + x.getOrigin(phaseX));
        SmallVector<Value> indices(source);
        indices.push_back(at);
        emitter.store(loadStrided(emitter, indices, width), buffer,
                      emitter.add(emitter.add(row, begin), position));
      });
  fillZero(emitter, buffer, emitter.add(row, end), pitch - end, lanes);
}

void InputLayout::fillChannel(Emitter &emitter, Value buffer, Value sample,
                              Value channel, Value firstRow, int64_t phaseY,
                              int64_t phaseX, int64_t lanes) const {
  Value base = emitter.add(emitter.mul(channel, channelStride),
                           getPhaseIndex(phaseY, phaseX) * phaseStride);
  Value reach = emitter.index(getWindowReach());
  // Rows of the window that lie in the image: [begin, end).
  auto clamp = [&](int64_t row) -> Value {
    Value inWindow = emitter.sub(emitter.index(row), firstRow);
    Value atLeast =
        emitter.createOrFold<arith::MaxSIOp>(inWindow, emitter.index(0));
    return emitter.createOrFold<arith::MinSIOp>(atLeast, reach);
  };
  Value begin = clamp(y.getBegin(phaseY)), end = clamp(y.getEnd(phaseY));
  auto zeroRow = [&](Value row) {
    fillZero(emitter, buffer, emitter.add(base, emitter.mul(row, pitch)), pitch,
             lanes);
  };
  emitter.loop(emitter.index(0), begin, 1, zeroRow);
  emitter.loop(begin, end, 1, [&](Value row) {
    Value from = emitter.add(emitter.mul(emitter.add(firstRow, row), y.stride),
                             y.getOrigin(phaseY));
    fillRow(emitter, buffer, emitter.add(base, emitter.mul(row, pitch)), phaseX,
            {sample, channel, from}, lanes);
  });
  emitter.loop(end, reach, 1, zeroRow);
  int64_t used = getWindowReach() * pitch;
  fillZero(emitter, buffer, emitter.add(base, used), channelStride - used,
           lanes);
}

Value InputLayout::fill(Emitter &emitter, Value sample, Value firstRow,
                        Value buffer, int64_t lanes, bool parallel) const {
  if (inPlace) {
    auto type = cast<MemRefType>(input.getType());
    auto metadata = memref::ExtractStridedMetadataOp::create(emitter, input);
    Value skipped = emitter.createOrFold<arith::MulIOp>(
        sample, metadata.getStrides().front());
    Value offset = emitter.add(metadata.getOffset(), skipped);
    int64_t size = (channels - 1) * channelStride + (y.size - 1) * pitch +
                   x.size + overread;
    auto layout =
        StridedLayoutAttr::get(emitter.getContext(), ShapedType::kDynamic, {1});
    return memref::ReinterpretCastOp::create(
        emitter, MemRefType::get({size}, type.getElementType(), layout),
        metadata.getBaseBuffer(), OpFoldResult(offset),
        ArrayRef<OpFoldResult>{emitter.getIndexAttr(size)},
        ArrayRef<OpFoldResult>{emitter.getIndexAttr(1)});
  }
  auto fillPhases = [&](Value channel) {
    for (int64_t phaseY : phasesY)
      for (int64_t phaseX : phasesX)
        fillChannel(emitter, buffer, sample, channel, firstRow, phaseY, phaseX,
                    lanes);
  };
  if (parallel)
    emitter.parallelLoop(emitter.index(channels), fillPhases);
  else
    emitter.loop(channels, fillPhases);
  int64_t slack = pitch + rounding;
  fillZero(emitter, buffer, emitter.index(getNumElements() - slack), slack,
           lanes);
  return buffer;
}
