//===- BCROps.cpp - Operations of the bcr dialect -------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// Verifier messages cite the invariants of dialect/README.md.
//
//===----------------------------------------------------------------------===//

#include "dialect/BCR.h"
#include "dialect/LayerVerifier.h"
#include "dialect/Packed.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectResourceBlobManager.h"
#include "llvm/ADT/BitVector.h"

using namespace mlir;
using namespace mlir::bcr;

//===----------------------------------------------------------------------===//
// bcr.constant
//===----------------------------------------------------------------------===//

/// Checks that an index array has the shape and width it should, and data.
static LogicalResult verifyIndexArray(ConstantOp op, StringRef name,
                                      ElementsAttr attribute, bool allow16Bit) {
  Type elementType = attribute.getElementType();
  bool widthOk = elementType.isSignlessInteger(32) ||
                 (allow16Bit && elementType.isSignlessInteger(16));
  if (!widthOk)
    return op.emitOpError("BCR-3: '")
           << name << "' holds "
           << (allow16Bit ? "16 or 32 bit integers" : "32 bit integers")
           << ", got " << elementType;
  if (isa<DenseIntElementsAttr>(attribute))
    return success();
  auto resource = dyn_cast<DenseResourceElementsAttr>(attribute);
  AsmResourceBlob *blob =
      resource ? resource.getRawHandle().getBlob() : nullptr;
  size_t bytes =
      attribute.getNumElements() * elementType.getIntOrFloatBitWidth() / 8;
  if (!blob || blob->getData().size() != bytes)
    return op.emitOpError("BCR-3: '") << name << "' has no data of its size";
  return success();
}

/// Checks that `group` lies inside the arrays and names legal rows and columns.
static LogicalResult verifyGroup(ConstantOp op, size_t index,
                                 const PackedStructure &structure) {
  const PackedGroup &group = structure.groups[index];
  if (group.rowBegin < 0 || group.rowCount < 1 || group.columnBegin < 0 ||
      group.columnCount < 1 ||
      group.rowBegin + group.rowCount >
          static_cast<int64_t>(structure.rows.size()) ||
      group.columnBegin + group.columnCount >
          static_cast<int64_t>(structure.columns.size()))
    return op.emitOpError("BCR-4: group ")
           << index << " is empty or reaches past the row or column array";
  int64_t previous = -1;
  for (int64_t column : structure.getColumns(group)) {
    if (column <= previous)
      return op.emitOpError("BCR-5: column indices of group ")
             << index << " are not strictly increasing: " << column << " after "
             << previous;
    previous = column;
  }
  if (previous >= structure.numColumns)
    return op.emitOpError("BCR-6: group ")
           << index << " has column " << previous << ", the matrix has "
           << structure.numColumns;
  return success();
}

/// Checks that no group has a row twice and no two groups store one position.
static LogicalResult verifyDisjoint(ConstantOp op,
                                    const PackedStructure &structure) {
  // For each row, the last group that has it; rows in one group need no map of
  // their columns, which is the common case and the cheap one.
  std::vector<int32_t> lastGroup(structure.numRows, -1);
  std::vector<llvm::BitVector> stored(structure.numRows);
  for (auto [index, group] : llvm::enumerate(structure.groups)) {
    for (int32_t row : structure.getRows(group)) {
      if (lastGroup[row] == static_cast<int32_t>(index))
        return op.emitOpError("BCR-7: group ")
               << index << " has row " << row << " twice";
      if (lastGroup[row] >= 0) {
        llvm::BitVector &columns = stored[row];
        if (columns.empty()) {
          columns.resize(structure.numColumns);
          const PackedGroup &first = structure.groups[lastGroup[row]];
          for (int32_t column : structure.getColumns(first))
            columns.set(column);
        }
        for (int32_t column : structure.getColumns(group)) {
          if (columns.test(column))
            return op.emitOpError("BCR-8: position (")
                   << row << ", " << column << ") is stored twice";
          columns.set(column);
        }
      }
      lastGroup[row] = static_cast<int32_t>(index);
    }
  }
  return success();
}

