/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdint.h>

#include <kern/command.h>
#include <kern/console.h>
#include <kern/init.h>
#include <kern/log.h>
#include <kern/mutex.h>
#include <kern/numa.h>
#include <kern/option.h>
#include <kern/page.h>
#include <kern/pressure.h>
#include <lib/list.h>
#include <lib/string.h>

#define PRESSURE_TEXT_SIZE 32
#define PRESSURE_SHIFT     6
#define PRESSURE_MIB_MAX   (UINT64_C(1) << 26) /* 64 TiB */

/* Keys: [M] pressure_mutex */
static struct mutex pressure_mutex;
static struct list pressure_blocks =
    LIST_INITIALIZER(pressure_blocks); /* [M] */
static size_t pressure_nr_pages;       /* [M] in them; read by anybody */

/* Of the option; constant once memory is set up. */
static char pressure_text[PRESSURE_TEXT_SIZE];

static void
pressure_release_locked(void)
{
    while (!list_is_empty(&pressure_blocks)) {
        struct page *page =
            list_first_entry(&pressure_blocks, struct page, node);

        list_remove(&page->node);
        page_free(page, page->order);
    }
    pressure_nr_pages = 0;
}

/* Take up to @nr pages of a node, the largest blocks first. */
static void
pressure_take_node_locked(uint32_t node, size_t nr)
{
    for (unsigned int order = PAGE_NR_ORDERS; order-- > 0;) {
        while (nr >> order != 0) {
            struct page *page = page_alloc_node(order, PAGE_NO_RECLAIM, node);

            if (page == NULL) {
                break;
            }
            list_insert_head(&pressure_blocks, &page->node);
            pressure_nr_pages += (size_t)1 << order;
            nr -= (size_t)1 << order;
        }
    }
}

static void
pressure_set_locked(size_t nr)
{
    size_t nr_total = page_nr_total(), nr_free = page_nr_free();
    size_t nr_left = nr_total / PRESSURE_SHARE_LEFT;

    nr = MIN(nr, nr_free > nr_left ? nr_free - nr_left : 0);
    for (uint32_t node = 0; node < numa_nr_nodes(); node++) {
        /* The product has to fit. */
        pressure_take_node_locked(
            node, nr * (page_node_nr_total(node) >> PRESSURE_SHIFT) /
                      (nr_total >> PRESSURE_SHIFT));
    }
}

void
pressure_set(size_t nr_pages)
{
    mutex_lock(&pressure_mutex);
    pressure_release_locked();
    pressure_set_locked(nr_pages);
    mutex_unlock(&pressure_mutex);
}

size_t
pressure_nr(void)
{
    return READ_ONCE(pressure_nr_pages);
}

status_t
pressure_parse(const char *text, size_t *nr_pagesp)
{
    char number[PRESSURE_TEXT_SIZE];
    size_t length = strlen(text);
    bool is_percent;
    uint64_t value;
    status_t status;

    if (length == 0 || length >= sizeof(number)) {
        return ERR_INVALID;
    }
    strlcpy(number, text, sizeof(number));
    is_percent = number[length - 1] == '%';
    if (is_percent) {
        number[length - 1] = '\0';
    }
    status = option_number(number, is_percent ? 100 : PRESSURE_MIB_MAX, &value);
    if (status != OK) {
        return status;
    }
    *nr_pagesp = is_percent ? page_nr_total() * value / 100
                            : value << (20 - PAGE_SHIFT);
    return OK;
}

/* There is no memory yet of which to take a part. */
static status_t
pressure_option(const char *value)
{
    size_t nr_pages;
    status_t status;

    status = pressure_parse(value, &nr_pages);
    if (status == OK) {
        strlcpy(pressure_text, value, sizeof(pressure_text));
    }
    return status;
}

OPTION(pressure, "MIB or PERCENT%", "keep so much memory away from all",
       pressure_option);

static void
pressure_command(int argc, char **argv)
{
    size_t nr_pages;

    if (argc > 1) {
        if (pressure_parse(argv[1], &nr_pages) != OK) {
            console_printf("pressure: %s: neither MiB nor N%%\n", argv[1]);
            return;
        }
        pressure_set(nr_pages);
    }
    console_printf("%zu KiB are kept away, %zu KiB are free\n",
                   pressure_nr() << (PAGE_SHIFT - 10),
                   page_nr_free() << (PAGE_SHIFT - 10));
}

MONITOR_COMMAND(pressure, "[MIB or PERCENT%]",
                "memory kept away, so that it is short", pressure_command);

/* Before anything else takes memory; there are no threads yet. */
static status_t
pressure_setup(void)
{
    size_t nr_pages;

    mutex_init(&pressure_mutex, LOCK_PRESSURE, "memory pressure");
    if (pressure_parse(pressure_text, &nr_pages) == OK) {
        pressure_set_locked(nr_pages);
        log_info("pressure: %zu of %zu MiB are kept away",
                 pressure_nr_pages >> (20 - PAGE_SHIFT),
                 page_nr_total() >> (20 - PAGE_SHIFT));
    }
    return OK;
}

INIT_OP(pressure_setup, INIT_BOOT_CPU, AFTER(page_setup));
