// RUN: bcr-opt %s -bcr-destinations -split-input-file -verify-diagnostics | FileCheck %s

// A result that is an input, one that is returned twice, and a number.
// CHECK-LABEL: func.func @main
// CHECK-SAME: (%[[X:[a-z0-9_]+]]: tensor<4xf32>, %[[A:[a-z0-9_]+]]: memref<4xf32> {bcr.output}, %[[B:[a-z0-9_]+]]: memref<4xf32> {bcr.output}, %[[C:[a-z0-9_]+]]: memref<i64> {bcr.output}) {
// CHECK: bufferization.materialize_in_destination %[[X]] in restrict writable %[[A]]
// CHECK: bufferization.materialize_in_destination %[[X]] in restrict writable %[[B]]
// CHECK: memref.store %{{.*}}, %[[C]][]
// CHECK: return{{$}}
func.func @main(%x: tensor<4xf32>) -> (tensor<4xf32>, tensor<4xf32>, i64) {
  %n = arith.constant 7 : i64
  return %x, %x, %n : tensor<4xf32>, tensor<4xf32>, i64
}

// -----

// A dynamic size is checked, a static one is not.
// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[Y:[a-z0-9_]+]]: memref<?x3xf32> {bcr.output}
// CHECK-DAG: %[[SIZE:[a-z0-9_]+]] = tensor.dim
// CHECK-DAG: %[[ROOM:[a-z0-9_]+]] = memref.dim %[[Y]]
// CHECK: %[[OK:[a-z0-9_]+]] = arith.cmpi eq, %[[SIZE]], %[[ROOM]]
// CHECK: cf.assert %[[OK]], "the buffer of output 0 has the wrong size in dimension 0"
// CHECK-NOT: cf.assert
func.func @main(%x: tensor<?x3xf32>) -> tensor<?x3xf32> {
  return %x : tensor<?x3xf32>
}

// -----

// expected-error @+1 {{the module has no function @main with a body}}
module {
  func.func @other() { return }
}

// -----

// expected-error @+1 {{has a result of type 'memref<4xf32>', which is neither a ranked tensor nor a number}}
func.func @main(%x: memref<4xf32>) -> memref<4xf32> {
  return %x : memref<4xf32>
}

// -----

// expected-error @+1 {{must have one block before its results become buffers}}
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  cf.br ^next
^next:
  return %x : tensor<4xf32>
}