LogicalResult ConstantOp::verify() {
  if (getBlock().size() != 2 || getBlock()[0] < 1 || getBlock()[1] < 1)
    return emitOpError("BCR-2: 'block' is two positive numbers");
  if (getBlock()[0] > getType().getRows() ||
      getBlock()[1] > getType().getColumns())
    return emitOpError("BCR-2: block ")
           << getBlock()[0] << "x" << getBlock()[1]
           << " is larger than the matrix " << getType().getRows() << "x"
           << getType().getColumns();
  if (getGroups().getShapedType().getRank() != 2 ||
      getGroups().getShapedType().getDimSize(1) != 4)
    return emitOpError("BCR-3: 'groups' has four numbers a group, got ")
           << getGroups().getShapedType();
  for (auto [name, attribute] :
       {std::pair("rows", getRows()), std::pair("columns", getColumns()),
        std::pair("values", getValues())})
    if (attribute.getShapedType().getRank() != 1)
      return emitOpError("BCR-3: '") << name << "' has one dimension, got "
                                     << attribute.getShapedType();
  if (failed(verifyIndexArray(*this, "groups", getGroups(), false)) ||
      failed(verifyIndexArray(*this, "rows", getRows(), true)) ||
      failed(verifyIndexArray(*this, "columns", getColumns(), true)))
    return failure();

  PackedStructure structure = readStructure(*this);
  for (int32_t row : structure.rows)
    if (row < 0 || row >= structure.numRows)
      return emitOpError("BCR-6: row ") << row << " is outside the matrix of "
                                        << structure.numRows << " rows";
  for (size_t i = 0; i < structure.groups.size(); ++i)
    if (failed(verifyGroup(*this, i, structure)))
      return failure();
  if (failed(verifyDisjoint(*this, structure)))
    return failure();

  if (getValues().getElementType() != getType().getElementType())
    return emitOpError("BCR-9: values are ")
           << getValues().getElementType() << ", the matrix is "
           << getType().getElementType();
  if (getValues().getNumElements() != structure.getNumValues())
    return emitOpError("BCR-9: groups have ")
           << structure.getNumValues() << " positions, 'values' has "
           << getValues().getNumElements();
  return success();
}

//===----------------------------------------------------------------------===//
// Layers
//===----------------------------------------------------------------------===//

void mlir::bcr::getLayerEffects(
    DestinationStyleOpInterface op,
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  for (OpOperand &operand : op->getOpOperands()) {
    if (!isa<MemRefType>(operand.get().getType()))
      continue;
    if (op.isDpsInit(&operand))
      effects.emplace_back(MemoryEffects::Write::get(), &operand);
    else
      effects.emplace_back(MemoryEffects::Read::get(), &operand);
  }
}

void MatmulOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  getLayerEffects(*this, effects);
}

void Conv2DOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  getLayerEffects(*this, effects);
}

void Pool2DOp::getEffects(
    SmallVectorImpl<SideEffects::EffectInstance<MemoryEffects::Effect>>
        &effects) {
  getLayerEffects(*this, effects);
}

/// Whether two dimension sizes can be the same at run time.
static bool compatible(int64_t a, int64_t b) {
  return a == b || ShapedType::isDynamic(a) || ShapedType::isDynamic(b);
}

/// Checks that `chunks` cut the groups into shares that write different rows.
static LogicalResult verifyChunks(LayerOpInterface layer,
                                  ArrayRef<int64_t> chunks) {
  Operation *op = layer;
  auto constant = layer.getWeight().getDefiningOp<ConstantOp>();
  if (!constant)
    return op->emitOpError("BCR-21: 'chunks' cut the groups of a bcr.constant, "
                           "the weights are ")
           << layer.getWeight().getType();
  int64_t numGroups = constant.getGroups().getShapedType().getDimSize(0);
  for (auto [index, chunk] : llvm::enumerate(chunks))
    if (index == 0 ? chunk != 0
                   : chunk <= chunks[index - 1] || chunk >= numGroups)
      return op->emitOpError("BCR-21: 'chunks' start at 0 and increase below ")
             << numGroups << ", the number of groups";
  if (chunks.size() < 2)
    return success();
  // An operand's definition may be verified after its use.
  if (failed(constant.verify()))
    return failure();
  PackedStructure structure = readStructure(constant);
  std::vector<int32_t> chunkOfRow(structure.numRows, -1);
  for (auto [chunk, begin] : llvm::enumerate(chunks)) {
    int64_t end = chunk + 1 < chunks.size() ? chunks[chunk + 1] : numGroups;
    for (int64_t group = begin; group < end; ++group)
      for (int32_t row : structure.getRows(structure.groups[group])) {
        if (chunkOfRow[row] >= 0 && chunkOfRow[row] != int32_t(chunk))
          return op->emitOpError("BCR-21: row ")
                 << row << " is in chunks " << chunkOfRow[row] << " and "
                 << chunk;
        chunkOfRow[row] = static_cast<int32_t>(chunk);
      }
  }
  return success();
}

