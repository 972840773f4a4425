/* SPDX-License-Identifier: MIT */
/*
 * What calls cost: syscall.null, rights.dup_close.*, vm.*
 */
#include <portolan/calls.h>

#include "bench.h"

#define PAGE ((size_t)PORTOLAN_PAGE_SIZE)
#define RW   (PORTOLAN_SPACE_READ | PORTOLAN_SPACE_WRITE)

static int
calls_null(void *arg)
{
    (void)arg;
    return bench_result(portolan_null());
}

static int
calls_dup_close(void *arg)
{
    long name = portolan_right_dup(PORTOLAN_RIGHT_OUTPUT, 0, 0);

    (void)arg;
    return bench_result(name) && bench_result(portolan_right_close((int)name));
}

/* With @count rights more open than at first. */
static void
calls_rights(const char *name, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) {
        if (portolan_right_dup(PORTOLAN_RIGHT_OUTPUT, 4, 0) < 0) {
            printf("# %s: only %u rights\n", name, i);
            count = i;
        }
    }
    bench_run(name, calls_dup_close, NULL);
    for (unsigned int i = 0; i < count; i++) {
        portolan_right_close((int)(4 + i));
    }
}

/* Pages, and whether they are written. */
struct mapping {
    size_t size;
    int is_touched;
};

static int
calls_map_unmap(void *arg)
{
    const struct mapping *mapping = arg;
    long at = portolan_space_map(PORTOLAN_SELF, 0, mapping->size, RW,
                                 PORTOLAN_RIGHT_NONE, 0);

    if (!bench_result(at)) {
        return 0;
    }
    for (size_t i = 0; mapping->is_touched && i < mapping->size; i += PAGE) {
        *(volatile char *)(at + (long)i) = 1;
    }
    return bench_result(
        portolan_space_unmap(PORTOLAN_SELF, (uintptr_t)at, mapping->size));
}

static int
calls_protect(void *arg)
{
    static uint32_t toggle;

    toggle ^= PORTOLAN_SPACE_WRITE;
    return bench_result(portolan_space_protect(
        PORTOLAN_SELF, (uintptr_t)arg, PAGE, PORTOLAN_SPACE_READ | toggle));
}

/* The next page of a large mapping. */
static int
calls_fault(void *arg)
{
    volatile char **next = arg;

    **next = 1;
    *next += PAGE;
    return 1;
}

static void
calls_memory(void)
{
    struct mapping one = { PAGE, 1 }, sixteen = { 16 * PAGE, 1 };
    struct mapping untouched = { PAGE, 0 }, vast = { (size_t)1 << 30, 0 };
    size_t size = (BENCH_WARM_UP + BENCH_COUNTED) * PAGE;
    long at =
        portolan_space_map(PORTOLAN_SELF, 0, size, RW, PORTOLAN_RIGHT_NONE, 0);
    volatile char *next = (volatile char *)at;

    bench_run("vm.map_touch_unmap.1", calls_map_unmap, &one);
    bench_run("vm.map_touch_unmap.16", calls_map_unmap, &sixteen);
    bench_run("vm.map_unmap.1", calls_map_unmap, &untouched);
    bench_run("vm.map_unmap.1g", calls_map_unmap, &vast);
    if (at < 0) {
        printf("# vm.fault: %s\n", strerror((int)-at));
        return;
    }
    bench_run("vm.fault", calls_fault, &next);
    bench_run("vm.protect", calls_protect, (void *)at);
    portolan_space_unmap(PORTOLAN_SELF, (uintptr_t)at, size);
}

int
main(void)
{
    bench_run("syscall.null", calls_null, NULL);
    calls_rights("rights.dup_close.10", 10);
    calls_rights("rights.dup_close.10000", 10000);
    calls_memory();
    return 0;
}
