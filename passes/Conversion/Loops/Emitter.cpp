//===- Emitter.cpp - Building blocks of the kernels -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/Emitter.h"
#include "dialect/Packed.h"
#include "passes/Conversion/ActivationToArith.h"
#include "passes/Conversion/Loops/ColumnCode.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"

#include <algorithm>

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::loops;

/// Cache lines of the processors we know are not longer.
static constexpr int64_t kAlignment = 64;

/// Ranges of up to this many vectors are covered without a loop.
static constexpr int64_t kMaxUnrolled = 4;

bool loops::hasUnitStride(Value memref) {
  auto type = cast<MemRefType>(memref.getType());
  SmallVector<int64_t> strides;
  int64_t offset;
  return succeeded(type.getStridesAndOffset(strides, offset)) &&
         !strides.empty() && strides.back() == 1;
}

Emitter::Emitter(LayerOpInterface layer, SymbolTable &symbols,
                 LayerReport &report, LoopOptions options)
    : Emitter(layer,
              layer.getLayerAttr() ? layer.getLayerAttr().getValue()
                                   : StringRef("layer"),
              symbols, report, options) {}

Emitter::Emitter(Operation *op, StringRef name, SymbolTable &symbols,
                 LayerReport &report, LoopOptions options)
    : ImplicitLocOpBuilder(op->getLoc(), op), symbols(symbols), report(report),
      layerName(name), options(options) {}

Value Emitter::index(int64_t value) {
  return arith::ConstantIndexOp::create(*this, value);
}

Value Emitter::add(Value a, Value b) {
  if (matchPattern(b, m_Zero()))
    return a;
  if (matchPattern(a, m_Zero()))
    return b;
  return createOrFold<arith::AddIOp>(a, b);
}

Value Emitter::sub(Value a, Value b) {
  return createOrFold<arith::SubIOp>(a, b);
}

Value Emitter::mul(Value a, int64_t b) {
  return createOrFold<arith::MulIOp>(a, index(b));
}

Value Emitter::div(Value a, int64_t b) {
  return createOrFold<arith::DivUIOp>(a, index(b));
}

Value Emitter::rem(Value a, int64_t b) {
  return createOrFold<arith::RemUIOp>(a, index(b));
}

/// Inline assembly without instructions.
static Value passThrough(Emitter &emitter, Type type, ValueRange operands,
                         StringRef constraints) {
  return LLVM::InlineAsmOp::create(emitter, type, operands,
                                   /*asm_string=*/"", constraints,
                                   /*has_side_effects=*/false,
                                   /*is_align_stack=*/false,
                                   LLVM::TailCallKind::None,
                                   /*asm_dialect=*/nullptr,
                                   /*operand_attrs=*/nullptr)
      .getRes();
}

Value Emitter::hide(Value value) {
  if (isa<VectorType>(value.getType()))
    return passThrough(*this, value.getType(), value,
                       options.byElement ? "=w,0" : "=v,0");
  Value number = arith::IndexCastOp::create(*this, getI64Type(), value);
  return arith::IndexCastOp::create(
      *this, getIndexType(),
      passThrough(*this, number.getType(), number, "=r,0"));
}

Value Emitter::waitFor(Value &vector, Value index) {
  Value number = arith::IndexCastOp::create(*this, getI64Type(), index);
  auto both = LLVM::LLVMStructType::getLiteral(
      getContext(), {vector.getType(), number.getType()});
  Value result = passThrough(*this, both, {vector, number},
                             options.byElement ? "=w,=r,0,1" : "=v,=r,0,1");
  vector = LLVM::ExtractValueOp::create(*this, result, 0);
  return arith::IndexCastOp::create(
      *this, getIndexType(), LLVM::ExtractValueOp::create(*this, result, 1));
}

void Emitter::loop(Value begin, Value end, int64_t step, Body body) {
  auto loop = scf::ForOp::create(*this, begin, end, index(step));
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  body(loop.getInductionVar());
}

