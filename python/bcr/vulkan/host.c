//===- host.c - Vulkan for the tables of any model
//-------------------------===//
//
// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
//===----------------------------------------------------------------------===//

/* A buffer, and where the host sees it; 0: nowhere. */
struct memory {
  VkBuffer buffer;
  VkDeviceMemory memory;
  VkDeviceSize size;
  unsigned char *bytes;
};

/* Types of 8, 16 and 64 bits that a device has or lacks. */
struct features {
  VkPhysicalDeviceFeatures2 wide;
  VkPhysicalDevice16BitStorageFeatures halves;
  VkPhysicalDevice8BitStorageFeatures bytes;
  VkPhysicalDeviceShaderFloat16Int8Features arithmetic;
};

struct network {
  const struct tables *tables;
  /* 0 where the caller chose the device. */
  VkInstance instance;
  VkPhysicalDevice physical;
  VkPhysicalDeviceProperties properties;
  uint32_t family;
  struct features features;
  VkDevice device;
  VkQueue queue;
  VkShaderModule module;
  VkDescriptorSetLayout sets[BCR_KERNELS + 1];
  VkPipelineLayout layouts[BCR_KERNELS + 1];
  VkPipeline pipelines[BCR_KERNELS + 1];
  VkDescriptorPool descriptors;
  VkCommandPool pool;
  VkCommandBuffer commands;
  struct memory weights, arena, status, turns;
  /* Inputs, then outputs; and what the host sees of them where it does not see
   * these. */
  struct memory tensors[BCR_INPUTS + BCR_OUTPUTS + 1];
  struct memory staged[BCR_INPUTS + BCR_OUTPUTS + 1];
};

/* --- the device ---------------------------------------------------------- */

static int find_family(VkPhysicalDevice device, uint32_t *family) {
  VkQueueFamilyProperties families[16];
  uint32_t count = 16;
  vkGetPhysicalDeviceQueueFamilyProperties(device, &count, families);
  for (*family = 0; *family < count; ++*family)
    if (families[*family].queueFlags & VK_QUEUE_COMPUTE_BIT)
      return 1;
  return 0;
}

/* The first GPU, or where there is none the first device. */
static VkPhysicalDevice find_device(VkInstance instance) {
  VkPhysicalDevice devices[16], found = VK_NULL_HANDLE;
  uint32_t count = 16, family;
  if (vkEnumeratePhysicalDevices(instance, &count, devices) < 0)
    return found;
  for (uint32_t i = 0; i < count; ++i) {
    VkPhysicalDeviceProperties properties;
    vkGetPhysicalDeviceProperties(devices[i], &properties);
    if (properties.apiVersion < VK_API_VERSION_1_1 ||
        !find_family(devices[i], &family))
      continue;
    if (properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU ||
        properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU ||
        properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU)
      return devices[i];
    if (!found)
      found = devices[i];
  }
  return found;
}

static const char *const small_types[] = {"VK_KHR_shader_float16_int8",
                                          "VK_KHR_8bit_storage"};

static int has_small_types(VkPhysicalDevice device) {
  uint32_t count = 0;
  VkExtensionProperties *all;
  size_t found = 0;
  if (vkEnumerateDeviceExtensionProperties(device, 0, &count, 0) < 0)
    return 0;
  all = calloc(count + 1, sizeof *all);
  if (all && vkEnumerateDeviceExtensionProperties(device, 0, &count, all) >= 0)
    for (uint32_t i = 0; i < count; ++i)
      for (size_t k = 0; k < 2; ++k)
        found += strcmp(all[i].extensionName, small_types[k]) == 0;
  free(all);
  return found == 2;
}

static void clear_features(struct features *f) {
  memset(f, 0, sizeof *f);
  f->wide.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
  f->halves.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES;
  f->bytes.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES;
  f->arithmetic.sType =
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES;
}

/* Asks for the features that kernels may need, and for no others: some have a
 * price. */
