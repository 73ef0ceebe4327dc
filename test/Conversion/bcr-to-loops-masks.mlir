// RUN: bcr-opt %s -convert-bcr-to-loops="lanes=4" -canonicalize -cse | FileCheck %s

// 28 columns of one row each, in windows of 16 of the 80 columns of W: a mask and a step for each window that a group has, and no entry for a column.
// Columns 0, 1, 3, 4, 6, 9, 12 and 13 are 0011001001011011 in binary; 33 and 35 are two windows before 70.
// Windows have different numbers of columns, so groups have positions.
// CHECK-DAG: constant @differ.masks : memref<5xi16> = dense<[12891, 10, 10, -32064, -8466]>
// CHECK-DAG: constant @differ.mask_steps : memref<5xi8> = dense<[0, 1, 1, 2, 4]>
// CHECK-DAG: constant @differ.group_runs : memref<3xi8> = dense<[0, 4, 5]>
// CHECK-DAG: constant @differ.group_columns : memref<3xi8> = dense<[0, 16, 28]>
// CHECK-NOT: @differ.steps

// CHECK-LABEL: func.func @differ
// A loop over the windows of a group, which finds where the window begins,
// CHECK: scf.for %[[WINDOW:[a-z0-9_]+]] = {{.*}} iter_args(%[[FIRST:[a-z0-9_]+]] = %{{.*}}, %[[BEFORE:[a-z0-9_]+]] = %c0
// CHECK: %[[STEP:.*]] = memref.load %{{.*}}[%[[WINDOW]]] : memref<5xi8>
// CHECK: %[[MASK:.*]] = memref.load %{{.*}}[%[[WINDOW]]] : memref<5xi16>
// CHECK: %[[BITS:.*]] = arith.extui %[[MASK]] : i16 to i64
// CHECK: llvm.intr.ctpop(%[[BITS]])
// CHECK: %[[END:.*]] = arith.addi %[[FIRST]]
// and one over its columns, from the lowest bit on.
// CHECK: scf.for {{.*}} = %[[FIRST]] to %[[END]] {{.*}} iter_args(%[[REST:[a-z0-9_]+]] = %[[BITS]]
// CHECK: "llvm.intr.cttz"(%[[REST]])
// CHECK: vector.fma
// CHECK: %[[LESS:.*]] = arith.subi %[[REST]], %c1_i64
// CHECK: %[[NEXT:.*]] = arith.andi %[[REST]], %[[LESS]]
// CHECK: scf.yield %[[NEXT]]
func.func @differ(%x: memref<1x80x4x4xf32>, %y: memref<1x3x4x4xf32>) {
  %w = bcr.constant {block = array<i64: 3, 80>, groups = dense<[[0, 1, 0, 16], [1, 1, 16, 12]]> : tensor<2x4xi32>,
    rows = dense<[2, 0]> : tensor<2xi16>,
    columns = dense<[0, 1, 3, 4, 6, 9, 12, 13, 17, 19, 33, 35, 70, 71, 73, 79,
                     65, 66, 67, 69, 70, 71, 73, 74, 75, 76, 78, 79]> : tensor<28xi16>,
    values = dense<2.0> : tensor<28xf32>} : !bcr.packed<3x80xf32>
  bcr.conv2d ins(%x : memref<1x80x4x4xf32>) weights(%w : !bcr.packed<3x80xf32>) outs(%y : memref<1x3x4x4xf32>)
    {kernel = array<i64: 1, 1>, layer = "differ", schedule = #bcr.schedule<pixels, height = 1, vectors = 2, lanes = 4>}
  return
}

// Four columns in each window, so groups need no positions and nothing is counted.
// CHECK-NOT: @alike.group_columns
// CHECK-LABEL: func.func @alike
// CHECK-NOT: llvm.intr.ctpop
// CHECK: llvm.intr.cttz
// CHECK-NOT: llvm.intr.ctpop
// CHECK: return
func.func @alike(%x: memref<1x48x4x4xf32>, %y: memref<1x2x4x4xf32>) {
  %w = bcr.constant {block = array<i64: 2, 48>, groups = dense<[[0, 1, 0, 12], [1, 1, 12, 8]]> : tensor<2x4xi32>,
    rows = dense<[1, 0]> : tensor<2xi16>,
    columns = dense<[0, 3, 4, 7, 8, 11, 13, 14, 41, 42, 44, 47,
                     1, 2, 5, 7, 32, 33, 37, 38]> : tensor<20xi16>,
    values = dense<2.0> : tensor<20xf32>} : !bcr.packed<2x48xf32>
  bcr.conv2d ins(%x : memref<1x48x4x4xf32>) weights(%w : !bcr.packed<2x48xf32>) outs(%y : memref<1x2x4x4xf32>)
    {kernel = array<i64: 1, 1>, layer = "alike", schedule = #bcr.schedule<pixels, height = 1, vectors = 2, lanes = 4>}
  return
}
