// RUN: bcr-opt %s -bcr-tile --remarks-filter=bcr-tile 2>%t | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK < %t
// RUN: bcr-opt %s -bcr-tile="lanes=8 registers=16" | FileCheck %s --check-prefix=AVX2
// RUN: bcr-opt %s -bcr-tile="lanes=4 threads=2" | FileCheck %s --check-prefix=TWO

// REMARK: layer 'dense': kernel pixels 8x3x16, 2 pieces of 2 heights
// CHECK: bcr.layers = {
// CHECK-SAME: dense = {index_bytes = 52 : i64, kernel = "pixels 8x3x16", value_bytes = 36 : i64}

// Nine rows of one column: a tile of eight and the rest.
// CHECK-LABEL: func.func @dense
// CHECK-NOT: arith.constant
// CHECK: bcr.constant {block = array<i64: 9, 1>, columns = dense<0> : tensor<1xi16>
// CHECK-SAME: groups = dense<{{\[\[}}0, 8, 0, 1], [8, 1, 0, 1]]>
// CHECK-SAME: rows = dense<[0, 1, 2, 3, 4, 5, 6, 7, 8]>
// CHECK: bcr.conv2d
// CHECK-SAME: schedule = #bcr.schedule<pixels, height = 8, vectors = 3, lanes = 16>
// Sixteen registers hold four rows of three vectors.
// AVX2-LABEL: func.func @dense
// AVX2: groups = dense<{{\[\[}}0, 4, 0, 1], [4, 4, 0, 1], [8, 1, 0, 1]]>
// AVX2: schedule = #bcr.schedule<pixels, height = 4, vectors = 3, lanes = 8>
// Each thread has pieces of its own, the highest first.
// TWO-LABEL: func.func @dense
// TWO: groups = dense<{{\[\[}}0, 4, 0, 1], [4, 4, 0, 1], [8, 1, 0, 1]]>
// TWO: chunks = array<i64: 0, 1>
func.func @dense(%x: tensor<1x1x12x12xf32>, %o: tensor<1x9x12x12xf32>) -> tensor<1x9x12x12xf32> {
  %w = arith.constant dense<[[[[1.0]]], [[[2.0]]], [[[3.0]]], [[[4.0]]], [[[5.0]]], [[[6.0]]], [[[0.0]]], [[[8.0]]], [[[9.0]]]]> : tensor<9x1x1x1xf32>
  %y = bcr.conv2d ins(%x : tensor<1x1x12x12xf32>) weights(%w : tensor<9x1x1x1xf32>) outs(%o : tensor<1x9x12x12xf32>)
         {kernel = array<i64: 1, 1>, layer = "dense"} -> tensor<1x9x12x12xf32>
  return %y : tensor<1x9x12x12xf32>
}