static void get_features(struct network *n) {
  struct features has, *wanted = &n->features;
  clear_features(&has);
  clear_features(wanted);
  if (has_small_types(n->physical)) {
    has.wide.pNext = &has.halves;
    has.halves.pNext = &has.bytes;
    has.bytes.pNext = &has.arithmetic;
    wanted->wide.pNext = &wanted->halves;
    wanted->halves.pNext = &wanted->bytes;
    wanted->bytes.pNext = &wanted->arithmetic;
  }
  vkGetPhysicalDeviceFeatures2(n->physical, &has.wide);
  wanted->wide.features.shaderInt16 = has.wide.features.shaderInt16;
  wanted->wide.features.shaderInt64 = has.wide.features.shaderInt64;
  wanted->wide.features.shaderFloat64 = has.wide.features.shaderFloat64;
  wanted->halves.storageBuffer16BitAccess = has.halves.storageBuffer16BitAccess;
  wanted->bytes.storageBuffer8BitAccess = has.bytes.storageBuffer8BitAccess;
  wanted->arithmetic.shaderFloat16 = has.arithmetic.shaderFloat16;
  wanted->arithmetic.shaderInt8 = has.arithmetic.shaderInt8;
}

/* What the device lacks of the capabilities that kernels declare, which are
 * what a module begins with (SPIR-V, sections 2.4 and 3.31); 0: nothing. */
static const char *find_missing(const struct network *n) {
  const struct features *f = &n->features;
  const unsigned char *at = n->tables->spirv + 20;
  uint32_t words[2];
  for (; at + sizeof words <= n->tables->spirv_end;
       at += (words[0] >> 16) * 4) {
    memcpy(words, at, sizeof words);
    if ((words[0] & 0xFFFF) != 17)
      return 0;
    if (words[1] == 9 && !f->arithmetic.shaderFloat16)
      return "Float16";
    if (words[1] == 10 && !f->wide.features.shaderFloat64)
      return "Float64";
    if (words[1] == 11 && !f->wide.features.shaderInt64)
      return "Int64";
    if (words[1] == 22 && !f->wide.features.shaderInt16)
      return "Int16";
    if (words[1] == 39 && !f->arithmetic.shaderInt8)
      return "Int8";
    if (words[1] == 4433 && !f->halves.storageBuffer16BitAccess)
      return "StorageBuffer16BitAccess";
    if (words[1] == 4448 && !f->bytes.storageBuffer8BitAccess)
      return "StorageBuffer8BitAccess";
  }
  return 0;
}

/* Whether the device takes a launch as it is. */
static int fits(const struct network *n, const struct step *step) {
  const VkPhysicalDeviceLimits *limits = &n->properties.limits;
  size_t items = step->local[0] * step->local[1] * step->local[2];
  if (step->num_arguments > limits->maxPerStageDescriptorStorageBuffers ||
      items > limits->maxComputeWorkGroupInvocations)
    return 0;
  for (int i = 0; i < 3; ++i)
    if (step->items[i] / step->local[i] > limits->maxComputeWorkGroupCount[i] ||
        step->local[i] > limits->maxComputeWorkGroupSize[i])
      return 0;
  for (uint32_t i = 0; i < step->num_arguments; ++i) {
    const struct part *part = get_argument(n->tables, step, i);
    if (part->size > limits->maxStorageBufferRange ||
        part->begin % limits->minStorageBufferOffsetAlignment)
      return 0;
  }
  return 1;
}

static int choose_device(struct network *n, VkPhysicalDevice device, char *log,
                         size_t log_size) {
  const char *name = n->properties.deviceName, *missing;
  if (!device) {
    VkApplicationInfo about = {.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO,
                               .apiVersion = VK_API_VERSION_1_1};
    VkInstanceCreateInfo info = {.sType =
                                     VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                 .pApplicationInfo = &about};
    VkResult error = vkCreateInstance(&info, 0, &n->instance);
    if (error)
      return report(log, log_size, "vkCreateInstance: error %d", (int)error);
    device = find_device(n->instance);
  }
  if (!device || !find_family(device, &n->family))
    return report(log, log_size, "there is no Vulkan device that computes");
  n->physical = device;
  vkGetPhysicalDeviceProperties(device, &n->properties);
  if (BCR_LAUNCHES == 0)
    return 1;
  get_features(n);
  if ((missing = find_missing(n)))
    return report(log, log_size, "%s lacks what the kernels need (%s)", name,
                  missing);
  for (const struct step *step = n->tables->steps; step != n->tables->steps_end;
       ++step)
    if (step->kind == STEP_LAUNCH && !fits(n, step))
      return report(log, log_size, "kernel %s exceeds the limits of %s",
                    n->tables->kernel_names[step->number], name);
  return 1;
}

