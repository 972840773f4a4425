/* SPDX-License-Identifier: MIT */
/*
 * Reports: lines of words "key=value" behind LINESHARE-CONFIG, -CPU, -LINE
 * and, last, LINESHARE, for programs to read.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "lineshare.h"
#include "qemu_plugin.h"

static const char *const ring_names[] = { "user", "kernel", "all" };

/* One, or both: the first and the last. */
struct ring_range {
    enum ring first;
    enum ring last;
};

/* What all lines show of a ring. */
struct totals {
    uint64_t nr_lines;
    uint64_t nr_conflicts;
    uint64_t nr_hot;
    uint64_t nr_accesses; /* to lines that conflict */
};

struct report {
    unsigned int number; /* of the tag */
    struct totals totals[NR_RINGS + 1];
    struct line *lines; /* copies of those that conflict */
    size_t nr_lines;
    size_t room;
    struct counts counts;
    uint64_t insns[NR_RINGS];
    uint64_t nr_ops;
    uint64_t nr_io;
    unsigned int nr_cpus;
};

__attribute__((format(printf, 1, 2))) static void
report_write(const char *format, ...)
{
    char text[4096];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (config.out != NULL) {
        fputs(text, config.out);
    } else {
        qemu_plugin_outs(text);
    }
}

static struct ring_range
ring_range(enum ring ring)
{
    if (ring == RING_ALL) {
        return (struct ring_range){ RING_USER, RING_KERNEL };
    }
    return (struct ring_range){ ring, ring };
}

static uint64_t
ring_sum(const uint64_t *values, enum ring ring)
{
    struct ring_range range;
    uint64_t sum;
    enum ring c;

    range = ring_range(ring);
    sum = 0;
    for (c = range.first; c <= range.last; c++) {
        sum += values[c];
    }
    return sum;
}

static struct cpu_set
ring_cpus(const struct cpu_set *sets, enum ring ring)
{
    struct ring_range range;
    struct cpu_set all;
    unsigned int i;
    enum ring c;

    range = ring_range(ring);
    memset(&all, 0, sizeof(all));
    for (c = range.first; c <= range.last; c++) {
        for (i = 0; i < MAX_CPUS / BITS; i++) {
            all.bits[i] |= sets[c].bits[i];
        }
    }
    return all;
}

/* Transfers of one kind, or of all if @kind is NR_TRANSFERS. */
static uint64_t
counts_transfers(const struct counts *counts, enum ring ring,
                 enum transfer kind)
{
    struct ring_range range;
    enum transfer k;
    uint64_t sum;
    enum ring c;

    range = ring_range(ring);
    sum = 0;
    for (c = range.first; c <= range.last; c++) {
        for (k = 0; k < NR_TRANSFERS; k++) {
            sum += kind == NR_TRANSFERS || kind == k ? counts->transfers[c][k]
                                                     : 0;
        }
    }
    return sum;
}

/* A locked instruction is one access, counted as a read and as a write. */
static uint64_t
counts_accesses(const struct counts *counts, enum ring ring)
{
    return ring_sum(counts->reads, ring) + ring_sum(counts->writes, ring) -
           ring_sum(counts->rmws, ring);
}

static void
counts_sum(struct counts *to, const struct counts *from)
{
    uint64_t *sums;
    const uint64_t *values;
    size_t i;

    sums = (uint64_t *)to;
    values = (const uint64_t *)from;
    for (i = 0; i < sizeof(*to) / sizeof(*sums); i++) {
        sums[i] += values[i];
    }
}

/* Whether several CPUs touched a line and one of them wrote. */
static bool
line_conflicts(const struct line *line, enum ring ring, bool *touched)
{
    struct cpu_set readers, writers;
    unsigned int nr, nr_writers, i;

    readers = ring_cpus(line->readers, ring);
    writers = ring_cpus(line->writers, ring);
    nr = nr_writers = 0;
    for (i = 0; i < MAX_CPUS / BITS; i++) {
        nr += (unsigned int)__builtin_popcountll(readers.bits[i] |
                                                 writers.bits[i]);
        nr_writers += (unsigned int)__builtin_popcountll(writers.bits[i]);
    }
    *touched = nr != 0;
    return nr > 1 && nr_writers != 0;
}

static void
report_keep(struct report *report, const struct line *line)
{
    if (report->nr_lines == report->room) {
        report->room = report->room != 0 ? report->room * 2 : 64;
        report->lines =
            realloc(report->lines, report->room * sizeof(*report->lines));
        if (report->lines == NULL) {
            abort();
        }
    }
    report->lines[report->nr_lines++] = *line;
}

