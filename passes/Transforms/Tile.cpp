//===- Tile.cpp - bcr-tile ------------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Packed.h"
#include "passes/Analysis/KernelModel.h"
#include "passes/Analysis/LayerReport.h"
#include "passes/Analysis/TuningRecord.h"
#include "passes/Analysis/WinogradTiles.h"
#include "passes/Passes.h"
#include "passes/Transforms/PackedWeights.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"

#include <numeric>
#include <set>

namespace mlir::bcr {
#define GEN_PASS_DEF_TILE
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;
using namespace mlir::bcr;

/// Columns that are copied at a time: a cache line of each row of the source.
static constexpr int64_t kCopyColumns = 16;
/// Images of no more vectors than this may be faster with rows along the
/// vector.
static constexpr int64_t kFewVectors = 8;

namespace {
/// The weights of a layer before they are cut. Dense ones have one group.
struct Source {
  PackedStructure structure;
  FloatElements values;
  /// Whether they are those of dense weights, row by row.
  bool dense = false;

  /// Distance in `values` between two rows of a column, and two columns of a
  /// row.
  int64_t getRowStride() const { return dense ? structure.numColumns : 1; }
  int64_t getColumnStride(const PackedGroup &group) const {
    return dense ? 1 : group.rowCount;
  }
};

/// Some rows of a group, as positions in the group.
struct Piece {
  int64_t chunk = 0;
  int64_t group = 0;
  std::vector<int32_t> positions;

  int64_t getHeight() const { return static_cast<int64_t>(positions.size()); }
};

/// A matrix cut once for all layers that use it alike.
struct Tiled {
  ConstantOp constant;
  ScheduleAttr schedule;
  SmallVector<int64_t> chunks;
  int64_t numHeights = 0;
};

class TilePass : public bcr::impl::TileBase<TilePass> {
public:
  using TileBase::TileBase;

  void runOnOperation() override;

private:
  FailureOr<Tiled> tile(LayerOpInterface layer, const MachineModel &machine);
  TileChoice choose(LayerOpInterface layer, const MachineModel &machine,
                    const PackedStructure &structure, LayerWork &work);
  std::vector<Piece> getPieces(LayerOpInterface layer, const Source &source,
                               const LayerWork &work, const TileChoice &choice);
  void listCandidates(LayerOpInterface layer, const MachineModel &machine,
                      const PackedStructure &structure);
  void record(LayerOpInterface layer, const Tiled &tiled);

