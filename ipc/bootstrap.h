/* SPDX-License-Identifier: MIT */
/*
 * The right to boot modules and physical memory, which the first program gets.
 */
#ifndef IPC_BOOTSTRAP_H
#define IPC_BOOTSTRAP_H

#include <stdint.h>

#include <arch/boot_info.h>
#include <ipc/kobject.h>
#include <portolan/space.h>

/* The object, which is always there. */
struct kobject *bootstrap_object(void);

/*
 * The memory of a boot module; it always stays.
 *
 * @number  as of module_get()
 *
 * Context: from MAIN_TESTS on
 * Returns: NULL: there is no such module, or its memory cannot be shown
 */
struct kobject *bootstrap_module(uint32_t number);

/* Describe a boot module. */
void bootstrap_describe(const struct boot_module *module,
                        struct portolan_module_info *info);

#endif /* IPC_BOOTSTRAP_H */
