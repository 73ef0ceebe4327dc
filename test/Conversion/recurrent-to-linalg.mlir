// RUN: bcr-opt %s -split-input-file -verify-diagnostics -convert-bcr-to-linalg | FileCheck %s

// A recurrent layer is a loop over the steps that carries the result and the states.

// CHECK-LABEL: func.func @gru
// CHECK-SAME: (%[[X:.*]]: tensor<?x3x6xf32>, %[[H0:.*]]: tensor<3x2xf32>, %{{.*}}: tensor<6x2xf32>, %[[O:.*]]: tensor<?x3x2xf32>)
// CHECK: %[[T:.*]] = tensor.dim %[[X]]
// CHECK: %[[R:.*]]:2 = scf.for %[[I:.*]] = %{{.*}} to %[[T]] step %{{.*}} iter_args(%[[Y:.*]] = %[[O]], %[[H:.*]] = %[[H0]])
// CHECK: %[[LAST:.*]] = arith.subi %[[T]]
// CHECK: %[[STEP:.*]] = arith.subi %[[LAST]], %[[I]]
// CHECK: tensor.extract_slice %[[X]][%[[STEP]], 0, 0] [1, 3, 6]
// CHECK: linalg.matmul ins(%[[H]]
// CHECK: math.exp
// CHECK: math.exp
// CHECK: math.tanh
// CHECK: %[[NEW:.*]] = linalg.generic {{.*}} ins(%{{.*}}, %{{.*}}, %[[H]]
// CHECK: %[[Z:.*]] = tensor.insert_slice %[[NEW]] into %[[Y]][%[[STEP]], 0, 0] [1, 3, 2]
// CHECK: scf.yield %[[Z]], %[[NEW]]
// CHECK: return %[[R]]#0
func.func @gru(%x: tensor<?x3x6xf32>, %h: tensor<3x2xf32>, %w: tensor<6x2xf32>, %o: tensor<?x3x2xf32>) -> tensor<?x3x2xf32> {
  %0 = bcr.recurrent ins(%x : tensor<?x3x6xf32>) states(%h : tensor<3x2xf32>) weights(%w : tensor<6x2xf32>)
         outs(%o : tensor<?x3x2xf32>) {cell = #bcr.cell<gru>, reverse} -> tensor<?x3x2xf32>
  return %0 : tensor<?x3x2xf32>
}

// -----

// The state of an LSTM's cell has a result of its own; h is projected in the loop. What packed
// weights drop is skipped.

// CHECK-LABEL: func.func @lstm
// CHECK: %[[R:.*]]:3 = scf.for
// CHECK: arith.select
// CHECK: math.tanh
// CHECK: math.tanh
// CHECK: linalg.transpose
// CHECK: linalg.matmul
// CHECK: return %[[R]]#0, %[[R]]#2
func.func @lstm(%x: tensor<5x3x8xf32>, %h: tensor<3x1xf32>, %c: tensor<3x2xf32>, %p: tensor<1x2xf32>,
                %o: tensor<5x3x1xf32>, %e: tensor<3x2xf32>) -> (tensor<5x3x1xf32>, tensor<3x2xf32>) {
  %w = bcr.constant {block = array<i64: 4, 1>, groups = dense<[[0, 3, 0, 1]]> : tensor<1x4xi32>,
    rows = dense<[6, 1, 4]> : tensor<3xi16>, columns = dense<[0]> : tensor<1xi16>,
    values = dense<[1.0, 2.0, 3.0]> : tensor<3xf32>} : !bcr.packed<8x1xf32>
  %0:2 = bcr.recurrent ins(%x : tensor<5x3x8xf32>) states(%h, %c : tensor<3x1xf32>, tensor<3x2xf32>)
           weights(%w : !bcr.packed<8x1xf32>)
           outs(%o, %e : tensor<5x3x1xf32>, tensor<3x2xf32>) {cell = #bcr.cell<lstm>} -> tensor<5x3x1xf32>, tensor<3x2xf32> projection {
  ^bb0(%u: tensor<3x2xf32>, %d: tensor<3x1xf32>):
    %1 = bcr.matmul ins(%u : tensor<3x2xf32>) weights(%p : tensor<1x2xf32>) outs(%d : tensor<3x1xf32>) -> tensor<3x1xf32>
    bcr.yield %1 : tensor<3x1xf32>
  }
  return %0#0, %0#1 : tensor<5x3x1xf32>, tensor<3x2xf32>
}

// -----

func.func @on_memrefs(%x: memref<5x3x2xf32>, %h: memref<3x2xf32>, %w: memref<2x2xf32>, %o: memref<5x3x2xf32>) {
  // expected-error @below {{is on memrefs; its dense meaning is on tensors}}
  bcr.recurrent ins(%x : memref<5x3x2xf32>) states(%h : memref<3x2xf32>) weights(%w : memref<2x2xf32>)
    outs(%o : memref<5x3x2xf32>) {cell = #bcr.cell<rnn_relu>}
  return
}
