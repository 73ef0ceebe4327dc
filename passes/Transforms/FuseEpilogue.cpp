//===- FuseEpilogue.cpp - What follows a layer becomes part of it ---------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// First a plan is made, in which nothing changes: it walks from the layer's
// result along reshapes, affine functions, one residual and one activation, as
// long as nobody else uses the values in between. Then the layer moves to the
// end of the plan and takes all of it, so that weights are copied once however
// long the chain is. What the layer reads dominates it and so the end as well,
// and the end reads the residual: the move is always legal.
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/StridedConstant.h"
#include "passes/Transforms/RaiseImpl.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace mlir::bcr;
using namespace mlir::bcr::raise;

namespace {
struct Plan {
  /// The value that the fused layer stands for; null if nothing is fused.
  Value end;
  /// Reshapes between the layer's result and `end`.
  SmallVector<Operation *> reshapes;
  ChannelAffine affine;
  Value residual;
  /// How many of the reshapes lie before the residual add.
  size_t residualReshapes = 0;
  ActivationAttr activation;
};
} // namespace

/// The one operation that uses `value`, maybe several times, or null.
static Operation *getSingleUser(Value value) {
  Operation *user = nullptr;
  for (Operation *other : value.getUsers()) {
    if (user && user != other)
      return nullptr;
    user = other;
  }
  return user;
}

/// The dimension of `group` that has all of its `size` elements, or -1.
static int64_t findSoleDim(ArrayRef<int64_t> group, ArrayRef<int64_t> shape,
                           int64_t size) {
  int64_t found = -1;
  for (int64_t dim : group) {
    if (shape[dim] == 1 && size != 1)
      continue;
    if (shape[dim] != size)
      return -1;
    if (found < 0)
      found = dim;
  }
  return found;
}

int64_t mlir::bcr::raise::followChannel(Operation *reshape,
                                        int64_t channelDim) {
  if (channelDim < 0)
    return -1;
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(reshape)) {
    int64_t size = expand.getSrcType().getDimSize(channelDim);
    return findSoleDim(expand.getReassociationIndices()[channelDim],
                       expand.getResultType().getShape(), size);
  }
  auto collapse = cast<tensor::CollapseShapeOp>(reshape);
  ArrayRef<int64_t> shape = collapse.getSrcType().getShape();
  for (auto [index, group] :
       llvm::enumerate(collapse.getReassociationIndices()))
    if (llvm::is_contained(group, channelDim))
      return findSoleDim(group, shape, shape[channelDim]) >= 0
                 ? static_cast<int64_t>(index)
                 : -1;
  return -1;
}

/// If `op` adds a tensor of the same shape to `value`, that tensor.
static Value matchResidual(linalg::GenericOp op, Value value) {
  if (op.getNumDpsInputs() != 2 || op->getNumResults() != 1 ||
      op->getResult(0).getType() != value.getType() ||
      !llvm::all_of(op.getIndexingMapsArray(),
                    [](AffineMap map) { return map.isIdentity(); }))
    return {};
  Value other = op->getOperand(op->getOperand(0) == value ? 1 : 0);
  Block *body = op.getBody();
  auto sum =
      body->getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  if (!sum || other == value || other.getType() != value.getType())
    return {};
  Value lhs = body->getArgument(0), rhs = body->getArgument(1);
  bool adds = (sum.getLhs() == lhs && sum.getRhs() == rhs) ||
              (sum.getLhs() == rhs && sum.getRhs() == lhs);
  return adds ? other : Value();
}

/// Formulas of the values that element-wise operations compute from one value.
namespace {
class ActivationSearch {
public:
  ActivationSearch(Value start) : start(start) {
    formulas[start] = builder.getVariable();
    expand();
  }

  /// The last value that is an activation of the start and whose inputs nobody
  /// else needs.
  std::pair<Value, ActivationAttr> find() {
    for (linalg::GenericOp op : llvm::reverse(order)) {
      Value result = op->getResult(0);
      if (result.getType() != start.getType() || !isClosed(op))
        continue;
      if (ActivationAttr activation =
              matchActivation(formulas[result], builder, start.getContext()))
        return {result, activation};
    }
    return {};
  }

private:
  /// No activation takes more operations than this; hardswish takes five.
  static constexpr size_t kMaxOperations = 12;

