//===- StridedConstant.cpp - Constants seen through data movement ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/StridedConstant.h"
#include "dialect/Packed.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/StaticValueUtils.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::bcr;

/// Row-major strides of `shape`.
static SmallVector<int64_t> getRowMajorStrides(ArrayRef<int64_t> shape) {
  SmallVector<int64_t> strides(shape.size(), 1);
  for (int64_t i = static_cast<int64_t>(shape.size()) - 2; i >= 0; --i)
    strides[i] = strides[i + 1] * shape[i + 1];
  return strides;
}

static FailureOr<StridedConstant> matchConstant(arith::ConstantOp op) {
  auto elements = dyn_cast<ElementsAttr>(op.getValue());
  auto type = dyn_cast<RankedTensorType>(op.getType());
  if (!elements || !type || !type.getElementType().isF32())
    return failure();
  StridedConstant result;
  result.root = elements;
  result.shape.assign(type.getShape().begin(), type.getShape().end());
  result.strides = getRowMajorStrides(result.shape);
  return result;
}

static FailureOr<StridedConstant> matchExpand(tensor::ExpandShapeOp op) {
  FailureOr<StridedConstant> source = StridedConstant::match(op.getSrc());
  if (failed(source) || !op.getType().hasStaticShape())
    return failure();
  StridedConstant result = *source;
  ArrayRef<int64_t> shape = op.getType().getShape();
  result.shape.assign(shape.begin(), shape.end());
  result.strides.assign(shape.size(), 0);
  for (auto [dimension, group] :
       llvm::enumerate(op.getReassociationIndices())) {
    int64_t stride = source->strides[dimension];
    for (int64_t inner : llvm::reverse(group)) {
      result.strides[inner] = stride;
      stride *= shape[inner];
    }
  }
  return result;
}

static FailureOr<StridedConstant> matchCollapse(tensor::CollapseShapeOp op) {
  FailureOr<StridedConstant> source = StridedConstant::match(op.getSrc());
  if (failed(source) || !op.getType().hasStaticShape())
    return failure();
  StridedConstant result = *source;
  ArrayRef<int64_t> shape = op.getType().getShape();
  result.shape.assign(shape.begin(), shape.end());
  result.strides.assign(shape.size(), 1);
  for (auto [dimension, group] :
       llvm::enumerate(op.getReassociationIndices())) {
    // Dimensions of one element have no step and cannot prevent the merge.
    bool first = true;
    int64_t next = 0;
    for (int64_t outer : llvm::reverse(group)) {
      if (source->shape[outer] == 1)
        continue;
      if (first)
        result.strides[dimension] = source->strides[outer];
      else if (source->strides[outer] != next)
        return failure();
      first = false;
      next = source->strides[outer] * source->shape[outer];
    }
  }
  return result;
}

static FailureOr<StridedConstant> matchBroadcast(linalg::BroadcastOp op) {
  FailureOr<StridedConstant> source = StridedConstant::match(op.getInput());
  auto type = cast<RankedTensorType>(op.getInit().getType());
  if (failed(source) || !type.hasStaticShape())
    return failure();
  StridedConstant result = *source;
  result.shape.assign(type.getShape().begin(), type.getShape().end());
  result.strides.clear();
  unsigned next = 0;
  for (int64_t i = 0; i < type.getRank(); ++i)
    result.strides.push_back(llvm::is_contained(op.getDimensions(), i)
                                 ? 0
                                 : source->strides[next++]);
  return result;
}

static FailureOr<StridedConstant> matchSlice(tensor::ExtractSliceOp op) {
  FailureOr<StridedConstant> source = StridedConstant::match(op.getSource());
  if (failed(source) || !op.getType().hasStaticShape() ||
      ShapedType::isDynamicShape(op.getStaticOffsets()) ||
      ShapedType::isDynamicShape(op.getStaticStrides()))
    return failure();
  StridedConstant result = *source;
  result.shape.clear();
  result.strides.clear();
  llvm::SmallBitVector dropped = op.getDroppedDims();
  for (unsigned i = 0; i < source->shape.size(); ++i) {
    result.offset += op.getStaticOffset(i) * source->strides[i];
    if (dropped.test(i))
      continue;
    result.shape.push_back(op.getStaticSize(i));
    result.strides.push_back(op.getStaticStride(i) * source->strides[i]);
  }
  return result;
}

