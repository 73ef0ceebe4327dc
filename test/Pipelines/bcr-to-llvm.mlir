// RUN: bcr-opt %s -pass-pipeline='builtin.module(bcr-to-llvm{triple=aarch64-linux-gnu cpu=cortex-a76})' | FileCheck %s
// RUN: bcr-opt %s -pass-pipeline='builtin.module(bcr-to-llvm{triple=x86_64-linux-gnu cpu=znver3 threads=2})' | FileCheck %s --check-prefix=THREADS
// RUN: bcr-opt %s -pass-pipeline='builtin.module(bcr-to-llvm{triple=aarch64-linux-gnu cpu=cortex-a76 threads=2})' | FileCheck %s --check-prefix=ARM
// RUN: bcr-opt %s -pass-pipeline='builtin.module(bcr-to-llvm{triple=aarch64-apple-darwin cpu=apple-m1 threads=2})' | FileCheck %s --check-prefix=DARWIN
// RUN: bcr-opt %s -pass-pipeline='builtin.module(bcr-to-llvm{triple=x86_64-linux-gnu stop-after=bufferize})' | FileCheck %s --check-prefix=BUFFERS
// RUN: not bcr-opt %s -pass-pipeline='builtin.module(bcr-to-llvm{triple=vax-dec-ultrix})' 2>&1 | FileCheck %s --check-prefix=TRIPLE
// RUN: not bcr-opt %s -pass-pipeline='builtin.module(bcr-to-llvm{triple=aarch64-linux-gnu cpu=cortex-a67})' 2>&1 | FileCheck %s --check-prefix=CPU
// RUN: not bcr-opt %s -pass-pipeline='builtin.module(bcr-to-llvm{triple=x86_64-linux-gnu cpu=x86-64 features=+avx3})' 2>&1 | FileCheck %s --check-prefix=FEATURE
// RUN: not bcr-opt %s -pass-pipeline='builtin.module(bcr-to-llvm{threads=0})' 2>&1 | FileCheck %s --check-prefix=NOTHREADS
// RUN: not bcr-opt %s -pass-pipeline='builtin.module(bcr-to-llvm{stop-after=tiles})' 2>&1 | FileCheck %s --check-prefix=STAGE
// RUN: not bcr-opt %s -pass-pipeline='builtin.module(bcr-to-llvm{sparsity=maybe})' 2>&1 | FileCheck %s --check-prefix=SPARSITY

// The LLVM dialect only, and no function but the C library's is needed.
// CHECK: bcr.arena = {{{.*}}unplanned = 0
// CHECK: bcr.pool = [{
// CHECK-NOT: {{^ *}}func.
// CHECK-NOT: @aligned_alloc
// CHECK-NOT: llvm.func @memrefCopy
// CHECK-DAG: llvm.func internal @main
// CHECK-DAG: llvm.func @bcr_run(%{{[a-z0-9_]+}}: !llvm.ptr, %{{[a-z0-9_]+}}: !llvm.ptr, %{{[a-z0-9_]+}}: !llvm.ptr, %{{[a-z0-9_]+}}: !llvm.ptr, %{{[a-z0-9_]+}}: !llvm.ptr, %{{[a-z0-9_]+}}: !llvm.ptr) -> i32
// CHECK-NOT: unrealized_conversion_cast

// THREADS: %[[FUTEX:[a-z0-9_]+]] = llvm.mlir.constant(202 : i64)
// THREADS: llvm.call @syscall(%[[FUTEX]],
// THREADS: omp.parallel
// ARM: %[[FUTEX:[a-z0-9_]+]] = llvm.mlir.constant(98 : i64)
// ARM: llvm.call @syscall(%[[FUTEX]],
// DARWIN: llvm.call @sched_yield()
// DARWIN-NOT: @syscall

// BUFFERS: func.func @main(%{{[a-z0-9_]+}}: memref<40x1000xf32>, %[[Y:[a-z0-9_]+]]: memref<40x1000xf32> {bcr.output})
// The result is computed where the caller wants it.
// BUFFERS: outs(%[[Y]] : memref<40x1000xf32>)
// BUFFERS-NOT: memref.copy

// TRIPLE: unknown target 'vax-dec-ultrix'
// CPU: unknown CPU 'cortex-a67' for target 'aarch64-unknown-linux-gnu'; the nearest names are cortex-a57
// FEATURE: unknown feature 'avx3' for target 'x86_64-unknown-linux-gnu'; the nearest names are avx
// NOTHREADS: threads must be between 1 and 1024, got 0
// STAGE: unknown stage 'tiles'; the stages are raise, select, compact, reorder, tile
// SPARSITY: Cannot find option named 'maybe'

func.func @main(%x: tensor<40x1000xf32>) -> tensor<40x1000xf32> {
  %zero = arith.constant 0.0 : f32
  %b = arith.constant dense<[
    1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0,
    1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0,
    1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0,
    1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]> : tensor<40xf32>
  %e = tensor.empty() : tensor<40x1000xf32>
  %s = tensor.empty() : tensor<40xf32>
  %f = linalg.fill ins(%zero : f32) outs(%s : tensor<40xf32>) -> tensor<40xf32>
  %0 = linalg.generic {
    indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
    iterator_types = ["parallel", "reduction"]}
    ins(%x : tensor<40x1000xf32>) outs(%f : tensor<40xf32>) {
  ^bb0(%a: f32, %o: f32):
    %sum = arith.addf %a, %o : f32
    linalg.yield %sum : f32
  } -> tensor<40xf32>
  %1 = linalg.generic {
    indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>,
                     affine_map<(i, j) -> (i)>, affine_map<(i, j) -> (i, j)>],
    iterator_types = ["parallel", "parallel"]}
    ins(%x, %0, %b : tensor<40x1000xf32>, tensor<40xf32>, tensor<40xf32>) outs(%e : tensor<40x1000xf32>) {
  ^bb0(%a: f32, %m: f32, %c: f32, %o: f32):
    %d = arith.subf %a, %m : f32
    %q = arith.mulf %d, %c : f32
    %p = math.exp %q : f32
    linalg.yield %p : f32
  } -> tensor<40x1000xf32>
  return %1 : tensor<40x1000xf32>
}
