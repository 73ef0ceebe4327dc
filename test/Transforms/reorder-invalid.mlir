// RUN: not bcr-opt %s -bcr-reorder=threads=0 2>&1 | FileCheck %s --check-prefix=THREADS
// RUN: bcr-opt %s -bcr-reorder -verify-diagnostics

// THREADS: error: bcr-reorder: option 'threads' is positive
func.func @values_without_data(%x: tensor<1x2xf32>, %o: tensor<1x1xf32>) -> tensor<1x1xf32> {
  %w = bcr.constant {block = array<i64: 1, 2>, groups = dense<[[0, 1, 0, 1]]> : tensor<1x4xi32>,
                     rows = dense<[0]> : tensor<1xi16>, columns = dense<[1]> : tensor<1xi16>,
                     values = dense_resource<gone> : tensor<1xf32>} : !bcr.packed<1x2xf32>
  // expected-error @below {{has packed weights without data}}
  %y = bcr.matmul ins(%x : tensor<1x2xf32>) weights(%w : !bcr.packed<1x2xf32>)
         outs(%o : tensor<1x1xf32>) -> tensor<1x1xf32>
  return %y : tensor<1x1xf32>
}
