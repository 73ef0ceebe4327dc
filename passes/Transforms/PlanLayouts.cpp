//===- PlanLayouts.cpp - Room for padding in activations ------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "dialect/BCR.h"
#include "passes/Analysis/ConvAxis.h"
#include "passes/Analysis/MachineModel.h"
#include "passes/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/ImplicitLocOpBuilder.h"
#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/MapVector.h"

#include <algorithm>

namespace mlir::bcr {
#define GEN_PASS_DEF_BCRPLANLAYOUTSPASS
#include "passes/Passes.h.inc"
} // namespace mlir::bcr

using namespace mlir;
using namespace mlir::bcr;

/// Elements after the last image that kernels may read: a few vectors of the
/// widest kind.
static constexpr int64_t kOverread = 64;

/// Channels a multiple of this many elements apart would all lie in the same
/// few sets of a cache; they are moved apart by a cache line.
static constexpr int64_t kBadStride = 1024;
static constexpr int64_t kCacheLine = 16;

/// Columns of images whose rows may grow by any factor: little work is lost on
/// so few positions, and a copy of them costs as much as the layer.
static constexpr int64_t kSmallWidth = 4;

namespace {
/// What a set of buffers with one pitch needs.
struct Zone {
  SmallVector<memref::AllocOp> buffers;
  int64_t pitch = 0;
  bool possible = true;
};

/// Where the images of one buffer lie in it, in elements.
struct Layout {
  MemRefType type;
  int64_t pitch;
  /// Zeros above and below, left and right of an image.
  int64_t haloRows, haloColumns;
  /// More elements between two channels.
  int64_t spread;

  bool hasHalo() const { return haloRows > 0 || haloColumns > 0; }
  int64_t getChannelStride() const {
    return (type.getDimSize(2) + haloRows) * pitch + spread;
  }
  int64_t getSampleStride() const {
    return type.getDimSize(1) * getChannelStride();
  }
  /// Zeros before the first image, and between the images of two channels.
  int64_t getLeading() const { return spread + haloRows * pitch + haloColumns; }
  int64_t getSize() const {
    return type.getDimSize(0) * getSampleStride() + getLeading() + kOverread;
  }
};

class PlanLayouts : public bcr::impl::BCRPlanLayoutsPassBase<PlanLayouts> {
public:
  using BCRPlanLayoutsPassBase::BCRPlanLayoutsPassBase;
  void runOnOperation() override;

private:
  void layOut(memref::AllocOp buffer, const Zone &zone);
  void replaceUses(Value old, Value view, const Layout &layout, Value storage,
                   int64_t offset);
  void adapt(Conv2DOp conv, const Layout &layout, Value storage,
             int64_t offset);
};
} // namespace

/// The view's buffer, through parts of its channels; null if it has none that
/// can be laid out.
static memref::AllocOp getBuffer(Value view) {
  if (!view)
    return nullptr;
  while (auto part = view.getDefiningOp<memref::SubViewOp>())
    view = part.getSource();
  auto buffer = view.getDefiningOp<memref::AllocOp>();
  if (!buffer)
    return nullptr;
  MemRefType type = buffer.getType();
  bool images = type.getRank() == 4 && type.hasStaticShape() &&
                type.getElementType().isF32() &&
                type.getLayout().isIdentity() && type.getNumElements() > 0;
  return images ? buffer : nullptr;
}

/// Whether a part of a buffer holds whole images.
static bool holdsImages(memref::SubViewOp part) {
  MemRefType source = part.getSourceType(), result = part.getType();
  if (result.getRank() != 4 || !result.hasStaticShape())
    return false;
  for (unsigned i : {2, 3})
    if (result.getDimSize(i) != source.getDimSize(i))
      return false;
  auto areOnes = [](ArrayRef<int64_t> values) {
    return llvm::all_of(values, [](int64_t value) { return value == 1; });
  };
  return areOnes(part.getStaticStrides()) &&
         llvm::none_of(part.getStaticOffsets(), ShapedType::isDynamic);
}

/// Whether all that uses the buffer can do with another layout.
static bool canBeLaidOut(Value buffer) {
  return llvm::all_of(buffer.getUsers(), [](Operation *user) {
    if (auto part = dyn_cast<memref::SubViewOp>(user))
      return holdsImages(part) && canBeLaidOut(part);
    return isa<Conv2DOp, Pool2DOp, memref::DeallocOp, memref::CopyOp,
               linalg::LinalgOp>(user);
  });
}

static bool hasStrideOne(Conv2DOp conv) {
  return llvm::all_of(conv.getStrides(), [](int64_t s) { return s == 1; });
}

static bool hasPadding(Conv2DOp conv) {
  return llvm::any_of(conv.getPadding(), [](int64_t p) { return p > 0; });
}

/// Whether the layer's kernel works on flat positions of whole images; those of
/// depthwise and of Winograd's convolution take any rows and need no zeros
/// around them.
static bool isFlat(Conv2DOp conv) {
  ScheduleAttr schedule = conv.getScheduleAttr();
  return !schedule || (schedule.getKernel() != KernelKind::Depthwise &&
                       schedule.getKernel() != KernelKind::Winograd);
}

