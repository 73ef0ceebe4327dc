//===- ScalarExpression.h - Formulas of one variable -----------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Element-wise linalg operations as formulas of one variable. Sums, products
// and bounds are kept in a normal form, so that one formula written in several
// ways, or spread over several operations, is one node.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_ANALYSIS_SCALAREXPRESSION_H
#define BCR_PASSES_ANALYSIS_SCALAREXPRESSION_H

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"

#include <map>
#include <memory>
#include <optional>
#include <tuple>
#include <vector>

namespace mlir::bcr {

/// A node of a formula. Equal formulas are one node.
struct Scalar {
  enum class Kind {
    Variable,
    Constant, // a
    Sum,      // a + operands[0] + operands[1] + ...
    Product,  // a * operands[0] * operands[1] * ...
    Inverse,  // 1 / operands[0]
    Exp,
    Erf,
    Tanh,
    Clamp,   // operands[0], bounded by a and b, which may be infinite
    Max,     // of operands that are not constant
    Min,     // of operands that are not constant
    Greater, // operands[0] > operands[1], or >=
    Select,  // operands[0] ? operands[1] : operands[2]
  };
  Kind kind;
  double a = 0;
  double b = 0;
  std::vector<const Scalar *> operands;
  unsigned id = 0;

  bool is(Kind other) const { return kind == other; }
};

/// Makes and owns formulas.
class ScalarBuilder {
public:
  using Kind = Scalar::Kind;

  const Scalar *getVariable() { return get(Kind::Variable); }
  /// Null for NaN.
  const Scalar *getConstant(double value);
  const Scalar *getSum(const Scalar *lhs, const Scalar *rhs);
  const Scalar *getProduct(const Scalar *lhs, const Scalar *rhs);
  const Scalar *getInverse(const Scalar *operand);
  const Scalar *getMax(const Scalar *lhs, const Scalar *rhs);
  const Scalar *getMin(const Scalar *lhs, const Scalar *rhs);

  /// The formula that `op` yields, given those of its inputs, or null if it
  /// has operations that no activation is made of.
  const Scalar *translate(linalg::GenericOp op,
                          ArrayRef<const Scalar *> inputs);

private:
  const Scalar *get(Kind kind, std::vector<const Scalar *> operands = {},
                    double a = 0, double b = 0);
  const Scalar *getClamp(const Scalar *operand, double low, double high);
  const Scalar *getSelect(const Scalar *condition, const Scalar *whenTrue,
                          const Scalar *whenFalse);
  const Scalar *getCompare(arith::CmpFPredicate predicate, const Scalar *lhs,
                           const Scalar *rhs);
  const Scalar *translate(Operation *op, ArrayRef<const Scalar *> operands);

  using Key = std::tuple<Kind, double, double, std::vector<unsigned>>;
  std::map<Key, std::unique_ptr<Scalar>> nodes;
};

} // namespace mlir::bcr

#endif // BCR_PASSES_ANALYSIS_SCALAREXPRESSION_H
