// RUN: bcr-opt %s --bcr-narrow-storage --split-input-file --remarks-filter=bcr-narrow-storage --verify-diagnostics | FileCheck %s
// RUN: bcr-opt %s --bcr-narrow-storage=activations=false --split-input-file | FileCheck %s --check-prefix=WEIGHTS

// Weights are rounded to nearest, ties to even: 1 + 1/2048 becomes 1, 1 + 3/2048 becomes 1 + 1/512. A bias and a vector
// that is no layer's stay as they are. What a layer reads is stored as half floats, what it computes with is not.
// CHECK-LABEL: module @weights attributes
// CHECK-SAME:    conv = {storage = "f16", value_bytes = 6 : i64}
// CHECK:         memref.global "private" constant @conv.values : memref<3xf16> = dense<[1.000000e+00, 1.001950e+00, -5.960460e-08]>
// CHECK:         memref.global "private" constant @conv.bias : memref<3xf32>
// CHECK:         memref.global "private" constant @table : memref<2x2xf16> = dense<{{\[\[}}5.000000e-01, 6.550400e+04], [0xFC00, -2.000000e+00]]>
// CHECK-LABEL:   func.func @main(
// CHECK:           %[[X:.*]] = memref.alloc() : memref<8xf16>
// CHECK:           %[[VIEW:.*]] = memref.reinterpret_cast %[[X]] to offset: [2], sizes: [6], strides: [1] : memref<8xf16> to memref<6xf16, strided<[1], offset: 2>>
// CHECK:           gpu.launch
// CHECK:             %[[F:.*]] = memref.load %{{.*}} : memref<2x2xf16>
// CHECK:             %[[WIDE:.*]] = arith.extf %[[F]] : f16 to f32
// CHECK:             %[[SUM:.*]] = arith.addf %[[WIDE]], %[[WIDE]] : f32
// CHECK:             %[[SHORT:.*]] = arith.truncf %[[SUM]] : f32 to f16
// CHECK:             memref.store %[[SHORT]], %[[VIEW]]
// CHECK:           gpu.launch
// CHECK:             %[[W:.*]] = vector.load %{{.*}} : memref<3xf16>, vector<2xf16>
// CHECK:             arith.extf %[[W]] : vector<2xf16> to vector<2xf32>
// CHECK:             memref.load %{{.*}} : memref<3xf32>
// CHECK:             %[[V:.*]] = memref.load %[[X]]{{.*}} : memref<8xf16>
// CHECK:             arith.extf %[[V]] : f16 to f32
// CHECK:             memref.store %{{.*}} : memref<8xf32>

// WEIGHTS-LABEL: module @weights
// WEIGHTS:         @conv.values : memref<3xf16>
// WEIGHTS:         memref.alloc() : memref<8xf32>
module @weights attributes {bcr.layers = {conv = {value_bytes = 12 : i64}}} {
  memref.global "private" constant @conv.values : memref<3xf32> = dense<[1.00048828125, 1.00146484375, -5.0e-08]>
  memref.global "private" constant @conv.bias : memref<3xf32> = dense<[1.00048828125, 2.0, 3.0]>
  memref.global "private" constant @table : memref<2x2xf32> = dense<[[0.5, 65504.0], [0xFF800000, -2.0]]>
  func.func @main(%y: memref<8xf32> {bcr.output}) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %values = memref.get_global @conv.values : memref<3xf32>
    %bias = memref.get_global @conv.bias : memref<3xf32>
    %table = memref.get_global @table : memref<2x2xf32>
    %x = memref.alloc() : memref<8xf32>
    %view = memref.reinterpret_cast %x to offset: [2], sizes: [6], strides: [1] : memref<8xf32> to memref<6xf32, strided<[1], offset: 2>>
    gpu.launch blocks(%a, %b, %c) in (%d = %c1, %e = %c1, %f = %c1) threads(%g, %h, %i) in (%j = %c1, %k = %c1, %l = %c1) {
      %v = memref.load %table[%c0, %c1] : memref<2x2xf32>
      %sum = arith.addf %v, %v : f32
      memref.store %sum, %view[%c0] : memref<6xf32, strided<[1], offset: 2>>
      gpu.terminator
    } {bcr.kernel = "loops"}
    gpu.launch blocks(%a, %b, %c) in (%d = %c1, %e = %c1, %f = %c1) threads(%g, %h, %i) in (%j = %c1, %k = %c1, %l = %c1) {
      %w = vector.load %values[%c1] : memref<3xf32>, vector<2xf32>
      %w1 = vector.extract %w[1] : f32 from vector<2xf32>
      %b0 = memref.load %bias[%c0] : memref<3xf32>
      %v = memref.load %x[%c1] : memref<8xf32>
      %p = math.fma %w1, %v, %b0 : f32
      memref.store %p, %y[%c0] : memref<8xf32>
      gpu.terminator
    } {bcr.kernel = "conv"}
    memref.dealloc %x : memref<8xf32>
    return
  }
}

