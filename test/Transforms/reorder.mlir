// RUN: bcr-opt %s -bcr-reorder --remarks-filter=bcr-reorder 2>%t | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK < %t
// RUN: bcr-opt %s -bcr-reorder=threads=2 | FileCheck %s --check-prefix=TWO

// Column lists {0, 2}, {1}, {0, 2}, {1, 3} of rows {0}, {1, 4}, {3}, {2}: the
// first and the third become one group, so two column loads are saved. The group
// that shares column 1 with the second comes after it.
// REMARK: layer 'merged': 1 groups merged, column loads 7 to 5, imbalance 0 % to 0 %
// CHECK: bcr.layers = {
// CHECK-SAME: merged = {loads = array<i64: 7, 5>}
// CHECK-LABEL: func.func @merged
// CHECK: bcr.constant {block = array<i64: 1, 4>, columns = dense<[0, 2, 1, 1, 3]> : tensor<5xi16>
// CHECK-SAME: groups = dense<{{\[\[}}0, 2, 0, 2], [2, 2, 2, 1], [4, 1, 3, 2]]> : tensor<3x4xi32>
// CHECK-SAME: rows = dense<[0, 3, 1, 4, 2]>
// CHECK-SAME: values = dense<[1.000000e+00, 5.000000e+00, 2.000000e+00, 6.000000e+00, 3.000000e+00, 4.000000e+00, 7.000000e+00, 8.000000e+00]>
// CHECK: bcr.matmul
// CHECK-NOT: chunks

// Eight weights on two threads: four each, the rows of a thread its own. The
// merge would be too heavy for one, were its rows not free to be cut apart.
// TWO-LABEL: func.func @merged
// TWO: groups = dense<{{\[\[}}0, 2, 0, 2], [2, 2, 2, 1], [4, 1, 3, 2]]>
// TWO: bcr.matmul
// TWO-SAME: chunks = array<i64: 0, 1>
func.func @merged(%x: tensor<1x4xf32>, %o: tensor<1x5xf32>) -> tensor<1x5xf32> {
  %w = bcr.constant {block = array<i64: 1, 4>,
    groups = dense<[[0, 1, 0, 2], [1, 2, 2, 1], [3, 1, 0, 2], [4, 1, 3, 2]]> : tensor<4x4xi32>,
    rows = dense<[0, 1, 4, 3, 2]> : tensor<5xi16>, columns = dense<[0, 2, 1, 1, 3]> : tensor<5xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]> : tensor<8xf32>} : !bcr.packed<5x4xf32>
  %y = bcr.matmul ins(%x : tensor<1x4xf32>) weights(%w : !bcr.packed<5x4xf32>) outs(%o : tensor<1x5xf32>)
         {layer = "merged"} -> tensor<1x5xf32>
  return %y : tensor<1x5xf32>
}

// Groups that share rows stay in one share: {0, 1} x {0} and {1} x {2} on one
// thread, the rest on the other.
// TWO-LABEL: func.func @tied
// TWO: columns = dense<[0, 2, 1, 2, 3]>
// TWO-SAME: groups = dense<{{\[\[}}0, 2, 0, 1], [1, 1, 1, 1], [2, 1, 2, 3]]>
// TWO-SAME: rows = dense<[0, 1, 2]>
// TWO-SAME: values = dense<[1.000000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00, 5.000000e+00, 6.000000e+00]>
// TWO: bcr.matmul
// TWO-SAME: chunks = array<i64: 0, 2>
func.func @tied(%x: tensor<1x4xf32>, %o: tensor<1x3xf32>) -> tensor<1x3xf32> {
  %w = bcr.constant {block = array<i64: 2, 2>,
    groups = dense<[[0, 2, 0, 1], [1, 1, 1, 1], [2, 1, 2, 3]]> : tensor<3x4xi32>,
    rows = dense<[0, 1, 2]> : tensor<3xi16>, columns = dense<[0, 2, 1, 2, 3]> : tensor<5xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]> : tensor<6xf32>} : !bcr.packed<3x4xf32>
  %y = bcr.matmul ins(%x : tensor<1x4xf32>) weights(%w : !bcr.packed<3x4xf32>) outs(%o : tensor<1x3xf32>)
         -> tensor<1x3xf32>
  return %y : tensor<1x3xf32>
}

