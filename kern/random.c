/* SPDX-License-Identifier: MIT */
#include <arch/clock.h>
#include <arch/entropy.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/log.h>
#include <kern/percpu.h>
#include <kern/preempt.h>
#include <kern/random.h>
#include <lib/chacha.h>
#include <lib/macros.h>
#include <lib/string.h>

/* Requests between two looks at the machine's source. */
#define RANDOM_STIR_INTERVAL 64

/* Looks at it, and at the time, to begin with. */
#define RANDOM_STIR_TIMES 4

/*
 * Keys: [O] its CPU, preemption disabled
 */
struct random_state {
    uint32_t key[CHACHA_KEY_WORDS]; /* [O] */
    uint64_t nr_requests;           /* [O] */
    bool is_strong;                 /* [O] */
};

static PERCPU(struct random_state, random_states);

/* What differs from block to block: the time, and a number. */
static void
random_input(uint32_t input[CHACHA_INPUT_WORDS], uint64_t number)
{
    uint64_t time = clock_counter();

    input[0] = (uint32_t)number;
    input[1] = (uint32_t)(number >> 32) ^ cpu_id();
    input[2] = (uint32_t)time;
    input[3] = (uint32_t)(time >> 32);
}

/*
 * Take a block of a CPU's key: another key, and one for the caller.
 *
 * Context: preemption disabled
 */
static void
random_step(struct random_state *state, uint32_t key[CHACHA_KEY_WORDS])
{
    uint32_t block[CHACHA_BLOCK_WORDS], input[CHACHA_INPUT_WORDS];

    random_input(input, state->nr_requests++);
    chacha_block(block, state->key, input);
    memcpy(state->key, &block[0], sizeof(state->key));
    memcpy(key, &block[CHACHA_KEY_WORDS], sizeof(state->key));
    memset(block, 0, sizeof(block));
    barrier();
}

/* Stir what the machine's source has in.  Context: as random_step() */
static void
random_stir(struct random_state *state)
{
    uint32_t unused[CHACHA_KEY_WORDS];
    bool is_strong = true;
    uint64_t bits;

    for (unsigned int i = 0; i < CHACHA_KEY_WORDS; i += 2) {
        if (!entropy_read(&bits)) {
            is_strong = false;
            continue;
        }
        state->key[i] ^= (uint32_t)bits;
        state->key[i + 1] ^= (uint32_t)(bits >> 32);
    }
    state->is_strong = state->is_strong || is_strong;
    random_step(state, unused);
}

/* Stir if it is time to. */
static void
random_stir_sometimes(void)
{
    struct random_state *state;

    preempt_disable();
    state = percpu_this(random_states);
    if (state->nr_requests % RANDOM_STIR_INTERVAL == 0) {
        random_stir(state);
    }
    preempt_enable();
}

/* A key for one request: a block at a time, for preemption is off. */
static void
random_take_key(uint32_t key[CHACHA_KEY_WORDS])
{
    random_stir_sometimes();
    preempt_disable();
    random_step(percpu_this(random_states), key);
    preempt_enable();
}

void
random_fill(void *data, size_t size)
{
    uint32_t key[CHACHA_KEY_WORDS], block[CHACHA_BLOCK_WORDS];
    uint8_t *bytes = data;

    random_take_key(key);
    for (uint64_t done = 0; done < size; done += sizeof(block)) {
        const uint32_t input[CHACHA_INPUT_WORDS] = { (uint32_t)done,
                                                     (uint32_t)(done >> 32) };

        chacha_block(block, key, input);
        memcpy(bytes + done, block, MIN(size - done, sizeof(block)));
    }
    memset(key, 0, sizeof(key));
    memset(block, 0, sizeof(block));
    barrier();
}

uint64_t
random_u64(void)
{
    uint64_t bits;

    random_fill(&bits, sizeof(bits));
    return bits;
}

bool
random_is_strong(void)
{
    bool is_strong;

    preempt_disable();
    is_strong = percpu_this(random_states)->is_strong;
    preempt_enable();
    return is_strong;
}

static status_t
random_setup(void)
{
    for (unsigned int i = 0; i < RANDOM_STIR_TIMES; i++) {
        preempt_disable();
        random_stir(percpu_this(random_states));
        preempt_enable();
    }
    if (!random_is_strong() && cpu_id() == 0) {
        log_warning("random: the machine has no source of random bits");
    }
    return OK;
}

INIT_OP(random_setup, INIT_EACH_CPU, AFTER(percpu_setup));