  /// The formula of an input, or null.
  const Scalar *getInput(linalg::GenericOp op, OpOperand *operand) {
    Value value = operand->get();
    if (const Scalar *formula = formulas.lookup(value))
      return op.getMatchingIndexingMap(operand).isIdentity() ? formula
                                                             : nullptr;
    auto type = dyn_cast<RankedTensorType>(value.getType());
    if (!type || !type.hasStaticShape() || type.getNumElements() != 1)
      return nullptr;
    FailureOr<StridedConstant> constant = StridedConstant::match(value);
    if (failed(constant))
      return nullptr;
    FailureOr<std::vector<float>> elements = constant->gather();
    if (succeeded(elements))
      return builder.getConstant(elements->front());
    return nullptr;
  }

  bool visit(linalg::GenericOp op) {
    if (op->getNumResults() != 1 || op->getBlock() != start.getParentBlock() ||
        op.getNumParallelLoops() != op.getNumLoops() ||
        !op.getIndexingMapsArray().back().isIdentity())
      return false;
    SmallVector<const Scalar *> inputs;
    for (OpOperand *operand : op.getDpsInputOperands()) {
      inputs.push_back(getInput(op, operand));
      if (!inputs.back())
        return false;
    }
    const Scalar *formula = builder.translate(op, inputs);
    if (!formula)
      return false;
    formulas[op->getResult(0)] = formula;
    order.push_back(op);
    return true;
  }

  void expand() {
    // An operation may be seen before all of its inputs are known.
    bool changed = true;
    while (changed && order.size() < kMaxOperations) {
      changed = false;
      SmallVector<Value> known = {start};
      for (linalg::GenericOp op : order)
        known.push_back(op->getResult(0));
      for (Value value : known)
        for (Operation *user : value.getUsers())
          if (auto op = dyn_cast<linalg::GenericOp>(user);
              op && op->getNumResults() == 1 &&
              !formulas.contains(op->getResult(0)))
            changed |= visit(op);
    }
  }

  /// Whether the start and all values between it and `root` are used only to
  /// compute `root`.
  bool isClosed(linalg::GenericOp root) {
    SmallPtrSet<Operation *, 8> needed;
    SmallVector<Operation *> worklist = {root};
    while (!worklist.empty()) {
      Operation *op = worklist.pop_back_val();
      if (!needed.insert(op).second)
        continue;
      for (Value operand : op->getOperands())
        if (operand != start && formulas.contains(operand))
          worklist.push_back(operand.getDefiningOp());
    }
    auto usedOutside = [&](Value value) {
      return llvm::any_of(value.getUsers(), [&](Operation *user) {
        return !needed.contains(user);
      });
    };
    return !usedOutside(start) && llvm::none_of(needed, [&](Operation *op) {
      return op != root && usedOutside(op->getResult(0));
    });
  }

  Value start;
  ScalarBuilder builder;
  DenseMap<Value, const Scalar *> formulas;
  SmallVector<linalg::GenericOp> order;
};
} // namespace

static Plan makePlan(LayerOpInterface layer) {
  Plan plan;
  Operation *op = layer;
  if (op->getNumResults() != 1 || layer.getActivationAttr())
    return plan;
  bool dense = isa<RankedTensorType>(layer.getWeight().getType());
  bool hadResidual = static_cast<bool>(layer.getResidual());
  int64_t channelDim = 1;
  Value cursor = op->getResult(0);
  SmallVector<Operation *> reshapes;
  auto advance = [&](Value value) {
    cursor = plan.end = value;
    plan.reshapes = reshapes;
  };
  while (true) {
    auto [activated, activation] = ActivationSearch(cursor).find();
    if (activation) {
      plan.activation = activation;
      advance(activated);
      return plan;
    }
    Operation *user = getSingleUser(cursor);
    if (!user || user->getBlock() != op->getBlock())
      return plan;
    if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(user)) {
      channelDim = followChannel(user, channelDim);
      reshapes.push_back(user);
      cursor = user->getResult(0);
      continue;
    }
    auto generic = dyn_cast<linalg::GenericOp>(user);
    if (!generic || plan.residual || hadResidual)
      return plan;
    FailureOr<ChannelAffine> affine =
        dense ? matchAffine(generic, cursor, channelDim, layer.getNumRows())
              : FailureOr<ChannelAffine>(failure());
    if (succeeded(affine)) {
      plan.affine = affine->after(plan.affine);
      advance(generic->getResult(0));
      continue;
    }
    if (Value residual = matchResidual(generic, cursor)) {
      plan.residual = residual;
      plan.residualReshapes = reshapes.size();
      advance(generic->getResult(0));
      continue;
    }
    return plan;
  }
}

