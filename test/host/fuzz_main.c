/* SPDX-License-Identifier: MIT */
/*
 * Drives one fuzz target, fuzz_one(), with inputs made from seeds.
 *
 * Usage: NAME_fuzz [-s SEED] [-n ITERATIONS] [-t SECONDS] [FILE...]
 *
 * The files are tried as they are, then mutations of them: deterministic, so
 * the seed and the number that are printed before an input name it.  A target
 * reports by crashing, which the sanitizers do for it; the input is then left
 * beside the program as NAME_fuzz.crash, to be passed as the only file with
 * -n 0.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <lib/assert.h>
#include <lib/rand.h>

#define FUZZ_MAX_SIZE  8192
#define FUZZ_MAX_SEEDS 256

struct fuzz_input {
    uint8_t data[FUZZ_MAX_SIZE];
    size_t size;
};

int fuzz_one(const uint8_t *data, size_t size);
void __sanitizer_set_death_callback(void (*callback)(void));

static struct fuzz_input fuzz_seeds[FUZZ_MAX_SEEDS];
static size_t fuzz_nr_seeds;
static struct fuzz_input fuzz_current;
static uint64_t fuzz_iteration;
static uint64_t fuzz_seed = 1;
static char fuzz_crash_path[4096];

void
assert_fail(const char *expr, const char *file, int line, const char *function)
{
    fprintf(stderr, "%s:%d: %s: assertion failed: %s\n", file, line, function,
            expr);
    abort();
}

/* Keep the input that was being tried. */
static void
fuzz_save(void)
{
    FILE *file = fopen(fuzz_crash_path, "wb");

    fprintf(stderr, "fuzz: -s %llu died at input %llu, left in %s\n",
            (unsigned long long)fuzz_seed, (unsigned long long)fuzz_iteration,
            fuzz_crash_path);
    if (file != NULL) {
        fwrite(fuzz_current.data, 1, fuzz_current.size, file);
        fclose(file);
    }
}

static void
fuzz_handle_abort(int number)
{
    (void)number;
    fuzz_save();
    _exit(1);
}

/* Try the current input from memory of exactly its size. */
static void
fuzz_try(void)
{
    uint8_t *copy = malloc(fuzz_current.size);

    if (copy == NULL && fuzz_current.size != 0) {
        fprintf(stderr, "fuzz: out of memory\n");
        exit(2);
    }
    if (fuzz_current.size != 0) {
        memcpy(copy, fuzz_current.data, fuzz_current.size);
    }
    fuzz_one(copy, fuzz_current.size);
    free(copy);
    fuzz_iteration++;
}

static void
fuzz_load(const char *path)
{
    struct fuzz_input *seed = &fuzz_seeds[fuzz_nr_seeds];
    FILE *file;

    if (fuzz_nr_seeds == FUZZ_MAX_SEEDS) {
        fprintf(stderr, "fuzz: more than %d seeds\n", FUZZ_MAX_SEEDS);
        exit(2);
    }
    file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    seed->size = fread(seed->data, 1, sizeof(seed->data), file);
    fclose(file);
    fuzz_nr_seeds++;
}

/* Overwrite a field of 1 to 8 bytes with a value that is often decisive. */
static void
fuzz_mutate_field(struct rand *rand, struct fuzz_input *input)
{
    size_t width = (size_t)1 << rand_below(rand, 4);
    uint64_t value;
    size_t at;

    if (input->size < width) {
        return;
    }

    switch (rand_below(rand, 5)) {
    case 0:
        value = rand_u64(rand);
        break;
    case 1:
        value = rand_below(rand, 64);
        break;
    case 2:
        value = -rand_below(rand, 64);
        break;
    case 3:
        value = input->size + rand_below(rand, 64) - 32;
        break;
    default:
        value = (uint64_t)1 << rand_below(rand, 64);
        break;
    }
    at = rand_below(rand, input->size - width + 1);
    if (rand_below(rand, 2) != 0) {
        at -= at % width;
    }
    memcpy(input->data + at, &value, width);
}

