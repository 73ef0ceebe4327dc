//===- RaiseLayers.cpp - Linalg convolutions and matmuls as layers --------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/StridedConstant.h"
#include "passes/Transforms/RaiseImpl.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/RegionUtils.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::raise;

std::string LayerNames::get(StringRef key, StringRef kind) {
  key.consume_back(".weight");
  // A number tells layers apart that share their weights or have no name.
  for (unsigned count = 0;; ++count) {
    std::string name;
    if (key.empty())
      name = (kind + Twine(count)).str();
    else
      name = count == 0 ? key.str() : (key + "#" + Twine(count)).str();
    if (used.insert(name).second)
      return name;
  }
}

/// `value` with a dimension split, without a copy.
static FailureOr<Value> expandTo(ArrayRef<int64_t> shape,
                                 ArrayRef<ReassociationIndices> reassociation,
                                 Value value, RewriterBase &rewriter) {
  Location loc = value.getLoc();
  auto type = RankedTensorType::get(shape, getElementTypeOrSelf(value));
  std::optional<SmallVector<OpFoldResult>> sizes =
      tensor::ExpandShapeOp::inferOutputShape(
          rewriter, loc, type, reassociation,
          tensor::getMixedSizes(rewriter, loc, value));
  if (!sizes)
    return failure();
  return Value(tensor::ExpandShapeOp::create(rewriter, loc, type, value,
                                             reassociation, *sizes));
}

/// `value` with dimensions merged; an expansion of the same dimensions is
/// taken back instead.
static Value collapse(Value value,
                      SmallVector<ReassociationIndices> reassociation,
                      RewriterBase &rewriter) {
  if (auto expand = value.getDefiningOp<tensor::ExpandShapeOp>())
    if (expand.getReassociationIndices() == reassociation)
      return expand.getSrc();
  return tensor::CollapseShapeOp::create(rewriter, value.getLoc(), value,
                                         reassociation);
}

/// What a linalg operation adds its products to.
namespace {
struct Start {
  /// One value for each channel, or null for zero.
  Value bias;
  /// The size of the first dimension.
  OpFoldResult batch;
};
} // namespace

/// Reads the initial value of an accumulation. Fails unless it is zero or a
/// bias along `channelDim` of a tensor of rank `rank`.
static FailureOr<Start> matchStart(Value init, int64_t rank, int64_t channelDim,
                                   RewriterBase &rewriter) {
  Start start;
  // Grouped convolutions split the channels of what is four-dimensional.
  auto strip = [](Value value) {
    while (auto expand = value.getDefiningOp<tensor::ExpandShapeOp>())
      value = expand.getSrc();
    return value;
  };
  init = strip(init);
  if (auto fill = init.getDefiningOp<linalg::FillOp>()) {
    if (!matchPattern(fill.getInputs()[0], m_AnyZeroFloat()))
      return failure();
    init = strip(fill.getOutputs()[0]);
  } else if (auto broadcast = init.getDefiningOp<linalg::BroadcastOp>()) {
    auto type = cast<RankedTensorType>(broadcast.getInit().getType());
    if (type.getRank() != rank ||
        cast<ShapedType>(broadcast.getInput().getType()).getRank() != 1 ||
        llvm::is_contained(broadcast.getDimensions(), channelDim))
      return failure();
    start.bias = broadcast.getInput();
    init = broadcast.getInit();
  } else if (!matchPattern(init, m_AnyZeroFloat())) {
    return failure();
  }
  if (auto empty = init.getDefiningOp<tensor::EmptyOp>())
    start.batch = empty.getMixedSizes().front();
  else
    start.batch = tensor::getMixedSize(rewriter, init.getLoc(), init, 0);
  return start;
}

/// Takes zero padding of the image off `input` and adds it to `padding` (top,
/// left, bottom, right).
static Value foldPadding(Value input, SmallVectorImpl<int64_t> &padding) {
  while (auto pad = input.getDefiningOp<tensor::PadOp>()) {
    Value value = pad.getConstantPaddingValue();
    ArrayRef<int64_t> low = pad.getStaticLow(), high = pad.getStaticHigh();
    auto isSize = [](int64_t size) { return size >= 0; };
    if (!value || !matchPattern(value, m_AnyZeroFloat()) ||
        !llvm::all_of(low, isSize) || !llvm::all_of(high, isSize) ||
        low[0] + high[0] + low[1] + high[1] != 0)
      break;
    // An image of one dimension is one row.
    for (auto [index, dimension] :
         llvm::enumerate(ArrayRef<int64_t>({2, 3}).take_back(low.size() - 2))) {
      unsigned axis = 4 - low.size() + index;
      padding[axis] += low[index + 2];
      padding[2 + axis] += high[index + 2];
    }
    input = pad.getSource();
  }
  return input;
}

