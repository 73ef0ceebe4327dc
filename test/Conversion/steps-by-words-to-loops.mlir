// RUN: bcr-opt %s -convert-bcr-to-loops=lanes=4 -canonicalize -cse | FileCheck %s

// Where a column is one multiply-add, eight of them are a turn, on four sums in turn. Their steps are one word: each but the
// last one of the word is masked, and added to the offset before. What is left runs by four columns and one by one. The first
// offset needs the first step, so a word begins with the second one.

// CHECK-DAG: memref.global "private" constant @fc.steps : memref<12xi8> = dense<[0, 1, 2, 1, 3, 1, 1, 2, 4, 1, 1, 0]>
// CHECK-LABEL: func.func @long_turn
// CHECK: scf.for %[[K:.*]] = %{{.*}} to %{{.*}} step %c8 {{.*}}vector<4xf32>, vector<4xf32>, vector<4xf32>, vector<4xf32>
// CHECK: %[[FROM:.*]] = arith.addi %[[K]], %c1
// CHECK: %[[STEPS:.*]] = vector.load %{{.*}}[%[[FROM]]] : memref<12xi8>, vector<8xi8>
// CHECK: %[[CAST:.*]] = vector.bitcast %[[STEPS]] : vector<8xi8> to vector<1xi64>
// CHECK: %[[WORD:.*]] = vector.extract %[[CAST]][0]
// CHECK: arith.andi %[[WORD]], %c255_i64
// CHECK: %[[NEXT:.*]] = arith.shrui %[[WORD]], %c8_i64
// CHECK-NEXT: arith.andi %[[NEXT]], %c255_i64
// CHECK: %[[LAST:.*]] = arith.shrui %[[WORD]], %c56_i64
// CHECK-NEXT: arith.index_castui %[[LAST]]
// CHECK: scf.for {{.*}} step %c4
// CHECK: scf.for {{.*}} step %c1
func.func @long_turn(%x: memref<1x18xf32>, %o: memref<1x4xf32>) {
  %w = bcr.constant {block = array<i64: 4, 18>, groups = dense<[[0, 4, 0, 11]]> : tensor<1x4xi32>,
    rows = dense<[0, 1, 2, 3]> : tensor<4xi16>, columns = dense<[0, 1, 3, 4, 7, 8, 9, 11, 15, 16, 17]> : tensor<11xi16>,
    values = dense<2.0> : tensor<44xf32>} : !bcr.packed<4x18xf32>
  bcr.matmul ins(%x : memref<1x18xf32>) weights(%w : !bcr.packed<4x18xf32>) outs(%o : memref<1x4xf32>) {layer = "fc"}
  return
}
