// RUN: bcr-opt %s -convert-bcr-to-loops="lanes=16" | FileCheck %s
// RUN: bcr-opt %s -convert-bcr-to-loops="lanes=16" | FileCheck %s --check-prefix=LISTS

// Two rows of 20 columns of 100: the window is 64 inputs from a multiple of 16
// on that has the first column and does not end behind the input. 16 columns
// of each row are a full vector, the other four stand apart.
// LISTS-DAG: memref.global "private" constant @few.window_values : memref<32xf32> = dense<2.000000e+00>
// LISTS-DAG: memref.global "private" constant @few.window_rests : memref<23xf32> = dense<[2.000000e+00, 2.000000e+00, 2.000000e+00, 2.000000e+00, 2.000000e+00, 2.000000e+00, 2.000000e+00, 2.000000e+00, 0.{{.*}}]>
// LISTS-DAG: constant @few.window_columns : memref<35xi8> = {{.*}}bcr.bound = 64
// Four columns are left, of rows 3 and 1; seven bytes more, since a word is read.
// LISTS-DAG: constant @few.window_slots : memref<10xi8> = dense<[4, 3, 1, 0, 0, 0, 0, 0, 0, 0]>
// LISTS-DAG: constant @few.window_counts : memref<1xi8> = dense<1>
// LISTS-DAG: constant @few.window_origins : memref<1xi8> = dense<36>
// The output ends behind row 3, so not all of 16 rows are written.
// LISTS-DAG: constant @few.window_masks : memref<1xi16> = dense<10>

// Two groups that were dealt to two threads are one segment where there is one thread.
// LISTS-DAG: constant @shares.window_counts : memref<1xi8> = dense<2>
// LISTS-DAG: constant @shares.window_strips : memref<2xi8> = dense<[0, 1]>

// Rows 120 and 130 are in two strips: the group is cut. All of 16 rows are the one thread's.
// LISTS-DAG: constant @strips.window_slots : memref<11xi8> = dense<[4, 120, 4, 2, 0, 0, 0, 0, 0, 0, 0]>
// LISTS-DAG: constant @strips.window_pieces : memref<2xi8> = dense<[7, 8]>
// LISTS-DAG: constant @strips.window_strips : memref<2xi8> = dense<[0, 2]>
// LISTS-NOT: @strips.window_masks

