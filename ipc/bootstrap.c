/* SPDX-License-Identifier: MIT */
/*
 * Modules are made memory objects once, when the kernel starts, so that all
 * have the same pages, and who asks again and again gets nothing that costs.
 */
#include <kern/container.h>
#include <kern/init.h>
#include <kern/kmalloc.h>
#include <kern/log.h>
#include <kern/main.h>
#include <kern/panic.h>
#include <lib/fmt.h>
#include <lib/macros.h>
#include <lib/string.h>
#include <ipc/bootstrap.h>
#include <ipc/memory_object.h>
#include <ipc/module.h>
#include <vm/object.h>

static struct kobject bootstrap;

/* By number; constant once the stage has run. */
static struct kobject **bootstrap_modules;

/* Somebody has given up a reference that he did not have. */
static void
bootstrap_release(struct kobject *object __unused)
{
    panic("bootstrap: released");
}

static const struct kobject_ops bootstrap_ops = {
    .kind = KOBJECT_BOOTSTRAP,
    .release = bootstrap_release,
    .free = bootstrap_release,
};

struct kobject *
bootstrap_object(void)
{
    return &bootstrap;
}

struct kobject *
bootstrap_module(uint32_t number)
{
    return number < module_nr() ? bootstrap_modules[number] : NULL;
}

void
bootstrap_describe(const struct boot_module *module,
                   struct portolan_module_info *info)
{
    *info = (struct portolan_module_info){ .size = module->size };
    strlcpy(info->name, module->name, sizeof(info->name));
    fmt_snprintf(info->words, sizeof(info->words), "%s%s%s", module->name,
                 module->args[0] != '\0' ? " " : "", module->args);
}

static status_t
bootstrap_create_module(const struct boot_module *module,
                        struct kobject **objectp)
{
    struct object_range range = { .phys = module->phys, .size = module->size };
    struct vm_object *memory;
    status_t status;

    status =
        object_create_module(&memory, container_root, module->name, &range);
    if (status != OK) {
        return status;
    }
    status = memory_object_create(objectp, memory, PORTOLAN_MEMORY_READ_ONLY,
                                  container_root);
    if (status != OK) {
        object_put(memory);
    }
    return status;
}

static bool
bootstrap_create_modules(void)
{
    bool is_good = true;

    bootstrap_modules = kzalloc(module_nr() * sizeof(*bootstrap_modules));
    if (bootstrap_modules == NULL) {
        panic("bootstrap: no memory");
    }
    for (size_t i = 0; i < module_nr(); i++) {
        const struct boot_module *module = module_get(i);
        status_t status =
            bootstrap_create_module(module, &bootstrap_modules[i]);

        if (status != OK) {
            log_error("bootstrap: module %s: %s", module->name,
                      status_string(status));
            is_good = false;
        }
    }
    return is_good;
}

MAIN_STAGE(MAIN_THREADS, bootstrap_create_modules);

static status_t
bootstrap_setup(void)
{
    kobject_init(&bootstrap, &bootstrap_ops, "bootstrap");
    return OK;
}

INIT_OP(bootstrap_setup, INIT_BOOT_CPU, AFTER(sref_setup));
