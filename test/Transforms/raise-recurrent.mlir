// RUN: bcr-opt %s -split-input-file -verify-diagnostics -bcr-raise | FileCheck %s

// Calls of declared recurrences become layers, named after their weights; the declarations go.

// CHECK: bcr.layers = {rnn.weight_hh_l0 = {
// CHECK-SAME: op = "gru"
// CHECK-SAME: shape = array<i64: 6, 2>
// CHECK-LABEL: func.func @gru
// CHECK-SAME: (%[[X:.*]]: tensor<?x3x6xf32>, %[[H:.*]]: tensor<3x2xf32>)
// CHECK-DAG: %[[W:.*]] = arith.constant dense_resource<rnn.weight_hh_l0> : tensor<6x2xf32>
// CHECK-DAG: %[[B:.*]] = arith.constant dense<[1.000000e+00, 2.000000e+00, 3.000000e+00, 4.000000e+00, 5.000000e+00, 6.000000e+00]>
// CHECK-DAG: %[[T:.*]] = tensor.dim %[[X]]
// CHECK: %[[O:.*]] = tensor.empty(%[[T]]) : tensor<?x3x2xf32>
// CHECK: bcr.recurrent ins(%[[X]] : tensor<?x3x6xf32>) states(%[[H]] : tensor<3x2xf32>) weights(%[[W]] : tensor<6x2xf32>) bias(%[[B]] : tensor<6xf32>) outs(%[[O]] : tensor<?x3x2xf32>) {cell = #bcr.cell<gru>, layer = "rnn.weight_hh_l0", reverse}
// CHECK-NOT: func.func private
func.func @gru(%x: tensor<?x3x6xf32>, %h: tensor<3x2xf32>) -> tensor<?x3x2xf32> {
  %w = arith.constant dense_resource<rnn.weight_hh_l0> : tensor<6x2xf32>
  %b = arith.constant dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]> : tensor<6xf32>
  %0 = call @r(%x, %h, %w, %b) : (tensor<?x3x6xf32>, tensor<3x2xf32>, tensor<6x2xf32>, tensor<6xf32>) -> tensor<?x3x2xf32>
  return %0 : tensor<?x3x2xf32>
}
func.func private @r(tensor<?x3x6xf32>, tensor<3x2xf32>, tensor<6x2xf32>, tensor<6xf32>) -> tensor<?x3x2xf32>
  attributes {bcr.recurrence = {cell = "gru", reverse = true, operands = ["gates", "hidden", "weight", "bias"]}}
{-# dialect_resources: {builtin: {
  rnn.weight_hh_l0: "0x04000000000000000000803f0000004000004040000080400000a0400000c0400000e0400000004100001041000020410000304100004041"
}} #-}

// -----

// Two calls with one declaration, an LSTM with a projection, weights behind a transpose.