// CHECK-LABEL: func.func @few
// The bias first,
// CHECK: vector.load %{{.*}} : memref<4xf32>, vector<4xf32>
// CHECK: vector.store
// then sums of 128 rows in 16 lanes,
// CHECK: %[[SUMS:.*]] = memref.alloc() {{.*}} : memref<2048xf32>
// a loop over strips, one over segments,
// CHECK: scf.for
// CHECK: scf.for
// with four registers of inputs,
// CHECK-COUNT-4: vector.load %{{.*}} : memref<1x100xf32>, vector<16xf32>
// and one over groups: what is left and the numbers of the rows are one load,
// CHECK: scf.for
// CHECK: vector.bitcast {{.*}} : vector<4xi8> to vector<1xi32>
// CHECK-COUNT-2: vector.load %[[SUMS]]
// the columns of a full vector,
// CHECK: vector.load %{{.*}}vector<16xi8>
// CHECK: arith.cmpi uge
// CHECK-COUNT-2: llvm.call_intrinsic "llvm.x86.avx512.vpermi2var.ps.512"
// CHECK-COUNT-2: vector.fma
// CHECK-NOT: arith.select {{.*}}vector<16xi1>, vector<16xf32>
// and those that are left, chosen among the first 32 inputs of the window: one permutation.
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.vpermi2var.ps.512"
// CHECK-NOT: llvm.call_intrinsic
// CHECK: vector.fma
// CHECK: arith.select
// CHECK-COUNT-2: vector.store %{{.*}}, %[[SUMS]]
// The sums of 16 rows at the end.
// CHECK-COUNT-16: vector.store %{{.*}}, %[[SUMS]]
// CHECK-COUNT-30: vector.shuffle
// CHECK: vector.maskedload
// CHECK: vector.maskedstore
func.func @few(%x: memref<1x100xf32>, %b: memref<4xf32>, %y: memref<1x4xf32>) {
  %w = bcr.constant {block = array<i64: 4, 100>, groups = dense<[[0, 2, 0, 20]]> : tensor<1x4xi32>,
    rows = dense<[3, 1]> : tensor<2xi16>,
    columns = dense<[50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 98, 99]> : tensor<20xi16>,
    values = dense<2.0> : tensor<40xf32>} : !bcr.packed<4x100xf32>
  bcr.matmul ins(%x : memref<1x100xf32>) weights(%w : !bcr.packed<4x100xf32>) bias(%b : memref<4xf32>) outs(%y : memref<1x4xf32>)
    {layer = "few", schedule = #bcr.schedule<rows, height = 2, vectors = 1, lanes = 16>}
  return
}

// Four lanes have no such permutation.
// CHECK-LABEL: func.func @narrow
// CHECK-NOT: llvm.call_intrinsic
// CHECK: return
func.func @narrow(%x: memref<1x100xf32>, %y: memref<1x4xf32>) {
  %w = bcr.constant {block = array<i64: 4, 100>, groups = dense<[[0, 1, 0, 20]]> : tensor<1x4xi32>,
    rows = dense<2> : tensor<1xi16>,
    columns = dense<[50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 98, 99]> : tensor<20xi16>,
    values = dense<2.0> : tensor<20xf32>} : !bcr.packed<4x100xf32>
  bcr.matmul ins(%x : memref<1x100xf32>) weights(%w : !bcr.packed<4x100xf32>) outs(%y : memref<1x4xf32>)
    {layer = "narrow", schedule = #bcr.schedule<rows, height = 1, vectors = 1, lanes = 4>}
  return
}

// Shares for more threads than there are mean nothing: all windows are the one thread's.
func.func @shares(%x: memref<1x100xf32>, %y: memref<1x4xf32>) {
  %w = bcr.constant {block = array<i64: 4, 100>, groups = dense<[[0, 2, 0, 20], [2, 2, 20, 20]]> : tensor<2x4xi32>,
    rows = dense<[3, 1, 0, 2]> : tensor<4xi16>,
    columns = dense<[50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 98, 99,
                     50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 98, 99]> : tensor<40xi16>,
    values = dense<3.0> : tensor<80xf32>} : !bcr.packed<4x100xf32>
  bcr.matmul ins(%x : memref<1x100xf32>) weights(%w : !bcr.packed<4x100xf32>) outs(%y : memref<1x4xf32>)
    {layer = "shares", chunks = array<i64: 0, 1>, schedule = #bcr.schedule<rows, height = 2, vectors = 1, lanes = 16>}
  return
}

func.func @strips(%x: memref<1x100xf32>, %y: memref<1x144xf32>) {
  %w = bcr.constant {block = array<i64: 144, 100>, groups = dense<[[0, 2, 0, 20]]> : tensor<1x4xi32>,
    rows = dense<[120, 130]> : tensor<2xi16>,
    columns = dense<[50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63, 64, 65, 66, 67, 98, 99]> : tensor<20xi16>,
    values = dense<3.0> : tensor<40xf32>} : !bcr.packed<144x100xf32>
  bcr.matmul ins(%x : memref<1x100xf32>) weights(%w : !bcr.packed<144x100xf32>) outs(%y : memref<1x144xf32>)
    {layer = "strips", schedule = #bcr.schedule<rows, height = 2, vectors = 1, lanes = 16>}
  return
}

// The two columns fit the first half of a window: neither is blended.
// CHECK-LABEL: func.func @half
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.vpermi2var.ps.512"
// CHECK-NOT: llvm.call_intrinsic
// CHECK: return
// LISTS-DAG: constant @half.window_origins : memref<1xi8> = dense<32>
func.func @half(%x: memref<1x100xf32>, %y: memref<1x4xf32>) {
  %w = bcr.constant {block = array<i64: 4, 100>, groups = dense<[[0, 1, 0, 2]]> : tensor<1x4xi32>,
    rows = dense<2> : tensor<1xi16>, columns = dense<[40, 63]> : tensor<2xi16>,
    values = dense<2.0> : tensor<2xf32>} : !bcr.packed<4x100xf32>
  bcr.matmul ins(%x : memref<1x100xf32>) weights(%w : !bcr.packed<4x100xf32>) outs(%y : memref<1x4xf32>)
    {layer = "half", schedule = #bcr.schedule<rows, height = 1, vectors = 1, lanes = 16>}
  return
}
