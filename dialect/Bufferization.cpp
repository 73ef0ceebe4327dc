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

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bufferization;

namespace {
/// The buffers of the tensors among the operands of `op`.
FailureOr<SmallVector<Value>> getBuffers(Operation *op, RewriterBase &rewriter,
                                         const BufferizationOptions &options,
                                         BufferizationState &state) {
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
  return operands;
}

/// A layer or pooling in destination style. Destinations are only written.
template <typename Model, typename OpTy>
struct LayerModel
    : public DstBufferizableOpInterfaceExternalModel<Model, OpTy> {
  bool bufferizesToMemoryRead(Operation *op, OpOperand &operand,
                              const AnalysisState &) const {
    return !cast<DestinationStyleOpInterface>(op).isDpsInit(&operand);
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    FailureOr<SmallVector<Value>> operands =
        getBuffers(op, rewriter, options, state);
    if (failed(operands))
      return failure();
    rewriter.setInsertionPoint(op);
    OperationState newState(op->getLoc(), op->getName(), *operands,
                            /*types=*/TypeRange{}, op->getAttrs());
    for (unsigned i = 0; i < op->getNumRegions(); ++i)
      newState.addRegion();
    Operation *newOp = rewriter.create(newState);
    replaceOpWithBufferizedValues(
        rewriter, op, cast<DestinationStyleOpInterface>(newOp).getDpsInits());
    return success();
  }
};

template <typename OpTy>
struct PlainModel : public LayerModel<PlainModel<OpTy>, OpTy> {};

/// A recurrent layer. The arguments of its projection become buffers of its
/// own.
struct RecurrentModel : public LayerModel<RecurrentModel, RecurrentOp> {
  bool isWritable(Operation *, Value, const AnalysisState &) const {
    return true;
  }

  FailureOr<BufferLikeType>
  getBufferType(Operation *op, Value value, const BufferizationOptions &options,
                const BufferizationState &state,
                SmallVector<Value> &invocationStack) const {
    if (isa<BlockArgument>(value))
      return cast<BufferLikeType>(getScratchType(value));
    return bufferization::detail::defaultGetBufferType(value, options, state,
                                                       invocationStack);
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    auto recurrent = cast<RecurrentOp>(op);
    if (!recurrent.hasProjection())
      return LayerModel::bufferize(op, rewriter, options, state);
    FailureOr<SmallVector<Value>> operands =
        getBuffers(op, rewriter, options, state);
    if (failed(operands))
      return failure();
    rewriter.setInsertionPoint(op);
    Location loc = op->getLoc();
    ArrayRef<Value> values = *operands;
    auto takeFront = [&](size_t count) {
      ArrayRef<Value> front = values.take_front(count);
      values = values.drop_front(count);
      return front;
    };
    Value gates = takeFront(1).front();
    ArrayRef<Value> states = takeFront(recurrent.getStates().size());
    Value weight = takeFront(1).front();
    Value bias = recurrent.getBias() ? takeFront(1).front() : Value();

    Block *body = &recurrent.getProjection().front();
    SmallVector<Value> scratch;
    for (Value argument : body->getArguments()) {
      MemRefType type = getScratchType(argument);
      SmallVector<Value> sizes;
      if (type.isDynamicDim(0))
        sizes = {memref::DimOp::create(rewriter, loc, gates, 1)};
      scratch.push_back(memref::AllocOp::create(rewriter, loc, type, sizes));
    }
    auto newOp = RecurrentOp::create(
        rewriter, loc, /*result=*/TypeRange(), gates, states, weight, bias,
        scratch, values, recurrent.getCell(), recurrent.getReverse(),
        recurrent.getLayerAttr(), recurrent.getFormAttr(),
        recurrent.getBlockAttr(), recurrent.getScheduleAttr(),
        recurrent.getChunksAttr());
    Block *newBody = rewriter.createBlock(&newOp.getProjection());
    SmallVector<Value> arguments;
    for (auto [buffer, argument] : llvm::zip(scratch, body->getArguments()))
      arguments.push_back(ToTensorOp::create(rewriter, loc, argument.getType(),
                                             buffer, /*restrict=*/true,
                                             /*writable=*/true));
    rewriter.inlineBlockBefore(body, newBody, newBody->end(), arguments);
    replaceOpWithBufferizedValues(rewriter, op, newOp.getInits());
    return success();
  }

private:
  static MemRefType getScratchType(Value argument) {
    auto type = cast<RankedTensorType>(argument.getType());
    return MemRefType::get(type.getShape(), type.getElementType());
  }
};

/// The end of a projection: its result goes to the last argument.
struct YieldModel
    : public BufferizableOpInterface::ExternalModel<YieldModel, YieldOp> {
  bool bufferizesToMemoryRead(Operation *, OpOperand &,
                              const AnalysisState &) const {
    return true;
  }
  bool bufferizesToMemoryWrite(Operation *, OpOperand &,
                               const AnalysisState &) const {
    return false;
  }
  AliasingValueList getAliasingValues(Operation *, OpOperand &,
                                      const AnalysisState &) const {
    return {};
  }

  LogicalResult bufferize(Operation *op, RewriterBase &rewriter,
                          const BufferizationOptions &options,
                          BufferizationState &state) const {
    FailureOr<Value> result =
        getBuffer(rewriter, op->getOperand(0), options, state);
    FailureOr<Value> destination = getBuffer(
        rewriter, op->getBlock()->getArguments().back(), options, state);
    if (failed(result) || failed(destination))
      return failure();
    // Of a buffer to itself where the layer works in place: it folds.
    memref::CopyOp::create(rewriter, op->getLoc(), *result, *destination);
    rewriter.replaceOpWithNewOp<YieldOp>(op);
    return success();
  }
};
} // namespace

void mlir::bcr::registerBufferization(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, BCRDialect *) {
    MatmulOp::attachInterface<PlainModel<MatmulOp>>(*context);
    Conv2DOp::attachInterface<PlainModel<Conv2DOp>>(*context);
    RecurrentOp::attachInterface<RecurrentModel>(*context);
    YieldOp::attachInterface<YieldModel>(*context);
    Pool2DOp::attachInterface<PlainModel<Pool2DOp>>(*context);
  });
}
