"""A compiled model for C programs: shared library, header, example."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from bcr.container import write_atomically
from bcr.errors import ConfigError, ExportError, UnsupportedError
from bcr.frontend.specs import InputSpec, Linear, OutputSpec
from bcr.linker import c_compiler, link_flags, run_tool
from bcr.program import Program
from bcr.workspace import ALIGNMENT

_C_TYPES = {
    "bool": "uint8_t",
    "uint8": "uint8_t",
    "int8": "int8_t",
    "int16": "int16_t",
    "int32": "int32_t",
    "int64": "int64_t",
    "float16": "uint16_t",
    "bfloat16": "uint16_t",
    "float32": "float",
    "float64": "double",
}


def export_program(program: Program, folder: Path, name: str) -> list[Path]:
    """Write `lib<name>.so`, `<name>.h` and `main.c`; see `Executable.export`."""
    c_identifier(name)
    if program.code is None:
        raise UnsupportedError("a model loaded from a file cannot be exported; compile it again")
    make_folder(folder)
    library, header, example = folder / f"lib{name}.so", folder / f"{name}.h", folder / "main.c"
    with tempfile.TemporaryDirectory(prefix="bcr-") as scratch:
        built = _build_library(program, Path(scratch), name)
        write_atomically(library, lambda to: shutil.copyfile(built, to))
    library.chmod(0o755)
    write_atomically(header, lambda to: to.write_text(_header(program, name)))
    write_atomically(example, lambda to: to.write_text(_example(program, name)))
    return [library, header, example]


def c_identifier(name: str) -> None:
    """Check the name of a model.

    Raises:
        ConfigError: it is no C identifier.
    """
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ConfigError(f"the name {name!r} is no C identifier: letters, digits and _ only")


def make_folder(folder: Path) -> None:
    """Make a folder, with those above it, unless it is there.

    Raises:
        ExportError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ExportError(f"cannot make the folder {folder}: {error.strerror}") from None


def _build_library(program: Program, scratch: Path, name: str) -> Path:
    """Link code, pool and the C function that users call."""
    (scratch / "model.o").write_bytes(program.code or b"")
    (scratch / "pool.bin").write_bytes(program.pool.tobytes() or bytes(ALIGNMENT))
    (scratch / f"{name}.h").write_text(_header(program, name))
    (scratch / "entry.c").write_text(_entry(program, name))
    # The assembler reads the pool as it is: weights never become text.
    (scratch / "pool.S").write_text(
        f".section .rodata\n.balign {ALIGNMENT}\n.globl bcr_pool\n.hidden bcr_pool\nbcr_pool:\n"
        f'.incbin "{scratch / "pool.bin"}"\n.section .note.GNU-stack,"",%progbits\n'
    )
    # Only the user's function is visible, so two models fit in one program.
    (scratch / "exports.map").write_text(f"{{ global: {name}_*; local: *; }};\n")
    library = scratch / f"lib{name}.so"
    run_tool(
        [
            *c_compiler(program.target),
            "-O2",
            "-fPIC",
            "-shared",
            "-o",
            library,
            scratch / "entry.c",
            scratch / "pool.S",
            scratch / "model.o",
            f"-I{scratch}",
            f"-Wl,--version-script={scratch / 'exports.map'}",
            f"-Wl,-soname,lib{name}.so",
            *link_flags(program.options["num_threads"]),
        ]
    )
    return library


def _symbols(program: Program) -> list[str]:
    return [
        dim
        for dim in program.signature.symbols
        if any(dim in spec.shape for spec in program.signature.inputs)
    ]


def _c_dim(dim: int | str | Linear, symbols: list[str]) -> str:
    if isinstance(dim, int):
        return str(dim)
    if isinstance(dim, str):
        return f"size{symbols.index(dim)}"
    return f"({dim.scale} * size{symbols.index(dim.symbol)} + {dim.offset})"


def _shape_text(spec: InputSpec | OutputSpec, symbols: list[str]) -> str:
    return "[" + ", ".join(_c_dim(dim, symbols) for dim in spec.shape) + "]"


def tensor_parameters(program: Program) -> list[str]:
    """Return the C parameters of inputs and outputs."""
    return [
        *(
            f"const {_C_TYPES[spec.dtype]} *input{i}"
            for i, spec in enumerate(program.signature.inputs)
        ),
        *(f"{_C_TYPES[spec.dtype]} *output{i}" for i, spec in enumerate(program.signature.outputs)),
    ]


