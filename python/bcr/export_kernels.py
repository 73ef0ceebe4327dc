"""A model of kernels as C code: its kernels and weights, the schedule as tables, an example.

What a program does with the tables is C code too: `schedule.c` goes through them, and `host.c` of
`bcr.opencl` and `bcr.vulkan` runs them.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from bcr.container import write_atomically
from bcr.errors import ConfigError
from bcr.export import (
    c_identifier,
    c_string,
    check_lines,
    example_program,
    make_folder,
    tensor_lines,
    tensor_parameters,
)
from bcr.launches import Argument, Launch, Repeat, Schedule, launches_of, tensor_bytes, unrolled
from bcr.program import Program
from bcr.workspace import PAGE

_SCHEDULE = Path(__file__).with_name("schedule.c")
"""What is the same in every program: the tables' types, and how to go through them."""


@dataclass(frozen=True)
class Api:
    """What the C programs for one API have of their own.

    Attributes:
        name: "OpenCL" or "Vulkan", as CMake's package and target are called too.
        devices: what the model is for.
        include: lines that include its header.
        header: that header.
        device: the C type of a device.
        default: which device is taken if the caller names none.
        packages: what Debian calls its headers and loader.
        host: C code that chooses a device, builds the kernels and enqueues them.
    """

    name: str
    devices: str
    include: str
    header: str
    device: str
    default: str
    packages: str
    host: Path


def export_kernels(program: Program, folder: Path, name: str, api: Api) -> list[Path]:
    """Write the C program; see `OpenCLExecutable.export` and `VulkanExecutable.export`."""
    c_identifier(name)
    if name == "main":
        raise ConfigError("the name 'main' is that of the example program: choose another name")
    make_folder(folder)
    contents = {
        f"{name}.spv": program.library or b"",
        f"{name}.weights": program.pool.tobytes(),
    }
    texts = {
        f"{name}.h": _header(program, name, api),
        f"{name}.c": _source(program, name, api),
        f"{name}_data.S": _data(name),
        "main.c": _example(program, name),
        "CMakeLists.txt": _build_file(name, api),
    }
    contents.update((file, text.encode()) for file, text in texts.items())
    for file, content in contents.items():
        write_atomically(folder / file, functools.partial(Path.write_bytes, data=content))
    return [folder / file for file in contents]


def _header(program: Program, name: str, api: Api) -> str:
    guard, newline = f"{name.upper()}_H", "\n"
    return f"""/* A compiled model for {api.devices}. */
#ifndef {guard}
#define {guard}

{api.include}
#include <stdint.h>

#ifdef __cplusplus
extern "C" {{
#endif

/* A model on a device: kernels, weights and all memory of a call. */
typedef struct {name}_model {name}_model;

/* Builds the kernels and uploads the weights.
 *   device: where to run; 0: {api.default}
 *   log: gets what went wrong, up to log_size bytes with a final zero; may be 0
 * Returns 0 if something did. */
{name}_model *{name}_create({api.device} device, char *log, size_t log_size);

/* Runs the model and waits for the result. Arrays are contiguous, row-major; float16 and bfloat16
 * are bit patterns.
{newline.join(tensor_lines(program))}
 * One call at a time on a model. Returns 0; or an error of {api.name}, which is negative; or the
 * number of the check that failed (the outputs are then undefined):
{newline.join(check_lines(program))}
 */
{_prototype(program, name)};

/* What a number returned by {name}_run means. */
const char *{name}_message(int32_t code);

/* Frees all that {name}_create made; 0 is allowed. */
void {name}_destroy({name}_model *model);

#ifdef __cplusplus
}}
#endif

#endif /* {guard} */
"""


def _prototype(program: Program, name: str) -> str:
    parameters = ", ".join([f"{name}_model *model", *tensor_parameters(program)])
    return f"int32_t {name}_run({parameters})"


