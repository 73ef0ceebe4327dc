//===- Packed.h - Packed weights as C++ data -------------------*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Reading and making the constants of `bcr.constant`. Every pass goes through
// these, so the layout of the attributes is known in one place.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_DIALECT_PACKED_H
#define BCR_DIALECT_PACKED_H

#include "dialect/BCR.h"

#include "mlir/IR/Builders.h"

#include <array>
#include <vector>

namespace mlir::bcr {

/// One group: `rowCount` rows from position `rowBegin` of the row array, times
/// `columnCount` columns. Its values start at `valueBegin`, column by column.
struct PackedGroup {
  int64_t rowBegin = 0;
  int64_t rowCount = 0;
  int64_t columnBegin = 0;
  int64_t columnCount = 0;
  int64_t valueBegin = 0;
};

/// The structure of a packed matrix, without its values.
struct PackedStructure {
  int64_t numRows = 0;
  int64_t numColumns = 0;
  std::array<int64_t, 2> block = {1, 1};
  std::vector<PackedGroup> groups;
  std::vector<int32_t> rows;
  std::vector<int32_t> columns;

  /// Appends a group whose values follow those of the group before.
  void addGroup(int64_t rowBegin, int64_t rowCount, int64_t columnBegin,
                int64_t columnCount);
  /// The number of stored weights.
  int64_t getNumValues() const;
  /// Stored weights in bytes.
  int64_t getValueBytes() const { return getNumValues() * 4; }
  /// Groups, rows and columns in bytes, as `makeConstant` stores them.
  int64_t getIndexBytes() const;

  ArrayRef<int32_t> getRows(const PackedGroup &group) const {
    return ArrayRef(rows).slice(group.rowBegin, group.rowCount);
  }
  ArrayRef<int32_t> getColumns(const PackedGroup &group) const {
    return ArrayRef(columns).slice(group.columnBegin, group.columnCount);
  }
};

/// Reads the structure of a verified constant.
PackedStructure readStructure(ConstantOp op);

/// The matrix of `op` row by row, zeros where nothing is stored, or failure if
/// its values are a resource without data.
FailureOr<std::vector<float>> readDense(ConstantOp op);

/// Makes a constant; index arrays take 16 bits where they fit. Arrays of more
/// than a few elements become resources whose keys start with `name`. The
/// values are moved, not copied.
ConstantOp makeConstant(OpBuilder &builder, Location loc, StringRef name,
                        const PackedStructure &structure,
                        std::vector<float> values);

/// The f32 elements of a constant attribute: a view of its data where it has
/// one value an element, a copy where it is a splat.
class FloatElements {
public:
  /// Fails for other element types and for resources without data.
  static FailureOr<FloatElements> get(Attribute attribute);

  ArrayRef<float> get() const {
    return copy.empty() ? view : ArrayRef<float>(copy);
  }

private:
  ArrayRef<float> view;
  std::vector<float> copy;
};

/// Makes a constant tensor attribute: literal when small, else a resource whose
/// key starts with `name`.
ElementsAttr makeFloatElements(ArrayRef<int64_t> shape, StringRef name,
                               std::vector<float> values, MLIRContext *context);

/// Makes a constant tensor attribute of half floats, each value rounded to the
/// nearest one, in the same way.
ElementsAttr makeHalfElements(ArrayRef<int64_t> shape, StringRef name,
                              ArrayRef<float> values, MLIRContext *context);

/// Makes an integer tensor attribute of `bits` (8, 16 or 32) bits an element,
/// in the same way.
ElementsAttr makeIndexElements(ArrayRef<int64_t> shape, StringRef name,
                               ArrayRef<int32_t> values, unsigned bits,
                               MLIRContext *context);

} // namespace mlir::bcr

#endif // BCR_DIALECT_PACKED_H
