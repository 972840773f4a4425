/* SPDX-License-Identifier: MIT */
#include <arch/pmap.h>
#include <kern/bootmem.h>
#include <kern/init.h>
#include <kern/kmalloc.h>
#include <kern/log.h>
#include <lib/assert.h>
#include <lib/cpio.h>
#include <lib/string.h>
#include <ipc/module.h>

/* Constant once made. */
static struct boot_module *module_table;
static size_t module_count;

size_t
module_nr(void)
{
    return module_count;
}

const struct boot_module *
module_get(size_t number)
{
    return number < module_count ? &module_table[number] : NULL;
}

const struct boot_module *
module_find(const char *name)
{
    for (size_t i = 0; i < module_count; i++) {
        if (strcmp(module_table[i].name, name) == 0) {
            return &module_table[i];
        }
    }
    return NULL;
}

const void *
module_data(const struct boot_module *module)
{
    return pmap_direct_ptr(module->phys);
}

/* Whether a module is RAM, all of which the kernel can read. */
static bool
module_is_readable(const struct boot_module *module)
{
    struct bootmem_range range = { .end = 0 };

    while (bootmem_next_ram(range.end, &range)) {
        if (module->phys >= range.base && module->phys <= range.end &&
            module->size <= range.end - module->phys) {
            return true;
        }
    }
    return false;
}

/* The name and arguments of a member, as those of a module. */
static void
module_name(struct boot_module *module, const char *text)
{
    const char *blank = strchr(text, ' ');
    size_t length = blank != NULL ? (size_t)(blank - text) : strlen(text);
    bool is_whole;

    is_whole =
        boot_copy_string(module->name, sizeof(module->name), text, length);
    text += length;
    while (*text == ' ') {
        text++;
    }
    is_whole &= boot_copy_string(module->args, sizeof(module->args), text,
                                 strlen(text));
    if (!is_whole) {
        log_warning("module: name or arguments of %s are cut", module->name);
    }
}

/*
 * The members of an archive.
 *
 * @to  receives them; NULL: they are counted only
 */
static size_t
module_unpack(const struct boot_module *archive, struct boot_module *to)
{
    size_t nr = 0, position = 0;
    struct cpio_entry entry;

    while (cpio_next(module_data(archive), archive->size, &position, &entry)) {
        if (to != NULL) {
            to[nr].phys = pmap_direct_addr(entry.data);
            to[nr].size = entry.size;
            module_name(&to[nr], entry.name);
        }
        nr++;
    }
    return nr;
}

/* A module of the loader's, as module_unpack(). */
static size_t
module_take(const struct boot_module *from, struct boot_module *to)
{
    if (!module_is_readable(from)) {
        if (to == NULL) {
            log_warning("module: %s is not in memory: ignored", from->name);
        }
        return 0;
    }
    if (cpio_is_archive(module_data(from), from->size)) {
        return module_unpack(from, to);
    }
    if (to != NULL) {
        *to = *from;
    }
    return 1;
}

/* All modules, as module_unpack(). */
static size_t
module_take_all(struct boot_module *to)
{
    const struct boot_info *info = boot_info_get();
    size_t nr = 0;

    for (size_t i = 0; i < info->nr_modules; i++) {
        nr += module_take(&info->modules[i], to != NULL ? &to[nr] : NULL);
    }
    return nr;
}

static status_t
module_setup(void)
{
    size_t nr = module_take_all(NULL);

    module_table = kmalloc(nr * sizeof(*module_table));
    if (module_table == NULL) {
        return ERR_NO_MEMORY;
    }
    module_count = module_take_all(module_table);
    return OK;
}

INIT_OP(module_setup, INIT_BOOT_CPU, AFTER(kmalloc_setup), AFTER(pmap_setup));
