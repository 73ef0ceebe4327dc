// RUN: bcr-opt %s -split-input-file -verify-diagnostics

// One fault a case, named for the invariant of dialect/README.md that it breaks.

// expected-error @below {{BCR-1: a packed matrix has two dimensions, got 3}}
func.func private @bcr_1_rank(!bcr.packed<2x3x4xf32>)

// -----

// expected-error @below {{BCR-1: a packed matrix has at least one row and one column, got 3x0}}
func.func private @bcr_1_no_columns(!bcr.packed<3x0xf32>)

// -----

// expected-error @below {{BCR-1: packed weights are f32, got 'f64'}}
func.func private @bcr_1_element_type(!bcr.packed<3x2xf64>)

// -----

func.func @bcr_2_block_of_one_number() {
  // expected-error @below {{BCR-2: 'block' is two positive numbers}}
  %w = bcr.constant {block = array<i64: 2>, groups = dense<[[0, 2, 0, 2]]> : tensor<1x4xi32>,
    rows = dense<[0, 1]> : tensor<2xi16>, columns = dense<[0, 2]> : tensor<2xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>} : !bcr.packed<4x6xf32>
  return
}

// -----

func.func @bcr_2_block_of_no_rows() {
  // expected-error @below {{BCR-2: 'block' is two positive numbers}}
  %w = bcr.constant {block = array<i64: 0, 3>, groups = dense<[[0, 2, 0, 2]]> : tensor<1x4xi32>,
    rows = dense<[0, 1]> : tensor<2xi16>, columns = dense<[0, 2]> : tensor<2xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>} : !bcr.packed<4x6xf32>
  return
}

// -----

func.func @bcr_2_block_too_wide() {
  // expected-error @below {{BCR-2: block 2x7 is larger than the matrix 4x6}}
  %w = bcr.constant {block = array<i64: 2, 7>, groups = dense<[[0, 2, 0, 2]]> : tensor<1x4xi32>,
    rows = dense<[0, 1]> : tensor<2xi16>, columns = dense<[0, 2]> : tensor<2xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>} : !bcr.packed<4x6xf32>
  return
}

// -----

func.func @bcr_3_groups_of_three_numbers() {
  // expected-error @below {{BCR-3: 'groups' has four numbers a group, got 'tensor<1x3xi32>'}}
  %w = bcr.constant {block = array<i64: 2, 3>, groups = dense<[[0, 2, 0]]> : tensor<1x3xi32>,
    rows = dense<[0, 1]> : tensor<2xi16>, columns = dense<[0, 2]> : tensor<2xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>} : !bcr.packed<4x6xf32>
  return
}

// -----

func.func @bcr_3_rows_in_two_dimensions() {
  // expected-error @below {{BCR-3: 'rows' has one dimension, got 'tensor<1x2xi16>'}}
  %w = bcr.constant {block = array<i64: 2, 3>, groups = dense<[[0, 2, 0, 2]]> : tensor<1x4xi32>,
    rows = dense<[[0, 1]]> : tensor<1x2xi16>, columns = dense<[0, 2]> : tensor<2xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>} : !bcr.packed<4x6xf32>
  return
}

// -----

func.func @bcr_3_groups_of_16_bits() {
  // expected-error @below {{BCR-3: 'groups' holds 32 bit integers, got 'i16'}}
  %w = bcr.constant {block = array<i64: 2, 3>, groups = dense<[[0, 2, 0, 2]]> : tensor<1x4xi16>,
    rows = dense<[0, 1]> : tensor<2xi16>, columns = dense<[0, 2]> : tensor<2xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>} : !bcr.packed<4x6xf32>
  return
}

// -----

func.func @bcr_3_columns_of_8_bits() {
  // expected-error @below {{BCR-3: 'columns' holds 16 or 32 bit integers, got 'i8'}}
  %w = bcr.constant {block = array<i64: 2, 3>, groups = dense<[[0, 2, 0, 2]]> : tensor<1x4xi32>,
    rows = dense<[0, 1]> : tensor<2xi16>, columns = dense<[0, 2]> : tensor<2xi8>,
    values = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>} : !bcr.packed<4x6xf32>
  return
}

// -----

func.func @bcr_3_rows_without_data() {
  // expected-error @below {{BCR-3: 'rows' has no data of its size}}
  %w = bcr.constant {block = array<i64: 2, 3>, groups = dense<[[0, 2, 0, 1]]> : tensor<1x4xi32>,
    rows = dense_resource<gone> : tensor<2xi16>, columns = dense<[0]> : tensor<1xi16>,
    values = dense<[1.0, 2.0]> : tensor<2xf32>} : !bcr.packed<4x6xf32>
  return
}

// -----

