// RUN: bcr-opt %s -split-input-file -verify-diagnostics -convert-bcr-to-loops=lanes=4 -canonicalize -cse | FileCheck %s

// One loop over the steps around the products of all gates, the gates that are one activation of a sum (12 of 14 in vectors of
// 4, then 2), and the equations on vectors of units: 4, then 2, then 1 of 7.

// Fifteen rows are in no group: the sums are zeroed as a whole, not row by row.

// CHECK-NOT: @rnn.empty_rows
// CHECK-LABEL: func.func @gru
// CHECK-SAME: (%[[X:.*]]: memref<?x1x21xf32>, %[[H0:.*]]: memref<1x7xf32>, %[[O:.*]]: memref<?x1x7xf32>)
// CHECK-DAG: %[[H:.*]] = memref.alloc() {alignment = 64 : i64} : memref<1x7xf32>
// CHECK-DAG: %[[S:.*]] = memref.alloc() {alignment = 64 : i64} : memref<1x21xf32>
// CHECK: memref.copy %[[H0]], %[[H]]
// CHECK: %[[T:.*]] = memref.dim %[[X]]
// CHECK: scf.for %[[STEP:.*]] = %{{.*}} to %[[T]]
// CHECK: vector.store %{{.*}}, %[[S]]{{.*}} vector<4xf32>
// CHECK: vector.fma
// CHECK: store %{{.*}}, %[[S]]
// CHECK: scf.for %[[ROW:.*]] = %c0 to %c12 step %c4
// CHECK: vector.load %[[X]][%[[STEP]], %c0, %[[ROW]]] : memref<?x1x21xf32>, vector<4xf32>
// CHECK: vector.load %[[S]][%c0, %[[ROW]]] : memref<1x21xf32>, vector<4xf32>
// A sigmoid is half a tangent of half the argument, and a half.
// CHECK: math.tanh %{{.*}} : vector<4xf32>
// CHECK: vector.store %{{.*}}, %[[S]][%c0, %[[ROW]]] : memref<1x21xf32>, vector<4xf32>
// CHECK: math.tanh %{{.*}} : vector<2xf32>
// CHECK: vector.store %{{.*}}, %[[S]][%c0, %c12] : memref<1x21xf32>, vector<2xf32>
// The first four units.
// CHECK: vector.load %[[S]][%c0, %c0] : memref<1x21xf32>, vector<4xf32>
// CHECK: vector.load %[[S]][%c0, %c7] : memref<1x21xf32>, vector<4xf32>
// CHECK-DAG: vector.load %[[X]][%[[STEP]], %c0, %c14] : memref<?x1x21xf32>, vector<4xf32>
// CHECK-DAG: vector.load %[[S]][%c0, %c14] : memref<1x21xf32>, vector<4xf32>
// CHECK: math.tanh %{{.*}} : vector<4xf32>
// CHECK: vector.load %[[H]][%c0, %c0] : memref<1x7xf32>, vector<4xf32>
// CHECK: vector.store %{{.*}}, %[[O]][%[[STEP]], %c0, %c0] : memref<?x1x7xf32>, vector<4xf32>
// CHECK: vector.store %{{.*}}, %[[H]][%c0, %c0] : memref<1x7xf32>, vector<4xf32>
// CHECK: vector.store %{{.*}}, %[[O]][%[[STEP]], %c0, %c4] : memref<?x1x7xf32>, vector<2xf32>
// CHECK: memref.store %{{.*}}, %[[O]][%[[STEP]], %c0, %c6] : memref<?x1x7xf32>
// CHECK-NOT: bcr.{{matmul|recurrent|constant}}
func.func @gru(%x: memref<?x1x21xf32>, %h: memref<1x7xf32>, %o: memref<?x1x7xf32>) {
  %w = bcr.constant {block = array<i64: 21, 7>, groups = dense<[[0, 4, 0, 3], [4, 2, 3, 1]]> : tensor<2x4xi32>,
    rows = dense<[0, 1, 2, 3, 20, 9]> : tensor<6xi16>, columns = dense<[0, 2, 5, 6]> : tensor<4xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0]> : tensor<14xf32>} : !bcr.packed<21x7xf32>
  bcr.recurrent ins(%x : memref<?x1x21xf32>) states(%h : memref<1x7xf32>) weights(%w : !bcr.packed<21x7xf32>)
    outs(%o : memref<?x1x7xf32>) {cell = #bcr.cell<gru>, layer = "rnn"}
  return
}

// -----

// From the last step to the first; c is updated where it is returned; buffers of an unknown number of samples are made in
// the call; the projection writes the state, which is copied to the result.

