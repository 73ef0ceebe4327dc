//===- host.c - OpenCL for the tables of any model -----------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

struct network {
  const struct tables *tables;
  cl_context context;
  cl_command_queue queue;
  cl_program program;
  cl_mem weights, arena, status, tensors[BCR_INPUTS + BCR_OUTPUTS + 1];
  /* One for each launch, with its arguments set; one for each part. */
  cl_kernel kernels[BCR_LAUNCHES + 1];
  cl_mem *parts;
};

static int takes_spirv(cl_device_id device) {
  char versions[512] = "";
  clGetDeviceInfo(device, CL_DEVICE_IL_VERSION, sizeof versions, versions, 0);
  return strstr(versions, "SPIR-V") != 0;
}

static cl_device_id find_device(void) {
  cl_platform_id platforms[16];
  cl_device_id devices[16];
  cl_uint num_platforms = 0, num_devices;
  if (clGetPlatformIDs(16, platforms, &num_platforms))
    return 0;
  for (cl_uint p = 0; p < num_platforms && p < 16; ++p) {
    num_devices = 0;
    clGetDeviceIDs(platforms[p], CL_DEVICE_TYPE_ALL, 16, devices, &num_devices);
    for (cl_uint d = 0; d < num_devices && d < 16; ++d)
      if (takes_spirv(devices[d]))
        return devices[d];
  }
  return 0;
}

static cl_int get_part(struct network *n, const struct part *part,
                       cl_mem *result) {
  cl_int error = CL_SUCCESS;
  cl_mem whole = part->space == SPACE_WEIGHTS  ? n->weights
                 : part->space == SPACE_ARENA  ? n->arena
                 : part->space == SPACE_STATUS ? n->status
                 : part->space == SPACE_INPUT
                     ? n->tensors[part->number]
                     : n->tensors[BCR_INPUTS + part->number];
  cl_buffer_region region = {part->begin, part->size};
  *result = clCreateSubBuffer(whole, 0, CL_BUFFER_CREATE_TYPE_REGION, &region,
                              &error);
  return error;
}

static int open_network(struct network *n, const struct tables *tables,
                        cl_device_id device, char *log, size_t log_size) {
  cl_int error = CL_SUCCESS;
  size_t spirv_size = (size_t)(tables->spirv_end - tables->spirv);
  size_t weights_size = (size_t)(tables->weights_end - tables->weights);
  size_t launch = 0;
  n->tables = tables;
  if (!device && !(device = find_device()))
    return report(log, log_size, "there is no OpenCL device that takes SPIR-V");
  n->context = clCreateContext(0, 1, &device, 0, 0, &error);
  if (error)
    return report(log, log_size, "clCreateContext: error %d", (int)error);
  n->queue = clCreateCommandQueueWithProperties(n->context, device, 0, &error);
  if (error)
    return report(log, log_size, "clCreateCommandQueueWithProperties: error %d",
                  (int)error);

  if (spirv_size) {
    n->program =
        clCreateProgramWithIL(n->context, tables->spirv, spirv_size, &error);
    if (!error)
      error = clBuildProgram(n->program, 1, &device, "", 0, 0);
    if (error) {
      char text[2048] = "";
      if (n->program)
        clGetProgramBuildInfo(n->program, device, CL_PROGRAM_BUILD_LOG,
                              sizeof text, text, 0);
      return report(log, log_size, "the kernels do not build: error %d\n%s",
                    (int)error, text);
    }
  }

  /* Memory that the host reaches too, so that nothing is copied twice where
   * both share it. */
  cl_mem_flags both = CL_MEM_READ_WRITE | CL_MEM_ALLOC_HOST_PTR;
  if (weights_size) {
    n->weights =
        clCreateBuffer(n->context, CL_MEM_READ_ONLY | CL_MEM_ALLOC_HOST_PTR,
                       weights_size, 0, &error);
    if (!error)
      error = clEnqueueWriteBuffer(n->queue, n->weights, CL_TRUE, 0,
                                   weights_size, tables->weights, 0, 0, 0);
  }
  if (!error && BCR_ARENA_BYTES)
    n->arena = clCreateBuffer(n->context, CL_MEM_READ_WRITE, BCR_ARENA_BYTES, 0,
                              &error);
  if (!error)
    n->status = clCreateBuffer(n->context, both, sizeof(cl_int), 0, &error);
  for (size_t i = 0; !error && i < BCR_INPUTS + BCR_OUTPUTS; ++i)
    n->tensors[i] = clCreateBuffer(
        n->context, both, tables->tensor_bytes[i] + !tables->tensor_bytes[i], 0,
        &error);
  n->parts = calloc(tables->num_parts + 1, sizeof *n->parts);
  if (!n->parts)
    error = CL_OUT_OF_HOST_MEMORY;
  for (size_t i = 0; !error && i < tables->num_parts; ++i)
    if (tables->parts[i].space != SPACE_TURN)
      error = get_part(n, &tables->parts[i], &n->parts[i]);
  if (error)
    return report(log, log_size, "no memory for the model: error %d",
                  (int)error);

  for (const struct step *step = tables->steps; launch < BCR_LAUNCHES; ++step) {
    if (step->kind != STEP_LAUNCH)
      continue;
    cl_kernel kernel =
        clCreateKernel(n->program, tables->kernel_names[step->number], &error);
    n->kernels[launch++] = kernel;
    for (uint32_t i = 0; !error && i < step->num_arguments; ++i) {
      uint32_t part = tables->arguments[step->first_argument + i];
      if (n->parts[part])
        error = clSetKernelArg(kernel, i, sizeof(cl_mem), &n->parts[part]);
    }
    if (error)
      return report(log, log_size, "kernel %s: error %d",
                    tables->kernel_names[step->number], (int)error);
  }
  return 1;
}

