// RUN: not bcr-opt %s -bcr-tile=registers=2 -split-input-file 2>&1 | FileCheck %s
// RUN: not bcr-opt %s -bcr-tile=threads=0 -split-input-file 2>&1 | FileCheck %s
// RUN: bcr-opt %s -bcr-tile -split-input-file -verify-diagnostics

// CHECK: error: bcr-tile: 'lanes' and 'threads' are positive and 'registers' is at least 4
func.func @computed_weights(%x: tensor<1x4xf32>, %w: tensor<2x4xf32>, %o: tensor<1x2xf32>) -> tensor<1x2xf32> {
  // expected-error @below {{has weights that are not constant f32 data}}
  %y = bcr.matmul ins(%x : tensor<1x4xf32>) weights(%w : tensor<2x4xf32>) outs(%o : tensor<1x2xf32>) -> tensor<1x2xf32>
  return %y : tensor<1x2xf32>
}

// -----

func.func @values_without_data(%x: tensor<1x2xf32>, %o: tensor<1x1xf32>) -> tensor<1x1xf32> {
  %w = bcr.constant {block = array<i64: 1, 2>, groups = dense<[[0, 1, 0, 1]]> : tensor<1x4xi32>,
                     rows = dense<[0]> : tensor<1xi16>, columns = dense<[1]> : tensor<1xi16>,
                     values = dense_resource<gone> : tensor<1xf32>} : !bcr.packed<1x2xf32>
  // expected-error @below {{has weights that are not constant f32 data}}
  %y = bcr.matmul ins(%x : tensor<1x2xf32>) weights(%w : !bcr.packed<1x2xf32>)
         outs(%o : tensor<1x1xf32>) -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}
