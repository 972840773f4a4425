/* SPDX-License-Identifier: MIT */
/*
 * The right to boot modules and physical memory, which the first program gets.
 */
#ifndef IPC_BOOTSTRAP_H
#define IPC_BOOTSTRAP_H

#include <stddef.h>

#include <arch/boot_info.h>
#include <ipc/kobject.h>
#include <lib/macros.h>
#include <lib/status.h>
#include <portolan/space.h>

/* The object, which is always there. */
struct kobject *bootstrap_object(void);

/*
 * The memory of a boot module, made when it is first asked for; it always
 * stays, and the root container pays for it.
 *
 * @number   of module_get()
 * @objectp  receives it, without a reference of the caller's
 *
 * Context: thread, preemptible
 * Returns: OK; ERR_NOT_FOUND: there is no such module; ERR_NO_MEMORY
 */
status_t bootstrap_module(size_t number, struct kobject **objectp) __must_check;

/* Describe a boot module. */
void bootstrap_describe(const struct boot_module *module,
                        struct portolan_module_info *info);

#endif /* IPC_BOOTSTRAP_H */