/* Sets the arguments that change from turn to turn, and enqueues. */
static int32_t enqueue(void *network, const struct step *step, size_t launch,
                       const struct turns *turns) {
  struct network *n = network;
  cl_kernel kernel = n->kernels[launch];
  for (uint32_t i = 0; i < step->num_arguments; ++i) {
    const struct part *part = get_argument(n->tables, step, i);
    if (part->space != SPACE_TURN)
      continue;
    cl_long turn = get_turn(turns, part);
    cl_int error = clSetKernelArg(kernel, i, sizeof turn, &turn);
    if (error)
      return error;
  }
  return clEnqueueNDRangeKernel(n->queue, kernel, 3, 0, step->items,
                                step->local, 0, 0, 0);
}

static int32_t run_network(struct network *n, const void *const *inputs,
                           void *const *outputs) {
  const size_t *bytes = n->tables->tensor_bytes;
  cl_int status = 0;
  cl_int error = clEnqueueWriteBuffer(n->queue, n->status, CL_FALSE, 0,
                                      sizeof status, &status, 0, 0, 0);
  for (size_t i = 0; !error && i < BCR_INPUTS; ++i)
    if (bytes[i])
      error = clEnqueueWriteBuffer(n->queue, n->tensors[i], CL_FALSE, 0,
                                   bytes[i], inputs[i], 0, 0, 0);
  if (!error)
    error = visit_launches(n->tables, enqueue, n);
  for (size_t i = 0; !error && i < BCR_OUTPUTS; ++i)
    if (bytes[BCR_INPUTS + i])
      error =
          clEnqueueReadBuffer(n->queue, n->tensors[BCR_INPUTS + i], CL_FALSE, 0,
                              bytes[BCR_INPUTS + i], outputs[i], 0, 0, 0);
  if (!error)
    error = clEnqueueReadBuffer(n->queue, n->status, CL_FALSE, 0, sizeof status,
                                &status, 0, 0, 0);
  cl_int finished = clFinish(n->queue);
  return error ? error : finished ? finished : status;
}

static void close_network(struct network *n) {
  for (size_t i = 0; i < BCR_LAUNCHES; ++i)
    if (n->kernels[i])
      clReleaseKernel(n->kernels[i]);
  for (size_t i = 0; n->parts && i < n->tables->num_parts; ++i)
    if (n->parts[i])
      clReleaseMemObject(n->parts[i]);
  free(n->parts);
  for (size_t i = 0; i < BCR_INPUTS + BCR_OUTPUTS; ++i)
    if (n->tensors[i])
      clReleaseMemObject(n->tensors[i]);
  if (n->status)
    clReleaseMemObject(n->status);
  if (n->arena)
    clReleaseMemObject(n->arena);
  if (n->weights)
    clReleaseMemObject(n->weights);
  if (n->program)
    clReleaseProgram(n->program);
  if (n->queue)
    clReleaseCommandQueue(n->queue);
  if (n->context)
    clReleaseContext(n->context);
}
