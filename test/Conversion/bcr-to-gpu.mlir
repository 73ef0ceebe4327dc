// RUN: bcr-opt %s --convert-bcr-to-gpu --canonicalize --cse | FileCheck %s
// RUN: bcr-opt %s --convert-bcr-to-gpu=weight-vector=4 --canonicalize --cse | FileCheck %s --check-prefix=VECTOR
// RUN: bcr-opt %s --convert-bcr-to-gpu=processor=true --canonicalize --cse | FileCheck %s --check-prefix=PROCESSOR

// Without zeros around the input a kernel copies it into a buffer that has them, for two samples of two channels; then
// one kernel for each height of the groups: work-groups along x cover the 5 rows of 8 of the padded input, of which the last
// two elements are none of the output; groups of the weights are along y and samples along z.
// CHECK: module attributes {bcr.layers = {{{.*}}rnn = {{{.*}}positions = 14 : i64
// CHECK: memref.global "private" constant @c.values : memref<14xf32>
// CHECK-LABEL: func.func @conv(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<2x2x5x6xf32>, %[[B:[a-z0-9]+]]: memref<5xf32>,
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG:     %[[C4:.*]] = arith.constant 4 : index
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[C5:.*]] = arith.constant 5 : index
// CHECK-DAG:     %[[C6:.*]] = arith.constant 6 : index
// CHECK-DAG:     %[[C7:.*]] = arith.constant 7 : index
// CHECK-DAG:     %[[C8:.*]] = arith.constant 8 : index
// CHECK:         %[[P:.*]] = memref.alloc() {{.*}} : memref<2x2x7x8xf32>
// CHECK:         gpu.launch blocks(%{{[^)]+}}) in (%{{[^ ]+}} = %[[C1]], %{{[^ ]+}} = %[[C7]], %{{[^ ]+}} = %[[C4]])
// CHECK:           memref.store %{{.*}}, %[[P]]
// CHECK:           scf.if
// CHECK:             memref.load %[[X]]
// CHECK:         } {bcr.kernel = "c.padding"}
// CHECK:         gpu.launch blocks(%{{[^)]+}}) in (%{{[^ ]+}} = %[[C3]], %{{[^ ]+}} = %[[C1]], %{{[^ ]+}} = %[[C2]])
// CHECK:           %[[AT:.*]] = arith.addi %{{.*}}, %thread_id_x
// CHECK:           arith.divui %[[AT]], %[[C8]]
// CHECK:           %[[COLUMN:.*]] = arith.remui %[[AT]], %[[C8]]
// CHECK:           arith.cmpi ult, %[[COLUMN]], %[[C6]]
// CHECK:           arith.minui %[[COLUMN]], %[[C5]]
// CHECK-COUNT-4:   memref.load %[[B]]
// CHECK:           scf.for {{.*}} -> (index, f32, f32, f32, f32)
// CHECK-COUNT-4:   memref.store
// CHECK-NOT:       memref.store
// CHECK:         } {bcr.kernel = "c"}
// CHECK:         gpu.launch
// CHECK:           memref.load %[[B]]
// CHECK:           scf.for {{.*}} -> (index, f32)
// CHECK:         } {bcr.kernel = "c"}
// CHECK:         memref.dealloc %[[P]]

// Four weights of a column are neighbours, one load where the device likes that; a single row has none.
// VECTOR-LABEL: func.func @conv(
// VECTOR:         scf.for {{.*}} -> (index, f32, f32, f32, f32)
// VECTOR:           vector.load %{{.*}} : memref<14xf32>, vector<4xf32>
// VECTOR:         scf.for {{.*}} -> (index, f32)
// VECTOR-NOT:       vector.load
// VECTOR-LABEL: func.func @flat(
func.func @conv(%x: memref<2x2x5x6xf32>, %b: memref<5xf32>, %o: memref<2x5x5x6xf32>) {
  %w = bcr.constant {block = array<i64: 4, 9>, groups = dense<[[0, 4, 0, 3], [4, 1, 3, 2]]> : tensor<2x4xi32>,
    rows = dense<[3, 1, 2, 0, 4]> : tensor<5xi16>, columns = dense<[1, 7, 9, 4, 17]> : tensor<5xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0]> : tensor<14xf32>} : !bcr.packed<5x18xf32>
  bcr.conv2d ins(%x : memref<2x2x5x6xf32>) weights(%w : !bcr.packed<5x18xf32>) bias(%b : memref<5xf32>)
    outs(%o : memref<2x5x5x6xf32>) {layer = "c", kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, padding = array<i64: 1, 1, 1, 1>,
    dilations = array<i64: 1, 1>, groups = 1 : i64, activation = #bcr.activation<relu>}
  return
}

