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

// A concatenation behind a reshape is written where it goes, on zeros here; what is returned in another shape as well is copied.
// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[A:[a-z0-9_]+]]: memref<2x4xf32> {bcr.output}, %[[B:[a-z0-9_]+]]: memref<8xf32> {bcr.output}
// CHECK: %[[T:.*]] = bufferization.to_tensor %[[A]] restrict writable
// CHECK: %[[V:.*]] = tensor.collapse_shape %[[T]] {{\[\[}}0, 1]] : tensor<2x4xf32> into tensor<8xf32>
// CHECK: %[[F:.*]] = linalg.fill ins(%{{.*}}) outs(%[[V]] : tensor<8xf32>)
// CHECK: %[[I:.*]] = tensor.insert_slice %{{.*}} into %[[F]][0] [3] [1]
// CHECK: %[[J:.*]] = tensor.insert_slice %{{.*}} into %[[I]][3] [3] [1]
// CHECK: %[[R:.*]] = tensor.expand_shape %[[J]]
// CHECK: bufferization.materialize_in_destination %[[R]] in restrict writable %[[A]]
// CHECK: bufferization.materialize_in_destination %[[J]] in restrict writable %[[B]]
func.func @main(%x: tensor<3xf32>) -> (tensor<2x4xf32>, tensor<8xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  %0 = tensor.insert_slice %x into %f[0] [3] [1] : tensor<3xf32> into tensor<8xf32>
  %1 = tensor.insert_slice %x into %0[3] [3] [1] : tensor<3xf32> into tensor<8xf32>
  %2 = tensor.expand_shape %1 [[0, 1]] output_shape [2, 4] : tensor<8xf32> into tensor<2x4xf32>
  return %2, %1 : tensor<2x4xf32>, tensor<8xf32>
}

// -----

// What an op makes for a place in the result is written there at once, behind a
// reshape too, whoever else reads it. What is there twice, or made on zeros, is not.
// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[X:[a-z0-9_]+]]: tensor<4xf32>, %[[A:[a-z0-9_]+]]: memref<4x4xf32> {bcr.output}, %[[B:[a-z0-9_]+]]: memref<4xf32> {bcr.output}
// CHECK: %[[T:.*]] = bufferization.to_tensor %[[A]] restrict writable
// CHECK: %[[S:.*]] = tensor.extract_slice %[[T]][1, 0] [1, 4] [1, 1] : tensor<4x4xf32> to tensor<1x4xf32>
// CHECK: %[[V:.*]] = tensor.collapse_shape %[[S]] {{\[\[}}0, 1]] : tensor<1x4xf32> into tensor<4xf32>
// CHECK: %[[Y:.*]] = linalg.exp ins(%[[X]] : tensor<4xf32>) outs(%[[V]] : tensor<4xf32>)
// CHECK: %[[E:.*]] = tensor.expand_shape %[[Y]]
// CHECK: %[[L:.*]] = tensor.extract_slice %[[T]][3, 0] [1, 4] [1, 1]
// CHECK: %[[Z:.*]] = linalg.exp ins(%[[E]] : tensor<1x4xf32>) outs(%[[L]] : tensor<1x4xf32>)
// CHECK: %[[F:.*]] = linalg.fill ins(%{{.*}}) outs(%{{.*}} : tensor<1x4xf32>)
// CHECK: tensor.insert_slice %[[F]] into %[[T]][0, 0] [1, 4] [1, 1]
// CHECK: tensor.insert_slice %[[E]] into %{{.*}}[1, 0]
// CHECK: tensor.insert_slice %[[Z]] into %{{.*}}[2, 0]
// CHECK: tensor.insert_slice %[[Z]] into %{{.*}}[3, 0]
func.func @main(%x: tensor<4xf32>) -> (tensor<4x4xf32>, tensor<4xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4xf32>
  %y = linalg.exp ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %row = tensor.expand_shape %y [[0, 1]] output_shape [1, 4] : tensor<4xf32> into tensor<1x4xf32>
  %e2 = tensor.empty() : tensor<1x4xf32>
  %z = linalg.exp ins(%row : tensor<1x4xf32>) outs(%e2 : tensor<1x4xf32>) -> tensor<1x4xf32>
  %e3 = tensor.empty() : tensor<1x4xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e3 : tensor<1x4xf32>) -> tensor<1x4xf32>
  %all = tensor.empty() : tensor<4x4xf32>
  %0 = tensor.insert_slice %f into %all[0, 0] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<4x4xf32>
  %1 = tensor.insert_slice %row into %0[1, 0] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<4x4xf32>
  %2 = tensor.insert_slice %z into %1[2, 0] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<4x4xf32>
  %3 = tensor.insert_slice %z into %2[3, 0] [1, 4] [1, 1] : tensor<1x4xf32> into tensor<4x4xf32>
  return %3, %y : tensor<4x4xf32>, tensor<4xf32>
}

// -----

// A slice of an input is replaced: the input is copied.
// CHECK-LABEL: func.func @main
// CHECK-NOT: bufferization.to_tensor
// CHECK: bufferization.materialize_in_destination
func.func @main(%x: tensor<3xf32>, %y: tensor<8xf32>) -> tensor<8xf32> {
  %0 = tensor.insert_slice %x into %y[2] [3] [1] : tensor<3xf32> into tensor<8xf32>
  return %0 : tensor<8xf32>
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
