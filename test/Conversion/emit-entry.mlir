// RUN: bcr-opt %s -bcr-emit-entry -split-input-file -verify-diagnostics | FileCheck %s

// Pointers in the order of inputs and outputs; sizes in the order of arguments.
// CHECK: func.func private @main
// CHECK-SAME: llvm.linkage = #llvm.linkage<internal>
// CHECK: func.func @bcr_run(%[[IN:[a-z0-9_]+]]: !llvm.ptr, %[[OUT:[a-z0-9_]+]]: !llvm.ptr, %[[POOL:[a-z0-9_]+]]: !llvm.ptr, %[[WORKSPACE:[a-z0-9_]+]]: !llvm.ptr, %[[DIMS:[a-z0-9_]+]]: !llvm.ptr, %[[STAMPS:[a-z0-9_]+]]: !llvm.ptr) -> i32
// CHECK: llvm.getelementptr %[[IN]][0]
// CHECK: llvm.getelementptr %[[DIMS]][0]
// CHECK: %[[X:[a-z0-9_]+]] = builtin.unrealized_conversion_cast %{{.*}} to memref<?x3xf32>
// CHECK: llvm.getelementptr %[[IN]][1]
// CHECK: %[[N:[a-z0-9_]+]] = builtin.unrealized_conversion_cast %{{.*}} : i64 to index
// CHECK: llvm.getelementptr %[[OUT]][0]
// CHECK: llvm.getelementptr %[[DIMS]][1]
// CHECK: %[[Y:[a-z0-9_]+]] = builtin.unrealized_conversion_cast %{{.*}} to memref<?x3xf32>
// CHECK: %[[STATUS:[a-z0-9_]+]] = memref.alloca() : memref<i32>
// CHECK: memref.store %{{.*}}, %[[STATUS]][]
// CHECK: llvm.insertvalue %[[WORKSPACE]], %{{.*}}[1]
// CHECK: %[[A:[a-z0-9_]+]] = builtin.unrealized_conversion_cast %{{.*}} to memref<64xi8>
// CHECK: llvm.insertvalue %[[POOL]], %{{.*}}[1]
// CHECK: %[[W:[a-z0-9_]+]] = builtin.unrealized_conversion_cast %{{.*}} to memref<128xi8>
// CHECK: call @main(%[[X]], %[[N]], %[[Y]], %[[STATUS]], %[[A]], %[[W]])
// CHECK: %[[CODE:[a-z0-9_]+]] = memref.load %[[STATUS]][]
// CHECK: return %[[CODE]]
func.func @main(%x: memref<?x3xf32>, %n: index, %y: memref<?x3xf32> {bcr.output},
                %status: memref<i32> {bcr.status}, %arena: memref<64xi8> {bcr.arena},
                %pool: memref<128xi8> {bcr.pool}) {
  return
}

// -----

// Without checks the status is zero.
// CHECK: func.func @bcr_run
// CHECK: %[[ZERO:[a-z0-9_]+]] = llvm.mlir.constant(0 : i32)
// CHECK: return %[[ZERO]]
func.func @main() {
  return
}

// -----

// expected-error @+1 {{bcr-destinations goes before bcr-emit-entry}}
func.func @main(%x: memref<4xf32>) -> memref<4xf32> {
  return %x : memref<4xf32>
}

// -----

// expected-error @+1 {{argument 1 is 'memref<4xf32, strided<[2]>>', which is neither a row-major memref nor a number}}
func.func @main(%n: f64, %x: memref<4xf32, strided<[2]>>) {
  return
}

// -----

// expected-error @+1 {{argument 0 is 'tensor<4xf32>'}}
func.func @main(%x: tensor<4xf32>) {
  return
}

// -----

// expected-error @+1 {{the module already has a symbol bcr_run}}
module {
  func.func @main() { return }
  func.func private @bcr_run()
}
