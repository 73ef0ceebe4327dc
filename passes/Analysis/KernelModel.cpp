//===- KernelModel.cpp - Cycles of the kernels ----------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/KernelModel.h"
#include "passes/Analysis/ConvAxis.h"
#include "passes/Analysis/WindowModel.h"
#include "passes/Analysis/WinogradModel.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace mlir;
using namespace mlir::bcr;
using llvm::alignTo;
using llvm::divideCeil;

/// Offset arithmetic and the loop, in a column. These and the next were fitted
/// to measurements of 90 layers on a Zen 5 core: with them the tile that is
/// chosen takes 1 % longer on average than the fastest one.
static constexpr double kPixelOverhead = 1.0;
static constexpr double kRowOverhead = 0.25;
/// Setting up and draining the accumulators of a piece for a tile, and
/// beginning with a piece.
static constexpr double kPixelTileOverhead = 20.0;
static constexpr double kPixelPieceOverhead = 40.0;
static constexpr double kRowPieceOverhead = 10.0;
/// Code grows with height times vectors, and more than eight samples or vectors
/// gain nothing.
static constexpr int64_t kMaxVectors = 8;
static constexpr int64_t kMaxPixelHeight = 8;
static constexpr int64_t kMaxWinogradHeight = 16;

/// Fewer samples are not run along the vector.
static constexpr int64_t kMinSamples = 4;
/// Transposing an element, in registers.
static constexpr double kTransposeCycles = 0.75;
/// Broadcasting an activation: of several samples, they lie far apart.
static constexpr double kBroadcastCycles = 0.5;
static constexpr double kFarBroadcastCycles = 0.8;

/// The window kernel has long code and more lists than others, which a layer
/// that runs once in a call waits for.
static constexpr double kWindowStartCycles = 500;

/// What a processor that reads weights in order gets of the second cache, over
/// what it gets of it here and there.
static constexpr double kInOrder = 1.5;

/// Elements of a cache line.
static constexpr int64_t kLineElements = 16;

/// More taps than this are a loop over them in the pixels kernel; the depthwise
/// kernel has an instruction for each.
static constexpr int64_t kMaxDepthwiseTaps = 49;
/// With more outputs to an input channel, the pixels kernel shares its loads.
static constexpr int64_t kMaxDepthwiseRows = 2;
/// Output rows and vectors of a tile of the depthwise kernel, at most.
static constexpr int64_t kMaxDepthwiseHeight = 8;
static constexpr int64_t kMaxDepthwiseVectors = 2;

/// Whether a convolution is one for the depthwise kernel.
static bool isDepthwise(Conv2DOp conv, int64_t rowsPerConvGroup) {
  int64_t taps = conv.getKernel()[0] * conv.getKernel()[1];
  return conv.getGroups() > 1 && conv.getNumColumns() == taps &&
         taps <= kMaxDepthwiseTaps && rowsPerConvGroup <= kMaxDepthwiseRows &&
         conv.getStrides()[1] <= 2 &&
         !isa<PackedType>(conv.getWeight().getType());
}

/// From so many rows of W on, a copy of a small input is soon made up for.
static constexpr int64_t kMinRowsOfCopy = 64;

bool mlir::bcr::gainsInPlace(Conv2DOp conv, const MachineModel &machine) {
  if (conv.getStrides()[1] != 2 || machine.lanes < 2 ||
      !llvm::isPowerOf2_64(machine.lanes))
    return false;
  auto input = cast<ShapedType>(conv.getInput().getType());
  auto output = cast<ShapedType>(conv.getInit().getType());
  if (conv.getKernel()[1] < 2) {
    int64_t lines =
        divideCeil(input.getDimSize(3) + kLineElements - 1, kLineElements);
    int64_t rows = output.getDimSize(2) * conv.getKernel()[0];
    int64_t bytes = 4 * kLineElements * lines * rows * input.getDimSize(1);
    if (bytes > machine.l2Bytes / 8 * 5)
      return false;
  }
  // In tiles of two short vectors shuffles take the place of multiply-adds,
  // which many rows of W pay for and a copy only once.
  int64_t positions = output.getDimSize(2) * output.getDimSize(3);
  if (machine.lanes <= 4 && positions <= 4 * machine.lanes &&
      conv.getNumRows() >= kMinRowsOfCopy)
    return false;
  return output.getDimSize(3) * 8 >= machine.lanes * 3;
}

