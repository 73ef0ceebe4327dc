// RUN: bcr-opt %s --convert-bcr-to-linalg --split-input-file --verify-diagnostics -o /dev/null

func.func @on_memrefs(%x: memref<2x3xf32>, %w: memref<4x3xf32>, %y: memref<2x4xf32>) {
  // expected-error @below {{'bcr.matmul' op is on memrefs; its dense meaning is on tensors}}
  bcr.matmul ins(%x : memref<2x3xf32>) weights(%w : memref<4x3xf32>) outs(%y : memref<2x4xf32>)
  return
}

// -----

func.func @no_data(%x: tensor<2x3xf32>) -> tensor<2x4xf32> {
  // expected-error @below {{the data of the packed weights is missing}}
  %w = bcr.constant {
    block = array<i64: 1, 3>, groups = dense<[[0, 1, 0, 3]]> : tensor<1x4xi32>,
    rows = dense<[2]> : tensor<1xi16>, columns = dense<[0, 1, 2]> : tensor<3xi16>,
    values = dense_resource<missing> : tensor<3xf32>
  } : !bcr.packed<4x3xf32>
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : !bcr.packed<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}

// -----

func.func @weights_from_elsewhere(%x: tensor<2x3xf32>, %w: !bcr.packed<4x3xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  // expected-error @below {{'bcr.matmul' op has packed weights that are no constant}}
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : !bcr.packed<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  return %y : tensor<2x4xf32>
}
