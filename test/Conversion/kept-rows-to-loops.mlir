// RUN: bcr-opt %s -convert-bcr-to-loops=lanes=16 -canonicalize -cse | FileCheck %s
// RUN: bcr-opt %s -convert-bcr-to-loops=lanes=8 -canonicalize -cse | FileCheck %s --check-prefix=NARROW

// Of 20 rows 2, 4, 5, 17 and 18 are left, the first three in one group and the last two in another: counted among those five
// the rows of each are neighbours. The sums are spread over outputs 0 to 15 and 4 to 19: bits 2, 4 and 5; 0, 1, 13 and 14.

// CHECK-DAG: memref.global "private" constant @fc.kept_masks : memref<2xi16> = dense<[52, 24579]>
// CHECK-DAG: memref.global "private" constant @fc.kept_begins : memref<2xi8> = dense<[0, 1]>
// CHECK-LABEL: func.func @whole_rows
// CHECK-SAME: (%[[X:.*]]: memref<1x4xf32>, %[[B:.*]]: memref<20xf32>, %[[O:.*]]: memref<1x20xf32>)
// CHECK: %[[S:.*]] = memref.alloc() {alignment = 64 : i64} : memref<1x21xf32>
// CHECK: %[[V:.*]] = memref.subview %[[S]][0, 0] [1, 5] [1, 1]
// CHECK-NOT: memref.load %[[O]]
// CHECK: store %{{.*}}, %[[V]]
// CHECK-NOT: memref.load %[[O]]
// CHECK: vector.bitcast %{{.*}} : vector<1xi16> to vector<16xi1>
// CHECK: vector.load %[[S]]
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.mask.expand.v16f32"
// CHECK: vector.load %[[B]]
// CHECK: vector.store %{{.*}}, %[[O]]
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.mask.expand.v16f32"
// CHECK: vector.store %{{.*}}, %[[O]][%c0, %c4]
// CHECK: memref.dealloc %[[S]]

// NARROW-LABEL: func.func @whole_rows
// NARROW-NOT: memref.alloc
// NARROW: memref.load %{{.*}} : memref<1x20xf32>
func.func @whole_rows(%x: memref<1x4xf32>, %b: memref<20xf32>, %o: memref<1x20xf32>) {
  %w = bcr.constant {block = array<i64: 20, 4>, groups = dense<[[0, 3, 0, 2], [3, 2, 2, 3]]> : tensor<2x4xi32>,
    rows = dense<[2, 4, 5, 17, 18]> : tensor<5xi16>, columns = dense<[0, 2, 0, 1, 3]> : tensor<5xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0]> : tensor<12xf32>} : !bcr.packed<20x4xf32>
  bcr.matmul ins(%x : memref<1x4xf32>) weights(%w : !bcr.packed<20x4xf32>) bias(%b : memref<20xf32>)
    outs(%o : memref<1x20xf32>) {layer = "fc"}
  return
}

// Rows of groups that are no neighbours among those left either stay scattered.
// CHECK-LABEL: func.func @interleaved
// CHECK-NOT: mask.expand
func.func @interleaved(%x: memref<1x4xf32>, %o: memref<1x20xf32>) {
  %w = bcr.constant {block = array<i64: 20, 4>, groups = dense<[[0, 2, 0, 2], [2, 2, 2, 2]]> : tensor<2x4xi32>,
    rows = dense<[2, 5, 4, 17]> : tensor<4xi16>, columns = dense<[0, 2, 0, 1]> : tensor<4xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]> : tensor<8xf32>} : !bcr.packed<20x4xf32>
  bcr.matmul ins(%x : memref<1x4xf32>) weights(%w : !bcr.packed<20x4xf32>) outs(%o : memref<1x20xf32>) {layer = "mixed"}
  return
}

// The equations of a recurrent layer spread the sums themselves: gates r and z in a loop of their own, four vectors of rows, then
// n, whose bias is that of the last 32 rows.

// CHECK-DAG: memref.global "private" constant @rnn.kept_masks : memref<6xi16> = dense<[1032, 16386, 0, -28667, 65, -16384]>
// CHECK-DAG: memref.global "private" constant @rnn.kept_begins : memref<6xi8> = dense<[0, 2, 4, 4, 8, 10]>
// CHECK-LABEL: func.func @recurrent
// CHECK-SAME: (%[[X:.*]]: memref<7x1x96xf32>, %{{.*}}: memref<1x32xf32>, %[[B:.*]]: memref<32xf32>
// CHECK: %[[S:.*]] = memref.alloc() {alignment = 64 : i64} : memref<1x96xf32>
// CHECK: scf.for %{{.*}} = %c0 to %c7
// CHECK: %[[K:.*]] = memref.alloc() {alignment = 64 : i64} : memref<1x28xf32>
// CHECK: store %{{.*}}, %{{.*}} : memref<1x12xf32
// CHECK: scf.for %[[AT:.*]] = %c0 to %c64 step %c16
// CHECK: vector.load %[[K]]
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.mask.expand.v16f32"
// CHECK-NOT: vector.load %[[B]]
// CHECK: vector.store %{{.*}}, %[[S]][%c0, %[[AT]]]
// CHECK: scf.for %[[UNIT:.*]] = %c0 to %c32 step %c16
// CHECK: vector.load %[[K]]
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.mask.expand.v16f32"
// CHECK: vector.load %[[B]][%[[UNIT]]]
// CHECK: memref.dealloc %[[K]]
func.func @recurrent(%x: memref<7x1x96xf32>, %h: memref<1x32xf32>, %b: memref<32xf32>, %o: memref<7x1x32xf32>) {
  %w = bcr.constant {block = array<i64: 96, 32>, groups = dense<[[0, 12, 0, 2]]> : tensor<1x4xi32>,
    rows = dense<[3, 10, 17, 30, 48, 50, 60, 63, 64, 70, 94, 95]> : tensor<12xi16>, columns = dense<[5, 31]> : tensor<2xi16>,
    values = dense<1.0> : tensor<24xf32>} : !bcr.packed<96x32xf32>
  bcr.recurrent ins(%x : memref<7x1x96xf32>) states(%h : memref<1x32xf32>) weights(%w : !bcr.packed<96x32xf32>)
    bias(%b : memref<32xf32>) outs(%o : memref<7x1x32xf32>) {cell = #bcr.cell<gru>, layer = "rnn"}
  return
}