/// A value of a generic's body as `base + step * iteration index`.
struct AffineIndex {
  int64_t base = 0;
  SmallVector<int64_t> steps;
};

static FailureOr<AffineIndex> matchIndex(Value value, unsigned numLoops) {
  AffineIndex result;
  result.steps.assign(numLoops, 0);
  if (std::optional<int64_t> constant = getConstantIntValue(value)) {
    result.base = *constant;
    return result;
  }
  Operation *op = value.getDefiningOp();
  if (auto index = dyn_cast_if_present<linalg::IndexOp>(op)) {
    result.steps[index.getDim()] = 1;
    return result;
  }
  if (!isa_and_present<arith::AddIOp, arith::SubIOp>(op))
    return failure();
  int64_t sign = isa<arith::AddIOp>(op) ? 1 : -1;
  FailureOr<AffineIndex> lhs = matchIndex(op->getOperand(0), numLoops);
  FailureOr<AffineIndex> rhs = matchIndex(op->getOperand(1), numLoops);
  if (failed(lhs) || failed(rhs))
    return failure();
  result.base = lhs->base + sign * rhs->base;
  for (unsigned i = 0; i < numLoops; ++i)
    result.steps[i] = lhs->steps[i] + sign * rhs->steps[i];
  return result;
}

/// A generic that yields an element of input `argument` unchanged. A dimension
/// that the input does not have may be dynamic.
static FailureOr<StridedConstant> matchMovedInput(linalg::GenericOp op,
                                                  BlockArgument argument) {
  if (argument.getArgNumber() >= op.getNumDpsInputs())
    return failure();
  OpOperand &operand = op->getOpOperand(argument.getArgNumber());
  FailureOr<StridedConstant> source = StridedConstant::match(operand.get());
  if (failed(source))
    return failure();
  StridedConstant result = *source;
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  result.shape.assign(type.getShape().begin(), type.getShape().end());
  result.strides.assign(type.getRank(), 0);
  for (auto [i, expr] :
       llvm::enumerate(op.getMatchingIndexingMap(&operand).getResults())) {
    if (auto dimension = dyn_cast<AffineDimExpr>(expr)) {
      if (type.isDynamicDim(dimension.getPosition()))
        return failure();
      result.strides[dimension.getPosition()] += source->strides[i];
    } else if (auto constant = dyn_cast<AffineConstantExpr>(expr)) {
      result.offset += constant.getValue() * source->strides[i];
    } else {
      return failure();
    }
  }
  return result;
}

/// A generic that yields an element of a constant that its body extracts.
static FailureOr<StridedConstant> matchExtract(linalg::GenericOp op,
                                               tensor::ExtractOp extract) {
  FailureOr<StridedConstant> source =
      StridedConstant::match(extract.getTensor());
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  if (failed(source) || !type.hasStaticShape())
    return failure();
  StridedConstant result = *source;
  result.shape.assign(type.getShape().begin(), type.getShape().end());
  result.strides.assign(type.getRank(), 0);
  for (auto [i, value] : llvm::enumerate(extract.getIndices())) {
    FailureOr<AffineIndex> index = matchIndex(value, op.getNumLoops());
    if (failed(index))
      return failure();
    result.offset += index->base * source->strides[i];
    int64_t first = index->base, last = index->base;
    for (unsigned loop = 0; loop < op.getNumLoops(); ++loop) {
      result.strides[loop] += index->steps[loop] * source->strides[i];
      int64_t reach = index->steps[loop] * (result.shape[loop] - 1);
      (reach < 0 ? first : last) += reach;
    }
    if (first < 0 || last >= source->shape[i])
      return failure();
  }
  return result;
}

