// RUN: bcr-opt %s -bcr-pool-constants=min-bytes=12 -split-input-file -verify-diagnostics | FileCheck %s

// Equal constants share a place unless their bounds differ; offsets are multiples
// of 64; a splat is stored in full; a small constant stays.
// CHECK: bcr.pool = [
// CHECK-SAME: {bytes = 12 : i64, dtype = f32, name = "first", offset = 0 : i64, value = dense<[1.000000e+00, 2.000000e+00, 3.000000e+00]> : tensor<3xf32>}
// CHECK-SAME: {bound = 9 : i64, bytes = 12 : i64, dtype = i16, name = "rows", offset = 64 : i64
// CHECK-SAME: {bytes = 12 : i64, dtype = i16, name = "unbounded", offset = 128 : i64
// CHECK-SAME: {bytes = 80 : i64, dtype = f32, name = "splat", offset = 192 : i64, value = dense<5.000000e-01> : tensor<20xf32>}
// CHECK-SAME: bcr.pool_bytes = 320 : i64
// CHECK-NOT: memref.global "private" constant @first
// CHECK-NOT: memref.global "private" constant @second
// CHECK: memref.global "private" constant @small
memref.global "private" constant @first : memref<3xf32> = dense<[1.0, 2.0, 3.0]>
memref.global "private" constant @second : memref<3xf32> = dense<[1.0, 2.0, 3.0]>
memref.global "private" constant @rows : memref<6xi16> = dense<[0, 1, 2, 3, 4, 8]> {bcr.bound = 9 : i64}
memref.global "private" constant @unbounded : memref<6xi16> = dense<[0, 1, 2, 3, 4, 8]>
memref.global "private" constant @splat : memref<20xf32> = dense<0.5>
memref.global "private" constant @small : memref<2xf32> = dense<[8.0, 9.0]>

// A function that needs the pool gets it from its callers.
// CHECK: func.func private @helper(%[[I:[a-z0-9_]+]]: index, %[[POOL:[a-z0-9_]+]]: memref<320xi8> {bcr.pool})
// CHECK: %[[ALIGNED:[a-z0-9_]+]] = memref.assume_alignment %[[POOL]], 64
// CHECK: %[[OFFSET:[a-z0-9_]+]] = arith.constant 192 : index
// CHECK: %[[VIEW:[a-z0-9_]+]] = memref.view %[[ALIGNED]][%[[OFFSET]]][] : memref<320xi8> to memref<20xf32>
// CHECK: memref.load %[[VIEW]][%[[I]]]
func.func private @helper(%i: index) -> f32 {
  %0 = memref.get_global @splat : memref<20xf32>
  %1 = memref.load %0[%i] : memref<20xf32>
  return %1 : f32
}

// CHECK: func.func @main(%[[I:[a-z0-9_]+]]: index, %[[POOL:[a-z0-9_]+]]: memref<320xi8> {bcr.pool})
// CHECK: call @helper(%[[I]], %[[POOL]])
func.func @main(%i: index) -> (f32, f32, i16, i16, f32, f32) {
  %0 = memref.get_global @first : memref<3xf32>
  %1 = memref.get_global @second : memref<3xf32>
  %2 = memref.get_global @rows : memref<6xi16>
  %3 = memref.get_global @unbounded : memref<6xi16>
  %4 = memref.get_global @small : memref<2xf32>
  %a = memref.load %0[%i] : memref<3xf32>
  %b = memref.load %1[%i] : memref<3xf32>
  %c = memref.load %2[%i] : memref<6xi16>
  %d = memref.load %3[%i] : memref<6xi16>
  %e = memref.load %4[%i] : memref<2xf32>
  %f = call @helper(%i) : (index) -> f32
  return %a, %b, %c, %d, %e, %f : f32, f32, i16, i16, f32, f32
}

// -----

// Nothing to pool, nothing changes.
// CHECK-LABEL: func.func @main()
// CHECK-NOT: bcr.pool
func.func @main() {
  return
}

// -----

// expected-error @+1 {{has no data: resource 'absent' is not attached to the module}}
memref.global "private" constant @weights : memref<4xf32> = dense_resource<absent>
func.func @main() {
  %0 = memref.get_global @weights : memref<4xf32>
  return
}

// -----

memref.global "private" constant @weights : memref<4xf32> = dense<[1.0, 2.0, 3.0, 4.0]>
func.func private @helper() {
  %0 = memref.get_global @weights : memref<4xf32>
  return
}
func.func @main() {
  // expected-error @+1 {{uses function @helper, which needs the pool of constants, but is no func.call}}
  %0 = func.constant @helper : () -> ()
  return
}
