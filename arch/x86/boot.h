/* SPDX-License-Identifier: MIT */
#ifndef X86_BOOT_H
#define X86_BOOT_H

#include <stdint.h>

#include <lib/macros.h>

/*
 * First C on the boot CPU.
 *
 * @magic  tells the loader's protocol
 * @info   physical address of what the loader left
 */
__noreturn void boot_main(uint32_t magic, uint64_t info);

#endif /* X86_BOOT_H */
