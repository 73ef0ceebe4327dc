//===- Core.cpp - The Python extension bcr._core --------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "python/bindings/State.h"

#include "passes/Registration.h"

#include "mlir/InitAllPasses.h"

NB_MODULE(_core, m) {
  m.doc() = "MLIR with the bcr dialect, and its code generator; use bcr.ir.";
  mlir::registerAllPasses();
  mlir::bcr::registerAllPasses();
  bcr::python::bindDiagnostics(m);
  bcr::python::bindContexts(m);
  bcr::python::bindAttributes(m);
  bcr::python::bindAttributeMap(m);
  bcr::python::bindValues(m);
  bcr::python::bindRegions(m);
  bcr::python::bindInsertionPoint(m);
  bcr::python::bindOperations(m);
  bcr::python::bindModules(m);
  bcr::python::bindPasses(m);
  bcr::python::bindCodeGen(m);
}
