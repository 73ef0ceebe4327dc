// RUN: bcr-opt %s --convert-bcr-to-loops --split-input-file --verify-diagnostics

func.func @on_tensors(%x: tensor<1x1xf32>, %o: tensor<1x1xf32>) -> tensor<1x1xf32> {
  %w = bcr.constant {block = array<i64: 1, 1>, groups = dense<[[0, 1, 0, 1]]> : tensor<1x4xi32>,
    rows = dense<0> : tensor<1xi16>, columns = dense<0> : tensor<1xi16>,
    values = dense<1.0> : tensor<1xf32>} : !bcr.packed<1x1xf32>
  // expected-error @below {{is on tensors; bufferize it before convert-bcr-to-loops}}
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

func.func @samples_of_a_dynamic_matmul(%x: memref<?x1xf32>, %o: memref<?x1xf32>) {
  %w = bcr.constant {block = array<i64: 1, 1>, groups = dense<[[0, 1, 0, 1]]> : tensor<1x4xi32>,
    rows = dense<0> : tensor<1xi16>, columns = dense<0> : tensor<1xi16>,
    values = dense<1.0> : tensor<1xf32>} : !bcr.packed<1x1xf32>
  // expected-error @below {{has an unknown number of samples to run along the vector; its schedule has to be 'rows'}}
  bcr.matmul ins(%x : memref<?x1xf32>) weights(%w : !bcr.packed<1x1xf32>) outs(%o : memref<?x1xf32>)
    {schedule = #bcr.schedule<pixels, height = 1, vectors = 1, lanes = 4>}
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