/// Two numbers of an attribute that has one for each image dimension.
static SmallVector<int64_t> getPair(DenseIntElementsAttr attribute) {
  SmallVector<int64_t> pair(attribute.getValues<int64_t>());
  if (pair.size() == 1)
    pair.insert(pair.begin(), 1);
  return pair;
}

namespace {
/// A linalg convolution, as far as bcr.conv2d needs it.
struct ConvolutionParts {
  SmallVector<int64_t> strides, dilations;
  int64_t groups = 1;
  SmallVector<int64_t> padding = {0, 0, 0, 0};

  /// The same along the other dimension of the image; the former one has one
  /// element and is not padded.
  ConvolutionParts asRow() const {
    return {{1, strides[0]},
            {1, dilations[0]},
            groups,
            {0, padding[0], 0, padding[2]}};
  }
};
} // namespace

/// Why a convolution or matmul cannot be a layer whatever its weights hold.
static std::string getTypeReason(linalg::LinalgOp op) {
  for (Value operand : op->getOperands())
    if (!getElementTypeOrSelf(operand).isF32()) {
      std::string reason = "layers compute in f32, this one has ";
      llvm::raw_string_ostream(reason) << getElementTypeOrSelf(operand);
      return reason;
    }
  return "";
}

static RaiseResult giveUp(std::string reason) {
  RaiseResult result;
  result.reason = std::move(reason);
  return result;
}

static Value makeWeights(const StridedConstant &weights,
                         ArrayRef<int64_t> shape, StringRef layer,
                         linalg::LinalgOp op, RewriterBase &rewriter) {
  FailureOr<ElementsAttr> elements =
      weights.getElements(shape, (layer + ".weight").str());
  if (failed(elements))
    return {};
  return arith::ConstantOp::create(rewriter, op->getLoc(),
                                   cast<TypedAttr>(*elements));
}

static Value makeInit(ArrayRef<int64_t> shape, OpFoldResult batch,
                      linalg::LinalgOp op, RewriterBase &rewriter) {
  SmallVector<OpFoldResult> sizes =
      getAsIndexOpFoldResult(rewriter.getContext(), shape);
  if (ShapedType::isDynamic(shape[0]))
    sizes[0] = batch;
  return tensor::EmptyOp::create(rewriter, op->getLoc(), sizes,
                                 rewriter.getF32Type());
}

//===----------------------------------------------------------------------===//
// Convolutions
//===----------------------------------------------------------------------===//

static const char *const kNoData = "the data of its weights is missing";
static const char *const kOddStart =
    "it accumulates into a tensor that is neither zero nor a bias";

