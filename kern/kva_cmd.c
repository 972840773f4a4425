/* SPDX-License-Identifier: MIT */
/*
 * Monitor command: ranges of kernel addresses.
 */

#include <kern/console.h>
#include <kern/kva.h>
#include <kern/monitor.h>

static void
kva_cmd_kva(int argc __unused, char **argv __unused)
{
    uintptr_t addr = KVA_BASE;
    struct kva_info info;
    struct pmap_walk walk;

    while (kva_find_next(addr, &info)) {
        console_printf("%016lx %8zu KiB %s%s", info.base, info.size >> 10,
                       info.name,
                       info.place == KVA_PLACE_FREED ? ", freed" : "");
        if (pmap_walk(info.base, &walk) && walk.cache != PMAP_WB) {
            console_printf(", device at 0x%lx", walk.phys);
        }
        console_printf("\n");
        addr = info.base + info.size;
    }
    console_printf("used %zu KiB, to be flushed %zu KiB\n", kva_nr_used() >> 10,
                   kva_nr_dirty() >> 10);
}

MONITOR_COMMAND(kva, "", "kernel addresses: stacks, devices, buffers",
                kva_cmd_kva);
