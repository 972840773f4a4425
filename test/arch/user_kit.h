/* SPDX-License-Identifier: MIT */
/*
 * Users' memory for tests, made by hand: tables of each CPU, and pages in
 * them, without anybody who would resolve a fault.
 */
#ifndef TEST_ARCH_USER_KIT_H
#define TEST_ARCH_USER_KIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <arch/utable.h>
#include <kern/page.h>
#include <lib/list.h>
#include <lib/rand.h>
#include <lib/status.h>
#include <test/test.h>

/*
 * What a CPU has.  Own to a thread that stays there.
 */
struct user_kit {
    struct utable ut;
    struct list pages;   /* that user_kit_page() made */
    struct rand rand;    /* another one for each CPU */
    uint64_t iterations; /* of the test */
    bool has_failed;
    uint64_t nr_faults;       /* for a hook of the test */
    unsigned int last_access; /* the same */
};

typedef void (*user_kit_fn_t)(struct user_kit *kit);

/* Whether something holds; the first place where it does not is reported. */
#define KIT_CHECK(kit, condition)                                              \
    user_kit_check(kit, (condition), __FILE__, __LINE__, #condition)

void user_kit_check(struct user_kit *kit, bool holds, const char *file,
                    int line, const char *text);

/*
 * Run a function on all CPUs at the same time, each with a kit whose tables
 * are loaded, and look whether all is given back.
 */
void user_kit_run(struct test *t, user_kit_fn_t fn);

/* That of this CPU. */
struct user_kit *user_kit_this(void);

/* A page filled with zeros, freed at the end. */
struct page *user_kit_page(struct user_kit *kit);

/* utable_enter() and utable_link() with the tables they need. */
status_t user_kit_enter(struct user_kit *kit, uintptr_t va, uint64_t word,
                        unsigned int level);
status_t user_kit_link(struct user_kit *kit, uintptr_t va, paddr_t node);

/* Enter a new page.  Returns: where the kernel sees it */
void *user_kit_map(struct user_kit *kit, uintptr_t va, unsigned int prot);

/* Free all tables that were cut off. */
void user_kit_free_cut(struct utable_cut *cut);

/* Clear a range, flush it, free its tables.  Returns: was something there? */
bool user_kit_clear(struct user_kit *kit, uintptr_t va, uintptr_t end);

#endif /* TEST_ARCH_USER_KIT_H */
