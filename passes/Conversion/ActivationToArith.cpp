//===- ActivationToArith.cpp - Activations as arithmetic ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// The formulas of PyTorch's documentation, term by term.
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/ActivationToArith.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include <cmath>

using namespace mlir;
using namespace mlir::bcr;

namespace {
/// Writes formulas on values of one type shortly.
struct Formula {
  OpBuilder &builder;
  Location loc;
  Type type;

  Value constant(double value) {
    TypedAttr number = builder.getF32FloatAttr(static_cast<float>(value));
    if (auto vector = dyn_cast<VectorType>(type))
      number = DenseElementsAttr::get(vector, number);
    return arith::ConstantOp::create(builder, loc, number);
  }
  Value add(Value lhs, Value rhs) {
    return arith::AddFOp::create(builder, loc, lhs, rhs);
  }
  Value mul(Value lhs, Value rhs) {
    return arith::MulFOp::create(builder, loc, lhs, rhs);
  }
  Value clamp(Value x, double low, double high) {
    Value bounded = arith::MaximumFOp::create(builder, loc, x, constant(low));
    return arith::MinimumFOp::create(builder, loc, bounded, constant(high));
  }
  Value sigmoid(Value x) {
    Value exp = math::ExpOp::create(builder, loc,
                                    arith::NegFOp::create(builder, loc, x));
    Value one = constant(1);
    return arith::DivFOp::create(builder, loc, one, add(exp, one));
  }
  /// x / 2 * (1 + y).
  Value gate(Value x, Value y) {
    return mul(mul(x, constant(0.5)), add(y, constant(1)));
  }
};
} // namespace

Value mlir::bcr::buildActivation(OpBuilder &builder, Location loc,
                                 ActivationAttr activation, Value x) {
  if (!activation)
    return x;
  Formula f{builder, loc, x.getType()};
  double alpha = activation.getAlpha().convertToDouble();
  double beta = activation.getBeta().convertToDouble();
  switch (activation.getKind()) {
  case ActivationKind::ReLU:
    return arith::MaximumFOp::create(builder, loc, x, f.constant(0));
  case ActivationKind::ReLU6:
    return f.clamp(x, 0, 6);
  case ActivationKind::Clamp:
    return f.clamp(x, alpha, beta);
  case ActivationKind::LeakyReLU: {
    Value positive = arith::CmpFOp::create(
        builder, loc, arith::CmpFPredicate::OGT, x, f.constant(0));
    return arith::SelectOp::create(builder, loc, positive, x,
                                   f.mul(x, f.constant(alpha)));
  }
  case ActivationKind::HardSwish: {
    Value gate = f.clamp(f.add(x, f.constant(3)), 0, 6);
    return arith::DivFOp::create(builder, loc, f.mul(x, gate), f.constant(6));
  }
  case ActivationKind::Sigmoid:
    return f.sigmoid(x);
  case ActivationKind::SiLU:
    return f.mul(x, f.sigmoid(x));
  case ActivationKind::Tanh:
    return math::TanhOp::create(builder, loc, x);
  case ActivationKind::GELU:
    return f.gate(x, math::ErfOp::create(builder, loc,
                                         f.mul(x, f.constant(std::sqrt(0.5)))));
  case ActivationKind::GELUTanh: {
    Value cube = f.mul(f.mul(x, x), x);
    Value inner = f.add(x, f.mul(cube, f.constant(0.044715)));
    return f.gate(
        x, math::TanhOp::create(builder, loc,
                                f.mul(inner, f.constant(std::sqrt(2 / M_PI)))));
  }
  }
  llvm_unreachable("all activations are handled");
}
