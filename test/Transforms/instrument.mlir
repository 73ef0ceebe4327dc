// RUN: bcr-opt %s -bcr-instrument -split-input-file -verify-diagnostics | FileCheck %s
// RUN: bcr-opt %s -bcr-instrument=counter=steady -split-input-file -verify-diagnostics | FileCheck %s --check-prefix=STEADY

// The layers are stamped in order, the function around them; a layer without a
// name is not.
// CHECK: module attributes {bcr.layers = {
// CHECK-SAME: conv = {positions = 25 : i64, profile_slot = 1 : i64}
// CHECK-SAME: fc = {positions = -1 : i64, profile_slot = 2 : i64}
// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[P:[a-z0-9]+]]: memref<?xi64> {bcr.profile})
// CHECK: %[[N:.*]] = memref.dim %[[P]]
// CHECK: %[[ON:.*]] = arith.cmpi ne, %[[N]]
// CHECK: scf.if %[[ON]] {
// CHECK-NEXT: %[[T:.*]] = llvm.call_intrinsic "llvm.readcyclecounter"() : () -> i64
// STEADY: llvm.readsteadycounter
// CHECK-NEXT: %[[I:.*]] = arith.constant 0 : index
// CHECK-NEXT: memref.store %[[T]], %[[P]][%[[I]]]
// CHECK: arith.constant 2 : index
// CHECK: bcr.conv2d
// CHECK: arith.constant 3 : index
// CHECK: arith.constant 4 : index
// CHECK: bcr.matmul {{.*}}layer = "fc"
// CHECK: arith.constant 5 : index
// CHECK-NOT: llvm.call_intrinsic
// CHECK: bcr.matmul
// CHECK: arith.constant 1 : index
// CHECK: return
module {
  func.func @main(%x: memref<1x2x5x5xf32>, %w: memref<4x2x1x1xf32>, %o: memref<1x4x5x5xf32>,
                  %a: memref<?x3xf32>, %v: memref<6x3xf32>, %b: memref<?x6xf32>) {
    bcr.conv2d ins(%x : memref<1x2x5x5xf32>) weights(%w : memref<4x2x1x1xf32>) outs(%o : memref<1x4x5x5xf32>) {kernel = array<i64: 1, 1>, layer = "conv"}
    bcr.matmul ins(%a : memref<?x3xf32>) weights(%v : memref<6x3xf32>) outs(%b : memref<?x6xf32>) {layer = "fc"}
    bcr.matmul ins(%a : memref<?x3xf32>) weights(%v : memref<6x3xf32>) outs(%b : memref<?x6xf32>)
    return
  }
}

// -----

// A projection is part of its layer's time, and runs once a step.
// CHECK: module attributes {bcr.layers = {
// CHECK-SAME: hr = {positions = 15 : i64}
// CHECK-SAME: rnn = {positions = 15 : i64, profile_slot = 1 : i64}
// CHECK: arith.constant 2 : index
// CHECK: bcr.recurrent
// CHECK-NOT: llvm.call_intrinsic
// CHECK: bcr.yield
// CHECK: arith.constant 3 : index
module {
  func.func @main(%x: memref<5x3x8xf32>, %h: memref<3x1xf32>, %c: memref<3x2xf32>, %w: memref<8x1xf32>, %p: memref<1x2xf32>,
                  %u: memref<3x2xf32>, %d: memref<3x1xf32>, %o: memref<5x3x1xf32>, %e: memref<3x2xf32>) {
    bcr.recurrent ins(%x : memref<5x3x8xf32>) states(%h, %c : memref<3x1xf32>, memref<3x2xf32>)
      weights(%w : memref<8x1xf32>) scratch(%u, %d : memref<3x2xf32>, memref<3x1xf32>)
      outs(%o, %e : memref<5x3x1xf32>, memref<3x2xf32>) {cell = #bcr.cell<lstm>, layer = "rnn"} projection {
      bcr.matmul ins(%u : memref<3x2xf32>) weights(%p : memref<1x2xf32>) outs(%d : memref<3x1xf32>) {layer = "hr"}
      bcr.yield
    }
    return
  }
}

// -----

// expected-error @+1 {{bcr-instrument: the module has no @main}}
module {
}
