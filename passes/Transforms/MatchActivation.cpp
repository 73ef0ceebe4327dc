//===- MatchActivation.cpp - Formulas that are activations ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The formulas are those that torch-mlir writes for PyTorch's activations, and
// the ones people write by hand. PyTorch hands NaN on in all of them, and so do
// the activations of bcr; torch-mlir's relu6 does not, which is its mistake.
//
//===----------------------------------------------------------------------===//

#include "passes/Transforms/RaiseImpl.h"

#include <cmath>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::raise;
using Kind = Scalar::Kind;

/// Whether `value` is `expected` as far as f32 constants can say. `tolerance`
/// is relative.
static bool isNear(double value, double expected, double tolerance = 1e-6) {
  return std::abs(value - expected) <= tolerance * std::abs(expected);
}

/// If `node` is a sum or product of constant `constant` and one other operand,
/// that operand, else null.
static const Scalar *matchUnary(const Scalar *node, Kind kind, double constant,
                                double tolerance = 1e-6) {
  if (node->is(kind) && node->operands.size() == 1 &&
      isNear(node->a, constant, tolerance))
    return node->operands.front();
  return nullptr;
}

/// If `node` is `constant * x * rest`, the rest, else null.
static const Scalar *matchTimesVariable(const Scalar *node, const Scalar *x,
                                        double constant) {
  if (!node->is(Kind::Product) || node->operands.size() != 2 ||
      !isNear(node->a, constant))
    return nullptr;
  if (node->operands[0] == x)
    return node->operands[1];
  return node->operands[1] == x ? node->operands[0] : nullptr;
}

static bool isSigmoid(const Scalar *node, const Scalar *x) {
  if (!node->is(Kind::Inverse))
    return false;
  const Scalar *exp = matchUnary(node->operands[0], Kind::Sum, 1);
  return exp && exp->is(Kind::Exp) &&
         matchUnary(exp->operands[0], Kind::Product, -1) == x;
}

static bool isErfPart(const Scalar *node, const Scalar *x) {
  const Scalar *erf = matchUnary(node, Kind::Sum, 1);
  return erf && erf->is(Kind::Erf) &&
         matchUnary(erf->operands[0], Kind::Product, std::sqrt(0.5)) == x;
}

/// 1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3)).
static bool isTanhPart(const Scalar *node, const Scalar *x) {
  const Scalar *tanh = matchUnary(node, Kind::Sum, 1);
  if (!tanh || !tanh->is(Kind::Tanh))
    return false;
  // torch-mlir rounds sqrt(2 / pi) to four digits.
  const Scalar *sum =
      matchUnary(tanh->operands[0], Kind::Product, std::sqrt(2 / M_PI), 5e-4);
  if (!sum || !sum->is(Kind::Sum) || sum->a != 0 || sum->operands.size() != 2)
    return false;
  bool first = sum->operands[0] == x;
  if (!first && sum->operands[1] != x)
    return false;
  const Scalar *cubic = sum->operands[first ? 1 : 0];
  return cubic->is(Kind::Product) && isNear(cubic->a, 0.044715) &&
         cubic->operands == std::vector<const Scalar *>{x, x, x};
}

/// The factor of x if `node` is a multiple of it.
static std::optional<double> matchMultiple(const Scalar *node,
                                           const Scalar *x) {
  if (node == x)
    return 1.0;
  if (node->is(Kind::Product) && node->operands.size() == 1 &&
      node->operands[0] == x)
    return node->a;
  return std::nullopt;
}

/// The slope of a leaky ReLU in any of the ways to write one.
static std::optional<double> matchLeakyReLU(const Scalar *node, const Scalar *x,
                                            ScalarBuilder &builder) {
  const Scalar *zero = builder.getConstant(0);
  // x > 0 ? x : slope * x
  if (node->is(Kind::Select)) {
    const Scalar *condition = node->operands[0];
    const Scalar *positive = node->operands[1];
    const Scalar *negative = node->operands[2];
    if (condition->operands[0] == zero && condition->operands[1] == x)
      std::swap(positive, negative);
    else if (condition->operands[0] != x || condition->operands[1] != zero)
      return std::nullopt;
    return positive == x ? matchMultiple(negative, x) : std::nullopt;
  }
  // max(x, slope * x)
  if (node->is(Kind::Max)) {
    for (unsigned i : {0u, 1u})
      if (node->operands[i] == x)
        if (std::optional<double> slope =
                matchMultiple(node->operands[1 - i], x);
            slope && *slope >= 0 && *slope <= 1)
          return slope;
    return std::nullopt;
  }
  // max(x, 0) + slope * min(x, 0)
  if (node->is(Kind::Sum) && node->a == 0 && node->operands.size() == 2) {
    const Scalar *positive = builder.getMax(x, zero);
    const Scalar *negative = builder.getMin(x, zero);
    for (unsigned i : {0u, 1u})
      if (node->operands[i] == positive)
        return matchMultiple(node->operands[1 - i], negative);
  }
  return std::nullopt;
}

static bool isHardSwishPart(const Scalar *node, const Scalar *x) {
  return node->is(Kind::Clamp) && node->a == 0 && node->b == 6 &&
         matchUnary(node->operands[0], Kind::Sum, 3) == x;
}

ActivationAttr mlir::bcr::raise::matchActivation(const Scalar *node,
                                                 ScalarBuilder &builder,
                                                 MLIRContext *context) {
  const Scalar *x = builder.getVariable();
  auto get = [&](ActivationKind kind, double alpha = 0, double beta = 0) {
    return ActivationAttr::get(context, kind, alpha, beta);
  };
  if (node->is(Kind::Clamp) && node->operands[0] == x) {
    if (node->a == 0 && std::isinf(node->b))
      return get(ActivationKind::ReLU);
    if (node->a == 0 && node->b == 6)
      return get(ActivationKind::ReLU6);
    return get(ActivationKind::Clamp, node->a, node->b);
  }
  if (node->is(Kind::Tanh) && node->operands[0] == x)
    return get(ActivationKind::Tanh);
  if (isSigmoid(node, x))
    return get(ActivationKind::Sigmoid);
  if (const Scalar *rest = matchTimesVariable(node, x, 1))
    if (isSigmoid(rest, x))
      return get(ActivationKind::SiLU);
  if (const Scalar *rest = matchTimesVariable(node, x, 1.0 / 6))
    if (isHardSwishPart(rest, x))
      return get(ActivationKind::HardSwish);
  if (const Scalar *rest = matchTimesVariable(node, x, 0.5)) {
    if (isErfPart(rest, x))
      return get(ActivationKind::GELU);
    if (isTanhPart(rest, x))
      return get(ActivationKind::GELUTanh);
  }
  if (std::optional<double> slope = matchLeakyReLU(node, x, builder))
    return get(ActivationKind::LeakyReLU, *slope);
  return {};
}
