// RUN: bcr-opt %s --bcr-emit-schedule --split-input-file --verify-diagnostics | FileCheck %s

// Memory is named by its argument of @main; an offset of memref.view is an address, one of a type is the kernel's, and
// the size covers it. A loop of no turn is no entry. `loads` and `stores` say what becomes of it, views in kernels included.

// CHECK: module @network attributes {bcr.schedule = [
// CHECK-SAME: {arguments = {{\[\[}}"input", 1, 0, 36], ["weights", 0, 128, 20], ["arena", 0, 256, 56]], groups = array<i64: 3, 5, 7>, kernel = "k", label = "layer", loads = array<i64: 1>, local = array<i64: 16, 1, 1>, stores = array<i64: 2>},
// CHECK-SAME: {body = [
// CHECK-SAME:   {arguments = {{\[\[}}"output", 0, 0, 36], ["turn", 0, 0, 8]], groups = array<i64: 2, 1, 1>, kernel = "step", label = "", loads = array<i64: 0>, local = array<i64: 4, 1, 1>, stores = array<i64: 0>},
// CHECK-SAME:   {body = [{arguments = {{\[\[}}"output", 0, 0, 36], ["turn", 1, 0, 8]],
// CHECK-SAME:   }], repeat = 2 : i64}
// CHECK-SAME: ], repeat = 6 : i64},
// CHECK-SAME: {arguments = {{\[\[}}"status", 0, 0, 4], ["output", 1, 0, 1]], {{.*}}loads = array<i64>, {{.*}}stores = array<i64>}
// CHECK-NOT: func.func @main
module @network attributes {gpu.container_module} {
  gpu.module @kernels {
    gpu.func @k(%a: memref<9xf32>, %b: memref<5xf32>, %c: memref<3xf32, strided<[4], offset: 5>>) kernel {
      %c0 = arith.constant 0 : index
      %v = memref.load %b[%c0] : memref<5xf32>
      %rest = memref.subview %c[1] [2] [1]
        : memref<3xf32, strided<[4], offset: 5>> to memref<2xf32, strided<[4], offset: 9>>
      memref.store %v, %rest[%c0] : memref<2xf32, strided<[4], offset: 9>>
      gpu.return
    }
    gpu.func @step(%a: memref<9xf32>, %turn: index) kernel {
      %v = memref.load %a[%turn] : memref<9xf32>
      memref.store %v, %a[%turn] : memref<9xf32>
      gpu.return
    }
    gpu.func @check(%a: memref<i32>, %b: memref<i8>) kernel {
      gpu.return
    }
  }
  func.func @main(%u: memref<2xf32>, %x: memref<9xf32>, %y: memref<9xf32> {bcr.output}, %b: memref<i8> {bcr.output},
                  %status: memref<i32> {bcr.status}, %pool: memref<256xi8> {bcr.pool}, %arena: memref<512xi8> {bcr.arena}) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    %c2 = arith.constant 2 : index
    %c3 = arith.constant 3 : index
    %c4 = arith.constant 4 : index
    %c5 = arith.constant 5 : index
    %c6 = arith.constant 6 : index
    %c7 = arith.constant 7 : index
    %c16 = arith.constant 16 : index
    %c128 = arith.constant 128 : index
    %c256 = arith.constant 256 : index
    %p = memref.assume_alignment %pool, 128 : memref<256xi8>
    %w = memref.view %p[%c128][] : memref<256xi8> to memref<5xf32>
    %a = memref.view %arena[%c256][] : memref<512xi8> to memref<20xf32>
    %part = memref.subview %a[5] [3] [4] : memref<20xf32> to memref<3xf32, strided<[4], offset: 5>>
    gpu.launch_func @kernels::@k blocks in (%c3, %c5, %c7) threads in (%c16, %c1, %c1)
      args(%x : memref<9xf32>, %w : memref<5xf32>, %part : memref<3xf32, strided<[4], offset: 5>>) {bcr.kernel = "layer"}
    scf.for %i = %c0 to %c0 step %c1 {
      gpu.launch_func @kernels::@step blocks in (%c3, %c1, %c1) threads in (%c4, %c1, %c1)
        args(%y : memref<9xf32>, %i : index)
    }
    scf.for %i = %c0 to %c6 step %c1 {
      gpu.launch_func @kernels::@step blocks in (%c2, %c1, %c1) threads in (%c4, %c1, %c1)
        args(%y : memref<9xf32>, %i : index)
      scf.for %j = %c0 to %c2 step %c1 {
        gpu.launch_func @kernels::@step blocks in (%c2, %c1, %c1) threads in (%c4, %c1, %c1)
          args(%y : memref<9xf32>, %i : index)
      }
    }
    gpu.launch_func @kernels::@check blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1)
      args(%status : memref<i32>, %b : memref<i8>)
    return
  }
}

// -----

func.func @main(%x: memref<9xf32>, %y: memref<9xf32> {bcr.output}) {
  // expected-error @below {{is left for the host, which only enqueues kernels}}
  memref.copy %x, %y : memref<9xf32> to memref<9xf32>
  return
}

// -----

module attributes {gpu.container_module} {
  gpu.module @kernels {
    gpu.func @k(%a: memref<9xf32>) kernel {
      gpu.return
    }
  }
  func.func @main(%pool: memref<256xi8> {bcr.pool}, %at: index) {
    %c1 = arith.constant 1 : index
    %w = memref.view %pool[%at][] : memref<256xi8> to memref<9xf32>
    // expected-error @below {{has an argument whose address is not known when the model is compiled}}
    gpu.launch_func @kernels::@k blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%w : memref<9xf32>)
    return
  }
}

// -----

module attributes {gpu.container_module} {
  gpu.module @kernels {
    gpu.func @k(%a: memref<9xf32>) kernel {
      gpu.return
    }
  }
  func.func @main(%x: memref<9xf32>, %size: index) {
    %c0 = arith.constant 0 : index
    %c1 = arith.constant 1 : index
    // expected-error @below {{is left for the host, which repeats launches as often as was known when the model was compiled}}
    scf.for %i = %c0 to %size step %c1 {
      gpu.launch_func @kernels::@k blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%x : memref<9xf32>)
    }
    return
  }
}

// -----

module attributes {gpu.container_module} {
  gpu.module @kernels {
    gpu.func @k(%a: memref<2xf32, strided<[1], offset: ?>>) kernel {
      gpu.return
    }
  }
  func.func @main(%x: memref<9xf32>, %at: index) {
    %c1 = arith.constant 1 : index
    %part = memref.subview %x[%at] [2] [1] : memref<9xf32> to memref<2xf32, strided<[1], offset: ?>>
    // expected-error @below {{has an argument of type 'memref<2xf32, strided<[1], offset: ?>>', whose place is not known when the model is compiled}}
    gpu.launch_func @kernels::@k blocks in (%c1, %c1, %c1) threads in (%c1, %c1, %c1) args(%part : memref<2xf32, strided<[1], offset: ?>>)
    return
  }
}

// -----

module attributes {gpu.container_module} {
  gpu.module @kernels {
    gpu.func @k(%a: memref<9xf32>) kernel {
      gpu.return
    }
  }
  func.func @main(%x: memref<9xf32>, %size: index) {
    %c1 = arith.constant 1 : index
    // expected-error @below {{has a number of groups that is not known when the model is compiled}}
    gpu.launch_func @kernels::@k blocks in (%size, %c1, %c1) threads in (%c1, %c1, %c1) args(%x : memref<9xf32>)
    return
  }
}