def _parameters(program: Program) -> list[str]:
    sizes = (f"int64_t size{i}" for i in range(len(_symbols(program))))
    return [*sizes, *tensor_parameters(program), "void *workspace"]


def tensor_lines(program: Program) -> list[str]:
    """Return the lines of a C comment that describe inputs and outputs."""
    symbols = _symbols(program)
    lines = [f" *   input{i}: {spec.dtype} {_shape_text(spec, symbols)} ({spec.name})"
             for i, spec in enumerate(program.signature.inputs)]  # fmt: skip
    lines += [f" *   output{i}: {spec.dtype} {_shape_text(spec, symbols)}"
              for i, spec in enumerate(program.signature.outputs)]  # fmt: skip
    return lines


def check_lines(program: Program) -> list[str]:
    """Return the lines of a C comment that say what the checks are."""
    checks = [f" *   {code}: {' '.join(text.split()).replace('*/', '* /')}"
              for code, text in enumerate(program.checks, 1)]  # fmt: skip
    return checks or [" *   (this model has none)"]


def _prototype(program: Program, name: str) -> str:
    return f"int32_t {name}_run({', '.join(_parameters(program))})"


def _header(program: Program, name: str) -> str:
    guard = f"{name.upper()}_H"
    allocations = (
        f"Allocates up to {program.arena.unplanned} buffers whose size depends on the inputs."
        if program.arena.unplanned
        else "Allocates no memory."
    )
    return f"""/* A compiled model for {program.target.triple}, {program.target.cpu}. */
#ifndef {guard}
#define {guard}

#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

/* Bytes of the workspace that {name}_run works in. */
#define {name.upper()}_WORKSPACE_BYTES {program.arena.bytes + ALIGNMENT}

/* Runs the model. Arrays are contiguous, row-major; float16 and bfloat16 are bit patterns.
{chr(10).join(tensor_lines(program))}
 *   workspace: {name.upper()}_WORKSPACE_BYTES bytes; what they hold does not matter
 * Outputs and workspace must overlap neither inputs nor each other.
 * May be called from several threads at once, each with a workspace of its own. {allocations}
 * Returns 0, or the number of the check that failed
 * (the outputs are then undefined):
{chr(10).join(check_lines(program))}
 */
{_prototype(program, name)};

/* What a number returned by {name}_run means. */
const char *{name}_message(int32_t code);

#ifdef __cplusplus
}}
#endif

#endif /* {guard} */
"""


def _entry(program: Program, name: str) -> str:
    signature, symbols = program.signature, _symbols(program)
    dims = [_c_dim(d, symbols) for s in signature.inputs for d in s.shape if isinstance(d, str)]
    dims += [
        _c_dim(d, symbols) for s in signature.outputs for d in s.shape if not isinstance(d, int)
    ]
    inputs = ", ".join(f"input{i}" for i in range(len(signature.inputs))) or "0"
    outputs = ", ".join(f"output{i}" for i in range(len(signature.outputs))) or "0"
    messages = ", ".join(c_string(text) for text in ("success", *program.checks))
    return f"""#include "{name}.h"
extern const unsigned char bcr_pool[];
int32_t bcr_run(const void *const *, void *const *, const void *, void *, const int64_t *,
                int64_t *);
{_prototype(program, name)} {{
  const void *const inputs[] = {{{inputs}}};
  void *const outputs[] = {{{outputs}}};
  const int64_t dims[] = {{{", ".join(dims) or "0"}}};
  char *arena = (char *)workspace + (-(uintptr_t)workspace & {ALIGNMENT - 1});
  return bcr_run(inputs, outputs, bcr_pool, arena, dims, 0);
}}
const char *{name}_message(int32_t code) {{
  static const char *const messages[] = {{{messages}}};
  return code >= 0 && code <= {len(program.checks)} ? messages[code] : "unknown";
}}
"""


def c_string(text: str) -> str:
    """Return a C string literal."""
    escaped = text.encode("unicode_escape").decode().replace('"', '\\"').replace("\\'", "'")
    return f'"{escaped}"'


def _example(program: Program, name: str) -> str:
    return example_program(
        program,
        name,
        build=f"cc main.c -L. -l{name} -Wl,-rpath,'$ORIGIN' -o main",
        run="./main",
        make=f"""  /* Once: it serves any number of calls, one after the other. */
  void *workspace = malloc({name.upper()}_WORKSPACE_BYTES);
  if (!workspace)
    return 1;""",
        first="",
        last="workspace",
        free="  free(workspace);",
    )


