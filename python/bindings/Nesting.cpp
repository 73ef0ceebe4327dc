//===- Nesting.cpp - How deep text may nest -------------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

#include "python/bindings/Nesting.h"
#include "python/bindings/Diagnostics.h"

#include <array>
#include <numeric>

namespace bcr::python {

/// The position after the string or comment that starts at `i`.
static size_t skipOpaque(llvm::StringRef text, size_t i) {
  if (text[i] == '/')
    return std::min(text.find('\n', i), text.size());
  for (++i; i < text.size() && text[i] != '"' && text[i] != '\n'; ++i)
    if (text[i] == '\\')
      ++i;
  return i;
}

void requireShallow(llvm::StringRef text) {
  constexpr llvm::StringLiteral opening = "([{<", closing = ")]}>";
  // One count a bracket, so that the ">" of ">=" closes no "(".
  std::array<int, 4> open = {};
  for (size_t i = 0; i < text.size(); ++i) {
    char character = text[i];
    if (character == '"' || text.substr(i, 2) == "//") {
      i = skipOpaque(text, i);
      continue;
    }
    if (text.substr(i, 2) == "->") {
      ++i;
      continue;
    }
    if (size_t kind = opening.find(character); kind != opening.npos) {
      ++open[kind];
      if (std::accumulate(open.begin(), open.end(), 0) > maxNesting)
        throw IRException("the text nests more than " +
                          std::to_string(maxNesting) +
                          " brackets deep, which MLIR has no stack for");
    } else if (kind = closing.find(character); kind != closing.npos) {
      open[kind] = std::max(0, open[kind] - 1);
    }
  }
}

} // namespace bcr::python
