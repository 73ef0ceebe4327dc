// RUN: bcr-opt %s -convert-bcr-to-loops="lanes=16" | FileCheck %s
// RUN: bcr-opt %s -convert-bcr-to-loops="lanes=16" | FileCheck %s --check-prefix=LISTS
// RUN: bcr-opt %s -convert-bcr-to-loops="lanes=16 threads=2" | FileCheck %s --check-prefix=THREADS
// RUN: bcr-opt %s -convert-bcr-to-loops="lanes=16 windows" | FileCheck %s --check-prefix=PREFER

// One row of each four, two columns of it in a window of 64: a lane is four
// rows, and a step takes one column of each lane.
// Lane 3 has one column: it is there twice, with half of its weight. Lane 5 has
// two columns of the first half of the window, all others one of each half: the
// first step takes the place in registers 0 and 1, the second that in all four.
// LISTS-DAG: constant @few.window_places : memref<32xi8> = dense<[0, 1, 2, 3, 4, 21, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 40, 40, 40, 3, 40, 5, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40]>
// LISTS-DAG: constant @few.window_values : memref<32xf32> = dense<[2.000000e+00, 2.000000e+00, 2.000000e+00, 1.000000e+00, 2.0{{.*}}, 2.000000e+00, 2.000000e+00, 2.000000e+00, 1.000000e+00, 2.0
// Of each of four rows the lanes that keep it: every fourth from 0, 1, 2 and 3 on.
// LISTS-DAG: constant @few.window_masks : memref<4xi16> = dense<[4369, 8738, 17476, -30584]>
// LISTS-DAG: constant @few.window_bounds : memref<2xi8> = dense<[0, 1]>

// Windows of 32 do. The last one, 96 to 127, ends behind the input: its registers
// both begin with input 84. Lane 15 has no rows. Places 15 and 12 of a lane are
// one word: 15 + 32 * 12 = 399.
// LISTS-DAG: constant @edge.window_places : memref<32xi8> = dense<[-113, 1, -113, 1, -113, 1, -113, 1, -113, 1, -113, 1, -113, 1, -113, 1, -113, 1, -113, 1, -113, 1, -113, 1, -113, 1, -113, 1, -113, 1, 0, 0]>
// LISTS-DAG: constant @edge.window_numbers : memref<1xi8> = dense<3>
// LISTS-DAG: constant @edge.window_masks : memref<4xi16> = dense<[32767, 0, 0, 0]>

// The one strip is the first thread's.
// THREADS: constant @few.window_strips : memref<3xi8> = dense<[0, 1, 1]>

