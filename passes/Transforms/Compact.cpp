//===- Compact.cpp - bcr-compact ------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Packed.h"
#include "passes/Analysis/BlockStructure.h"
#include "passes/Analysis/LayerReport.h"
#include "passes/Passes.h"
#include "passes/Transforms/PackedWeights.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Remarks.h"

namespace mlir::bcr {
#define GEN_PASS_DEF_COMPACT
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;
using namespace mlir::bcr;

/// The groups of the matrix in canonical form.
static PackedStructure getStructure(const NonZeroMap &map,
                                    std::array<int64_t, 2> block) {
  PackedStructure structure;
  structure.numRows = map.getNumRows();
  structure.numColumns = map.getNumColumns();
  structure.block = block;
  IndexListPool rowLists(structure.rows);
  IndexListPool columnLists(structure.columns);
  BlockRowScanner scanner(map, block);
  std::vector<int32_t> rows;
  std::vector<int32_t> columns;
  for (int64_t row = 0; row < map.getNumRows(); row += block[0]) {
    scanner.scan(row);
    for (const BlockRowScanner::Group &group : scanner.getGroups()) {
      rows.clear();
      columns.clear();
      scanner.appendRows(group, rows);
      scanner.appendColumns(group, columns);
      structure.addGroup(rowLists.add(rows), group.rowCount,
                         columnLists.add(columns), group.columnCount);
    }
  }
  return structure;
}

/// The values of the groups, column by column.
static std::vector<float> getValues(const PackedStructure &structure,
                                    ArrayRef<float> weights) {
  std::vector<float> values(structure.getNumValues());
  float *out = values.data();
  for (const PackedGroup &group : structure.groups) {
    ArrayRef<int32_t> rows = structure.getRows(group);
    for (int64_t column : structure.getColumns(group))
      for (int64_t row : rows)
        *out++ = weights[row * structure.numColumns + column];
  }
  return values;
}

namespace {
class CompactPass : public bcr::impl::CompactBase<CompactPass> {
public:
  using CompactBase::CompactBase;

  void runOnOperation() override;

private:
  FailureOr<ConstantOp> pack(LayerOpInterface layer);
  void record(LayerOpInterface layer, ConstantOp constant);

  /// Layers that share weights and block share the packed constant too.
  llvm::DenseMap<std::pair<Value, Attribute>, ConstantOp> packed;
  /// What the pass learns of the layers.
  std::optional<LayerReport> report;
};
} // namespace

FailureOr<ConstantOp> CompactPass::pack(LayerOpInterface layer) {
  DenseI64ArrayAttr block = layer.getBlockAttr();
  if (!block)
    return layer->emitOpError("is sparse and has no 'block'; run bcr-select");
  ConstantOp &known = packed[{layer.getWeight(), block}];
  if (known)
    return known;
  FailureOr<FloatElements> weights = FloatElements::get(getDenseWeight(layer));
  if (failed(weights))
    return layer->emitOpError("is sparse and its weights are not constant f32 "
                              "data");
  NonZeroMap map(weights->get(), layer.getNumRows(), layer.getNumColumns());
  PackedStructure structure = getStructure(map, {block[0], block[1]});
  Operation *dense = layer.getWeight().getDefiningOp();
  OpBuilder builder(dense);
  known = makeConstant(builder, dense->getLoc(), getLayerName(layer), structure,
                       getValues(structure, weights->get()));
  return known;
}

void CompactPass::record(LayerOpInterface layer, ConstantOp constant) {
  PackedStructure structure = readStructure(constant);
  FailureOr<FloatElements> values = FloatElements::get(constant.getValues());
  int64_t numNonZeros = llvm::count_if(values->get(), [](float value) {
    // True for NaN too.
    return value != 0.0f;
  });
  int64_t csrBytes = numNonZeros * 8 + (structure.numRows + 1) * 4;
  int64_t denseBytes = structure.numRows * structure.numColumns * 4;
  int64_t valueBytes = structure.getValueBytes();
  int64_t indexBytes = structure.getIndexBytes();
  Builder builder(&getContext());
  for (auto [key, value] :
       {std::pair("value_bytes", valueBytes),
        std::pair("index_bytes", indexBytes), std::pair("csr_bytes", csrBytes),
        std::pair("dense_bytes", denseBytes)})
    report->set(layer, key, builder.getI64IntegerAttr(value));
  ++numCompacted;
  numPackedBytes += valueBytes + indexBytes;
  numCSRBytes += csrBytes;
  numDenseBytes += denseBytes;
  remark::passed(layer->getLoc(), remark::RemarkOpts::name("Packed")
                                      .category("bcr-compact")
                                      .function(getLayerName(layer)))
      << remark::add("layer '{0}': {1} groups, {2} bytes of weights and {3} of "
                     "indices; {4} bytes as CSR, {5} dense",
                     getLayerName(layer).str(), structure.groups.size(),
                     valueBytes, indexBytes, csrBytes, denseBytes);
}

void CompactPass::runOnOperation() {
  packed.clear();
  report.emplace(getOperation());
  SmallVector<LayerOpInterface> layers;
  getOperation().walk([&](LayerOpInterface layer) {
    FormAttr form = layer.getFormAttr();
    if (form && form.getValue() == Form::Sparse &&
        !isa<PackedType>(layer.getWeight().getType()))
      layers.push_back(layer);
  });
  UnusedData unused(getOperation());
  for (LayerOpInterface layer : layers) {
    FailureOr<ConstantOp> constant = pack(layer);
    if (failed(constant))
      return signalPassFailure();
    replaceWeight(layer, *constant, unused);
    record(layer, *constant);
  }
  report->write();
}