/// What a convolution with positions along the vector has of them, and how it
/// loads them.
static void setPixelWork(Conv2DOp conv, const MachineModel &machine,
                         LayerWork &work) {
  int64_t height = work.imageHeight, width = work.imageWidth;
  int64_t lanes = machine.lanes;
  // The part of a column's vectors that cross two lines.
  double crossing = double(lanes) / double(kLineElements);
  if (!machine.pixelsOnly && gainsInPlace(conv, machine)) {
    // Rows, or halves of vectors of two rows; two loads and a shuffle.
    int64_t piece = width < lanes ? lanes / 2 : lanes;
    work.numPositions = height * alignTo(width, piece);
    work.inputLoads = 2 * (1 + crossing) + 0.5;
    return;
  }
  int64_t halo = (conv.getKernel()[1] - 1) * conv.getDilations()[1];
  int64_t pitch = getPitchOfCopy(conv);
  work.numPositions = std::max<int64_t>((height - 1) * pitch + width, 1);
  if (!machine.pixelsOnly && (halo > 0 || height * width % kLineElements != 0))
    work.inputLoads = 1 + crossing;
}

LayerWork mlir::bcr::getLayerWork(LayerOpInterface layer,
                                  const MachineModel &machine,
                                  std::optional<KernelKind> kernel) {
  LayerWork work;
  auto init = cast<ShapedType>(layer.getInit().getType());
  auto samples = init;
  auto recurrent = dyn_cast<RecurrentOp>(layer.getOperation());
  // Of a recurrent layer, one step: the result has all of them.
  if (recurrent)
    samples = cast<ShapedType>(layer.getInput().getType());
  else
    recurrent = layer->getParentOfType<RecurrentOp>();
  if (recurrent) {
    auto gates = cast<ShapedType>(recurrent.getGates().getType());
    work.repeats = gates.isDynamicDim(0) || gates.getDimSize(0) > 1;
  }
  int64_t batch = samples.isDynamicDim(0) ? 1 : samples.getDimSize(0);
  work.numRows = layer.getNumRows();
  work.rowsPerConvGroup = work.numRows;
  auto conv = dyn_cast<Conv2DOp>(layer.getOperation());
  if (!conv) {
    work.numPositions = batch;
    work.numInputRows = layer.getNumColumns();
    work.hasWindows = machine.lanes == kWindowLanes &&
                      batch <= kMaxWindowSamples &&
                      layer.getNumColumns() >= kMinWindowColumns &&
                      !layer.getActivationAttr();
    if (batch >= kMinSamples)
      work.numTransposed = layer.getNumColumns() + layer.getNumRows();
    if (kernel == KernelKind::Pixels && work.numTransposed > 0)
      work.kernel = KernelKind::Pixels;
    return work;
  }
  work.numImages = batch;
  work.rowsPerConvGroup /= conv.getGroups();
  int64_t height = init.getDimSize(2);
  int64_t width = init.getDimSize(3);
  auto input = cast<ShapedType>(layer.getInput().getType());
  work.imageHeight = height;
  work.imageWidth = width;
  if (conv.getGroups() == 1)
    work.numChannels = input.getDimSize(1);
  if (machine.pixelsOnly)
    kernel = KernelKind::Pixels;
  if (kernel == KernelKind::Winograd) {
    work.kernel = KernelKind::Winograd;
    if (conv.isWinograd() && !isa<PackedType>(conv.getWeight().getType()))
      return work;
    kernel.reset();
  }
  if (!kernel && isDepthwise(conv, work.rowsPerConvGroup))
    kernel = KernelKind::Depthwise;
  if (!kernel)
    kernel = height * width * 4 <= machine.lanes ? KernelKind::Rows
                                                 : KernelKind::Pixels;
  work.kernel = *kernel;
  if (work.kernel != KernelKind::Pixels) {
    work.numPositions = height * width;
    return work;
  }
  setPixelWork(conv, machine, work);
  work.numInputRows = layer.getNumColumns() / conv.getKernel()[1];
  return work;
}

GroupWorkByHeight mlir::bcr::getDenseGroups(int64_t numRows, int64_t numColumns,
                                            int64_t rowsPerConvGroup) {
  int64_t numGroups = numRows / rowsPerConvGroup;
  return {{rowsPerConvGroup, {numGroups, numGroups * numColumns}}};
}

