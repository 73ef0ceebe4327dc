// Runs recurrent layers by their dense meaning and by the kernels; both print what the equations of PyTorch's
// documentation give.

// RUN: bcr-opt %s \
// RUN:  --pass-pipeline='builtin.module(convert-bcr-to-linalg,one-shot-bufferize{bufferize-function-boundaries allow-return-allocs-from-loops},convert-linalg-to-loops,expand-strided-metadata,lower-affine,convert-scf-to-cf,convert-math-to-libm,convert-to-llvm,reconcile-unrealized-casts)' \
// RUN: | mlir-runner -e main -entry-point-result=void -shared-libs=%mlir_lib/libmlir_runner_utils.so,%mlir_lib/libmlir_c_runner_utils.so \
// RUN: | FileCheck %s

// RUN: bcr-opt %s \
// RUN:  --pass-pipeline='builtin.module(one-shot-bufferize{bufferize-function-boundaries},convert-bcr-to-loops{lanes=4},convert-linalg-to-loops,convert-vector-to-scf,expand-strided-metadata,lower-affine,bcr-approximate-math,convert-scf-to-cf,convert-vector-to-llvm,convert-math-to-libm,convert-to-llvm,reconcile-unrealized-casts)' \
// RUN: | mlir-runner -e main -entry-point-result=void -shared-libs=%mlir_lib/libmlir_runner_utils.so,%mlir_lib/libmlir_c_runner_utils.so \
// RUN: | FileCheck %s

func.func private @printMemrefF32(%m: tensor<*xf32>)