// Where a position of the input is one of the output, positions are flat: three groups of 16 cover 5 rows of 9, the last one
// moved back to 29 and storing from 32 on. The residual is added, and a matrix without bias starts at zero.
// CHECK-LABEL: func.func @flat(
// CHECK-SAME:    %{{.*}}: memref<1x2x6x9xf32, strided<[126, 63, 9, 1]>>, %[[RESIDUAL:[a-z0-9]+]]: memref<1x3x5x9xf32>,
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[C16:.*]] = arith.constant 16 : index
// CHECK-DAG:     %[[C29:.*]] = arith.constant 29 : index
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant 0.0{{.*}} : f32
// CHECK:         %[[R:.*]] = memref.reinterpret_cast %[[RESIDUAL]] to {{.*}} to memref<135xf32>
// CHECK:         gpu.launch blocks(%{{[^)]+}}) in (%{{[^ ]+}} = %[[C3]], %{{[^ ]+}} = %[[C1]], %{{[^ ]+}} = %[[C1]])
// CHECK:           %[[BEGIN:.*]] = arith.muli %{{.*}}, %[[C16]]
// CHECK:           %[[START:.*]] = arith.minui %[[BEGIN]], %[[C29]]
// CHECK:           %[[AT:.*]] = arith.addi %[[START]], %{{.*}}
// CHECK:           %[[OWN:.*]] = arith.cmpi uge, %[[AT]], %[[BEGIN]]
// CHECK:           scf.for {{.*}} iter_args(%{{.*}} = %{{.*}}, %{{.*}} = %[[ZERO]], %{{.*}} = %[[ZERO]])
// CHECK:           %[[V:.*]] = memref.load %[[R]]
// CHECK:           %[[SUM:.*]] = arith.addf %{{.*}}, %[[V]]
// CHECK:           scf.if %[[OWN]]
// CHECK-NEXT:        memref.store %[[SUM]]
// CHECK:         } {bcr.kernel = "flat"}
func.func @flat(%x: memref<1x2x6x9xf32, strided<[126, 63, 9, 1]>>, %r: memref<1x3x5x9xf32>, %o: memref<1x3x5x9xf32>) {
  %w = bcr.constant {block = array<i64: 3, 4>, groups = dense<[[0, 2, 0, 2], [2, 1, 2, 1]]> : tensor<2x4xi32>,
    rows = dense<[2, 0, 1]> : tensor<3xi16>, columns = dense<[1, 3, 2]> : tensor<3xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0, 5.0]> : tensor<5xf32>} : !bcr.packed<3x4xf32>
  bcr.conv2d ins(%x : memref<1x2x6x9xf32, strided<[126, 63, 9, 1]>>) weights(%w : !bcr.packed<3x4xf32>) residual(%r : memref<1x3x5x9xf32>)
    outs(%o : memref<1x3x5x9xf32>) {layer = "flat", kernel = array<i64: 2, 1>, strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>,
    dilations = array<i64: 1, 1>, groups = 1 : i64}
  return
}

// Rows 0, 1 and 1, 2: each group stores its part of a row, four in all, and a second kernel adds them up: rows 0 and 2 have one
// part, row 1 has two. The parts of a row are numbers from 1 on, 0 where it has fewer.
// CHECK: memref.global "private" constant @shared.parts : memref<6xi8> = dense<[1, 2, 4, 0, 3, 0]>
// CHECK-LABEL: func.func @shared_rows(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<2x4xf32>, %[[B:[a-z0-9]+]]: memref<3xf32>, %[[O:[a-z0-9]+]]: memref<2x3xf32>)
// CHECK:         %[[PARTS:.*]] = memref.alloc() {{.*}}bcr.sums{{.*}} : memref<2x4xf32>
// CHECK:         gpu.launch
// CHECK-NOT:       memref.load %[[B]]
// CHECK:           memref.store %{{.*}}, %[[PARTS]]
// CHECK:           memref.store %{{.*}}, %[[PARTS]]
// CHECK:         } {bcr.kernel = "shared"}
// CHECK:         gpu.launch
// CHECK:           scf.for
// CHECK:             %[[ENTRY:.*]] = arith.index_castui
// CHECK:             %[[EXISTS:.*]] = arith.cmpi {{.*}}%[[ENTRY]]
// CHECK:             %[[PART:.*]] = memref.load %[[PARTS]]
// CHECK:             arith.select %[[EXISTS]], %[[PART]]
// CHECK:           memref.load %[[B]]
// CHECK:           memref.store %{{.*}}, %[[O]]
// CHECK:         } {bcr.kernel = "shared"}
// CHECK-NOT:     gpu.launch
// CHECK:         memref.dealloc %[[PARTS]]
func.func @shared_rows(%x: memref<2x4xf32>, %b: memref<3xf32>, %o: memref<2x3xf32>) {
  %w = bcr.constant {block = array<i64: 3, 2>, groups = dense<[[0, 2, 0, 1], [2, 2, 1, 2]]> : tensor<2x4xi32>,
    rows = dense<[0, 1, 1, 2]> : tensor<4xi16>, columns = dense<[1, 2, 3]> : tensor<3xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]> : tensor<6xf32>} : !bcr.packed<3x4xf32>
  bcr.matmul ins(%x : memref<2x4xf32>) weights(%w : !bcr.packed<3x4xf32>) bias(%b : memref<3xf32>) outs(%o : memref<2x3xf32>) {layer = "shared"}
  return
}

