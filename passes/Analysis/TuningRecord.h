//===- TuningRecord.h - What measuring found for a layer -------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// A record says how a layer ran fastest when it was measured. The module
// attribute `bcr.records` maps layer keys to records; `bcr-select` finds the
// record of each layer and leaves it on the layer as `bcr.record`, where
// `bcr-tile` takes it from. A record is advice: what does not fit the layer or
// the machine is refused with a warning and the model decides as if there were
// none.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_ANALYSIS_TUNINGRECORD_H
#define BCR_PASSES_ANALYSIS_TUNINGRECORD_H

#include "dialect/BCR.h"

#include "mlir/IR/BuiltinOps.h"

#include <optional>

namespace mlir::bcr {

/// Name of the module attribute with all records: a dictionary from the key of
/// a layer to a record. Where it exists, `bcr.layers` tells each layer's key.
inline constexpr StringRef kRecordsAttrName = "bcr.records";

/// Name of the layer attribute with its record: a dictionary with any of
/// `form`, `block_rows`, `kernel`, `height`, `vectors` and `band`; `kernel`,
/// `height` and `vectors` come together.
inline constexpr StringRef kRecordAttrName = "bcr.record";

/// A record as C++ data; what it does not say is left to the models.
struct TuningRecord {
  std::optional<Form> form;
  /// Rows of the blocks that a sparse layer is packed in.
  std::optional<int64_t> blockRows;
  std::optional<KernelKind> kernel;
  int64_t height = 0;
  int64_t vectors = 0;
  /// 0: not said.
  int64_t band = 0;

  /// Reads a record; returns none and sets `error` if it is none.
  static std::optional<TuningRecord> parse(Attribute attribute,
                                           std::string &error);
};

/// What equal layers have in common: operation, shapes, strides, padding,
/// dilations and groups, then `structure`, which sums the zeros up.
std::string getTuningKey(LayerOpInterface layer, StringRef structure);

/// Warns that the record of `layer` is not used, and why.
void warnOfRecord(LayerOpInterface layer, StringRef key, const Twine &reason);

} // namespace mlir::bcr

#endif // BCR_PASSES_ANALYSIS_TUNINGRECORD_H