// One group of twenty rows is cut at eight and sixteen, for any number of threads: what is dealt
// out does not depend on it. In order one thread has twelve rows, which is as good as it gets.
// CHECK-LABEL: func.func @cut
// CHECK: groups = dense<{{\[\[}}0, 8, 0, 1], [8, 8, 0, 1], [16, 4, 0, 1]]>
// TWO-LABEL: func.func @cut
// TWO: groups = dense<{{\[\[}}0, 8, 0, 1], [8, 8, 0, 1], [16, 4, 0, 1]]>
// TWO-SAME: values = dense<[1.000000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00, 5.000000e+00, 6.000000e+00, 7.000000e+00, 8.000000e+00, 9.000000e+00,
// TWO: bcr.conv2d
// TWO-SAME: chunks = array<i64: 0, 1>
func.func @cut(%x: tensor<1x2x1x5xf32>, %o: tensor<1x20x1x5xf32>) -> tensor<1x20x1x5xf32> {
  %w = bcr.constant {block = array<i64: 20, 2>, groups = dense<[[0, 20, 0, 1]]> : tensor<1x4xi32>,
    rows = dense<[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]> : tensor<20xi16>,
    columns = dense<[1]> : tensor<1xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0,
                    11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0, 18.0, 19.0, 20.0]> : tensor<20xf32>} : !bcr.packed<20x2xf32>
  %y = bcr.conv2d ins(%x : tensor<1x2x1x5xf32>) weights(%w : !bcr.packed<20x2xf32>) outs(%o : tensor<1x20x1x5xf32>)
         {kernel = array<i64: 1, 1>} -> tensor<1x20x1x5xf32>
  return %y : tensor<1x20x1x5xf32>
}

// The tiles of a linear layer are up to 64 rows high: it is not cut inside of one. The order is as
// it was, so the constant stays.
// CHECK-LABEL: func.func @whole
// CHECK: groups = dense<{{\[\[}}0, 20, 0, 1]]>
// TWO-LABEL: func.func @whole
// TWO: groups = dense<{{\[\[}}0, 20, 0, 1]]>
// TWO: bcr.matmul
// TWO-SAME: chunks = array<i64: 0>
func.func @whole(%x: tensor<1x2xf32>, %o: tensor<1x20xf32>) -> tensor<1x20xf32> {
  %w = bcr.constant {block = array<i64: 20, 2>, groups = dense<[[0, 20, 0, 1]]> : tensor<1x4xi32>,
    rows = dense<[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]> : tensor<20xi16>,
    columns = dense<[1]> : tensor<1xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0,
                    11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0, 18.0, 19.0, 20.0]> : tensor<20xf32>} : !bcr.packed<20x2xf32>
  %y = bcr.matmul ins(%x : tensor<1x2xf32>) weights(%w : !bcr.packed<20x2xf32>) outs(%o : tensor<1x20xf32>)
         -> tensor<1x20xf32>
  return %y : tensor<1x20xf32>
}

// Nor is a convolution of so few positions that its rows run along the vector.
// CHECK-LABEL: func.func @tiny
// CHECK: groups = dense<{{\[\[}}0, 20, 0, 1]]>
func.func @tiny(%x: tensor<1x2x2x2xf32>, %o: tensor<1x20x2x2xf32>) -> tensor<1x20x2x2xf32> {
  %w = bcr.constant {block = array<i64: 20, 2>, groups = dense<[[0, 20, 0, 1]]> : tensor<1x4xi32>,
    rows = dense<[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]> : tensor<20xi16>,
    columns = dense<[1]> : tensor<1xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0,
                    11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0, 18.0, 19.0, 20.0]> : tensor<20xf32>} : !bcr.packed<20x2xf32>
  %y = bcr.conv2d ins(%x : tensor<1x2x2x2xf32>) weights(%w : !bcr.packed<20x2xf32>) outs(%o : tensor<1x20x2x2xf32>)
         {kernel = array<i64: 1, 1>} -> tensor<1x20x2x2xf32>
  return %y : tensor<1x20x2x2xf32>
}

// Three weights, six and one: in order the second thread would have seven, so the heaviest goes
// first, each to the thread with the fewest.
// TWO-LABEL: func.func @dealt
// TWO: groups = dense<{{\[\[}}0, 1, 0, 6], [1, 1, 6, 3], [2, 1, 9, 1]]>
// TWO-SAME: rows = dense<[1, 0, 2]>
// TWO: bcr.matmul
// TWO-SAME: chunks = array<i64: 0, 1>
func.func @dealt(%x: tensor<1x8xf32>, %o: tensor<1x3xf32>) -> tensor<1x3xf32> {
  %w = bcr.constant {block = array<i64: 1, 8>,
    groups = dense<[[0, 1, 0, 3], [1, 1, 3, 6], [2, 1, 9, 1]]> : tensor<3x4xi32>,
    rows = dense<[0, 1, 2]> : tensor<3xi16>, columns = dense<[0, 2, 5, 1, 2, 3, 4, 6, 7, 5]> : tensor<10xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]> : tensor<10xf32>} : !bcr.packed<3x8xf32>
  %y = bcr.matmul ins(%x : tensor<1x8xf32>) weights(%w : !bcr.packed<3x8xf32>) outs(%o : tensor<1x3xf32>)
         -> tensor<1x3xf32>
  return %y : tensor<1x3xf32>
}