  /// What the pass learns of the layers.
  std::optional<LayerReport> report;
};
} // namespace

static FailureOr<Source> getSource(LayerOpInterface layer) {
  Source source;
  PackedStructure &structure = source.structure;
  if (auto packed = layer.getWeight().getDefiningOp<ConstantOp>()) {
    structure = readStructure(packed);
    FailureOr<FloatElements> values = FloatElements::get(packed.getValues());
    if (failed(values) ||
        static_cast<int64_t>(values->get().size()) != structure.getNumValues())
      return failure();
    source.values = std::move(*values);
    return source;
  }
  FailureOr<FloatElements> weights = FloatElements::get(getDenseWeight(layer));
  if (failed(weights))
    return failure();
  source.values = std::move(*weights);
  source.dense = true;
  structure.numRows = layer.getNumRows();
  structure.numColumns = layer.getNumColumns();
  structure.block = {structure.numRows, structure.numColumns};
  structure.rows.resize(structure.numRows);
  structure.columns.resize(structure.numColumns);
  std::iota(structure.rows.begin(), structure.rows.end(), 0);
  std::iota(structure.columns.begin(), structure.columns.end(), 0);
  if (!source.values.get().empty())
    structure.addGroup(0, structure.numRows, 0, structure.numColumns);
  return source;
}

/// The positions of a group's rows, split by group of a grouped convolution.
static std::map<int64_t, std::vector<int32_t>>
splitByConvGroup(ArrayRef<int32_t> rows, int64_t rowsPerConvGroup) {
  std::map<int64_t, std::vector<int32_t>> parts;
  for (auto [position, row] : llvm::enumerate(rows))
    parts[row / rowsPerConvGroup].push_back(static_cast<int32_t>(position));
  return parts;
}

/// The model's view of the groups.
static GroupWorkByHeight getGroupWork(const PackedStructure &structure,
                                      int64_t rowsPerConvGroup) {
  GroupWorkByHeight groups;
  for (const PackedGroup &group : structure.groups)
    for (const auto &[convGroup, positions] :
         splitByConvGroup(structure.getRows(group), rowsPerConvGroup)) {
      GroupWork &work = groups[static_cast<int64_t>(positions.size())];
      ++work.numGroups;
      work.numColumns += group.columnCount;
    }
  return groups;
}

/// In how many groups each row is.
static std::vector<int32_t> countGroups(const PackedStructure &structure) {
  std::vector<int32_t> counts(structure.numRows);
  for (const PackedGroup &group : structure.groups)
    for (int32_t row : structure.getRows(group))
      ++counts[row];
  return counts;
}

/// Gives the pieces of a dense layer to `threads` shares, in order; a piece
/// goes to the share that its middle row is in.
static void dealInOrder(std::vector<Piece> &pieces, int64_t numRows,
                        int64_t threads) {
  int64_t rowsBefore = 0;
  for (Piece &piece : pieces) {
    piece.chunk =
        (2 * rowsBefore + piece.getHeight()) * threads / (2 * numRows);
    rowsBefore += piece.getHeight();
  }
}

std::vector<Piece> TilePass::getPieces(LayerOpInterface layer,
                                       const Source &source,
                                       const LayerWork &work,
                                       const TileChoice &choice) {
  const PackedStructure &structure = source.structure;
  std::vector<int32_t> counts = countGroups(structure);
  DenseI64ArrayAttr chunks = layer.getChunksAttr();
  int64_t height = choice.schedule.getHeight();
  std::vector<Piece> pieces;
  int64_t chunk = 0;
  for (auto [index, group] : llvm::enumerate(structure.groups)) {
    if (chunks)
      while (chunk + 1 < chunks.size() &&
             chunks[chunk + 1] <= static_cast<int64_t>(index))
        ++chunk;
    ArrayRef<int32_t> rows = structure.getRows(group);
    for (auto &[convGroup, positions] :
         splitByConvGroup(rows, work.rowsPerConvGroup)) {
      // Rows that no other group has come first: a piece of such rows only is
      // finished in registers.
      llvm::stable_sort(positions, [&](int32_t a, int32_t b) {
        return (counts[rows[a]] > 1) < (counts[rows[b]] > 1);
      });
      for (size_t begin = 0; begin < positions.size();) {
        auto left = static_cast<int64_t>(positions.size() - begin);
        int64_t size = left >= height ? height : choice.nextPiece[left];
        Piece piece;
        piece.chunk = chunk;
        piece.group = static_cast<int64_t>(index);
        piece.positions.assign(positions.begin() + begin,
                               positions.begin() + begin + size);
        pieces.push_back(std::move(piece));
        begin += size;
      }
    }
  }
  if (source.dense && threads > 1)
    dealInOrder(pieces, structure.numRows, threads);
  llvm::stable_sort(pieces, [](const Piece &a, const Piece &b) {
    return std::pair(a.chunk, -a.getHeight()) <
           std::pair(b.chunk, -b.getHeight());
  });
  return pieces;
}

/// Copies the values of a piece to `out`, column by column.
static float *copyValues(const Source &source, const Piece &piece, float *out) {
  const PackedGroup &group = source.structure.groups[piece.group];
  const float *values = source.values.get().data() + group.valueBegin;
  int64_t rowStride = source.getRowStride();
  int64_t columnStride = source.getColumnStride(group);
  int64_t height = piece.getHeight();
  for (int64_t begin = 0; begin < group.columnCount; begin += kCopyColumns) {
    int64_t size = std::min(kCopyColumns, group.columnCount - begin);
    for (int64_t i = 0; i < height; ++i) {
      const float *in =
          values + piece.positions[i] * rowStride + begin * columnStride;
      for (int64_t column = 0; column < size; ++column)
        out[column * height + i] = in[column * columnStride];
    }
    out += size * height;
  }
  return out;
}

/// Makes the constant of the pieces before the old weights.
static ConstantOp makeTiled(LayerOpInterface layer, const Source &source,
                            ArrayRef<Piece> pieces) {
  const PackedStructure &structure = source.structure;
  PackedStructure result;
  result.numRows = structure.numRows;
  result.numColumns = structure.numColumns;
  result.block = structure.block;
  // The columns stay where they are: pieces share those of their group.
  result.columns = structure.columns;
  IndexListPool rowLists(result.rows);
  std::vector<int32_t> rows;
  std::vector<float> values(structure.getNumValues());
  float *out = values.data();
  for (const Piece &piece : pieces) {
    const PackedGroup &group = structure.groups[piece.group];
    rows.clear();
    for (int32_t position : piece.positions)
      rows.push_back(structure.getRows(group)[position]);
    result.addGroup(rowLists.add(rows), piece.getHeight(), group.columnBegin,
                    group.columnCount);
    out = copyValues(source, piece, out);
  }
  Operation *old = layer.getWeight().getDefiningOp();
  OpBuilder builder(old);
  return makeConstant(builder, old->getLoc(), getLayerName(layer), result,
                      std::move(values));
}

/// In how many groups rows are beyond their first, summed over all rows.
static int64_t countRevisits(const PackedStructure &structure) {
  int64_t numRevisits = 0;
  for (int32_t count : countGroups(structure))
    numRevisits += std::max(count - 1, 0);
  return numRevisits;
}

/// Why a convolution cannot have bands of `band` rows, or an empty string. A
/// band of fewer positions than a vector has gains nothing from being one.
static std::string checkBand(Conv2DOp conv, int64_t band, int64_t lanes) {
  auto init = cast<ShapedType>(conv.getInit().getType());
  int64_t rows = init.getDimSize(2);
  if (rows % band != 0)
    return llvm::formatv("a band of {0} rows does not divide {1} rows", band,
                         rows);
  if (band < rows && band * init.getDimSize(3) < lanes)
    return llvm::formatv("a band of {0} rows of {1} has less than a vector",
                         band, init.getDimSize(3));
  return "";
}

/// Why a layer cannot run as `record` says, or an empty string.
static std::string checkRecord(LayerOpInterface layer,
                               const TuningRecord &record,
                               const LayerWork &work,
                               const MachineModel &machine) {
  auto conv = dyn_cast<Conv2DOp>(layer.getOperation());
  if (record.kernel == KernelKind::Depthwise &&
      getLayerWork(layer, machine).kernel != KernelKind::Depthwise)
    return "the layer has more than a channel's taps for each output";
  if (record.kernel == KernelKind::Winograd &&
      work.kernel != KernelKind::Winograd)
    return "the kernel winograd is for dense convolutions with 3x3 taps, "
           "strides and dilations of one and one group";
  if (record.kernel && *record.kernel != work.kernel)
    return "there are too few samples to run along the vector";
  if (record.band > 0 && work.kernel == KernelKind::Winograd) {
    if (record.band % kWinogradTile != 0)
      return llvm::formatv("a band of the kernel winograd is a multiple of {0} "
                           "rows",
                           kWinogradTile);
  } else if (record.band > 0) {
    if (work.kernel != KernelKind::Pixels)
      return "only the kernels pixels and winograd have bands";
    if (!conv)
      return "only images have bands";
    std::string error = checkBand(conv, record.band, machine.lanes);
    if (!error.empty())
      return error;
  }
  if (!record.kernel)
    return "";
  return checkTile(work, machine, record.height, record.vectors);
}

/// Chooses the tile: that of the layer's tuning record, or the model's best.
TileChoice TilePass::choose(LayerOpInterface layer, const MachineModel &machine,
                            const PackedStructure &structure, LayerWork &work) {
  std::string error;
  std::optional<TuningRecord> record;
  if (Attribute attribute = layer->getAttr(kRecordAttrName)) {
    record = TuningRecord::parse(attribute, error);
    if (record) {
      LayerWork recorded = getLayerWork(layer, machine, record->kernel);
      error = checkRecord(layer, *record, recorded, machine);
      if (error.empty())
        work = recorded;
      else
        record.reset();
    }
    if (!record)
      warnOfRecord(layer, "", error);
  }
  GroupWorkByHeight groups = getGroupWork(structure, work.rowsPerConvGroup);
  int64_t numRevisits = countRevisits(structure);
  MLIRContext *context = &getContext();
  bool dense = !isa<PackedType>(layer.getWeight().getType());
  TileChoice choice =
      record && record->kernel
          ? makeTile(context, work, machine, groups, numRevisits,
                     record->height, record->vectors)
      : dense ? chooseDenseTile(layer, machine, work)
              : chooseTile(context, work, machine, groups, numRevisits);
  if (record && record->band > 0)
    choice.schedule = ScheduleAttr::get(
        context, choice.schedule.getKernel(), choice.schedule.getHeight(),
        choice.schedule.getVectors(), choice.schedule.getLanes(), record->band);
  return choice;
}

/// Reports what a record of the layer could say.
void TilePass::listCandidates(LayerOpInterface layer,
                              const MachineModel &machine,
                              const PackedStructure &structure) {
  MLIRContext *context = &getContext();
  Builder builder(context);
  SmallVector<KernelKind> kernels = {getLayerWork(layer, machine).kernel};
  auto conv = dyn_cast<Conv2DOp>(layer.getOperation());
  auto init = cast<ShapedType>(layer.getInit().getType());
  int64_t rows = conv ? init.getDimSize(2) : 1;
  for (KernelKind other : {KernelKind::Pixels, KernelKind::Winograd})
    if (other != kernels.front() &&
        getLayerWork(layer, machine, other).kernel == other)
      kernels.push_back(other);
  if (conv && kernels.front() != KernelKind::Rows &&
      rows * init.getDimSize(3) <= kFewVectors * machine.lanes)
    kernels.push_back(KernelKind::Rows);
  SmallVector<Attribute> candidates;
  for (KernelKind kernel : kernels) {
    LayerWork work = getLayerWork(layer, machine, kernel);
    for (const TileChoice &tile :
         rankTiles(context, work, machine,
                   getGroupWork(structure, work.rowsPerConvGroup),
                   countRevisits(structure)))
      candidates.push_back(builder.getDictionaryAttr(
          {builder.getNamedAttr(
               "kernel", builder.getStringAttr(stringifyKernelKind(kernel))),
           builder.getNamedAttr(
               "height", builder.getI64IntegerAttr(tile.schedule.getHeight())),
           builder.getNamedAttr("vectors", builder.getI64IntegerAttr(
                                               tile.schedule.getVectors())),
           builder.getNamedAttr("cycles",
                                builder.getF64FloatAttr(tile.cycles))}));
  }
  SmallVector<int64_t> bands;
  for (int64_t band = 1; conv && band <= rows; ++band)
    if (checkBand(conv, band, machine.lanes).empty())
      bands.push_back(band);
  report->set(layer, "candidates", builder.getArrayAttr(candidates));
  report->set(layer, "bands", builder.getDenseI64ArrayAttr(bands));
}

FailureOr<Tiled> TilePass::tile(LayerOpInterface layer,
                                const MachineModel &machine) {
  FailureOr<Source> source = getSource(layer);
  if (failed(source))
    return layer->emitOpError("has weights that are not constant f32 data");
  const PackedStructure &structure = source->structure;
  if (candidates)
    listCandidates(layer, machine, structure);
  LayerWork work = getLayerWork(layer, machine);
  TileChoice choice = choose(layer, machine, structure, work);
  std::vector<Piece> pieces = getPieces(layer, *source, work, choice);

  Tiled tiled;
  tiled.schedule = choice.schedule;
  std::set<int64_t> heights;
  for (auto [index, piece] : llvm::enumerate(pieces)) {
    if (index == 0 || piece.chunk != pieces[index - 1].chunk)
      tiled.chunks.push_back(static_cast<int64_t>(index));
    heights.insert(piece.getHeight());
  }
  tiled.numHeights = static_cast<int64_t>(heights.size());
  tiled.constant = makeTiled(layer, *source, pieces);
  return tiled;
}

void TilePass::record(LayerOpInterface layer, const Tiled &tiled) {
  ScheduleAttr schedule = tiled.schedule;
  PackedStructure structure = readStructure(tiled.constant);
  std::string kernel = llvm::formatv(
      "{0} {1}x{2}x{3}", stringifyKernelKind(schedule.getKernel()),
      schedule.getHeight(), schedule.getVectors(), schedule.getLanes());
  Builder builder(&getContext());
  report->set(layer, "kernel", builder.getStringAttr(kernel));
  report->set(layer, "value_bytes",
              builder.getI64IntegerAttr(structure.getValueBytes()));
  report->set(layer, "index_bytes",
              builder.getI64IntegerAttr(structure.getIndexBytes()));
  ++numTiled;
  numPieces += structure.groups.size();
  numHeights += tiled.numHeights;
  remark::passed(layer->getLoc(), remark::RemarkOpts::name("Tiled")
                                      .category("bcr-tile")
                                      .function(getLayerName(layer)))
      << remark::add("layer '{0}': kernel {1}, {2} pieces of {3} heights",
                     getLayerName(layer).str(), kernel, structure.groups.size(),
                     tiled.numHeights);
}

void TilePass::runOnOperation() {
  if (lanes < 1 || registers < 4 || threads < 1) {
    getOperation().emitError("bcr-tile: 'lanes' and 'threads' are positive and "
                             "'registers' is at least 4");
    return signalPassFailure();
  }
  SmallVector<LayerOpInterface> layers;
  getOperation().walk([&](LayerOpInterface layer) {
    if (!layer.getScheduleAttr())
      layers.push_back(layer);
  });
  report.emplace(getOperation());
  // One new constant for all layers that share an old one and do like work.
  using Key =
      std::tuple<void *, void *, void *, int, int, int64_t, int64_t, int64_t>;
  std::map<Key, Tiled> results;
  MachineModel machine = getMachine(getOperation(), lanes, registers);
  UnusedData unused(getOperation());
  for (LayerOpInterface layer : layers) {
    LayerWork work = getLayerWork(layer, machine);
    LayerWork winograd = getLayerWork(layer, machine, KernelKind::Winograd);
    DenseI64ArrayAttr oldChunks = layer.getChunksAttr();
    Attribute advice = layer->getAttr(kRecordAttrName);
    Key key(layer.getWeight().getAsOpaquePointer(),
            const_cast<void *>(oldChunks.getAsOpaquePointer()),
            const_cast<void *>(advice.getAsOpaquePointer()),
            static_cast<int>(work.kernel), static_cast<int>(winograd.kernel),
            work.numImages, work.numPositions, work.rowsPerConvGroup);
    auto [entry, isNew] = results.try_emplace(key);
    if (isNew) {
      FailureOr<Tiled> tiled = tile(layer, machine);
      if (failed(tiled))
        return signalPassFailure();
      entry->second = *tiled;
    }
    layer->removeAttr(kRecordAttrName);
    const Tiled &tiled = entry->second;
    replaceWeight(layer, tiled.constant, unused);
    layer.setScheduleAttr(tiled.schedule);
    if (tiled.chunks.size() > 1)
      layer.setChunksAttr(DenseI64ArrayAttr::get(&getContext(), tiled.chunks));
    else if (oldChunks)
      layer->removeAttr("chunks");
    record(layer, tiled);
  }
  report->write();
}