/// Rows and columns of zeros around the images that convolutions read.
static std::pair<int64_t, int64_t> getHalo(Value buffer) {
  int64_t rows = 0, columns = 0;
  for (Operation *user : buffer.getUsers()) {
    std::pair<int64_t, int64_t> other = {0, 0};
    if (auto part = dyn_cast<memref::SubViewOp>(user))
      other = getHalo(part);
    auto conv = dyn_cast<Conv2DOp>(user);
    if (conv && isFlat(conv) && conv.getInput() == buffer) {
      ArrayRef<int64_t> padding = conv.getPadding();
      other = {std::max(padding[0], padding[2]),
               std::max(padding[1], padding[3])};
    }
    rows = std::max(rows, other.first);
    columns = std::max(columns, other.second);
  }
  return {rows, columns};
}

/// Whether a processor's kernel reads a copy of its input, wherever that lies.
static bool readsCopy(Conv2DOp conv) {
  bool inPlace = getBuffer(conv.getInput()) && conv.getStrides()[1] <= 2;
  return isFlat(conv) && !inPlace && (hasPadding(conv) || !hasStrideOne(conv));
}

/// The least pitch with which layers that read a copy of their input can leave
/// their sums in the buffer as they are.
static int64_t getPitchOfCopies(Value buffer) {
  int64_t pitch = 0;
  for (Operation *user : buffer.getUsers()) {
    auto conv = dyn_cast<Conv2DOp>(user);
    if (conv && conv.getInit() == buffer && readsCopy(conv))
      pitch = std::max(pitch, getPitchOfCopy(conv));
  }
  return pitch;
}

/// The sets of buffers that are to have one pitch.
static SmallVector<Zone> getZones(ModuleOp module) {
  // Kernels on GPUs store no gaps.
  bool storesGaps =
      !getMachine(module, /*lanes=*/1, /*registers=*/1).pixelsOnly;
  llvm::EquivalenceClasses<Operation *> tied;
  llvm::MapVector<Operation *, Zone> zoneOf;
  module.walk([&](Conv2DOp conv) {
    if (!isa<MemRefType>(conv.getInit().getType()))
      return;
    bool flat = isFlat(conv);
    memref::AllocOp init = getBuffer(conv.getInit());
    SmallVector<memref::AllocOp> others = {getBuffer(conv.getResidual())};
    if (flat && hasStrideOne(conv))
      others.push_back(getBuffer(conv.getInput()));
    else if (memref::AllocOp input = getBuffer(conv.getInput()))
      tied.insert(input);
    if (init)
      tied.insert(init);
    for (memref::AllocOp other : others)
      if (other) {
        tied.insert(other);
        if (init)
          tied.unionSets(init, other);
      }
  });
  // In the order of the program, so that the result does not depend on
  // addresses.
  module.walk([&](memref::AllocOp buffer) {
    if (!tied.contains(buffer))
      return;
    Zone &zone = zoneOf[tied.getLeaderValue(buffer)];
    zone.buffers.push_back(buffer);
    zone.possible &= canBeLaidOut(buffer.getMemref());
  });
  SmallVector<Zone> zones;
  for (auto &[leader, zone] : zoneOf) {
    int64_t narrowest = zone.buffers.front().getType().getDimSize(3);
    bool gains = false;
    for (memref::AllocOp buffer : zone.buffers) {
      auto [haloRows, haloColumns] = getHalo(buffer.getMemref());
      int64_t width = buffer.getType().getDimSize(3);
      narrowest = std::min(narrowest, width);
      zone.pitch = std::max(zone.pitch, width + haloColumns);
      if (storesGaps)
        zone.pitch = std::max(zone.pitch, getPitchOfCopies(buffer.getMemref()));
      gains |= haloRows > 0;
    }
    gains |= zone.pitch > narrowest;
    bool wasteful = narrowest > kSmallWidth && 2 * zone.pitch > 3 * narrowest;
    if (zone.possible && gains && !wasteful)
      zones.push_back(std::move(zone));
  }
  return zones;
}

/// A view of `storage` with four dimensions.
static Value makeView(ImplicitLocOpBuilder &builder, Value storage,
                      int64_t offset, ArrayRef<int64_t> sizes,
                      ArrayRef<int64_t> strides) {
  auto type = MemRefType::get(
      sizes, builder.getF32Type(),
      StridedLayoutAttr::get(builder.getContext(), offset, strides));
  return memref::ReinterpretCastOp::create(builder, type, storage, offset,
                                           sizes, strides);
}