// Values go column by column, zeros of dense weights included; three rows are
// one piece for rows along the vector too.
// CHECK-LABEL: func.func @values
// CHECK: columns = dense<[0, 1, 2]>
// CHECK-SAME: groups = dense<{{\[\[}}0, 3, 0, 3]]>
// CHECK-SAME: values = dense<[1.000000e+00, 4.000000e+00, 7.000000e+00, 2.000000e+00, 5.000000e+00, 8.000000e+00, 0.000000e+00, 6.000000e+00, 9.000000e+00]>
// CHECK: bcr.matmul
// CHECK-SAME: schedule = #bcr.schedule<rows, height = 4, vectors = 1, lanes = 16>
func.func @values(%x: tensor<1x3xf32>, %o: tensor<1x3xf32>) -> tensor<1x3xf32> {
  %w = arith.constant dense<[[1.0, 2.0, 0.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]> : tensor<3x3xf32>
  %y = bcr.matmul ins(%x : tensor<1x3xf32>) weights(%w : tensor<3x3xf32>) outs(%o : tensor<1x3xf32>) -> tensor<1x3xf32>
  return %y : tensor<1x3xf32>
}

// A packed group of three rows, in an order of its own: one piece of three for
// pixels, since a body for the remainder serves all columns; row 1 is in another
// group too and comes last.
// CHECK-LABEL: func.func @packed
// CHECK: columns = dense<[0, 2, 1]>
// CHECK-SAME: groups = dense<{{\[\[}}0, 3, 0, 2], [3, 1, 2, 1]]>
// CHECK-SAME: rows = dense<[3, 2, 1, 1]>
// CHECK-SAME: values = dense<[1.000000e+00, 3.000000e+00, 2.000000e+00, 4.000000e+00, 6.000000e+00, 5.000000e+00, 7.000000e+00]>
func.func @packed(%x: tensor<1x3x12x12xf32>, %o: tensor<1x4x12x12xf32>) -> tensor<1x4x12x12xf32> {
  %w = bcr.constant {block = array<i64: 4, 2>, groups = dense<[[0, 3, 0, 2], [3, 1, 2, 1]]> : tensor<2x4xi32>,
    rows = dense<[3, 1, 2, 1]> : tensor<4xi16>, columns = dense<[0, 2, 1]> : tensor<3xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]> : tensor<7xf32>} : !bcr.packed<4x3xf32>
  %y = bcr.conv2d ins(%x : tensor<1x3x12x12xf32>) weights(%w : !bcr.packed<4x3xf32>) outs(%o : tensor<1x4x12x12xf32>)
         {kernel = array<i64: 1, 1>} -> tensor<1x4x12x12xf32>
  return %y : tensor<1x4x12x12xf32>
}

// Rows of a depthwise convolution read different channels: pieces of one row,
// in order. Forty image rows are five tiles of eight.
// CHECK-LABEL: func.func @depthwise
// CHECK: groups = dense<{{\[\[}}0, 1, 0, 2], [1, 1, 0, 2], [2, 1, 0, 2]]>
// CHECK-SAME: values = dense<[1.000000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00, 5.000000e+00, 6.000000e+00]>
// CHECK: schedule = #bcr.schedule<depthwise, height = 8, vectors = 1, lanes = 16>
func.func @depthwise(%x: tensor<1x3x40x41xf32>, %o: tensor<1x3x40x40xf32>) -> tensor<1x3x40x40xf32> {
  %w = arith.constant dense<[[[[1.0, 2.0]]], [[[3.0, 4.0]]], [[[5.0, 6.0]]]]> : tensor<3x1x1x2xf32>
  %y = bcr.conv2d ins(%x : tensor<1x3x40x41xf32>) weights(%w : tensor<3x1x1x2xf32>) outs(%o : tensor<1x3x40x40xf32>)
         {groups = 3 : i64, kernel = array<i64: 1, 2>} -> tensor<1x3x40x40xf32>
  return %y : tensor<1x3x40x40xf32>
}

// Two groups of three rows: no piece has rows of both.
// CHECK-LABEL: func.func @grouped
// CHECK: groups = dense<{{\[\[}}0, 3, 0, 1], [3, 3, 0, 1]]>
// CHECK-SAME: rows = dense<[0, 1, 2, 3, 4, 5]>
func.func @grouped(%x: tensor<1x2x12x12xf32>, %o: tensor<1x6x12x12xf32>) -> tensor<1x6x12x12xf32> {
  %w = arith.constant dense<[[[[1.0]]], [[[2.0]]], [[[3.0]]], [[[4.0]]], [[[5.0]]], [[[6.0]]]]> : tensor<6x1x1x1xf32>
  %y = bcr.conv2d ins(%x : tensor<1x2x12x12xf32>) weights(%w : tensor<6x1x1x1xf32>) outs(%o : tensor<1x6x12x12xf32>)
         {groups = 2 : i64, kernel = array<i64: 1, 1>} -> tensor<1x6x12x12xf32>
  return %y : tensor<1x6x12x12xf32>
}

