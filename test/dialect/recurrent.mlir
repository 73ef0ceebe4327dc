// RUN: bcr-opt %s -o %t.mlir
// RUN: FileCheck %s < %t.mlir
// RUN: bcr-opt %t.mlir | diff %t.mlir -
// RUN: bcr-opt %s -mlir-print-op-generic | bcr-opt | diff %t.mlir -
// RUN: bcr-opt %s -emit-bytecode | bcr-opt | diff %t.mlir -

// Recurrent layers, with and without their optional parts, survive as text and as bytecode.

// CHECK-LABEL: func.func @gru
// CHECK: bcr.recurrent ins(%{{.*}} : tensor<?x?x6xf32>) states(%{{.*}} : tensor<?x2xf32>) weights(%{{.*}} : tensor<6x2xf32>) outs(%{{.*}} : tensor<?x?x2xf32>) {cell = #bcr.cell<gru>} -> tensor<?x?x2xf32>
// CHECK: bcr.recurrent ins(%{{.*}} : tensor<?x?x6xf32>) states(%{{.*}} : tensor<?x2xf32>) weights(%{{.*}} : !bcr.packed<6x2xf32>) bias(%{{.*}} : tensor<6xf32>) outs(%{{.*}} : tensor<?x?x2xf32>) {block = array<i64: 3, 2>, cell = #bcr.cell<gru>, form = #bcr.form<sparse>, layer = "rnn.weight_hh_l0", reverse, schedule = #bcr.schedule<rows, height = 6, vectors = 1, lanes = 4>} -> tensor<?x?x2xf32>
func.func @gru(%x: tensor<?x?x6xf32>, %h: tensor<?x2xf32>, %d: tensor<6x2xf32>, %w: !bcr.packed<6x2xf32>, %b: tensor<6xf32>,
               %o: tensor<?x?x2xf32>) -> (tensor<?x?x2xf32>, tensor<?x?x2xf32>) {
  %0 = bcr.recurrent ins(%x : tensor<?x?x6xf32>) states(%h : tensor<?x2xf32>) weights(%d : tensor<6x2xf32>)
         outs(%o : tensor<?x?x2xf32>) {cell = #bcr.cell<gru>} -> tensor<?x?x2xf32>
  %1 = bcr.recurrent ins(%x : tensor<?x?x6xf32>) states(%h : tensor<?x2xf32>) weights(%w : !bcr.packed<6x2xf32>)
         bias(%b : tensor<6xf32>) outs(%o : tensor<?x?x2xf32>)
         {cell = #bcr.cell<gru>, reverse, layer = "rnn.weight_hh_l0", form = #bcr.form<sparse>, block = array<i64: 3, 2>,
          schedule = #bcr.schedule<rows, height = 6, vectors = 1, lanes = 4>} -> tensor<?x?x2xf32>
  return %0, %1 : tensor<?x?x2xf32>, tensor<?x?x2xf32>
}

// CHECK-LABEL: func.func @bias_of_s_n_alone
// CHECK: bias(%{{.*}} : tensor<2xf32>)
func.func @bias_of_s_n_alone(%x: tensor<?x?x6xf32>, %h: tensor<?x2xf32>, %w: tensor<6x2xf32>, %b: tensor<2xf32>,
                             %o: tensor<?x?x2xf32>) -> tensor<?x?x2xf32> {
  %0 = bcr.recurrent ins(%x : tensor<?x?x6xf32>) states(%h : tensor<?x2xf32>) weights(%w : tensor<6x2xf32>)
         bias(%b : tensor<2xf32>) outs(%o : tensor<?x?x2xf32>) {cell = #bcr.cell<gru>} -> tensor<?x?x2xf32>
  return %0 : tensor<?x?x2xf32>
}

// CHECK-LABEL: func.func @lstm
// CHECK: bcr.recurrent ins(%{{.*}} : tensor<5x3x8xf32>) states(%{{.*}}, %{{.*}} : tensor<3x1xf32>, tensor<3x2xf32>) weights(%{{.*}} : tensor<8x1xf32>) outs(%{{.*}}, %{{.*}} : tensor<5x3x1xf32>, tensor<3x2xf32>) {cell = #bcr.cell<lstm>} -> tensor<5x3x1xf32>, tensor<3x2xf32> projection {
// CHECK: ^bb0(%[[U:.*]]: tensor<3x2xf32>, %[[D:.*]]: tensor<3x1xf32>):
// CHECK: %[[R:.*]] = bcr.matmul ins(%[[U]] : tensor<3x2xf32>) weights(%{{.*}} : tensor<1x2xf32>) outs(%[[D]] : tensor<3x1xf32>)
// CHECK: bcr.yield %[[R]] : tensor<3x1xf32>
func.func @lstm(%x: tensor<5x3x8xf32>, %h: tensor<3x1xf32>, %c: tensor<3x2xf32>, %w: tensor<8x1xf32>, %p: tensor<1x2xf32>,
                %o: tensor<5x3x1xf32>, %e: tensor<3x2xf32>) -> (tensor<5x3x1xf32>, tensor<3x2xf32>) {
  %0:2 = bcr.recurrent ins(%x : tensor<5x3x8xf32>) states(%h, %c : tensor<3x1xf32>, tensor<3x2xf32>)
           weights(%w : tensor<8x1xf32>)
           outs(%o, %e : tensor<5x3x1xf32>, tensor<3x2xf32>) {cell = #bcr.cell<lstm>} -> tensor<5x3x1xf32>, tensor<3x2xf32> projection {
  ^bb0(%u: tensor<3x2xf32>, %d: tensor<3x1xf32>):
    %1 = bcr.matmul ins(%u : tensor<3x2xf32>) weights(%p : tensor<1x2xf32>) outs(%d : tensor<3x1xf32>) -> tensor<3x1xf32>
    bcr.yield %1 : tensor<3x1xf32>
  }
  return %0#0, %0#1 : tensor<5x3x1xf32>, tensor<3x2xf32>
}

// CHECK-LABEL: func.func @rnn_on_memrefs
// CHECK: bcr.recurrent ins(%{{.*}} : memref<5x3x2xf32>) states(%{{.*}} : memref<3x2xf32>) weights(%{{.*}} : memref<2x2xf32>) outs(%{{.*}} : memref<5x3x2xf32>) {cell = #bcr.cell<rnn_tanh>}
// CHECK: cell = #bcr.cell<rnn_relu>
func.func @rnn_on_memrefs(%x: memref<5x3x2xf32>, %h: memref<3x2xf32>, %w: memref<2x2xf32>, %o: memref<5x3x2xf32>) {
  bcr.recurrent ins(%x : memref<5x3x2xf32>) states(%h : memref<3x2xf32>) weights(%w : memref<2x2xf32>)
    outs(%o : memref<5x3x2xf32>) {cell = #bcr.cell<rnn_tanh>}
  bcr.recurrent ins(%x : memref<5x3x2xf32>) states(%h : memref<3x2xf32>) weights(%w : memref<2x2xf32>)
    outs(%o : memref<5x3x2xf32>) {cell = #bcr.cell<rnn_relu>}
  return
}

// CHECK-LABEL: func.func @lstm_on_memrefs
// CHECK: bcr.recurrent {{.*}} weights(%{{.*}} : memref<8x1xf32>) scratch(%[[U:.*]], %[[D:.*]] : memref<3x2xf32>, memref<3x1xf32>) outs({{.*}} {cell = #bcr.cell<lstm>} projection {
// CHECK-NEXT: bcr.matmul ins(%[[U]] : memref<3x2xf32>) weights(%{{.*}} : memref<1x2xf32>) outs(%[[D]] : memref<3x1xf32>)
// CHECK-NEXT: bcr.yield
func.func @lstm_on_memrefs(%x: memref<5x3x8xf32>, %h: memref<3x1xf32>, %c: memref<3x2xf32>, %w: memref<8x1xf32>, %p: memref<1x2xf32>,
                           %u: memref<3x2xf32>, %d: memref<3x1xf32>, %o: memref<5x3x1xf32>, %e: memref<3x2xf32>) {
  bcr.recurrent ins(%x : memref<5x3x8xf32>) states(%h, %c : memref<3x1xf32>, memref<3x2xf32>)
    weights(%w : memref<8x1xf32>) scratch(%u, %d : memref<3x2xf32>, memref<3x1xf32>)
    outs(%o, %e : memref<5x3x1xf32>, memref<3x2xf32>) {cell = #bcr.cell<lstm>} projection {
    bcr.matmul ins(%u : memref<3x2xf32>) weights(%p : memref<1x2xf32>) outs(%d : memref<3x1xf32>)
    bcr.yield
  }
  return
}
