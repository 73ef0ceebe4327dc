//===- BCRDialect.cpp - Types and attributes of the bcr dialect -----------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/BCR.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace mlir::bcr;

#include "dialect/BCRDialect.cpp.inc"
#include "dialect/BCREnums.cpp.inc"
#include "dialect/BCRInterfaces.cpp.inc"

#define GET_ATTRDEF_CLASSES
#include "dialect/BCRAttrs.cpp.inc"

#define GET_TYPEDEF_CLASSES
#include "dialect/BCRTypes.cpp.inc"

void BCRDialect::initialize() {
  addTypes<
#define GET_TYPEDEF_LIST
#include "dialect/BCRTypes.cpp.inc"
      >();
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialect/BCRAttrs.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialect/BCROps.cpp.inc"
      >();
}

//===----------------------------------------------------------------------===//
// !bcr.packed
//===----------------------------------------------------------------------===//

Type PackedType::parse(AsmParser &parser) {
  SmallVector<int64_t> shape;
  Type elementType;
  SMLoc loc = parser.getCurrentLocation();
  if (parser.parseLess() ||
      parser.parseDimensionList(shape, /*allowDynamic=*/false) ||
      parser.parseType(elementType) || parser.parseGreater())
    return {};
  if (shape.size() != 2) {
    parser.emitError(loc, "BCR-1: a packed matrix has two dimensions, got ")
        << shape.size();
    return {};
  }
  return parser.getChecked<PackedType>(loc, parser.getContext(), shape[0],
                                       shape[1], elementType);
}

void PackedType::print(AsmPrinter &printer) const {
  printer << '<' << getRows() << 'x' << getColumns() << 'x' << getElementType()
          << '>';
}

LogicalResult PackedType::verify(function_ref<InFlightDiagnostic()> emitError,
                                 int64_t rows, int64_t columns,
                                 Type elementType) {
  if (rows < 1 || columns < 1)
    return emitError() << "BCR-1: a packed matrix has at least one row and one "
                          "column, got "
                       << rows << "x" << columns;
  if (!elementType.isF32())
    return emitError() << "BCR-1: packed weights are f32, got " << elementType;
  return success();
}

//===----------------------------------------------------------------------===//
// #bcr.activation
//===----------------------------------------------------------------------===//

/// The number of parameters that `kind` takes in text.
static unsigned getNumParameters(ActivationKind kind) {
  switch (kind) {
  case ActivationKind::LeakyReLU:
    return 1;
  case ActivationKind::Clamp:
    return 2;
  default:
    return 0;
  }
}

Attribute ActivationAttr::parse(AsmParser &parser, Type) {
  SMLoc loc = parser.getCurrentLocation();
  StringRef keyword;
  if (parser.parseLess() || parser.parseKeyword(&keyword))
    return {};
  std::optional<ActivationKind> kind = symbolizeActivationKind(keyword);
  if (!kind) {
    parser.emitError(loc, "BCR-16: unknown activation '") << keyword << "'";
    return {};
  }
  double parameters[2] = {0.0, 0.0};
  for (unsigned i = 0; i < getNumParameters(*kind); ++i)
    if (parser.parseComma() || parser.parseFloat(parameters[i]))
      return {};
  if (parser.parseGreater())
    return {};
  return parser.getChecked<ActivationAttr>(loc, parser.getContext(), *kind,
                                           APFloat(parameters[0]),
                                           APFloat(parameters[1]));
}

void ActivationAttr::print(AsmPrinter &printer) const {
  printer << '<' << stringifyActivationKind(getKind());
  APFloat parameters[2] = {getAlpha(), getBeta()};
  for (unsigned i = 0; i < getNumParameters(getKind()); ++i) {
    printer << ", ";
    printer.printFloat(parameters[i]);
  }
  printer << '>';
}

LogicalResult
ActivationAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                       ActivationKind kind, APFloat alpha, APFloat beta) {
  if (alpha.isNaN() || beta.isNaN())
    return emitError() << "BCR-16: activation parameters are numbers, got NaN";
  unsigned numParameters = getNumParameters(kind);
  if ((numParameters < 1 && !alpha.isZero()) ||
      (numParameters < 2 && !beta.isZero()))
    return emitError() << "BCR-16: " << stringifyActivationKind(kind)
                       << " takes " << numParameters << " parameters";
  if (kind == ActivationKind::Clamp && alpha > beta)
    return emitError() << "BCR-16: clamp's lower bound "
                       << alpha.convertToDouble()
                       << " is above its upper bound "
                       << beta.convertToDouble();
  return success();
}

//===----------------------------------------------------------------------===//
// #bcr.schedule
//===----------------------------------------------------------------------===//

LogicalResult ScheduleAttr::verify(function_ref<InFlightDiagnostic()> emitError,
                                   KernelKind kernel, int64_t height,
                                   int64_t vectors, int64_t lanes,
                                   int64_t band) {
  if (height < 1 || vectors < 1 || lanes < 1)
    return emitError() << "BCR-17: height, vectors and lanes of a schedule are "
                          "positive, got "
                       << height << ", " << vectors << " and " << lanes;
  bool hasBands =
      kernel == KernelKind::Pixels || kernel == KernelKind::Winograd;
  if (band < 0 || (band > 0 && !hasBands))
    return emitError() << "BCR-17: the band of a schedule is positive and of "
                          "the kernels pixels and winograd, got "
                       << band << " for " << stringifyKernelKind(kernel);
  if (kernel == KernelKind::Winograd && band % 4 != 0)
    return emitError() << "BCR-17: a band of the kernel winograd is a multiple "
                          "of four rows, got "
                       << band;
  return success();
}