// One launch has groups of three and of two rows, and row 4, which has no weights: two work-groups of three work-items for the groups,
// and one for the empty row. The third work-item of the second group loads what follows its weights and stores nothing. Values are
// followed by as many as sixteen work-items, which a processor has, may read behind a column of two.
// CHECK: memref.global "private" constant @heights.values : memref<21xf32>
// CHECK-LABEL: func.func @heights(
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK:         gpu.launch blocks(%{{[^)]+}}) in (%{{[^ ]+}} = %[[C1]], %{{[^ ]+}} = %[[C3]], %{{[^ ]+}} = %[[C1]])
// CHECK:           %[[EMPTY:.*]] = arith.cmpi ugt, %[[Y:.*]], %[[C1]]
// CHECK:           %[[GROUP:.*]] = arith.minui %[[Y]], %[[C1]]
// CHECK:           %[[FIRST:.*]] = arith.cmpi ult, %[[GROUP]], %[[C1]]
// CHECK:           arith.select %[[FIRST]], %[[C3]], %[[C2]]
// CHECK:           scf.for
// CHECK:           scf.if
// CHECK:             memref.store
// CHECK:           %[[OWN:.*]] = arith.andi %[[EMPTY]],
// CHECK:           scf.if %[[OWN]]
// CHECK:             memref.store
// CHECK:         } {bcr.kernel = "heights"}
// CHECK-NOT:     gpu.launch
// CHECK:         return

// A processor's work-group takes all three of so few, one after the other.
// PROCESSOR-LABEL: func.func @heights(
// PROCESSOR:         gpu.launch blocks(%{{[^)]+}}) in (%{{[^ ]+}} = %[[C1:c1]], %{{[^ ]+}} = %[[C1]], %{{[^ ]+}} = %[[C1]])
// PROCESSOR:           scf.for
// PROCESSOR:             scf.for
// PROCESSOR:         } {bcr.kernel = "heights"}
func.func @heights(%x: memref<1x4xf32>, %o: memref<1x6xf32>) {
  %w = bcr.constant {block = array<i64: 6, 4>, groups = dense<[[0, 2, 0, 2], [2, 3, 2, 1]]> : tensor<2x4xi32>,
    rows = dense<[5, 1, 0, 3, 2]> : tensor<5xi16>, columns = dense<[1, 3, 2]> : tensor<3xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]> : tensor<7xf32>} : !bcr.packed<6x4xf32>
  bcr.matmul ins(%x : memref<1x4xf32>) weights(%w : !bcr.packed<6x4xf32>) outs(%o : memref<1x6xf32>) {layer = "heights"}
  return
}

// Rows of a part of an image, four of six: what lies between them is a neighbour's, so not even a bias or a partial sum is stored there.
// CHECK-LABEL: func.func @shared_rows_of_a_part(
// CHECK-DAG:     %[[C4:.*]] = arith.constant 4 : index
// CHECK-DAG:     %[[C6:.*]] = arith.constant 6 : index
// CHECK:           %[[COLUMN:.*]] = arith.remui %{{.*}}, %[[C6]]
// CHECK:           %[[INSIDE:.*]] = arith.cmpi ult, %[[COLUMN]], %[[C4]]
// CHECK-NOT:       memref.store
// CHECK:             scf.if %[[INSIDE]]
// CHECK:               memref.store
// CHECK-NEXT:        }
// CHECK-NOT:       memref.store
// CHECK:             scf.if %[[INSIDE]]
// CHECK:               memref.store
// CHECK:               memref.store
// CHECK-NEXT:        }
// CHECK-NOT:       memref.store
// CHECK:             scf.if %[[INSIDE]]
// CHECK:               memref.store
// CHECK-NEXT:        }
// CHECK-NOT:       memref.store
// CHECK:             scf.if %[[INSIDE]]
// CHECK:               memref.store
// CHECK-NEXT:        }
// CHECK-NOT:       memref.store
// CHECK:         } {bcr.kernel = "part"}
func.func @shared_rows_of_a_part(%x: memref<1x1x5x6xf32>, %y: memref<1x2x3x6xf32>) {
  %w = bcr.constant {block = array<i64: 2, 9>, groups = dense<[[0, 1, 0, 2], [1, 2, 2, 3]]> : tensor<2x4xi32>,
    rows = dense<[0, 0, 1]> : tensor<3xi16>, columns = dense<[0, 4, 1, 2, 8]> : tensor<5xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]> : tensor<8xf32>} : !bcr.packed<2x9xf32>
  %part = memref.subview %y[0, 0, 0, 0] [1, 2, 3, 4] [1, 1, 1, 1] : memref<1x2x3x6xf32> to memref<1x2x3x4xf32, strided<[36, 18, 6, 1]>>
  bcr.conv2d ins(%x : memref<1x1x5x6xf32>) weights(%w : !bcr.packed<2x9xf32>)
    outs(%part : memref<1x2x3x4xf32, strided<[36, 18, 6, 1]>>) {layer = "part", kernel = array<i64: 3, 3>}
  return
}

