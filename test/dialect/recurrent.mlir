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

// CHECK-LABEL: func.func @lstm
// CHECK: bcr.recurrent ins(%{{.*}} : tensor<5x3x8xf32>) states(%{{.*}}, %{{.*}} : tensor<3x1xf32>, tensor<3x2xf32>) weights(%{{.*}} : tensor<8x1xf32>) projection(%{{.*}} : tensor<1x2xf32>) outs(%{{.*}}, %{{.*}} : tensor<5x3x1xf32>, tensor<3x2xf32>) {cell = #bcr.cell<lstm>} -> tensor<5x3x1xf32>, tensor<3x2xf32>
func.func @lstm(%x: tensor<5x3x8xf32>, %h: tensor<3x1xf32>, %c: tensor<3x2xf32>, %w: tensor<8x1xf32>, %p: tensor<1x2xf32>,
                %o: tensor<5x3x1xf32>, %e: tensor<3x2xf32>) -> (tensor<5x3x1xf32>, tensor<3x2xf32>) {
  %0:2 = bcr.recurrent ins(%x : tensor<5x3x8xf32>) states(%h, %c : tensor<3x1xf32>, tensor<3x2xf32>)
           weights(%w : tensor<8x1xf32>) projection(%p : tensor<1x2xf32>)
           outs(%o, %e : tensor<5x3x1xf32>, tensor<3x2xf32>) {cell = #bcr.cell<lstm>} -> tensor<5x3x1xf32>, tensor<3x2xf32>
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