static void
report_add_line(struct line *line, void *arg)
{
    struct report *report;
    struct totals *totals;
    bool touched, conflict;
    enum ring ring;

    report = arg;
    for (ring = RING_USER; ring <= RING_ALL; ring++) {
        totals = &report->totals[ring];
        conflict = line_conflicts(line, ring, &touched);
        totals->nr_lines += touched;
        if (conflict) {
            totals->nr_conflicts++;
            totals->nr_accesses += counts_accesses(&line->counts, ring);
            totals->nr_hot += counts_transfers(&line->counts, ring,
                                               NR_TRANSFERS) >= config.hot;
        }
        if (conflict && ring == RING_ALL) {
            report_keep(report, line);
        }
    }
}

/* The worst first. */
static int
report_compare(const void *a, const void *b)
{
    const struct line *x, *y;
    uint64_t p, q;

    x = a;
    y = b;
    p = counts_transfers(&x->counts, RING_ALL, NR_TRANSFERS);
    q = counts_transfers(&y->counts, RING_ALL, NR_TRANSFERS);
    if (p == q) {
        p = counts_accesses(&x->counts, RING_ALL);
        q = counts_accesses(&y->counts, RING_ALL);
    }
    if (p == q) {
        p = y->number;
        q = x->number;
    }
    return p > q ? -1 : p < q;
}

static void
report_print_cpu(struct report *report, unsigned int cpu,
                 const struct cpu_tag *from)
{
    const struct counts *counts;
    uint64_t insns[NR_RINGS];
    enum ring ring;

    counts = &from->counts;
    for (ring = RING_USER; ring < NR_RINGS; ring++) {
        insns[ring] = from->insns[ring];
        if (from->open) {
            insns[ring] += vcpus[cpu].insns[ring] - from->insns_at_begin[ring];
        }
        report->insns[ring] += insns[ring];
    }
    counts_sum(&report->counts, counts);
    report->nr_ops += from->nr_ops;
    report->nr_io += from->nr_io;
    report->nr_cpus++;

    report_write("LINESHARE-CPU tag=%u cpu=%u begins=%" PRIu64 " ops=%" PRIu64
                 " uinsns=%" PRIu64 " kinsns=%" PRIu64,
                 report->number, cpu, from->nr_begins, from->nr_ops,
                 insns[RING_USER], insns[RING_KERNEL]);
    for (ring = RING_USER; ring < NR_RINGS; ring++) {
        report_write(" %creads=%" PRIu64 " %cwrites=%" PRIu64 " %crmw=%" PRIu64
                     " %ctransfers=%" PRIu64,
                     ring_names[ring][0], counts->reads[ring],
                     ring_names[ring][0], counts->writes[ring],
                     ring_names[ring][0], counts->rmws[ring],
                     ring_names[ring][0],
                     counts_transfers(counts, ring, NR_TRANSFERS));
    }
    report_write(" io=%" PRIu64 " waits=%" PRIu64 " giveups=%" PRIu64 "\n",
                 from->nr_io, vcpus[cpu].nr_waits, vcpus[cpu].nr_giveups);
}

/* "0-3,7", or "-" for an empty set. */
static void
report_write_cpus(const char *key, struct cpu_set set)
{
    const char *comma;
    unsigned int i, end;

    report_write(" %s=", key);
    comma = "";
    for (i = 0; i < MAX_CPUS; i = end + 1) {
        end = i;
        if (!(set.bits[i / BITS] >> i % BITS & 1)) {
            continue;
        }
        while (end + 1 < MAX_CPUS &&
               (set.bits[(end + 1) / BITS] >> (end + 1) % BITS & 1)) {
            end++;
        }
        report_write("%s%u", comma, i);
        if (end > i) {
            report_write("-%u", end);
        }
        comma = ",";
    }
    if (comma[0] == '\0') {
        report_write("-");
    }
}

static int
pc_compare(const void *a, const void *b)
{
    const struct pc_slot *x, *y;

    x = a;
    y = b;
    return x->weight > y->weight ? -1 : x->weight < y->weight;
}

static void
report_write_pcs(const char *key, struct pc_slot *slots)
{
    int i;

    qsort(slots, NR_PCS, sizeof(*slots), pc_compare);
    report_write(" %s=%s", key, slots[0].pc == 0 ? "-" : "");
    for (i = 0; i < NR_PCS && slots[i].pc != 0; i++) {
        report_write("%s0x%" PRIx64, i != 0 ? "," : "", slots[i].pc);
    }
}

