//===- ScalarExpression.cpp - Formulas of one variable --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/ScalarExpression.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

#include <cmath>
#include <limits>

using namespace mlir;
using namespace mlir::bcr;

static constexpr double kInfinity = std::numeric_limits<double>::infinity();

const Scalar *ScalarBuilder::get(Kind kind,
                                 std::vector<const Scalar *> operands, double a,
                                 double b) {
  // -0.0 and 0.0 are equal as keys; formulas do not tell them apart.
  std::vector<unsigned> ids;
  for (const Scalar *operand : operands)
    ids.push_back(operand->id);
  std::unique_ptr<Scalar> &node = nodes[Key(kind, a, b, std::move(ids))];
  if (!node)
    node = std::make_unique<Scalar>(
        Scalar{kind, a, b, std::move(operands), unsigned(nodes.size())});
  return node.get();
}

const Scalar *ScalarBuilder::getConstant(double value) {
  // Keys are ordered by value, and NaN has no order.
  return std::isnan(value) ? nullptr : get(Kind::Constant, {}, value);
}

static void sortById(std::vector<const Scalar *> &operands) {
  llvm::sort(operands, [](const Scalar *lhs, const Scalar *rhs) {
    return lhs->id < rhs->id;
  });
}

const Scalar *ScalarBuilder::getSum(const Scalar *lhs, const Scalar *rhs) {
  double constant = 0;
  std::vector<const Scalar *> terms;
  for (const Scalar *term : {lhs, rhs}) {
    if (term->is(Kind::Constant)) {
      constant += term->a;
    } else if (term->is(Kind::Sum)) {
      constant += term->a;
      terms.insert(terms.end(), term->operands.begin(), term->operands.end());
    } else {
      terms.push_back(term);
    }
  }
  if (std::isnan(constant))
    return nullptr;
  if (terms.empty())
    return getConstant(constant);
  if (terms.size() == 1 && constant == 0)
    return terms.front();
  sortById(terms);
  return get(Kind::Sum, std::move(terms), constant);
}

const Scalar *ScalarBuilder::getProduct(const Scalar *lhs, const Scalar *rhs) {
  double constant = 1;
  std::vector<const Scalar *> factors;
  for (const Scalar *factor : {lhs, rhs}) {
    if (factor->is(Kind::Constant)) {
      constant *= factor->a;
    } else if (factor->is(Kind::Product)) {
      constant *= factor->a;
      factors.insert(factors.end(), factor->operands.begin(),
                     factor->operands.end());
    } else {
      factors.push_back(factor);
    }
  }
  if (std::isnan(constant))
    return nullptr;
  if (factors.empty())
    return getConstant(constant);
  if (factors.size() == 1 && constant == 1)
    return factors.front();
  sortById(factors);
  return get(Kind::Product, std::move(factors), constant);
}

const Scalar *ScalarBuilder::getInverse(const Scalar *operand) {
  if (operand->is(Kind::Constant))
    return getConstant(1.0 / operand->a);
  return get(Kind::Inverse, {operand});
}

const Scalar *ScalarBuilder::getClamp(const Scalar *operand, double low,
                                      double high) {
  if (operand->is(Kind::Constant))
    return getConstant(std::min(std::max(operand->a, low), high));
  if (operand->is(Kind::Clamp)) {
    // Bounds that cross would make the order of the two matter.
    double newLow = std::max(low, operand->a);
    double newHigh = std::min(high, operand->b);
    if (newLow <= newHigh)
      return get(Kind::Clamp, operand->operands, newLow, newHigh);
  }
  return get(Kind::Clamp, {operand}, low, high);
}

const Scalar *ScalarBuilder::getMax(const Scalar *lhs, const Scalar *rhs) {
  if (lhs->is(Kind::Constant))
    std::swap(lhs, rhs);
  if (rhs->is(Kind::Constant))
    return getClamp(lhs, rhs->a, kInfinity);
  std::vector<const Scalar *> operands = {lhs, rhs};
  sortById(operands);
  return get(Kind::Max, std::move(operands));
}

const Scalar *ScalarBuilder::getMin(const Scalar *lhs, const Scalar *rhs) {
  if (lhs->is(Kind::Constant))
    std::swap(lhs, rhs);
  if (rhs->is(Kind::Constant))
    return getClamp(lhs, -kInfinity, rhs->a);
  std::vector<const Scalar *> operands = {lhs, rhs};
  sortById(operands);
  return get(Kind::Min, std::move(operands));
}

