// RUN: bcr-opt %s -bcr-select --remarks-filter=bcr-select 2>%t | FileCheck %s
// RUN: FileCheck %s --check-prefix=REMARK < %t
// RUN: bcr-opt %s -bcr-select=sparsity=force | FileCheck %s --check-prefix=FORCE
// RUN: bcr-opt %s -bcr-select=sparsity=off | FileCheck %s --check-prefix=OFF
// RUN: bcr-opt %s -bcr-select="sparsity=force block=1,3" | FileCheck %s --check-prefix=BLOCK

// What the passes after this one and the report read, for every layer.
// CHECK: bcr.layers = {
// CHECK-SAME: computed = {eligible = false, form = "dense", rate = 1.000000e+00 : f64, reason = "its weights are not constant f32 data", sparsity = 0.000000e+00 : f64, status = "dense"}
// CHECK-SAME: depthwise = {eligible = true, form = "dense", rate = 1.000000e+00 : f64, reason = "a depthwise convolution has only 1 weights a channel, too few to skip any", sparsity = 5.000000e-01 : f64, status = "missed"}
// CHECK-SAME: empty = {block = array<i64: 64, 64>, eligible = true, form = "sparse", rate = 4.096000e+03 : f64,
// CHECK-SAME: sparsity = 1.000000e+00 : f64, status = "picked"}
// CHECK-SAME: full = {eligible = false, form = "dense", rate = 1.000000e+00 : f64, reason = "none of its weights is zero"
// CHECK-SAME: tiny = {eligible = true, form = "dense",
// CHECK-SAME: reason = "it has 12 weights, too few to gain from sparse code", sparsity = 0.58{{[0-9]*}} : f64, status = "missed"}

// Why, in the order of the layers, for people.
// REMARK: [Passed] Sparse | Category:bcr-select | Function=empty | Remark="layer 'empty' runs sparse: 100.0 % of its weights are zero; blocks of 64x64 store 0.0 % of them; predicted {{[0-9.]+}}x faster than dense"
// REMARK: [Missed] Dense | Category:bcr-select | Function=full | Remark="layer 'full' runs dense: 0.0 % of its weights are zero; none of its weights is zero"
// REMARK: [Missed] {{.*}}layer 'tiny' runs dense: 58.3 % of its weights are zero; it has 12 weights
// REMARK: [Missed] {{.*}}layer 'depthwise' runs dense: 50.0 %
// REMARK: [Missed] {{.*}}layer 'given' runs dense
// REMARK: [Missed] {{.*}}layer 'computed' runs dense

// Forced, the reason and the blocks that the zeros have; the block that a layer
// names itself is used, even where another one fits better.
// FORCE: given = {eligible = true, form = "dense"
// FORCE-SAME: reason = "its zeros form no rows or columns of blocks that could be left out; prune in blocks; its zeros fit blocks of 1x1 better than the given 2x2"
// FORCE-SAME: tiny = {block = array<i64: 2, 4>,{{.*}}reason = "blocks of 2x4 store 41.7 % of them; sparsity=force"

// OFF: tiny = {eligible = true, form = "dense",{{.*}}reason = "sparsity=off"

// A block for all layers that name none.
// BLOCK: tiny = {block = array<i64: 1, 3>
// BLOCK-SAME: blocks of 1x3 store 41.7 %

// CHECK-LABEL: func.func @empty
// CHECK: bcr.conv2d
// CHECK-SAME: block = array<i64: 64, 64>, form = #bcr.form<sparse>
// OFF-LABEL: func.func @empty
// OFF: form = #bcr.form<dense>
func.func @empty(%x: tensor<1x64x28x28xf32>, %o: tensor<1x64x28x28xf32>) -> tensor<1x64x28x28xf32> {
  %w = arith.constant dense<0.0> : tensor<64x64x1x1xf32>
  %y = bcr.conv2d ins(%x : tensor<1x64x28x28xf32>) weights(%w : tensor<64x64x1x1xf32>)
         outs(%o : tensor<1x64x28x28xf32>) {kernel = array<i64: 1, 1>, layer = "empty"} -> tensor<1x64x28x28xf32>
  return %y : tensor<1x64x28x28xf32>
}