void Emitter::loop(int64_t count, Body body) {
  if (count == 1)
    return body(index(0));
  if (count > 1)
    loop(index(0), index(count), 1, body);
}

void Emitter::parallelLoop(Value count, Body body) {
  if (options.threads == 1 || matchPattern(count, m_One())) {
    if (std::optional<int64_t> known = getConstantIntValue(count))
      return loop(*known, body);
    return loop(index(0), count, 1, body);
  }
  int64_t shares = options.threads;
  std::optional<int64_t> known = getConstantIntValue(count);
  if (known)
    shares = std::clamp<int64_t>(*known, 1, options.threads);
  auto nest =
      scf::ParallelOp::create(*this, ValueRange{index(0)},
                              ValueRange{index(shares)}, ValueRange{index(1)});
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(nest.getBody());
  Value thread = nest.getInductionVars().front();
  if (known && *known == shares)
    return body(thread);
  auto getBegin = [&](Value share) {
    return div(createOrFold<arith::MulIOp>(share, count), shares);
  };
  loop(getBegin(thread), getBegin(add(thread, 1)), 1, body);
}

void Emitter::coverRange(
    int64_t length, int64_t lanes,
    llvm::function_ref<void(Value begin, int64_t width)> body) {
  int64_t full = length / lanes;
  if (full > kMaxUnrolled) {
    loop(index(0), index(full * lanes), lanes,
         [&](Value begin) { body(begin, lanes); });
  } else {
    for (int64_t i = 0; i < full; ++i)
      body(index(i * lanes), lanes);
  }
  int64_t rest = length % lanes;
  if (rest == 0)
    return;
  if (full > 0)
    return body(index(length - lanes), lanes);
  int64_t begin = 0;
  for (int64_t width = lanes; rest > 0; width /= 2)
    for (; width <= rest; rest -= width, begin += width)
      body(index(begin), width);
}

SmallVector<Value> Emitter::reduce(
    Value begin, Value end, int64_t step, ValueRange accumulators,
    llvm::function_ref<SmallVector<Value>(Value, ValueRange)> body) {
  auto loop = scf::ForOp::create(*this, begin, end, index(step), accumulators);
  OpBuilder::InsertionGuard guard(*this);
  setInsertionPointToStart(loop.getBody());
  SmallVector<Value> sums =
      body(loop.getInductionVar(), loop.getRegionIterArgs());
  scf::YieldOp::create(*this, sums);
  return loop.getResults();
}

Type Emitter::typeOf(int64_t width) {
  if (width == 1)
    return getF32Type();
  return VectorType::get({width}, getF32Type());
}

Value Emitter::constant(double value, int64_t width) {
  auto scalar = getF32FloatAttr(static_cast<float>(value));
  if (width == 1)
    return arith::ConstantOp::create(*this, scalar);
  auto type = cast<VectorType>(typeOf(width));
  return arith::ConstantOp::create(*this, DenseElementsAttr::get(type, scalar));
}

Value Emitter::zero(Type type) {
  return arith::ConstantOp::create(*this, getZeroAttr(type));
}

Value Emitter::load(Value memref, ValueRange indices, int64_t width) {
  if (width == 1)
    return memref::LoadOp::create(*this, memref, indices);
  return vector::LoadOp::create(*this, cast<VectorType>(typeOf(width)), memref,
                                indices);
}

void Emitter::store(Value value, Value memref, ValueRange indices) {
  if (isa<VectorType>(value.getType()))
    vector::StoreOp::create(*this, value, memref, indices);
  else
    memref::StoreOp::create(*this, value, memref, indices);
}

Value Emitter::broadcast(Value scalar, int64_t width) {
  if (width == 1)
    return scalar;
  return vector::BroadcastOp::create(*this, typeOf(width), scalar);
}

