//===- Instrument.cpp - bcr-instrument ------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/BCR.h"
#include "passes/Analysis/LayerReport.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"

namespace mlir::bcr {
#define GEN_PASS_DEF_BCRINSTRUMENTPASS
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;
using namespace mlir::bcr;

namespace {
struct BCRInstrumentPass
    : public mlir::bcr::impl::BCRInstrumentPassBase<BCRInstrumentPass> {
  using BCRInstrumentPassBase::BCRInstrumentPassBase;

  void runOnOperation() override {
    auto main = getOperation().lookupSymbol<func::FuncOp>("main");
    if (!main || main.isExternal()) {
      getOperation().emitError("bcr-instrument: the module has no @main");
      return signalPassFailure();
    }
    OpBuilder builder(main.getContext());
    auto type = MemRefType::get({ShapedType::kDynamic}, builder.getI64Type());
    auto marked = builder.getDictionaryAttr(
        builder.getNamedAttr("bcr.profile", builder.getUnitAttr()));
    if (failed(main.insertArgument(main.getNumArguments(), type, marked,
                                   main.getLoc())))
      return signalPassFailure();
    Value profile = main.getArguments().back();

    LayerReport report(getOperation());
    SmallVector<LayerOpInterface> layers;
    main.walk([&](LayerOpInterface layer) {
      if (!layer.getLayerAttr())
        return;
      // What a recurrent layer does in each step is part of its time.
      if (layer->getParentOfType<RecurrentOp>())
        report.set(layer, getPositions(layer));
      else
        layers.push_back(layer);
    });

    Location loc = main.getLoc();
    builder.setInsertionPointToStart(&main.front());
    Value zero = arith::ConstantIndexOp::create(builder, loc, 0);
    Value size = memref::DimOp::create(builder, loc, profile, zero);
    Value enabled = arith::CmpIOp::create(builder, loc,
                                          arith::CmpIPredicate::ne, size, zero);
    auto stamp = [&](Location where, int64_t slot) {
      auto ifOp = scf::IfOp::create(builder, where, enabled,
                                    /*withElseRegion=*/false);
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(ifOp.thenBlock());
      StringRef intrinsic = counter == Counter::Cycle
                                ? "llvm.readcyclecounter"
                                : "llvm.readsteadycounter";
      Value now = LLVM::CallIntrinsicOp::create(
                      builder, where, builder.getI64Type(),
                      builder.getStringAttr(intrinsic), ValueRange{})
                      .getResult(0);
      Value index = arith::ConstantIndexOp::create(builder, where, slot);
      memref::StoreOp::create(builder, where, now, profile, index);
    };

    stamp(loc, 0);
    for (auto [i, layer] : llvm::enumerate(layers)) {
      int64_t slot = static_cast<int64_t>(i) + 1;
      builder.setInsertionPoint(layer);
      stamp(layer.getLoc(), 2 * slot);
      builder.setInsertionPointAfter(layer);
      stamp(layer.getLoc(), 2 * slot + 1);
      report.set(layer, {builder.getNamedAttr("profile_slot",
                                              builder.getI64IntegerAttr(slot)),
                         getPositions(layer)});
    }
    report.write();
    builder.setInsertionPoint(main.front().getTerminator());
    stamp(loc, 1);
    numLayers += layers.size();
  }
};
} // namespace