/// Cycles of one column of a piece of `height` rows, for one tile.
static double getColumnCycles(const LayerWork &work,
                              const MachineModel &machine, int64_t height,
                              int64_t vectors) {
  int64_t lanes = machine.lanes;
  auto pipes = double(machine.fmaPipes);
  auto ports = double(machine.loadPorts);
  if (work.kernel == KernelKind::Pixels) {
    double vectorBytes = double(lanes * 4);
    // Inputs of a tile that exceed the first cache come from the second.
    double tileBytes = double(work.numInputRows * vectors) * vectorBytes;
    double loadCycles = tileBytes > double(machine.l1Bytes)
                            ? vectorBytes / double(machine.l2BytesPerCycle)
                            : 0.0;
    double multiplyAdds = double(height * vectors);
    double loads =
        double(1 + height) / ports +
        double(vectors) * std::max(loadCycles, work.inputLoads / ports);
    // A column cannot take less time than its accumulators need to be ready
    // again; the rows kernel runs several columns side by side.
    return std::max({multiplyAdds / pipes, loads, double(machine.fmaLatency)}) +
           kPixelOverhead;
  }
  auto rowVectors = double(divideCeil(height, lanes));
  double multiplyAdds = rowVectors * double(vectors);
  // Broadcasts are counted for two ports.
  double broadcast =
      (vectors > 1 ? kFarBroadcastCycles : kBroadcastCycles) * 2 / ports;
  double bytes = double(height * 4);
  double loads =
      1 / ports + double(vectors) * broadcast +
      std::max(rowVectors / ports, bytes / double(machine.l2BytesPerCycle));
  // With one sample a column is short: the indices of several come in one load,
  // and weights arrive while others are used.
  if (work.numPositions == 1)
    loads = std::max(broadcast + rowVectors / ports,
                     bytes / (kInOrder * double(machine.l2BytesPerCycle)));
  // Among tiles that multiply alike, the one that loads less is first.
  return std::max(multiplyAdds / pipes, loads) + loads * 0.02 + kRowOverhead;
}

/// Heights of pieces for remainders 1 to height - 1.
static std::vector<int64_t> getNextPieces(KernelKind kernel, int64_t height,
                                          const GroupWorkByHeight &groups) {
  std::vector<int64_t> columns(height);
  int64_t total = 0;
  for (auto [rowCount, work] : groups) {
    columns[rowCount % height] += work.numColumns;
    total += divideCeil(rowCount, height) * work.numColumns;
  }
  std::vector<int64_t> next(height);
  for (int64_t rows = 1; rows < height; ++rows) {
    // Heights of which there are many have code of their own.
    bool own = kernel != KernelKind::Winograd && columns[rows] * 10 >= total;
    next[rows] = own ? rows : int64_t(1) << llvm::Log2_64(rows);
  }
  return next;
}

/// The pieces that groups are cut into under a choice, by height.
static GroupWorkByHeight cutGroups(const TileChoice &choice,
                                   const GroupWorkByHeight &groups) {
  int64_t height = choice.schedule.getHeight();
  GroupWorkByHeight pieces;
  auto add = [&](int64_t rows, int64_t count, const GroupWork &group) {
    if (count == 0)
      return;
    pieces[rows].numGroups += count * group.numGroups;
    pieces[rows].numColumns += count * group.numColumns;
    pieces[rows].windowCycles += double(count) * group.windowCycles;
  };
  for (auto [rowCount, group] : groups) {
    add(height, rowCount / height, group);
    for (int64_t rows = rowCount % height; rows > 0;
         rows -= choice.nextPiece[rows])
      add(choice.nextPiece[rows], 1, group);
  }
  return pieces;
}

/// Part of the second cache in which weights stay from one call to the next,
/// and from one step of a sequence to the next.
static constexpr double kKept = 0.25;
static constexpr double kKeptOfRepeated = 0.875;

