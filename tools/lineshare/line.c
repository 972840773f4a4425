/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "lineshare.h"

/* An access that moved a line says more of it than one that did not. */
#define WEIGHT_MOVED 64

#define NOT_MOVED NR_TRANSFERS

struct tag *tags[NR_TAGS];
pthread_mutex_t big_lock = PTHREAD_MUTEX_INITIALIZER;

void *
xcalloc(size_t n, size_t size)
{
    void *memory;

    memory = calloc(n, size);
    if (memory == NULL) {
        fprintf(stderr, "lineshare: out of memory\n");
        abort();
    }
    return memory;
}

/* Source: Appleby, MurmurHash3, the finaliser. */
static uint64_t
line_hash(uint64_t x)
{
    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return x ^ (x >> 33);
}

static struct tag *
tag_create(void)
{
    struct tag *tag;
    int i;

    tag = aligned_alloc(64, sizeof(*tag));
    if (tag == NULL) {
        fprintf(stderr, "lineshare: out of memory\n");
        abort();
    }
    memset(tag, 0, sizeof(*tag));
    for (i = 0; i < NR_SHARDS; i++) {
        pthread_mutex_init(&tag->shards[i].lock, NULL);
    }
    return tag;
}

struct tag *
tag_get(unsigned int number)
{
    struct tag *tag;

    /* Pairs with the release below: the tag is filled in. */
    tag = __atomic_load_n(&tags[number], __ATOMIC_ACQUIRE);
    if (tag != NULL) {
        return tag;
    }

    pthread_mutex_lock(&big_lock);
    tag = tags[number];
    if (tag == NULL) {
        tag = tag_create();
        /* Pairs with the acquire above. */
        __atomic_store_n(&tags[number], tag, __ATOMIC_RELEASE);
    }
    pthread_mutex_unlock(&big_lock);
    return tag;
}

static void
shard_empty(struct shard *shard)
{
    struct line *line, *next;
    size_t i;

    pthread_mutex_lock(&shard->lock);
    for (i = 0; i < shard->nr_buckets; i++) {
        for (line = shard->buckets[i]; line != NULL; line = next) {
            next = line->next;
            free(line);
        }
        shard->buckets[i] = NULL;
    }
    shard->nr_lines = 0;
    pthread_mutex_unlock(&shard->lock);
}

void
tag_reset(struct tag *tag)
{
    struct cpu_tag *cpu;
    unsigned int i;
    bool open;

    for (i = 0; i < NR_SHARDS; i++) {
        shard_empty(&tag->shards[i]);
    }
    /* A CPU in a window just now may lose an access, or keep one. */
    for (i = 0; i < config.nr_cpus; i++) {
        cpu = &tag->cpus[i];
        open = cpu->open;
        memset(cpu, 0, sizeof(*cpu));
        cpu->open = open;
        cpu->nr_begins = open;
        memcpy(cpu->insns_at_begin, vcpus[i].insns, sizeof(vcpus[i].insns));
    }
    tag->unreported = false;
}

static void
shard_grow(struct shard *shard)
{
    struct line **buckets, *line;
    size_t n, i, to;

    n = shard->nr_buckets != 0 ? shard->nr_buckets * 4 : 16;
    buckets = xcalloc(n, sizeof(*buckets));
    for (i = 0; i < shard->nr_buckets; i++) {
        while ((line = shard->buckets[i]) != NULL) {
            shard->buckets[i] = line->next;
            to = line_hash(line->number) / NR_SHARDS % n;
            line->next = buckets[to];
            buckets[to] = line;
        }
    }
    free(shard->buckets);
    shard->buckets = buckets;
    shard->nr_buckets = n;
}

/* The line of an access, made when it is not there; the shard is locked. */
static struct line *
shard_get_line(struct shard *shard, const struct access *access)
{
    struct line *line, **bucket;
    uint64_t number;

    if (shard->nr_lines >= shard->nr_buckets) {
        shard_grow(shard);
    }

    number = access->pa >> config.line_shift;
    bucket = &shard->buckets[line_hash(number) / NR_SHARDS % shard->nr_buckets];
    for (line = *bucket; line != NULL; line = line->next) {
        if (line->number == number) {
            return line;
        }
    }

    line = xcalloc(1, sizeof(*line));
    line->number = number;
    line->va = access->va;
    line->next = *bucket;
    *bucket = line;
    shard->nr_lines++;
    return line;
}