func.func @bcr_4_group_of_no_rows() {
  // expected-error @below {{BCR-4: group 0 is empty or reaches past the row or column array}}
  %w = bcr.constant {block = array<i64: 2, 3>, groups = dense<[[0, 0, 0, 2]]> : tensor<1x4xi32>,
    rows = dense<[0, 1]> : tensor<2xi16>, columns = dense<[0, 2]> : tensor<2xi16>,
    values = dense<[1.0]> : tensor<1xf32>} : !bcr.packed<4x6xf32>
  return
}

// -----

func.func @bcr_4_rows_past_the_array() {
  // expected-error @below {{BCR-4: group 0 is empty or reaches past the row or column array}}
  %w = bcr.constant {block = array<i64: 2, 3>, groups = dense<[[1, 2, 0, 2]]> : tensor<1x4xi32>,
    rows = dense<[0, 1]> : tensor<2xi16>, columns = dense<[0, 2]> : tensor<2xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>} : !bcr.packed<4x6xf32>
  return
}

// -----

func.func @bcr_4_columns_past_the_array() {
  // expected-error @below {{BCR-4: group 0 is empty or reaches past the row or column array}}
  %w = bcr.constant {block = array<i64: 2, 3>, groups = dense<[[0, 2, 1, 2]]> : tensor<1x4xi32>,
    rows = dense<[0, 1]> : tensor<2xi16>, columns = dense<[0, 2]> : tensor<2xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>} : !bcr.packed<4x6xf32>
  return
}

// -----

func.func @bcr_4_negative_begin() {
  // expected-error @below {{BCR-4: group 0 is empty or reaches past the row or column array}}
  %w = bcr.constant {block = array<i64: 2, 3>, groups = dense<[[-1, 2, 0, 2]]> : tensor<1x4xi32>,
    rows = dense<[0, 1]> : tensor<2xi16>, columns = dense<[0, 2]> : tensor<2xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>} : !bcr.packed<4x6xf32>
  return
}

// -----

func.func @bcr_5_columns_fall() {
  // expected-error @below {{BCR-5: column indices of group 0 are not strictly increasing: 1 after 2}}
  %w = bcr.constant {block = array<i64: 2, 3>, groups = dense<[[0, 2, 0, 2]]> : tensor<1x4xi32>,
    rows = dense<[0, 1]> : tensor<2xi16>, columns = dense<[2, 1]> : tensor<2xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>} : !bcr.packed<4x6xf32>
  return
}

// -----

func.func @bcr_5_column_twice() {
  // expected-error @below {{BCR-5: column indices of group 0 are not strictly increasing: 2 after 2}}
  %w = bcr.constant {block = array<i64: 2, 3>, groups = dense<[[0, 2, 0, 2]]> : tensor<1x4xi32>,
    rows = dense<[0, 1]> : tensor<2xi16>, columns = dense<[2, 2]> : tensor<2xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>} : !bcr.packed<4x6xf32>
  return
}

// -----

func.func @bcr_6_row_outside() {
  // expected-error @below {{BCR-6: row 4 is outside the matrix of 4 rows}}
  %w = bcr.constant {block = array<i64: 2, 3>, groups = dense<[[0, 2, 0, 2]]> : tensor<1x4xi32>,
    rows = dense<[0, 4]> : tensor<2xi16>, columns = dense<[0, 2]> : tensor<2xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>} : !bcr.packed<4x6xf32>
  return
}

// -----

func.func @bcr_6_column_outside() {
  // expected-error @below {{BCR-6: group 0 has column 6, the matrix has 6}}
  %w = bcr.constant {block = array<i64: 2, 3>, groups = dense<[[0, 2, 0, 2]]> : tensor<1x4xi32>,
    rows = dense<[0, 1]> : tensor<2xi16>, columns = dense<[0, 6]> : tensor<2xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>} : !bcr.packed<4x6xf32>
  return
}

// -----

func.func @bcr_7_row_twice() {
  // expected-error @below {{BCR-7: group 0 has row 1 twice}}
  %w = bcr.constant {block = array<i64: 2, 3>, groups = dense<[[0, 2, 0, 2]]> : tensor<1x4xi32>,
    rows = dense<[1, 1]> : tensor<2xi16>, columns = dense<[0, 2]> : tensor<2xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>} : !bcr.packed<4x6xf32>
  return
}

// -----

func.func @bcr_8_position_twice() {
  // expected-error @below {{BCR-8: position (1, 2) is stored twice}}
  %w = bcr.constant {block = array<i64: 2, 3>, groups = dense<[[0, 2, 0, 2], [1, 1, 1, 1]]> : tensor<2x4xi32>,
    rows = dense<[0, 1]> : tensor<2xi16>, columns = dense<[0, 2]> : tensor<2xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0, 5.0]> : tensor<5xf32>} : !bcr.packed<4x6xf32>
  return
}