def _source(program: Program, name: str, api: Api) -> str:
    """The tables of one model, and its functions in terms of those of the API's host.c."""
    assert program.schedule is not None
    signature = program.signature
    used = dict.fromkeys(a for launch, _ in launches_of(program.schedule) for a in launch.arguments)
    parts = {argument: i for i, argument in enumerate(used)}
    launches = [launch for launch, _ in launches_of(program.schedule)]
    kernels = dict.fromkeys(launch.kernel for launch in launches)
    steps: list[str] = []
    places: list[str] = []
    _add_steps(program.schedule, parts, list(kernels), steps, places)
    runs = list(unrolled(program.schedule))
    sizes = ", ".join(str(tensor_bytes(spec)) for spec in signature.inputs + signature.outputs)
    messages = ",\n    ".join(c_string(text) for text in ("success", *program.checks))
    inputs = ", ".join(f"input{i}" for i in range(len(signature.inputs))) or "0"
    outputs = ", ".join(f"output{i}" for i in range(len(signature.outputs))) or "0"
    newline = "\n"
    return f"""#include "{name}.h"

#define BCR_INPUTS {len(signature.inputs)}
#define BCR_OUTPUTS {len(signature.outputs)}
#define BCR_LAUNCHES {len(launches)}
#define BCR_KERNELS {len(kernels)}
/* Arguments of a launch and loops around it at most. */
#define BCR_ARGUMENTS {max((len(launch.arguments) for launch in launches), default=0)}
#define BCR_DEPTH {max((len(turns) for _, turns in runs), default=0)}
/* Launches of a call, their arguments, and turns of a loop at most. */
#define BCR_DISPATCHES {len(runs)}
#define BCR_DESCRIPTORS {sum(len(launch.arguments) for launch, _ in runs)}
#define BCR_TURNS {max((turn + 1 for _, turns in runs for turn in turns), default=0)}
#define BCR_ARENA_BYTES {program.arena.bytes}
#define BCR_CHECKS {len(program.checks)}

{_SCHEDULE.read_text().rstrip()}

/* --- {api.name} {"-" * (90 - len(api.name))} */

{api.host.read_text().rstrip()}

/* --- this model ------------------------------------------------------------------------------ */

extern const unsigned char {name}_kernels[], {name}_kernels_end[];
extern const unsigned char {name}_weights[], {name}_weights_end[];

/* Inputs, then outputs. */
static const size_t tensor_bytes[] = {{{sizes or "1"}}};

static const char *const kernel_names[] = {{
    {f",{newline}    ".join(f'"{kernel}"' for kernel in kernels) or "0"}}};

static const struct part parts[] = {{
{newline.join(_part(argument) for argument in parts) or "    {0, 0, 0, 0},"}
}};

/* Parts by the parameters of the launches. */
static const uint32_t arguments[] = {{{_wrapped(places) or "0"}}};

static const struct step steps[] = {{
{newline.join(steps)}
    {{STEP_END, 0, {{0}}, {{0}}, 0, 0}},
}};

static const char *const messages[] = {{
    {messages}}};

static const struct tables tables = {{
    {name}_kernels, {name}_kernels_end, {name}_weights, {name}_weights_end,
    tensor_bytes, kernel_names, parts, {len(parts)}, arguments,
    steps, steps + sizeof steps / sizeof *steps}};

struct {name}_model {{
  struct network network;
}};

{name}_model *{name}_create({api.device} device, char *log, size_t log_size) {{
  {name}_model *model = calloc(1, sizeof *model);
  if (model && !open_network(&model->network, &tables, device, log, log_size)) {{
    {name}_destroy(model);
    return 0;
  }}
  return model;
}}

{_prototype(program, name)} {{
  const void *const inputs[] = {{{inputs}}};
  void *const outputs[] = {{{outputs}}};
  return run_network(&model->network, inputs, outputs);
}}

const char *{name}_message(int32_t code) {{
  if (code < 0)
    return "an error of {api.name}; {api.header} has its name";
  return code <= BCR_CHECKS ? messages[code] : "unknown";
}}

void {name}_destroy({name}_model *model) {{
  if (model)
    close_network(&model->network);
  free(model);
}}
"""


def _add_steps(
    schedule: Schedule,
    parts: dict[Argument, int],
    kernels: list[str],
    steps: list[str],
    places: list[str],
) -> None:
    for step in schedule:
        if isinstance(step, Repeat):
            steps.append(f"    {{STEP_REPEAT, {step.turns}, {{0}}, {{0}}, 0, 0}},")
            _add_steps(step.body, parts, kernels, steps, places)
            steps.append("    {STEP_END, 0, {0}, {0}, 0, 0},")
        else:
            steps.append(_step(step, kernels, len(places)))
            places += (str(parts[argument]) for argument in step.arguments)


def _step(launch: Launch, kernels: list[str], first: int) -> str:
    items, local = (", ".join(map(str, sizes)) for sizes in (launch.items, launch.local))
    label = launch.label.replace("*/", "* /")
    return (
        f"    {{STEP_LAUNCH, {kernels.index(launch.kernel)}, {{{items}}}, {{{local}}}, {first}, "
        f"{len(launch.arguments)}}}, /* {label} */"
    )


def _part(argument: Argument) -> str:
    space = f"SPACE_{argument.space.upper()}"
    return f"    {{{space}, {argument.number}, {argument.begin}, {argument.size}}},"


def _wrapped(numbers: list[str]) -> str:
    lines = [", ".join(numbers[i : i + 16]) for i in range(0, len(numbers), 16)]
    return ",\n    ".join(lines)


def _data(name: str) -> str:
    """The assembler reads kernels and weights as they are: they never become text."""
    blocks = []
    for symbol, file in (("kernels", f"{name}.spv"), ("weights", f"{name}.weights")):
        blocks.append(f"""  .balign {PAGE}
  .globl {name}_{symbol}
  .hidden {name}_{symbol}
{name}_{symbol}:
  .incbin "{file}"
  .globl {name}_{symbol}_end
  .hidden {name}_{symbol}_end
{name}_{symbol}_end:
  .byte 0
""")
    return f'  .section .rodata\n{"".join(blocks)}  .section .note.GNU-stack,"",%progbits\n'


def _example(program: Program, name: str) -> str:
    return example_program(
        program,
        name,
        build="cmake -S . -B build -DCMAKE_BUILD_TYPE=Release && cmake --build build",
        run="build/main",
        make=f"""  char log[4096];
  {name}_model *model = {name}_create(0, log, sizeof log);
  if (!model) {{
    fprintf(stderr, "%s\\n", log);
    return 1;
  }}""",
        first="model",
        last="",
        free=f"  {name}_destroy(model);",
    )


def _build_file(name: str, api: Api) -> str:
    return f"""# The library "{name}" and the example "main". They need a C compiler, headers and
# the loader of {api.name}; on Debian: gcc cmake {api.packages}.
cmake_minimum_required(VERSION 3.13)
project({name} C ASM)

find_package({api.name} REQUIRED)
add_library({name} STATIC {name}.c {name}_data.S)
set(here ${{CMAKE_CURRENT_SOURCE_DIR}})
set_source_files_properties({name}_data.S PROPERTIES
  COMPILE_OPTIONS "-Wa,-I${{here}}"
  OBJECT_DEPENDS "${{here}}/{name}.spv;${{here}}/{name}.weights")
target_include_directories({name} PUBLIC ${{here}})
target_link_libraries({name} PUBLIC {api.name}::{api.name})

add_executable(main main.c)
target_link_libraries(main PRIVATE {name})
"""
