//===- Packed.cpp - Packed weights as C++ data ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Packed.h"

#include "mlir/IR/AsmState.h"
#include "mlir/IR/DialectResourceBlobManager.h"

#include "llvm/ADT/APFloat.h"

#include <cstring>

using namespace mlir;
using namespace mlir::bcr;

/// Arrays up to this length are printed as literals, for people to read.
static constexpr int64_t kMaxLiteral = 32;

/// Raw data of a constant with one value an element, or failure.
static FailureOr<ArrayRef<char>> getRawData(Attribute attribute) {
  if (auto dense = dyn_cast<DenseElementsAttr>(attribute))
    return dense.getRawData();
  if (auto resource = dyn_cast<DenseResourceElementsAttr>(attribute))
    if (AsmResourceBlob *blob = resource.getRawHandle().getBlob())
      return blob->getData();
  return failure();
}

/// Makes `values` a resource blob that owns them. It is mutable: passes may
/// free it once nothing uses it.
template <typename T> static AsmResourceBlob makeBlob(std::vector<T> values) {
  ArrayRef<char> data(reinterpret_cast<const char *>(values.data()),
                      values.size() * sizeof(T));
  return AsmResourceBlob(
      data, alignof(T), [values = std::move(values)](void *, size_t, size_t) {},
      /*dataIsMutable=*/true);
}

/// Reads an integer array of 16 or 32 bits an element.
static std::vector<int32_t> readIndices(ElementsAttr attribute) {
  std::vector<int32_t> indices;
  if (auto dense = dyn_cast<DenseIntElementsAttr>(attribute)) {
    for (APInt value : dense.getValues<APInt>())
      indices.push_back(static_cast<int32_t>(value.getZExtValue()));
    return indices;
  }
  FailureOr<ArrayRef<char>> data = getRawData(attribute);
  assert(succeeded(data) && "the verifier asks for index data");
  unsigned bytes = attribute.getElementType().getIntOrFloatBitWidth() / 8;
  indices.resize(data->size() / bytes);
  for (size_t i = 0; i < indices.size(); ++i) {
    uint32_t value = 0;
    std::memcpy(&value, data->data() + i * bytes, bytes);
    indices[i] = static_cast<int32_t>(value);
  }
  return indices;
}

void PackedStructure::addGroup(int64_t rowBegin, int64_t rowCount,
                               int64_t columnBegin, int64_t columnCount) {
  int64_t valueBegin = getNumValues();
  groups.push_back({rowBegin, rowCount, columnBegin, columnCount, valueBegin});
}

int64_t PackedStructure::getNumValues() const {
  if (groups.empty())
    return 0;
  const PackedGroup &last = groups.back();
  return last.valueBegin + last.rowCount * last.columnCount;
}

/// Bits of an index below `bound`.
static unsigned getIndexBits(int64_t bound) { return bound <= 65536 ? 16 : 32; }

int64_t PackedStructure::getIndexBytes() const {
  return static_cast<int64_t>(groups.size()) * 16 +
         static_cast<int64_t>(rows.size()) * getIndexBits(numRows) / 8 +
         static_cast<int64_t>(columns.size()) * getIndexBits(numColumns) / 8;
}

PackedStructure mlir::bcr::readStructure(ConstantOp op) {
  PackedStructure structure;
  auto type = op.getType();
  structure.numRows = type.getRows();
  structure.numColumns = type.getColumns();
  structure.block = {op.getBlock()[0], op.getBlock()[1]};
  structure.rows = readIndices(op.getRows());
  structure.columns = readIndices(op.getColumns());
  std::vector<int32_t> groups = readIndices(op.getGroups());
  structure.groups.reserve(groups.size() / 4);
  for (size_t i = 0; i + 4 <= groups.size(); i += 4)
    structure.addGroup(groups[i], groups[i + 1], groups[i + 2], groups[i + 3]);
  return structure;
}

FailureOr<std::vector<float>> mlir::bcr::readDense(ConstantOp op) {
  FailureOr<FloatElements> elements = FloatElements::get(op.getValues());
  if (failed(elements))
    return failure();
  PackedStructure structure = readStructure(op);
  std::vector<float> dense(structure.numRows * structure.numColumns);
  for (const PackedGroup &group : structure.groups) {
    const float *value = elements->get().data() + group.valueBegin;
    for (int64_t column : structure.getColumns(group))
      for (int64_t row : structure.getRows(group))
        dense[row * structure.numColumns + column] = *value++;
  }
  return dense;
}

