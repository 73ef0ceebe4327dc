//===- FoldBatchNorm.cpp - Affine functions of channels into weights ------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A batch norm with constant statistics is an affine function of each channel:
// scale * x + shift. So are a bias, a product with a scalar, and any chain of
// these, in which order ever. The chain is composed in double and rounded once.
//
//===----------------------------------------------------------------------===//

#include "dialect/Packed.h"
#include "passes/Analysis/StridedConstant.h"
#include "passes/Transforms/RaiseImpl.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::raise;

using Numbers = std::vector<double>;

/// Element `i` of numbers that may be one for all.
static double at(const Numbers &numbers, size_t i) {
  return numbers.size() == 1 ? numbers[0] : numbers[i];
}

template <typename Fn>
static Numbers combine(const Numbers &lhs, const Numbers &rhs, Fn fn) {
  Numbers result(std::max(lhs.size(), rhs.size()));
  for (size_t i = 0; i < result.size(); ++i)
    result[i] = fn(at(lhs, i), at(rhs, i));
  return result;
}

template <typename Fn> static Numbers map(const Numbers &numbers, Fn fn) {
  Numbers result(numbers.size());
  llvm::transform(numbers, result.begin(), fn);
  return result;
}

static Numbers add(const Numbers &lhs, const Numbers &rhs) {
  return combine(lhs, rhs, [](double a, double b) { return a + b; });
}

static Numbers multiply(const Numbers &lhs, const Numbers &rhs) {
  return combine(lhs, rhs, [](double a, double b) { return a * b; });
}

bool ChannelAffine::scales() const {
  return llvm::any_of(scale, [](double value) { return value != 1; });
}

bool ChannelAffine::shifts() const {
  return llvm::any_of(shift, [](double value) { return value != 0; });
}

ChannelAffine ChannelAffine::after(const ChannelAffine &first) const {
  return {multiply(scale, first.scale),
          add(multiply(scale, first.shift), shift)};
}

namespace {
/// A value of a body: affine in the input, or, with no scale, a constant.
struct Term {
  std::optional<Numbers> scale;
  Numbers shift;
};
} // namespace

static Term constantTerm(Numbers numbers) {
  return {std::nullopt, std::move(numbers)};
}

static std::optional<Term> addTerms(const Term &lhs, const Term &rhs) {
  Term result = constantTerm(add(lhs.shift, rhs.shift));
  if (lhs.scale && rhs.scale)
    result.scale = add(*lhs.scale, *rhs.scale);
  else if (lhs.scale || rhs.scale)
    result.scale = lhs.scale ? lhs.scale : rhs.scale;
  return result;
}

static std::optional<Term> multiplyTerms(const Term &lhs, const Term &rhs) {
  if (lhs.scale && rhs.scale)
    return std::nullopt;
  const Term &constant = lhs.scale ? rhs : lhs;
  const Term &other = lhs.scale ? lhs : rhs;
  Term result = constantTerm(multiply(other.shift, constant.shift));
  if (other.scale)
    result.scale = multiply(*other.scale, constant.shift);
  return result;
}

static std::optional<Term> evaluate(Operation *op, ArrayRef<Term> operands) {
  // A function of constants.
  auto apply = [&](auto fn) -> std::optional<Term> {
    if (operands[0].scale)
      return std::nullopt;
    return constantTerm(map(operands[0].shift, fn));
  };
  Term minusOne = constantTerm({-1.0});
  using Result = std::optional<Term>;
  return llvm::TypeSwitch<Operation *, Result>(op)
      .Case([&](arith::AddFOp) { return addTerms(operands[0], operands[1]); })
      .Case([&](arith::SubFOp) {
        return addTerms(operands[0], *multiplyTerms(operands[1], minusOne));
      })
      .Case([&](arith::NegFOp) { return multiplyTerms(operands[0], minusOne); })
      .Case([&](arith::MulFOp) {
        return multiplyTerms(operands[0], operands[1]);
      })
      .Case([&](arith::DivFOp) -> Result {
        if (operands[1].scale)
          return std::nullopt;
        return multiplyTerms(
            operands[0], constantTerm(map(operands[1].shift, [](double value) {
              return 1.0 / value;
            })));
      })
      .Case([&](math::SqrtOp) {
        return apply([](double value) { return std::sqrt(value); });
      })
      .Case([&](math::RsqrtOp) {
        return apply([](double value) { return 1.0 / std::sqrt(value); });
      })
      .Case([&](arith::TruncFOp) {
        return apply([](double value) {
          return static_cast<double>(static_cast<float>(value));
        });
      })
      .Default([](Operation *) { return std::nullopt; });
}

