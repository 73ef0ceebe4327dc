//===- BCRToLinalg.cpp - The dense meaning of bcr layers ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Packed.h"
#include "passes/Conversion/ActivationToArith.h"
#include "passes/Conversion/PoolToLinalg.h"
#include "passes/Conversion/RecurrentToLinalg.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/PatternMatch.h"

namespace mlir::bcr {
#define GEN_PASS_DEF_CONVERTBCRTOLINALG
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;
using namespace mlir::bcr;

namespace {
/// The weights of a layer as tensors.
struct DenseWeights {
  Value values;
  /// i1: whether the position is kept; null if all are.
  Value mask;
};
} // namespace

/// Decodes packed weights into a tensor of `shape`.
static FailureOr<DenseWeights> decode(ConstantOp op, ArrayRef<int64_t> shape,
                                      StringRef name, OpBuilder &builder) {
  PackedStructure structure = readStructure(op);
  FailureOr<FloatElements> packed = FloatElements::get(op.getValues());
  if (failed(packed))
    return op.emitError("the data of the packed weights is missing");
  std::vector<float> values(structure.numRows * structure.numColumns, 0.0f);
  SmallVector<bool> mask(values.size(), false);
  for (const PackedGroup &group : structure.groups) {
    int64_t position = group.valueBegin;
    for (int64_t column : structure.getColumns(group))
      for (int64_t row : structure.getRows(group)) {
        int64_t target = row * structure.numColumns + column;
        values[target] = packed->get()[position++];
        mask[target] = true;
      }
  }
  DenseWeights result;
  auto maskType = RankedTensorType::get(shape, builder.getI1Type());
  if (!llvm::all_of(mask, [](bool kept) { return kept; }))
    result.mask = arith::ConstantOp::create(
        builder, op.getLoc(), DenseElementsAttr::get(maskType, mask));
  result.values = arith::ConstantOp::create(
      builder, op.getLoc(),
      cast<TypedAttr>(makeFloatElements(shape, name, std::move(values),
                                        builder.getContext())));
  return result;
}

static FailureOr<DenseWeights> getDenseWeights(LayerOpInterface layer,
                                               ArrayRef<int64_t> shape,
                                               OpBuilder &builder) {
  if (!isa<PackedType>(layer.getWeight().getType()))
    return DenseWeights{layer.getWeight(), Value()};
  auto constant = layer.getWeight().getDefiningOp<ConstantOp>();
  if (!constant)
    return layer->emitOpError("has packed weights that are no constant");
  StringAttr layerName = layer.getLayerAttr();
  StringRef name = layerName ? layerName.getValue() : "layer";
  return decode(constant, shape, (name + ".weight").str(), builder);
}

/// What the products are added to: the bias, or zero.
static Value makeStart(LayerOpInterface layer, OpBuilder &builder) {
  Location loc = layer->getLoc();
  Value init = layer.getInit();
  if (Value bias = layer.getBias()) {
    SmallVector<int64_t> dimensions = {0};
    for (int64_t i = 2; i < cast<ShapedType>(init.getType()).getRank(); ++i)
      dimensions.push_back(i);
    return linalg::BroadcastOp::create(builder, loc, bias, init, dimensions)
        ->getResult(0);
  }
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getF32FloatAttr(0));
  return linalg::FillOp::create(builder, loc, zero, init)->getResult(0);
}

/// A reduction of `input * weights` into `start` that skips dropped weights.
static Value makeMaskedReduction(Location loc, Value input,
                                 const DenseWeights &weights, Value start,
                                 AffineMap inputMap, AffineMap weightMap,
                                 AffineMap resultMap, OpBuilder &builder) {
  SmallVector<utils::IteratorType> iterators(resultMap.getNumDims(),
                                             utils::IteratorType::reduction);
  for (unsigned i = 0; i < resultMap.getNumResults(); ++i)
    iterators[i] = utils::IteratorType::parallel;
  return linalg::GenericOp::create(
             builder, loc, start.getType(),
             ValueRange{input, weights.values, weights.mask}, start,
             ArrayRef<AffineMap>{inputMap, weightMap, weightMap, resultMap},
             iterators,
             [](OpBuilder &b, Location loc, ValueRange args) {
               Value product = arith::MulFOp::create(b, loc, args[0], args[1]);
               Value sum = arith::AddFOp::create(b, loc, args[3], product);
               Value kept =
                   arith::SelectOp::create(b, loc, args[2], sum, args[3]);
               linalg::YieldOp::create(b, loc, kept);
             })
      ->getResult(0);
}

