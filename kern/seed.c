/* SPDX-License-Identifier: MIT */
#include <kern/kcsan.h>
#include <kern/option.h>
#include <kern/seed.h>

/* From the option; constant once stages run. */
static uint64_t seed = 1;
static bool seed_was_given;

uint64_t
seed_get(void)
{
    return seed;
}

bool
seed_is_given(void)
{
    return seed_was_given;
}

static status_t
seed_option(const char *value)
{
    status_t status = option_number(value, UINT64_MAX, &seed);

    seed_was_given = seed_was_given || status == OK;
    kcsan_seed(seed);
    return status;
}

OPTION(seed, "a number", "seed of what is random", seed_option);