LogicalResult mlir::bcr::verifyDecisions(LayerOpInterface layer) {
  if (DenseI64ArrayAttr block = layer.getBlockAttr())
    if (block.size() != 2 || block[0] < 1 || block[1] < 1 ||
        block[0] > layer.getNumRows() || block[1] > layer.getNumColumns())
      return layer->emitOpError("BCR-2: 'block' is two positive numbers no "
                                "larger than the weights ")
             << layer.getNumRows() << "x" << layer.getNumColumns();
  if (DenseI64ArrayAttr chunks = layer.getChunksAttr())
    return verifyChunks(layer, chunks);
  return success();
}

/// The checks that matmul and convolution share. `rowDimension` is the
/// dimension of the result that the rows of W index.
static LogicalResult verifyLayer(LayerOpInterface layer, int64_t rank,
                                 unsigned rowDimension) {
  Operation *op = layer;
  auto init = cast<ShapedType>(layer.getInit().getType());
  auto input = cast<ShapedType>(layer.getInput().getType());
  if (input.getRank() != rank || init.getRank() != rank)
    return op->emitOpError("BCR-10: input and result have ")
           << rank << " dimensions, got " << input << " and " << init;
  bool onTensors = isa<RankedTensorType>(init);
  for (Value operand : {layer.getInput(), layer.getBias(), layer.getResidual()})
    if (operand && isa<RankedTensorType>(operand.getType()) != onTensors)
      return op->emitOpError("BCR-11: operands are all tensors or all memrefs");
  if (op->getNumResults() != (onTensors ? 1u : 0u) ||
      (onTensors && op->getResult(0).getType() != init))
    return op->emitOpError("BCR-11: on tensors a layer has one result of the "
                           "type of 'outs', on memrefs none");
  if (!init.getElementType().isF32() || !input.getElementType().isF32())
    return op->emitOpError("BCR-12: layers compute in f32, got ")
           << input << " and " << init;

  int64_t rows = init.getDimSize(rowDimension);
  if (layer.getNumRows() != rows)
    return op->emitOpError("BCR-13: the weights have ")
           << layer.getNumRows() << " rows, the result has " << rows
           << " channels";
  if (Value bias = layer.getBias()) {
    auto type = cast<ShapedType>(bias.getType());
    if (type.getRank() != 1 || type.getDimSize(0) != rows ||
        !type.getElementType().isF32())
      return op->emitOpError("BCR-14: the bias is f32, one value a row of the "
                             "weights, got ")
             << type;
  }
  if (Value residual = layer.getResidual()) {
    auto type = cast<ShapedType>(residual.getType());
    bool same = type.getRank() == rank && type.getElementType().isF32();
    for (int64_t i = 0; same && i < rank; ++i)
      same = compatible(type.getDimSize(i), init.getDimSize(i));
    if (!same)
      return op->emitOpError("BCR-15: the residual has the shape of the "
                             "result ")
             << init << ", got " << type;
  }
  return verifyDecisions(layer);
}

int64_t MatmulOp::getNumRows() {
  if (auto packed = dyn_cast<PackedType>(getWeight().getType()))
    return packed.getRows();
  return cast<ShapedType>(getWeight().getType()).getDimSize(0);
}

int64_t MatmulOp::getNumColumns() {
  if (auto packed = dyn_cast<PackedType>(getWeight().getType()))
    return packed.getColumns();
  return cast<ShapedType>(getWeight().getType()).getDimSize(1);
}