static FailureOr<Value> convertProducts(MatmulOp op, OpBuilder &builder) {
  Location loc = op.getLoc();
  SmallVector<int64_t> shape = {op.getNumRows(), op.getNumColumns()};
  FailureOr<DenseWeights> weights = getDenseWeights(op, shape, builder);
  if (failed(weights))
    return failure();
  Value start = makeStart(op, builder);
  if (weights->mask) {
    AffineExpr n, m, k;
    bindDims(builder.getContext(), n, m, k);
    auto getMap = [&](AffineExpr first, AffineExpr second) {
      return AffineMap::get(3, 0, {first, second}, builder.getContext());
    };
    return makeMaskedReduction(loc, op.getInput(), *weights, start,
                               getMap(n, k), getMap(m, k), getMap(n, m),
                               builder);
  }
  Value empty = tensor::EmptyOp::create(builder, loc, {shape[1], shape[0]},
                                        builder.getF32Type());
  Value transposed = linalg::TransposeOp::create(builder, loc, weights->values,
                                                 empty, ArrayRef<int64_t>{1, 0})
                         ->getResult(0);
  return linalg::MatmulOp::create(builder, loc, start.getType(),
                                  ValueRange{op.getInput(), transposed}, start)
      ->getResult(0);
}

/// The input with its padding.
static Value makePadded(Conv2DOp op, OpBuilder &builder) {
  ArrayRef<int64_t> padding = op.getPadding();
  if (llvm::all_of(padding, [](int64_t size) { return size == 0; }))
    return op.getInput();
  Location loc = op.getLoc();
  auto toFold = [&](ArrayRef<int64_t> sizes) {
    return getAsIndexOpFoldResult(builder.getContext(), sizes);
  };
  Value zero =
      arith::ConstantOp::create(builder, loc, builder.getF32FloatAttr(0));
  return tensor::PadOp::create(builder, loc, Type(), op.getInput(),
                               toFold({0, 0, padding[0], padding[1]}),
                               toFold({0, 0, padding[2], padding[3]}), zero);
}

/// Splits dimension 1 of `value` into `groups` and the rest.
static Value splitChannels(Value value, int64_t groups, OpBuilder &builder) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape[1] /= groups;
  shape.insert(shape.begin() + 1, groups);
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, value.getLoc(), value);
  sizes[1] = builder.getIndexAttr(shape[2]);
  sizes.insert(sizes.begin() + 1, builder.getIndexAttr(groups));
  return tensor::ExpandShapeOp::create(
      builder, value.getLoc(),
      RankedTensorType::get(shape, type.getElementType()), value,
      ArrayRef<ReassociationIndices>{{0}, {1, 2}, {3}, {4}}, sizes);
}

/// Splits dimension 0 of weights into `groups` and the rest.
static Value splitRows(Value value, int64_t groups, OpBuilder &builder) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> shape(type.getShape());
  shape[0] /= groups;
  shape.insert(shape.begin(), groups);
  return tensor::ExpandShapeOp::create(
      builder, value.getLoc(),
      RankedTensorType::get(shape, type.getElementType()), value,
      ArrayRef<ReassociationIndices>{{0, 1}, {2}, {3}, {4}});
}

static Value mergeChannels(Value value, OpBuilder &builder) {
  return tensor::CollapseShapeOp::create(
      builder, value.getLoc(), value,
      ArrayRef<ReassociationIndices>{{0}, {1, 2}, {3}, {4}});
}

/// A grouped convolution (one group is one too) that skips dropped weights.
static Value makeMaskedConvolution(Conv2DOp op, Value input,
                                   const DenseWeights &weights, Value start,
                                   OpBuilder &builder) {
  int64_t groups = op.getGroups();
  DenseWeights split = {splitRows(weights.values, groups, builder),
                        splitRows(weights.mask, groups, builder)};
  AffineExpr n, g, f, y, x, c, i, j;
  bindDims(builder.getContext(), n, g, f, y, x, c, i, j);
  AffineExpr inputY = y * op.getStrides()[0] + i * op.getDilations()[0];
  AffineExpr inputX = x * op.getStrides()[1] + j * op.getDilations()[1];
  auto getMap = [&](ArrayRef<AffineExpr> results) {
    return AffineMap::get(8, 0, results, builder.getContext());
  };
  Value result = makeMaskedReduction(
      op.getLoc(), splitChannels(input, groups, builder), split,
      splitChannels(start, groups, builder), getMap({n, g, c, inputY, inputX}),
      getMap({g, f, c, i, j}), getMap({n, g, f, y, x}), builder);
  return mergeChannels(result, builder);
}