// From the last step to the first; five units of which the second has no weights. W keeps
// rows 0 and 4 of columns 1 and 3, and row 2 of column 0: 1 2, 3 -4, 5. Numbers are whole, so the result is exact.
// h2 = max(x2 + W * h0 + b, 0) = (3, 0, 8, 1, 0), h1 = (1, 2, 16, 0, 6), h0 = (5, 1, 4, 3, 9).
// CHECK: [5, 1, 4, 3, 9]
// CHECK: [1, 2, 16, 0, 6]
// CHECK: [3, 0, 8, 1, 0]
func.func @rnn() {
  %w = bcr.constant {block = array<i64: 5, 5>, groups = dense<[[0, 2, 0, 2], [2, 1, 2, 1]]> : tensor<2x4xi32>,
    rows = dense<[4, 0, 2]> : tensor<3xi16>, columns = dense<[1, 3, 0]> : tensor<3xi16>,
    values = dense<[3.0, 1.0, -4.0, 2.0, 5.0]> : tensor<5xf32>} : !bcr.packed<5x5xf32>
  %b = arith.constant dense<[0.0, 1.0, 0.0, -1.0, 2.0]> : tensor<5xf32>
  %h = arith.constant dense<[[1.0, 1.0, 2.0, 0.0, 0x7F800000]]> : tensor<1x5xf32>
  %x = arith.constant dense<[[[3.0, 0.0, -1.0, 4.0, 1.0]], [[-1.0, 1.0, 1.0, -3.0, 8.0]], [[2.0, -2.0, 3.0, 2.0, -7.0]]]> : tensor<3x1x5xf32>
  %o = tensor.empty() : tensor<3x1x5xf32>
  %0 = bcr.recurrent ins(%x : tensor<3x1x5xf32>) states(%h : tensor<1x5xf32>) weights(%w : !bcr.packed<5x5xf32>) bias(%b : tensor<5xf32>)
    outs(%o : tensor<3x1x5xf32>) {cell = #bcr.cell<rnn_relu>, reverse} -> tensor<3x1x5xf32>
  %p = tensor.cast %0 : tensor<3x1x5xf32> to tensor<*xf32>
  call @printMemrefF32(%p) : (tensor<*xf32>) -> ()
  return
}

// Two samples; W is diagonal in each gate, and all numbers differ.
// CHECK: [0.6552{{.*}}, -0.613{{.*}}]
// CHECK: [0.6422{{.*}}, 0.778{{.*}}]
// CHECK: [0.556{{.*}}, -0.135{{.*}}]
// CHECK: [0.729{{.*}}, -0.426{{.*}}]
func.func @gru() {
  %w = bcr.constant {block = array<i64: 6, 2>, groups = dense<[[0, 3, 0, 1], [3, 3, 1, 1]]> : tensor<2x4xi32>,
    rows = dense<[4, 0, 2, 1, 5, 3]> : tensor<6xi16>, columns = dense<[0, 1]> : tensor<2xi16>,
    values = dense<[-1.0, 1.0, 0.5, -1.0, 0.25, 2.0]> : tensor<6xf32>} : !bcr.packed<6x2xf32>
  %b = arith.constant dense<[0.0, 0.5, 0.0, -0.5, 1.0, -1.0]> : tensor<6xf32>
  %h = arith.constant dense<[[0.5, -0.25], [-1.0, 0.75]]> : tensor<2x2xf32>
  %x = arith.constant dense<[[[1.0, -1.0, 0.5, 0.0, 2.0, -0.5], [0.0, 1.0, -2.0, 1.0, 0.5, 3.0]],
               [[-0.5, 2.0, 1.0, -1.0, 0.0, 1.0], [0.25, 0.5, 0.0, -2.0, 1.0, -1.0]]]> : tensor<2x2x6xf32>
  %o = tensor.empty() : tensor<2x2x2xf32>
  %0 = bcr.recurrent ins(%x : tensor<2x2x6xf32>) states(%h : tensor<2x2xf32>) weights(%w : !bcr.packed<6x2xf32>) bias(%b : tensor<6xf32>)
    outs(%o : tensor<2x2x2xf32>) {cell = #bcr.cell<gru>} -> tensor<2x2x2xf32>
  %p = tensor.cast %0 : tensor<2x2x2xf32> to tensor<*xf32>
  call @printMemrefF32(%p) : (tensor<*xf32>) -> ()
  return
}

// The same with the biases of r and z in x, and that of s_n alone.
// CHECK: [0.6552{{.*}}, -0.613{{.*}}]
// CHECK: [0.6422{{.*}}, 0.778{{.*}}]
// CHECK: [0.556{{.*}}, -0.135{{.*}}]
// CHECK: [0.729{{.*}}, -0.426{{.*}}]
func.func @gru_with_one_bias() {
  %w = bcr.constant {block = array<i64: 6, 2>, groups = dense<[[0, 3, 0, 1], [3, 3, 1, 1]]> : tensor<2x4xi32>,
    rows = dense<[4, 0, 2, 1, 5, 3]> : tensor<6xi16>, columns = dense<[0, 1]> : tensor<2xi16>,
    values = dense<[-1.0, 1.0, 0.5, -1.0, 0.25, 2.0]> : tensor<6xf32>} : !bcr.packed<6x2xf32>
  %b = arith.constant dense<[1.0, -1.0]> : tensor<2xf32>
  %h = arith.constant dense<[[0.5, -0.25], [-1.0, 0.75]]> : tensor<2x2xf32>
  %x = arith.constant dense<[[[1.0, -0.5, 0.5, -0.5, 2.0, -0.5], [0.0, 1.5, -2.0, 0.5, 0.5, 3.0]],
               [[-0.5, 2.5, 1.0, -1.5, 0.0, 1.0], [0.25, 1.0, 0.0, -2.5, 1.0, -1.0]]]> : tensor<2x2x6xf32>
  %o = tensor.empty() : tensor<2x2x2xf32>
  %0 = bcr.recurrent ins(%x : tensor<2x2x6xf32>) states(%h : tensor<2x2xf32>) weights(%w : !bcr.packed<6x2xf32>) bias(%b : tensor<2xf32>)
    outs(%o : tensor<2x2x2xf32>) {cell = #bcr.cell<gru>} -> tensor<2x2x2xf32>
  %p = tensor.cast %0 : tensor<2x2x2xf32> to tensor<*xf32>
  call @printMemrefF32(%p) : (tensor<*xf32>) -> ()
  return
}

// Row 3 of W is empty; h has one feature, projected from two units.
// CHECK: [0.525{{.*}}]
// CHECK: [0.179{{.*}}]
// CHECK: [0.283{{.*}}, -0.224{{.*}}]
func.func @lstm() {
  %w = bcr.constant {block = array<i64: 8, 1>, groups = dense<[[0, 7, 0, 1]]> : tensor<1x4xi32>,
    rows = dense<[0, 1, 2, 4, 5, 6, 7]> : tensor<7xi16>, columns = dense<[0]> : tensor<1xi16>,
    values = dense<[0.125, -0.25, 0.375, -0.625, 0.75, 0.875, -1.0]> : tensor<7xf32>} : !bcr.packed<8x1xf32>
  %q = bcr.constant {block = array<i64: 1, 2>, groups = dense<[[0, 1, 0, 2]]> : tensor<1x4xi32>, rows = dense<[0]> : tensor<1xi16>,
    columns = dense<[0, 1]> : tensor<2xi16>, values = dense<[2.0, -1.0]> : tensor<2xf32>} : !bcr.packed<1x2xf32>
  %h = arith.constant dense<[[1.0]]> : tensor<1x1xf32>
  %c = arith.constant dense<[[0.5, -2.0]]> : tensor<1x2xf32>
  %x = arith.constant dense<[[[0.5, -1.0, 1.0, 2.0, 0.0, -0.5, 0.25, 1.0]], [[-1.0, 0.5, 0.0, -0.25, 2.0, 1.0, -2.0, 0.0]]]> : tensor<2x1x8xf32>
  %o = tensor.empty() : tensor<2x1x1xf32>
  %e = tensor.empty() : tensor<1x2xf32>
  %0:2 = bcr.recurrent ins(%x : tensor<2x1x8xf32>) states(%h, %c : tensor<1x1xf32>, tensor<1x2xf32>) weights(%w : !bcr.packed<8x1xf32>)
    outs(%o, %e : tensor<2x1x1xf32>, tensor<1x2xf32>) {cell = #bcr.cell<lstm>} -> tensor<2x1x1xf32>, tensor<1x2xf32> projection {
  ^bb0(%u: tensor<1x2xf32>, %d: tensor<1x1xf32>):
    %1 = bcr.matmul ins(%u : tensor<1x2xf32>) weights(%q : !bcr.packed<1x2xf32>) outs(%d : tensor<1x1xf32>) -> tensor<1x1xf32>
    bcr.yield %1 : tensor<1x1xf32>
  }
  %p = tensor.cast %0#0 : tensor<2x1x1xf32> to tensor<*xf32>
  call @printMemrefF32(%p) : (tensor<*xf32>) -> ()
  %r = tensor.cast %0#1 : tensor<1x2xf32> to tensor<*xf32>
  call @printMemrefF32(%r) : (tensor<*xf32>) -> ()
  return
}

func.func @main() {
  call @rnn() : () -> ()
  call @gru() : () -> ()
  call @gru_with_one_bias() : () -> ()
  call @lstm() : () -> ()
  return
}