// Rows of two groups of a convolution read other channels: no merge.
// CHECK-LABEL: func.func @grouped
// CHECK: groups = dense<{{\[\[}}0, 1, 0, 1], [1, 1, 0, 1]]>
func.func @grouped(%x: tensor<1x4x1x1xf32>, %o: tensor<1x2x1x1xf32>) -> tensor<1x2x1x1xf32> {
  %w = bcr.constant {block = array<i64: 1, 2>,
    groups = dense<[[0, 1, 0, 1], [1, 1, 0, 1]]> : tensor<2x4xi32>,
    rows = dense<[0, 1]> : tensor<2xi16>, columns = dense<[1]> : tensor<1xi16>,
    values = dense<[1.0, 2.0]> : tensor<2xf32>} : !bcr.packed<2x2xf32>
  %y = bcr.conv2d ins(%x : tensor<1x4x1x1xf32>) weights(%w : !bcr.packed<2x2xf32>) outs(%o : tensor<1x2x1x1xf32>)
         {groups = 2 : i64, kernel = array<i64: 1, 1>} -> tensor<1x2x1x1xf32>
  return %y : tensor<1x2x1x1xf32>
}

// CHECK-LABEL: func.func @empty
// CHECK: groups = dense<> : tensor<0x4xi32>
// TWO-LABEL: func.func @empty
// TWO: bcr.matmul
func.func @empty(%x: tensor<1x4xf32>, %o: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = bcr.constant {block = array<i64: 2, 4>, groups = dense<> : tensor<0x4xi32>, rows = dense<> : tensor<0xi16>,
    columns = dense<> : tensor<0xi16>, values = dense<> : tensor<0xf32>} : !bcr.packed<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<1x4xf32>) weights(%w : !bcr.packed<2x4xf32>) outs(%o : tensor<1x2xf32>) -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// Values that are all equal are one value in memory.
// CHECK-LABEL: func.func @splat
// CHECK: bcr.constant
// CHECK-SAME: values = dense<5.000000e-01> : tensor<6xf32>
func.func @splat(%x: tensor<1x4xf32>, %o: tensor<1x3xf32>) -> tensor<1x3xf32> {
  %w = bcr.constant {block = array<i64: 3, 4>, groups = dense<[[0, 2, 0, 3]]> : tensor<1x4xi32>,
                     rows = dense<[0, 2]> : tensor<2xi16>, columns = dense<[0, 1, 3]> : tensor<3xi16>,
                     values = dense<0.5> : tensor<6xf32>} : !bcr.packed<3x4xf32>
  %y = bcr.matmul ins(%x : tensor<1x4xf32>) weights(%w : !bcr.packed<3x4xf32>) outs(%o : tensor<1x3xf32>) -> tensor<1x3xf32>
  return %y : tensor<1x3xf32>
}

// One sample stores vectors of neighbouring rows: rows 0 to 7 stay by themselves,
// which costs one column once more, and rows 16 to 31 become one group.
// CHECK-LABEL: func.func @neighbours
// CHECK: groups = dense<{{\[\[}}0, 8, 0, 1], [8, 8, 1, 1], [16, 16, 1, 1]]>
func.func @neighbours(%x: tensor<1x4xf32>, %o: tensor<1x32xf32>) -> tensor<1x32xf32> {
  %w = bcr.constant {block = array<i64: 8, 4>,
    groups = dense<[[0, 8, 0, 1], [8, 8, 1, 1], [16, 8, 0, 1], [24, 8, 0, 1]]> : tensor<4x4xi32>,
    rows = dense<[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
      24, 25, 26, 27, 28, 29, 30, 31]> : tensor<32xi16>,
    columns = dense<[3, 1]> : tensor<2xi16>, values = dense<2.0> : tensor<32xf32>} : !bcr.packed<32x4xf32>
  %y = bcr.matmul ins(%x : tensor<1x4xf32>) weights(%w : !bcr.packed<32x4xf32>) outs(%o : tensor<1x32xf32>) -> tensor<1x32xf32>
  return %y : tensor<1x32xf32>
}

// Many samples load each column as often.
// CHECK-LABEL: func.func @samples
// CHECK: groups = dense<{{\[\[}}0, 8, 0, 1], [8, 24, 1, 1]]>
func.func @samples(%x: tensor<16x4xf32>, %o: tensor<16x32xf32>) -> tensor<16x32xf32> {
  %w = bcr.constant {block = array<i64: 8, 4>,
    groups = dense<[[0, 8, 0, 1], [8, 8, 1, 1], [16, 8, 0, 1], [24, 8, 0, 1]]> : tensor<4x4xi32>,
    rows = dense<[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23,
      24, 25, 26, 27, 28, 29, 30, 31]> : tensor<32xi16>,
    columns = dense<[3, 1]> : tensor<2xi16>, values = dense<2.0> : tensor<32xf32>} : !bcr.packed<32x4xf32>
  %y = bcr.matmul ins(%x : tensor<16x4xf32>) weights(%w : !bcr.packed<32x4xf32>) outs(%o : tensor<16x32xf32>) -> tensor<16x32xf32>
  return %y : tensor<16x32xf32>
}