// CHECK-LABEL: func.func @lstm
// CHECK-SAME: %[[C:[a-z0-9]+]]: memref<?x2xf32>, %[[U:[a-z0-9]+]]: memref<?x2xf32>, %[[D:[a-z0-9]+]]: memref<?x1xf32>, %[[O:[a-z0-9]+]]: memref<5x?x1xf32>, %[[E:[a-z0-9]+]]: memref<?x2xf32>)
// CHECK: memref.alloc(%{{.*}}) : memref<?x8xf32>
// CHECK: memref.copy %[[C]], %[[E]]
// CHECK: scf.for %[[I:.*]] = %c0 to %c5
// CHECK: %[[STEP:.*]] = arith.subi %c4, %[[I]]
// CHECK: vector.load %[[E]]
// CHECK: vector.store %{{.*}}, %[[E]]
// CHECK: vector.store %{{.*}}, %[[U]]
// CHECK: memref.load %[[U]]
// CHECK: memref.store %{{.*}}, %[[D]]
// CHECK: %[[NEW:.*]] = memref.load %[[D]]
// CHECK: memref.store %[[NEW]], %[[O]][%[[STEP]]
// CHECK-NOT: bcr.{{matmul|recurrent|constant|yield}}
func.func @lstm(%x: memref<5x?x8xf32>, %h: memref<?x1xf32>, %c: memref<?x2xf32>, %u: memref<?x2xf32>, %d: memref<?x1xf32>,
                %o: memref<5x?x1xf32>, %e: memref<?x2xf32>) {
  %w = bcr.constant {block = array<i64: 4, 1>, groups = dense<[[0, 3, 0, 1]]> : tensor<1x4xi32>,
    rows = dense<[6, 1, 4]> : tensor<3xi16>, columns = dense<[0]> : tensor<1xi16>,
    values = dense<[1.0, 2.0, 3.0]> : tensor<3xf32>} : !bcr.packed<8x1xf32>
  %p = bcr.constant {block = array<i64: 1, 2>, groups = dense<[[0, 1, 0, 1]]> : tensor<1x4xi32>,
    rows = dense<[0]> : tensor<1xi16>, columns = dense<[1]> : tensor<1xi16>,
    values = dense<[5.0]> : tensor<1xf32>} : !bcr.packed<1x2xf32>
  bcr.recurrent ins(%x : memref<5x?x8xf32>) states(%h, %c : memref<?x1xf32>, memref<?x2xf32>) weights(%w : !bcr.packed<8x1xf32>)
    scratch(%u, %d : memref<?x2xf32>, memref<?x1xf32>)
    outs(%o, %e : memref<5x?x1xf32>, memref<?x2xf32>) {cell = #bcr.cell<lstm>, reverse} projection {
    bcr.matmul ins(%u : memref<?x2xf32>) weights(%p : !bcr.packed<1x2xf32>) outs(%d : memref<?x1xf32>)
    bcr.yield
  }
  return
}

// -----

// A single step reads the states where they are, and keeps none for another.

// CHECK-LABEL: func.func @one_step
// CHECK-SAME: (%[[X:.*]]: memref<1x1x8xf32>, %[[H:.*]]: memref<1x2xf32>, %[[C:.*]]: memref<1x2xf32>, %[[O:.*]]: memref<1x1x2xf32>, %[[E:.*]]: memref<1x2xf32>)
// CHECK-NOT: memref.copy
// CHECK: memref.load %[[H]]
// CHECK: vector.load %[[C]]
// CHECK: vector.store %{{.*}}, %[[E]]
// CHECK: vector.store %{{.*}}, %[[O]]
// CHECK-NOT: vector.store
// CHECK: return
func.func @one_step(%x: memref<1x1x8xf32>, %h: memref<1x2xf32>, %c: memref<1x2xf32>, %o: memref<1x1x2xf32>, %e: memref<1x2xf32>) {
  %w = bcr.constant {block = array<i64: 4, 2>, groups = dense<[[0, 3, 0, 1]]> : tensor<1x4xi32>,
    rows = dense<[6, 1, 4]> : tensor<3xi16>, columns = dense<[0]> : tensor<1xi16>,
    values = dense<[1.0, 2.0, 3.0]> : tensor<3xf32>} : !bcr.packed<8x2xf32>
  bcr.recurrent ins(%x : memref<1x1x8xf32>) states(%h, %c : memref<1x2xf32>, memref<1x2xf32>) weights(%w : !bcr.packed<8x2xf32>)
    outs(%o, %e : memref<1x1x2xf32>, memref<1x2xf32>) {cell = #bcr.cell<lstm>}
  return
}

// -----

func.func @on_tensors(%x: tensor<5x3x2xf32>, %h: tensor<3x2xf32>, %w: tensor<2x2xf32>, %o: tensor<5x3x2xf32>) -> tensor<5x3x2xf32> {
  // expected-error @below {{is on tensors; bufferize it before convert-bcr-to-loops}}
  %0 = bcr.recurrent ins(%x : tensor<5x3x2xf32>) states(%h : tensor<3x2xf32>) weights(%w : tensor<2x2xf32>)
    outs(%o : tensor<5x3x2xf32>) {cell = #bcr.cell<rnn_relu>} -> tensor<5x3x2xf32>
  return %0 : tensor<5x3x2xf32>
}