/* Delete, repeat or append a range. */
static void
fuzz_mutate_range(struct rand *rand, struct fuzz_input *input)
{
    size_t at = rand_below(rand, input->size + 1);
    size_t n = rand_below(rand, MIN(input->size - at, (size_t)64) + 1);

    switch (rand_below(rand, 3)) {
    case 0:
        memmove(input->data + at, input->data + at + n, input->size - at - n);
        input->size -= n;
        break;
    case 1:
        if (input->size + n <= FUZZ_MAX_SIZE) {
            memmove(input->data + at + n, input->data + at, input->size - at);
            input->size += n;
        }
        break;
    default:
        if (input->size < FUZZ_MAX_SIZE) {
            input->data[input->size++] = (uint8_t)rand_u64(rand);
        }
        break;
    }
}

static void
fuzz_mutate(struct rand *rand, struct fuzz_input *input)
{
    switch (rand_below(rand, 8)) {
    case 0:
        fuzz_mutate_range(rand, input);
        break;
    case 1:
        if (rand_below(rand, 4) == 0) {
            input->size = rand_below(rand, input->size + 1);
        }
        break;
    case 2:
    case 3:
        if (input->size != 0) {
            input->data[rand_below(rand, input->size)] ^=
                (uint8_t)(1u << rand_below(rand, 8));
        }
        break;
    case 4:
        if (input->size != 0) {
            input->data[rand_below(rand, input->size)] =
                (uint8_t)(' ' + rand_below(rand, 95));
        }
        break;
    default:
        fuzz_mutate_field(rand, input);
        break;
    }
}

static void
fuzz_run(uint64_t iterations, time_t seconds)
{
    time_t deadline = time(NULL) + seconds;
    struct rand rand;

    rand_init(&rand, fuzz_seed);
    for (uint64_t i = 0; i < iterations; i++) {
        if (seconds != 0 && i % 256 == 0 && time(NULL) >= deadline) {
            break;
        }
        fuzz_current = fuzz_seeds[rand_below(&rand, fuzz_nr_seeds)];
        for (uint64_t n = rand_below(&rand, 8) + 1; n != 0; n--) {
            fuzz_mutate(&rand, &fuzz_current);
        }
        fuzz_try();
    }
}

int
main(int argc, char **argv)
{
    uint64_t iterations = 10000;
    time_t seconds = 0;
    int option;

    while ((option = getopt(argc, argv, "s:n:t:")) != -1) {
        if (option == 's') {
            fuzz_seed = strtoull(optarg, NULL, 0);
        } else if (option == 'n') {
            iterations = strtoull(optarg, NULL, 0);
        } else if (option == 't') {
            seconds = (time_t)strtoull(optarg, NULL, 0);
        } else {
            fprintf(stderr,
                    "usage: %s [-s SEED] [-n ITERATIONS] "
                    "[-t SECONDS] [FILE...]\n",
                    argv[0]);
            return 2;
        }
    }

    snprintf(fuzz_crash_path, sizeof(fuzz_crash_path), "%s.crash", argv[0]);
    signal(SIGABRT, fuzz_handle_abort);
    __sanitizer_set_death_callback(fuzz_save);

    for (int i = optind; i < argc; i++) {
        fuzz_load(argv[i]);
    }
    for (size_t i = 0; i < fuzz_nr_seeds; i++) {
        fuzz_current = fuzz_seeds[i];
        fuzz_try();
    }
    if (fuzz_nr_seeds == 0) {
        fuzz_nr_seeds = 1;
    }
    fuzz_run(iterations, seconds);
    printf("%s: %llu inputs, seed %llu\n", argv[0],
           (unsigned long long)fuzz_iteration, (unsigned long long)fuzz_seed);
    return 0;
}