static RaiseResult raiseConvolution(linalg::LinalgOp op, StringRef layer,
                                    const StridedConstant &weights,
                                    const ConvolutionParts &parts,
                                    RewriterBase &rewriter) {
  Value input = op.getDpsInputs()[0];
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  bool grouped = type.getRank() == 5;
  bool oneDimensional = type.getRank() == 3;
  auto inputType = cast<RankedTensorType>(input.getType());
  for (RankedTensorType sized : {type, inputType})
    if (llvm::any_of(sized.getShape().drop_front(), ShapedType::isDynamic))
      return giveUp("its image size is dynamic");
  FailureOr<Start> start =
      matchStart(op.getDpsInits()[0], oneDimensional ? 3 : 4, 1, rewriter);
  if (failed(start))
    return giveUp(kOddStart);

  const SmallVector<ReassociationIndices> splitChannels = {
      {0}, {1, 2}, {3}, {4}};
  const SmallVector<ReassociationIndices> splitRow = {{0}, {1}, {2, 3}};
  if (grouped)
    input = collapse(input, splitChannels, rewriter);
  ConvolutionParts own = parts;
  input = foldPadding(input, own.padding);

  // The result and the kernel as bcr.conv2d has them.
  SmallVector<int64_t> shape(type.getShape());
  if (grouped)
    shape = {shape[0], shape[1] * shape[2], shape[3], shape[4]};
  SmallVector<int64_t> kernel(ArrayRef(weights.shape).take_back(2));
  SmallVector<int64_t> inputShape(
      cast<RankedTensorType>(input.getType()).getShape());
  // An image of one column becomes one row, for the row is what kernels
  // vectorise; torch-mlir writes grouped convolutions in one dimension so.
  bool column = !oneDimensional && inputShape[3] == 1 && inputShape[2] != 1 &&
                kernel[1] == 1 && own.padding[1] == 0 && own.padding[3] == 0;
  if (column) {
    input = collapse(input, splitRow, rewriter);
    own = own.asRow();
  }
  bool row = oneDimensional || column;
  if (row) {
    FailureOr<Value> expanded =
        expandTo({inputShape[0], inputShape[1], 1, inputShape[2]}, splitRow,
                 input, rewriter);
    if (failed(expanded))
      return giveUp("its input cannot be reshaped");
    input = *expanded;
    shape = {shape[0], shape[1], 1, shape[2]};
    kernel = {1, column ? kernel[0] : kernel[1]};
  }
  Value weight = makeWeights(
      weights, {shape[1], inputShape[1] / own.groups, kernel[0], kernel[1]},
      layer, op, rewriter);
  if (!weight)
    return giveUp(kNoData);

  Value init = makeInit(shape, start->batch, op, rewriter);
  auto conv = Conv2DOp::create(rewriter, op->getLoc(), init.getType(), input,
                               weight, start->bias,
                               /*residual=*/Value(), init, kernel, own.strides,
                               own.padding, own.dilations, own.groups,
                               /*overread=*/0, GapsAttr(), ActivationAttr(),
                               rewriter.getStringAttr(layer), FormAttr(),
                               DenseI64ArrayAttr(), ScheduleAttr(),
                               /*chunks=*/DenseI64ArrayAttr());

  // Only the batch can be dynamic, and it is never split.
  FailureOr<Value> result = conv->getResult(0);
  if (row)
    result = collapse(*result, splitRow, rewriter);
  if (column)
    result = expandTo({shape[0], shape[1], shape[3], 1}, splitRow, *result,
                      rewriter);
  if (grouped && succeeded(result))
    result = expandTo(type.getShape(), splitChannels, *result, rewriter);
  assert(succeeded(result) && "static dimensions can always be split");
  rewriter.replaceOp(op, *result);
  RaiseResult raised;
  raised.layer = cast<LayerOpInterface>(conv.getOperation());
  return raised;
}

//===----------------------------------------------------------------------===//
// Matmuls
//===----------------------------------------------------------------------===//

/// `weights` is K x M, as the right operand of the matmul is. `op` may have a
/// batch dimension that the weights do not depend on.
static RaiseResult raiseMatmul(linalg::LinalgOp op, StringRef layer,
                               const StridedConstant &weights,
                               RewriterBase &rewriter) {
  Value input = op.getDpsInputs()[0];
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  bool batched = type.getRank() == 3;
  FailureOr<Start> start = matchStart(op.getDpsInits()[0], type.getRank(),
                                      type.getRank() - 1, rewriter);
  if (failed(start))
    return giveUp(kOddStart);
  StridedConstant transposed = weights.permuted({1, 0});
  if (llvm::any_of(type.getShape().take_back(1), ShapedType::isDynamic))
    return giveUp("its number of features is dynamic");
  Value weight = makeWeights(transposed, transposed.shape, layer, op, rewriter);
  if (!weight)
    return giveUp(kNoData);

  const SmallVector<ReassociationIndices> mergeBatch = {{0, 1}, {2}};
  Location loc = op->getLoc();
  SmallVector<OpFoldResult> sizes = tensor::getMixedSizes(rewriter, loc, input);
  OpFoldResult samples = start->batch;
  int64_t numSamples = type.getDimSize(0);
  if (batched) {
    input = collapse(input, mergeBatch, rewriter);
    numSamples = cast<RankedTensorType>(input.getType()).getDimSize(0);
    samples = tensor::getMixedSize(rewriter, loc, input, 0);
  }
  Value init =
      makeInit({numSamples, transposed.shape[0]}, samples, op, rewriter);
  auto matmul = MatmulOp::create(rewriter, loc, init.getType(), input, weight,
                                 start->bias,
                                 /*residual=*/Value(), init, ActivationAttr(),
                                 rewriter.getStringAttr(layer), FormAttr(),
                                 DenseI64ArrayAttr(), ScheduleAttr(),
                                 /*chunks=*/DenseI64ArrayAttr());
  Value result = matmul->getResult(0);
  if (batched) {
    sizes[2] = rewriter.getIndexAttr(transposed.shape[0]);
    result = tensor::ExpandShapeOp::create(rewriter, loc, type, result,
                                           mergeBatch, sizes);
  }
  rewriter.replaceOp(op, result);
  RaiseResult raised;
  raised.layer = cast<LayerOpInterface>(matmul.getOperation());
  return raised;
}

//===----------------------------------------------------------------------===//
// Dispatch
//===----------------------------------------------------------------------===//