// CHECK-LABEL: func.func @full
// CHECK: bcr.matmul
// CHECK-SAME: form = #bcr.form<dense>
// CHECK-NOT: block
func.func @full(%x: tensor<2x64xf32>, %o: tensor<2x64xf32>) -> tensor<2x64xf32> {
  %w = arith.constant dense<1.5> : tensor<64x64xf32>
  %y = bcr.matmul ins(%x : tensor<2x64xf32>) weights(%w : tensor<64x64xf32>)
         outs(%o : tensor<2x64xf32>) {layer = "full"} -> tensor<2x64xf32>
  return %y : tensor<2x64xf32>
}

// Blocks of two rows and four columns: one weight, two rows and two columns.
// CHECK-LABEL: func.func @tiny
// FORCE-LABEL: func.func @tiny
// FORCE: bcr.matmul
// FORCE-SAME: block = array<i64: 2, 4>, form = #bcr.form<sparse>
func.func @tiny(%x: tensor<2x6xf32>, %o: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %w = arith.constant dense<[[1.0, 0.0, -0.0, 0.0, 2.0, 3.0], [0.0, 0.0, 0.0, -0.0, 4.0, 5.0]]> : tensor<2x6xf32>
  %y = bcr.matmul ins(%x : tensor<2x6xf32>) weights(%w : tensor<2x6xf32>)
         outs(%o : tensor<2x2xf32>) {layer = "tiny"} -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// CHECK-LABEL: func.func @depthwise
func.func @depthwise(%x: tensor<1x2x9x9xf32>, %o: tensor<1x2x9x9xf32>) -> tensor<1x2x9x9xf32> {
  %w = arith.constant dense<[[[[0.0]]], [[[6.0]]]]> : tensor<2x1x1x1xf32>
  %y = bcr.conv2d ins(%x : tensor<1x2x9x9xf32>) weights(%w : tensor<2x1x1x1xf32>)
         outs(%o : tensor<1x2x9x9xf32>)
         {groups = 2 : i64, kernel = array<i64: 1, 1>, layer = "depthwise"} -> tensor<1x2x9x9xf32>
  return %y : tensor<1x2x9x9xf32>
}

// CHECK-LABEL: func.func @given
func.func @given(%x: tensor<2x2xf32>, %o: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %w = arith.constant dense<[[1.0, 2.0], [3.0, 0.0]]> : tensor<2x2xf32>
  %y = bcr.matmul ins(%x : tensor<2x2xf32>) weights(%w : tensor<2x2xf32>)
         outs(%o : tensor<2x2xf32>) {block = array<i64: 2, 2>, layer = "given"} -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// CHECK-LABEL: func.func @computed
func.func @computed(%x: tensor<2x2xf32>, %w: tensor<2x2xf32>, %o: tensor<2x2xf32>) -> tensor<2x2xf32> {
  %y = bcr.matmul ins(%x : tensor<2x2xf32>) weights(%w : tensor<2x2xf32>)
         outs(%o : tensor<2x2xf32>) {layer = "computed"} -> tensor<2x2xf32>
  return %y : tensor<2x2xf32>
}

// Packed weights keep their block.
// CHECK-LABEL: func.func @packed
// CHECK: bcr.matmul
// CHECK-SAME: block = array<i64: 1, 2>, form = #bcr.form<sparse>
func.func @packed(%x: tensor<2x2xf32>, %o: tensor<2x1xf32>) -> tensor<2x1xf32> {
  %w = bcr.constant {block = array<i64: 1, 2>, groups = dense<[[0, 1, 0, 1]]> : tensor<1x4xi32>,
                     rows = dense<[0]> : tensor<1xi16>, columns = dense<[1]> : tensor<1xi16>,
                     values = dense<[7.0]> : tensor<1xf32>} : !bcr.packed<1x2xf32>
  %y = bcr.matmul ins(%x : tensor<2x2xf32>) weights(%w : !bcr.packed<1x2xf32>)
         outs(%o : tensor<2x1xf32>) -> tensor<2x1xf32>
  return %y : tensor<2x1xf32>
}
