//===- BCR.h - The bcr dialect ---------------------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#ifndef BCR_DIALECT_BCR_H
#define BCR_DIALECT_BCR_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

#include "dialect/BCRDialect.h.inc"
#include "dialect/BCREnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialect/BCRAttrs.h.inc"

#define GET_TYPEDEF_CLASSES
#include "dialect/BCRTypes.h.inc"

#include "dialect/BCRInterfaces.h.inc"

#define GET_OP_CLASSES
#include "dialect/BCROps.h.inc"

#endif // BCR_DIALECT_BCR_H