// CHECK-LABEL: func.func @lstm
// CHECK: %[[P:.*]] = arith.constant dense<{{\[\[}}7.000000e+00, 8.000000e+00]]> : tensor<1x2xf32>
// CHECK: %[[R:.*]]:2 = bcr.recurrent {{.*}} states(%{{.*}}, %{{.*}} : tensor<?x1xf32>, tensor<?x2xf32>) {{.*}} {cell = #bcr.cell<lstm>, layer = "recurrent0"} -> tensor<4x?x1xf32>, tensor<?x2xf32> projection {
// CHECK-NEXT: ^bb0(%[[U:.*]]: tensor<?x2xf32>, %[[D:.*]]: tensor<?x1xf32>):
// CHECK-NEXT: %[[S:.*]] = bcr.matmul ins(%[[U]] : tensor<?x2xf32>) weights(%[[P]] : tensor<1x2xf32>) outs(%[[D]] : tensor<?x1xf32>) {layer = "projection0"} -> tensor<?x1xf32>
// CHECK-NEXT: bcr.yield %[[S]] : tensor<?x1xf32>
// CHECK: bcr.recurrent {{.*}} states(%{{.*}}, %[[R]]#1 {{.*}} layer = "recurrent1"
func.func @lstm(%x: tensor<4x?x8xf32>, %h: tensor<?x1xf32>, %c: tensor<?x2xf32>) -> (tensor<4x?x1xf32>, tensor<?x2xf32>) {
  %w = arith.constant dense<[[1.0], [2.0], [3.0], [4.0], [5.0], [6.0], [7.0], [8.0]]> : tensor<8x1xf32>
  %q = arith.constant dense<[[7.0], [8.0]]> : tensor<2x1xf32>
  %e = tensor.empty() : tensor<1x2xf32>
  %p = linalg.transpose ins(%q : tensor<2x1xf32>) outs(%e : tensor<1x2xf32>) permutation = [1, 0]
  %0:2 = call @r(%x, %h, %c, %w, %p) : (tensor<4x?x8xf32>, tensor<?x1xf32>, tensor<?x2xf32>, tensor<8x1xf32>, tensor<1x2xf32>) -> (tensor<4x?x1xf32>, tensor<?x2xf32>)
  %1:2 = call @r(%x, %h, %0#1, %w, %p) : (tensor<4x?x8xf32>, tensor<?x1xf32>, tensor<?x2xf32>, tensor<8x1xf32>, tensor<1x2xf32>) -> (tensor<4x?x1xf32>, tensor<?x2xf32>)
  return %1#0, %1#1 : tensor<4x?x1xf32>, tensor<?x2xf32>
}
func.func private @r(tensor<4x?x8xf32>, tensor<?x1xf32>, tensor<?x2xf32>, tensor<8x1xf32>, tensor<1x2xf32>) -> (tensor<4x?x1xf32>, tensor<?x2xf32>)
  attributes {bcr.recurrence = {cell = "lstm", reverse = false, operands = ["gates", "hidden", "cell", "weight", "projection"]}}

// -----

// Where the products of the input and of the state are added one bias is enough, that of the input; s_n of a GRU keeps its own.

// CHECK: layers = {{.*}}epilogue = ["bias"], input_shape = array<i64: 1, 2>, op = "gru"
// CHECK-LABEL: func.func @biases_of_a_gru
// CHECK-DAG: %[[I:.*]] = arith.constant dense<[1.100000e+01, 2.200000e+01, 3.300000e+01, 4.400000e+01, 5.000000e+01, 6.000000e+01]> : tensor<6xf32>
// CHECK-DAG: %[[N:.*]] = arith.constant dense<[5.000000e+00, 6.000000e+00]> : tensor<2xf32>
// CHECK: bcr.matmul {{.*}} bias(%[[I]] : tensor<6xf32>)
// CHECK: bcr.recurrent {{.*}} bias(%[[N]] : tensor<2xf32>)
func.func @biases_of_a_gru(%x: tensor<4x2xf32>, %h: tensor<1x2xf32>) -> tensor<4x1x2xf32> {
  %v = arith.constant dense<2.0> : tensor<6x2xf32>
  %w = arith.constant dense<1.0> : tensor<6x2xf32>
  %i = arith.constant dense<[10.0, 20.0, 30.0, 40.0, 50.0, 60.0]> : tensor<6xf32>
  %b = arith.constant dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]> : tensor<6xf32>
  %zero = arith.constant 0.0 : f32
  %t = tensor.empty() : tensor<2x6xf32>
  %u = linalg.transpose ins(%v : tensor<6x2xf32>) outs(%t : tensor<2x6xf32>) permutation = [1, 0]
  %e = tensor.empty() : tensor<4x6xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x6xf32>) -> tensor<4x6xf32>
  %m = linalg.matmul ins(%x, %u : tensor<4x2xf32>, tensor<2x6xf32>) outs(%f : tensor<4x6xf32>) -> tensor<4x6xf32>
  %a = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>],
                       iterator_types = ["parallel", "parallel"]}
         ins(%m, %i : tensor<4x6xf32>, tensor<6xf32>) outs(%e : tensor<4x6xf32>) {
  ^bb0(%in: f32, %shift: f32, %out: f32):
    %sum = arith.addf %in, %shift : f32
    linalg.yield %sum : f32
  } -> tensor<4x6xf32>
  %g = tensor.expand_shape %a [[0], [1, 2]] output_shape [4, 1, 6] : tensor<4x6xf32> into tensor<4x1x6xf32>
  %0 = call @r(%g, %h, %w, %b) : (tensor<4x1x6xf32>, tensor<1x2xf32>, tensor<6x2xf32>, tensor<6xf32>) -> tensor<4x1x2xf32>
  return %0 : tensor<4x1x2xf32>
}
func.func private @r(tensor<4x1x6xf32>, tensor<1x2xf32>, tensor<6x2xf32>, tensor<6xf32>) -> tensor<4x1x2xf32>
  attributes {bcr.recurrence = {cell = "gru", reverse = false, operands = ["gates", "hidden", "weight", "bias"]}}