static void
report_print_line(unsigned int tag, size_t rank, struct line *line)
{
    const struct counts *counts;
    bool touched;

    counts = &line->counts;
    report_write("LINESHARE-LINE tag=%u rank=%zu paddr=0x%" PRIx64
                 " vaddr=0x%" PRIx64,
                 tag, rank, line->number << config.line_shift, line->va);
    report_write_cpus("wcpus", ring_cpus(line->writers, RING_ALL));
    report_write_cpus("rcpus", ring_cpus(line->readers, RING_ALL));
    report_write(" uconf=%d kconf=%d",
                 line_conflicts(line, RING_USER, &touched),
                 line_conflicts(line, RING_KERNEL, &touched));
    report_write(" ureads=%" PRIu64 " uwrites=%" PRIu64 " urmw=%" PRIu64
                 " kreads=%" PRIu64 " kwrites=%" PRIu64 " krmw=%" PRIu64
                 " transfers=%" PRIu64,
                 counts->reads[RING_USER], counts->writes[RING_USER],
                 counts->rmws[RING_USER], counts->reads[RING_KERNEL],
                 counts->writes[RING_KERNEL], counts->rmws[RING_KERNEL],
                 counts_transfers(counts, RING_ALL, NR_TRANSFERS));
    report_write_pcs("wpcs", line->write_pcs);
    report_write_pcs("rpcs", line->read_pcs);
    report_write("\n");
}

static void
report_print_ring(const struct report *report, enum ring ring)
{
    const struct totals *totals;
    uint64_t transfers;

    totals = &report->totals[ring];
    transfers = counts_transfers(&report->counts, ring, NR_TRANSFERS);
    report_write("LINESHARE tag=%u mode=%s cpus=%u insns=%" PRIu64
                 " lines=%" PRIu64 " conflicts=%" PRIu64 " accesses=%" PRIu64,
                 report->number, ring_names[ring], report->nr_cpus,
                 ring_sum(report->insns, ring), totals->nr_lines,
                 totals->nr_conflicts, totals->nr_accesses);
    report_write(" transfers=%" PRIu64 " read=%" PRIu64 " rfo=%" PRIu64
                 " upgrade=%" PRIu64 " hot=%" PRIu64 " allaccesses=%" PRIu64
                 " io=%" PRIu64 " ops=%" PRIu64,
                 transfers,
                 counts_transfers(&report->counts, ring, TRANSFER_READ),
                 counts_transfers(&report->counts, ring, TRANSFER_RFO),
                 counts_transfers(&report->counts, ring, TRANSFER_UPGRADE),
                 totals->nr_hot, counts_accesses(&report->counts, ring),
                 report->nr_io, report->nr_ops);
    if (report->nr_ops != 0) {
        report_write(" perop=%.3f\n",
                     (double)transfers / (double)report->nr_ops);
    } else {
        report_write(" perop=-\n");
    }
}

static void
report_print_config(unsigned int number)
{
    report_write("LINESHARE-CONFIG tag=%u line=%u filter=%s quantum=%" PRIu64
                 " maxcpus=%u hostthreads=%s api=%d/%d\n",
                 number, 1U << config.line_shift, ring_names[config.only],
                 config.quantum, config.nr_cpus,
                 vcpu_single_thread ? "single" : "multi", qemu_plugin_version,
                 config.api);
    if (vcpu_single_thread && config.api >= 4) {
        report_write("LINESHARE-WARNING this QEMU names the wrong CPU when "
                     "all share a thread: use thread=multi\n");
    }
}

void
report_print(unsigned int number)
{
    struct report report;
    struct tag *tag;
    enum ring ring;
    unsigned int i;

    memset(&report, 0, sizeof(report));
    report.number = number;
    tag = tag_get(number);

    pthread_mutex_lock(&big_lock);
    tag->unreported = false;
    report_print_config(number);
    for (i = 0; i < config.nr_cpus; i++) {
        if (tag->cpus[i].nr_begins != 0) {
            report_print_cpu(&report, i, &tag->cpus[i]);
        }
    }
    line_for_each(tag, report_add_line, &report);
    if (report.nr_lines != 0) {
        qsort(report.lines, report.nr_lines, sizeof(*report.lines),
              report_compare);
    }
    for (i = 0; i < report.nr_lines && i < config.top; i++) {
        report_print_line(number, i + 1, &report.lines[i]);
    }
    for (ring = NR_RINGS + 1; ring-- > RING_USER;) {
        if (config.only == RING_ALL || ring == RING_ALL ||
            ring == config.only) {
            report_print_ring(&report, ring);
        }
    }
    free(report.lines);
    if (config.out != NULL) {
        fflush(config.out);
    }
    pthread_mutex_unlock(&big_lock);
}
