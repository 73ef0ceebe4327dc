//===- Select.cpp - bcr-select --------------------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/Packed.h"
#include "passes/Analysis/BlockStructure.h"
#include "passes/Analysis/KernelModel.h"
#include "passes/Analysis/LayerReport.h"
#include "passes/Analysis/TuningRecord.h"
#include "passes/Passes.h"
#include "passes/Transforms/PackedWeights.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Remarks.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>

namespace mlir::bcr {
#define GEN_PASS_DEF_SELECT
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;
using namespace mlir::bcr;
using llvm::formatv;

/// Below this many weights the bookkeeping of a sparse layer costs what it
/// saves.
static constexpr int64_t kMinWeights = 1024;
/// A sparse layer must be predicted to take no more than this part of the time
/// of the dense one: the model is no more exact than that.
static constexpr double kMaxTime = 0.9;
/// The same where the dense layer runs another kernel: two models err apart.
static constexpr double kMaxTimeOfWinograd = 0.8;
/// What a layer waits for its lists of indices when it runs once in a call: a
/// cache line each, and some are there to find the next. Of an output of ten
/// classes that is more than all of the rest.
static constexpr double kListCycles = 800;

namespace {
/// What is decided for a layer, and why.
struct Verdict {
  bool eligible = false;
  bool sparse = false;
  double sparsity = 0;
  /// The grid that the weights were pruned on.
  std::array<int64_t, 2> grid = {1, 1};
  /// The blocks that the weights would be packed in; without value if there was
  /// nothing to measure.
  std::optional<BlockMeasure> blocks;
  /// Why, for the user.
  std::string reason;
  /// The zeros in short, for the key of a tuning record.
  std::string structure = "dense";
};

class SelectPass : public bcr::impl::SelectBase<SelectPass> {
public:
  using SelectBase::SelectBase;

  void runOnOperation() override;

private:
  Verdict decide(LayerOpInterface layer);
  void measure(LayerOpInterface layer, const NonZeroMap &map, Verdict &verdict,
               std::string &remark);
  double estimateCycles(LayerOpInterface layer, const BlockMeasure &blocks);
  /// Vectors that the machine loads in a cycle if groups of few rows may run in
  /// the window kernel, or 0.
  int64_t getWindowLoadPorts(LayerOpInterface layer);
  void chooseHeight(LayerOpInterface layer, const NonZeroMap &map,
                    BlockMeasure &blocks);
  void decideByTime(LayerOpInterface layer, Verdict &verdict);
  void applyRecord(LayerOpInterface layer, Verdict &verdict);
  void record(LayerOpInterface layer, const Verdict &verdict);