const Scalar *ScalarBuilder::getCompare(arith::CmpFPredicate predicate,
                                        const Scalar *lhs, const Scalar *rhs) {
  // Strict or not, the alternatives that an activation selects from agree where
  // both sides are equal; ordered or not, an activation hands NaN on.
  switch (predicate) {
  case arith::CmpFPredicate::OGT:
  case arith::CmpFPredicate::OGE:
  case arith::CmpFPredicate::UGT:
  case arith::CmpFPredicate::UGE:
    return get(Kind::Greater, {lhs, rhs});
  case arith::CmpFPredicate::OLT:
  case arith::CmpFPredicate::OLE:
  case arith::CmpFPredicate::ULT:
  case arith::CmpFPredicate::ULE:
    return get(Kind::Greater, {rhs, lhs});
  default:
    return nullptr;
  }
}

const Scalar *ScalarBuilder::getSelect(const Scalar *condition,
                                       const Scalar *whenTrue,
                                       const Scalar *whenFalse) {
  if (!condition->is(Kind::Greater))
    return nullptr;
  const Scalar *greater = condition->operands[0];
  const Scalar *less = condition->operands[1];
  if (whenTrue == greater && whenFalse == less)
    return getMax(greater, less);
  if (whenTrue == less && whenFalse == greater)
    return getMin(greater, less);
  return get(Kind::Select, {condition, whenTrue, whenFalse});
}

/// The scalar constant `value`, as f32 where its type is f32.
static std::optional<double> getScalarConstant(Value value) {
  FloatAttr floatAttr;
  if (matchPattern(value, m_Constant(&floatAttr)))
    return floatAttr.getValueAsDouble();
  IntegerAttr integerAttr;
  if (matchPattern(value, m_Constant(&integerAttr)))
    return static_cast<double>(integerAttr.getInt());
  return std::nullopt;
}

const Scalar *ScalarBuilder::translate(Operation *op,
                                       ArrayRef<const Scalar *> operands) {
  const Scalar *x = operands[0];
  const Scalar *y = operands.size() > 1 ? operands[1] : nullptr;
  return llvm::TypeSwitch<Operation *, const Scalar *>(op)
      .Case([&](arith::AddFOp) { return getSum(x, y); })
      .Case([&](arith::SubFOp) {
        return getSum(x, getProduct(getConstant(-1), y));
      })
      .Case([&](arith::NegFOp) { return getProduct(getConstant(-1), x); })
      .Case([&](arith::MulFOp) { return getProduct(x, y); })
      .Case([&](arith::DivFOp) {
        const Scalar *inverse = getInverse(y);
        return inverse ? getProduct(x, inverse) : nullptr;
      })
      .Case<arith::MaximumFOp, arith::MaxNumFOp>(
          [&](Operation *) { return getMax(x, y); })
      .Case<arith::MinimumFOp, arith::MinNumFOp>(
          [&](Operation *) { return getMin(x, y); })
      .Case([&](arith::CmpFOp cmp) {
        return getCompare(cmp.getPredicate(), x, y);
      })
      .Case([&](arith::SelectOp) { return getSelect(x, y, operands[2]); })
      .Case([&](arith::ExtFOp) { return x; })
      .Case([&](arith::TruncFOp) {
        return x->is(Kind::Constant) ? getConstant(static_cast<float>(x->a))
                                     : x;
      })
      .Case([&](math::ExpOp) { return get(Kind::Exp, {x}); })
      .Case([&](math::ErfOp) { return get(Kind::Erf, {x}); })
      .Case([&](math::TanhOp) { return get(Kind::Tanh, {x}); })
      .Case<math::FPowIOp, math::PowFOp>([&](Operation *) -> const Scalar * {
        if (!y->is(Kind::Constant) || (y->a != 2 && y->a != 3))
          return nullptr;
        const Scalar *square = getProduct(x, x);
        return y->a == 2 ? square : getProduct(square, x);
      })
      .Default([](Operation *) { return nullptr; });
}

const Scalar *ScalarBuilder::translate(linalg::GenericOp op,
                                       ArrayRef<const Scalar *> inputs) {
  DenseMap<Value, const Scalar *> scalars;
  for (auto [argument, input] : llvm::zip(op.getBody()->getArguments(), inputs))
    scalars[argument] = input;
  auto lookup = [&](Value value) -> const Scalar * {
    if (const Scalar *scalar = scalars.lookup(value))
      return scalar;
    std::optional<double> constant = getScalarConstant(value);
    return constant ? getConstant(*constant) : nullptr;
  };
  for (Operation &inner : op.getBody()->without_terminator()) {
    if (inner.hasTrait<OpTrait::ConstantLike>())
      continue;
    SmallVector<const Scalar *> operands;
    for (Value operand : inner.getOperands())
      operands.push_back(lookup(operand));
    if (operands.empty() || llvm::is_contained(operands, nullptr) ||
        inner.getNumResults() != 1)
      return nullptr;
    const Scalar *result = translate(&inner, operands);
    if (!result)
      return nullptr;
    scalars[inner.getResult(0)] = result;
  }
  return lookup(op.getBody()->getTerminator()->getOperand(0));
}
