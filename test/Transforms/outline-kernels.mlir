// RUN: bcr-opt %s --bcr-outline-kernels --split-input-file --verify-diagnostics | FileCheck %s

// Launches that differ only in the memory they are given and the number of their groups share a kernel; one of another group size has its own. Constants
// move in. The number of a host loop's turn becomes an argument.

// CHECK: module attributes {gpu.container_module}
// CHECK-LABEL: func.func @main(
// CHECK-SAME:    %[[X:.*]]: memref<9xf32>, %[[Y:.*]]: memref<9xf32>, %[[Z:.*]]: memref<9xf32>)
// CHECK:         gpu.launch_func @kernels::@k_features_0 blocks in {{.*}} args(%[[X]] : memref<9xf32>, %[[Y]] : memref<9xf32>) {bcr.kernel = "features.0"}
// CHECK:         gpu.launch_func @kernels::@k_features_0 blocks in {{.*}} args(%[[Y]] : memref<9xf32>, %[[Z]] : memref<9xf32>) {bcr.kernel = "features.1"}
// CHECK:         gpu.launch_func @kernels::@k_features_2 blocks in {{.*}} args(%[[Y]] : memref<9xf32>, %[[Z]] : memref<9xf32>) {bcr.kernel = "features.2"}
// CHECK:         scf.for %[[TURN:.*]] =
// CHECK:           gpu.launch_func @kernels::@k_kernel blocks in {{.*}} args(%{{.*}} : memref<9xf32>, %[[TURN]] : index)
// CHECK:       gpu.module @kernels {
// CHECK:         gpu.func @k_features_0(%[[A:.*]]: memref<9xf32>, %[[B:.*]]: memref<9xf32>) kernel
// CHECK-SAME:      spirv.entry_point_abi = #spirv.entry_point_abi<workgroup_size = [16, 1, 1]>
// CHECK:           %[[C2:.*]] = arith.constant 2.0{{.*}} : f32
// CHECK:           %[[V:.*]] = memref.load %[[A]]
// CHECK:           %[[P:.*]] = arith.mulf %[[V]], %[[C2]]
// CHECK:           memref.store %[[P]], %[[B]]
// CHECK-NOT:     gpu.func @k_features_1
// CHECK:         gpu.func @k_features_2
// CHECK-SAME:      workgroup_size = [32, 1, 1]
// CHECK:         gpu.func @k_kernel(%{{.*}}: memref<9xf32>, %{{.*}}: index)
func.func @main(%x: memref<9xf32>, %y: memref<9xf32>, %z: memref<9xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c9 = arith.constant 9 : index
  %c16 = arith.constant 16 : index
  %c32 = arith.constant 32 : index
  %two = arith.constant 2.0 : f32
  gpu.launch blocks(%bx, %by, %bz) in (%gx = %c1, %gy = %c1, %gz = %c1)
             threads(%tx, %ty, %tz) in (%lx = %c16, %ly = %c1, %lz = %c1) {
    %v = memref.load %x[%tx] : memref<9xf32>
    %p = arith.mulf %v, %two : f32
    memref.store %p, %y[%tx] : memref<9xf32>
    gpu.terminator
  } {bcr.kernel = "features.0"}
  gpu.launch blocks(%bx, %by, %bz) in (%gx = %c9, %gy = %c1, %gz = %c1)
             threads(%tx, %ty, %tz) in (%lx = %c16, %ly = %c1, %lz = %c1) {
    %v = memref.load %y[%tx] : memref<9xf32>
    %p = arith.mulf %v, %two : f32
    memref.store %p, %z[%tx] : memref<9xf32>
    gpu.terminator
  } {bcr.kernel = "features.1"}
  gpu.launch blocks(%bx, %by, %bz) in (%gx = %c1, %gy = %c1, %gz = %c1)
             threads(%tx, %ty, %tz) in (%lx = %c32, %ly = %c1, %lz = %c1) {
    %v = memref.load %y[%tx] : memref<9xf32>
    %p = arith.mulf %v, %two : f32
    memref.store %p, %z[%tx] : memref<9xf32>
    gpu.terminator
  } {bcr.kernel = "features.2"}
  scf.for %turn = %c0 to %c9 step %c1 {
    gpu.launch blocks(%bx, %by, %bz) in (%gx = %c1, %gy = %c1, %gz = %c1)
               threads(%tx, %ty, %tz) in (%lx = %c1, %ly = %c1, %lz = %c1) {
      memref.store %two, %z[%turn] : memref<9xf32>
      gpu.terminator
    }
  }
  return
}

