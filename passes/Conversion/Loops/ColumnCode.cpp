//===- ColumnCode.cpp - Column offsets in few bytes -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Conversion/Loops/ColumnCode.h"

#include "llvm/ADT/STLExtras.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

using namespace mlir::bcr::loops;

/// A table is one more load a column: it has to save a part of the bytes.
static constexpr double kTableGain = 0.75;
static constexpr double kTableGainInRuns = 0.94;

int64_t mlir::bcr::loops::getIndexWidth(int64_t value) {
  return value <= 0xFF ? 1 : value <= 0xFFFF ? 2 : 4;
}

int64_t mlir::bcr::loops::getListBytes(llvm::ArrayRef<int32_t> list) {
  if (list.empty())
    return 0;
  return static_cast<int64_t>(list.size()) *
         getIndexWidth(*llvm::max_element(list));
}

int64_t ColumnCode::getBytes() const {
  // Positions of runs are stored as differences to bases.
  return getListBytes(entries) + getListBytes(table) + getListBytes(origins) +
         2 * static_cast<int64_t>(runBegins.size()) + getListBytes(groupRuns);
}

/// Replaces the entries by positions in a table of their steps, the frequent
/// ones first.
static void makeTable(ColumnCode &code) {
  std::map<int32_t, int64_t> uses;
  for (int32_t step : code.entries)
    ++uses[step];
  for (auto [step, count] : uses)
    code.table.push_back(step);
  llvm::stable_sort(code.table,
                    [&](int32_t a, int32_t b) { return uses[a] > uses[b]; });
  for (auto [position, step] : llvm::enumerate(code.table))
    uses[step] = static_cast<int64_t>(position);
  for (int32_t &entry : code.entries)
    entry = static_cast<int32_t>(uses[entry]);
  for (int32_t &step : code.table)
    step = static_cast<int32_t>(step * code.scale);
}

/// Encodes the columns with an origin for each group, in which case the first
/// step of a group is `first`, or with the first offsets as steps.
static ColumnCode encode(llvm::ArrayRef<int32_t> offsets,
                         llvm::ArrayRef<int64_t> begins, bool withOrigins,
                         int32_t first) {
  ColumnCode code;
  code.entries.assign(offsets.begin(), offsets.end());
  std::adjacent_difference(offsets.begin(), offsets.end(),
                           code.entries.begin());
  for (int64_t begin : begins.drop_back()) {
    code.entries[begin] = withOrigins ? first : offsets[begin];
    if (withOrigins)
      code.origins.push_back(offsets[begin] - first);
  }
  code.scale = 0;
  for (llvm::ArrayRef<int32_t> list : {code.entries, code.origins})
    for (int32_t item : list)
      code.scale = std::gcd(code.scale, int64_t(item));
  code.scale = std::max<int64_t>(code.scale, 1);
  for (std::vector<int32_t> *list : {&code.entries, &code.origins})
    for (int32_t &item : *list)
      item = static_cast<int32_t>(item / code.scale);
  if (!code.origins.empty()) {
    code.origin = *llvm::min_element(code.origins);
    for (int32_t &item : code.origins)
      item = static_cast<int32_t>(item - code.origin);
    if (llvm::all_of(code.origins, [](int32_t item) { return item == 0; }))
      code.origins.clear();
  }
  return code;
}

/// Encodes the columns in runs whose steps all take 8 bits: up to 255 times the
/// scale, or the most frequent ones where that is `byTable`.
static ColumnCode encodeInRuns(llvm::ArrayRef<int32_t> offsets,
                               llvm::ArrayRef<int64_t> begins, bool byTable) {
  std::map<int32_t, int64_t> uses;
  int64_t scale = 0;
  for (size_t g = 0; g + 1 < begins.size(); ++g) {
    scale = std::gcd(scale, int64_t(offsets[begins[g]]));
    for (int64_t k = begins[g] + 1; k < begins[g + 1]; ++k) {
      ++uses[offsets[k] - offsets[k - 1]];
      scale = std::gcd(scale, int64_t(offsets[k]));
    }
  }
  // One place of the table is for the first column of a run.
  std::vector<std::pair<int64_t, int32_t>> frequent;
  for (auto [step, count] : uses)
    frequent.push_back({-count, step});
  llvm::sort(frequent);
  if (frequent.size() > 255)
    frequent.resize(255);
  std::set<int32_t> kept;
  for (auto [count, step] : frequent)
    kept.insert(step);
  auto isShort = [&](int32_t step) {
    return byTable ? kept.count(step) > 0
                   : step <= 255 * std::max<int64_t>(scale, 1);
  };
  std::vector<int64_t> runBegins;
  std::vector<int32_t> groupRuns;
  for (size_t g = 0; g + 1 < begins.size(); ++g) {
    groupRuns.push_back(static_cast<int32_t>(runBegins.size()));
    for (int64_t k = begins[g]; k < begins[g + 1]; ++k)
      if (k == begins[g] || !isShort(offsets[k] - offsets[k - 1]))
        runBegins.push_back(k);
  }
  groupRuns.push_back(static_cast<int32_t>(runBegins.size()));
  runBegins.push_back(begins.back());
  ColumnCode code =
      encode(offsets, runBegins, /*withOrigins=*/true, /*first=*/0);
  if (byTable)
    makeTable(code);
  code.runBegins = std::move(runBegins);
  code.groupRuns = std::move(groupRuns);
  return code;
}

ColumnCode mlir::bcr::loops::encodeColumns(llvm::ArrayRef<int32_t> offsets,
                                           llvm::ArrayRef<int64_t> begins,
                                           int64_t budget) {
  // Neighbours at one distance need no entries at all, as in dense weights.
  if (offsets.size() > 1) {
    int32_t step = 0;
    bool even = true;
    for (size_t g = 0; g + 1 < begins.size(); ++g)
      for (int64_t k = begins[g] + 1; k < begins[g + 1]; ++k) {
        int32_t next = offsets[k] - offsets[k - 1];
        even &= step == 0 || step == next;
        step = next;
      }
    if (even && step > 0) {
      ColumnCode code = encode(offsets, begins, /*withOrigins=*/true, step);
      if (code.scale == step) {
        code.entries.clear();
        return code;
      }
    }
  }
  ColumnCode best;
  double least = 0;
  for (bool withOrigins : {false, true}) {
    ColumnCode direct = encode(offsets, begins, withOrigins, /*first=*/0);
    ColumnCode indirect = direct;
    makeTable(indirect);
    for (auto &[code, gain] :
         {std::pair(&direct, 1.0), std::pair(&indirect, kTableGain)}) {
      double bytes = static_cast<double>(code->getBytes()) / gain;
      if (best.entries.empty() || bytes < least) {
        least = bytes;
        best = std::move(*code);
      }
    }
  }
  if (best.getBytes() <= budget)
    return best;
  // Runs are one more loop: they are for steps that cost too much. A table
  // makes fewer runs, but costs a load for each column.
  ColumnCode direct = encodeInRuns(offsets, begins, /*byTable=*/false);
  ColumnCode indirect = encodeInRuns(offsets, begins, /*byTable=*/true);
  double indirectBytes =
      static_cast<double>(indirect.getBytes()) / kTableGainInRuns;
  ColumnCode &shorter = static_cast<double>(direct.getBytes()) <= indirectBytes
                            ? direct
                            : indirect;
  return shorter.getBytes() < best.getBytes() ? shorter : best;
}
