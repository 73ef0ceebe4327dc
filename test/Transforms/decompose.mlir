// RUN: bcr-opt %s -pass-pipeline='builtin.module(func.func(bcr-decompose))' | FileCheck %s

// CHECK-LABEL: func.func @concat
// CHECK-NOT: tensor.concat
// CHECK: %[[A:.*]] = tensor.insert_slice %{{.*}}[0, 0] [2, 3] [1, 1]
// CHECK: tensor.insert_slice %{{.*}} into %[[A]][0, 3] [2, 4] [1, 1]
func.func @concat(%x: tensor<2x3xf32>, %y: tensor<2x4xf32>) -> tensor<2x7xf32> {
  %0 = tensor.concat dim(1) %x, %y : (tensor<2x3xf32>, tensor<2x4xf32>) -> tensor<2x7xf32>
  return %0 : tensor<2x7xf32>
}

// CHECK-LABEL: func.func @softmax
// CHECK-NOT: linalg.softmax
// CHECK: math.exp
func.func @softmax(%x: tensor<2x3xf32>, %out: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %0 = linalg.softmax dimension(1) ins(%x : tensor<2x3xf32>) outs(%out : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %0 : tensor<2x3xf32>
}

// One column is cut in front, two are added behind.
// CHECK-LABEL: func.func @cut
// CHECK: %[[SLICE:.*]] = tensor.extract_slice %{{.*}}[0, 1] [5, 6] [1, 1]
// CHECK: tensor.pad %[[SLICE]] low[0, 0] high[0, 2]
func.func @cut(%x: tensor<5x7xf32>) -> tensor<5x8xf32> {
  %zero = arith.constant 0.0 : f32
  %0 = tensor.pad %x low[0, -1] high[0, 2] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<5x7xf32> to tensor<5x8xf32>
  return %0 : tensor<5x8xf32>
}