static VkResult open_device(struct network *n) {
  float priority = 1;
  VkDeviceQueueCreateInfo queue = {
      .sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
      .queueFamilyIndex = n->family,
      .queueCount = 1,
      .pQueuePriorities = &priority};
  VkDeviceCreateInfo info = {.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                             .pNext = BCR_LAUNCHES ? &n->features.wide : 0,
                             .queueCreateInfoCount = 1,
                             .pQueueCreateInfos = &queue,
                             .enabledExtensionCount =
                                 n->features.wide.pNext ? 2 : 0,
                             .ppEnabledExtensionNames = small_types};
  VkResult error = vkCreateDevice(n->physical, &info, 0, &n->device);
  if (!error)
    vkGetDeviceQueue(n->device, n->family, 0, &n->queue);
  return error;
}

/* --- memory -------------------------------------------------------------- */

/* Whether what the host sees of the device's memory is slow or a small part of
 * it. */
static int has_own_memory(const struct network *n) {
  return n->properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;
}

/* The type, among those of the mask `bits`, of memory that the host sees too
 * or that only the device does; or -1. */
static int find_memory(const struct network *n, uint32_t bits, int shared) {
  const VkMemoryPropertyFlags local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT,
                              seen = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                     VK_MEMORY_PROPERTY_HOST_COHERENT_BIT,
                              cached = VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
  VkMemoryPropertyFlags wanted[2] = {local, 0};
  VkPhysicalDeviceMemoryProperties known;
  if (shared) {
    /* The host reads what it does not cache one word at a time. */
    wanted[0] = seen | (has_own_memory(n) ? cached : local);
    wanted[1] = seen;
  }
  vkGetPhysicalDeviceMemoryProperties(n->physical, &known);
  for (int k = 0; k < 2; ++k)
    for (uint32_t i = 0; i < known.memoryTypeCount; ++i)
      if (bits >> i & 1 &&
          (known.memoryTypes[i].propertyFlags & wanted[k]) == wanted[k])
        return (int)i;
  return -1;
}

static VkResult make_memory(struct network *n, struct memory *made, size_t size,
                            int shared) {
  /* A kernel sees whole words. */
  VkBufferCreateInfo info = {.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                             .size = (size + 15) / 16 * 16 + (size == 0) * 16,
                             .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT |
                                      VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                                      VK_BUFFER_USAGE_TRANSFER_DST_BIT};
  VkMemoryRequirements needs;
  VkMemoryAllocateInfo request = {.sType =
                                      VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO};
  void *bytes = 0;
  int type;
  VkResult error = vkCreateBuffer(n->device, &info, 0, &made->buffer);
  if (error)
    return error;
  made->size = info.size;
  vkGetBufferMemoryRequirements(n->device, made->buffer, &needs);
  if ((type = find_memory(n, needs.memoryTypeBits, shared)) < 0)
    return VK_ERROR_OUT_OF_DEVICE_MEMORY;
  request.allocationSize = needs.size;
  request.memoryTypeIndex = (uint32_t)type;
  error = vkAllocateMemory(n->device, &request, 0, &made->memory);
  if (!error)
    error = vkBindBufferMemory(n->device, made->buffer, made->memory, 0);
  if (!error && shared)
    error = vkMapMemory(n->device, made->memory, 0, info.size, 0, &bytes);
  made->bytes = bytes;
  return error;
}

static void free_memory(struct network *n, struct memory *memory) {
  vkDestroyBuffer(n->device, memory->buffer, 0);
  vkFreeMemory(n->device, memory->memory, 0);
  memset(memory, 0, sizeof *memory);
}

/* Bytes between the numbers of two turns, which kernels get as arguments. */
static size_t get_turn_pitch(const struct network *n) {
  VkDeviceSize step = n->properties.limits.minStorageBufferOffsetAlignment;
  return step < sizeof(int64_t) ? sizeof(int64_t) : (size_t)step;
}