Value Emitter::loadIndex(Value memref, Value position) {
  Value value = memref::LoadOp::create(*this, memref, position);
  return arith::IndexCastUIOp::create(*this, getIndexType(), value);
}

Value Emitter::lowestBit(Value bits) {
  Value number = LLVM::CountTrailingZerosOp::create(*this, bits.getType(), bits,
                                                    /*is_zero_poison=*/true);
  return arith::IndexCastUIOp::create(*this, getIndexType(), number);
}

Value Emitter::clearLowestBit(Value bits) {
  Value one =
      arith::ConstantOp::create(*this, getIntegerAttr(bits.getType(), 1));
  return arith::AndIOp::create(*this, bits,
                               arith::SubIOp::create(*this, bits, one));
}

Value Emitter::countBits(Value bits) {
  Value number = LLVM::CtPopOp::create(*this, bits.getType(), bits);
  return arith::IndexCastUIOp::create(*this, getIndexType(), number);
}

Value Emitter::multiplyAdd(Value a, Value b, Value sum) {
  if (isa<VectorType>(a.getType()))
    return vector::FMAOp::create(*this, a, b, sum);
  Value product = arith::MulFOp::create(*this, a, b);
  return arith::AddFOp::create(*this, product, sum);
}

Value Emitter::activate(ActivationAttr activation, Value value) {
  return buildActivation(*this, getLoc(), activation, value);
}

Value Emitter::allocate(ArrayRef<int64_t> shape) {
  return memref::AllocOp::create(*this, MemRefType::get(shape, getF32Type()),
                                 getI64IntegerAttr(kAlignment));
}

void Emitter::deallocate(Value buffer) {
  memref::DeallocOp::create(*this, buffer);
}

Value Emitter::global(StringRef name, ElementsAttr value) {
  ShapedType shape = value.getShapedType();
  auto type = MemRefType::get(shape.getShape(), shape.getElementType());
  auto op = memref::GlobalOp::create(
      *this, (layerName + "." + name).str(), getStringAttr("private"), type,
      value, /*constant=*/true, getI64IntegerAttr(kAlignment));
  // `symbols` inserts it before the layer's function, and renames it if two
  // layers have one name.
  op->remove();
  Operation *function = getInsertionBlock()->getParentOp();
  while (function->getParentOp() != symbols.getOp())
    function = function->getParentOp();
  StringAttr symbol = symbols.insert(op, Block::iterator(function));
  return memref::GetGlobalOp::create(*this, type, symbol.getValue());
}

Value Emitter::indexGlobal(StringRef name, ArrayRef<int32_t> values) {
  std::string key = (layerName + "." + name).str();
  int64_t most = *llvm::max_element(values);
  auto bits = static_cast<unsigned>(8 * getIndexWidth(most));
  Value result =
      global(name, makeIndexElements({static_cast<int64_t>(values.size())}, key,
                                     values, bits, getContext()));
  auto symbol = result.getDefiningOp<memref::GetGlobalOp>().getName();
  symbols.lookup(symbol)->setAttr("bcr.bound", getI64IntegerAttr(most + 1));
  return result;
}

Value Factors::get(int64_t index) {
  if (!emitter.multipliesByElement())
    return emitter.broadcast(emitter.load(memref, emitter.add(first, index)),
                             lanes);
  int64_t width = 1;
  auto getWidth = [&] {
    auto type = loaded ? dyn_cast<VectorType>(loaded.getType()) : VectorType();
    return type ? type.getNumElements() : 1;
  };
  if (!loaded || index < begin || index >= begin + getWidth()) {
    begin = index;
    while (width * 2 <= std::min(lanes, count - index))
      width *= 2;
    loaded = emitter.load(memref, emitter.add(first, begin), width);
  }
  Value scalar = loaded;
  if (isa<VectorType>(loaded.getType()))
    scalar = vector::ExtractOp::create(emitter, loaded, index - begin);
  return emitter.broadcast(scalar, lanes);
}