/// Whether something but convolutions, which keep the gaps between rows at
/// zero, writes to the buffer.
static bool hasOtherWriters(Value buffer) {
  return llvm::any_of(buffer.getUses(), [](OpOperand &use) {
    Operation *user = use.getOwner();
    if (auto part = dyn_cast<memref::SubViewOp>(user))
      return hasOtherWriters(part);
    if (auto copy = dyn_cast<memref::CopyOp>(user))
      return &use == &copy.getTargetMutable();
    auto op = dyn_cast<DestinationStyleOpInterface>(user);
    return op && !isa<Conv2DOp>(user) && op.isDpsInit(&use);
  });
}

/// Sets what lies before, between and after the images to zero, and the gaps
/// between rows if `gaps` is set.
static void zeroHalo(ImplicitLocOpBuilder &builder, const Layout &layout,
                     bool gaps, Value storage) {
  ArrayRef<int64_t> shape = layout.type.getShape();
  int64_t perSample = layout.getSampleStride();
  int64_t perChannel = layout.getChannelStride();
  Value zero =
      arith::ConstantOp::create(builder, builder.getF32FloatAttr(0.0f));
  auto fill = [&](Value view) {
    linalg::FillOp::create(builder, ValueRange(zero), ValueRange(view));
  };
  // Of N * C images, one range before each and one after the last.
  if (int64_t leading = layout.getLeading())
    fill(makeView(builder, storage, 0, {1, 1, shape[0] * shape[1] + 1, leading},
                  {layout.getSize(), layout.getSize(), perChannel, 1}));
  int64_t gap = layout.pitch - shape[3];
  if (gaps && gap > 0)
    fill(makeView(builder, storage, layout.getLeading() + shape[3],
                  {shape[0], shape[1], shape[2], gap},
                  {perSample, perChannel, layout.pitch, 1}));
}

void PlanLayouts::adapt(Conv2DOp conv, const Layout &layout, Value storage,
                        int64_t offset) {
  auto input = cast<MemRefType>(conv.getInput().getType());
  ImplicitLocOpBuilder builder(conv.getLoc(), conv);
  conv.setOverread(kOverread);
  if (!hasPadding(conv))
    return;
  ArrayRef<int64_t> padding = conv.getPadding();
  SmallVector<int64_t> sizes(input.getShape());
  for (unsigned i : {0, 1})
    sizes[2 + i] += padding[i] + padding[2 + i];
  conv.getInputMutable().assign(makeView(
      builder, storage, offset - padding[0] * layout.pitch - padding[1], sizes,
      {layout.getSampleStride(), layout.getChannelStride(), layout.pitch, 1}));
  conv.setPadding({0, 0, 0, 0});
  ++numUnpadded;
}

void PlanLayouts::replaceUses(Value old, Value view, const Layout &layout,
                              Value storage, int64_t offset) {
  for (OpOperand &use : llvm::make_early_inc_range(old.getUses())) {
    Operation *user = use.getOwner();
    if (auto part = dyn_cast<memref::SubViewOp>(user)) {
      ImplicitLocOpBuilder builder(part.getLoc(), part);
      Value newPart = memref::SubViewOp::create(
          builder, view, part.getMixedOffsets(), part.getMixedSizes(),
          part.getMixedStrides());
      int64_t begin = offset +
                      part.getStaticOffset(0) * layout.getSampleStride() +
                      part.getStaticOffset(1) * layout.getChannelStride();
      replaceUses(part, newPart, layout, storage, begin);
      part.erase();
      continue;
    }
    if (isa<memref::DeallocOp>(user)) {
      use.set(storage);
      continue;
    }
    use.set(view);
    auto conv = dyn_cast<Conv2DOp>(user);
    if (!conv)
      continue;
    if (&use == &conv.getInputMutable()) {
      if (isFlat(conv))
        adapt(conv, layout, storage, offset);
    } else if (&use == &conv.getInitMutable()) {
      conv.setGaps(layout.hasHalo() ? Gaps::Zero : Gaps::Free);
    }
  }
}

void PlanLayouts::layOut(memref::AllocOp buffer, const Zone &zone) {
  auto [haloRows, haloColumns] = getHalo(buffer.getMemref());
  Layout layout{buffer.getType(), zone.pitch, haloRows, haloColumns,
                /*spread=*/0};
  if (layout.getChannelStride() % kBadStride == 0)
    layout.spread = kCacheLine;
  ImplicitLocOpBuilder builder(buffer.getLoc(), buffer);
  Value storage = memref::AllocOp::create(
      builder, MemRefType::get({layout.getSize()}, builder.getF32Type()),
      buffer.getAlignmentAttr());
  if (layout.hasHalo())
    zeroHalo(builder, layout, hasOtherWriters(buffer), storage);
  Value view = makeView(
      builder, storage, layout.getLeading(), layout.type.getShape(),
      {layout.getSampleStride(), layout.getChannelStride(), layout.pitch, 1});
  replaceUses(buffer, view, layout, storage, layout.getLeading());
  buffer.erase();
  ++numBuffers;
}

void PlanLayouts::runOnOperation() {
  for (const Zone &zone : getZones(getOperation()))
    for (memref::AllocOp buffer : zone.buffers)
      layOut(buffer, zone);
}
