// RUN: bcr-opt %s -bcr-compact --remarks-filter=bcr-compact 2>%t | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK < %t

// Packed and as CSR: the index bytes are 16 a group and 2 a row and a column.
// CHECK: module attributes {bcr.layers = {
// CHECK-SAME: blocks = {csr_bytes = 80 : i64, dense_bytes = 100 : i64, index_bytes = 86 : i64, value_bytes = 28 : i64}
// REMARK: layer 'blocks': 4 groups, 28 bytes of weights and 86 of indices; 80 bytes as CSR, 100 dense

// A 5x5 matrix in blocks of 2x2, ragged at the right and the lower edge:
//
//    . 1 | . . | 2      the first two blocks keep row 0 and 1 ...
//    . 3 | 4 . | .      ... row 1 only, and row 0 only: three row sets
//   -----+-----+---
//    . . | . . | .      an empty row of blocks
//    . . | . . | .
//   -----+-----+---
//    5 . | . 6 | 7      one row, in all blocks: one group
//
// -0.0 is a zero.
// CHECK-LABEL: func.func @blocks
// CHECK-NOT: arith.constant
// CHECK: %[[W:.*]] = bcr.constant {block = array<i64: 2, 2>,
// CHECK-SAME: columns = dense<[1, 2, 4, 0, 3, 4]> : tensor<6xi16>
// CHECK-SAME: groups = dense<{{\[\[}}0, 2, 0, 1], [2, 1, 1, 1], [3, 1, 2, 1], [4, 1, 3, 3]]> : tensor<4x4xi32>
// CHECK-SAME: rows = dense<[0, 1, 1, 0, 4]>
// CHECK-SAME: values = dense<[1.000000e+00, 3.000000e+00, 4.000000e+00, 2.000000e+00, 5.000000e+00, 6.000000e+00, 7.000000e+00]>
// CHECK: bcr.matmul {{.*}}weights(%[[W]] : !bcr.packed<5x5xf32>)
func.func @blocks(%x: tensor<1x5xf32>, %o: tensor<1x5xf32>) -> tensor<1x5xf32> {
  %w = arith.constant dense<[[-0.0, 1.0, 0.0, 0.0, 2.0],
                             [0.0, 3.0, 4.0, 0.0, 0.0],
                             [0.0, 0.0, -0.0, 0.0, 0.0],
                             [0.0, 0.0, 0.0, 0.0, 0.0],
                             [5.0, 0.0, 0.0, 6.0, 7.0]]> : tensor<5x5xf32>
  %y = bcr.matmul ins(%x : tensor<1x5xf32>) weights(%w : tensor<5x5xf32>) outs(%o : tensor<1x5xf32>)
         {block = array<i64: 2, 2>, form = #bcr.form<sparse>, layer = "blocks"} -> tensor<1x5xf32>
  return %y : tensor<1x5xf32>
}

// A zero where a kept row and a kept column cross is stored; NaN is kept; equal
// column lists of different rows of blocks are stored once.
// CHECK-LABEL: func.func @cross
// CHECK: columns = dense<[0, 2]> : tensor<2xi16>
// CHECK-SAME: groups = dense<{{\[\[}}0, 2, 0, 2], [2, 1, 0, 2]]>
// CHECK-SAME: rows = dense<[0, 1, 2]>
// CHECK-SAME: values = dense<[1.000000e+00, 3.000000e+00, 2.000000e+00, 0.000000e+00, 0x7FC00000, 4.000000e+00]>
func.func @cross(%x: tensor<1x3xf32>, %o: tensor<1x3xf32>) -> tensor<1x3xf32> {
  %w = arith.constant dense<[[1.0, 0.0, 2.0], [3.0, 0.0, 0.0], [0x7FC00000, 0.0, 4.0]]> : tensor<3x3xf32>
  %y = bcr.matmul ins(%x : tensor<1x3xf32>) weights(%w : tensor<3x3xf32>) outs(%o : tensor<1x3xf32>)
         {block = array<i64: 2, 3>, form = #bcr.form<sparse>} -> tensor<1x3xf32>
  return %y : tensor<1x3xf32>
}

// Blocks of one weight: one group a row, as in CSR.
// CHECK-LABEL: func.func @unstructured
// CHECK: columns = dense<[1, 3, 0, 1, 2]>
// CHECK-SAME: groups = dense<{{\[\[}}0, 1, 0, 2], [1, 1, 2, 3]]>
// CHECK-SAME: values = dense<[1.000000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00, 5.000000e+00]>
func.func @unstructured(%x: tensor<1x4xf32>, %o: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = arith.constant dense<[[0.0, 1.0, 0.0, 2.0], [3.0, 4.0, 5.0, 0.0]]> : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<1x4xf32>) weights(%w : tensor<2x4xf32>) outs(%o : tensor<1x2xf32>)
         {block = array<i64: 1, 1>, form = #bcr.form<sparse>} -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// A matrix without non-zeros has no group.
// CHECK-LABEL: func.func @empty
// CHECK: columns = dense<> : tensor<0xi16>, groups = dense<> : tensor<0x4xi32>, rows = dense<> : tensor<0xi16>, values = dense<> : tensor<0xf32>
func.func @empty(%x: tensor<1x4xf32>, %o: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %w = arith.constant dense<0.0> : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<1x4xf32>) weights(%w : tensor<2x4xf32>) outs(%o : tensor<1x2xf32>)
         {block = array<i64: 2, 4>, form = #bcr.form<sparse>} -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// Columns of a convolution are (channel, row, column) of its kernel; layers that
// share weights share the packed constant, and a dense layer keeps the dense one.
// CHECK-LABEL: func.func @shared
// CHECK-DAG: %[[D:.*]] = arith.constant
// CHECK-DAG: %[[S:.*]] = bcr.constant {{.*}}columns = dense<[1, 2]>{{.*}}values = dense<[8.000000e+00, 9.000000e+00]>{{.*}} : <1x4xf32>
// CHECK-NOT: bcr.constant
// CHECK: bcr.conv2d {{.*}}weights(%[[S]]
// CHECK: bcr.conv2d {{.*}}weights(%[[S]]
// CHECK: bcr.conv2d {{.*}}weights(%[[D]]
func.func @shared(%x: tensor<1x2x4x5xf32>, %o: tensor<1x1x4x4xf32>)
    -> (tensor<1x1x4x4xf32>, tensor<1x1x4x4xf32>, tensor<1x1x4x4xf32>) {
  %w = arith.constant dense<[[[[0.0, 8.0]], [[9.0, 0.0]]]]> : tensor<1x2x1x2xf32>
  %a = bcr.conv2d ins(%x : tensor<1x2x4x5xf32>) weights(%w : tensor<1x2x1x2xf32>) outs(%o : tensor<1x1x4x4xf32>)
         {kernel = array<i64: 1, 2>, block = array<i64: 1, 4>, form = #bcr.form<sparse>} -> tensor<1x1x4x4xf32>
  %b = bcr.conv2d ins(%x : tensor<1x2x4x5xf32>) weights(%w : tensor<1x2x1x2xf32>) outs(%a : tensor<1x1x4x4xf32>)
         {kernel = array<i64: 1, 2>, block = array<i64: 1, 4>, form = #bcr.form<sparse>} -> tensor<1x1x4x4xf32>
  %c = bcr.conv2d ins(%x : tensor<1x2x4x5xf32>) weights(%w : tensor<1x2x1x2xf32>) outs(%b : tensor<1x1x4x4xf32>)
         {kernel = array<i64: 1, 2>, form = #bcr.form<dense>} -> tensor<1x1x4x4xf32>
  return %a, %b, %c : tensor<1x1x4x4xf32>, tensor<1x1x4x4xf32>, tensor<1x1x4x4xf32>
}