// -----

// Single elements in the middle of a buffer are accessed by an index: what has no dimensions would be taken to begin where the buffer does.

// CHECK-LABEL: func.func @main(
// CHECK-SAME:    %[[X:.*]]: memref<9xf32>, %[[Y:.*]]: memref<2x9xf32>)
// CHECK:         %[[FROM:.*]] = memref.subview %[[X]][3] [1] [1]
// CHECK:         %[[TO:.*]] = memref.subview %[[Y]][1, 4] [1, 1] [1, 1] : memref<2x9xf32> to memref<1x1xf32, {{.*}}>
// CHECK:         gpu.launch_func {{.*}} args(%[[FROM]] : memref<1xf32, {{.*}}>, %[[TO]] : memref<1x1xf32, {{.*}}>)
// CHECK:         gpu.func @k_kernel(%[[A:.*]]: memref<1xf32, {{.*}}>, %[[B:.*]]: memref<1x1xf32, {{.*}}>)
// CHECK:           %[[V:.*]] = memref.load %[[A]][%{{.*}}]
// CHECK:           memref.store %[[V]], %[[B]][%{{.*}}, %{{.*}}]
func.func @main(%x: memref<9xf32>, %y: memref<2x9xf32>) {
  %c1 = arith.constant 1 : index
  %part = memref.subview %x[3] [1] [1] : memref<9xf32> to memref<1xf32, strided<[1], offset: 3>>
  %from = memref.collapse_shape %part [] : memref<1xf32, strided<[1], offset: 3>> into memref<f32, strided<[], offset: 3>>
  %to = memref.subview %y[1, 4] [1, 1] [1, 1] : memref<2x9xf32> to memref<f32, strided<[], offset: 13>>
  gpu.launch blocks(%bx, %by, %bz) in (%gx = %c1, %gy = %c1, %gz = %c1)
             threads(%tx, %ty, %tz) in (%lx = %c1, %ly = %c1, %lz = %c1) {
    %v = memref.load %from[] : memref<f32, strided<[], offset: 3>>
    memref.store %v, %to[] : memref<f32, strided<[], offset: 13>>
    gpu.terminator
  }
  return
}

// -----

func.func @main(%x: memref<f32>, %y: memref<9xf32>) {
  %c1 = arith.constant 1 : index
  %v = memref.load %x[] : memref<f32>
  // expected-error @below {{uses a number of type 'f32' that only the host could compute}}
  gpu.launch blocks(%bx, %by, %bz) in (%gx = %c1, %gy = %c1, %gz = %c1)
             threads(%tx, %ty, %tz) in (%lx = %c1, %ly = %c1, %lz = %c1) {
    memref.store %v, %y[%tx] : memref<9xf32>
    gpu.terminator
  }
  return
}

// -----

func.func @main(%x: memref<i1>, %y: memref<9xi1>) {
  %c1 = arith.constant 1 : index
  %v = memref.load %x[] : memref<i1>
  scf.if %v {
    // expected-error @below {{is inside of a branch or a parallel loop}}
    gpu.launch blocks(%bx, %by, %bz) in (%gx = %c1, %gy = %c1, %gz = %c1)
               threads(%tx, %ty, %tz) in (%lx = %c1, %ly = %c1, %lz = %c1) {
      %true = arith.constant true
      memref.store %true, %y[%tx] : memref<9xi1>
      gpu.terminator
    }
  }
  return
}

// -----

func.func @main(%x: memref<9xf32>, %size: index) {
  %c1 = arith.constant 1 : index
  %one = arith.constant 1.0 : f32
  // expected-error @below {{has a number of work-items that is not known when the model is compiled}}
  gpu.launch blocks(%bx, %by, %bz) in (%gx = %c1, %gy = %c1, %gz = %c1)
             threads(%tx, %ty, %tz) in (%lx = %size, %ly = %c1, %lz = %c1) {
    memref.store %one, %x[%tx] : memref<9xf32>
    gpu.terminator
  }
  return
}