/// What the body of `op` makes of its inputs.
static std::optional<Term> evaluateBody(linalg::GenericOp op,
                                        ArrayRef<Term> inputs) {
  DenseMap<Value, Term> terms;
  for (auto [argument, input] : llvm::zip(op.getBody()->getArguments(), inputs))
    terms[argument] = input;
  auto lookup = [&](Value value) -> std::optional<Term> {
    if (auto it = terms.find(value); it != terms.end())
      return it->second;
    FloatAttr constant;
    if (matchPattern(value, m_Constant(&constant)))
      return constantTerm({constant.getValueAsDouble()});
    return std::nullopt;
  };
  for (Operation &inner : op.getBody()->without_terminator()) {
    // The check of a reciprocal and its condition do not make its value.
    if (isa<cf::AssertOp, arith::CmpFOp, arith::ConstantOp>(inner))
      continue;
    SmallVector<Term> operands;
    for (Value operand : inner.getOperands()) {
      std::optional<Term> term = lookup(operand);
      if (!term)
        return std::nullopt;
      operands.push_back(std::move(*term));
    }
    std::optional<Term> result =
        operands.empty() ? std::nullopt : evaluate(&inner, operands);
    if (!result)
      return std::nullopt;
    terms[inner.getResult(0)] = std::move(*result);
  }
  return lookup(op.getBody()->getTerminator()->getOperand(0));
}

/// Whether `op` computes its one result element by element in f32.
static bool isElementwise(linalg::GenericOp op) {
  return op->getNumResults() == 1 &&
         op.getNumParallelLoops() == op.getNumLoops() &&
         op.getIndexingMapsArray().back().isIdentity() &&
         getElementTypeOrSelf(op->getResult(0)).isF32();
}

/// The elements of a tensor that is computed from constants.
static std::optional<Numbers> evaluateTensor(Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  if (!type.hasStaticShape())
    return std::nullopt;
  if (FailureOr<StridedConstant> constant = StridedConstant::match(value);
      succeeded(constant)) {
    FailureOr<std::vector<float>> elements = constant->gather();
    if (failed(elements))
      return std::nullopt;
    return Numbers(elements->begin(), elements->end());
  }
  Operation *op = value.getDefiningOp();
  if (isa_and_present<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op))
    return evaluateTensor(op->getOperand(0));
  auto generic = dyn_cast_if_present<linalg::GenericOp>(op);
  if (!generic || !isElementwise(generic))
    return std::nullopt;
  SmallVector<Term> inputs;
  for (OpOperand *operand : generic.getDpsInputOperands()) {
    auto operandType = dyn_cast<RankedTensorType>(operand->get().getType());
    bool sameElements = generic.getMatchingIndexingMap(operand).isIdentity() ||
                        (operandType && operandType.hasStaticShape() &&
                         operandType.getNumElements() == 1);
    std::optional<Numbers> elements = operandType && sameElements
                                          ? evaluateTensor(operand->get())
                                          : std::nullopt;
    if (!elements)
      return std::nullopt;
    inputs.push_back(constantTerm(std::move(*elements)));
  }
  std::optional<Term> result = evaluateBody(generic, inputs);
  if (!result || result->scale)
    return std::nullopt;
  result->shift.resize(type.getNumElements(), result->shift.front());
  return result->shift;
}

/// Whether `operand` varies with dimension `channelDim` of the iteration only,
/// or not at all.
static bool variesByChannelOnly(linalg::GenericOp op, OpOperand *operand,
                                int64_t channelDim, int64_t numChannels) {
  auto type = dyn_cast<RankedTensorType>(operand->get().getType());
  if (!type || !type.hasStaticShape())
    return false;
  if (type.getNumElements() == 1)
    return true;
  AffineMap map = op.getMatchingIndexingMap(operand);
  for (auto [size, expr] : llvm::zip(type.getShape(), map.getResults())) {
    if (size == 1)
      continue;
    auto dimension = dyn_cast<AffineDimExpr>(expr);
    if (!dimension || dimension.getPosition() != channelDim ||
        size != numChannels)
      return false;
  }
  return true;
}

