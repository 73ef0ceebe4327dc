//===- EmitEntry.cpp - The C function that runs @main ---------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/EntryFunction.h"
#include "passes/Passes.h"

#include "mlir/Conversion/LLVMCommon/MemRefBuilder.h"
#include "mlir/Conversion/LLVMCommon/TypeConverter.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"

namespace mlir::bcr {
#define GEN_PASS_DEF_BCREMITENTRYPASS
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;
using namespace mlir::bcr;

namespace {
struct EmitEntry : bcr::impl::BCREmitEntryPassBase<EmitEntry> {
  void runOnOperation() override;
};

/// Writes the body of bcr_run.
class EntryBuilder {
public:
  EntryBuilder(func::FuncOp main, func::FuncOp entry);
  void build();

private:
  Value loadPointer(Value array, int64_t index);
  Value loadSize();
  Value makeMemRef(MemRefType type, Value pointer);
  Value makeProfile(MemRefType type);
  Value makeArgument(unsigned position);

  func::FuncOp main;
  func::FuncOp entry;
  ImplicitLocOpBuilder builder;
  LLVMTypeConverter converter;
  Type pointerType;
  Value status;
  int64_t numInputs = 0;
  int64_t numOutputs = 0;
  int64_t numSizes = 0;
};
} // namespace

EntryBuilder::EntryBuilder(func::FuncOp main, func::FuncOp entry)
    : main(main), entry(entry), builder(ImplicitLocOpBuilder::atBlockBegin(
                                    main.getLoc(), entry.addEntryBlock())),
      converter(main.getContext()),
      pointerType(LLVM::LLVMPointerType::get(main.getContext())) {}

Value EntryBuilder::loadPointer(Value array, int64_t index) {
  Value slot =
      LLVM::GEPOp::create(builder, pointerType, pointerType, array,
                          ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(index)});
  return LLVM::LoadOp::create(builder, pointerType, slot);
}

/// The next dynamic size.
Value EntryBuilder::loadSize() {
  Type type = builder.getI64Type();
  Value slot = LLVM::GEPOp::create(
      builder, pointerType, type, entry.getArgument(4),
      ArrayRef<LLVM::GEPArg>{static_cast<int32_t>(numSizes++)});
  return LLVM::LoadOp::create(builder, type, slot);
}

Value EntryBuilder::makeMemRef(MemRefType type, Value pointer) {
  Location loc = builder.getLoc();
  auto constant = [&](int64_t value) -> Value {
    return LLVM::ConstantOp::create(builder, builder.getI64Type(),
                                    builder.getI64IntegerAttr(value));
  };
  auto descriptor =
      MemRefDescriptor::poison(builder, loc, converter.convertType(type));
  descriptor.setAllocatedPtr(builder, loc, pointer);
  descriptor.setAlignedPtr(builder, loc, pointer);
  descriptor.setOffset(builder, loc, constant(0));
  SmallVector<Value> sizes;
  for (int64_t size : type.getShape())
    sizes.push_back(ShapedType::isDynamic(size) ? loadSize() : constant(size));
  Value stride = constant(1);
  for (int64_t i = type.getRank() - 1; i >= 0; --i) {
    descriptor.setSize(builder, loc, i, sizes[i]);
    descriptor.setStride(builder, loc, i, stride);
    if (i > 0)
      stride = LLVM::MulOp::create(builder, stride, sizes[i],
                                   LLVM::IntegerOverflowFlags::nsw);
  }
  return UnrealizedConversionCastOp::create(builder, type, Value(descriptor))
      .getResult(0);
}

/// The buffer for time stamps, empty if the caller gives none.
Value EntryBuilder::makeProfile(MemRefType type) {
  Location loc = builder.getLoc();
  Value pointer = entry.getArgument(5);
  auto constant = [&](int64_t value) -> Value {
    return LLVM::ConstantOp::create(builder, builder.getI64Type(),
                                    builder.getI64IntegerAttr(value));
  };
  Value null = LLVM::ZeroOp::create(builder, pointerType);
  Value given =
      LLVM::ICmpOp::create(builder, LLVM::ICmpPredicate::ne, pointer, null);
  auto descriptor =
      MemRefDescriptor::poison(builder, loc, converter.convertType(type));
  descriptor.setAllocatedPtr(builder, loc, pointer);
  descriptor.setAlignedPtr(builder, loc, pointer);
  descriptor.setOffset(builder, loc, constant(0));
  descriptor.setStride(builder, loc, 0, constant(1));
  // The size only says whether to stamp: slots are constants.
  descriptor.setSize(
      builder, loc, 0,
      LLVM::ZExtOp::create(builder, builder.getI64Type(), given));
  return UnrealizedConversionCastOp::create(builder, type, Value(descriptor))
      .getResult(0);
}

