//===- State.cpp - Who owns what in bcr._core -----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "python/bindings/State.h"

#include "passes/Registration.h"

#include "mlir/IR/DialectRegistry.h"
#include "mlir/IR/Operation.h"

using namespace mlir;

namespace bcr::python {

static DialectRegistry makeRegistry() {
  DialectRegistry registry;
  mlir::bcr::registerAllDialects(registry);
  return registry;
}

// One thread: MLIR's pool would cost a start-up for every context, and one
// large module has nothing that its passes could run in parallel.
ContextState::ContextState()
    : context(makeRegistry(), MLIRContext::Threading::DISABLED) {
  // The reproducer holds the module; a message is for people.
  context.printOpOnDiagnostic(false);
}

ExclusiveWork::ExclusiveWork(const ContextRef &context) : context(context) {
  requireIdle(context);
  context->busy = true;
  released.emplace();
}

ExclusiveWork::~ExclusiveWork() {
  released.reset();
  context->busy = false;
}

void requireIdle(const ContextRef &context) {
  if (context->busy)
    throw IRException("another thread is working on this context: give each "
                      "thread its own bcr.ir.Context");
}

void requireSameContext(const ContextRef &context, const ContextRef &other,
                        const char *what) {
  if (context != other)
    throw IRException(std::string(what) +
                      " belongs to another bcr.ir.Context: make it in the "
                      "context of the module");
}

Root::~Root() {
  freeErased();
  operation->destroy();
}

void Root::invalidate() {
  ++epoch;
  freeErased();
}

void Root::erase(Operation *op) {
  op->walk([&](Operation *nested) {
    erased.insert(nested);
    for (Region &region : nested->getRegions()) {
      erased.insert(&region);
      for (Block &block : region)
        erased.insert(&block);
    }
  });
  op->remove();
  op->dropAllReferences();
  graveyard.push_back(op);
}

void Root::freeErased() {
  for (Operation *op : graveyard) {
    op->dropAllDefinedValueUses();
    op->destroy();
  }
  graveyard.clear();
  erased.clear();
}

void throwStale() {
  throw IRException("this object was read before a pass ran on its module: "
                    "read it again from the module");
}

void throwErased() {
  throw IRException("this object was erased from its module");
}

template <typename EntityT>
bool Handle<EntityT>::isErased(const Root &root, EntityT entity) {
  return root.isErased(entity);
}

template <> bool Handle<Value>::isErased(const Root &root, Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value))
    return root.isErased(argument.getOwner());
  return root.isErased(value.getDefiningOp());
}

template <typename EntityT>
const void *Handle<EntityT>::toAddress(EntityT entity) {
  return entity;
}

template <> const void *Handle<Value>::toAddress(Value value) {
  return value.getAsOpaquePointer();
}

template class Handle<Operation *>;
template class Handle<Block *>;
template class Handle<Region *>;
template class Handle<Value>;

ModuleOp ModuleObject::get() const {
  requireIdle(root->context);
  return cast<ModuleOp>(root->operation);
}

} // namespace bcr::python