FailureOr<ChannelAffine> mlir::bcr::raise::matchAffine(linalg::GenericOp op,
                                                       Value input,
                                                       int64_t channelDim,
                                                       int64_t numChannels) {
  if (!isElementwise(op) || op->getResult(0).getType() != input.getType())
    return failure();
  SmallVector<Term> inputs;
  for (OpOperand *operand : op.getDpsInputOperands()) {
    if (operand->get() == input) {
      if (!op.getMatchingIndexingMap(operand).isIdentity())
        return failure();
      inputs.push_back({Numbers{1.0}, Numbers{0.0}});
      continue;
    }
    if (!variesByChannelOnly(op, operand, channelDim, numChannels))
      return failure();
    std::optional<Numbers> elements = evaluateTensor(operand->get());
    if (!elements)
      return failure();
    inputs.push_back(constantTerm(std::move(*elements)));
  }
  std::optional<Term> result = evaluateBody(op, inputs);
  if (!result || !result->scale)
    return failure();
  ChannelAffine affine;
  affine.scale = std::move(*result->scale);
  affine.shift = std::move(result->shift);
  return affine;
}

/// Rounds to f32; false if that leaves the finite numbers.
static bool roundTo(double value, float &result) {
  result = static_cast<float>(value);
  return std::isfinite(result);
}

LogicalResult mlir::bcr::raise::foldAffine(LayerOpInterface layer,
                                           const ChannelAffine &affine,
                                           RewriterBase &rewriter) {
  int64_t numRows = layer.getNumRows();
  int64_t numColumns = layer.getNumColumns();
  Operation *op = layer;
  std::string name =
      layer.getLayerAttr() ? layer.getLayerAttr().str() : "layer";

  std::vector<float> bias(numRows, 0.0f);
  if (layer.getBias() && (affine.scales() || affine.shifts())) {
    FailureOr<StridedConstant> constant =
        StridedConstant::match(layer.getBias());
    if (failed(constant))
      return failure();
    FailureOr<std::vector<float>> values = constant->gather();
    if (failed(values))
      return failure();
    bias = std::move(*values);
  }
  for (int64_t row = 0; row < numRows; ++row)
    if (!roundTo(at(affine.scale, row) * bias[row] + at(affine.shift, row),
                 bias[row]))
      return failure();

  Attribute weights;
  if (affine.scales()) {
    Attribute attribute;
    if (!matchPattern(layer.getWeight(), m_Constant(&attribute)))
      return failure();
    FailureOr<FloatElements> elements = FloatElements::get(attribute);
    if (failed(elements))
      return failure();
    ArrayRef<float> old = elements->get();
    std::vector<float> values(old.size());
    for (int64_t row = 0; row < numRows; ++row) {
      double scale = at(affine.scale, row);
      for (int64_t i = row * numColumns; i < (row + 1) * numColumns; ++i)
        // A pruned weight stays a zero, and a positive one, whatever the scale.
        if (old[i] != 0 && !roundTo(scale * old[i], values[i]))
          return failure();
    }
    auto type = cast<RankedTensorType>(layer.getWeight().getType());
    weights = makeFloatElements(type.getShape(), name + ".weight",
                                std::move(values), op->getContext());
  }

  rewriter.setInsertionPoint(op);
  auto makeValue = [&](Attribute attribute) -> Value {
    return arith::ConstantOp::create(rewriter, op->getLoc(),
                                     cast<TypedAttr>(attribute));
  };
  rewriter.modifyOpInPlace(op, [&] {
    if (weights)
      layer.getWeightMutable().assign(makeValue(weights));
    if (affine.shifts() || (layer.getBias() && affine.scales()))
      layer.getBiasMutable().assign(makeValue(makeFloatElements(
          {numRows}, name + ".bias", std::move(bias), op->getContext())));
  });
  return success();
}