static FailureOr<Value> convertProducts(Conv2DOp op, OpBuilder &builder) {
  Location loc = op.getLoc();
  int64_t groups = op.getGroups();
  auto inputType = cast<RankedTensorType>(op.getInput().getType());
  FailureOr<DenseWeights> weights =
      getDenseWeights(op,
                      {op.getNumRows(), inputType.getDimSize(1) / groups,
                       op.getKernel()[0], op.getKernel()[1]},
                      builder);
  if (failed(weights))
    return failure();
  Value start = makeStart(op, builder);
  Value input = makePadded(op, builder);
  if (weights->mask)
    return makeMaskedConvolution(op, input, *weights, start, builder);

  auto strides = builder.getI64VectorAttr(op.getStrides());
  auto dilations = builder.getI64VectorAttr(op.getDilations());
  if (groups == 1)
    return linalg::Conv2DNchwFchwOp::create(builder, loc, start.getType(),
                                            ValueRange{input, weights->values},
                                            start, strides, dilations)
        ->getResult(0);
  Value splitStart = splitChannels(start, groups, builder);
  Value result = linalg::Conv2DNgchwGfchwOp::create(
                     builder, loc, splitStart.getType(),
                     ValueRange{splitChannels(input, groups, builder),
                                splitRows(weights->values, groups, builder)},
                     splitStart, strides, dilations)
                     ->getResult(0);
  return mergeChannels(result, builder);
}

/// An element-wise generic over tensors of one shape.
static Value
makeElementwise(LayerOpInterface layer, ValueRange inputs, OpBuilder &builder,
                function_ref<Value(OpBuilder &, Location, ValueRange)> body) {
  Value init = layer.getInit();
  int64_t rank = cast<RankedTensorType>(init.getType()).getRank();
  SmallVector<AffineMap> maps(inputs.size() + 1,
                              builder.getMultiDimIdentityMap(rank));
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             builder, layer->getLoc(), init.getType(), inputs, init, maps,
             iterators,
             [&](OpBuilder &b, Location loc, ValueRange args) {
               linalg::YieldOp::create(b, loc, body(b, loc, args));
             })
      ->getResult(0);
}

/// Adds residual and activation to the sum of products and bias.
static Value makeEpilogue(LayerOpInterface layer, Value sum,
                          OpBuilder &builder) {
  if (Value residual = layer.getResidual())
    sum = makeElementwise(
        layer, {sum, residual}, builder,
        [](OpBuilder &b, Location loc, ValueRange args) -> Value {
          return arith::AddFOp::create(b, loc, args[0], args[1]);
        });
  if (ActivationAttr activation = layer.getActivationAttr())
    sum = makeElementwise(layer, sum, builder,
                          [&](OpBuilder &b, Location loc, ValueRange args) {
                            return buildActivation(b, loc, activation, args[0]);
                          });
  return sum;
}

namespace {
struct ConvertBCRToLinalg
    : public mlir::bcr::impl::ConvertBCRToLinalgBase<ConvertBCRToLinalg> {
  void runOnOperation() override {
    IRRewriter rewriter(&getContext());
    // Their products are layers of their own then.
    SmallVector<RecurrentOp> recurrences;
    getOperation().walk([&](RecurrentOp op) { recurrences.push_back(op); });
    for (RecurrentOp op : recurrences) {
      if (op->getNumResults() == 0) {
        op->emitOpError("is on memrefs; its dense meaning is on tensors");
        return signalPassFailure();
      }
      rewriter.setInsertionPoint(op);
      rewriter.replaceOp(op, buildRecurrence(op, rewriter));
    }
    SmallVector<LayerOpInterface> layers;
    getOperation().walk([&](LayerOpInterface op) { layers.push_back(op); });
    for (LayerOpInterface layer : layers) {
      Operation *op = layer;
      if (op->getNumResults() != 1) {
        op->emitOpError("is on memrefs; its dense meaning is on tensors");
        return signalPassFailure();
      }
      rewriter.setInsertionPoint(op);
      auto matmul = dyn_cast<MatmulOp>(op);
      FailureOr<Value> sum =
          matmul ? convertProducts(matmul, rewriter)
                 : convertProducts(cast<Conv2DOp>(op), rewriter);
      if (failed(sum))
        return signalPassFailure();
      rewriter.replaceOp(op, makeEpilogue(layer, *sum, rewriter));
      ++numLayers;
    }
    SmallVector<Pool2DOp> poolings;
    getOperation().walk([&](Pool2DOp op) { poolings.push_back(op); });
    for (Pool2DOp op : poolings) {
      if (op->getNumResults() != 1) {
        op->emitOpError("is on memrefs; its meaning in linalg is on tensors");
        return signalPassFailure();
      }
      rewriter.setInsertionPoint(op);
      rewriter.replaceOp(op, buildPool(op, rewriter));
    }
    // Only layers use packed constants.
    getOperation().walk([&](ConstantOp op) { rewriter.eraseOp(op); });
  }
};
} // namespace