static VkResult allocate(struct network *n) {
  const size_t *bytes = n->tables->tensor_bytes, pitch = get_turn_pitch(n);
  int shared = !has_own_memory(n);
  VkResult error = make_memory(n, &n->arena, BCR_ARENA_BYTES, shared);
  if (!error)
    error = make_memory(n, &n->status, sizeof(int32_t), 1);
  if (!error)
    error = make_memory(n, &n->turns, BCR_TURNS * pitch, 1);
  for (size_t i = 0; !error && i < BCR_INPUTS + BCR_OUTPUTS; ++i) {
    error = make_memory(n, &n->tensors[i], bytes[i], shared);
    if (!error && !shared)
      error = make_memory(n, &n->staged[i], bytes[i], 1);
  }
  for (int64_t turn = 0; !error && turn < BCR_TURNS; ++turn)
    memcpy(n->turns.bytes + (size_t)turn * pitch, &turn, sizeof turn);
  return error;
}

/* --- commands ------------------------------------------------------------ */

static VkResult make_commands(struct network *n, VkCommandBuffer *commands) {
  VkCommandBufferAllocateInfo info = {
      .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
      .commandPool = n->pool,
      .level = VK_COMMAND_BUFFER_LEVEL_PRIMARY,
      .commandBufferCount = 1};
  VkCommandBufferBeginInfo begin = {
      .sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO};
  VkResult error = vkAllocateCommandBuffers(n->device, &info, commands);
  return error ? error : vkBeginCommandBuffer(*commands, &begin);
}

static VkResult submit(struct network *n, VkCommandBuffer commands) {
  VkSubmitInfo info = {.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
                       .commandBufferCount = 1,
                       .pCommandBuffers = &commands};
  VkResult error = vkQueueSubmit(n->queue, 1, &info, VK_NULL_HANDLE);
  return error ? error : vkQueueWaitIdle(n->queue);
}

static void copy(VkCommandBuffer commands, const struct memory *from,
                 const struct memory *to) {
  VkBufferCopy region = {0, 0, from->size};
  vkCmdCopyBuffer(commands, from->buffer, to->buffer, 1, &region);
}

static void wait_for(VkCommandBuffer commands, VkPipelineStageFlags before,
                     VkAccessFlags written, VkPipelineStageFlags after,
                     VkAccessFlags accessed) {
  VkMemoryBarrier barrier = {.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER,
                             .srcAccessMask = written,
                             .dstAccessMask = accessed};
  vkCmdPipelineBarrier(commands, before, after, 0, 1, &barrier, 0, 0, 0, 0);
}

/* Brings the weights to the device. */
static VkResult upload(struct network *n) {
  size_t size = (size_t)(n->tables->weights_end - n->tables->weights);
  int shared = !has_own_memory(n);
  struct memory seen = {0};
  VkCommandBuffer commands;
  VkResult error = make_memory(n, &n->weights, size, shared);
  if (!error && !shared)
    error = make_memory(n, &seen, size, 1);
  if (!error)
    memcpy(shared ? n->weights.bytes : seen.bytes, n->tables->weights, size);
  if (!error && !shared && !(error = make_commands(n, &commands))) {
    copy(commands, &seen, &n->weights);
    error = vkEndCommandBuffer(commands);
    if (!error)
      error = submit(n, commands);
  }
  free_memory(n, &seen);
  return error;
}

static VkResult make_pipeline(struct network *n, const struct step *step) {
  VkDescriptorSetLayoutBinding bindings[BCR_ARGUMENTS + 1];
  VkDescriptorSetLayout *set = &n->sets[step->number];
  VkPipelineLayout *layout = &n->layouts[step->number];
  VkResult error;
  for (uint32_t i = 0; i < step->num_arguments; ++i)
    bindings[i] = (VkDescriptorSetLayoutBinding){
        .binding = i,
        .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
        .descriptorCount = 1,
        .stageFlags = VK_SHADER_STAGE_COMPUTE_BIT};
  VkDescriptorSetLayoutCreateInfo arguments = {
      .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO,
      .bindingCount = step->num_arguments,
      .pBindings = bindings};
  VkPipelineLayoutCreateInfo places = {
      .sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO,
      .setLayoutCount = 1,
      .pSetLayouts = set};
  VkComputePipelineCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
      .stage = {.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO,
                .stage = VK_SHADER_STAGE_COMPUTE_BIT,
                .module = n->module,
                .pName = n->tables->kernel_names[step->number]}};
  error = vkCreateDescriptorSetLayout(n->device, &arguments, 0, set);
  if (!error)
    error = vkCreatePipelineLayout(n->device, &places, 0, layout);
  info.layout = *layout;
  return error ? error
               : vkCreateComputePipelines(n->device, VK_NULL_HANDLE, 1, &info,
                                          0, &n->pipelines[step->number]);
}