/// `value`, which has the shape after `reshape`, in the shape before it.
static FailureOr<Value> undoReshape(Operation *reshape, Value value,
                                    RewriterBase &rewriter) {
  Location loc = reshape->getLoc();
  auto type = cast<RankedTensorType>(reshape->getOperand(0).getType());
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(reshape))
    return Value(tensor::CollapseShapeOp::create(
        rewriter, loc, type, value, expand.getReassociationIndices()));
  auto collapse = cast<tensor::CollapseShapeOp>(reshape);
  SmallVector<ReassociationIndices> reassociation =
      collapse.getReassociationIndices();
  std::optional<SmallVector<OpFoldResult>> shape =
      tensor::ExpandShapeOp::inferOutputShape(
          rewriter, loc, type, reassociation,
          tensor::getMixedSizes(rewriter, loc, value));
  if (!shape)
    return failure();
  return Value(tensor::ExpandShapeOp::create(rewriter, loc, type, value,
                                             reassociation, *shape));
}

/// Erases `op` and what only it needed, so that later layers count no user that
/// is none.
static void eraseDead(Operation *op, RewriterBase &rewriter) {
  llvm::SmallSetVector<Operation *, 8> worklist;
  worklist.insert(op);
  while (!worklist.empty()) {
    Operation *next = worklist.pop_back_val();
    if (!isOpTriviallyDead(next))
      continue;
    SmallVector<Value> operands(next->getOperands());
    rewriter.eraseOp(next);
    for (Value operand : operands)
      if (Operation *producer = operand.getDefiningOp())
        worklist.insert(producer);
  }
}

FusedEpilogue mlir::bcr::raise::fuseEpilogue(LayerOpInterface layer,
                                             RewriterBase &rewriter) {
  FusedEpilogue result;
  Plan plan = makePlan(layer);
  if (!plan.end)
    return result;
  Operation *op = layer;
  Operation *root = plan.end.getDefiningOp();
  rewriter.setInsertionPoint(root);
  Value residual = plan.residual;
  for (Operation *reshape : llvm::reverse(
           ArrayRef(plan.reshapes).take_front(plan.residualReshapes))) {
    FailureOr<Value> undone = undoReshape(reshape, residual, rewriter);
    if (failed(undone))
      return result;
    residual = *undone;
  }
  if (failed(foldAffine(layer, plan.affine, rewriter)))
    return result;

  // The layer's own users, down to the root, die with the root.
  rewriter.moveOpBefore(op, root);
  rewriter.modifyOpInPlace(op, [&] {
    if (residual)
      layer.getResidualMutable().assign(residual);
    if (plan.activation)
      layer.setActivationAttr(plan.activation);
  });
  rewriter.setInsertionPoint(root);
  Value value = op->getResult(0);
  for (Operation *reshape : plan.reshapes) {
    IRMapping mapping;
    mapping.map(reshape->getOperand(0), value);
    value = rewriter.clone(*reshape, mapping)->getResult(0);
  }
  rewriter.replaceAllUsesWith(plan.end, value);
  eraseDead(root, rewriter);
  result.batchNorm = plan.affine.scalesByChannel();
  result.residual = static_cast<bool>(residual);
  result.activation = static_cast<bool>(plan.activation);
  return result;
}