/// At least the time that the weights of a matmul take to arrive: those that do
/// not stay in the second cache come from the third or from memory, once for
/// all samples.
static double boundByWeights(const LayerWork &work, const MachineModel &machine,
                             const GroupWorkByHeight &groups, double cycles) {
  double weightBytes = 0;
  for (auto [rowCount, group] : groups)
    weightBytes += double(group.numColumns) * double(rowCount * 4 + 2);
  double kept = work.repeats ? kKeptOfRepeated : kKept;
  if (weightBytes <= kept * double(machine.l2Bytes))
    return cycles;
  // Among tiles that wait for memory alike, the one that computes less is
  // first.
  int64_t bytesPerCycle = weightBytes > double(machine.l3Bytes)
                              ? machine.memoryBytesPerCycle
                              : machine.l3BytesPerCycle;
  return std::max(cycles, weightBytes / double(bytesPerCycle)) + cycles * 0.01;
}

/// Cycles of a layer whose positions run along the vector.
static double
estimatePixelCycles(const LayerWork &work, const MachineModel &machine,
                    const TileChoice &choice, const GroupWorkByHeight &groups,
                    const GroupWorkByHeight &pieces, int64_t numRevisits) {
  int64_t total = divideCeil(work.numPositions, machine.lanes);
  int64_t vectors = std::min(choice.schedule.getVectors(), total);
  int64_t full = total / vectors, rest = total % vectors;
  double cycles = 0;
  for (auto [height, piece] : pieces) {
    // The last tile has the vectors that are left.
    double column =
        double(full) * getColumnCycles(work, machine, height, vectors);
    if (rest > 0)
      column += getColumnCycles(work, machine, height, rest);
    double start =
        double(full + (rest > 0)) * kPixelTileOverhead + kPixelPieceOverhead;
    cycles +=
        double(piece.numColumns) * column + double(piece.numGroups) * start;
  }
  // A row that is accumulated again is loaded and stored once more; each row is
  // stored once in any case.
  cycles += double(total) * (double(numRevisits) * 1.5 + double(work.numRows));
  cycles *= double(work.numImages);
  if (work.numTransposed == 0)
    return cycles;
  cycles += double(work.numTransposed) * kTransposeCycles *
            double(alignTo(work.numPositions, machine.lanes));
  return boundByWeights(work, machine, groups, cycles);
}

/// Cycles of a layer whose rows run along the vector.
static double
estimateRowCycles(const LayerWork &work, const MachineModel &machine,
                  const TileChoice &choice, const GroupWorkByHeight &groups,
                  const GroupWorkByHeight &pieces, int64_t numRevisits) {
  int64_t vectors = choice.schedule.getVectors();
  double cycles = 0;
  int64_t entries = 0, windowEntries = 0;
  for (auto [height, piece] : pieces) {
    double byRows = double(piece.numColumns) *
                        getColumnCycles(work, machine, height, vectors) +
                    double(piece.numGroups) * kRowPieceOverhead;
    double byWindows = double(vectors) * piece.windowCycles;
    bool windows = work.hasWindows && byWindows > 0 && byWindows < byRows;
    cycles += windows ? byWindows : byRows;
    entries += piece.numGroups * height;
    if (windows)
      windowEntries += piece.numGroups * height;
  }
  // In windows, sums are in registers until a row is complete.
  double revisits = double(numRevisits);
  if (windowEntries > 0) {
    revisits *= double(entries - windowEntries) / double(entries);
    if (!work.repeats)
      cycles += kWindowStartCycles;
  }
  cycles += revisits * double(vectors) * 1.5 + double(work.numRows * vectors);
  cycles *=
      double(work.numImages) * double(divideCeil(work.numPositions, vectors));
  return boundByWeights(work, machine, groups, cycles);
}

/// Cycles of a layer under a choice whose pieces and schedule are set.
static double estimateCycles(const LayerWork &work, const MachineModel &machine,
                             const TileChoice &choice,
                             const GroupWorkByHeight &groups,
                             int64_t numRevisits) {
  GroupWorkByHeight pieces = cutGroups(choice, groups);
  if (work.kernel == KernelKind::Pixels)
    return estimatePixelCycles(work, machine, choice, groups, pieces,
                               numRevisits);
  return estimateRowCycles(work, machine, choice, groups, pieces, numRevisits);
}

/// Vectors of the tile of the depthwise kernel: two narrow ones side by side
/// share addresses, and with a stride of two a load.
static int64_t chooseDepthwiseVectors(const LayerWork &work,
                                      const MachineModel &machine) {
  bool narrow = machine.lanes <= 4 && machine.registers >= 32;
  return narrow && work.imageWidth > machine.lanes ? kMaxDepthwiseVectors : 1;
}

