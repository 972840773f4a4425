/* SPDX-License-Identifier: MIT */
/*
 * Boot modules: the files that the loader gave, by number and by name.
 *
 * A direct boot passes one file only: one that is an archive (lib/cpio.h)
 * stands for its members.  Bytes of modules stay where they are and are
 * written by nobody.
 */
#ifndef IPC_MODULE_H
#define IPC_MODULE_H

#include <stddef.h>

#include <arch/boot_info.h>

/* How many there are. */
size_t module_nr(void);

/*
 * A module.
 *
 * @number  from 0 on
 *
 * Context: any, after init
 * Returns: constant; NULL: there is none with that number
 */
const struct boot_module *module_get(size_t number);

/* The first module with a name, or NULL; as module_get(). */
const struct boot_module *module_find(const char *name);

/* Where the kernel can read the bytes of a module. */
const void *module_data(const struct boot_module *module);

#endif /* IPC_MODULE_H */
