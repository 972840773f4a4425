/* SPDX-License-Identifier: MIT */
/*
 * The memory object of a module is made once, so that all have the same pages,
 * and who asks again and again gets nothing that costs.
 */
#include <stdatomic.h>

#include <kern/container.h>
#include <kern/init.h>
#include <kern/kmalloc.h>
#include <kern/panic.h>
#include <lib/fmt.h>
#include <lib/macros.h>
#include <lib/string.h>
#include <ipc/bootstrap.h>
#include <ipc/memory_object.h>
#include <ipc/module.h>
#include <vm/object.h>

static struct kobject bootstrap;

/* By number; each is set once, from NULL. */
static _Atomic(struct kobject *) *bootstrap_modules;

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

status_t
bootstrap_module(size_t number, struct kobject **objectp)
{
    const struct boot_module *module = module_get(number);
    struct kobject *made, *none = NULL;
    status_t status;

    if (module == NULL) {
        return ERR_NOT_FOUND;
    }
    /* Pairs with the release below: the object is made. */
    *objectp =
        atomic_load_explicit(&bootstrap_modules[number], memory_order_acquire);
    if (*objectp != NULL) {
        return OK;
    }
    status = bootstrap_create_module(module, &made);
    if (status != OK) {
        return status;
    }
    *objectp = made;
    if (!atomic_compare_exchange_strong_explicit(&bootstrap_modules[number],
                                                 &none, made,
                                                 memory_order_acq_rel,
                                                 memory_order_acquire)) {
        *objectp = none;
        kobject_put(made);
    }
    return OK;
}

static status_t
bootstrap_setup(void)
{
    kobject_init(&bootstrap, &bootstrap_ops, "bootstrap");
    bootstrap_modules = kzalloc(module_nr() * sizeof(*bootstrap_modules));
    return bootstrap_modules != NULL ? OK : ERR_NO_MEMORY;
}

INIT_OP(bootstrap_setup, INIT_BOOT_CPU, AFTER(sref_setup), AFTER(module_setup));