/// Rows of the tile of the depthwise kernel: as many output rows as there are
/// registers for, beside the weights of the channel where these fit too, and
/// the image cut evenly.
static int64_t chooseDepthwiseHeight(const LayerWork &work,
                                     const MachineModel &machine,
                                     int64_t numColumns) {
  int64_t taps = divideCeil(numColumns, std::max<int64_t>(work.numRows, 1));
  int64_t vectors = chooseDepthwiseVectors(work, machine);
  // Machines with many narrow registers multiply by one element of them.
  int64_t weights = vectors > 1 ? divideCeil(taps, machine.lanes) : taps;
  // Two registers are for inputs; many taps make long code of many rows.
  int64_t free = (machine.registers - 2 - weights) / vectors;
  int64_t most = taps > 25   ? 4
                 : free >= 4 ? std::min(free, kMaxDepthwiseHeight)
                             : kMaxDepthwiseHeight;
  int64_t imageHeight = std::max<int64_t>(work.imageHeight, 1);
  return divideCeil(imageHeight, divideCeil(imageHeight, most));
}

/// A tile of the depthwise kernel; the farther from the chosen height, the
/// slower.
static TileChoice makeDepthwiseTile(MLIRContext *context, const LayerWork &work,
                                    const MachineModel &machine,
                                    const GroupWorkByHeight &groups,
                                    int64_t height, int64_t tileVectors) {
  int64_t numColumns = 0;
  for (auto [rowCount, group] : groups)
    numColumns += rowCount * group.numColumns;
  TileChoice choice;
  choice.schedule = ScheduleAttr::get(context, KernelKind::Depthwise, height,
                                      tileVectors, machine.lanes);
  choice.nextPiece.assign(height, 1);
  int64_t distance =
      std::abs(height - chooseDepthwiseHeight(work, machine, numColumns));
  // One multiply-add a tap and vector, half a load each, and the stores.
  double vectors = double(work.imageHeight) *
                   double(divideCeil(work.imageWidth, machine.lanes));
  choice.cycles = double(work.numImages) * vectors *
                  (double(numColumns) * 0.75 + double(work.numRows)) *
                  (1 + 0.02 * double(distance));
  return choice;
}

/// Few samples along the vector are a shorter vector.
static MachineModel narrowLanes(const LayerWork &work, MachineModel machine) {
  if (work.kernel == KernelKind::Pixels && work.numTransposed > 0)
    machine.lanes =
        std::min<int64_t>(machine.lanes, llvm::PowerOf2Ceil(work.numPositions));
  return machine;
}

/// Registers that a tile needs: accumulators, what comes in, and a broadcast.
static int64_t countRegisters(const LayerWork &work,
                              const MachineModel &machine, int64_t height,
                              int64_t vectors) {
  if (work.kernel != KernelKind::Rows)
    return height * vectors + vectors + 1;
  int64_t rowVectors = divideCeil(height, machine.lanes);
  return rowVectors * vectors + rowVectors + 1;
}

std::string mlir::bcr::checkTile(const LayerWork &work,
                                 const MachineModel &given, int64_t height,
                                 int64_t vectors) {
  MachineModel machine = narrowLanes(work, given);
  if (work.kernel == KernelKind::Depthwise) {
    if (vectors <= kMaxDepthwiseVectors && height <= kMaxDepthwiseHeight)
      return "";
    return llvm::formatv("a tile of the kernel depthwise has at most {0} rows "
                         "and {1} vectors",
                         kMaxDepthwiseHeight, kMaxDepthwiseVectors);
  }
  // What is counted below cannot overflow: a tile fits the register file.
  int64_t limit = machine.registers * machine.lanes;
  if (height > limit || vectors > limit)
    return llvm::formatv("{0} rows by {1} vectors fill no register file",
                         height, vectors);
  int64_t needed = countRegisters(work, machine, height, vectors);
  if (needed > machine.registers)
    return llvm::formatv("{0} rows by {1} vectors need {2} registers, the "
                         "target has {3}",
                         height, vectors, needed, machine.registers);
  if (work.kernel == KernelKind::Rows && height > machine.lanes &&
      height % machine.lanes != 0)
    return llvm::formatv("{0} rows are no multiple of the {1} lanes", height,
                         machine.lanes);
  return "";
}

