// RUN: bcr-opt %s -pass-pipeline='builtin.module(func.func(bcr-fuse))' | FileCheck %s

#id = affine_map<(i, j) -> (i, j)>
#row = affine_map<(i, j) -> (i)>
#vector = affine_map<(i) -> (i)>

// A square reads its operand twice and is still fused.
// CHECK-LABEL: func.func @square
// CHECK-COUNT-1: linalg.generic
// CHECK: arith.subf
// CHECK: arith.mulf
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @square(%x: tensor<3x5xf32>, %y: tensor<3x5xf32>) -> tensor<3x5xf32> {
  %e = tensor.empty() : tensor<3x5xf32>
  %0 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%x, %y : tensor<3x5xf32>, tensor<3x5xf32>) outs(%e : tensor<3x5xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.subf %a, %b : f32
    linalg.yield %d : f32
  } -> tensor<3x5xf32>
  %1 = linalg.generic {indexing_maps = [#id, #id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%0, %0 : tensor<3x5xf32>, tensor<3x5xf32>) outs(%e : tensor<3x5xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.mulf %a, %b : f32
    linalg.yield %d : f32
  } -> tensor<3x5xf32>
  return %1 : tensor<3x5xf32>
}

// A reciprocal square root for each row is not computed for each element.
// CHECK-LABEL: func.func @normalize
// CHECK: linalg.generic
// CHECK: math.rsqrt
// CHECK: linalg.generic
// CHECK-NOT: math.rsqrt
// CHECK: return
func.func @normalize(%x: tensor<3x5xf32>, %v: tensor<3xf32>) -> tensor<3x5xf32> {
  %s = tensor.empty() : tensor<3xf32>
  %e = tensor.empty() : tensor<3x5xf32>
  %0 = linalg.generic {indexing_maps = [#vector, #vector], iterator_types = ["parallel"]}
    ins(%v : tensor<3xf32>) outs(%s : tensor<3xf32>) {
  ^bb0(%a: f32, %o: f32):
    %d = math.rsqrt %a : f32
    linalg.yield %d : f32
  } -> tensor<3xf32>
  %1 = linalg.generic {indexing_maps = [#id, #row, #id], iterator_types = ["parallel", "parallel"]}
    ins(%x, %0 : tensor<3x5xf32>, tensor<3xf32>) outs(%e : tensor<3x5xf32>) {
  ^bb0(%a: f32, %b: f32, %o: f32):
    %d = arith.mulf %a, %b : f32
    linalg.yield %d : f32
  } -> tensor<3x5xf32>
  return %1 : tensor<3x5xf32>
}

// The index beside a maximum goes where nobody reads it.
// CHECK-LABEL: func.func @maximum
// CHECK: linalg.generic
// CHECK-NOT: arith.select
// CHECK: -> tensor<3xf32>
// CHECK: return
func.func @maximum(%x: tensor<3x5xf32>, %m: tensor<3xf32>, %n: tensor<3xi64>) -> tensor<3xf32> {
  %0:2 = linalg.generic {indexing_maps = [#id, #row, #row], iterator_types = ["parallel", "reduction"]}
    ins(%x : tensor<3x5xf32>) outs(%m, %n : tensor<3xf32>, tensor<3xi64>) {
  ^bb0(%a: f32, %best: f32, %where: i64):
    %i = linalg.index 1 : index
    %j = arith.index_cast %i : index to i64
    %max = arith.maximumf %a, %best : f32
    %more = arith.cmpf ogt, %a, %best : f32
    %now = arith.select %more, %j, %where : i64
    linalg.yield %max, %now : f32, i64
  } -> (tensor<3xf32>, tensor<3xi64>)
  return %0#0 : tensor<3xf32>
}

// Assertions move with what is fused, and are made once.
// CHECK-LABEL: func.func @checked
// CHECK-COUNT-1: cf.assert
// CHECK-NOT: cf.assert
// CHECK: return
func.func @checked(%x: tensor<3x5xf32>) -> tensor<3x5xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<3x5xf32>
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%x : tensor<3x5xf32>) outs(%e : tensor<3x5xf32>) {
  ^bb0(%a: f32, %o: f32):
    %ok = arith.cmpf une, %a, %zero : f32
    cf.assert %ok, "a zero"
    %d = arith.negf %a : f32
    linalg.yield %d : f32
  } -> tensor<3x5xf32>
  %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
    ins(%0 : tensor<3x5xf32>) outs(%e : tensor<3x5xf32>) {
  ^bb0(%a: f32, %o: f32):
    %d = math.absf %a : f32
    linalg.yield %d : f32
  } -> tensor<3x5xf32>
  return %1 : tensor<3x5xf32>
}

// The check of an index is not repeated for each element of its row.
// CHECK-LABEL: func.func @checked_rows
// CHECK: linalg.generic
// CHECK: cf.assert
// CHECK: linalg.generic
// CHECK-NOT: cf.assert
// CHECK: tensor.extract
// CHECK: return
func.func @checked_rows(%i: tensor<3xindex>, %table: tensor<7x5xf32>) -> tensor<3x5xf32> {
  %seven = arith.constant 7 : index
  %s = tensor.empty() : tensor<3xindex>
  %e = tensor.empty() : tensor<3x5xf32>
  %0 = linalg.generic {indexing_maps = [#vector, #vector], iterator_types = ["parallel"]}
    ins(%i : tensor<3xindex>) outs(%s : tensor<3xindex>) {
  ^bb0(%a: index, %o: index):
    %ok = arith.cmpi ult, %a, %seven : index
    cf.assert %ok, "index out of range"
    linalg.yield %a : index
  } -> tensor<3xindex>
  %1 = linalg.generic {indexing_maps = [#row, #id], iterator_types = ["parallel", "parallel"]}
    ins(%0 : tensor<3xindex>) outs(%e : tensor<3x5xf32>) {
  ^bb0(%a: index, %o: f32):
    %column = linalg.index 1 : index
    %d = tensor.extract %table[%a, %column] : tensor<7x5xf32>
    linalg.yield %d : f32
  } -> tensor<3x5xf32>
  return %1 : tensor<3x5xf32>
}

// A maximum of maxima is one reduction of both dimensions, in the outer one's
// order of the dimensions that are left.
// CHECK-LABEL: func.func @maxima
// CHECK: linalg.generic
// CHECK-SAME: iterator_types = ["parallel", "reduction", "parallel", "reduction"]
// CHECK-SAME: ins(%{{.*}} : tensor<2x3x5x7xf32>) outs(%{{.*}} : tensor<5x2xf32>)
// CHECK: arith.maximumf
// CHECK-NOT: linalg.generic
// CHECK: return
func.func @maxima(%x: tensor<2x3x5x7xf32>) -> tensor<5x2xf32> {
  %low = arith.constant 0xFF800000 : f32
  %e0 = tensor.empty() : tensor<3x2x5xf32>
  %f0 = linalg.fill ins(%low : f32) outs(%e0 : tensor<3x2x5xf32>) -> tensor<3x2x5xf32>
  %0 = linalg.generic {indexing_maps = [affine_map<(a, b, c, d) -> (a, b, c, d)>, affine_map<(a, b, c, d) -> (b, a, c)>],
      iterator_types = ["parallel", "parallel", "parallel", "reduction"]}
    ins(%x : tensor<2x3x5x7xf32>) outs(%f0 : tensor<3x2x5xf32>) {
  ^bb0(%a: f32, %b: f32):
    %m = arith.maximumf %a, %b : f32
    linalg.yield %m : f32
  } -> tensor<3x2x5xf32>
  %e1 = tensor.empty() : tensor<5x2xf32>
  %f1 = linalg.fill ins(%low : f32) outs(%e1 : tensor<5x2xf32>) -> tensor<5x2xf32>
  %1 = linalg.generic {indexing_maps = [affine_map<(a, b, c) -> (b, c, a)>, affine_map<(a, b, c) -> (a, c)>],
      iterator_types = ["parallel", "reduction", "parallel"]}
    ins(%0 : tensor<3x2x5xf32>) outs(%f1 : tensor<5x2xf32>) {
  ^bb0(%a: f32, %b: f32):
    %m = arith.maximumf %b, %a : f32
    linalg.yield %m : f32
  } -> tensor<5x2xf32>
  return %1 : tensor<5x2xf32>
}

// Another start, or a minimum, is something else.
// CHECK-LABEL: func.func @not_maxima
// CHECK-COUNT-2: linalg.generic
// CHECK: return
func.func @not_maxima(%x: tensor<3x5xf32>) -> tensor<f32> {
  %low = arith.constant 0xFF800000 : f32
  %zero = arith.constant 0.0 : f32
  %e0 = tensor.empty() : tensor<3xf32>
  %f0 = linalg.fill ins(%low : f32) outs(%e0 : tensor<3xf32>) -> tensor<3xf32>
  %0 = linalg.generic {indexing_maps = [#id, #row], iterator_types = ["parallel", "reduction"]}
    ins(%x : tensor<3x5xf32>) outs(%f0 : tensor<3xf32>) {
  ^bb0(%a: f32, %b: f32):
    %m = arith.maximumf %a, %b : f32
    linalg.yield %m : f32
  } -> tensor<3xf32>
  %e1 = tensor.empty() : tensor<f32>
  %f1 = linalg.fill ins(%zero : f32) outs(%e1 : tensor<f32>) -> tensor<f32>
  %1 = linalg.generic {indexing_maps = [affine_map<(a) -> (a)>, affine_map<(a) -> ()>], iterator_types = ["reduction"]}
    ins(%0 : tensor<3xf32>) outs(%f1 : tensor<f32>) {
  ^bb0(%a: f32, %b: f32):
    %m = arith.maximumf %a, %b : f32
    linalg.yield %m : f32
  } -> tensor<f32>
  return %1 : tensor<f32>
}