// CHECK-LABEL: func.func @few
// A loop over strips, one over segments with the sums of the four rows,
// CHECK: scf.for
// CHECK: scf.for {{.*}} -> (index, index, index, index, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>)
// with four registers of inputs, none behind the end of the input.
// CHECK: arith.minui
// CHECK-COUNT-4: vector.load %{{.*}} : memref<1x100xf32>, vector<16xf32>
// The first step takes columns of two registers only,
// CHECK: vector.load %{{.*}}vector<16xi8>
// CHECK-NOT: arith.select
// CHECK: llvm.call_intrinsic "llvm.x86.avx512.vpermi2var.ps.512"
// CHECK-NOT: llvm.call_intrinsic
// CHECK: vector.fma
// the second of all four.
// CHECK: vector.load %{{.*}}vector<16xi8>
// CHECK: arith.cmpi ne
// CHECK-COUNT-2: llvm.call_intrinsic "llvm.x86.avx512.vpermi2var.ps.512"
// CHECK: arith.select
// CHECK: vector.fma
// What is summed up is another row of each lane.
// CHECK-COUNT-4: vector.bitcast {{.*}} : vector<1xi16> to vector<16xi1>
// CHECK: scf.yield
// At the end, rows of lane after lane are added to the bias: no row is of
// another kernel, so nobody has stored it.
// CHECK-COUNT-8: vector.shuffle
// CHECK: vector.load %{{.*}} : memref<64xf32>, vector<16xf32>
// CHECK-COUNT-4: vector.store
func.func @few(%x: memref<1x100xf32>, %b: memref<64xf32>, %y: memref<1x64xf32>) {
  %w = bcr.constant {block = array<i64: 4, 100>,
    groups = dense<[[0, 1, 0, 2], [1, 1, 2, 2], [2, 1, 4, 2], [3, 1, 6, 1], [4, 1, 7, 2], [5, 1, 9, 2],
      [6, 1, 11, 2], [7, 1, 13, 2], [8, 1, 15, 2], [9, 1, 17, 2], [10, 1, 19, 2], [11, 1, 21, 2],
      [12, 1, 23, 2], [13, 1, 25, 2], [14, 1, 27, 2], [15, 1, 29, 2]]> : tensor<16x4xi32>,
    rows = dense<[0, 5, 10, 15, 16, 21, 26, 31, 32, 37, 42, 47, 48, 53, 58, 63]> : tensor<16xi16>,
    columns = dense<[0, 40, 1, 40, 2, 40, 3, 4, 40, 5, 21, 6, 40, 7, 40, 8, 40, 9, 40, 10, 40, 11,
      40, 12, 40, 13, 40, 14, 40, 15, 40]> : tensor<31xi16>,
    values = dense<2.0> : tensor<31xf32>} : !bcr.packed<64x100xf32>
  bcr.matmul ins(%x : memref<1x100xf32>) weights(%w : !bcr.packed<64x100xf32>) bias(%b : memref<64xf32>) outs(%y : memref<1x64xf32>)
    {layer = "few", schedule = #bcr.schedule<rows, height = 1, vectors = 1, lanes = 16>}
  return
}

// Every lane has columns 0, 16, 17, 32, 33 and 48, each one in a step whose pair
// has its register. Words of 32 bits, moved by five for each step.
// CHECK-LABEL: func.func @pairs
// CHECK: vector.load %{{.*}}vector<64xi8>
// CHECK: vector.bitcast %{{.*}} : vector<64xi8> to vector<16xi32>
// CHECK-NOT: arith.select
// CHECK: vpermi2var
// CHECK-COUNT-5: arith.shrui
// CHECK-NOT: arith.shrui
// CHECK-NOT: vector.maskedstore
func.func @pairs(%x: memref<1x64xf32>, %y: memref<1x32xf32>) {
  %w = bcr.constant {block = array<i64: 2, 64>,
    groups = dense<[[0, 1, 0, 6], [1, 1, 0, 6], [2, 1, 0, 6], [3, 1, 0, 6], [4, 1, 0, 6], [5, 1, 0, 6],
      [6, 1, 0, 6], [7, 1, 0, 6], [8, 1, 0, 6], [9, 1, 0, 6], [10, 1, 0, 6], [11, 1, 0, 6],
      [12, 1, 0, 6], [13, 1, 0, 6], [14, 1, 0, 6], [15, 1, 0, 6]]> : tensor<16x4xi32>,
    rows = dense<[0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30]> : tensor<16xi16>,
    columns = dense<[0, 16, 17, 32, 33, 48]> : tensor<6xi16>,
    values = dense<2.0> : tensor<96xf32>} : !bcr.packed<32x64xf32>
  bcr.matmul ins(%x : memref<1x64xf32>) weights(%w : !bcr.packed<32x64xf32>) outs(%y : memref<1x32xf32>)
    {layer = "pairs", schedule = #bcr.schedule<rows, height = 1, vectors = 1, lanes = 16>}
  return
}

// The output ends inside the strip.
// CHECK-LABEL: func.func @edge
// CHECK-COUNT-2: vector.load %{{.*}} : memref<1x100xf32>, vector<16xf32>
// CHECK-NOT: memref<1x100xf32>, vector<16xf32>
// CHECK-COUNT-4: vector.maskedstore
func.func @edge(%x: memref<1x100xf32>, %y: memref<1x59xf32>) {
  %w = bcr.constant {block = array<i64: 4, 100>,
    groups = dense<[[0, 1, 0, 2], [1, 1, 2, 2], [2, 1, 4, 2], [3, 1, 6, 2], [4, 1, 8, 2], [5, 1, 10, 2],
      [6, 1, 12, 2], [7, 1, 14, 2], [8, 1, 16, 2], [9, 1, 18, 2], [10, 1, 20, 2], [11, 1, 22, 2],
      [12, 1, 24, 2], [13, 1, 26, 2], [14, 1, 28, 2]]> : tensor<15x4xi32>,
    rows = dense<[0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 52, 56]> : tensor<15xi16>,
    columns = dense<[96, 99, 96, 99, 96, 99, 96, 99, 96, 99, 96, 99, 96, 99, 96, 99, 96, 99, 96, 99,
      96, 99, 96, 99, 96, 99, 96, 99, 96, 99]> : tensor<30xi16>,
    values = dense<3.0> : tensor<30xf32>} : !bcr.packed<59x100xf32>
  bcr.matmul ins(%x : memref<1x100xf32>) weights(%w : !bcr.packed<59x100xf32>) outs(%y : memref<1x59xf32>)
    {layer = "edge", schedule = #bcr.schedule<rows, height = 1, vectors = 1, lanes = 16>}
  return
}

// Four lanes have no such permutation.
// CHECK-LABEL: func.func @narrow
// CHECK-NOT: llvm.call_intrinsic
// CHECK: return
func.func @narrow(%x: memref<1x100xf32>, %y: memref<1x64xf32>) {
  %w = bcr.constant {block = array<i64: 4, 100>,
    groups = dense<[[0, 1, 0, 2], [1, 1, 2, 2], [2, 1, 4, 2], [3, 1, 6, 1], [4, 1, 7, 2], [5, 1, 9, 2],
      [6, 1, 11, 2], [7, 1, 13, 2], [8, 1, 15, 2], [9, 1, 17, 2], [10, 1, 19, 2], [11, 1, 21, 2],
      [12, 1, 23, 2], [13, 1, 25, 2], [14, 1, 27, 2], [15, 1, 29, 2]]> : tensor<16x4xi32>,
    rows = dense<[0, 5, 10, 15, 16, 21, 26, 31, 32, 37, 42, 47, 48, 53, 58, 63]> : tensor<16xi16>,
    columns = dense<[0, 40, 1, 40, 2, 40, 3, 4, 40, 5, 21, 6, 40, 7, 40, 8, 40, 9, 40, 10, 40, 11,
      40, 12, 40, 13, 40, 14, 40, 15, 40]> : tensor<31xi16>,
    values = dense<2.0> : tensor<31xf32>} : !bcr.packed<64x100xf32>
  bcr.matmul ins(%x : memref<1x100xf32>) weights(%w : !bcr.packed<64x100xf32>) outs(%y : memref<1x64xf32>)
    {layer = "narrow", schedule = #bcr.schedule<rows, height = 1, vectors = 1, lanes = 4>}
  return
}

// Of two block rows, 14 lanes would be empty: the rows kernel is faster.
// CHECK-LABEL: func.func @small
// CHECK-NOT: llvm.call_intrinsic
// CHECK: return
// PREFER-LABEL: func.func @small
// PREFER: llvm.call_intrinsic "llvm.x86.avx512.vpermi2var.ps.512"
func.func @small(%x: memref<1x100xf32>, %y: memref<1x8xf32>) {
  %w = bcr.constant {block = array<i64: 4, 100>,
    groups = dense<[[0, 1, 0, 2], [1, 1, 2, 2]]> : tensor<2x4xi32>,
    rows = dense<[0, 5]> : tensor<2xi16>,
    columns = dense<[0, 40, 1, 40]> : tensor<4xi16>,
    values = dense<2.0> : tensor<4xf32>} : !bcr.packed<8x100xf32>
  bcr.matmul ins(%x : memref<1x100xf32>) weights(%w : !bcr.packed<8x100xf32>) outs(%y : memref<1x8xf32>)
    {layer = "small", schedule = #bcr.schedule<rows, height = 1, vectors = 1, lanes = 16>}
  return
}

// Four rows of each lane, all of them kept: the sums of a strip go on, without
// masks. Of each of 16 windows one lane has two columns, all others one. The
// second ones are loaded one by one: that is one step in place of 16.
// LISTS-DAG: constant @whole.window_places : memref<256xi8>
// LISTS-DAG: constant @whole.window_scattered : memref<16xi16> = dense<[40, 104, 168, 232, 296, 360, 424, 488, 552, 616, 680, 744, 808, 872, 936, 1000]>
// LISTS-DAG: constant @whole.window_bounds : memref<3xi8> = dense<[0, 16, 17]>
// LISTS-NOT: @whole.window_masks
// CHECK-LABEL: func.func @whole
// CHECK: scf.for {{.*}} -> (index, index, index, index, vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>)
// CHECK: %[[INPUTS:.*]] = llvm.call_intrinsic "llvm.x86.avx512.vpermi2var.ps.512"
// CHECK-COUNT-4: vector.fma %[[INPUTS]], %{{.*}}, %arg
// CHECK-NOT: arith.select
// CHECK: scf.yield
// CHECK: scf.for {{.*}} -> (vector<16xf32>, vector<16xf32>, vector<16xf32>, vector<16xf32>)
// CHECK-COUNT-16: memref.load %{{.*}} : memref<1x1024xf32>
// CHECK: %[[LOADED:.*]] = vector.from_elements
// CHECK-COUNT-4: vector.fma %[[LOADED]]
func.func @whole(%x: memref<1x1024xf32>, %y: memref<1x64xf32>) {
  %w = bcr.constant {block = array<i64: 4, 1024>,
    groups = dense<[[0, 4, 0, 17], [4, 4, 17, 17], [8, 4, 34, 17], [12, 4, 51, 17], [16, 4, 68, 17], [20, 4, 85, 17], [24, 4,
      102, 17], [28, 4, 119, 17], [32, 4, 136, 17], [36, 4, 153, 17], [40, 4, 170, 17], [44, 4, 187, 17], [48,
      4, 204, 17], [52, 4, 221, 17], [56, 4, 238, 17], [60, 4, 255, 17]]> : tensor<16x4xi32>,
    rows = dense<[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29,
      30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55,
      56, 57, 58, 59, 60, 61, 62, 63]> : tensor<64xi16>,
    columns = dense<[0, 40, 64, 128, 192, 256, 320, 384, 448, 512, 576, 640, 704, 768, 832, 896, 960, 1, 65, 104, 129, 193, 257,
      321, 385, 449, 513, 577, 641, 705, 769, 833, 897, 961, 2, 66, 130, 168, 194, 258, 322, 386, 450, 514,
      578, 642, 706, 770, 834, 898, 962, 3, 67, 131, 195, 232, 259, 323, 387, 451, 515, 579, 643, 707, 771,
      835, 899, 963, 4, 68, 132, 196, 260, 296, 324, 388, 452, 516, 580, 644, 708, 772, 836, 900, 964, 5, 69,
      133, 197, 261, 325, 360, 389, 453, 517, 581, 645, 709, 773, 837, 901, 965, 6, 70, 134, 198, 262, 326,
      390, 424, 454, 518, 582, 646, 710, 774, 838, 902, 966, 7, 71, 135, 199, 263, 327, 391, 455, 488, 519,
      583, 647, 711, 775, 839, 903, 967, 8, 72, 136, 200, 264, 328, 392, 456, 520, 552, 584, 648, 712, 776,
      840, 904, 968, 9, 73, 137, 201, 265, 329, 393, 457, 521, 585, 616, 649, 713, 777, 841, 905, 969, 10, 74,
      138, 202, 266, 330, 394, 458, 522, 586, 650, 680, 714, 778, 842, 906, 970, 11, 75, 139, 203, 267, 331,
      395, 459, 523, 587, 651, 715, 744, 779, 843, 907, 971, 12, 76, 140, 204, 268, 332, 396, 460, 524, 588,
      652, 716, 780, 808, 844, 908, 972, 13, 77, 141, 205, 269, 333, 397, 461, 525, 589, 653, 717, 781, 845,
      872, 909, 973, 14, 78, 142, 206, 270, 334, 398, 462, 526, 590, 654, 718, 782, 846, 910, 936, 974, 15,
      79, 143, 207, 271, 335, 399, 463, 527, 591, 655, 719, 783, 847, 911, 975, 1000]> : tensor<272xi16>,
    values = dense<2.0> : tensor<1088xf32>} : !bcr.packed<64x1024xf32>
  bcr.matmul ins(%x : memref<1x1024xf32>) weights(%w : !bcr.packed<64x1024xf32>) outs(%y : memref<1x64xf32>)
    {layer = "whole", schedule = #bcr.schedule<rows, height = 4, vectors = 1, lanes = 16>}
  return
}

// The six steps of @pairs, one of each pair of registers: 01, 23, 02, 13, 03, 12. They take
// columns 0, 33, 32, 17, 48 and 16: places 0, 1, 16, 1, 16 and 0 of their pairs, of
// five bits each, are the word 0x0100c020 of each lane.
// LISTS: pairs.window_places: "0x0100000020C0000120C0000120C00001