FailureOr<FloatElements> FloatElements::get(Attribute attribute) {
  auto elements = dyn_cast_if_present<ElementsAttr>(attribute);
  if (!elements || !elements.getElementType().isF32())
    return failure();
  FloatElements result;
  if (auto dense = dyn_cast<DenseElementsAttr>(attribute);
      dense && dense.isSplat()) {
    result.copy.assign(dense.getNumElements(), dense.getSplatValue<float>());
    return result;
  }
  FailureOr<ArrayRef<char>> data = getRawData(attribute);
  size_t bytes = elements.getNumElements() * sizeof(float);
  if (failed(data) || data->size() != bytes)
    return failure();
  result.view = ArrayRef<float>(reinterpret_cast<const float *>(data->data()),
                                elements.getNumElements());
  return result;
}

ElementsAttr mlir::bcr::makeFloatElements(ArrayRef<int64_t> shape,
                                          StringRef name,
                                          std::vector<float> values,
                                          MLIRContext *context) {
  auto type = RankedTensorType::get(shape, Float32Type::get(context));
  assert(type.getNumElements() == static_cast<int64_t>(values.size()));
  if (static_cast<int64_t>(values.size()) <= kMaxLiteral)
    return DenseElementsAttr::get(type, ArrayRef<float>(values));
  return DenseResourceElementsAttr::get(type, name,
                                        makeBlob(std::move(values)));
}

ElementsAttr mlir::bcr::makeHalfElements(ArrayRef<int64_t> shape,
                                         StringRef name, ArrayRef<float> values,
                                         MLIRContext *context) {
  auto type = RankedTensorType::get(shape, Float16Type::get(context));
  assert(type.getNumElements() == static_cast<int64_t>(values.size()));
  std::vector<uint16_t> bits;
  bits.reserve(values.size());
  for (float value : values) {
    llvm::APFloat half(value);
    bool inexact;
    half.convert(llvm::APFloat::IEEEhalf(), llvm::APFloat::rmNearestTiesToEven,
                 &inexact);
    bits.push_back(static_cast<uint16_t>(half.bitcastToAPInt().getZExtValue()));
  }
  if (static_cast<int64_t>(bits.size()) > kMaxLiteral)
    return DenseResourceElementsAttr::get(type, name,
                                          makeBlob(std::move(bits)));
  return DenseElementsAttr::getFromRawBuffer(
      type,
      ArrayRef(reinterpret_cast<const char *>(bits.data()), 2 * bits.size()));
}

ElementsAttr mlir::bcr::makeIndexElements(ArrayRef<int64_t> shape,
                                          StringRef name,
                                          ArrayRef<int32_t> values,
                                          unsigned bits, MLIRContext *context) {
  auto type = RankedTensorType::get(shape, IntegerType::get(context, bits));
  assert(type.getNumElements() == static_cast<int64_t>(values.size()));
  auto make = [&](auto narrow) -> ElementsAttr {
    if (static_cast<int64_t>(narrow.size()) <= kMaxLiteral)
      return DenseElementsAttr::get(type, ArrayRef(narrow));
    return DenseResourceElementsAttr::get(type, name,
                                          makeBlob(std::move(narrow)));
  };
  if (bits == 8)
    return make(std::vector<int8_t>(values.begin(), values.end()));
  if (bits == 16)
    return make(std::vector<int16_t>(values.begin(), values.end()));
  assert(bits == 32 && "indices take 8, 16 or 32 bits");
  return make(values.vec());
}

ConstantOp mlir::bcr::makeConstant(OpBuilder &builder, Location loc,
                                   StringRef name,
                                   const PackedStructure &structure,
                                   std::vector<float> values) {
  MLIRContext *context = builder.getContext();
  std::vector<int32_t> groups;
  groups.reserve(structure.groups.size() * 4);
  for (const PackedGroup &group : structure.groups)
    for (int64_t field :
         {group.rowBegin, group.rowCount, group.columnBegin, group.columnCount})
      groups.push_back(static_cast<int32_t>(field));
  auto numGroups = static_cast<int64_t>(structure.groups.size());
  auto numRows = static_cast<int64_t>(structure.rows.size());
  auto numColumns = static_cast<int64_t>(structure.columns.size());
  auto numValues = static_cast<int64_t>(values.size());
  std::string prefix = name.str();
  return ConstantOp::create(
      builder, loc,
      PackedType::get(context, structure.numRows, structure.numColumns,
                      builder.getF32Type()),
      builder.getDenseI64ArrayAttr(structure.block),
      makeIndexElements({numGroups, 4}, prefix + ".groups", groups, 32,
                        context),
      makeIndexElements({numRows}, prefix + ".rows", structure.rows,
                        getIndexBits(structure.numRows), context),
      makeIndexElements({numColumns}, prefix + ".columns", structure.columns,
                        getIndexBits(structure.numColumns), context),
      makeFloatElements({numValues}, prefix + ".values", std::move(values),
                        context));
}
