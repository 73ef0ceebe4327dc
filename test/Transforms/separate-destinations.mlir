// RUN: bcr-opt %s --bcr-separate-destinations | FileCheck %s
// RUN: bcr-opt %s --bcr-separate-destinations --one-shot-bufferize=bufferize-function-boundaries | FileCheck %s --check-prefix=BUFFERS

// Two fills of one tensor whose size is known at run time: each
// gets a tensor of its own, and bufferization copies nothing.
// CHECK-LABEL: func.func @main
// CHECK-SAME: %[[N:[a-z0-9]+]]: index
// CHECK-DAG: %[[A:.*]] = tensor.empty(%[[N]])
// CHECK-DAG: %[[B:.*]] = tensor.empty(%[[N]])
// CHECK-DAG: linalg.fill {{.*}} outs(%[[A]]
// CHECK-DAG: linalg.fill {{.*}} outs(%[[B]]
// CHECK: return
// BUFFERS-COUNT-2: memref.alloc
// BUFFERS-NOT: memref.copy
func.func @main(%n: index, %x: f32, %y: f32) -> (tensor<?xf32>, tensor<?xf32>) {
  %e = tensor.empty(%n) : tensor<?xf32>
  %0 = linalg.fill ins(%x : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  %1 = linalg.fill ins(%y : f32) outs(%e : tensor<?xf32>) -> tensor<?xf32>
  return %0, %1 : tensor<?xf32>, tensor<?xf32>
}
