/* SPDX-License-Identifier: MIT */
#include <stddef.h>

#include <arch/cpu.h>
#include <arch/latency.h>
#include <arch/power.h>
#include <arch/smp.h>
#include <kern/clock.h>
#include <kern/cpu.h>
#include <kern/log.h>
#include <kern/main.h>
#include <kern/monitor.h>
#include <kern/option.h>
#include <kern/panic.h>

SECTION_DECLARE(stage, const struct main_stage);

#ifndef CONFIG_VERSION
#define CONFIG_VERSION "unknown"
#endif

const char main_version[] = CONFIG_VERSION;

/* Set by the option; constant once stages run. */
static bool main_exits;

/* Returns: whether all stages of this order went well */
static bool
main_run_stages(enum main_order order)
{
    const struct main_stage *const *stage;
    bool passed;

    passed = true;
    section_for_each (stage, stage) {
        if ((*stage)->order == order) {
            passed = (*stage)->fn() && passed;
        }
    }
    return passed;
}

void
main_run(void)
{
    enum main_order order;
    bool passed;

    latency_start();
    cpu_irq_enable();
    smp_start_all();
    log_info("main: up after %lu us", clock_now() / 1000);
    passed = true;
    for (order = 0; order < MAIN_NR_STAGES; order++) {
        passed = main_run_stages(order) && passed;
    }
    if (main_exits) {
        log_flush();
        power_exit(passed ? POWER_PASSED : POWER_FAILED);
    }
    monitor_run();
}

static status_t
main_option_exit(const char *value)
{
    if (value[0] != '\0') {
        return ERR_INVALID;
    }

    main_exits = true;
    panic_set_default(PANIC_EXIT);
    return OK;
}

OPTION(exit, "nothing", "leave when all is done", main_option_exit);