def example_program(
    program: Program,
    name: str,
    *,
    build: str,
    run: str,
    make: str,
    first: str,
    last: str,
    free: str,
) -> str:
    """Return `main.c`, which runs a model once, from files to files.

    Args:
        program: the model.
        name: prefix of its C functions.
        build: the command that builds it.
        run: the command that runs it, without arguments.
        make: C statements that make what a call needs besides tensors.
        first, last: that, as the first or the last argument of a call; or "".
        free: C statements that free it.
    """
    signature, symbols = program.signature, _symbols(program)
    count = "argc > {0} ? atoll(argv[{0}]) : {1}"
    sizes = [
        f"  int64_t size{i} = {count.format(i + 1, max(signature.symbols[s].low, 1))};"
        for i, s in enumerate(symbols)
    ]
    first_file = 1 + len(symbols)
    body, frees = [], []
    for i, spec in enumerate(signature.inputs):
        body.append(_example_buffer("input", i, spec, symbols))
        body.append(
            f'  if (argc > {first_file + i} && !transfer(argv[{first_file + i}], "rb", input{i}, '
            f"input{i}_count * sizeof *input{i}))\n    return 1;"
        )
        frees.append(f"  free(input{i});")
    out_file = first_file + len(signature.inputs)
    after = []
    for i, output in enumerate(signature.outputs):
        body.append(_example_buffer("output", i, output, symbols))
        cast = "(double)" if output.dtype in ("float32", "float64") else "(long long)"
        form = "%g" if cast == "(double)" else "%lld"
        after.append(
            f'  printf("output{i}:");\n'
            f"  for (size_t k = 0; k < output{i}_count && k < 10; ++k)\n"
            f'    printf(" {form}", {cast}output{i}[k]);\n  printf("\\n");\n'
            f'  if (argc > {out_file + i} && !transfer(argv[{out_file + i}], "wb", output{i}, '
            f"output{i}_count * sizeof *output{i}))\n    return 1;"
        )
        frees.append(f"  free(output{i});")
    call = ", ".join(
        [
            *([first] if first else []),
            *(f"size{i}" for i in range(len(symbols))),
            *(f"input{i}" for i in range(len(signature.inputs))),
            *(f"output{i}" for i in range(len(signature.outputs))),
            *([last] if last else []),
        ]
    )
    usage = " ".join(
        [
            *(f"[SIZE{i}]" for i in range(len(symbols))),
            *(f"[INPUT{i}]" for i in range(len(signature.inputs))),
            *(f"[OUTPUT{i}]" for i in range(len(signature.outputs))),
        ]
    )
    newline = "\n"
    return f"""/* Runs the model once. Inputs are raw files (zeros if not given); outputs are
 * printed, and written to raw files if their names are given.
 *
 *   {build}
 *   {run} {usage}
 */
#include "{name}.h"

#include <stdio.h>
#include <stdlib.h>

static int transfer(const char *path, const char *mode, void *data, size_t size) {{
  FILE *file = fopen(path, mode);
  size_t done = 0;
  if (file) {{
    done = mode[0] == 'r' ? fread(data, 1, size, file) : fwrite(data, 1, size, file);
    if (fclose(file) != 0)
      done = 0;
  }}
  if (!file || done != size)
    fprintf(stderr, "%s: cannot transfer %zu bytes\\n", path, size);
  return file && done == size;
}}

int main(int argc, char **argv) {{
  (void)argv;
{make}
{newline.join(sizes)}
{newline.join(body)}
  int32_t code = {name}_run({call});
  if (code) {{
    fprintf(stderr, "check %d failed: %s\\n", (int)code, {name}_message(code));
    return 1;
  }}
{newline.join(after)}
{newline.join(frees)}
{free}
  return 0;
}}
"""


def _example_buffer(kind: str, index: int, spec: InputSpec | OutputSpec, symbols: list[str]) -> str:
    c_type, variable = _C_TYPES[spec.dtype], f"{kind}{index}"
    count = " * ".join(_c_dim(dim, symbols) for dim in spec.shape) or "1"
    return (
        f"  size_t {variable}_count = (size_t)({count});\n"
        f"  {c_type} *{variable} = calloc({variable}_count, sizeof *{variable});\n"
        f"  if (!{variable})\n    return 1;"
    )
