/* SPDX-License-Identifier: MIT */
/*
 * lineshare: which cache lines of a guest its CPUs share.
 *
 * A plugin of QEMU's TCG in the spirit of mtrace (Clements et al., "The
 * Scalable Commutativity Rule", SOSP 2013).  In windows that the guest marks
 * it records by physical line which CPUs read and wrote it, and simulates
 * MESI with infinite caches to count the transfers.  doc/sharing.md says what
 * it measures and how to use it.
 *
 * line.c    the lines of a tag, and what an access does to one
 * vcpu.c    the CPUs: instructions, windows, pacing
 * report.c  what is printed
 * plugin.c  arguments and QEMU's callbacks
 */
#ifndef LINESHARE_H
#define LINESHARE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define MAX_CPUS  256
#define NR_TAGS   256
#define NR_SHARDS 512
#define NR_PCS    4
#define BITS      64

/* Who accesses; a report has both together, too. */
enum ring {
    RING_USER,
    RING_KERNEL,
    NR_RINGS,
    RING_ALL = NR_RINGS,
};

/* Ways a line comes to a CPU. */
enum transfer {
    TRANSFER_READ,    /* a read without the line, somebody wrote it */
    TRANSFER_RFO,     /* a write without the line, others have it */
    TRANSFER_UPGRADE, /* a write with the line, others have it too */
    NR_TRANSFERS,
};

/* A set of bits, so that a locked instruction is both. */
enum access_kind {
    ACCESS_READ = 1,
    ACCESS_WRITE = 2,
    ACCESS_RMW = 3,
};

struct access {
    uint64_t pa;
    uint64_t va;
    uint64_t pc;
    unsigned int cpu;
    enum access_kind kind;
    enum ring ring;
    bool first; /* not the second line of an access that straddles two */
};

/* What is counted, of a line and of a CPU. */
struct counts {
    uint64_t reads[NR_RINGS];
    uint64_t writes[NR_RINGS];
    uint64_t rmws[NR_RINGS]; /* these are in reads and in writes, too */
    uint64_t transfers[NR_RINGS][NR_TRANSFERS];
};

/* An instruction that accessed a line. */
struct pc_slot {
    uint64_t pc; /* 0 is free */
    uint64_t weight;
};

struct cpu_set {
    uint64_t bits[MAX_CPUS / BITS];
};

/*
 * Keys: [S] lock of the shard   [c] constant
 */
struct line {
    struct line *next;                /* [S] in its bucket */
    uint64_t number;                  /* [c] physical address / line size */
    uint64_t va;                      /* [c] where it was reached first */
    bool was_written;                 /* [S] in a window */
    struct counts counts;             /* [S] */
    struct cpu_set holders;           /* [S] have it, in the simulation */
    struct cpu_set readers[NR_RINGS]; /* [S] */
    struct cpu_set writers[NR_RINGS]; /* [S] */
    struct pc_slot read_pcs[NR_PCS];  /* [S] */
    struct pc_slot write_pcs[NR_PCS]; /* [S] */
};

/* Lines by a part of their hash. */
struct shard {
    pthread_mutex_t lock;
    struct line **buckets;
    size_t nr_buckets;
    size_t nr_lines;
} __attribute__((aligned(64)));

/* What a CPU did under a tag; only its own thread writes it. */
struct cpu_tag {
    bool open;
    uint64_t nr_begins;
    uint64_t nr_ops;
    uint64_t insns[NR_RINGS];
    uint64_t insns_at_begin[NR_RINGS];
    struct counts counts;
    uint64_t nr_io; /* accesses that have no address in RAM */
};

struct tag {
    struct shard shards[NR_SHARDS];
    struct cpu_tag cpus[MAX_CPUS];
    bool unreported;
};

/* struct vcpu.attention: why an instruction is looked at; 0 is fast. */
#define ATTENTION_NEW  1 /* this CPU has not run yet */
#define ATTENTION_OPEN 2 /* it is in a window */
#define ATTENTION_PACE 4 /* somebody is in a window */

/*
 * Keys: [a] atomic   [T] the CPU's own thread
 */
struct vcpu {
    uint8_t attention;        /* [a] */
    bool idle;                /* [a] */
    unsigned int nr_open;     /* [T] tags with a window open */
    uint8_t open[NR_TAGS];    /* [T] */
    uint64_t insns[NR_RINGS]; /* [T] counted in windows */
    uint64_t left;            /* [T] instructions of this quantum */
    uint64_t clock;           /* [a] for pacing */
    uint64_t nr_waits;        /* [T] */
    uint64_t nr_giveups;      /* [T] */
    pthread_t thread;
} __attribute__((aligned(128)));

/* The arguments, and what QEMU said; constant after the installation. */
struct config {
    unsigned int line_shift;
    unsigned int top; /* lines that are printed */
    uint64_t hot;     /* transfers that make a line hot */
    uint64_t quantum; /* instructions; 0 is no pacing */
    enum ring only;   /* RING_ALL, or record no other */
    unsigned int nr_cpus;
    int api;
    FILE *out; /* NULL: QEMU's log */
};

extern struct config config;
extern struct vcpu vcpus[MAX_CPUS];
extern struct tag *tags[NR_TAGS];

/* All vCPUs run on one thread of the host. */
extern bool vcpu_single_thread;

/* Protects tags[], the number of windows, and reports from each other. */
extern pthread_mutex_t big_lock;

/* The tag of a marker, made when it is not there. */
struct tag *tag_get(unsigned int number);

/* Forget the lines and counts of a tag; its windows stay open. */
void tag_reset(struct tag *tag);

/* What one access does to a line, and to the counts of its CPU. */
void line_record(struct tag *tag, const struct access *access);

/* Call a function for each line of a tag, its shard locked. */
void line_for_each(struct tag *tag, void (*fn)(struct line *line, void *arg),
                   void *arg);

/* Memory filled with zeros; ends QEMU when there is none. */
void *xcalloc(size_t n, size_t size);

/* An instruction of a CPU with attention. */
void vcpu_attend(unsigned int cpu, enum ring ring);

/* A window is opened or closed by its marker. */
void vcpu_begin(unsigned int cpu, unsigned int tag);
void vcpu_end(unsigned int cpu, unsigned int tag);

/* QEMU halts and resumes a CPU. */
void vcpu_sleep(unsigned int cpu);
void vcpu_wake(unsigned int cpu);

/* Print what is known of a tag. */
void report_print(unsigned int tag);

#endif /* LINESHARE_H */