// -----

func.func @bcr_9_values_of_other_type() {
  // expected-error @below {{BCR-9: values are 'f64', the matrix is 'f32'}}
  %w = bcr.constant {block = array<i64: 2, 3>, groups = dense<[[0, 2, 0, 2]]> : tensor<1x4xi32>,
    rows = dense<[0, 1]> : tensor<2xi16>, columns = dense<[0, 2]> : tensor<2xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf64>} : !bcr.packed<4x6xf32>
  return
}

// -----

func.func @bcr_9_too_few_values() {
  // expected-error @below {{BCR-9: groups have 4 positions, 'values' has 3}}
  %w = bcr.constant {block = array<i64: 2, 3>, groups = dense<[[0, 2, 0, 2]]> : tensor<1x4xi32>,
    rows = dense<[0, 1]> : tensor<2xi16>, columns = dense<[0, 2]> : tensor<2xi16>,
    values = dense<[1.0, 2.0, 3.0]> : tensor<3xf32>} : !bcr.packed<4x6xf32>
  return
}

// -----

func.func @bcr_2_block_of_a_layer(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>, %o: tensor<2x4xf32>) {
  // expected-error @below {{BCR-2: 'block' is two positive numbers no larger than the weights 4x3}}
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%o : tensor<2x4xf32>) {block = array<i64: 5, 3>} -> tensor<2x4xf32>
  return
}

// -----

