//===- Epilogue.cpp - Activations of a layer ------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/Epilogue.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

namespace {
/// Formulas on values of one type.
struct Formula {
  Emitter &emitter;
  int64_t width;

  Value number(double value) { return emitter.constant(value, width); }
  Value add(Value a, Value b) { return arith::AddFOp::create(emitter, a, b); }
  Value mul(Value a, Value b) { return arith::MulFOp::create(emitter, a, b); }
  Value div(Value a, Value b) { return arith::DivFOp::create(emitter, a, b); }
  /// Comparison and selection, because both targets have it as one instruction
  /// and it keeps a NaN in `value`.
  Value choose(arith::CmpFPredicate predicate, Value value, Value bound) {
    Value outside = arith::CmpFOp::create(emitter, predicate, value, bound);
    return arith::SelectOp::create(emitter, outside, bound, value);
  }
  Value atLeast(Value value, double bound) {
    return choose(arith::CmpFPredicate::OLT, value, number(bound));
  }
  Value atMost(Value value, double bound) {
    return choose(arith::CmpFPredicate::OGT, value, number(bound));
  }
  Value sigmoid(Value value) {
    Value negative = arith::NegFOp::create(emitter, value);
    Value power = math::ExpOp::create(emitter, negative);
    return div(number(1), add(number(1), power));
  }
};
} // namespace

Value loops::applyActivation(Emitter &emitter, ActivationAttr activation,
                             Value value) {
  if (!activation)
    return value;
  int64_t width = 1;
  if (auto type = dyn_cast<VectorType>(value.getType()))
    width = type.getNumElements();
  Formula f{emitter, width};
  double alpha = activation.getAlpha().convertToDouble();
  double beta = activation.getBeta().convertToDouble();
  switch (activation.getKind()) {
  case ActivationKind::ReLU:
    return f.atLeast(value, 0);
  case ActivationKind::ReLU6:
    return f.atMost(f.atLeast(value, 0), 6);
  case ActivationKind::Clamp:
    return f.atMost(f.atLeast(value, alpha), beta);
  case ActivationKind::LeakyReLU: {
    Value negative = arith::CmpFOp::create(emitter, arith::CmpFPredicate::OLT,
                                           value, f.number(0));
    Value scaled = f.mul(value, f.number(alpha));
    return arith::SelectOp::create(emitter, negative, scaled, value);
  }
  case ActivationKind::HardSwish: {
    Value gate = f.atMost(f.atLeast(f.add(value, f.number(3)), 0), 6);
    return f.div(f.mul(value, gate), f.number(6));
  }
  case ActivationKind::SiLU:
    return f.mul(value, f.sigmoid(value));
  case ActivationKind::Sigmoid:
    return f.sigmoid(value);
  case ActivationKind::Tanh:
    return math::TanhOp::create(emitter, value);
  case ActivationKind::GELU: {
    // x / 2 * (1 + erf(x / sqrt(2)))
    Value scaled = f.mul(value, f.number(0.70710678118654752440));
    Value one = f.add(f.number(1), math::ErfOp::create(emitter, scaled));
    return f.mul(f.mul(value, f.number(0.5)), one);
  }
  case ActivationKind::GELUTanh: {
    // x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))
    Value cube = f.mul(f.mul(value, value), value);
    Value inner = f.add(value, f.mul(cube, f.number(0.044715)));
    Value scaled = f.mul(inner, f.number(0.79788456080286535588));
    Value one = f.add(f.number(1), math::TanhOp::create(emitter, scaled));
    return f.mul(f.mul(value, f.number(0.5)), one);
  }
  }
  llvm_unreachable("all kinds are handled");
}
