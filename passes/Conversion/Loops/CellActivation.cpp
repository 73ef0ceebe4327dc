//===- CellActivation.cpp - Sigmoid and tanh of a cell --------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A state is a sum of products with both, so what counts is how far they are
// off, not how far relative to a small value.
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/CellActivation.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

#include <cmath>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

/// Lanes of AVX-512.
static constexpr int64_t kLanes = 16;

/// 2^f for f in [0, 1), from the highest power down, by Remez's algorithm: off
/// by at most 7.5e-8 of the value.
static constexpr float kPower[] = {0.00187757669f, 0.00898933969f,
                                   0.0558263175f,  0.240153611f,
                                   0.693153083f,   0.99999994f};

/// 1 / (1 + 2^(value * factor)). With AVX-512 the exponent is taken apart and
/// put together again by one instruction each, which do the right thing with
/// infinities: 12 instead of 19 operations of a quotient of polynomials.
static Value emitLogistic(Emitter &emitter, Value value, double factor) {
  auto call = [&](StringRef name, ValueRange operands) -> Value {
    return LLVM::CallIntrinsicOp::create(emitter, value.getType(),
                                         emitter.getStringAttr(name), operands)
        .getResults();
  };
  auto integer = [&](int64_t number, int64_t bits) -> Value {
    return arith::ConstantIntOp::create(emitter, number, bits);
  };
  Value all = integer(-1, 16);
  Value mode = integer(/*rounding of MXCSR=*/4, 32);
  Value exponent =
      arith::MulFOp::create(emitter, value, emitter.constant(factor, kLanes));
  Value fraction = call("llvm.x86.avx512.mask.reduce.ps.512",
                        {exponent, integer(/*towards minus infinity=*/9, 32),
                         exponent, all, mode});
  Value power = emitter.constant(kPower[0], kLanes);
  for (float coefficient : ArrayRef(kPower).drop_front())
    power = emitter.multiplyAdd(power, fraction,
                                emitter.constant(coefficient, kLanes));
  power = call("llvm.x86.avx512.mask.scalef.ps.512",
               {power, exponent, power, all, mode});
  Value one = emitter.constant(1, kLanes);
  return arith::DivFOp::create(emitter, one,
                               arith::AddFOp::create(emitter, one, power));
}

Value loops::emitCellActivation(Emitter &emitter, ActivationKind kind,
                                Value value, int64_t width) {
  auto activate = [&](ActivationKind kind, Value value) {
    return emitter.activate(ActivationAttr::get(emitter.getContext(), kind),
                            value);
  };
  bool sigmoid = kind == ActivationKind::Sigmoid;
  if (!sigmoid && kind != ActivationKind::Tanh)
    return activate(kind, value);
  double log2e = 1 / std::log(2.0);
  if (width == kLanes && sigmoid)
    return emitLogistic(emitter, value, -log2e);
  if (width == kLanes)
    return emitter.multiplyAdd(emitLogistic(emitter, value, 2 * log2e),
                               emitter.constant(-2, width),
                               emitter.constant(1, width));
  if (!sigmoid)
    return activate(kind, value);
  // sigmoid(x) = (1 + tanh(x / 2)) / 2: a quotient of two polynomials takes two
  // thirds of the operations and of the latency of an exponential and a
  // division.
  Value half = emitter.constant(0.5, width);
  Value argument = arith::MulFOp::create(emitter, value, half);
  return emitter.multiplyAdd(activate(ActivationKind::Tanh, argument), half,
                             half);
}