  /// What the pass learns of the layers.
  std::optional<LayerReport> report;
};
} // namespace

/// The groups of `blocks`, cut where a grouped convolution cuts them.
static GroupWorkByHeight getGroups(const BlockMeasure &blocks,
                                   int64_t rowsPerConvGroup) {
  GroupWorkByHeight groups;
  auto add = [&](int64_t rows, int64_t count,
                 const BlockMeasure::Heights &heights) {
    if (rows == 0 || count == 0)
      return;
    GroupWork &work = groups[rows];
    work.numGroups += count * heights.numGroups;
    work.numColumns += count * heights.numColumns;
    work.windowCycles += double(count) * heights.windowCycles;
  };
  for (const auto &[rows, heights] : blocks.heights) {
    add(rowsPerConvGroup, rows / rowsPerConvGroup, heights);
    add(rows % rowsPerConvGroup, 1, heights);
  }
  return groups;
}

double SelectPass::estimateCycles(LayerOpInterface layer,
                                  const BlockMeasure &blocks) {
  MachineModel machine = getMachine(getOperation(), lanes, registers);
  LayerWork work = getLayerWork(layer, machine);
  return chooseTile(&getContext(), work, machine,
                    getGroups(blocks, work.rowsPerConvGroup),
                    blocks.numRevisits)
      .cycles;
}

int64_t SelectPass::getWindowLoadPorts(LayerOpInterface layer) {
  MachineModel machine = getMachine(getOperation(), lanes, registers);
  return getLayerWork(layer, machine).hasWindows ? machine.loadPorts : 0;
}

/// Packs in blocks of fewer rows than the grid where that is faster: low blocks
/// have few different row sets, so they merge into long groups, while each of
/// many small blocks of the grid would accumulate its rows again.
void SelectPass::chooseHeight(LayerOpInterface layer, const NonZeroMap &map,
                              BlockMeasure &blocks) {
  if (blocks.numRevisits == 0)
    return;
  double best = estimateCycles(layer, blocks);
  std::array<int64_t, 2> grid = blocks.block;
  for (int64_t height : {8, 4, 2}) {
    if (height >= grid[0] || grid[0] % height != 0)
      continue;
    BlockMeasure lower =
        measureBlock(map, {height, grid[1]}, getWindowLoadPorts(layer));
    double cycles = estimateCycles(layer, lower);
    if (cycles < 0.85 * best) {
      best = cycles;
      blocks = std::move(lower);
    }
  }
}

/// The zeros of a layer in short: equal text, about equal work. Numbers have
/// two digits, so that layers pruned alike share a tuning record.
static std::string describeStructure(const NonZeroMap &map,
                                     const BlockMeasure &blocks) {
  double rate = double(map.getNumWeights()) /
                double(std::max<int64_t>(map.getNumNonZeros(), 1));
  double revisits = double(blocks.numRevisits) / double(map.getNumRows());
  auto round = [](double value) {
    double digit = std::pow(10.0, std::floor(std::log10(value)) - 1);
    return std::round(value / digit) * digit;
  };
  return formatv("blocks {0}x{1} rate {2:F1} revisits {3}", blocks.block[0],
                 blocks.block[1], round(rate),
                 static_cast<int64_t>(revisits < 1 ? 0 : round(revisits)));
}

void SelectPass::measure(LayerOpInterface layer, const NonZeroMap &map,
                         Verdict &verdict, std::string &remark) {
  int64_t kernelArea = 1;
  if (auto conv = dyn_cast<Conv2DOp>(layer.getOperation()))
    kernelArea = conv.getKernel()[0] * conv.getKernel()[1];
  std::optional<std::array<int64_t, 2>> given;
  if (DenseI64ArrayAttr hint = layer.getBlockAttr())
    given = {hint[0], hint[1]};
  else if (!block.empty() && block[0] <= map.getNumRows() &&
           block[1] <= map.getNumColumns())
    given = {block[0], block[1]};
  if (given) {
    verdict.grid = *given;
    verdict.blocks = measureBlock(map, *given, getWindowLoadPorts(layer));
    verdict.structure = describeStructure(map, *verdict.blocks);
    if (verdict.blocks->numStored == map.getNumNonZeros())
      return;
    BlockMeasure found = findBlock(map, kernelArea, /*windowLoadPorts=*/0);
    if (double(found.numStored) < 0.9 * double(verdict.blocks->numStored))
      remark =
          formatv("; its zeros fit blocks of {0}x{1} better than the "
                  "given {2}x{3}",
                  found.block[0], found.block[1], (*given)[0], (*given)[1]);
    return;
  }
  verdict.blocks = findBlock(map, kernelArea, getWindowLoadPorts(layer));
  verdict.grid = verdict.blocks->block;
  verdict.structure = describeStructure(map, *verdict.blocks);
  chooseHeight(layer, map, *verdict.blocks);
}

/// Decides for `auto`: by the predicted times of both forms.
void SelectPass::decideByTime(LayerOpInterface layer, Verdict &verdict) {
  MachineModel machine = getMachine(getOperation(), lanes, registers);
  LayerWork work;
  double dense = chooseDenseTile(layer, machine, work).cycles;
  double sparse = estimateCycles(layer, *verdict.blocks);
  if (!work.repeats && verdict.blocks->numStored > 0)
    sparse += kListCycles;
  double most =
      work.kernel == KernelKind::Winograd ? kMaxTimeOfWinograd : kMaxTime;
  verdict.sparse = sparse < most * dense;
  double speedup = dense / std::max(sparse, 1.0);
  if (verdict.sparse)
    verdict.reason = formatv("predicted {0:F1}x faster than dense", speedup);
  else
    verdict.reason = formatv("sparse it is predicted {0:F1}x as fast as dense; "
                             "prune more, or in larger blocks",
                             speedup);
}

/// What the blocks of a layer store, for its reason.
static std::string describeBlocks(const Verdict &verdict, int64_t numWeights) {
  const BlockMeasure &blocks = *verdict.blocks;
  std::string text =
      formatv("blocks of {0}x{1}", verdict.grid[0], verdict.grid[1]);
  if (blocks.block != verdict.grid)
    text += formatv(" packed as {0}x{1}", blocks.block[0], blocks.block[1]);
  text += formatv(" store {0:F1} % of them",
                  100.0 * double(blocks.numStored) / double(numWeights));
  return text;
}

Verdict SelectPass::decide(LayerOpInterface layer) {
  Verdict verdict;
  int64_t numRows = layer.getNumRows();
  int64_t numColumns = layer.getNumColumns();
  FailureOr<FloatElements> weights = FloatElements::get(getDenseWeight(layer));
  if (failed(weights)) {
    verdict.reason = "its weights are not constant f32 data";
    return verdict;
  }
  if (numRows * numColumns == 0) {
    verdict.reason = "it has no weights";
    return verdict;
  }
  NonZeroMap map(weights->get(), numRows, numColumns);
  verdict.sparsity = map.getSparsity();
  verdict.eligible = map.getNumNonZeros() < map.getNumWeights();
  if (!verdict.eligible) {
    verdict.reason = "none of its weights is zero";
    return verdict;
  }
  if (sparsity == SparsityMode::Off) {
    verdict.reason = "sparsity=off";
    return verdict;
  }
  auto conv = dyn_cast<Conv2DOp>(layer.getOperation());
  bool automatic = sparsity == SparsityMode::Auto;
  if (automatic && conv && conv.getGroups() > 1 &&
      static_cast<int64_t>(conv.getGroups()) == numRows) {
    verdict.reason = formatv("a depthwise convolution has only {0} weights a "
                             "channel, too few to skip any",
                             numColumns);
    return verdict;
  }
  if (automatic && map.getNumWeights() < kMinWeights) {
    verdict.reason = formatv("it has {0} weights, too few to gain from sparse "
                             "code",
                             map.getNumWeights());
    return verdict;
  }
  std::string remark;
  measure(layer, map, verdict, remark);
  if (verdict.blocks->numStored == map.getNumWeights()) {
    verdict.reason = "its zeros form no rows or columns of blocks that could "
                     "be left out; prune in blocks" +
                     remark;
    return verdict;
  }
  if (automatic) {
    decideByTime(layer, verdict);
  } else {
    verdict.sparse = true;
    verdict.reason = "sparsity=force";
  }
  verdict.reason = describeBlocks(verdict, map.getNumWeights()) + "; " +
                   verdict.reason + remark;
  return verdict;
}

/// Lets the layer's tuning record decide. What the user asks for goes first: a
/// record of the other form is one of another kind of run.
void SelectPass::applyRecord(LayerOpInterface layer, Verdict &verdict) {
  auto records =
      getOperation()->getAttrOfType<DictionaryAttr>(kRecordsAttrName);
  if (!records)
    return;
  std::string key = getTuningKey(layer, verdict.structure);
  Builder builder(&getContext());
  report->set(layer, "tuning_key", builder.getStringAttr(key));
  if (verdict.blocks)
    report->set(layer, "tuning_block",
                builder.getDenseI64ArrayAttr(verdict.grid));
  Attribute entry = records.get(key);
  if (!entry)
    return;
  std::string error;
  std::optional<TuningRecord> record = TuningRecord::parse(entry, error);
  if (!record)
    return warnOfRecord(layer, key, error);
  bool sparse = record->form ? *record->form == Form::Sparse : verdict.sparse;
  if (sparse != verdict.sparse && sparsity != SparsityMode::Auto)
    return;
  if (sparse &&
      (!verdict.blocks ||
       verdict.blocks->numStored == layer.getNumRows() * layer.getNumColumns()))
    return warnOfRecord(layer, key, "the layer has no zeros to leave out");
  if (sparse && record->blockRows &&
      *record->blockRows != verdict.blocks->block[0]) {
    if (verdict.grid[0] % *record->blockRows != 0)
      return warnOfRecord(
          layer, key,
          formatv("blocks of {0} rows do not divide those of the weights, {1}",
                  *record->blockRows, verdict.grid[0])
              .str());
    FailureOr<FloatElements> weights =
        FloatElements::get(getDenseWeight(layer));
    NonZeroMap map(weights->get(), layer.getNumRows(), layer.getNumColumns());
    verdict.blocks = measureBlock(map, {*record->blockRows, verdict.grid[1]},
                                  getWindowLoadPorts(layer));
  }
  if (sparse != verdict.sparse)
    verdict.reason = sparse
                         ? describeBlocks(verdict, layer.getNumRows() *
                                                       layer.getNumColumns()) +
                               "; measured to be faster than dense"
                         : "measured to be faster than sparse";
  verdict.sparse = sparse;
  layer->setAttr(kRecordAttrName, entry);
}

void SelectPass::record(LayerOpInterface layer, const Verdict &verdict) {
  MLIRContext *context = &getContext();
  Builder builder(context);
  layer.setFormAttr(
      FormAttr::get(context, verdict.sparse ? Form::Sparse : Form::Dense));
  double rate = 1.0;
  if (verdict.sparse) {
    const BlockMeasure &blocks = *verdict.blocks;
    layer.setBlockAttr(builder.getDenseI64ArrayAttr(blocks.block));
    // A layer without any non-zero counts as one stored weight.
    rate = double(layer.getNumRows() * layer.getNumColumns()) /
           double(std::max<int64_t>(blocks.numStored, 1));
    report->set(layer, "block", builder.getDenseI64ArrayAttr(verdict.grid));
    ++numPicked;
  } else if (verdict.eligible) {
    ++numMissed;
  }
  StringRef status = verdict.sparse     ? "picked"
                     : verdict.eligible ? "missed"
                                        : "dense";
  auto set = [&](StringRef key, Attribute value) {
    report->set(layer, key, value);
  };
  set("form", builder.getStringAttr(verdict.sparse ? "sparse" : "dense"));
  set("eligible", builder.getBoolAttr(verdict.eligible));
  set("status", builder.getStringAttr(status));
  set("reason", builder.getStringAttr(verdict.reason));
  set("sparsity", builder.getF64FloatAttr(verdict.sparsity));
  set("rate", builder.getF64FloatAttr(rate));

  auto options = remark::RemarkOpts::name(verdict.sparse ? "Sparse" : "Dense")
                     .category("bcr-select")
                     .function(getLayerName(layer));
  auto text = remark::add("layer '{0}' runs {1}: {2:F1} % of its weights are "
                          "zero; {3}",
                          getLayerName(layer).str(),
                          verdict.sparse ? "sparse" : "dense",
                          100.0 * verdict.sparsity, verdict.reason);
  if (verdict.sparse)
    remark::passed(layer->getLoc(), options) << text;
  else
    remark::missed(layer->getLoc(), options) << text;
}

void SelectPass::runOnOperation() {
  if (!block.empty() && (block.size() != 2 || block[0] < 1 || block[1] < 1)) {
    getOperation().emitError("bcr-select: option 'block' is two positive "
                             "numbers, rows and columns");
    return signalPassFailure();
  }
  if (lanes < 1 || registers < 4) {
    getOperation().emitError("bcr-select: 'lanes' is positive and 'registers' "
                             "at least 4");
    return signalPassFailure();
  }
  report.emplace(getOperation());
  getOperation().walk([&](LayerOpInterface layer) {
    if (auto packed = layer.getWeight().getDefiningOp<ConstantOp>()) {
      layer.setFormAttr(FormAttr::get(&getContext(), Form::Sparse));
      layer.setBlockAttr(packed.getBlockAttr());
      return;
    }
    Verdict verdict = decide(layer);
    applyRecord(layer, verdict);
    record(layer, verdict);
  });
  report->write();
}
