// RUN: bcr-opt %s --bcr-raise | FileCheck %s

// Each function is one layer and what follows it, as torch-mlir writes it or as
// people do by hand. Layers that exist already are taken up where they are.

#id = affine_map<(d0, d1) -> (d0, d1)>
#id3 = affine_map<(d0, d1, d2) -> (d0, d1, d2)>
#scalar = affine_map<(d0, d1) -> ()>
#sample = affine_map<(d0, d1) -> (d0, 0)>

// CHECK-LABEL: func @relu(
// CHECK: bcr.matmul {{.*}} {activation = #bcr.activation<relu>}
// CHECK-NOT: linalg
func.func @relu(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %c0 = arith.constant 0.0 : f32
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %p = arith.cmpf ugt, %a0, %c0 : f32
    %v = arith.select %p, %a0, %c0 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func @relu_by_maximum(
// CHECK: bcr.matmul {{.*}} {activation = #bcr.activation<relu>}
// CHECK-NOT: linalg
func.func @relu_by_maximum(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %c0 = arith.constant 0.0 : f32
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %v = arith.maximumf %c0, %a0 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// torch.nn.Threshold(0, 0), through a tensor of conditions.
//
// CHECK-LABEL: func @threshold(
// CHECK: bcr.matmul {{.*}} {activation = #bcr.activation<relu>}
// CHECK-NOT: linalg
func.func @threshold(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %c0 = arith.constant 0.0 : f32
  %z = arith.constant dense<0.0> : tensor<f32>
  %eb = tensor.empty() : tensor<2x4xi1>
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<2x4xf32>) outs(%eb : tensor<2x4xi1>) {
  ^bb0(%a0: f32, %out: i1):
    %v = arith.cmpf ole, %a0, %c0 : f32
    linalg.yield %v : i1
  } -> tensor<2x4xi1>
  %r = linalg.generic {indexing_maps = [#id, #scalar, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%0, %z, %y : tensor<2x4xi1>, tensor<f32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: i1, %a1: f32, %a2: f32, %out: f32):
    %v = arith.select %a0, %a1, %a2 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func @relu6(
// CHECK: bcr.matmul {{.*}} {activation = #bcr.activation<relu6>}
// CHECK-NOT: linalg
func.func @relu6(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %lo = arith.constant dense<0.0> : tensor<f32>
  %hi = arith.constant dense<6.0> : tensor<f32>
  %0 = linalg.generic {indexing_maps = [#id, #scalar, #id], iterator_types = ["parallel", "parallel"]} ins(%y, %lo : tensor<2x4xf32>, tensor<f32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %a1: f32, %out: f32):
    %p = arith.cmpf ogt, %a0, %a1 : f32
    %v = arith.select %p, %a0, %a1 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  %r = linalg.generic {indexing_maps = [#scalar, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%hi, %0 : tensor<f32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %a1: f32, %out: f32):
    %p = arith.cmpf olt, %a0, %a1 : f32
    %v = arith.select %p, %a0, %a1 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func @clamp(
// CHECK: bcr.matmul {{.*}} {activation = #bcr.activation<clamp, -5.000000e-01, 2.000000e+00>}
// CHECK-NOT: linalg
func.func @clamp(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %lo = arith.constant -0.5 : f32
  %hi = arith.constant 2.0 : f32
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %p = arith.cmpf ult, %a0, %lo : f32
    %l = arith.select %p, %lo, %a0 : f32
    %q = arith.cmpf ugt, %l, %hi : f32
    %v = arith.select %q, %hi, %l : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func @clamp_below(
// CHECK: bcr.matmul {{.*}} {activation = #bcr.activation<clamp, 2.500000e-01, 0x7FF0000000000000>}
// CHECK-NOT: linalg
func.func @clamp_below(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %lo = arith.constant 0.25 : f32
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %p = arith.cmpf ult, %a0, %lo : f32
    %v = arith.select %p, %lo, %a0 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// Bounds that cross are no clamp of bcr (BCR-16); the lower one is.
//
// CHECK-LABEL: func @clamp_crossed(
// CHECK: bcr.matmul {{.*}} {activation = #bcr.activation<clamp, 2.000000e+00, 0x7FF0000000000000>}
// CHECK: linalg.generic
// CHECK: arith.minimumf
func.func @clamp_crossed(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %lo = arith.constant 2.0 : f32
  %hi = arith.constant 1.0 : f32
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %v = arith.maximumf %a0, %lo : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%0 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %v = arith.minimumf %a0, %hi : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// Four operations, which read the layer twice.
//
// CHECK-LABEL: func @leaky_relu(
// CHECK: bcr.matmul {{.*}} {activation = #bcr.activation<leaky_relu, 1.250000e-01>}
// CHECK-NOT: linalg
func.func @leaky_relu(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %z = arith.constant dense<0.0> : tensor<f32>
  %slope = arith.constant 0.125 : f64
  %0 = linalg.generic {indexing_maps = [#scalar, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%z, %y : tensor<f32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %a1: f32, %out: f32):
    %p = arith.cmpf ogt, %a0, %a1 : f32
    %v = arith.select %p, %a0, %a1 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  %1 = linalg.generic {indexing_maps = [#scalar, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%z, %y : tensor<f32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %a1: f32, %out: f32):
    %p = arith.cmpf olt, %a0, %a1 : f32
    %v = arith.select %p, %a0, %a1 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  %2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%1 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %s = arith.truncf %slope : f64 to f32
    %v = arith.mulf %a0, %s : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%0, %2 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %a1: f32, %out: f32):
    %v = arith.addf %a0, %a1 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func @leaky_relu_by_select(
// CHECK: bcr.matmul {{.*}} {activation = #bcr.activation<leaky_relu, 5.000000e-01>}
// CHECK-NOT: linalg
func.func @leaky_relu_by_select(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %c0 = arith.constant 0.0 : f32
  %s = arith.constant 0.5 : f32
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %p = arith.cmpf olt, %a0, %c0 : f32
    %n = arith.mulf %s, %a0 : f32
    %v = arith.select %p, %n, %a0 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func @leaky_relu_by_maximum(
// CHECK: bcr.matmul {{.*}} {activation = #bcr.activation<leaky_relu, 5.000000e-01>}
// CHECK-NOT: linalg
func.func @leaky_relu_by_maximum(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %s = arith.constant 0.5 : f32
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %n = arith.mulf %s, %a0 : f32
    %v = arith.maximumf %a0, %n : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// max(x, 1.5 x) bends the other way.
//
// CHECK-LABEL: func @steep_maximum(
// CHECK: bcr.matmul
// CHECK-NOT: activation
// CHECK: linalg.generic
func.func @steep_maximum(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %s = arith.constant 1.5 : f32
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %n = arith.mulf %s, %a0 : f32
    %v = arith.maximumf %a0, %n : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func @hardswish(
// CHECK: bcr.matmul {{.*}} {activation = #bcr.activation<hardswish>}
// CHECK-NOT: linalg
func.func @hardswish(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %c0 = arith.constant 0.0 : f32
  %c3 = arith.constant 3.0 : f32
  %c6 = arith.constant 6.0 : f32
  %d = arith.constant 6.0 : f32
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %v = arith.addf %a0, %c3 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%0 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %p = arith.cmpf ult, %a0, %c0 : f32
    %v = arith.select %p, %c0, %a0 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  %2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%1 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %p = arith.cmpf ugt, %a0, %c6 : f32
    %v = arith.select %p, %c6, %a0 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  %3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%y, %2 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %a1: f32, %out: f32):
    %v = arith.mulf %a0, %a1 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%3 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %v = arith.divf %a0, %d : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// Divided by 5.
//
// CHECK-LABEL: func @not_hardswish(
// CHECK: bcr.matmul
// CHECK-NOT: activation
// CHECK: linalg.generic
func.func @not_hardswish(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %c0 = arith.constant 0.0 : f32
  %c3 = arith.constant 3.0 : f32
  %c6 = arith.constant 6.0 : f32
  %d = arith.constant 5.0 : f32
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %v = arith.addf %a0, %c3 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%0 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %p = arith.cmpf ult, %a0, %c0 : f32
    %v = arith.select %p, %c0, %a0 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  %2 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%1 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %p = arith.cmpf ugt, %a0, %c6 : f32
    %v = arith.select %p, %c6, %a0 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  %3 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%y, %2 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %a1: f32, %out: f32):
    %v = arith.mulf %a0, %a1 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%3 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %v = arith.divf %a0, %d : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// No activation of bcr, but its first two steps are: x + 3, then ReLU6.
//
// CHECK-LABEL: func @hardsigmoid(
// CHECK: %[[B:.*]] = arith.constant dense<3.000000e+00> : tensor<4xf32>
// CHECK: bcr.matmul {{.*}} bias(%[[B]] : tensor<4xf32>) {{.*}} {activation = #bcr.activation<relu6>}
// CHECK: linalg.generic
// CHECK: arith.divf
func.func @hardsigmoid(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %c0 = arith.constant 0.0 : f32
  %c3 = arith.constant 3.0 : f32
  %c6 = arith.constant 6.0 : f32
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %v = arith.addf %a0, %c3 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%0 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %l = arith.maximumf %a0, %c0 : f32
    %v = arith.minimumf %l, %c6 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%1 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %v = arith.divf %a0, %c6 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func @sigmoid(
// CHECK: bcr.matmul {{.*}} {activation = #bcr.activation<sigmoid>}
// CHECK-NOT: linalg
func.func @sigmoid(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %c1 = arith.constant 1.0 : f32
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %n = arith.negf %a0 : f32
    %x0 = math.exp %n : f32
    %d = arith.addf %x0, %c1 : f32
    %v = arith.divf %c1, %d : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func @silu(
// CHECK: bcr.matmul {{.*}} {activation = #bcr.activation<silu>}
// CHECK-NOT: linalg
func.func @silu(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %c1 = arith.constant 1.0 : f32
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %n = arith.negf %a0 : f32
    %x0 = math.exp %n : f32
    %d = arith.addf %x0, %c1 : f32
    %v = arith.divf %c1, %d : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%y, %0 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %a1: f32, %out: f32):
    %v = arith.mulf %a0, %a1 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func @silu_by_division(
// CHECK: bcr.matmul {{.*}} {activation = #bcr.activation<silu>}
// CHECK-NOT: linalg
func.func @silu_by_division(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %c1 = arith.constant 1.0 : f32
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %n = arith.negf %a0 : f32
    %x0 = math.exp %n : f32
    %d = arith.addf %x0, %c1 : f32
    %v = arith.divf %a0, %d : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func @tanh(
// CHECK: bcr.matmul {{.*}} {activation = #bcr.activation<tanh>}
// CHECK-NOT: linalg
func.func @tanh(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %v = math.tanh %a0 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func @gelu(
// CHECK: bcr.matmul {{.*}} {activation = #bcr.activation<gelu>}
// CHECK-NOT: linalg
func.func @gelu(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %c1 = arith.constant 1.0 : f32
  %half = arith.constant 0.5 : f32
  %s = arith.constant 1.41421354 : f32
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %q = arith.divf %a0, %s : f32
    %t = math.erf %q : f32
    %u = arith.addf %t, %c1 : f32
    %g = arith.mulf %u, %half : f32
    %v = arith.mulf %a0, %g : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func @not_gelu(
// CHECK: bcr.matmul
// CHECK-NOT: activation
// CHECK: linalg.generic
func.func @not_gelu(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %c1 = arith.constant 1.0 : f32
  %half = arith.constant 0.5 : f32
  %s = arith.constant 1.5 : f32
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %q = arith.divf %a0, %s : f32
    %t = math.erf %q : f32
    %u = arith.addf %t, %c1 : f32
    %g = arith.mulf %u, %half : f32
    %v = arith.mulf %a0, %g : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func @gelu_tanh(
// CHECK: bcr.matmul {{.*}} {activation = #bcr.activation<gelu_tanh>}
// CHECK-NOT: linalg
func.func @gelu_tanh(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %c1 = arith.constant 1.0 : f32
  %half = arith.constant 0.5 : f32
  %k = arith.constant 4.471500e-02 : f32
  %s = arith.constant 7.977240e-01 : f32
  %three = arith.constant 3 : i64
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %q = math.fpowi %a0, %three : f32, i64
    %h = arith.mulf %q, %k : f32
    %i = arith.addf %a0, %h : f32
    %j = arith.mulf %i, %s : f32
    %t = math.tanh %j : f32
    %u = arith.addf %t, %c1 : f32
    %g = arith.mulf %u, %half : f32
    %v = arith.mulf %a0, %g : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func @residual(
// CHECK-SAME: %[[RES:[a-z0-9]+]]: tensor<2x4xf32>)
// CHECK: bcr.matmul {{.*}} residual(%[[RES]] : tensor<2x4xf32>) {{.*}} {activation = #bcr.activation<relu>}
// CHECK-NOT: linalg
func.func @residual(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>, %res: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %c0 = arith.constant 0.0 : f32
  %0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%y, %res : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %a1: f32, %out: f32):
    %v = arith.addf %a0, %a1 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%0 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %v = arith.maximumf %a0, %c0 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func @residual_first(
// CHECK-SAME: %[[RES:[a-z0-9]+]]: tensor<2x4xf32>)
// CHECK: bcr.matmul {{.*}} residual(%[[RES]] : tensor<2x4xf32>)
// CHECK-NOT: linalg
func.func @residual_first(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>, %res: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%res, %y : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %a1: f32, %out: f32):
    %v = arith.addf %a0, %a1 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// The layer moves behind its residual.
//
// CHECK-LABEL: func @residual_computed_later(
// CHECK: %[[T:.*]] = linalg.generic
// CHECK: bcr.matmul {{.*}} residual(%[[T]] : tensor<2x4xf32>)
// CHECK-NOT: linalg
func.func @residual_computed_later(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>, %res: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %c0 = arith.constant 0.0 : f32
  %t = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%res : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %v = arith.maximumf %a0, %c0 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%y, %t : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %a1: f32, %out: f32):
    %v = arith.addf %a0, %a1 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// A layer has one residual.
//
// CHECK-LABEL: func @two_residuals(
// CHECK-SAME: %[[RES:[a-z0-9]+]]: tensor<2x4xf32>, %[[OTHER:[a-z0-9]+]]: tensor<2x4xf32>)
// CHECK: %[[Y:.*]] = bcr.matmul {{.*}} residual(%[[RES]] : tensor<2x4xf32>)
// CHECK: linalg.generic {{.*}} ins(%[[Y]], %[[OTHER]]
func.func @two_residuals(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>, %res: tensor<2x4xf32>, %other: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%y, %res : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %a1: f32, %out: f32):
    %v = arith.addf %a0, %a1 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%0, %other : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %a1: f32, %out: f32):
    %v = arith.addf %a0, %a1 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// A residual has the shape of the result.
//
// CHECK-LABEL: func @residual_of_each_sample(
// CHECK: bcr.matmul
// CHECK-NOT: residual
// CHECK: linalg.generic
func.func @residual_of_each_sample(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>, %res: tensor<2x1xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %r = linalg.generic {indexing_maps = [#id, #sample, #id], iterator_types = ["parallel", "parallel"]} ins(%y, %res : tensor<2x4xf32>, tensor<2x1xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %a1: f32, %out: f32):
    %v = arith.addf %a0, %a1 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// A residual is added.
//
// CHECK-LABEL: func @difference(
// CHECK: bcr.matmul
// CHECK-NOT: residual
// CHECK: linalg.generic
func.func @difference(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>, %res: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%y, %res : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %a1: f32, %out: f32):
    %v = arith.subf %a0, %a1 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// The activation of a layer comes last.
//
// CHECK-LABEL: func @activation_before_residual(
// CHECK: %[[Y:.*]] = bcr.matmul
// CHECK-NOT: residual
// CHECK-SAME: {activation = #bcr.activation<relu>}
// CHECK: linalg.generic {{.*}} ins(%[[Y]]
func.func @activation_before_residual(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>, %res: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %c0 = arith.constant 0.0 : f32
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %v = arith.maximumf %a0, %c0 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%0, %res : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %a1: f32, %out: f32):
    %v = arith.addf %a0, %a1 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func @scale_behind_activation(
// CHECK: %[[Y:.*]] = bcr.matmul {{.*}} weights(%{{.*}} : tensor<4x3xf32>) outs{{.*}} {activation = #bcr.activation<relu>}
// CHECK: linalg.generic {{.*}} ins(%[[Y]]
func.func @scale_behind_activation(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %c0 = arith.constant 0.0 : f32
  %c2 = arith.constant 2.0 : f32
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %v = arith.maximumf %a0, %c0 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%0 : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %v = arith.mulf %a0, %c2 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %r : tensor<2x4xf32>
}

// CHECK-LABEL: func @used_before_activation(
// CHECK: %[[Y:.*]] = bcr.matmul
// CHECK-NOT: activation
// CHECK: linalg.generic {{.*}} ins(%[[Y]]
func.func @used_before_activation(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>) {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %c0 = arith.constant 0.0 : f32
  %r = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %v = arith.maximumf %a0, %c0 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %y, %r : tensor<2x4xf32>, tensor<2x4xf32>
}

// The sigmoid inside SiLU is a result, too.
//
// CHECK-LABEL: func @used_inside_activation(
// CHECK: %[[Y:.*]] = bcr.matmul
// CHECK-NOT: activation
// CHECK: linalg.generic {{.*}} ins(%[[Y]]
func.func @used_inside_activation(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> (tensor<2x4xf32>, tensor<2x4xf32>) {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %c1 = arith.constant 1.0 : f32
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]} ins(%y : tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %n = arith.negf %a0 : f32
    %x0 = math.exp %n : f32
    %d = arith.addf %x0, %c1 : f32
    %v = arith.divf %c1, %d : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  %r = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%y, %0 : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %a1: f32, %out: f32):
    %v = arith.mulf %a0, %a1 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %0, %r : tensor<2x4xf32>, tensor<2x4xf32>
}

// A linear layer of a sequence: bias, residual and activation behind the
// reshape move in front of it.

// CHECK-LABEL: func @reshaped(
// CHECK-SAME: %[[X:[a-z0-9]+]]: tensor<6x3xf32>, %{{.*}}: tensor<4x3xf32>, %[[RES:[a-z0-9]+]]: tensor<2x3x4xf32>)
// CHECK: %[[B:.*]] = arith.constant dense<[1.000000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00]>
// CHECK: %[[C:.*]] = tensor.collapse_shape %[[RES]] {{\[\[0, 1\], \[2\]\]}}
// CHECK: %[[Y:.*]] = bcr.matmul ins(%[[X]] : {{.*}} bias(%[[B]] : tensor<4xf32>) residual(%[[C]] : tensor<6x4xf32>) {{.*}} {activation = #bcr.activation<tanh>}
// CHECK: %[[R:.*]] = tensor.expand_shape %[[Y]] {{\[\[0, 1\], \[2\]\]}} output_shape [2, 3, 4]
// CHECK-NOT: linalg
// CHECK: return %[[R]]
func.func @reshaped(%x: tensor<6x3xf32>, %w: tensor<4x3xf32>, %res: tensor<2x3x4xf32>) -> tensor<2x3x4xf32> {
  %b = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %e = tensor.empty() : tensor<6x4xf32>
  %y = bcr.matmul ins(%x : tensor<6x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<6x4xf32>) -> tensor<6x4xf32>
  %z = tensor.expand_shape %y [[0, 1], [2]] output_shape [2, 3, 4] : tensor<6x4xf32> into tensor<2x3x4xf32>
  %f = tensor.empty() : tensor<2x3x4xf32>
  %0 = linalg.generic {indexing_maps = [#id3, affine_map<(d0, d1, d2) -> (d2)>, #id3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%z, %b : tensor<2x3x4xf32>, tensor<4xf32>) outs(%f : tensor<2x3x4xf32>) {
  ^bb0(%a0: f32, %a1: f32, %out: f32):
    %v = arith.addf %a0, %a1 : f32
    linalg.yield %v : f32
  } -> tensor<2x3x4xf32>
  %1 = linalg.generic {indexing_maps = [#id3, #id3, #id3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%res, %0 : tensor<2x3x4xf32>, tensor<2x3x4xf32>) outs(%f : tensor<2x3x4xf32>) {
  ^bb0(%a0: f32, %a1: f32, %out: f32):
    %v = arith.addf %a0, %a1 : f32
    linalg.yield %v : f32
  } -> tensor<2x3x4xf32>
  %2 = linalg.generic {indexing_maps = [#id3, #id3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%1 : tensor<2x3x4xf32>) outs(%f : tensor<2x3x4xf32>) {
  ^bb0(%a0: f32, %out: f32):
    %v = math.tanh %a0 : f32
    linalg.yield %v : f32
  } -> tensor<2x3x4xf32>
  return %2 : tensor<2x3x4xf32>
}

// A reshape that splits the channels keeps the activation, which knows none,
// and not the bias, which is one value for each head here.

// CHECK-LABEL: func @split_channels(
// CHECK: bcr.matmul
// CHECK-NOT: bias
// CHECK: tensor.expand_shape
// CHECK: linalg.generic
func.func @split_channels(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> tensor<2x2x2xf32> {
  %b = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %z = tensor.expand_shape %y [[0], [1, 2]] output_shape [2, 2, 2] : tensor<2x4xf32> into tensor<2x2x2xf32>
  %f = tensor.empty() : tensor<2x2x2xf32>
  %0 = linalg.generic {indexing_maps = [#id3, affine_map<(d0, d1, d2) -> (d1)>, #id3], iterator_types = ["parallel", "parallel", "parallel"]} ins(%z, %b : tensor<2x2x2xf32>, tensor<2xf32>) outs(%f : tensor<2x2x2xf32>) {
  ^bb0(%a0: f32, %a1: f32, %out: f32):
    %v = arith.addf %a0, %a1 : f32
    linalg.yield %v : f32
  } -> tensor<2x2x2xf32>
  return %0 : tensor<2x2x2xf32>
}

// Of two layers whose results are added, the last takes the first as residual.

// CHECK-LABEL: func @two_layers(
// CHECK: %[[Y:.*]] = bcr.matmul {{.*}} weights(%{{.*}} : tensor<4x3xf32>) outs
// CHECK: %[[Z:.*]] = bcr.matmul {{.*}} residual(%[[Y]] : tensor<2x4xf32>)
// CHECK-NEXT: return %[[Z]]
func.func @two_layers(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>) -> tensor<2x4xf32> {
  %e = tensor.empty() : tensor<2x4xf32>
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %z = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%e : tensor<2x4xf32>) -> tensor<2x4xf32>
  %0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]} ins(%y, %z : tensor<2x4xf32>, tensor<2x4xf32>) outs(%e : tensor<2x4xf32>) {
  ^bb0(%a0: f32, %a1: f32, %out: f32):
    %v = arith.addf %a0, %a1 : f32
    linalg.yield %v : f32
  } -> tensor<2x4xf32>
  return %0 : tensor<2x4xf32>
}