func.func @bcr_10_rank(%x: tensor<2x1x3xf32>, %w: tensor<4x3xf32>, %o: tensor<2x4xf32>) {
  // expected-error @below {{BCR-10: input and result have 2 dimensions, got 'tensor<2x1x3xf32>' and 'tensor<2x4xf32>'}}
  %y = bcr.matmul ins(%x : tensor<2x1x3xf32>) weights(%w : tensor<4x3xf32>) outs(%o : tensor<2x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @bcr_10_samples(%x: tensor<5x3xf32>, %w: tensor<4x3xf32>, %o: tensor<2x4xf32>) {
  // expected-error @below {{BCR-10: input has 5 samples, the result 2}}
  %y = bcr.matmul ins(%x : tensor<5x3xf32>) weights(%w : tensor<4x3xf32>) outs(%o : tensor<2x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @bcr_11_tensors_and_memrefs(%x: memref<2x3xf32>, %w: tensor<4x3xf32>, %o: tensor<2x4xf32>) {
  // expected-error @below {{BCR-11: operands are all tensors or all memrefs}}
  %y = bcr.matmul ins(%x : memref<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%o : tensor<2x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @bcr_11_no_result(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>, %o: tensor<2x4xf32>) {
  // expected-error @below {{BCR-11: on tensors a layer has one result of the type of 'outs', on memrefs none}}
  bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%o : tensor<2x4xf32>)
  return
}

// -----

func.func @bcr_12_input_of_other_type(%x: tensor<2x3xf64>, %w: tensor<4x3xf32>, %o: tensor<2x4xf32>) {
  // expected-error @below {{BCR-12: layers compute in f32, got 'tensor<2x3xf64>' and 'tensor<2x4xf32>'}}
  %y = bcr.matmul ins(%x : tensor<2x3xf64>) weights(%w : tensor<4x3xf32>) outs(%o : tensor<2x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @bcr_13_rows(%x: tensor<2x3xf32>, %w: !bcr.packed<5x3xf32>, %o: tensor<2x4xf32>) {
  // expected-error @below {{BCR-13: the weights have 5 rows, the result has 4 channels}}
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : !bcr.packed<5x3xf32>) outs(%o : tensor<2x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @bcr_13_columns(%x: tensor<2x3xf32>, %w: !bcr.packed<4x6xf32>, %o: tensor<2x4xf32>) {
  // expected-error @below {{BCR-13: the weights have 6 columns, the input has 3 features}}
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : !bcr.packed<4x6xf32>) outs(%o : tensor<2x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @bcr_13_dynamic_weights(%x: tensor<2x3xf32>, %w: tensor<?x3xf32>, %o: tensor<2x4xf32>) {
  // expected-error @below {{BCR-13: dense weights are a static f32 matrix, got 'tensor<?x3xf32>'}}
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<?x3xf32>) outs(%o : tensor<2x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @bcr_14_bias_too_long(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>, %o: tensor<2x4xf32>, %b: tensor<5xf32>) {
  // expected-error @below {{BCR-14: the bias is f32, one value a row of the weights, got 'tensor<5xf32>'}}
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) bias(%b : tensor<5xf32>) outs(%o : tensor<2x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

func.func @bcr_15_residual_of_other_shape(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>, %o: tensor<2x4xf32>, %r: tensor<4x2xf32>) {
  // expected-error @below {{BCR-15: the residual has the shape of the result 'tensor<2x4xf32>', got 'tensor<4x2xf32>'}}
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) residual(%r : tensor<4x2xf32>) outs(%o : tensor<2x4xf32>) -> tensor<2x4xf32>
  return
}

// -----

// expected-error @below {{BCR-16: unknown activation 'swish'}}
func.func private @bcr_16_unknown() attributes {a = #bcr.activation<swish>}

// -----

// expected-error @below {{BCR-16: clamp's lower bound 2.000000e+00 is above its upper bound 1.000000e+00}}
func.func private @bcr_16_clamp_bounds() attributes {a = #bcr.activation<clamp, 2.0, 1.0>}

// -----

// expected-error @below {{expected ','}}
func.func private @activation_without_its_parameter() attributes {a = #bcr.activation<leaky_relu>}

// -----

// expected-error @below {{BCR-17: height, vectors and lanes of a schedule are positive, got 8, 0 and 16}}
func.func private @bcr_17_no_vectors() attributes {s = #bcr.schedule<pixels, height = 8, vectors = 0, lanes = 16>}

// -----

// expected-error @below {{BCR-17: the band of a schedule is positive and of the kernels pixels and winograd, got -7 for pixels}}
func.func private @bcr_17_negative_band() attributes {s = #bcr.schedule<pixels, height = 8, vectors = 3, lanes = 16, band = -7>}

// -----

// expected-error @below {{BCR-17: the band of a schedule is positive and of the kernels pixels and winograd, got 7 for rows}}
func.func private @bcr_17_band_of_rows() attributes {s = #bcr.schedule<rows, height = 8, vectors = 3, lanes = 16, band = 7>}

// -----

// expected-error @below {{BCR-17: a band of the kernel winograd is a multiple of four rows, got 6}}
func.func private @bcr_17_band_of_half_a_tile() attributes {s = #bcr.schedule<winograd, height = 8, vectors = 3, lanes = 16, band = 6>}

// -----

func.func @bcr_17_band_does_not_divide(%x: tensor<1x4x5x6xf32>, %w: tensor<2x4x3x3xf32>, %o: tensor<1x2x3x4xf32>) {
  // expected-error @below {{BCR-17: a band of 2 rows does not divide the 3 rows of the result}}
  %y = bcr.conv2d ins(%x : tensor<1x4x5x6xf32>) weights(%w : tensor<2x4x3x3xf32>) outs(%o : tensor<1x2x3x4xf32>) {kernel = array<i64: 3, 3>, schedule = #bcr.schedule<pixels, height = 2, vectors = 1, lanes = 4, band = 2>} -> tensor<1x2x3x4xf32>
  return
}

// -----

func.func @bcr_10_image_rank(%x: tensor<1x4x30xf32>, %w: tensor<2x4x3x3xf32>, %o: tensor<1x2x3x4xf32>) {
  // expected-error @below {{BCR-10: input and result have 4 dimensions, got 'tensor<1x4x30xf32>' and 'tensor<1x2x3x4xf32>'}}
  %y = bcr.conv2d ins(%x : tensor<1x4x30xf32>) weights(%w : tensor<2x4x3x3xf32>) outs(%o : tensor<1x2x3x4xf32>) {kernel = array<i64: 3, 3>} -> tensor<1x2x3x4xf32>
  return
}

// -----

func.func @bcr_13_kernel_size(%x: tensor<1x4x5x6xf32>, %w: tensor<2x4x3x2xf32>, %o: tensor<1x2x3x4xf32>) {
  // expected-error @below {{BCR-13: dense weights are static f32 and four-dimensional with the size of 'kernel', got 'tensor<2x4x3x2xf32>'}}
  %y = bcr.conv2d ins(%x : tensor<1x4x5x6xf32>) weights(%w : tensor<2x4x3x2xf32>) outs(%o : tensor<1x2x3x4xf32>) {kernel = array<i64: 3, 3>} -> tensor<1x2x3x4xf32>
  return
}

// -----

func.func @bcr_13_channels(%x: tensor<1x4x5x6xf32>, %w: tensor<2x2x3x3xf32>, %o: tensor<1x2x3x4xf32>) {
  // expected-error @below {{BCR-13: the weights have 18 columns, channels a group times kernel is 36}}
  %y = bcr.conv2d ins(%x : tensor<1x4x5x6xf32>) weights(%w : tensor<2x2x3x3xf32>) outs(%o : tensor<1x2x3x4xf32>) {kernel = array<i64: 3, 3>} -> tensor<1x2x3x4xf32>
  return
}

// -----

func.func @bcr_18_one_stride(%x: tensor<1x4x5x6xf32>, %w: tensor<2x4x3x3xf32>, %o: tensor<1x2x3x4xf32>) {
  // expected-error @below {{BCR-18: 'kernel', 'strides' and 'dilations' are two positive numbers each}}
  %y = bcr.conv2d ins(%x : tensor<1x4x5x6xf32>) weights(%w : tensor<2x4x3x3xf32>) outs(%o : tensor<1x2x3x4xf32>) {kernel = array<i64: 3, 3>, strides = array<i64: 1>} -> tensor<1x2x3x4xf32>
  return
}

// -----

func.func @bcr_18_negative_padding(%x: tensor<1x4x5x6xf32>, %w: tensor<2x4x3x3xf32>, %o: tensor<1x2x3x4xf32>) {
  // expected-error @below {{BCR-18: 'padding' is four numbers that are not negative: top, left, bottom, right}}
  %y = bcr.conv2d ins(%x : tensor<1x4x5x6xf32>) weights(%w : tensor<2x4x3x3xf32>) outs(%o : tensor<1x2x3x4xf32>) {kernel = array<i64: 3, 3>, padding = array<i64: 0, 0, -1, 0>} -> tensor<1x2x3x4xf32>
  return
}

// -----

func.func @bcr_19_groups_do_not_divide(%x: tensor<1x4x5x6xf32>, %w: tensor<2x4x3x3xf32>, %o: tensor<1x2x3x4xf32>) {
  // expected-error @below {{BCR-19: 3 groups do not divide 4 input and 2 output channels}}
  %y = bcr.conv2d ins(%x : tensor<1x4x5x6xf32>) weights(%w : tensor<2x4x3x3xf32>) outs(%o : tensor<1x2x3x4xf32>) {kernel = array<i64: 3, 3>, groups = 3 : i64} -> tensor<1x2x3x4xf32>
  return
}

// -----

func.func @bcr_19_no_groups(%x: tensor<1x4x5x6xf32>, %w: tensor<2x4x3x3xf32>, %o: tensor<1x2x3x4xf32>) {
  // expected-error @below {{BCR-19: 0 groups do not divide}}
  %y = bcr.conv2d ins(%x : tensor<1x4x5x6xf32>) weights(%w : tensor<2x4x3x3xf32>) outs(%o : tensor<1x2x3x4xf32>) {kernel = array<i64: 3, 3>, groups = 0 : i64} -> tensor<1x2x3x4xf32>
  return
}

// -----

func.func @bcr_20_width(%x: tensor<1x4x5x6xf32>, %w: tensor<2x4x3x3xf32>, %o: tensor<1x2x3x5xf32>) {
  // expected-error @below {{BCR-20: the result's dimension 3 is 5, should be 4}}
  %y = bcr.conv2d ins(%x : tensor<1x4x5x6xf32>) weights(%w : tensor<2x4x3x3xf32>) outs(%o : tensor<1x2x3x5xf32>) {kernel = array<i64: 3, 3>} -> tensor<1x2x3x5xf32>
  return
}

// -----

func.func @bcr_20_dynamic_image(%x: tensor<1x4x?x6xf32>, %w: tensor<2x4x3x3xf32>, %o: tensor<1x2x3x4xf32>) {
  // expected-error @below {{BCR-20: image sizes are static, got 'tensor<1x4x?x6xf32>' and 'tensor<1x2x3x4xf32>'}}
  %y = bcr.conv2d ins(%x : tensor<1x4x?x6xf32>) weights(%w : tensor<2x4x3x3xf32>) outs(%o : tensor<1x2x3x4xf32>) {kernel = array<i64: 3, 3>} -> tensor<1x2x3x4xf32>
  return
}

// -----

func.func @bcr_21_late_start(%x: tensor<1x2xf32>, %o: tensor<1x3xf32>) {
  %w = bcr.constant {block = array<i64: 1, 2>, groups = dense<[[0, 1, 0, 1], [1, 1, 0, 1], [2, 1, 0, 1]]> : tensor<3x4xi32>,
    rows = dense<[0, 1, 2]> : tensor<3xi16>, columns = dense<[0, 1]> : tensor<2xi16>,
    values = dense<[1.0, 2.0, 3.0]> : tensor<3xf32>} : !bcr.packed<3x2xf32>
  // expected-error @below {{BCR-21: 'chunks' start at 0 and increase below 3, the number of groups}}
  %y = bcr.matmul ins(%x : tensor<1x2xf32>) weights(%w : !bcr.packed<3x2xf32>) outs(%o : tensor<1x3xf32>)
         {chunks = array<i64: 1, 2>} -> tensor<1x3xf32>
  return
}

// -----

func.func @bcr_21_chunk_past_the_groups(%x: tensor<1x2xf32>, %o: tensor<1x3xf32>) {
  %w = bcr.constant {block = array<i64: 1, 2>, groups = dense<[[0, 1, 0, 1], [1, 1, 0, 1], [2, 1, 0, 1]]> : tensor<3x4xi32>,
    rows = dense<[0, 1, 2]> : tensor<3xi16>, columns = dense<[0, 1]> : tensor<2xi16>,
    values = dense<[1.0, 2.0, 3.0]> : tensor<3xf32>} : !bcr.packed<3x2xf32>
  // expected-error @below {{BCR-21: 'chunks' start at 0 and increase below 3, the number of groups}}
  %y = bcr.matmul ins(%x : tensor<1x2xf32>) weights(%w : !bcr.packed<3x2xf32>) outs(%o : tensor<1x3xf32>)
         {chunks = array<i64: 0, 3>} -> tensor<1x3xf32>
  return
}

// -----

func.func @bcr_21_empty_chunk(%x: tensor<1x2xf32>, %o: tensor<1x3xf32>) {
  %w = bcr.constant {block = array<i64: 1, 2>, groups = dense<[[0, 1, 0, 1], [1, 1, 0, 1], [2, 1, 0, 1]]> : tensor<3x4xi32>,
    rows = dense<[0, 1, 2]> : tensor<3xi16>, columns = dense<[0, 1]> : tensor<2xi16>,
    values = dense<[1.0, 2.0, 3.0]> : tensor<3xf32>} : !bcr.packed<3x2xf32>
  // expected-error @below {{BCR-21: 'chunks' start at 0 and increase below 3, the number of groups}}
  %y = bcr.matmul ins(%x : tensor<1x2xf32>) weights(%w : !bcr.packed<3x2xf32>) outs(%o : tensor<1x3xf32>)
         {chunks = array<i64: 0, 1, 1>} -> tensor<1x3xf32>
  return
}

// -----

func.func @bcr_21_row_in_two_chunks(%x: tensor<1x2xf32>, %o: tensor<1x3xf32>) {
  %w = bcr.constant {block = array<i64: 1, 2>, groups = dense<[[0, 1, 0, 1], [0, 1, 1, 1], [2, 1, 0, 1]]> : tensor<3x4xi32>,
    rows = dense<[0, 1, 2]> : tensor<3xi16>, columns = dense<[0, 1]> : tensor<2xi16>,
    values = dense<[1.0, 2.0, 3.0]> : tensor<3xf32>} : !bcr.packed<3x2xf32>
  // expected-error @below {{BCR-21: row 0 is in chunks 0 and 1}}
  %y = bcr.matmul ins(%x : tensor<1x2xf32>) weights(%w : !bcr.packed<3x2xf32>) outs(%o : tensor<1x3xf32>)
         {chunks = array<i64: 0, 1>} -> tensor<1x3xf32>
  return
}

// -----

func.func @bcr_21_dense_weights(%x: tensor<2x3xf32>, %w: tensor<4x3xf32>, %o: tensor<2x4xf32>) {
  // expected-error @below {{BCR-21: 'chunks' cut the groups of a bcr.constant, the weights are 'tensor<4x3xf32>'}}
  %y = bcr.matmul ins(%x : tensor<2x3xf32>) weights(%w : tensor<4x3xf32>) outs(%o : tensor<2x4xf32>) {chunks = array<i64: 0>} -> tensor<2x4xf32>
  return
}

// -----

func.func @overread_on_tensors(%x: tensor<1x1x4x4xf32>, %w: tensor<1x1x1x1xf32>, %o: tensor<1x1x4x4xf32>) -> tensor<1x1x4x4xf32> {
  // expected-error @below {{BCR-22: 'overread' and 'gaps' are facts of memrefs, the layer is on tensors}}
  %y = bcr.conv2d ins(%x : tensor<1x1x4x4xf32>) weights(%w : tensor<1x1x1x1xf32>) outs(%o : tensor<1x1x4x4xf32>)
    {kernel = array<i64: 1, 1>, overread = 4 : i64} -> tensor<1x1x4x4xf32>
  return %y : tensor<1x1x4x4xf32>
}

// -----

func.func @negative_overread(%x: memref<1x1x4x4xf32>, %w: memref<1x1x1x1xf32>, %o: memref<1x1x4x4xf32>) {
  // expected-error @below {{BCR-22: 'overread' is not negative}}
  bcr.conv2d ins(%x : memref<1x1x4x4xf32>) weights(%w : memref<1x1x1x1xf32>) outs(%o : memref<1x1x4x4xf32>)
    {kernel = array<i64: 1, 1>, overread = -1 : i64}
  return
}

// -----

func.func @gaps_of_unknown_width(%x: memref<1x1x4x4xf32>, %w: memref<1x1x1x1xf32>, %o: memref<1x1x4x4xf32, strided<[?, ?, ?, 1]>>) {
  // expected-error @below {{BCR-22: 'gaps' needs rows of neighbouring elements at a known distance}}
  bcr.conv2d ins(%x : memref<1x1x4x4xf32>) weights(%w : memref<1x1x1x1xf32>) outs(%o : memref<1x1x4x4xf32, strided<[?, ?, ?, 1]>>)
    {kernel = array<i64: 1, 1>, gaps = #bcr.gaps<zero>}
  return
}

// -----

func.func @pool_kernel(%x: tensor<1x2x4x4xf32>, %o: tensor<1x2x2x2xf32>) {
  // expected-error @below {{BCR-18: 'kernel', 'strides' and 'dilations' are two positive numbers each}}
  %y = bcr.pool2d ins(%x : tensor<1x2x4x4xf32>) outs(%o : tensor<1x2x2x2xf32>)
    {kind = #bcr.pool<max>, kernel = array<i64: 2, 0>, strides = array<i64: 2, 2>} -> tensor<1x2x2x2xf32>
  return
}

// -----

func.func @pool_padding(%x: tensor<1x2x4x4xf32>, %o: tensor<1x2x2x2xf32>) {
  // expected-error @below {{BCR-18: 'padding' is four numbers that are not negative: top, left, bottom, right}}
  %y = bcr.pool2d ins(%x : tensor<1x2x4x4xf32>) outs(%o : tensor<1x2x2x2xf32>)
    {kind = #bcr.pool<max>, kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, padding = array<i64: 0, 0, -1, 0>} -> tensor<1x2x2x2xf32>
  return
}

// -----

func.func @pool_rank(%x: tensor<2x4x4xf32>, %o: tensor<1x2x2x2xf32>) {
  // expected-error @below {{BCR-10: input and result have 4 dimensions, got 'tensor<2x4x4xf32>'}}
  %y = bcr.pool2d ins(%x : tensor<2x4x4xf32>) outs(%o : tensor<1x2x2x2xf32>)
    {kind = #bcr.pool<max>, kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} -> tensor<1x2x2x2xf32>
  return
}

// -----

func.func @pool_mixed(%x: memref<1x2x4x4xf32>, %o: tensor<1x2x2x2xf32>) {
  // expected-error @below {{BCR-11: operands are all tensors or all memrefs}}
  %y = bcr.pool2d ins(%x : memref<1x2x4x4xf32>) outs(%o : tensor<1x2x2x2xf32>)
    {kind = #bcr.pool<max>, kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} -> tensor<1x2x2x2xf32>
  return
}

// -----

func.func @pool_without_result(%x: tensor<1x2x4x4xf32>, %o: tensor<1x2x2x2xf32>) {
  // expected-error @below {{BCR-11: on tensors a pooling has one result of the type of 'outs', on memrefs none}}
  bcr.pool2d ins(%x : tensor<1x2x4x4xf32>) outs(%o : tensor<1x2x2x2xf32>)
    {kind = #bcr.pool<max>, kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>}
  return
}

// -----

func.func @pool_type(%x: tensor<1x2x4x4xf64>, %o: tensor<1x2x2x2xf32>) {
  // expected-error @below {{BCR-12: poolings compute in f32}}
  %y = bcr.pool2d ins(%x : tensor<1x2x4x4xf64>) outs(%o : tensor<1x2x2x2xf32>)
    {kind = #bcr.pool<max>, kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} -> tensor<1x2x2x2xf32>
  return
}

// -----

func.func @pool_channels(%x: tensor<1x3x4x4xf32>, %o: tensor<1x2x2x2xf32>) {
  // expected-error @below {{BCR-23: input and result of a pooling have the same channels}}
  %y = bcr.pool2d ins(%x : tensor<1x3x4x4xf32>) outs(%o : tensor<1x2x2x2xf32>)
    {kind = #bcr.pool<max>, kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} -> tensor<1x2x2x2xf32>
  return
}

// -----

func.func @pool_divisor(%x: tensor<1x2x4x4xf32>, %o: tensor<1x2x2x2xf32>) {
  // expected-error @below {{BCR-24: the divisor of a sum is a finite number other than zero, a maximum has none}}
  %y = bcr.pool2d ins(%x : tensor<1x2x4x4xf32>) outs(%o : tensor<1x2x2x2xf32>)
    {kind = #bcr.pool<sum>, kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, divisor = 0.0 : f32} -> tensor<1x2x2x2xf32>
  return
}

// -----

func.func @pool_maximum_divided(%x: tensor<1x2x4x4xf32>, %o: tensor<1x2x2x2xf32>) {
  // expected-error @below {{BCR-24: the divisor of a sum is a finite number other than zero, a maximum has none}}
  %y = bcr.pool2d ins(%x : tensor<1x2x4x4xf32>) outs(%o : tensor<1x2x2x2xf32>)
    {kind = #bcr.pool<max>, kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, divisor = 2.0 : f32} -> tensor<1x2x2x2xf32>
  return
}

// -----

func.func @pool_samples(%x: tensor<3x2x4x4xf32>, %o: tensor<1x2x2x2xf32>) {
  // expected-error @below {{BCR-10: input has 3 samples, the result 1}}
  %y = bcr.pool2d ins(%x : tensor<3x2x4x4xf32>) outs(%o : tensor<1x2x2x2xf32>)
    {kind = #bcr.pool<max>, kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} -> tensor<1x2x2x2xf32>
  return
}

// -----

func.func @pool_size(%x: tensor<1x2x4x6xf32>, %o: tensor<1x2x2x2xf32>) {
  // expected-error @below {{BCR-20: the result's dimension 3 is 2, should be 3}}
  %y = bcr.pool2d ins(%x : tensor<1x2x4x6xf32>) outs(%o : tensor<1x2x2x2xf32>)
    {kind = #bcr.pool<max>, kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>} -> tensor<1x2x2x2xf32>
  return
}

// -----

func.func @bcr_25_taps(%x: tensor<1x4x7x9xf32>, %w: tensor<2x4x3x5xf32>, %o: tensor<1x2x5x5xf32>) {
  // expected-error @below {{BCR-25: the kernel winograd is for 3x3 taps, strides and dilations of one and one group}}
  %y = bcr.conv2d ins(%x : tensor<1x4x7x9xf32>) weights(%w : tensor<2x4x3x5xf32>) outs(%o : tensor<1x2x5x5xf32>) {kernel = array<i64: 3, 5>, schedule = #bcr.schedule<winograd, height = 2, vectors = 1, lanes = 4>} -> tensor<1x2x5x5xf32>
  return
}

// -----

func.func @bcr_25_strides(%x: tensor<1x4x7x9xf32>, %w: tensor<2x4x3x3xf32>, %o: tensor<1x2x5x4xf32>) {
  // expected-error @below {{BCR-25: the kernel winograd is for 3x3 taps, strides and dilations of one and one group}}
  %y = bcr.conv2d ins(%x : tensor<1x4x7x9xf32>) weights(%w : tensor<2x4x3x3xf32>) outs(%o : tensor<1x2x5x4xf32>) {kernel = array<i64: 3, 3>, strides = array<i64: 1, 2>, schedule = #bcr.schedule<winograd, height = 2, vectors = 1, lanes = 4>} -> tensor<1x2x5x4xf32>
  return
}

// -----

func.func @bcr_25_dilations(%x: tensor<1x4x7x9xf32>, %w: tensor<2x4x3x3xf32>, %o: tensor<1x2x3x7xf32>) {
  // expected-error @below {{BCR-25: the kernel winograd is for 3x3 taps, strides and dilations of one and one group}}
  %y = bcr.conv2d ins(%x : tensor<1x4x7x9xf32>) weights(%w : tensor<2x4x3x3xf32>) outs(%o : tensor<1x2x3x7xf32>) {kernel = array<i64: 3, 3>, dilations = array<i64: 2, 1>, schedule = #bcr.schedule<winograd, height = 2, vectors = 1, lanes = 4>} -> tensor<1x2x3x7xf32>
  return
}

// -----

func.func @bcr_25_groups(%x: tensor<1x4x7x9xf32>, %w: tensor<2x2x3x3xf32>, %o: tensor<1x2x5x7xf32>) {
  // expected-error @below {{BCR-25: the kernel winograd is for 3x3 taps, strides and dilations of one and one group}}
  %y = bcr.conv2d ins(%x : tensor<1x4x7x9xf32>) weights(%w : tensor<2x2x3x3xf32>) outs(%o : tensor<1x2x5x7xf32>) {kernel = array<i64: 3, 3>, groups = 2 : i64, schedule = #bcr.schedule<winograd, height = 2, vectors = 1, lanes = 4>} -> tensor<1x2x5x7xf32>
  return
}

// -----

func.func @bcr_25_matmul(%x: tensor<4x9xf32>, %w: tensor<2x9xf32>, %o: tensor<4x2xf32>) {
  // expected-error @below {{BCR-25: the kernel winograd is for convolutions}}
  %y = bcr.matmul ins(%x : tensor<4x9xf32>) weights(%w : tensor<2x9xf32>) outs(%o : tensor<4x2xf32>) {schedule = #bcr.schedule<winograd, height = 2, vectors = 1, lanes = 4>} -> tensor<4x2xf32>
  return
}