Value EntryBuilder::makeArgument(unsigned position) {
  Type type = main.getArgumentTypes()[position];
  auto memref = dyn_cast<MemRefType>(type);
  if (main.getArgAttr(position, "bcr.status")) {
    status = memref::AllocaOp::create(builder, memref);
    Value zero =
        LLVM::ConstantOp::create(builder, builder.getI32IntegerAttr(0));
    memref::StoreOp::create(builder, zero, status, ValueRange());
    return status;
  }
  if (main.getArgAttr(position, "bcr.profile"))
    return makeProfile(memref);
  if (main.getArgAttr(position, "bcr.pool"))
    return makeMemRef(memref, entry.getArgument(2));
  if (main.getArgAttr(position, "bcr.arena"))
    return makeMemRef(memref, entry.getArgument(3));
  if (main.getArgAttr(position, "bcr.output"))
    return makeMemRef(memref, loadPointer(entry.getArgument(1), numOutputs++));
  Value pointer = loadPointer(entry.getArgument(0), numInputs++);
  if (memref)
    return makeMemRef(memref, pointer);
  // An index is not a type of LLVM's.
  Value value =
      LLVM::LoadOp::create(builder, converter.convertType(type), pointer);
  if (value.getType() == type)
    return value;
  return UnrealizedConversionCastOp::create(builder, type, value).getResult(0);
}

void EntryBuilder::build() {
  SmallVector<Value> arguments;
  for (unsigned i = 0, e = main.getNumArguments(); i < e; ++i)
    arguments.push_back(makeArgument(i));
  func::CallOp::create(builder, main, arguments);
  Value result;
  if (status)
    result = memref::LoadOp::create(builder, status, ValueRange());
  else
    result = LLVM::ConstantOp::create(builder, builder.getI32IntegerAttr(0));
  func::ReturnOp::create(builder, result);
}

/// Checks what bcr_run can call.
static LogicalResult checkEntry(ModuleOp module, func::FuncOp function) {
  if (function.getNumResults())
    return function.emitOpError(
        "has results: bcr-destinations goes before bcr-emit-entry");
  if (module.lookupSymbol("bcr_run"))
    return module.emitError("the module already has a symbol bcr_run");
  for (auto [i, type] : llvm::enumerate(function.getArgumentTypes())) {
    auto memref = dyn_cast<MemRefType>(type);
    if (memref ? memref.getLayout().isIdentity() && !memref.getMemorySpace()
               : type.isIntOrIndexOrFloat())
      continue;
    return function.emitOpError("argument ")
           << i << " is " << type
           << ", which is neither a row-major memref nor a number";
  }
  return success();
}

void EmitEntry::runOnOperation() {
  ModuleOp module = getOperation();
  FailureOr<func::FuncOp> function = getEntryFunction(module);
  if (failed(function) || failed(checkEntry(module, *function)))
    return signalPassFailure();

  // An object file that is linked into a program must not define main.
  auto internal =
      LLVM::LinkageAttr::get(&getContext(), LLVM::linkage::Linkage::Internal);
  for (auto other : module.getOps<func::FuncOp>()) {
    if (other.isExternal())
      continue;
    other.setPrivate();
    other->setAttr("llvm.linkage", internal);
  }
  OpBuilder builder = OpBuilder::atBlockEnd(module.getBody());
  Type pointer = LLVM::LLVMPointerType::get(&getContext());
  auto type = builder.getFunctionType(SmallVector<Type>(6, pointer),
                                      builder.getI32Type());
  auto entry =
      func::FuncOp::create(builder, function->getLoc(), "bcr_run", type);
  EntryBuilder(*function, entry).build();
}