// Flat positions that include the gap of the last row, to store its zeros, read as many elements behind the input: they have to be
// there. Else the positions end with the last row, 16 of 18, and another kernel stores the zeros.
// CHECK-LABEL: func.func @gaps_behind_the_input(
// CHECK-DAG:       %[[C4:.*]] = arith.constant 4 : index
// CHECK:           %[[COLUMN:.*]] = arith.remui
// CHECK:           arith.cmpi ult, %[[COLUMN]], %[[C4]]
// CHECK:         } {bcr.kernel = "last"}
// CHECK:         } {bcr.kernel = "gaps"}
// CHECK-LABEL: func.func @gaps_in_the_input(
// CHECK:           arith.remui
// CHECK:         } {bcr.kernel = "inside"}
// CHECK-NOT:     gpu.launch
// CHECK:         return
func.func @gaps_behind_the_input(%x: memref<1x1x5x6xf32>, %y: memref<1x1x3x6xf32>) {
  %w = bcr.constant {block = array<i64: 1, 9>, groups = dense<[[0, 1, 0, 2]]> : tensor<1x4xi32>,
    rows = dense<0> : tensor<1xi16>, columns = dense<[3, 8]> : tensor<2xi16>,
    values = dense<[1.0, 2.0]> : tensor<2xf32>} : !bcr.packed<1x9xf32>
  %part = memref.subview %y[0, 0, 0, 0] [1, 1, 3, 4] [1, 1, 1, 1] : memref<1x1x3x6xf32> to memref<1x1x3x4xf32, strided<[18, 18, 6, 1]>>
  bcr.conv2d ins(%x : memref<1x1x5x6xf32>) weights(%w : !bcr.packed<1x9xf32>)
    outs(%part : memref<1x1x3x4xf32, strided<[18, 18, 6, 1]>>)
    {layer = "last", kernel = array<i64: 3, 3>, gaps = #bcr.gaps<zero>, overread = 1 : i64}
  return
}
func.func @gaps_in_the_input(%x: memref<1x1x5x6xf32>, %y: memref<1x1x3x6xf32>) {
  %w = bcr.constant {block = array<i64: 1, 9>, groups = dense<[[0, 1, 0, 2]]> : tensor<1x4xi32>,
    rows = dense<0> : tensor<1xi16>, columns = dense<[3, 8]> : tensor<2xi16>,
    values = dense<[1.0, 2.0]> : tensor<2xf32>} : !bcr.packed<1x9xf32>
  %part = memref.subview %y[0, 0, 0, 0] [1, 1, 3, 4] [1, 1, 1, 1] : memref<1x1x3x6xf32> to memref<1x1x3x4xf32, strided<[18, 18, 6, 1]>>
  bcr.conv2d ins(%x : memref<1x1x5x6xf32>) weights(%w : !bcr.packed<1x9xf32>)
    outs(%part : memref<1x1x3x4xf32, strided<[18, 18, 6, 1]>>)
    {layer = "inside", kernel = array<i64: 3, 3>, gaps = #bcr.gaps<zero>, overread = 2 : i64}
  return
}

// Without zeros behind the last row positions end with it, and so do their inputs.
// CHECK-LABEL: func.func @part_of_a_part(
// CHECK:           arith.remui
// CHECK:         } {bcr.kernel = "same"}
func.func @part_of_a_part(%x: memref<1x1x3x6xf32>, %y: memref<1x1x3x6xf32>) {
  %w = bcr.constant {block = array<i64: 1, 1>, groups = dense<[[0, 1, 0, 1]]> : tensor<1x4xi32>,
    rows = dense<0> : tensor<1xi16>, columns = dense<0> : tensor<1xi16>,
    values = dense<3.0> : tensor<1xf32>} : !bcr.packed<1x1xf32>
  %from = memref.subview %x[0, 0, 0, 0] [1, 1, 3, 4] [1, 1, 1, 1] : memref<1x1x3x6xf32> to memref<1x1x3x4xf32, strided<[18, 18, 6, 1]>>
  %part = memref.subview %y[0, 0, 0, 0] [1, 1, 3, 4] [1, 1, 1, 1] : memref<1x1x3x6xf32> to memref<1x1x3x4xf32, strided<[18, 18, 6, 1]>>
  bcr.conv2d ins(%from : memref<1x1x3x4xf32, strided<[18, 18, 6, 1]>>) weights(%w : !bcr.packed<1x1xf32>)
    outs(%part : memref<1x1x3x4xf32, strided<[18, 18, 6, 1]>>) {layer = "same", kernel = array<i64: 1, 1>}
  return
}

// What may be read behind the input is not behind its copy.
// CHECK-LABEL: func.func @copied(
// CHECK:         %[[P:.*]] = memref.alloc() {{.*}} : memref<1x1x7x8xf32>
// CHECK:         memref.reinterpret_cast %[[P]] to offset: [0], sizes: [56]
func.func @copied(%x: memref<1x1x5x6xf32>, %y: memref<1x1x5x6xf32>) {
  %w = bcr.constant {block = array<i64: 1, 9>, groups = dense<[[0, 1, 0, 2]]> : tensor<1x4xi32>,
    rows = dense<0> : tensor<1xi16>, columns = dense<[3, 8]> : tensor<2xi16>,
    values = dense<[1.0, 2.0]> : tensor<2xf32>} : !bcr.packed<1x9xf32>
  bcr.conv2d ins(%x : memref<1x1x5x6xf32>) weights(%w : !bcr.packed<1x9xf32>) outs(%y : memref<1x1x5x6xf32>)
    {layer = "copied", kernel = array<i64: 3, 3>, padding = array<i64: 1, 1, 1, 1>, overread = 64 : i64}
  return
}

// A work-item computes one position, without taps outside of the image.
// CHECK-LABEL: func.func @pool(
// CHECK-DAG:     %[[C1:.*]] = arith.constant 1 : index
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[C6:.*]] = arith.constant 6 : index
// CHECK:         gpu.launch blocks(%{{[^)]+}}) in (%{{[^ ]+}} = %[[C1]], %{{[^ ]+}} = %[[C3]], %{{[^ ]+}} = %[[C6]])
// CHECK:           arith.maximumf
// CHECK:         } {bcr.kernel = "pool"}
func.func @pool(%x: memref<2x3x7x9xf32>, %o: memref<2x3x3x4xf32>) {
  bcr.pool2d ins(%x : memref<2x3x7x9xf32>) outs(%o : memref<2x3x3x4xf32>) {kind = #bcr.pool<max>, kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, padding = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>}
  return
}

// The host repeats the launches of a step, and the report has the positions of all seven steps of two samples: products of all gates, then the equations, which read the inputs of the last
// step first.
// CHECK-LABEL: func.func @gru(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<7x2x9xf32>, %[[H:[a-z0-9]+]]: memref<2x3xf32>,
// CHECK-DAG:     %[[C6:.*]] = arith.constant 6 : index
// CHECK-DAG:     %[[C7:.*]] = arith.constant 7 : index
// CHECK-DAG:     %[[STATE:.*]] = memref.alloc() {{.*}} : memref<2x3xf32>
// CHECK-DAG:     %[[SUMS:.*]] = memref.alloc() {{.*}} : memref<2x9xf32>
// CHECK:         memref.copy %[[H]], %[[STATE]]
// CHECK:         scf.for %[[TURN:.*]] = %{{.*}} to %[[C7]]
// CHECK:           gpu.launch
// CHECK:             memref.load %[[STATE]]
// CHECK:             memref.store %{{.*}}, %[[SUMS]]
// CHECK:           gpu.launch
// CHECK:             %[[STEP:.*]] = arith.subi %[[C6]], %[[TURN]]
// CHECK:             memref.load %[[X]][%[[STEP]],
// CHECK:             math.tanh
// CHECK:             memref.store %{{.*}}, %[[STATE]]
// CHECK-NOT:     bcr.recurrent
func.func @gru(%x: memref<7x2x9xf32>, %h: memref<2x3xf32>, %b: memref<9xf32>, %o: memref<7x2x3xf32>) {
  %w = bcr.constant {block = array<i64: 9, 3>, groups = dense<[[0, 9, 0, 1]]> : tensor<1x4xi32>,
    rows = dense<[0, 1, 2, 3, 4, 5, 6, 7, 8]> : tensor<9xi16>, columns = dense<1> : tensor<1xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]> : tensor<9xf32>} : !bcr.packed<9x3xf32>
  bcr.recurrent ins(%x : memref<7x2x9xf32>) states(%h : memref<2x3xf32>) weights(%w : !bcr.packed<9x3xf32>) bias(%b : memref<9xf32>)
    outs(%o : memref<7x2x3xf32>) {cell = #bcr.cell<gru>, reverse, layer = "rnn"}
  return
}

// Where rows of the products are sums of parts, the equations add these up: two launches a step, not three.
// CHECK-LABEL: func.func @parts_of_gates(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<5x1x2xf32>, %[[H:[a-z0-9]+]]: memref<1x2xf32>, %[[B:[a-z0-9]+]]: memref<2xf32>,
// CHECK:         scf.for
// CHECK:           %[[PARTS:.*]] = memref.alloc() {{.*}} : memref<1x3xf32>
// CHECK:           gpu.launch
// CHECK:             memref.store %{{.*}}, %[[PARTS]]
// CHECK:           gpu.launch
// CHECK:             memref.load %[[X]]
// CHECK:             scf.for
// CHECK:               memref.load %[[PARTS]]
// CHECK:             memref.load %[[B]]
// CHECK:             math.tanh
// CHECK-NOT:       gpu.launch
// CHECK:           memref.dealloc %[[PARTS]]
// CHECK:         return
func.func @parts_of_gates(%x: memref<5x1x2xf32>, %h: memref<1x2xf32>, %b: memref<2xf32>, %o: memref<5x1x2xf32>) {
  %w = bcr.constant {block = array<i64: 2, 1>, groups = dense<[[0, 2, 0, 1], [2, 1, 1, 1]]> : tensor<2x4xi32>,
    rows = dense<[0, 1, 1]> : tensor<3xi16>, columns = dense<[0, 1]> : tensor<2xi16>,
    values = dense<[1.0, 2.0, 3.0]> : tensor<3xf32>} : !bcr.packed<2x2xf32>
  bcr.recurrent ins(%x : memref<5x1x2xf32>) states(%h : memref<1x2xf32>) weights(%w : !bcr.packed<2x2xf32>) bias(%b : memref<2xf32>)
    outs(%o : memref<5x1x2xf32>) {cell = #bcr.cell<rnn_tanh>, layer = "gates"}
  return
}

// Every other element of an image twice as large, and a residual that lies elsewhere: each has an address of its own, found by
// the row and the column of a position.
// CHECK-LABEL: func.func @strided(
// CHECK-DAG:     %[[C2:.*]] = arith.constant 2 : index
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK-DAG:     %[[C4:.*]] = arith.constant 4 : index
// CHECK-DAG:     %[[C12:.*]] = arith.constant 12 : index
// CHECK:         %[[O:.*]] = memref.reinterpret_cast {{.*}} to memref<17xf32>
// CHECK:         %[[R:.*]] = memref.reinterpret_cast {{.*}} to memref<7xf32>
// CHECK:           %[[Y:.*]] = arith.divui %{{.*}}, %[[C3]]
// CHECK:           %[[X:.*]] = arith.remui %{{.*}}, %[[C3]]
// CHECK:           %[[OY:.*]] = arith.muli %[[Y]], %[[C12]]
// CHECK:           %[[OX:.*]] = arith.muli %[[X]], %[[C2]]
// CHECK:           %[[TO:.*]] = arith.addi %[[OY]], %[[OX]]
// CHECK:           %[[RY:.*]] = arith.muli %[[Y]], %[[C4]]
// CHECK:           %[[AT:.*]] = arith.addi %[[RY]], %[[X]]
// CHECK:           %[[FROM:.*]] = arith.addi %{{.*}}, %[[AT]]
// CHECK:           memref.load %[[R]][%[[FROM]]]
// CHECK:           %[[INTO:.*]] = arith.addi %{{.*}}, %[[TO]]
// CHECK:           memref.store %{{.*}}, %[[O]][%[[INTO]]]
func.func @strided(%x: memref<1x1x2x3xf32>, %r: memref<1x1x2x3xf32, strided<[8, 8, 4, 1]>>, %o: memref<1x1x2x3xf32, strided<[24, 24, 12, 2]>>) {
  %w = bcr.constant {block = array<i64: 1, 1>, groups = dense<[[0, 1, 0, 1]]> : tensor<1x4xi32>,
    rows = dense<0> : tensor<1xi16>, columns = dense<0> : tensor<1xi16>,
    values = dense<2.0> : tensor<1xf32>} : !bcr.packed<1x1xf32>
  bcr.conv2d ins(%x : memref<1x1x2x3xf32>) weights(%w : !bcr.packed<1x1xf32>) residual(%r : memref<1x1x2x3xf32, strided<[8, 8, 4, 1]>>)
    outs(%o : memref<1x1x2x3xf32, strided<[24, 24, 12, 2]>>) {kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>,
    dilations = array<i64: 1, 1>, groups = 1 : i64}
  return
}

// Dense depthwise layers have no index arrays, and no loop over their taps.
// CHECK: memref.global "private" constant @depthwise.values
// CHECK-NOT: @depthwise.
// CHECK-LABEL: func.func @depthwise(
// CHECK:         gpu.launch
// CHECK-NOT:       scf.for
// CHECK-COUNT-2:   math.fma
// CHECK-NOT:       scf.for
// CHECK:         } {bcr.kernel = "depthwise"}
func.func @depthwise(%x: memref<1x3x5x6xf32>, %o: memref<1x3x4x6xf32>) {
  %w = bcr.constant {block = array<i64: 3, 2>, groups = dense<[[0, 3, 0, 2]]> : tensor<1x4xi32>,
    rows = dense<[0, 1, 2]> : tensor<3xi16>, columns = dense<[0, 1]> : tensor<2xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]> : tensor<6xf32>} : !bcr.packed<3x2xf32>
  bcr.conv2d ins(%x : memref<1x3x5x6xf32>) weights(%w : !bcr.packed<3x2xf32>)
    outs(%o : memref<1x3x4x6xf32>) {layer = "depthwise", kernel = array<i64: 2, 1>, strides = array<i64: 1, 1>, padding = array<i64: 0, 0, 0, 0>,
    dilations = array<i64: 1, 1>, groups = 3 : i64}
  return
}

// Eight samples are positions: inputs are transposed, so that work-items load neighbours, and results go where they belong,
// three elements apart.
// CHECK-LABEL: func.func @many_samples(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<8x4xf32>, %[[R:[a-z0-9]+]]: memref<8x3xf32>, %[[O:[a-z0-9]+]]: memref<8x3xf32>)
// CHECK-DAG:     %[[C3:.*]] = arith.constant 3 : index
// CHECK:         %[[T:.*]] = memref.alloc() {{.*}} : memref<4x8xf32>
// CHECK:         gpu.launch
// CHECK:           memref.load %[[X]]
// CHECK:           memref.store %{{.*}}, %[[T]]
// CHECK:         } {bcr.kernel = "samples.transpose"}
// CHECK:         memref.reinterpret_cast %[[O]] to offset: [0], sizes: [24], strides: [1]
// CHECK:         gpu.launch
// CHECK:           arith.muli %{{.*}}, %[[C3]]
// CHECK:         } {bcr.kernel = "samples"}
// CHECK:         memref.dealloc %[[T]]

// A processor writes neighbours instead, and another kernel brings them where they belong, with the activation. Both kernels are
// one work-item a group, with vectors of a side of a square: four samples and four features, two where there are three.
// PROCESSOR-LABEL: func.func @many_samples(
// PROCESSOR-SAME:    %[[X:[a-z0-9]+]]: memref<8x4xf32>, %[[R:[a-z0-9]+]]: memref<8x3xf32>, %[[O:[a-z0-9]+]]: memref<8x3xf32>)
// PROCESSOR:         %[[T:.*]] = memref.alloc() {{.*}} : memref<4x8xf32>
// PROCESSOR-COUNT-4:   vector.load %[[X]]{{.*}}, vector<4xf32>
// PROCESSOR-COUNT-8:   vector.shuffle
// PROCESSOR-COUNT-4:   vector.store %{{.*}}, %[[T]]{{.*}}, vector<4xf32>
// PROCESSOR:         } {bcr.kernel = "samples.transpose"}
// PROCESSOR:         %[[Y:.*]] = memref.alloc() {{.*}} : memref<3x8xf32>
// PROCESSOR:         gpu.launch
// PROCESSOR-NOT:       arith.maximumf
// PROCESSOR:         } {bcr.kernel = "samples"}
// PROCESSOR:         gpu.launch
// PROCESSOR-COUNT-2:   vector.load %[[Y]]{{.*}}, vector<2xf32>
// PROCESSOR:           vector.load %[[R]]{{.*}}, vector<2xf32>
// PROCESSOR:           arith.maximumf
// PROCESSOR:           vector.store %{{.*}}, %[[O]]{{.*}}, vector<2xf32>
// PROCESSOR:         } {bcr.kernel = "samples.transpose_back"}
// PROCESSOR:         memref.dealloc %[[T]]
// PROCESSOR:         memref.dealloc %[[Y]]
func.func @many_samples(%x: memref<8x4xf32>, %r: memref<8x3xf32>, %o: memref<8x3xf32>) {
  %w = bcr.constant {block = array<i64: 3, 4>, groups = dense<[[0, 2, 0, 2], [2, 1, 2, 1]]> : tensor<2x4xi32>,
    rows = dense<[2, 0, 1]> : tensor<3xi16>, columns = dense<[1, 3, 2]> : tensor<3xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0, 5.0]> : tensor<5xf32>} : !bcr.packed<3x4xf32>
  bcr.matmul ins(%x : memref<8x4xf32>) weights(%w : !bcr.packed<3x4xf32>) residual(%r : memref<8x3xf32>)
    outs(%o : memref<8x3xf32>) {layer = "samples", activation = #bcr.activation<relu>}
  return
}

// What a layer of many samples writes for another one is a row of samples for each feature: neither copies it. A result that is the
// residual of another layer has to be in order where that one's is.
// CHECK-LABEL: func.func @chain(
// CHECK-SAME:    %[[X:[a-z0-9]+]]: memref<8x2xf32>, %[[O:[a-z0-9]+]]: memref<8x2xf32>)
// CHECK-DAG:     %[[BETWEEN:.*]] = memref.alloc() {{.*}} : memref<2x8xf32>
// CHECK-DAG:     %[[RESIDUAL:.*]] = memref.alloc() : memref<8x2xf32>
// CHECK:         } {bcr.kernel = "first.transpose"}
// CHECK:         } {bcr.kernel = "first"}
// CHECK-NOT:     transpose
// CHECK:         } {bcr.kernel = "second"}
// CHECK:         } {bcr.kernel = "third.transpose"}
// CHECK:         } {bcr.kernel = "third"}
// CHECK-DAG:     memref.dealloc %[[BETWEEN]]
// CHECK-DAG:     memref.dealloc %[[RESIDUAL]]
// PROCESSOR-LABEL: func.func @chain(
// PROCESSOR:       {bcr.kernel = "first.transpose"}
// PROCESSOR:       {bcr.kernel = "first"}
// PROCESSOR-NOT:   transpose
// PROCESSOR:       {bcr.kernel = "second"}
// PROCESSOR:       {bcr.kernel = "second.transpose_back"}
// PROCESSOR:       {bcr.kernel = "third.transpose"}
// PROCESSOR:       {bcr.kernel = "third"}
// PROCESSOR:       {bcr.kernel = "third.transpose_back"}
func.func @chain(%x: memref<8x2xf32>, %o: memref<8x2xf32>) {
  %w = bcr.constant {block = array<i64: 2, 2>, groups = dense<[[0, 2, 0, 2]]> : tensor<1x4xi32>,
    rows = dense<[0, 1]> : tensor<2xi16>, columns = dense<[0, 1]> : tensor<2xi16>,
    values = dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>} : !bcr.packed<2x2xf32>
  %a = memref.alloc() : memref<8x2xf32>
  %b = memref.alloc() : memref<8x2xf32>
  bcr.matmul ins(%x : memref<8x2xf32>) weights(%w : !bcr.packed<2x2xf32>) outs(%a : memref<8x2xf32>) {layer = "first"}
  bcr.matmul ins(%a : memref<8x2xf32>) weights(%w : !bcr.packed<2x2xf32>) outs(%b : memref<8x2xf32>) {layer = "second"}
  bcr.matmul ins(%b : memref<8x2xf32>) weights(%w : !bcr.packed<2x2xf32>) residual(%b : memref<8x2xf32>)
    outs(%o : memref<8x2xf32>) {layer = "third"}
  memref.dealloc %a : memref<8x2xf32>
  memref.dealloc %b : memref<8x2xf32>
  return
}

// With strides a processor reads a copy in four parts, one for each remainder of row and column by two: four rows of four
// elements a channel, those outside of the image zero, so that neighbouring positions read neighbours. A work-group
// copies a channel. Rows 0 of the first two parts are padding; the last row of the copy is stored in as many elements as it has,
// which are those of a vector here.
// PROCESSOR-LABEL: func.func @phases(
// PROCESSOR-SAME:    %[[IMAGE:[a-z0-9]+]]: memref<1x2x5x6xf32>,
// PROCESSOR-DAG:     %[[C1:.*]] = arith.constant 1 : index
// PROCESSOR-DAG:     %[[C2:.*]] = arith.constant 2 : index
// PROCESSOR-DAG:     %[[ZERO:.*]] = arith.constant dense<0.0{{.*}}> : vector<4xf32>
// PROCESSOR:         %[[X:.*]] = memref.reinterpret_cast %[[IMAGE]] to offset: [0], sizes: [60]
// PROCESSOR:         %[[COPY:.*]] = memref.alloc() {{.*}} : memref<1x132xf32>
// PROCESSOR:         gpu.launch blocks(%{{[^)]+}}) in (%{{[^ ]+}} = %[[C2]], %{{[^ ]+}} = %[[C1]], %{{[^ ]+}} = %[[C1]])
// PROCESSOR:           vector.store %[[ZERO]], %[[COPY]]
// PROCESSOR:           scf.for
// PROCESSOR:             %[[LOW:.*]] = vector.load %[[X]]{{.*}}, vector<4xf32>
// PROCESSOR:             %[[HIGH:.*]] = vector.load %[[X]]{{.*}}, vector<4xf32>
// PROCESSOR:             %[[ODD:.*]] = vector.shuffle %[[LOW]], %[[HIGH]] [0, 0, 2, 7]
// PROCESSOR:             vector.shuffle %[[ODD]], %[[ZERO]] [4, 1, 2, 3]
// PROCESSOR:             vector.shuffle {{.*}} [0, 2, 7, 0]
// PROCESSOR-NOT:       memref.store
// PROCESSOR:         } {bcr.kernel = "two.phases"}
// PROCESSOR:         gpu.launch
// PROCESSOR-NOT:       {{memref|vector}}.load %[[X]][
// PROCESSOR:         } {bcr.kernel = "two"}
// PROCESSOR:         memref.dealloc %[[COPY]]
// CHECK-LABEL: func.func @phases(
// CHECK:         } {bcr.kernel = "two.padding"}
func.func @phases(%x: memref<1x2x5x6xf32>, %o: memref<1x1x3x3xf32>) {
  %w = bcr.constant {block = array<i64: 1, 9>, groups = dense<[[0, 1, 0, 2]]> : tensor<1x4xi32>,
    rows = dense<0> : tensor<1xi16>, columns = dense<[1, 17]> : tensor<2xi16>,
    values = dense<[2.0, 3.0]> : tensor<2xf32>} : !bcr.packed<1x18xf32>
  bcr.conv2d ins(%x : memref<1x2x5x6xf32>) weights(%w : !bcr.packed<1x18xf32>)
    outs(%o : memref<1x1x3x3xf32>) {layer = "two", kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, padding = array<i64: 1, 1, 1, 1>,
    dilations = array<i64: 1, 1>, groups = 1 : i64}
  return
}
