// RUN: bcr-opt %s -o %t.mlir
// RUN: FileCheck %s < %t.mlir
// RUN: bcr-opt %t.mlir | diff %t.mlir -
// RUN: bcr-opt %s -mlir-print-op-generic | bcr-opt | diff %t.mlir -
// RUN: bcr-opt %s -emit-bytecode | bcr-opt | diff %t.mlir -

// Every type, attribute and op, with and without its optional parts, prints as
// text that reads as the same IR, and survives as bytecode.

// CHECK-LABEL: func.func private @type
// CHECK-SAME: !bcr.packed<1x65537xf32>
func.func private @type(!bcr.packed<1x65537xf32>)

// CHECK-LABEL: func.func private @attributes
// CHECK-SAME: activations = [#bcr.activation<relu>, #bcr.activation<relu6>, #bcr.activation<leaky_relu, 1.250000e-01>, #bcr.activation<hardswish>, #bcr.activation<silu>, #bcr.activation<gelu>, #bcr.activation<gelu_tanh>, #bcr.activation<sigmoid>, #bcr.activation<tanh>, #bcr.activation<clamp, -1.500000e+00, 2.000000e+00>]
// CHECK-SAME: forms = [#bcr.form<dense>, #bcr.form<sparse>]
// CHECK-SAME: schedules = [#bcr.schedule<pixels, height = 8, vectors = 3, lanes = 16>, #bcr.schedule<pixels, height = 4, vectors = 6, lanes = 16, band = 7>, #bcr.schedule<rows, height = 64, vectors = 1, lanes = 16>]
func.func private @attributes() attributes {
  activations = [#bcr.activation<relu>, #bcr.activation<relu6>, #bcr.activation<leaky_relu, 0.125>,
                 #bcr.activation<hardswish>, #bcr.activation<silu>, #bcr.activation<gelu>,
                 #bcr.activation<gelu_tanh>, #bcr.activation<sigmoid>, #bcr.activation<tanh>,
                 #bcr.activation<clamp, -1.5, 2.0>],
  forms = [#bcr.form<dense>, #bcr.form<sparse>],
  schedules = [#bcr.schedule<pixels, height = 8, vectors = 3, lanes = 16>,
               #bcr.schedule<pixels, height = 4, vectors = 6, lanes = 16, band = 7>,
               #bcr.schedule<rows, height = 64, vectors = 1, lanes = 16>]
}

// Rows of one group may be in another, lists may be shared, the order of rows is
// free, indices may be wider than they need, and a row may be in no group.
// CHECK-LABEL: func.func @constant
// CHECK: bcr.constant {block = array<i64: 2, 3>, columns = dense<[0, 2, 4]> : tensor<3xi32>, groups = dense<{{\[\[}}0, 2, 0, 2], [1, 1, 2, 1]]> : tensor<2x4xi32>, rows = dense<[3, 1]> : tensor<2xi16>, values = dense<[1.000000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00, 5.000000e+00]> : tensor<5xf32>} : <4x5xf32>
func.func @constant() -> !bcr.packed<4x5xf32> {
  %w = bcr.constant {block = array<i64: 2, 3>, groups = dense<[[0, 2, 0, 2], [1, 1, 2, 1]]> : tensor<2x4xi32>,
    rows = dense<[3, 1]> : tensor<2xi16>, columns = dense<[0, 2, 4]> : tensor<3xi32>,
    values = dense<[1.0, 2.0, 3.0, 4.0, 5.0]> : tensor<5xf32>} : !bcr.packed<4x5xf32>
  return %w : !bcr.packed<4x5xf32>
}

// CHECK-LABEL: func.func @resource
// CHECK: values = dense_resource<packed.values> : tensor<2xf32>
func.func @resource() -> !bcr.packed<2x2xf32> {
  %w = bcr.constant {block = array<i64: 2, 2>, groups = dense<[[0, 2, 0, 1]]> : tensor<1x4xi32>,
    rows = dense<[0, 1]> : tensor<2xi16>, columns = dense<[1]> : tensor<1xi16>,
    values = dense_resource<packed.values> : tensor<2xf32>} : !bcr.packed<2x2xf32>
  return %w : !bcr.packed<2x2xf32>
}

// CHECK-LABEL: func.func @empty
// CHECK: groups = dense<> : tensor<0x4xi32>
func.func @empty() -> !bcr.packed<2x2xf32> {
  %w = bcr.constant {block = array<i64: 2, 2>, groups = dense<> : tensor<0x4xi32>, rows = dense<> : tensor<0xi16>,
    columns = dense<> : tensor<0xi16>, values = dense<> : tensor<0xf32>} : !bcr.packed<2x2xf32>
  return %w : !bcr.packed<2x2xf32>
}

// CHECK-LABEL: func.func @matmul
// CHECK: bcr.matmul ins(%{{.*}} : tensor<?x3xf32>) weights(%{{.*}} : tensor<2x3xf32>) outs(%{{.*}} : tensor<?x2xf32>) -> tensor<?x2xf32>
// CHECK: bcr.matmul ins(%{{.*}} : tensor<?x3xf32>) weights(%{{.*}} : !bcr.packed<2x3xf32>) bias(%{{.*}} : tensor<2xf32>) residual(%{{.*}} : tensor<?x2xf32>) outs(%{{.*}} : tensor<?x2xf32>) {activation = #bcr.activation<relu>, block = array<i64: 2, 3>, form = #bcr.form<sparse>, layer = "head", schedule = #bcr.schedule<rows, height = 2, vectors = 1, lanes = 4>} -> tensor<?x2xf32>
func.func @matmul(%x: tensor<?x3xf32>, %d: tensor<2x3xf32>, %w: !bcr.packed<2x3xf32>, %b: tensor<2xf32>,
                  %o: tensor<?x2xf32>) -> tensor<?x2xf32> {
  %r = bcr.matmul ins(%x : tensor<?x3xf32>) weights(%d : tensor<2x3xf32>) outs(%o : tensor<?x2xf32>) -> tensor<?x2xf32>
  %y = bcr.matmul ins(%x : tensor<?x3xf32>) weights(%w : !bcr.packed<2x3xf32>) bias(%b : tensor<2xf32>)
         residual(%r : tensor<?x2xf32>) outs(%o : tensor<?x2xf32>)
         {layer = "head", activation = #bcr.activation<relu>, form = #bcr.form<sparse>, block = array<i64: 2, 3>,
          schedule = #bcr.schedule<rows, height = 2, vectors = 1, lanes = 4>} -> tensor<?x2xf32>
  return %y : tensor<?x2xf32>
}

// Defaults are not printed.
// CHECK-LABEL: func.func @conv2d
// CHECK: bcr.conv2d ins(%{{.*}} : tensor<2x4x9x8xf32>) weights(%{{.*}} : tensor<6x2x3x2xf32>) outs(%{{.*}} : tensor<2x6x4x4xf32>) {dilations = array<i64: 2, 3>, groups = 2 : i64, kernel = array<i64: 3, 2>, padding = array<i64: 1, 0, 1, 2>, strides = array<i64: 2, 2>} -> tensor<2x6x4x4xf32>
// CHECK: bcr.conv2d ins(%{{.*}} : tensor<2x4x9x8xf32>) weights(%{{.*}} : !bcr.packed<5x4xf32>) outs(%{{.*}} : tensor<2x5x9x8xf32>) {kernel = array<i64: 1, 1>} -> tensor<2x5x9x8xf32>
func.func @conv2d(%x: tensor<2x4x9x8xf32>, %d: tensor<6x2x3x2xf32>, %w: !bcr.packed<5x4xf32>,
                  %o: tensor<2x6x4x4xf32>, %p: tensor<2x5x9x8xf32>) -> (tensor<2x6x4x4xf32>, tensor<2x5x9x8xf32>) {
  %y = bcr.conv2d ins(%x : tensor<2x4x9x8xf32>) weights(%d : tensor<6x2x3x2xf32>) outs(%o : tensor<2x6x4x4xf32>)
         {kernel = array<i64: 3, 2>, strides = array<i64: 2, 2>, padding = array<i64: 1, 0, 1, 2>,
          dilations = array<i64: 2, 3>, groups = 2 : i64} -> tensor<2x6x4x4xf32>
  %z = bcr.conv2d ins(%x : tensor<2x4x9x8xf32>) weights(%w : !bcr.packed<5x4xf32>) outs(%p : tensor<2x5x9x8xf32>)
         {kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>} -> tensor<2x5x9x8xf32>
  return %y, %z : tensor<2x6x4x4xf32>, tensor<2x5x9x8xf32>
}

// Poolings, with every attribute and with none but what they need.
// CHECK-LABEL: func.func @poolings
// CHECK: bcr.pool2d ins(%{{.*}} : tensor<?x2x9x8xf32>) outs(%{{.*}} : tensor<?x2x4x4xf32>) {dilations = array<i64: 2, 1>, divisor = 6.000000e+00 : f32, kernel = array<i64: 3, 2>, kind = #bcr.pool<sum>, padding = array<i64: 1, 0, 1, 1>, strides = array<i64: 2, 2>} -> tensor<?x2x4x4xf32>
// CHECK: bcr.pool2d ins(%{{.*}} : memref<1x2x4x4xf32>) outs(%{{.*}} : memref<1x2x3x3xf32>) {kernel = array<i64: 2, 2>, kind = #bcr.pool<max>}
func.func @poolings(%x: tensor<?x2x9x8xf32>, %o: tensor<?x2x4x4xf32>, %a: memref<1x2x4x4xf32>, %b: memref<1x2x3x3xf32>) -> tensor<?x2x4x4xf32> {
  %y = bcr.pool2d ins(%x : tensor<?x2x9x8xf32>) outs(%o : tensor<?x2x4x4xf32>)
         {kind = #bcr.pool<sum>, divisor = 6.0 : f32, kernel = array<i64: 3, 2>, strides = array<i64: 2, 2>,
          padding = array<i64: 1, 0, 1, 1>, dilations = array<i64: 2, 1>} -> tensor<?x2x4x4xf32>
  bcr.pool2d ins(%a : memref<1x2x4x4xf32>) outs(%b : memref<1x2x3x3xf32>) {kind = #bcr.pool<max>, kernel = array<i64: 2, 2>}
  return %y : tensor<?x2x4x4xf32>
}

// CHECK-LABEL: func.func @memrefs
// CHECK: bcr.matmul ins(%{{.*}} : memref<1x2xf32, strided<[2, 1], offset: ?>>) weights(%{{.*}} : !bcr.packed<2x2xf32>) outs(%{{.*}} : memref<1x2xf32>) {chunks = array<i64: 0, 1>}
func.func @memrefs(%x: memref<1x2xf32, strided<[2, 1], offset: ?>>, %o: memref<1x2xf32>) {
  %w = bcr.constant {block = array<i64: 1, 2>, groups = dense<[[0, 1, 0, 1], [1, 1, 0, 1]]> : tensor<2x4xi32>,
    rows = dense<[1, 0]> : tensor<2xi16>, columns = dense<[1]> : tensor<1xi16>,
    values = dense<[1.0, 2.0]> : tensor<2xf32>} : !bcr.packed<2x2xf32>
  bcr.matmul ins(%x : memref<1x2xf32, strided<[2, 1], offset: ?>>) weights(%w : !bcr.packed<2x2xf32>)
    outs(%o : memref<1x2xf32>) {chunks = array<i64: 0, 1>}
  return
}

{-# dialect_resources: { builtin: { packed.values: "0x040000000000803F00000040" } } #-}
