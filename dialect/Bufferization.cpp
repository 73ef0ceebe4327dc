//===- Bufferization.cpp - Bufferization of the bcr dialect ---------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Bufferization.h"
#include "dialect/BCR.h"

#include "mlir/Dialect/Bufferization/IR/BufferizableOpInterface.h"
#include "mlir/Dialect/Bufferization/IR/Bufferization.h"
#include "mlir/Dialect/Bufferization/IR/DstBufferizableOpInterfaceImpl.h"

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bufferization;

namespace {
/// A layer or pooling in destination style. Destinations are only written.
template <typename OpTy>
struct LayerModel
    : public DstBufferizableOpInterfaceExternalModel<LayerModel<OpTy>, OpTy> {
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand,
                              const AnalysisState &) const {
    return !cast<DestinationStyleOpInterface>(op).isDpsInit(&operand);
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    SmallVector<Value> operands;
    for (Value operand : op->getOperands()) {
      if (!isa<TensorType>(operand.getType())) {
        operands.push_back(operand);
        continue;
      }
      FailureOr<Value> buffer = getBuffer(rewriter, operand, options, state);
      if (failed(buffer))
        return failure();
      operands.push_back(*buffer);
    }
    rewriter.setInsertionPoint(op);
    OperationState newState(op->getLoc(), op->getName(), operands,
                            /*types=*/TypeRange{}, op->getAttrs());
    Operation *newOp = rewriter.create(newState);
    replaceOpWithBufferizedValues(
        rewriter, op, cast<DestinationStyleOpInterface>(newOp).getDpsInits());
    return success();
  }
};
} // namespace

void mlir::bcr::registerBufferization(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, BCRDialect *) {
    MatmulOp::attachInterface<LayerModel<MatmulOp>>(*context);
    Conv2DOp::attachInterface<LayerModel<Conv2DOp>>(*context);
    RecurrentOp::attachInterface<LayerModel<RecurrentOp>>(*context);
    Pool2DOp::attachInterface<LayerModel<Pool2DOp>>(*context);
  });
}