TileChoice mlir::bcr::makeTile(MLIRContext *context, const LayerWork &work,
                               const MachineModel &given,
                               const GroupWorkByHeight &groups,
                               int64_t numRevisits, int64_t height,
                               int64_t vectors) {
  MachineModel machine = narrowLanes(work, given);
  if (work.kernel == KernelKind::Depthwise)
    return makeDepthwiseTile(context, work, machine, groups, height, vectors);
  TileChoice choice;
  if (work.kernel == KernelKind::Winograd) {
    choice.nextPiece = getNextPieces(work.kernel, height, groups);
    std::tie(choice.schedule, choice.cycles) =
        chooseWinogradBand(context, work, machine, height, vectors);
    return choice;
  }
  choice.schedule =
      ScheduleAttr::get(context, work.kernel, height, vectors, machine.lanes);
  choice.nextPiece = getNextPieces(work.kernel, height, groups);
  choice.cycles = estimateCycles(work, machine, choice, groups, numRevisits);
  return choice;
}

std::vector<TileChoice> mlir::bcr::rankTiles(MLIRContext *context,
                                             const LayerWork &work,
                                             const MachineModel &given,
                                             const GroupWorkByHeight &groups,
                                             int64_t numRevisits) {
  MachineModel machine = narrowLanes(work, given);
  bool pixels = work.kernel == KernelKind::Pixels;
  std::vector<TileChoice> tiles;
  auto sort = [&] {
    llvm::stable_sort(tiles, [](const TileChoice &a, const TileChoice &b) {
      return a.cycles < b.cycles;
    });
  };
  if (work.kernel == KernelKind::Depthwise) {
    int64_t most =
        std::clamp<int64_t>(work.imageHeight, 1, kMaxDepthwiseHeight);
    for (int64_t height = most; height >= 1; --height)
      tiles.push_back(makeDepthwiseTile(context, work, machine, groups, height,
                                        chooseDepthwiseVectors(work, machine)));
    sort();
    return tiles;
  }
  int64_t tallest = 1;
  for (auto [rowCount, group] : groups)
    tallest = std::max(tallest, rowCount);
  bool winograd = work.kernel == KernelKind::Winograd;
  int64_t maxVectors =
      pixels ? divideCeil(work.numPositions, machine.lanes) : work.numPositions;
  maxVectors =
      std::clamp<int64_t>(winograd ? kMaxVectors : maxVectors, 1, kMaxVectors);
  int64_t maxHeight = pixels     ? kMaxPixelHeight
                      : winograd ? kMaxWinogradHeight
                                 : 4 * machine.lanes;

  for (int64_t height = maxHeight; height >= 1; height /= 2) {
    // A tile higher than every group is a tile of the next power of two.
    if (height > 1 && height / 2 >= tallest)
      continue;
    for (int64_t vectors = 1; vectors <= maxVectors; ++vectors)
      if (checkTile(work, machine, height, vectors).empty())
        tiles.push_back(makeTile(context, work, machine, groups, numRevisits,
                                 height, vectors));
  }
  sort();
  return tiles;
}

TileChoice mlir::bcr::chooseTile(MLIRContext *context, const LayerWork &work,
                                 const MachineModel &machine,
                                 const GroupWorkByHeight &groups,
                                 int64_t numRevisits) {
  TileChoice best =
      rankTiles(context, work, machine, groups, numRevisits).front();
  if (work.numTransposed == 0)
    return best;
  LayerWork samples = work;
  samples.kernel = KernelKind::Pixels;
  TileChoice other =
      rankTiles(context, samples, machine, groups, numRevisits).front();
  return other.cycles < best.cycles ? other : best;
}

TileChoice mlir::bcr::chooseDenseTile(LayerOpInterface layer,
                                      const MachineModel &machine,
                                      LayerWork &work) {
  auto choose = [&](const LayerWork &kernelWork) {
    return chooseTile(layer->getContext(), kernelWork, machine,
                      getDenseGroups(layer.getNumRows(), layer.getNumColumns(),
                                     kernelWork.rowsPerConvGroup),
                      /*numRevisits=*/0);
  };
  work = getLayerWork(layer, machine);
  TileChoice best = choose(work);
  LayerWork winograd = getLayerWork(layer, machine, KernelKind::Winograd);
  if (winograd.kernel != KernelKind::Winograd)
    return best;
  TileChoice other = choose(winograd);
  if (other.cycles >= best.cycles)
    return best;
  work = winograd;
  return other;
}