// An output of one position: rows along the vector. With vectors of four lanes,
// two by two positions are worth the other kernel.
// CHECK-LABEL: func.func @tiny
// CHECK: schedule = #bcr.schedule<rows, height = 2, vectors = 4, lanes = 16>
// TWO-LABEL: func.func @tiny
// TWO: schedule = #bcr.schedule<pixels, height = 2, vectors = 1, lanes = 4>
func.func @tiny(%x: tensor<1x1x2x2xf32>, %o: tensor<1x2x2x2xf32>) -> tensor<1x2x2x2xf32> {
  %w = arith.constant dense<[[[[1.0]]], [[[2.0]]]]> : tensor<2x1x1x1xf32>
  %y = bcr.conv2d ins(%x : tensor<1x1x2x2xf32>) weights(%w : tensor<2x1x1x1xf32>) outs(%o : tensor<1x2x2x2xf32>)
         {kernel = array<i64: 1, 1>} -> tensor<1x2x2x2xf32>
  return %y : tensor<1x2x2x2xf32>
}

// Shares of bcr-reorder stay, with the pieces of each sorted by height.
// CHECK-LABEL: func.func @chunks
// CHECK: groups = dense<{{\[\[}}0, 1, 0, 1], [1, 2, 2, 1], [3, 1, 1, 1]]>
// CHECK-SAME: values = dense<[1.000000e+00, 3.000000e+00, 4.000000e+00, 2.000000e+00]>
// CHECK: chunks = array<i64: 0, 1>
func.func @chunks(%x: tensor<1x3xf32>, %o: tensor<1x4xf32>) -> tensor<1x4xf32> {
  %w = bcr.constant {block = array<i64: 4, 2>, groups = dense<[[0, 1, 0, 1], [1, 1, 1, 1], [2, 2, 2, 1]]> : tensor<3x4xi32>,
    rows = dense<[3, 1, 0, 2]> : tensor<4xi16>, columns = dense<[0, 2, 1]> : tensor<3xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>} : !bcr.packed<4x3xf32>
  %y = bcr.matmul ins(%x : tensor<1x3xf32>) weights(%w : !bcr.packed<4x3xf32>) outs(%o : tensor<1x4xf32>)
         {chunks = array<i64: 0, 1>} -> tensor<1x4xf32>
  return %y : tensor<1x4xf32>
}

// A wide layer of few rows is not worth the transposes that samples along the
// vector need; an unknown number of samples cannot be had there.
// CHECK-LABEL: func.func @samples
// CHECK: schedule = #bcr.schedule<rows, height = 8, vectors = 8, lanes = 16>
// CHECK: schedule = #bcr.schedule<rows, height = 8, vectors = 1, lanes = 16>
func.func @samples(%y: tensor<16x256xf32>, %p: tensor<16x8xf32>,
                   %z: tensor<?x256xf32>, %q: tensor<?x8xf32>) -> (tensor<16x8xf32>, tensor<?x8xf32>) {
  %w = arith.constant dense<1.0> : tensor<8x256xf32>
  %0 = bcr.matmul ins(%y : tensor<16x256xf32>) weights(%w : tensor<8x256xf32>) outs(%p : tensor<16x8xf32>) -> tensor<16x8xf32>
  %1 = bcr.matmul ins(%z : tensor<?x256xf32>) weights(%w : tensor<8x256xf32>) outs(%q : tensor<?x8xf32>) -> tensor<?x8xf32>
  return %0, %1 : tensor<16x8xf32>, tensor<?x8xf32>
}

// Values that are all equal are one value in memory.
// CHECK-LABEL: func.func @splat
// CHECK: bcr.constant
// CHECK-SAME: values = dense<5.000000e-01> : tensor<6xf32>
// CHECK: schedule = #bcr.schedule<rows
func.func @splat(%x: tensor<1x4xf32>, %o: tensor<1x3xf32>) -> tensor<1x3xf32> {
  %w = bcr.constant {block = array<i64: 3, 4>, groups = dense<[[0, 2, 0, 3]]> : tensor<1x4xi32>,
                     rows = dense<[0, 2]> : tensor<2xi16>, columns = dense<[0, 1, 3]> : tensor<3xi16>,
                     values = dense<0.5> : tensor<6xf32>} : !bcr.packed<3x4xf32>
  %y = bcr.matmul ins(%x : tensor<1x4xf32>) weights(%w : !bcr.packed<3x4xf32>) outs(%o : tensor<1x3xf32>) -> tensor<1x3xf32>
  return %y : tensor<1x3xf32>
}