static RaiseResult raiseWithWeights(linalg::LinalgOp op, StringRef layer,
                                    const StridedConstant &weights,
                                    RewriterBase &rewriter) {
  if (std::string reason = getTypeReason(op); !reason.empty())
    return giveUp(reason);
  auto convolution = [&](auto conv, int64_t groups) {
    ConvolutionParts parts;
    parts.strides = getPair(conv.getStrides());
    parts.dilations = getPair(conv.getDilations());
    parts.groups = groups;
    return raiseConvolution(op, layer, weights, parts, rewriter);
  };
  auto matmul = [&](bool ownMaps, const StridedConstant &matrix) {
    if (ownMaps)
      return giveUp("it has indexing maps of its own");
    return raiseMatmul(op, layer, matrix, rewriter);
  };
  return llvm::TypeSwitch<Operation *, RaiseResult>(op)
      .Case<linalg::Conv2DNchwFchwOp, linalg::Conv1DNcwFcwOp>(
          [&](auto conv) { return convolution(conv, 1); })
      .Case([&](linalg::Conv2DNgchwGfchwOp conv) {
        return convolution(conv, weights.shape[0]);
      })
      .Case([&](linalg::DepthwiseConv2DNchwChwOp conv) {
        return convolution(conv, weights.shape[0]);
      })
      .Case([&](linalg::MatmulOp op) {
        return matmul(op.hasUserDefinedMaps(), weights);
      })
      .Case([&](linalg::BatchMatmulOp op) {
        if (weights.shape[0] != 1 && weights.strides[0] != 0)
          return giveUp("each sample has weights of its own");
        StridedConstant matrix = weights;
        matrix.shape.erase(matrix.shape.begin());
        matrix.strides.erase(matrix.strides.begin());
        return matmul(op.hasUserDefinedMaps(), matrix);
      })
      .Default([](Operation *op) {
        return giveUp(
            ("bcr has no layer for " + op->getName().getStringRef()).str());
      });
}

/// Whether `value` is the same in every run, though no constant.
static bool isComputedFromConstants(Value value,
                                    llvm::SmallPtrSetImpl<Operation *> &seen) {
  Operation *op = value.getDefiningOp();
  if (!op)
    return false;
  if (!seen.insert(op).second || isa<arith::ConstantOp, tensor::EmptyOp>(op))
    return true;
  if (!isa<linalg::LinalgOp, tensor::ExpandShapeOp, tensor::CollapseShapeOp,
           tensor::ExtractSliceOp, tensor::CastOp>(op))
    return false;
  llvm::SetVector<Value> inputs;
  inputs.insert_range(op->getOperands());
  getUsedValuesDefinedAbove(op->getRegions(), inputs);
  return llvm::all_of(inputs, [&](Value input) {
    return isComputedFromConstants(input, seen);
  });
}

RaiseResult mlir::bcr::raise::raiseLayer(linalg::LinalgOp op, LayerNames &names,
                                         RewriterBase &rewriter) {
  bool contraction =
      isa<linalg::MatmulOp, linalg::BatchMatmulOp, linalg::MatvecOp,
          linalg::VecmatOp, linalg::BatchMatvecOp, linalg::BatchVecmatOp>(op);
  // Pooling is a convolution to linalg, but has no weights.
  bool convolution = op->getName().getStringRef().contains("conv_") &&
                     op.getNumDpsInputs() == 2;
  if ((!contraction && !convolution) || !op.hasPureTensorSemantics())
    return {};
  StringRef kind = convolution ? "conv" : "matmul";

  rewriter.setInsertionPoint(op);
  FailureOr<StridedConstant> weights =
      StridedConstant::match(op.getDpsInputs()[1]);
  if (succeeded(weights)) {
    std::string name = names.get(weights->getKey(), kind);
    RaiseResult result = raiseWithWeights(op, name, *weights, rewriter);
    result.name = name;
    return result;
  }
  RaiseResult result;
  if (convolution) {
    result.reason = "its weights are not a constant";
    result.name = names.get("", kind);
    return result;
  }
  // Attention multiplies two activations, which is no layer to speak of.
  FailureOr<StridedConstant> left =
      StridedConstant::match(op.getDpsInputs()[0]);
  llvm::SmallPtrSet<Operation *, 16> seen;
  if (succeeded(left)) {
    result.reason = "its weights are the left operand";
    result.name = names.get(left->getKey(), kind);
  } else if (isComputedFromConstants(op.getDpsInputs()[1], seen)) {
    result.reason = "its weights are computed in every run";
    result.name = names.get("", kind);
  }
  return result;
}
