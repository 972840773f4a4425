/* SPDX-License-Identifier: MIT */
#include <kern/container.h>
#include <test/bench.h>

BENCH(container, charge_refund)
{
    struct container *container;

    if (container_create(&container, container_root, "bench") != OK) {
        return;
    }
    BENCH_LOOP(b)
    {
        if (container_charge(container, CONTAINER_PAGES, 1) == OK) {
            container_refund(container, CONTAINER_PAGES, 1);
        }
    }
    container_put(container);
}

/* Without the refunds: what a stock costs to be filled is in it. */
BENCH(container, charge)
{
    struct container *container;
    uint64_t nr = 0;

    if (container_create(&container, container_root, "bench") != OK) {
        return;
    }
    BENCH_LOOP(b)
    {
        nr += container_charge(container, CONTAINER_PAGES, 1) == OK;
    }
    container_refund(container, CONTAINER_PAGES, nr);
    container_put(container);
}
