//===- Launch.cpp - Kernels in place --------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/GPU/Launch.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace mlir::bcr;

/// Lanes of the widest sub-groups and vectors: groups are multiples of it where
/// there is enough work.
static constexpr int64_t kSubGroup = 16;

/// Groups in x, in y and in z that every device takes: what Vulkan asks of one.
static constexpr int64_t kMaxGroups = 65535;

int64_t gpu_kernels::getGroupSize(int64_t count) {
  return std::clamp<int64_t>(llvm::alignTo(count, kSubGroup), kSubGroup,
                             kMaxGroup);
}

gpu::LaunchOp
gpu_kernels::launchAll(ImplicitLocOpBuilder &builder, StringRef name,
                       const Grid &grid,
                       llvm::function_ref<void(const WorkItem &)> body) {
  auto index = [&](int64_t value) -> Value {
    return arith::ConstantIndexOp::create(builder, value);
  };
  Value one = index(1);
  std::array<int64_t, 3> groups = {
      static_cast<int64_t>(llvm::divideCeil(grid.x, grid.local)), grid.y,
      grid.z};
  std::array<int64_t, 3> counts = groups;
  int64_t total = groups[0] * groups[1] * groups[2];
  bool isDealt = llvm::any_of(groups, [](int64_t n) { return n > kMaxGroups; });
  if (isDealt) {
    int64_t rest = total;
    for (int64_t &count : counts) {
      int64_t parts = llvm::divideCeil(rest, kMaxGroups);
      count = llvm::divideCeil(rest, parts);
      rest = parts;
    }
  }
  auto op =
      gpu::LaunchOp::create(builder, index(counts[0]), index(counts[1]),
                            index(counts[2]), index(grid.local), one, one);
  op->setAttr(kKernelAttrName, builder.getStringAttr(name));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(&op.getBody().front());
  WorkItem item;
  item.group = gpu::BlockIdOp::create(builder, gpu::Dimension::x);
  item.local = gpu::ThreadIdOp::create(builder, gpu::Dimension::x);
  item.x = gpu::GlobalIdOp::create(builder, gpu::Dimension::x);
  item.y = gpu::BlockIdOp::create(builder, gpu::Dimension::y);
  item.z = gpu::BlockIdOp::create(builder, gpu::Dimension::z);
  if (isDealt) {
    // All groups have one number, from which their places follow.
    auto add = [&](Value a, Value b) {
      return builder.createOrFold<arith::AddIOp>(a, b);
    };
    auto mul = [&](Value a, int64_t b) {
      return builder.createOrFold<arith::MulIOp>(a, index(b));
    };
    Value number =
        add(item.group, mul(add(item.y, mul(item.z, counts[1])), counts[0]));
    Value rest = arith::DivUIOp::create(builder, number, index(groups[0]));
    item.group = arith::RemUIOp::create(builder, number, index(groups[0]));
    item.y = arith::RemUIOp::create(builder, rest, index(groups[1]));
    item.z = arith::DivUIOp::create(builder, rest, index(groups[1]));
    item.x = add(mul(item.group, grid.local), item.local);
    emitIf(builder, isLess(builder, number, index(total)), [&] { body(item); });
  } else {
    body(item);
  }
  gpu::TerminatorOp::create(builder);
  return op;
}

gpu::LaunchOp
gpu_kernels::launch(ImplicitLocOpBuilder &builder, StringRef name,
                    const Grid &grid,
                    llvm::function_ref<void(const WorkItem &)> body) {
  return launchAll(builder, name, grid, [&](const WorkItem &item) {
    if (grid.x % grid.local == 0)
      return body(item);
    Value count = arith::ConstantIndexOp::create(builder, grid.x);
    emitIf(builder, isLess(builder, item.x, count), [&] { body(item); });
  });
}

void gpu_kernels::emitIf(ImplicitLocOpBuilder &builder, Value condition,
                         llvm::function_ref<void()> body) {
  auto branch = scf::IfOp::create(builder, condition, /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(branch.thenBlock());
  body();
}

Value gpu_kernels::isLess(ImplicitLocOpBuilder &builder, Value a, Value b) {
  return arith::CmpIOp::create(builder, arith::CmpIPredicate::ult, a, b);
}

FailureOr<SmallVector<int64_t>> gpu_kernels::getKnownStrides(Value memref) {
  auto type = cast<MemRefType>(memref.getType());
  SmallVector<int64_t> strides;
  int64_t offset;
  if (!type.hasStaticShape() ||
      failed(type.getStridesAndOffset(strides, offset)) ||
      ShapedType::isDynamic(offset) || ShapedType::isDynamicShape(strides))
    return failure();
  return strides;
}

Value gpu_kernels::flatten(ImplicitLocOpBuilder &builder, Value memref,
                           int64_t slack) {
  auto type = cast<MemRefType>(memref.getType());
  auto [strides, offset] = type.getStridesAndOffset();
  int64_t size = 1 + slack;
  for (auto [extent, stride] : llvm::zip_equal(type.getShape(), strides))
    size += (extent - 1) * stride;
  MemRefLayoutAttrInterface layout;
  if (offset != 0)
    layout = StridedLayoutAttr::get(builder.getContext(), offset, {1});
  auto flat = MemRefType::get({size}, type.getElementType(), layout);
  return memref::ReinterpretCastOp::create(builder, flat, memref, offset,
                                           ArrayRef<int64_t>{size},
                                           ArrayRef<int64_t>{1});
}