static VkDescriptorBufferInfo get_part(const struct network *n,
                                       const struct part *part,
                                       const struct turns *turns) {
  const struct memory *whole = part->space == SPACE_WEIGHTS  ? &n->weights
                               : part->space == SPACE_ARENA  ? &n->arena
                               : part->space == SPACE_STATUS ? &n->status
                               : part->space == SPACE_TURN   ? &n->turns
                               : part->space == SPACE_INPUT
                                   ? &n->tensors[part->number]
                                   : &n->tensors[BCR_INPUTS + part->number];
  VkDescriptorBufferInfo info = {whole->buffer, part->begin,
                                 (part->size + 15) / 16 * 16};
  if (part->space == SPACE_TURN)
    info.offset = (size_t)get_turn(turns, part) * get_turn_pitch(n);
  if (info.range > whole->size - info.offset)
    info.range = whole->size - info.offset;
  return info;
}

/* Records a launch and a barrier behind it. */
static int32_t record_launch(void *network, const struct step *step,
                             size_t launch, const struct turns *turns) {
  struct network *n = network;
  VkDescriptorBufferInfo parts[BCR_ARGUMENTS + 1];
  VkWriteDescriptorSet writes[BCR_ARGUMENTS + 1];
  VkDescriptorSet set;
  VkDescriptorSetAllocateInfo info = {
      .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO,
      .descriptorPool = n->descriptors,
      .descriptorSetCount = 1,
      .pSetLayouts = &n->sets[step->number]};
  VkResult error = vkAllocateDescriptorSets(n->device, &info, &set);
  (void)launch;
  if (error)
    return error;
  for (uint32_t i = 0; i < step->num_arguments; ++i) {
    parts[i] = get_part(n, get_argument(n->tables, step, i), turns);
    writes[i] = (VkWriteDescriptorSet){
        .sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
        .dstSet = set,
        .dstBinding = i,
        .descriptorCount = 1,
        .descriptorType = VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
        .pBufferInfo = &parts[i]};
  }
  vkUpdateDescriptorSets(n->device, step->num_arguments, writes, 0, 0);
  vkCmdBindPipeline(n->commands, VK_PIPELINE_BIND_POINT_COMPUTE,
                    n->pipelines[step->number]);
  vkCmdBindDescriptorSets(n->commands, VK_PIPELINE_BIND_POINT_COMPUTE,
                          n->layouts[step->number], 0, 1, &set, 0, 0);
  vkCmdDispatch(n->commands, (uint32_t)(step->items[0] / step->local[0]),
                (uint32_t)(step->items[1] / step->local[1]),
                (uint32_t)(step->items[2] / step->local[2]));
  wait_for(n->commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
           VK_ACCESS_SHADER_WRITE_BIT, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
           VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT);
  return VK_SUCCESS;
}

/* Writes the command buffer that every call submits. */
static VkResult record(struct network *n) {
  VkDescriptorPoolSize size = {VK_DESCRIPTOR_TYPE_STORAGE_BUFFER,
                               BCR_DESCRIPTORS + 1};
  VkDescriptorPoolCreateInfo info = {
      .sType = VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO,
      .maxSets = BCR_DISPATCHES + 1,
      .poolSizeCount = 1,
      .pPoolSizes = &size};
  VkResult error = vkCreateDescriptorPool(n->device, &info, 0, &n->descriptors);
  if (!error)
    error = make_commands(n, &n->commands);
  if (error)
    return error;
  for (size_t i = 0; i < BCR_INPUTS; ++i)
    if (n->staged[i].size)
      copy(n->commands, &n->staged[i], &n->tensors[i]);
  wait_for(n->commands, VK_PIPELINE_STAGE_TRANSFER_BIT,
           VK_ACCESS_TRANSFER_WRITE_BIT, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
           VK_ACCESS_SHADER_READ_BIT);
  error = visit_launches(n->tables, record_launch, n);
  if (error)
    return error;
  wait_for(n->commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
           VK_ACCESS_SHADER_WRITE_BIT,
           VK_PIPELINE_STAGE_TRANSFER_BIT | VK_PIPELINE_STAGE_HOST_BIT,
           VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_HOST_READ_BIT);
  for (size_t i = BCR_INPUTS; i < BCR_INPUTS + BCR_OUTPUTS; ++i)
    if (n->staged[i].size)
      copy(n->commands, &n->tensors[i], &n->staged[i]);
  wait_for(n->commands, VK_PIPELINE_STAGE_TRANSFER_BIT,
           VK_ACCESS_TRANSFER_WRITE_BIT, VK_PIPELINE_STAGE_HOST_BIT,
           VK_ACCESS_HOST_READ_BIT);
  return vkEndCommandBuffer(n->commands);
}

