//===- TuningRecord.cpp - What measuring found for a layer ----------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/TuningRecord.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

using namespace mlir;
using namespace mlir::bcr;

/// Reads a positive number; absent ones leave `value` as it is.
static bool parseNumber(DictionaryAttr record, StringRef name, int64_t &value,
                        std::string &error) {
  Attribute attribute = record.get(name);
  if (!attribute)
    return true;
  auto number = dyn_cast<IntegerAttr>(attribute);
  if (!number || number.getValue().getSignificantBits() > 32 ||
      number.getInt() < 1) {
    error = ("its '" + name + "' is no positive number").str();
    return false;
  }
  value = number.getInt();
  return true;
}

/// Reads a word of an enumeration; absent ones leave `value` empty.
template <typename Kind>
static bool parseWord(DictionaryAttr record, StringRef name,
                      std::optional<Kind> (*symbolize)(StringRef),
                      std::optional<Kind> &value, std::string &error) {
  Attribute attribute = record.get(name);
  if (!attribute)
    return true;
  auto word = dyn_cast<StringAttr>(attribute);
  if (word)
    value = symbolize(word.getValue());
  if (value)
    return true;
  error = ("its '" + name + "' is not known here").str();
  return false;
}

std::optional<TuningRecord> TuningRecord::parse(Attribute attribute,
                                                std::string &error) {
  auto dictionary = dyn_cast_if_present<DictionaryAttr>(attribute);
  if (!dictionary) {
    error = "it is no dictionary";
    return std::nullopt;
  }
  TuningRecord record;
  int64_t blockRows = 0;
  if (!parseWord<Form>(dictionary, "form", symbolizeForm, record.form, error) ||
      !parseWord<KernelKind>(dictionary, "kernel", symbolizeKernelKind,
                             record.kernel, error) ||
      !parseNumber(dictionary, "block_rows", blockRows, error) ||
      !parseNumber(dictionary, "height", record.height, error) ||
      !parseNumber(dictionary, "vectors", record.vectors, error) ||
      !parseNumber(dictionary, "band", record.band, error))
    return std::nullopt;
  if (blockRows > 0)
    record.blockRows = blockRows;
  if (record.kernel.has_value() != (record.height > 0) ||
      record.kernel.has_value() != (record.vectors > 0)) {
    error = "'kernel', 'height' and 'vectors' come together";
    return std::nullopt;
  }
  return record;
}

/// Appends sizes with `x` between them, `?` for dynamic ones.
static void printSizes(raw_ostream &os, ArrayRef<int64_t> sizes) {
  llvm::interleave(
      sizes, os,
      [&](int64_t size) {
        if (ShapedType::isDynamic(size))
          os << '?';
        else
          os << size;
      },
      "x");
}

std::string mlir::bcr::getTuningKey(LayerOpInterface layer,
                                    StringRef structure) {
  std::string key;
  llvm::raw_string_ostream os(key);
  auto shape = cast<ShapedType>(layer.getInput().getType()).getShape();
  if (auto conv = dyn_cast<Conv2DOp>(layer.getOperation())) {
    os << "conv2d ";
    printSizes(os, shape);
    os << " to " << layer.getNumRows() << " kernel ";
    printSizes(os, conv.getKernel());
    os << " stride ";
    printSizes(os, conv.getStrides());
    os << " padding ";
    printSizes(os, conv.getPadding());
    os << " dilation ";
    printSizes(os, conv.getDilations());
    os << " groups " << conv.getGroups();
  } else {
    os << (isa<RecurrentOp>(layer.getOperation()) ? "recurrent " : "matmul ");
    printSizes(os, shape);
    os << " to " << layer.getNumRows();
  }
  os << ", " << structure;
  return key;
}

void mlir::bcr::warnOfRecord(LayerOpInterface layer, StringRef key,
                             const Twine &reason) {
  InFlightDiagnostic warning = layer->emitWarning("the tuning record ");
  if (!key.empty())
    warning << "'" << key << "' ";
  StringAttr name = layer.getLayerAttr();
  warning << "of layer '" << (name ? name.getValue() : StringRef("layer"))
          << "' is not used: " << reason;
}
