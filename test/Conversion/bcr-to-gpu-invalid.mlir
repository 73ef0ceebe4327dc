// RUN: bcr-opt %s --convert-bcr-to-gpu --split-input-file --verify-diagnostics
// RUN: not bcr-opt %s --convert-bcr-to-gpu=weight-vector=3 2>&1 | FileCheck %s
// CHECK: convert-bcr-to-gpu: 'weight-vector' is 1 or 4

func.func @on_tensors(%x: tensor<1x1xf32>, %o: tensor<1x1xf32>) -> tensor<1x1xf32> {
  %w = bcr.constant {block = array<i64: 1, 1>, groups = dense<[[0, 1, 0, 1]]> : tensor<1x4xi32>,
    rows = dense<0> : tensor<1xi16>, columns = dense<0> : tensor<1xi16>,
    values = dense<1.0> : tensor<1xf32>} : !bcr.packed<1x1xf32>
  // expected-error @below {{is on tensors; bufferize it before convert-bcr-to-gpu}}
  %y = bcr.matmul ins(%x : tensor<1x1xf32>) weights(%w : !bcr.packed<1x1xf32>) outs(%o : tensor<1x1xf32>) -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}

// -----

func.func @dense_weights(%x: memref<1x1xf32>, %w: memref<1x1xf32>, %o: memref<1x1xf32>) {
  // expected-error @below {{has weights that are not packed; run bcr-tile before bufferization}}
  bcr.matmul ins(%x : memref<1x1xf32>) weights(%w : memref<1x1xf32>) outs(%o : memref<1x1xf32>)
  return
}

// -----

// expected-error @below {{has an argument of type 'memref<?x1xf32>'; kernels for a GPU are compiled for one size: compile the model without dynamic shapes}}
func.func @dynamic_batch(%x: memref<?x1xf32>, %o: memref<?x1xf32>) {
  %w = bcr.constant {block = array<i64: 1, 1>, groups = dense<[[0, 1, 0, 1]]> : tensor<1x4xi32>,
    rows = dense<0> : tensor<1xi16>, columns = dense<0> : tensor<1xi16>,
    values = dense<1.0> : tensor<1xf32>} : !bcr.packed<1x1xf32>
  bcr.matmul ins(%x : memref<?x1xf32>) weights(%w : !bcr.packed<1x1xf32>) outs(%o : memref<?x1xf32>)
  return
}

// -----

func.func @unknown_layout(%x: memref<1x1xf32, strided<[?, 1]>>, %o: memref<1x1xf32>) {
  %w = bcr.constant {block = array<i64: 1, 1>, groups = dense<[[0, 1, 0, 1]]> : tensor<1x4xi32>,
    rows = dense<0> : tensor<1xi16>, columns = dense<0> : tensor<1xi16>,
    values = dense<1.0> : tensor<1xf32>} : !bcr.packed<1x1xf32>
  // expected-error @below {{has an operand of type 'memref<1x1xf32, strided<[?, 1]>>'; kernels for a GPU need shapes and layouts that are known when the model is compiled}}
  bcr.matmul ins(%x : memref<1x1xf32, strided<[?, 1]>>) weights(%w : !bcr.packed<1x1xf32>) outs(%o : memref<1x1xf32>)
  return
}

// -----

func.func @values_without_data(%x: memref<1x1xf32>, %o: memref<1x1xf32>) {
  %w = bcr.constant {block = array<i64: 1, 1>, groups = dense<[[0, 1, 0, 1]]> : tensor<1x4xi32>,
    rows = dense<0> : tensor<1xi16>, columns = dense<0> : tensor<1xi16>,
    values = dense_resource<nowhere> : tensor<1xf32>} : !bcr.packed<1x1xf32>
  // expected-error @below {{the values of its weights are a resource without data}}
  bcr.matmul ins(%x : memref<1x1xf32>) weights(%w : !bcr.packed<1x1xf32>) outs(%o : memref<1x1xf32>)
  return
}