LogicalResult MatmulOp::verify() {
  if (auto weight = dyn_cast<ShapedType>(getWeight().getType()))
    if (weight.getRank() != 2 || !weight.hasStaticShape() ||
        !weight.getElementType().isF32())
      return emitOpError("BCR-13: dense weights are a static f32 matrix, got ")
             << weight;
  if (failed(verifyLayer(*this, /*rank=*/2, /*rowDimension=*/1)))
    return failure();
  auto input = cast<ShapedType>(getInput().getType());
  auto init = cast<ShapedType>(getInit().getType());
  if (input.getDimSize(1) != getNumColumns())
    return emitOpError("BCR-13: the weights have ")
           << getNumColumns() << " columns, the input has "
           << input.getDimSize(1) << " features";
  if (!compatible(input.getDimSize(0), init.getDimSize(0)))
    return emitOpError("BCR-10: input has ")
           << input.getDimSize(0) << " samples, the result "
           << init.getDimSize(0);
  ScheduleAttr schedule = getScheduleAttr();
  if (schedule && schedule.getKernel() == KernelKind::Winograd)
    return emitOpError("BCR-25: the kernel winograd is for convolutions");
  return success();
}

int64_t Conv2DOp::getNumRows() {
  if (auto packed = dyn_cast<PackedType>(getWeight().getType()))
    return packed.getRows();
  return cast<ShapedType>(getWeight().getType()).getDimSize(0);
}

int64_t Conv2DOp::getNumColumns() {
  if (auto packed = dyn_cast<PackedType>(getWeight().getType()))
    return packed.getColumns();
  auto weight = cast<ShapedType>(getWeight().getType());
  return weight.getDimSize(1) * weight.getDimSize(2) * weight.getDimSize(3);
}

/// Checks what is said of the memory around the images.
static LogicalResult verifyMemory(Conv2DOp op) {
  if (static_cast<int64_t>(op.getOverread()) < 0)
    return op.emitOpError("BCR-22: 'overread' is not negative");
  auto init = dyn_cast<MemRefType>(op.getInit().getType());
  if (!init && (op.getOverread() > 0 || op.getGaps()))
    return op.emitOpError("BCR-22: 'overread' and 'gaps' are facts of "
                          "memrefs, the layer is on tensors");
  if (!op.getGaps())
    return success();
  SmallVector<int64_t> strides;
  int64_t offset;
  if (failed(init.getStridesAndOffset(strides, offset)) || strides[3] != 1 ||
      ShapedType::isDynamic(strides[2]) || strides[2] < init.getDimSize(3))
    return op.emitOpError("BCR-22: 'gaps' needs rows of neighbouring "
                          "elements at a known distance, got ")
           << init;
  return success();
}

/// Checks the attributes of a window that slides over images.
template <typename OpTy> static LogicalResult verifyWindow(OpTy op) {
  auto positive = [](ArrayRef<int64_t> values) {
    return values.size() == 2 && values[0] > 0 && values[1] > 0;
  };
  if (!positive(op.getKernel()) || !positive(op.getStrides()) ||
      !positive(op.getDilations()))
    return op.emitOpError("BCR-18: 'kernel', 'strides' and 'dilations' are two "
                          "positive numbers each");
  if (op.getPadding().size() != 4 ||
      llvm::any_of(op.getPadding(), [](int64_t value) { return value < 0; }))
    return op.emitOpError("BCR-18: 'padding' is four numbers that are not "
                          "negative: top, left, bottom, right");
  return success();
}

/// Checks that the images of the result follow from those of the input.
template <typename OpTy> static LogicalResult verifyImageSizes(OpTy op) {
  auto input = cast<ShapedType>(op.getInput().getType());
  auto init = cast<ShapedType>(op.getInit().getType());
  if (!compatible(input.getDimSize(0), init.getDimSize(0)))
    return op.emitOpError("BCR-10: input has ")
           << input.getDimSize(0) << " samples, the result "
           << init.getDimSize(0);
  for (unsigned i = 0; i < 2; ++i) {
    if (input.isDynamicDim(2 + i) || init.isDynamicDim(2 + i))
      return op.emitOpError("BCR-20: image sizes are static, got ")
             << input << " and " << init;
    int64_t padded =
        input.getDimSize(2 + i) + op.getPadding()[i] + op.getPadding()[2 + i];
    int64_t reach = op.getDilations()[i] * (op.getKernel()[i] - 1) + 1;
    int64_t size =
        padded < reach ? 0 : (padded - reach) / op.getStrides()[i] + 1;
    if (init.getDimSize(2 + i) != size)
      return op.emitOpError("BCR-20: the result's dimension ")
             << 2 + i << " is " << init.getDimSize(2 + i) << ", should be "
             << size;
  }
  return success();
}