/* --- the model ----------------------------------------------------------- */

static int build(struct network *n, char *log, size_t log_size) {
  VkShaderModuleCreateInfo module = {
      .sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO,
      .codeSize = (size_t)(n->tables->spirv_end - n->tables->spirv),
      .pCode = (const uint32_t *)(const void *)n->tables->spirv};
  VkResult error = vkCreateShaderModule(n->device, &module, 0, &n->module);
  if (error)
    return report(log, log_size, "vkCreateShaderModule: error %d", (int)error);
  for (const struct step *step = n->tables->steps; step != n->tables->steps_end;
       ++step) {
    if (step->kind != STEP_LAUNCH || n->pipelines[step->number])
      continue;
    error = make_pipeline(n, step);
    if (error)
      return report(log, log_size, "kernel %s: error %d",
                    n->tables->kernel_names[step->number], (int)error);
  }
  return 1;
}

static int open_network(struct network *n, const struct tables *tables,
                        VkPhysicalDevice device, char *log, size_t log_size) {
  VkCommandPoolCreateInfo pool = {
      .sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO};
  VkResult error;
  n->tables = tables;
  if (!choose_device(n, device, log, log_size))
    return 0;
  error = open_device(n);
  pool.queueFamilyIndex = n->family;
  if (!error)
    error = vkCreateCommandPool(n->device, &pool, 0, &n->pool);
  if (error)
    return report(log, log_size, "%s does not open: error %d",
                  n->properties.deviceName, (int)error);
  error = allocate(n);
  if (!error)
    error = upload(n);
  if (error)
    return report(log, log_size, "no memory for the model: error %d",
                  (int)error);
  if (BCR_LAUNCHES == 0)
    return 1;
  if (!build(n, log, log_size))
    return 0;
  error = record(n);
  if (error)
    return report(log, log_size, "the commands are not recorded: error %d",
                  (int)error);
  return 1;
}

static unsigned char *get_bytes(struct network *n, size_t i) {
  return n->staged[i].size ? n->staged[i].bytes : n->tensors[i].bytes;
}

static int32_t run_network(struct network *n, const void *const *inputs,
                           void *const *outputs) {
  const size_t *bytes = n->tables->tensor_bytes;
  VkResult error = VK_SUCCESS;
  int32_t status = 0;
  for (size_t i = 0; i < BCR_INPUTS; ++i)
    memcpy(get_bytes(n, i), inputs[i], bytes[i]);
  memcpy(n->status.bytes, &status, sizeof status);
  if (BCR_LAUNCHES)
    error = submit(n, n->commands);
  for (size_t i = 0; !error && i < BCR_OUTPUTS; ++i)
    memcpy(outputs[i], get_bytes(n, BCR_INPUTS + i), bytes[BCR_INPUTS + i]);
  memcpy(&status, n->status.bytes, sizeof status);
  return error ? error : status;
}

static void close_network(struct network *n) {
  if (n->device) {
    vkDestroyCommandPool(n->device, n->pool, 0);
    vkDestroyDescriptorPool(n->device, n->descriptors, 0);
    for (size_t i = 0; i < BCR_KERNELS; ++i) {
      vkDestroyPipeline(n->device, n->pipelines[i], 0);
      vkDestroyPipelineLayout(n->device, n->layouts[i], 0);
      vkDestroyDescriptorSetLayout(n->device, n->sets[i], 0);
    }
    vkDestroyShaderModule(n->device, n->module, 0);
    for (size_t i = 0; i < BCR_INPUTS + BCR_OUTPUTS; ++i) {
      free_memory(n, &n->tensors[i]);
      free_memory(n, &n->staged[i]);
    }
    free_memory(n, &n->turns);
    free_memory(n, &n->status);
    free_memory(n, &n->arena);
    free_memory(n, &n->weights);
    vkDestroyDevice(n->device, 0);
  }
  if (n->instance)
    vkDestroyInstance(n->instance, 0);
}
