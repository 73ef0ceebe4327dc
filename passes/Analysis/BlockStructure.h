//===- BlockStructure.h - Blocks of rows and columns in zeros --*- C++ -*-===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//
//
// What the zeros of a weight matrix say about how it was pruned. A block is
// covered exactly by its rows that have a non-zero in it times its columns that
// have one; blocks side by side with the same rows are one group. -0.0 is a
// zero, NaN is not.
//
//===----------------------------------------------------------------------===//

#ifndef BCR_PASSES_ANALYSIS_BLOCKSTRUCTURE_H
#define BCR_PASSES_ANALYSIS_BLOCKSTRUCTURE_H

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/DenseMap.h"

#include <array>
#include <cstdint>
#include <map>
#include <vector>

namespace mlir::bcr {

/// The non-zero positions of a matrix, one bit each.
class NonZeroMap {
public:
  /// Reads a row-major matrix.
  NonZeroMap(ArrayRef<float> weights, int64_t numRows, int64_t numColumns);

  int64_t getNumRows() const { return numRows; }
  int64_t getNumColumns() const { return numColumns; }
  int64_t getNumWeights() const { return numRows * numColumns; }
  int64_t getNumNonZeros() const { return rowPrefix.back(); }
  /// Non-zeros in rows [begin, end).
  int64_t getNumNonZeros(int64_t begin, int64_t end) const {
    return rowPrefix[end] - rowPrefix[begin];
  }
  /// Fraction of zeros.
  double getSparsity() const {
    return 1.0 - double(getNumNonZeros()) / double(getNumWeights());
  }
  int64_t getNumWords() const { return numWords; }
  /// Bit c % 64 of word c / 64 is set if column c is not zero.
  const uint64_t *getRow(int64_t row) const {
    return bits.data() + row * numWords;
  }

private:
  int64_t numRows;
  int64_t numColumns;
  int64_t numWords;
  std::vector<uint64_t> bits;
  std::vector<int64_t> rowPrefix;
};

/// Finds the groups of one row of blocks at a time.
class BlockRowScanner {
public:
  struct Group {
    int64_t rowCount = 0;
    int64_t columnCount = 0;
    /// Position of the group's row mask in `masks`.
    size_t mask = 0;
    /// Next group whose row mask has the same hash, or -1.
    int32_t next = -1;
    int32_t firstBlock = -1;
    int32_t lastBlock = -1;
    int64_t numBlocks = 0;
  };

  BlockRowScanner(const NonZeroMap &map, std::array<int64_t, 2> block);

  /// Scans the blocks whose first row is `firstRow`.
  void scan(int64_t firstRow);

  ArrayRef<Group> getGroups() const { return groups; }
  /// Rows that are in a group.
  int64_t getNumLiveRows() const;
  /// Bytes that name each block's values, rows and columns, block by block.
  int64_t getDescriptionBytes() const;
  /// Appends each window of `size` columns, from a multiple of `size` on, in
  /// which a group has columns, and how many these are.
  void countColumns(const Group &group, int64_t size,
                    SmallVectorImpl<std::pair<int64_t, int64_t>> &counts) const;
  /// Appends the rows of a group, increasing.
  void appendRows(const Group &group, std::vector<int32_t> &rows) const;
  /// Appends the columns of a group, increasing.
  void appendColumns(const Group &group, std::vector<int32_t> &columns) const;

private:
  int32_t findGroup(ArrayRef<uint64_t> mask);

  const NonZeroMap &map;
  std::array<int64_t, 2> block;
  int64_t numBlocks;
  int64_t maskWords;
  int64_t firstRow = 0;
  std::vector<uint64_t> columnUnion;
  std::vector<uint64_t> masks;
  std::vector<Group> groups;
  /// The next block of the same group, or -1.
  std::vector<int32_t> nextBlock;
  llvm::DenseMap<uint64_t, int32_t> groupOfHash;
};

/// What a matrix costs when it is cut into blocks of one shape.
struct BlockMeasure {
  /// Groups with the same number of rows.
  struct Heights {
    int64_t numGroups = 0;
    /// Sum of their columns.
    int64_t numColumns = 0;
    /// Cycles in the window kernel, for one sample; 0 for groups of many rows.
    double windowCycles = 0;
  };

  std::array<int64_t, 2> block = {1, 1};
  /// Stored weights; at least the number of non-zeros.
  int64_t numStored = 0;
  /// Row and column indices and groups, in bytes.
  int64_t indexBytes = 0;
  /// How often a row that is in n > 1 groups is accumulated again: the sum of
  /// n - 1.
  int64_t numRevisits = 0;
  std::map<int64_t, Heights> heights;

  int64_t getBytes() const { return numStored * 4 + indexBytes; }
};

/// Measures all of a matrix; linear in its size. Cycles of the window kernel
/// are found only on a machine that has such loops, by the vectors that it
/// loads in a cycle: that takes several times as long as the rest.
BlockMeasure measureBlock(const NonZeroMap &map, std::array<int64_t, 2> block,
                          int64_t windowLoadPorts);

/// Finds the grid that the matrix was pruned on: the block shape that describes
/// the non-zeros in the fewest bytes when each block names its values, rows and
/// columns; the larger shape where two agree within half a percent. Blocks are
/// charged one by one, although equal ones are merged later: smaller blocks
/// than the grid's name everything twice, larger ones store zeros. `kernelArea`
/// is the number of columns of an input channel: block widths that are
/// multiples of it are tried beside powers of two.
///
/// Shapes are compared on samples of rows of blocks; the worse ones drop out
/// after each of three rounds of growing samples, so the time is about that of
/// reading the matrix once. Blocks of one row are reported as 1x1, since their
/// width changes nothing.
BlockMeasure findBlock(const NonZeroMap &map, int64_t kernelArea,
                       int64_t windowLoadPorts);

} // namespace mlir::bcr

#endif // BCR_PASSES_ANALYSIS_BLOCKSTRUCTURE_H