LogicalResult Conv2DOp::verify() {
  if (failed(verifyWindow(*this)))
    return failure();
  if (auto weight = dyn_cast<ShapedType>(getWeight().getType()))
    if (weight.getRank() != 4 || !weight.hasStaticShape() ||
        !weight.getElementType().isF32() ||
        weight.getDimSize(2) != getKernel()[0] ||
        weight.getDimSize(3) != getKernel()[1])
      return emitOpError("BCR-13: dense weights are static f32 and four-"
                         "dimensional with the size of 'kernel', got ")
             << weight;
  if (failed(verifyLayer(*this, /*rank=*/4, /*rowDimension=*/1)))
    return failure();

  auto input = cast<ShapedType>(getInput().getType());
  auto init = cast<ShapedType>(getInit().getType());
  int64_t groups = getGroups();
  int64_t channels = input.getDimSize(1);
  if (groups < 1 || channels % groups != 0 || getNumRows() % groups != 0)
    return emitOpError("BCR-19: ")
           << groups << " groups do not divide " << channels << " input and "
           << getNumRows() << " output channels";
  int64_t expected = channels / groups * getKernel()[0] * getKernel()[1];
  if (getNumColumns() != expected)
    return emitOpError("BCR-13: the weights have ")
           << getNumColumns() << " columns, channels a group times kernel is "
           << expected;
  if (failed(verifyImageSizes(*this)))
    return failure();
  if (ScheduleAttr schedule = getScheduleAttr()) {
    int64_t band = schedule.getBand();
    bool winograd = schedule.getKernel() == KernelKind::Winograd;
    if (winograd && !isWinograd())
      return emitOpError("BCR-25: the kernel winograd is for 3x3 taps, strides "
                         "and dilations of one and one group");
    if (!winograd && band > 0 && init.getDimSize(2) % band != 0)
      return emitOpError("BCR-17: a band of ")
             << band << " rows does not divide the " << init.getDimSize(2)
             << " rows of the result";
  }
  return verifyMemory(*this);
}

bool Conv2DOp::isWinograd() {
  auto all = [](ArrayRef<int64_t> values, int64_t expected) {
    return llvm::all_of(values, [&](int64_t v) { return v == expected; });
  };
  return all(getKernel(), 3) && all(getStrides(), 1) &&
         all(getDilations(), 1) && getGroups() == 1;
}

LogicalResult Pool2DOp::verify() {
  if (failed(verifyWindow(*this)))
    return failure();
  auto input = cast<ShapedType>(getInput().getType());
  auto init = cast<ShapedType>(getInit().getType());
  if (input.getRank() != 4 || init.getRank() != 4)
    return emitOpError("BCR-10: input and result have 4 dimensions, got ")
           << input << " and " << init;
  bool onTensors = isa<RankedTensorType>(init);
  if (isa<RankedTensorType>(input) != onTensors)
    return emitOpError("BCR-11: operands are all tensors or all memrefs");
  if (getOperation()->getNumResults() != (onTensors ? 1u : 0u) ||
      (onTensors && getOperation()->getResult(0).getType() != init))
    return emitOpError("BCR-11: on tensors a pooling has one result of the "
                       "type of 'outs', on memrefs none");
  if (!init.getElementType().isF32() || !input.getElementType().isF32())
    return emitOpError("BCR-12: poolings compute in f32, got ")
           << input << " and " << init;
  if (input.isDynamicDim(1) || input.getDimSize(1) != init.getDimSize(1))
    return emitOpError("BCR-23: input and result of a pooling have the same "
                       "channels, got ")
           << input << " and " << init;
  const APFloat &number = getDivisor();
  if (number.isZero() || !number.isFinite() ||
      (getKind() == PoolKind::Max && number.convertToDouble() != 1.0))
    return emitOpError("BCR-24: the divisor of a sum is a finite number other "
                       "than zero, a maximum has none");
  return verifyImageSizes(*this);
}

#define GET_OP_CLASSES
#include "dialect/BCROps.cpp.inc"