static FailureOr<StridedConstant> matchGeneric(linalg::GenericOp op) {
  if (op->getNumResults() != 1 ||
      op.getNumParallelLoops() != op.getNumLoops() ||
      !op.getIndexingMapsArray().back().isIdentity() ||
      !isa<RankedTensorType>(op->getResult(0).getType()))
    return failure();
  Value yielded = op.getBody()->getTerminator()->getOperand(0);
  if (auto argument = dyn_cast<BlockArgument>(yielded);
      argument && argument.getOwner() == op.getBody())
    return matchMovedInput(op, argument);
  auto extract = yielded.getDefiningOp<tensor::ExtractOp>();
  if (!extract || extract->getBlock() != op.getBody())
    return failure();
  return matchExtract(op, extract);
}

FailureOr<StridedConstant> StridedConstant::match(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return failure();
  if (auto constant = dyn_cast<arith::ConstantOp>(op))
    return matchConstant(constant);
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    return matchExpand(expand);
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op))
    return matchCollapse(collapse);
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    return matchSlice(slice);
  if (auto broadcast = dyn_cast<linalg::BroadcastOp>(op))
    return matchBroadcast(broadcast);
  if (auto generic = dyn_cast<linalg::GenericOp>(op))
    return matchGeneric(generic);
  if (auto transpose = dyn_cast<linalg::TransposeOp>(op)) {
    FailureOr<StridedConstant> source = match(transpose.getInput());
    if (failed(source))
      return failure();
    return source->permuted(transpose.getPermutation());
  }
  return failure();
}

StridedConstant StridedConstant::permuted(ArrayRef<int64_t> permutation) const {
  StridedConstant result = *this;
  for (auto [to, from] : llvm::enumerate(permutation)) {
    result.shape[to] = shape[from];
    result.strides[to] = strides[from];
  }
  return result;
}

bool StridedConstant::isWholeRoot() const {
  if (ShapedType::isDynamicShape(shape))
    return false;
  SmallVector<int64_t> expected = getRowMajorStrides(shape);
  for (auto [size, stride, rowMajor] : llvm::zip(shape, strides, expected))
    if (size != 1 && stride != rowMajor)
      return false;
  return offset == 0 &&
         ShapedType::getNumElements(shape) == root.getNumElements();
}

FailureOr<std::vector<float>> StridedConstant::gather() const {
  if (ShapedType::isDynamicShape(shape))
    return failure();
  FailureOr<FloatElements> elements = FloatElements::get(root);
  if (failed(elements))
    return failure();
  ArrayRef<float> data = elements->get();
  auto count = static_cast<size_t>(ShapedType::getNumElements(shape));
  std::vector<float> result(count);
  SmallVector<int64_t> index(shape.size(), 0);
  int64_t position = offset;
  for (size_t i = 0; i < count; ++i) {
    result[i] = data[position];
    for (int64_t d = static_cast<int64_t>(shape.size()) - 1; d >= 0; --d) {
      position += strides[d];
      if (++index[d] < shape[d])
        break;
      position -= strides[d] * shape[d];
      index[d] = 0;
    }
  }
  return result;
}

FailureOr<ElementsAttr>
StridedConstant::getElements(ArrayRef<int64_t> targetShape,
                             StringRef name) const {
  if (isWholeRoot()) {
    auto type = RankedTensorType::get(targetShape, root.getElementType());
    if (root.getShapedType() == type)
      return root;
    if (auto dense = dyn_cast<DenseElementsAttr>(root))
      return ElementsAttr(dense.reshape(type));
    if (auto resource = dyn_cast<DenseResourceElementsAttr>(root))
      return ElementsAttr(
          DenseResourceElementsAttr::get(type, resource.getRawHandle()));
  }
  FailureOr<std::vector<float>> values = gather();
  if (failed(values))
    return failure();
  return makeFloatElements(targetShape, name, std::move(*values),
                           root.getContext());
}

StringRef StridedConstant::getKey() const {
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(root))
    return resource.getRawHandle().getKey();
  return {};
}
