//===- State.h - Who owns what in bcr._core --------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Every Python object holds its context, and every object inside a module holds
// the module's root, so nothing it points to is freed while it can be used.
// What a pass run or an erase takes away is noticed at the next use, as an
// IRError: README.md has the rules.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PYTHON_STATE_H
#define BCR_PYTHON_STATE_H

#include "python/bindings/Diagnostics.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/MLIRContext.h"

#include <nanobind/nanobind.h>

#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

namespace bcr::python {

namespace nb = nanobind;

/// An MLIR context. Not shared between threads at the same time: `busy` is set
/// while one of them works on it without the interpreter lock.
struct ContextState {
  ContextState();

  mlir::MLIRContext context;
  /// Guarded by the interpreter lock.
  bool busy = false;
};
using ContextRef = std::shared_ptr<ContextState>;

/// Releases the interpreter lock for work on a context and keeps every other
/// thread off that context meanwhile.
class ExclusiveWork {
public:
  explicit ExclusiveWork(const ContextRef &context);
  ~ExclusiveWork();

private:
  ContextRef context;
  std::optional<nb::gil_scoped_release> released;
};

/// Raises an IRError if another thread works on the context.
void requireIdle(const ContextRef &context);

/// A top-level operation and everything below it.
struct Root {
  Root(ContextRef context, mlir::Operation *operation)
      : context(std::move(context)), operation(operation) {}
  Root(const Root &) = delete;
  ~Root();

  /// Makes every object below the root invalid, because a pass may have freed
  /// what it stands for.
  void invalidate();
  /// Takes `op` out of the IR. Its memory stays until `invalidate`, so that no
  /// later operation gets the same address and is taken for it.
  void erase(mlir::Operation *op);
  bool isErased(const void *entity) const { return erased.count(entity); }

  ContextRef context;
  mlir::Operation *operation;
  uint64_t epoch = 0;

private:
  void freeErased();

  std::unordered_set<const void *> erased;
  std::vector<mlir::Operation *> graveyard;
};
using RootRef = std::shared_ptr<Root>;

[[noreturn]] void throwStale();
[[noreturn]] void throwErased();

/// A pointer below a root, checked at every use.
template <typename EntityT> class Handle {
public:
  Handle(RootRef root, EntityT entity)
      : root(std::move(root)), epoch(this->root->epoch), entity(entity) {}

  /// The entity, or an IRError if it is gone or its context is at work.
  EntityT get() const {
    requireIdle(root->context);
    if (root->epoch != epoch)
      throwStale();
    if (isErased(*root, entity))
      throwErased();
    return entity;
  }
  /// Whether a pass run or an erase took the entity away.
  bool isGone() const {
    return root->epoch != epoch || isErased(*root, entity);
  }
  const RootRef &getRoot() const { return root; }
  /// For hashing: the address, valid or not.
  const void *getAddress() const { return toAddress(entity); }
  bool operator==(const Handle &other) const {
    return entity == other.entity && epoch == other.epoch && root == other.root;
  }

private:
  static bool isErased(const Root &root, EntityT entity);
  static const void *toAddress(EntityT entity);

  RootRef root;
  uint64_t epoch;
  EntityT entity;
};

using OperationHandle = Handle<mlir::Operation *>;
using BlockHandle = Handle<mlir::Block *>;
using RegionHandle = Handle<mlir::Region *>;
using ValueHandle = Handle<mlir::Value>;

/// A module: the root, found again after passes have run.
struct ModuleObject {
  RootRef root;

  /// The operation, or an IRError if its context is at work.
  mlir::ModuleOp get() const;
};

/// A uniqued object: lives as long as its context.
template <typename T> struct InContext {
  ContextRef context;
  T value;
};
using AttributeObject = InContext<mlir::Attribute>;
using TypeObject = InContext<mlir::Type>;
using LocationObject = InContext<mlir::Location>;

/// A Python class for contexts, so that `with` can name the current one.
struct ContextObject {
  ContextRef state;
};

/// The argument, or the current context of this thread, or an IRError.
ContextRef resolveContext(const ContextObject *argument);
/// The argument, or the current context of this thread, or a new one.
ContextRef resolveOrCreateContext(const ContextObject *argument);

/// Raises an IRError if `object` lives in another context than `context`.
void requireSameContext(const ContextRef &context, const ContextRef &other,
                        const char *what);

/// Also makes Python raise the exceptions of Diagnostics.h as bcr.errors has
/// them.
void bindDiagnostics(nb::module_ &m);
void bindContexts(nb::module_ &m);
void bindAttributes(nb::module_ &m);
void bindAttributeMap(nb::module_ &m);
void bindValues(nb::module_ &m);
void bindRegions(nb::module_ &m);
void bindInsertionPoint(nb::module_ &m);
void bindOperations(nb::module_ &m);
void bindModules(nb::module_ &m);
void bindPasses(nb::module_ &m);
void bindCodeGen(nb::module_ &m);

} // namespace bcr::python

#endif // BCR_PYTHON_STATE_H
