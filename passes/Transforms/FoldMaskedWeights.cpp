//===- FoldMaskedWeights.cpp - weight_orig * weight_mask ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// torch.nn.utils.prune keeps a pruned weight as the product of two constants,
// and torch-mlir computes it in every run.
//
//===----------------------------------------------------------------------===//

#include "dialect/Packed.h"
#include "passes/Transforms/RaiseImpl.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::raise;

/// Whether `op` is the product of its two inputs, element by element.
static bool isProduct(linalg::GenericOp op) {
  if (op.getNumDpsInputs() != 2 || op->getNumResults() != 1 ||
      op.getNumParallelLoops() != op.getNumLoops() ||
      !llvm::all_of(op.getIndexingMapsArray(),
                    [](AffineMap map) { return map.isIdentity(); }))
    return false;
  Block *body = op.getBody();
  auto product =
      body->getTerminator()->getOperand(0).getDefiningOp<arith::MulFOp>();
  return product && product.getLhs() == body->getArgument(0) &&
         product.getRhs() == body->getArgument(1);
}

/// The name that the parameter had before it was pruned.
static std::string getName(ArrayRef<Attribute> factors) {
  for (Attribute factor : factors)
    if (auto resource = dyn_cast<DenseResourceElementsAttr>(factor)) {
      StringRef key = resource.getRawHandle().getKey();
      if (key.consume_back("_orig"))
        return key.str();
    }
  return "weight";
}

void mlir::bcr::raise::foldMaskedWeights(ModuleOp module,
                                         RewriterBase &rewriter) {
  SmallVector<linalg::GenericOp> products;
  module.walk([&](linalg::GenericOp op) {
    if (isProduct(op))
      products.push_back(op);
  });
  for (linalg::GenericOp op : products) {
    Attribute lhs, rhs;
    if (!matchPattern(op->getOperand(0), m_Constant(&lhs)) ||
        !matchPattern(op->getOperand(1), m_Constant(&rhs)))
      continue;
    FailureOr<FloatElements> left = FloatElements::get(lhs);
    FailureOr<FloatElements> right = FloatElements::get(rhs);
    if (failed(left) || failed(right))
      continue;
    // A resource however small, for it carries the name of the parameter.
    AsmResourceBlob blob = HeapAsmResourceBlob::allocate(
        left->get().size() * sizeof(float), alignof(float));
    auto *values = reinterpret_cast<float *>(blob.getMutableData().data());
    for (auto [a, b] : llvm::zip_equal(left->get(), right->get()))
      // Adding zero makes -0 a 0: what is pruned is a plain zero.
      *values++ = a * b + 0.0f;
    rewriter.setInsertionPoint(op);
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    rewriter.replaceOpWithNewOp<arith::ConstantOp>(
        op, DenseResourceElementsAttr::get(type, getName({lhs, rhs}),
                                           std::move(blob)));
  }
}