static bool
set_has(const struct cpu_set *set, unsigned int cpu)
{
    return (set->bits[cpu / BITS] >> cpu % BITS & 1) != 0;
}

static void
set_add(struct cpu_set *set, unsigned int cpu)
{
    set->bits[cpu / BITS] |= UINT64_C(1) << cpu % BITS;
}

/* Whether another CPU than @cpu is in a set. */
static bool
set_has_other(const struct cpu_set *set, unsigned int cpu)
{
    uint64_t others, bits;
    unsigned int i;

    others = 0;
    for (i = 0; i < MAX_CPUS / BITS; i++) {
        bits = set->bits[i];
        if (i == cpu / BITS) {
            bits &= ~(UINT64_C(1) << cpu % BITS);
        }
        others |= bits;
    }
    return others != 0;
}

/*
 * MESI, with caches that never evict.  First touches are free, and so is
 * sharing what nobody wrote.
 */
static enum transfer
line_move(struct line *line, unsigned int cpu, enum access_kind kind)
{
    enum transfer moved;
    bool had;

    moved = NOT_MOVED;
    had = set_has(&line->holders, cpu);
    if (kind == ACCESS_READ) {
        if (!had && line->was_written) {
            moved = TRANSFER_READ;
        }
    } else {
        if (set_has_other(&line->holders, cpu)) {
            moved = had ? TRANSFER_UPGRADE : TRANSFER_RFO;
            memset(&line->holders, 0, sizeof(line->holders));
        }
        line->was_written = true;
    }
    set_add(&line->holders, cpu);
    return moved;
}

/*
 * Keep the instructions that matter most for a line: a newcomer takes the
 * place of the lightest and inherits its weight.
 *
 * Source: Metwally et al., "Efficient Computation of Frequent and Top-k
 * Elements in Data Streams", ICDT 2005.
 */
static void
pc_note(struct pc_slot *slots, uint64_t pc, bool moved)
{
    struct pc_slot *slot;
    int i;

    slot = &slots[0];
    for (i = 0; i < NR_PCS; i++) {
        if (slots[i].pc == pc) {
            slot = &slots[i];
            break;
        }
        if (slots[i].weight < slot->weight) {
            slot = &slots[i];
        }
    }
    slot->pc = pc;
    slot->weight += moved ? WEIGHT_MOVED : 1;
}

static void
counts_add(struct counts *counts, const struct access *access,
           enum transfer moved, bool is_access)
{
    if (is_access) {
        counts->reads[access->ring] += (access->kind & ACCESS_READ) != 0;
        counts->writes[access->ring] += (access->kind & ACCESS_WRITE) != 0;
        counts->rmws[access->ring] += access->kind == ACCESS_RMW;
    }
    if (moved != NOT_MOVED) {
        counts->transfers[access->ring][moved]++;
    }
}

void
line_record(struct tag *tag, const struct access *access)
{
    enum transfer moved;
    struct shard *shard;
    struct line *line;

    shard =
        &tag->shards[line_hash(access->pa >> config.line_shift) % NR_SHARDS];
    pthread_mutex_lock(&shard->lock);
    line = shard_get_line(shard, access);
    moved = line_move(line, access->cpu, access->kind);
    if (access->kind & ACCESS_READ) {
        set_add(&line->readers[access->ring], access->cpu);
    }
    if (access->kind & ACCESS_WRITE) {
        set_add(&line->writers[access->ring], access->cpu);
    }
    counts_add(&line->counts, access, moved, true);
    pc_note(access->kind == ACCESS_READ ? line->read_pcs : line->write_pcs,
            access->pc, moved != NOT_MOVED);
    pthread_mutex_unlock(&shard->lock);

    counts_add(&tag->cpus[access->cpu].counts, access, moved, access->first);
}

void
line_for_each(struct tag *tag, void (*fn)(struct line *line, void *arg),
              void *arg)
{
    struct shard *shard;
    struct line *line;
    size_t i, bucket;

    for (i = 0; i < NR_SHARDS; i++) {
        shard = &tag->shards[i];
        pthread_mutex_lock(&shard->lock);
        for (bucket = 0; bucket < shard->nr_buckets; bucket++) {
            for (line = shard->buckets[bucket]; line != NULL;
                 line = line->next) {
                fn(line, arg);
            }
        }
        pthread_mutex_unlock(&shard->lock);
    }
}
