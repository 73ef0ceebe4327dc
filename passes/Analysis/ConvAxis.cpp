//===- ConvAxis.cpp - One dimension of a convolution ----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "passes/Analysis/ConvAxis.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"

#include <algorithm>

using namespace mlir;
using namespace mlir::bcr;

ConvAxis ConvAxis::get(Conv2DOp conv, unsigned axis) {
  auto input = cast<ShapedType>(conv.getInput().getType());
  auto output = cast<ShapedType>(conv.getInit().getType());
  return {input.getDimSize(2 + axis), output.getDimSize(2 + axis),
          conv.getKernel()[axis],     conv.getStrides()[axis],
          conv.getDilations()[axis],  conv.getPadding()[axis]};
}

SmallVector<int64_t> ConvAxis::getPhases() const {
  SmallVector<int64_t> phases;
  for (int64_t tap = 0; tap < kernel; ++tap)
    if (!llvm::is_contained(phases, getPhase(tap)))
      phases.push_back(getPhase(tap));
  return phases;
}

int64_t ConvAxis::getBegin(int64_t phase) const {
  int64_t begin =
      std::max<int64_t>(llvm::divideCeilSigned(before - phase, stride), 0);
  return std::min(begin, getReach());
}

int64_t ConvAxis::getEnd(int64_t phase) const {
  int64_t end = std::max<int64_t>(
      llvm::divideCeilSigned(before + size - phase, stride), 0);
  return std::max(std::min(end, getReach()), getBegin(phase));
}

int64_t mlir::bcr::getPitchOfCopy(Conv2DOp conv) {
  ConvAxis x = ConvAxis::get(conv, 1);
  int64_t pitch = x.outputs;
  for (int64_t phase : x.getPhases())
    pitch =
        std::max({pitch, x.getEnd(phase), x.getReach() - x.getBegin(phase)});
  return pitch;
}