// -----

// Sums in memory, buffers that are marked to have some, states that a loop carries on and what no layer touches stay f32; so does a constant that a half float
// cannot hold.
// CHECK-LABEL: module @kept
// CHECK-SAME:    fc = {value_bytes = 8 : i64}
// CHECK:         @fc.values : memref<2xf32>
// CHECK-LABEL:   func.func @main(
// CHECK-COUNT-3:   memref.alloc() : memref<4xf32>
// CHECK:           memref.alloc() {bcr.sums} : memref<4xf32>
// CHECK-NOT:       f16
module @kept attributes {bcr.layers = {fc = {value_bytes = 8 : i64}}} {
  // expected-remark@below {{constant fc.values stays f32: a half float ends at 65504}}
  memref.global "private" constant @fc.values : memref<2xf32> = dense<[1.0, 7.0e+04]>
  func.func @main(%y: memref<4xf32> {bcr.output}) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c7 = arith.constant 7 : index
    %values = memref.get_global @fc.values : memref<2xf32>
    %sum = memref.alloc() : memref<4xf32>
    %state = memref.alloc() : memref<4xf32>
    %other = memref.alloc() : memref<4xf32>
    %marked = memref.alloc() {bcr.sums} : memref<4xf32>
    gpu.launch blocks(%a, %b, %c) in (%d = %c1, %e = %c1, %f = %c1) threads(%g, %h, %i) in (%j = %c1, %k = %c1, %l = %c1) {
      %w = memref.load %values[%c1] : memref<2xf32>
      %v = memref.load %sum[%c0] : memref<4xf32>
      %next = arith.addf %v, %w : f32
      memref.store %next, %sum[%c0] : memref<4xf32>
      memref.store %next, %state[%c1] : memref<4xf32>
      memref.store %next, %marked[%c1] : memref<4xf32>
      gpu.terminator
    } {bcr.kernel = "fc"}
    scf.for %turn = %c0 to %c7 step %c1 {
      gpu.launch blocks(%a, %b, %c) in (%d = %c1, %e = %c1, %f = %c1) threads(%g, %h, %i) in (%j = %c1, %k = %c1, %l = %c1) {
        %v = memref.load %state[%c1] : memref<4xf32>
        memref.store %v, %other[%c1] : memref<4xf32>
        gpu.terminator
      } {bcr.kernel = "loops"}
    }
    gpu.launch blocks(%a, %b, %c) in (%d = %c1, %e = %c1, %f = %c1) threads(%g, %h, %i) in (%j = %c1, %k = %c1, %l = %c1) {
      %v = memref.load %other[%c1] : memref<4xf32>
      memref.store %v, %y[%c1] : memref<4xf32>
      gpu.terminator
    } {bcr.kernel = "loops"}
    return
  }
}