// -----

// CHECK-LABEL: func.func @biases_of_an_lstm
// CHECK: %[[I:.*]] = arith.constant dense<[1.100000e+01, 2.200000e+01, 3.300000e+01, 4.400000e+01, 5.500000e+01, 6.600000e+01, 7.700000e+01, 8.800000e+01]> : tensor<8xf32>
// CHECK: bcr.matmul {{.*}} bias(%[[I]] : tensor<8xf32>)
// CHECK-NOT: bias(
func.func @biases_of_an_lstm(%x: tensor<4x2xf32>, %h: tensor<2x2xf32>) -> tensor<2x2x2xf32> {
  %v = arith.constant dense<2.0> : tensor<8x2xf32>
  %w = arith.constant dense<1.0> : tensor<8x2xf32>
  %i = arith.constant dense<[10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0]> : tensor<8xf32>
  %b = arith.constant dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]> : tensor<8xf32>
  %zero = arith.constant 0.0 : f32
  %t = tensor.empty() : tensor<2x8xf32>
  %u = linalg.transpose ins(%v : tensor<8x2xf32>) outs(%t : tensor<2x8xf32>) permutation = [1, 0]
  %e = tensor.empty() : tensor<4x8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  %m = linalg.matmul ins(%x, %u : tensor<4x2xf32>, tensor<2x8xf32>) outs(%f : tensor<4x8xf32>) -> tensor<4x8xf32>
  %a = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>],
                       iterator_types = ["parallel", "parallel"]}
         ins(%m, %i : tensor<4x8xf32>, tensor<8xf32>) outs(%e : tensor<4x8xf32>) {
  ^bb0(%in: f32, %shift: f32, %out: f32):
    %sum = arith.addf %in, %shift : f32
    linalg.yield %sum : f32
  } -> tensor<4x8xf32>
  %g = tensor.expand_shape %a [[0, 1], [2]] output_shape [2, 2, 8] : tensor<4x8xf32> into tensor<2x2x8xf32>
  %0:2 = call @r(%g, %h, %h, %w, %b) : (tensor<2x2x8xf32>, tensor<2x2xf32>, tensor<2x2xf32>, tensor<8x2xf32>, tensor<8xf32>) -> (tensor<2x2x2xf32>, tensor<2x2xf32>)
  return %0#0 : tensor<2x2x2xf32>
}
func.func private @r(tensor<2x2x8xf32>, tensor<2x2xf32>, tensor<2x2xf32>, tensor<8x2xf32>, tensor<8xf32>) -> (tensor<2x2x2xf32>, tensor<2x2xf32>)
  attributes {bcr.recurrence = {cell = "lstm", reverse = false, operands = ["gates", "hidden", "cell", "weight", "bias"]}}

// -----

// Somebody else sees the products of the input as they are.

