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
  auto op = gpu::LaunchOp::create(
      builder, index(llvm::divideCeil(grid.x, grid.local)), index(grid.y),
      index(grid.z), index(grid.local), one, one);
  op->setAttr(kKernelAttrName, builder.getStringAttr(name));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(&op.getBody().front());
  WorkItem item;
  item.group = gpu::BlockIdOp::create(builder, gpu::Dimension::x);
  item.local = gpu::ThreadIdOp::create(builder, gpu::Dimension::x);
  item.x = gpu::GlobalIdOp::create(builder, gpu::Dimension::x);
  item.y = gpu::BlockIdOp::create(builder, gpu::Dimension::y);
  item.z = gpu::BlockIdOp::create(builder, gpu::Dimension::z);
  body(item);
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
  SmallVector<int64_t> strides;
  int64_t offset;
  [[maybe_unused]] LogicalResult known =
      type.getStridesAndOffset(strides, offset);
  assert(succeeded(known) && "the caller checks the layout");
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
