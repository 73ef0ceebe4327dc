// RUN: bcr-opt %s -split-input-file -verify-diagnostics

// One fault a case, named for the invariant of dialect/README.md that it breaks.

func.func @bcr_2_block_too_wide(%x: tensor<5x3x6xf32>, %h: tensor<3x2xf32>, %w: tensor<6x2xf32>, %o: tensor<5x3x2xf32>) {
  // expected-error @below {{BCR-2: 'block' is two positive numbers no larger than the weights 6x2}}
  %0 = bcr.recurrent ins(%x : tensor<5x3x6xf32>) states(%h : tensor<3x2xf32>) weights(%w : tensor<6x2xf32>)
    outs(%o : tensor<5x3x2xf32>) {cell = #bcr.cell<gru>, block = array<i64: 6, 3>} -> tensor<5x3x2xf32>
  return
}

// -----

func.func @bcr_11_mixed(%x: tensor<5x3x6xf32>, %h: memref<3x2xf32>, %w: tensor<6x2xf32>, %o: tensor<5x3x2xf32>) {
  // expected-error @below {{BCR-11: operands are all tensors or all memrefs}}
  %0 = bcr.recurrent ins(%x : tensor<5x3x6xf32>) states(%h : memref<3x2xf32>) weights(%w : tensor<6x2xf32>)
    outs(%o : tensor<5x3x2xf32>) {cell = #bcr.cell<gru>} -> tensor<5x3x2xf32>
  return
}

// -----

func.func @bcr_11_no_result(%x: tensor<5x3x6xf32>, %h: tensor<3x2xf32>, %w: tensor<6x2xf32>, %o: tensor<5x3x2xf32>) {
  // expected-error @below {{BCR-11: on tensors a layer has results of the types of 'outs', on memrefs none}}
  bcr.recurrent ins(%x : tensor<5x3x6xf32>) states(%h : tensor<3x2xf32>) weights(%w : tensor<6x2xf32>)
    outs(%o : tensor<5x3x2xf32>) {cell = #bcr.cell<gru>}
  return
}

// -----

func.func @bcr_12_gates_of_f64(%x: tensor<5x3x6xf64>, %h: tensor<3x2xf32>, %w: tensor<6x2xf32>, %o: tensor<5x3x2xf32>) {
  // expected-error @below {{BCR-12: layers compute in f32, got 'tensor<5x3x6xf64>'}}
  %0 = bcr.recurrent ins(%x : tensor<5x3x6xf64>) states(%h : tensor<3x2xf32>) weights(%w : tensor<6x2xf32>)
    outs(%o : tensor<5x3x2xf32>) {cell = #bcr.cell<gru>} -> tensor<5x3x2xf32>
  return
}

// -----

func.func @bcr_13_dynamic_weights(%x: tensor<5x3x6xf32>, %h: tensor<3x2xf32>, %w: tensor<6x?xf32>, %o: tensor<5x3x2xf32>) {
  // expected-error @below {{BCR-13: dense weights are a static f32 matrix, got 'tensor<6x?xf32>'}}
  %0 = bcr.recurrent ins(%x : tensor<5x3x6xf32>) states(%h : tensor<3x2xf32>) weights(%w : tensor<6x?xf32>)
    outs(%o : tensor<5x3x2xf32>) {cell = #bcr.cell<gru>} -> tensor<5x3x2xf32>
  return
}

// -----

func.func @bcr_14_bias_too_long(%x: tensor<5x3x6xf32>, %h: tensor<3x2xf32>, %w: tensor<6x2xf32>, %o: tensor<5x3x2xf32>, %b: tensor<7xf32>) {
  // expected-error @below {{BCR-14: the bias is f32, one value a row of the weights, or, of a gru, one a unit for s_n alone, got 'tensor<7xf32>'}}
  %0 = bcr.recurrent ins(%x : tensor<5x3x6xf32>) states(%h : tensor<3x2xf32>) weights(%w : tensor<6x2xf32>) bias(%b : tensor<7xf32>)
    outs(%o : tensor<5x3x2xf32>) {cell = #bcr.cell<gru>} -> tensor<5x3x2xf32>
  return
}

// -----

func.func @bcr_14_bias_of_one_gate_of_an_lstm(%x: tensor<5x3x8xf32>, %h: tensor<3x2xf32>, %w: tensor<8x2xf32>, %o: tensor<5x3x2xf32>, %b: tensor<2xf32>) {
  // expected-error @below {{BCR-14: the bias is f32, one value a row of the weights, or, of a gru, one a unit for s_n alone, got 'tensor<2xf32>'}}
  %0:2 = bcr.recurrent ins(%x : tensor<5x3x8xf32>) states(%h, %h : tensor<3x2xf32>, tensor<3x2xf32>) weights(%w : tensor<8x2xf32>) bias(%b : tensor<2xf32>)
    outs(%o, %h : tensor<5x3x2xf32>, tensor<3x2xf32>) {cell = #bcr.cell<lstm>} -> tensor<5x3x2xf32>, tensor<3x2xf32>
  return
}

// -----

func.func @bcr_21_chunks_of_dense_weights(%x: tensor<5x3x6xf32>, %h: tensor<3x2xf32>, %w: tensor<6x2xf32>, %o: tensor<5x3x2xf32>) {
  // expected-error @below {{BCR-21: 'chunks' cut the groups of a bcr.constant, the weights are 'tensor<6x2xf32>'}}
  %0 = bcr.recurrent ins(%x : tensor<5x3x6xf32>) states(%h : tensor<3x2xf32>) weights(%w : tensor<6x2xf32>)
    outs(%o : tensor<5x3x2xf32>) {cell = #bcr.cell<gru>, chunks = array<i64: 0, 1>} -> tensor<5x3x2xf32>
  return
}

// -----

func.func @bcr_30_gru_with_cell_state(%x: tensor<5x3x6xf32>, %h: tensor<3x2xf32>, %w: tensor<6x2xf32>, %o: tensor<5x3x2xf32>, %c: tensor<3x2xf32>, %e: tensor<3x2xf32>) {
  // expected-error @below {{BCR-30: gru has 1 states, in and out}}
  %0:2 = bcr.recurrent ins(%x : tensor<5x3x6xf32>) states(%h, %c : tensor<3x2xf32>, tensor<3x2xf32>) weights(%w : tensor<6x2xf32>)
    outs(%o, %e : tensor<5x3x2xf32>, tensor<3x2xf32>) {cell = #bcr.cell<gru>} -> tensor<5x3x2xf32>, tensor<3x2xf32>
  return
}

// -----

func.func @bcr_30_lstm_without_cell_state(%x: tensor<5x3x8xf32>, %h: tensor<3x2xf32>, %w: tensor<8x2xf32>, %o: tensor<5x3x2xf32>) {
  // expected-error @below {{BCR-30: lstm has 2 states, in and out}}
  %0 = bcr.recurrent ins(%x : tensor<5x3x8xf32>) states(%h : tensor<3x2xf32>) weights(%w : tensor<8x2xf32>)
    outs(%o : tensor<5x3x2xf32>) {cell = #bcr.cell<lstm>} -> tensor<5x3x2xf32>
  return
}

// -----

func.func @bcr_31_projection_of_a_gru(%x: tensor<5x3x6xf32>, %h: tensor<3x2xf32>, %w: tensor<6x2xf32>, %o: tensor<5x3x2xf32>) {
  // expected-error @below {{BCR-31: only the state of an LSTM is projected}}
  %0 = bcr.recurrent ins(%x : tensor<5x3x6xf32>) states(%h : tensor<3x2xf32>) weights(%w : tensor<6x2xf32>)
    outs(%o : tensor<5x3x2xf32>) {cell = #bcr.cell<gru>} -> tensor<5x3x2xf32> projection {
  ^bb0(%u: tensor<3x2xf32>, %d: tensor<3x2xf32>):
    bcr.yield %u : tensor<3x2xf32>
  }
  return
}

// -----

func.func @bcr_31_projection_of_features(%x: tensor<5x3x8xf32>, %h: tensor<3x3xf32>, %w: tensor<8x3xf32>, %o: tensor<5x3x3xf32>, %c: tensor<3x2xf32>, %e: tensor<3x2xf32>) {
  // expected-error @below {{BCR-31: the projection's input is 'tensor<3x2xf32>', got 'tensor<3x3xf32>'}}
  %0:2 = bcr.recurrent ins(%x : tensor<5x3x8xf32>) states(%h, %c : tensor<3x3xf32>, tensor<3x2xf32>) weights(%w : tensor<8x3xf32>)
    outs(%o, %e : tensor<5x3x3xf32>, tensor<3x2xf32>) {cell = #bcr.cell<lstm>} -> tensor<5x3x3xf32>, tensor<3x2xf32> projection {
  ^bb0(%u: tensor<3x3xf32>, %d: tensor<3x3xf32>):
    bcr.yield %u : tensor<3x3xf32>
  }
  return
}

// -----

func.func @bcr_31_projection_to_units(%x: tensor<5x3x8xf32>, %h: tensor<3x3xf32>, %w: tensor<8x3xf32>, %o: tensor<5x3x3xf32>, %c: tensor<3x2xf32>, %e: tensor<3x2xf32>) {
  // expected-error @below {{BCR-31: the projection's destination is 'tensor<3x3xf32>', got 'tensor<3x2xf32>'}}
  %0:2 = bcr.recurrent ins(%x : tensor<5x3x8xf32>) states(%h, %c : tensor<3x3xf32>, tensor<3x2xf32>) weights(%w : tensor<8x3xf32>)
    outs(%o, %e : tensor<5x3x3xf32>, tensor<3x2xf32>) {cell = #bcr.cell<lstm>} -> tensor<5x3x3xf32>, tensor<3x2xf32> projection {
  ^bb0(%u: tensor<3x2xf32>, %d: tensor<3x2xf32>):
    bcr.yield %d : tensor<3x2xf32>
  }
  return
}

// -----

func.func @bcr_31_projection_without_destination(%x: tensor<5x3x8xf32>, %h: tensor<3x3xf32>, %w: tensor<8x3xf32>, %o: tensor<5x3x3xf32>, %c: tensor<3x2xf32>, %e: tensor<3x2xf32>) {
  // expected-error @below {{BCR-31: a projection has two arguments on tensors, on memrefs none}}
  %0:2 = bcr.recurrent ins(%x : tensor<5x3x8xf32>) states(%h, %c : tensor<3x3xf32>, tensor<3x2xf32>) weights(%w : tensor<8x3xf32>)
    outs(%o, %e : tensor<5x3x3xf32>, tensor<3x2xf32>) {cell = #bcr.cell<lstm>} -> tensor<5x3x3xf32>, tensor<3x2xf32> projection {
  ^bb0(%u: tensor<3x2xf32>):
    bcr.yield %u : tensor<3x2xf32>
  }
  return
}

// -----

func.func @bcr_31_projection_yields_its_input(%x: tensor<5x3x8xf32>, %h: tensor<3x3xf32>, %w: tensor<8x3xf32>, %o: tensor<5x3x3xf32>, %c: tensor<3x2xf32>, %e: tensor<3x2xf32>) {
  // expected-error @below {{BCR-31: a projection yields its destination's type on tensors, on memrefs nothing}}
  %0:2 = bcr.recurrent ins(%x : tensor<5x3x8xf32>) states(%h, %c : tensor<3x3xf32>, tensor<3x2xf32>) weights(%w : tensor<8x3xf32>)
    outs(%o, %e : tensor<5x3x3xf32>, tensor<3x2xf32>) {cell = #bcr.cell<lstm>} -> tensor<5x3x3xf32>, tensor<3x2xf32> projection {
  ^bb0(%u: tensor<3x2xf32>, %d: tensor<3x3xf32>):
    bcr.yield %u : tensor<3x2xf32>
  }
  return
}

// -----

func.func @bcr_31_scratch_without_projection(%x: memref<5x3x8xf32>, %h: memref<3x2xf32>, %c: memref<3x2xf32>, %w: memref<8x2xf32>, %o: memref<5x3x2xf32>, %e: memref<3x2xf32>) {
  // expected-error @below {{BCR-31: two buffers are scratch of a projection on memrefs, otherwise none}}
  bcr.recurrent ins(%x : memref<5x3x8xf32>) states(%h, %c : memref<3x2xf32>, memref<3x2xf32>) weights(%w : memref<8x2xf32>)
    scratch(%h, %c : memref<3x2xf32>, memref<3x2xf32>) outs(%o, %e : memref<5x3x2xf32>, memref<3x2xf32>) {cell = #bcr.cell<lstm>}
  return
}

// -----

func.func @bcr_32_gates_do_not_divide_rows(%x: tensor<5x3x6xf32>, %h: tensor<3x2xf32>, %w: tensor<7x2xf32>, %o: tensor<5x3x2xf32>) {
  // expected-error @below {{BCR-32: 3 gates do not divide the 7 rows of the weights}}
  %0 = bcr.recurrent ins(%x : tensor<5x3x6xf32>) states(%h : tensor<3x2xf32>) weights(%w : tensor<7x2xf32>)
    outs(%o : tensor<5x3x2xf32>) {cell = #bcr.cell<gru>} -> tensor<5x3x2xf32>
  return
}

// -----

func.func @bcr_32_columns_without_projection(%x: tensor<5x3x6xf32>, %h: tensor<3x2xf32>, %w: tensor<6x3xf32>, %o: tensor<5x3x2xf32>) {
  // expected-error @below {{BCR-32: the weights have 3 columns for 2 units}}
  %0 = bcr.recurrent ins(%x : tensor<5x3x6xf32>) states(%h : tensor<3x2xf32>) weights(%w : tensor<6x3xf32>)
    outs(%o : tensor<5x3x2xf32>) {cell = #bcr.cell<gru>} -> tensor<5x3x2xf32>
  return
}

// -----

func.func @bcr_33_gates_of_another_layer(%x: tensor<5x3x8xf32>, %h: tensor<3x2xf32>, %w: tensor<6x2xf32>, %o: tensor<5x3x2xf32>) {
  // expected-error @below {{BCR-33: the products of the input are steps x samples x 6, got 'tensor<5x3x8xf32>'}}
  %0 = bcr.recurrent ins(%x : tensor<5x3x8xf32>) states(%h : tensor<3x2xf32>) weights(%w : tensor<6x2xf32>)
    outs(%o : tensor<5x3x2xf32>) {cell = #bcr.cell<gru>} -> tensor<5x3x2xf32>
  return
}

// -----

func.func @bcr_33_gates_in_two_dimensions(%x: tensor<15x6xf32>, %h: tensor<3x2xf32>, %w: tensor<6x2xf32>, %o: tensor<5x3x2xf32>) {
  // expected-error @below {{BCR-33: the products of the input are steps x samples x 6, got 'tensor<15x6xf32>'}}
  %0 = bcr.recurrent ins(%x : tensor<15x6xf32>) states(%h : tensor<3x2xf32>) weights(%w : tensor<6x2xf32>)
    outs(%o : tensor<5x3x2xf32>) {cell = #bcr.cell<gru>} -> tensor<5x3x2xf32>
  return
}

// -----

func.func @bcr_33_state_of_other_samples(%x: tensor<5x3x6xf32>, %h: tensor<4x2xf32>, %w: tensor<6x2xf32>, %o: tensor<5x3x2xf32>) {
  // expected-error @below {{BCR-33: the state is 'tensor<3x2xf32>', got 'tensor<4x2xf32>'}}
  %0 = bcr.recurrent ins(%x : tensor<5x3x6xf32>) states(%h : tensor<4x2xf32>) weights(%w : tensor<6x2xf32>)
    outs(%o : tensor<5x3x2xf32>) {cell = #bcr.cell<gru>} -> tensor<5x3x2xf32>
  return
}

// -----

func.func @bcr_33_result_of_other_steps(%x: tensor<5x3x6xf32>, %h: tensor<3x2xf32>, %w: tensor<6x2xf32>, %o: tensor<4x3x2xf32>) {
  // expected-error @below {{BCR-33: the result is 'tensor<5x3x2xf32>', got 'tensor<4x3x2xf32>'}}
  %0 = bcr.recurrent ins(%x : tensor<5x3x6xf32>) states(%h : tensor<3x2xf32>) weights(%w : tensor<6x2xf32>)
    outs(%o : tensor<4x3x2xf32>) {cell = #bcr.cell<gru>} -> tensor<4x3x2xf32>
  return
}

// -----

func.func @bcr_33_dynamic_units(%x: tensor<5x3x6xf32>, %h: tensor<3x2xf32>, %w: tensor<6x2xf32>, %o: tensor<5x3x?xf32>) {
  // expected-error @below {{BCR-33: the result is 'tensor<5x3x2xf32>', got 'tensor<5x3x?xf32>'}}
  %0 = bcr.recurrent ins(%x : tensor<5x3x6xf32>) states(%h : tensor<3x2xf32>) weights(%w : tensor<6x2xf32>)
    outs(%o : tensor<5x3x?xf32>) {cell = #bcr.cell<gru>} -> tensor<5x3x?xf32>
  return
}

// -----

func.func @bcr_33_cell_state_too_wide(%x: tensor<5x3x8xf32>, %h: tensor<3x2xf32>, %w: tensor<8x2xf32>, %o: tensor<5x3x2xf32>, %c: tensor<3x4xf32>, %e: tensor<3x2xf32>) {
  // expected-error @below {{BCR-33: the cell's state is 'tensor<3x2xf32>', got 'tensor<3x4xf32>'}}
  %0:2 = bcr.recurrent ins(%x : tensor<5x3x8xf32>) states(%h, %c : tensor<3x2xf32>, tensor<3x4xf32>) weights(%w : tensor<8x2xf32>)
    outs(%o, %e : tensor<5x3x2xf32>, tensor<3x2xf32>) {cell = #bcr.cell<lstm>} -> tensor<5x3x2xf32>, tensor<3x2xf32>
  return
}

// -----

func.func @bcr_33_last_cell_state_too_wide(%x: tensor<5x3x8xf32>, %h: tensor<3x2xf32>, %w: tensor<8x2xf32>, %o: tensor<5x3x2xf32>, %c: tensor<3x2xf32>, %e: tensor<3x4xf32>) {
  // expected-error @below {{BCR-33: the cell's last state is 'tensor<3x2xf32>', got 'tensor<3x4xf32>'}}
  %0:2 = bcr.recurrent ins(%x : tensor<5x3x8xf32>) states(%h, %c : tensor<3x2xf32>, tensor<3x2xf32>) weights(%w : tensor<8x2xf32>)
    outs(%o, %e : tensor<5x3x2xf32>, tensor<3x4xf32>) {cell = #bcr.cell<lstm>} -> tensor<5x3x2xf32>, tensor<3x4xf32>
  return
}