// CHECK-LABEL: func.func @products_that_are_a_result
// CHECK-DAG: %[[I:.*]] = arith.constant dense<[1.000000e+01, 2.000000e+01]> : tensor<2xf32>
// CHECK-DAG: %[[B:.*]] = arith.constant dense<[1.000000e+00, 2.000000e+00]> : tensor<2xf32>
// CHECK: bcr.matmul {{.*}} bias(%[[I]] : tensor<2xf32>)
// CHECK: bcr.recurrent {{.*}} bias(%[[B]] : tensor<2xf32>)
func.func @products_that_are_a_result(%x: tensor<4x2xf32>, %h: tensor<1x2xf32>) -> (tensor<4x1x2xf32>, tensor<4x1x2xf32>) {
  %v = arith.constant dense<2.0> : tensor<2x2xf32>
  %w = arith.constant dense<1.0> : tensor<2x2xf32>
  %i = arith.constant dense<[10.0, 20.0]> : tensor<2xf32>
  %b = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %zero = arith.constant 0.0 : f32
  %t = tensor.empty() : tensor<2x2xf32>
  %u = linalg.transpose ins(%v : tensor<2x2xf32>) outs(%t : tensor<2x2xf32>) permutation = [1, 0]
  %e = tensor.empty() : tensor<4x2xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x2xf32>) -> tensor<4x2xf32>
  %m = linalg.matmul ins(%x, %u : tensor<4x2xf32>, tensor<2x2xf32>) outs(%f : tensor<4x2xf32>) -> tensor<4x2xf32>
  %a = linalg.generic {indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>, affine_map<(i, j) -> (i, j)>],
                       iterator_types = ["parallel", "parallel"]}
         ins(%m, %i : tensor<4x2xf32>, tensor<2xf32>) outs(%e : tensor<4x2xf32>) {
  ^bb0(%in: f32, %shift: f32, %out: f32):
    %sum = arith.addf %in, %shift : f32
    linalg.yield %sum : f32
  } -> tensor<4x2xf32>
  %g = tensor.expand_shape %a [[0], [1, 2]] output_shape [4, 1, 2] : tensor<4x2xf32> into tensor<4x1x2xf32>
  %0 = call @r(%g, %h, %w, %b) : (tensor<4x1x2xf32>, tensor<1x2xf32>, tensor<2x2xf32>, tensor<2xf32>) -> tensor<4x1x2xf32>
  return %0, %g : tensor<4x1x2xf32>, tensor<4x1x2xf32>
}
func.func private @r(tensor<4x1x2xf32>, tensor<1x2xf32>, tensor<2x2xf32>, tensor<2xf32>) -> tensor<4x1x2xf32>
  attributes {bcr.recurrence = {cell = "rnn_tanh", reverse = false, operands = ["gates", "hidden", "weight", "bias"]}}

// -----

func.func @weights_are_computed(%x: tensor<4x3x2xf32>, %h: tensor<3x2xf32>, %w: tensor<2x2xf32>) -> tensor<4x3x2xf32> {
  // expected-error @below {{bcr-raise: the weights of recurrent layer 'recurrent0' are no constants whose data is there}}
  %0 = call @r(%x, %h, %w) : (tensor<4x3x2xf32>, tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<4x3x2xf32>
  return %0 : tensor<4x3x2xf32>
}
func.func private @r(tensor<4x3x2xf32>, tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<4x3x2xf32>
  attributes {bcr.recurrence = {cell = "rnn_relu", reverse = false, operands = ["gates", "hidden", "weight"]}}

// -----

func.func @unknown_cell(%x: tensor<4x3x2xf32>, %h: tensor<3x2xf32>, %w: tensor<2x2xf32>) -> tensor<4x3x2xf32> {
  %0 = call @r(%x, %h, %w) : (tensor<4x3x2xf32>, tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<4x3x2xf32>
  return %0 : tensor<4x3x2xf32>
}
// expected-error @below {{bcr-raise: 'bcr.recurrence' is a dictionary of 'cell', 'reverse' and 'operands', which names every operand}}
func.func private @r(tensor<4x3x2xf32>, tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<4x3x2xf32>
  attributes {bcr.recurrence = {cell = "mgu", reverse = false, operands = ["gates", "hidden", "weight"]}}

// -----

func.func @operand_without_a_name(%x: tensor<4x3x2xf32>, %h: tensor<3x2xf32>, %w: tensor<2x2xf32>) -> tensor<4x3x2xf32> {
  %0 = call @r(%x, %h, %w) : (tensor<4x3x2xf32>, tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<4x3x2xf32>
  return %0 : tensor<4x3x2xf32>
}
// expected-error @below {{bcr-raise: 'bcr.recurrence' is a dictionary}}
func.func private @r(tensor<4x3x2xf32>, tensor<3x2xf32>, tensor<2x2xf32>) -> tensor<4x3x2xf32>
  attributes {bcr.recurrence = {cell = "rnn_tanh", reverse = false, operands = ["gates", "hidden"]}}
