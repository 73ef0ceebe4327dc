//===- Raise.cpp - Make layers of linalg convolutions and matmuls ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/LayerReport.h"
#include "passes/Passes.h"
#include "passes/Transforms/RaiseImpl.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Remarks.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "mlir/Transforms/RegionUtils.h"

namespace mlir::bcr {
#define GEN_PASS_DEF_RAISE
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::raise;

/// Where PyTorch divides by zero and has infinity, torch-mlir asserts.
static void eraseReciprocalChecks(ModuleOp module) {
  module.walk([](cf::AssertOp op) {
    if (op.getMsg() == "unimplemented: tensor with zero element")
      op.erase();
  });
}

/// Composes the reshapes around layers with those that were there.
static void simplifyReshapes(ModuleOp module) {
  MLIRContext *context = module.getContext();
  RewritePatternSet patterns(context);
  tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns, context);
  tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns, context);
  GreedyRewriteConfig config;
  config.setRegionSimplificationLevel(GreedySimplifyRegionLevel::Disabled);
  // Patterns that come to no end leave IR that is as right as any other.
  (void)applyPatternsGreedily(module, std::move(patterns), config);
}

/// The name of the function around `op`, for remarks.
static StringRef getFunctionName(Operation *op) {
  auto function = op->getParentOfType<FunctionOpInterface>();
  return function ? function.getName() : StringRef();
}

/// Remarks are filtered by the name of the pass.
static remark::RemarkOpts makeRemark(StringRef name, Operation *op) {
  return remark::RemarkOpts::name(name)
      .category("bcr-raise")
      .function(getFunctionName(op));
}

static void reportLayer(LayerReport &report, LayerOpInterface layer,
                        bool batchNorm) {
  Operation *op = layer;
  Builder builder(op->getContext());
  NamedAttrList facts;
  auto recurrent = dyn_cast<RecurrentOp>(op);
  facts.append("op", builder.getStringAttr(
                         recurrent ? stringifyCellKind(recurrent.getCell())
                                   : op->getName().stripDialect()));
  facts.append("shape", builder.getDenseI64ArrayAttr(
                            {layer.getNumRows(), layer.getNumColumns()}));
  auto addShape = [&](StringRef key, Value value) {
    facts.append(key, builder.getDenseI64ArrayAttr(
                          cast<ShapedType>(value.getType()).getShape()));
  };
  addShape("input_shape", layer.getInput());
  addShape("output_shape", op->getResult(0));
  if (auto conv = dyn_cast<Conv2DOp>(op)) {
    facts.append("kernel_size", conv.getKernelAttr());
    for (auto [key, values] : {std::pair("strides", conv.getStrides()),
                               std::pair("padding", conv.getPadding()),
                               std::pair("dilations", conv.getDilations())})
      facts.append(key, builder.getDenseI64ArrayAttr(values));
    facts.append("groups", builder.getI64IntegerAttr(conv.getGroups()));
  }
  SmallVector<StringRef> epilogue;
  if (layer.getBias())
    epilogue.push_back("bias");
  if (layer.getResidual())
    epilogue.push_back("residual");
  if (ActivationAttr activation = layer.getActivationAttr())
    epilogue.push_back(stringifyActivationKind(activation.getKind()));
  facts.append("epilogue", builder.getStrArrayAttr(epilogue));
  facts.append("batch_norm", builder.getBoolAttr(batchNorm));
  report.set(op, facts);

  std::string fused = batchNorm ? "batch norm" : "";
  for (StringRef part : epilogue)
    fused += (fused.empty() ? "" : ", ") + part.str();
  remark::passed(op->getLoc(), makeRemark("raised", op)) << remark::add(
      "layer '{0}' ({1}x{2}){3}{4}", layer.getLayerAttr().getValue(),
      layer.getNumRows(), layer.getNumColumns(), fused.empty() ? "" : " with ",
      fused);
}

namespace {
struct Raise : public mlir::bcr::impl::RaiseBase<Raise> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    eraseReciprocalChecks(module);

    IRRewriter rewriter(&getContext());
    foldMaskedWeights(module, rewriter);

    SmallVector<linalg::LinalgOp> candidates;
    module.walk([&](linalg::LinalgOp op) { candidates.push_back(op); });
    LayerNames names;
    FailureOr<int64_t> recurrent = raiseRecurrent(module, names, rewriter);
    if (failed(recurrent))
      return signalPassFailure();
    numLayers += *recurrent;
    LayerReport report(module);
    for (linalg::LinalgOp op : candidates) {
      RaiseResult result = raiseLayer(op, names, rewriter);
      if (result.layer)
        ++numLayers;
      else if (!result.reason.empty())
        reportMissed(report, op, result);
    }
    simplifyReshapes(module);

    // The last of two layers whose results are added takes the other's as its
    // residual, so that neither waits for what comes later.
    SmallVector<LayerOpInterface> layers;
    module.walk([&](LayerOpInterface layer) {
      if (layer->getNumResults() == 1 && !isa<RecurrentOp>(layer))
        layers.push_back(layer);
    });
    DenseSet<Operation *> withBatchNorm;
    for (LayerOpInterface layer : llvm::reverse(layers)) {
      FusedEpilogue fused = fuseEpilogue(layer, rewriter);
      numBatchNorms += fused.batchNorm;
      numResiduals += fused.residual;
      numActivations += fused.activation;
      if (fused.batchNorm)
        withBatchNorm.insert(layer);
    }
    module.walk([&](RecurrentOp op) { foldStateBias(op, rewriter); });
    numPoolings += raisePoolings(module, rewriter);
    simplifyReshapes(module);
    (void)runRegionDCE(rewriter, module->getRegions());
    module.walk([&](LayerOpInterface layer) {
      if (layer.getLayerAttr() && layer->getNumResults() > 0)
        reportLayer(report, layer, withBatchNorm.contains(layer));
    });
    report.write();
  }

private:
  void reportMissed(LayerReport &report, Operation *op,
                    const RaiseResult &result) {
    ++numMissed;
    Builder builder(op->getContext());
    report.set(
        builder.getStringAttr(result.name),
        {builder.getNamedAttr(
             "op", builder.getStringAttr(op->getName().getStringRef())),
         builder.getNamedAttr("reason", builder.getStringAttr(result.reason))});
    remark::missed(op->getLoc(), makeRemark("not-raised", op))
        << remark::reason("layer '{0}' stays {1}: {2}", result.name,
                          op->getName().getStringRef(), result.reason);
  }
};
} // namespace
