/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

#include "lineshare.h"
#include "qemu_plugin.h"

/* Markers: nopl imm32(%rax,%rax,1), bits 31 to 16 of imm32 as below. */
#define MARKER_SIZE 8

enum marker {
    MARKER_BEGIN = 1,
    MARKER_END = 2,
    MARKER_REPORT = 3,
    MARKER_RESET = 4,
    MARKER_OP = 5,
};

/* No instruction is longer.  Source: Intel SDM vol. 2, "Instruction Format". */
#define INSN_MAX 15

struct config config = {
    .line_shift = 6,
    .top = 20,
    .hot = 10,
    .only = RING_ALL,
};

/*
 * Set before QEMU reads it: one that does not know this version refuses to
 * load us, so it follows from what this QEMU has.
 */
int qemu_plugin_version = 1;

static qemu_insn_data_v1_t insn_data_v1;
static qemu_insn_data_v3_t insn_data_v3;

__attribute__((constructor)) static void
plugin_choose_version(void)
{
    void *insn_data;

    insn_data = dlsym(RTLD_DEFAULT, "qemu_plugin_insn_data");
    if (dlsym(RTLD_DEFAULT, "qemu_plugin_read_memory_vaddr") != NULL) {
        qemu_plugin_version = 4;
    } else if (dlsym(RTLD_DEFAULT,
                     "qemu_plugin_register_vcpu_tb_exec_cond_cb") != NULL) {
        qemu_plugin_version = 3;
    } else if (dlsym(RTLD_DEFAULT, "qemu_plugin_scoreboard_new") != NULL) {
        qemu_plugin_version = 2;
    }
    if (qemu_plugin_version >= 3) {
        insn_data_v3 = (qemu_insn_data_v3_t)insn_data;
    } else {
        insn_data_v1 = (qemu_insn_data_v1_t)insn_data;
    }
}

/* ------------------------------------------------------------- accesses */

/*
 * Where an access is in RAM.  Returns: false if it is not there
 */
static bool
access_locate(qemu_plugin_meminfo_t info, uint64_t va, uint64_t *pa)
{
    struct qemu_plugin_hwaddr *hw;

    hw = qemu_plugin_get_hwaddr(info, va);
    if (hw == NULL || qemu_plugin_hwaddr_is_io(hw)) {
        return false;
    }
    *pa = qemu_plugin_hwaddr_phys_addr(hw);
    return true;
}

static void
access_record(const struct access *access)
{
    const struct vcpu *vcpu;
    unsigned int i;

    vcpu = &vcpus[access->cpu];
    for (i = 0; i < vcpu->nr_open; i++) {
        line_record(tags[vcpu->open[i]], access);
    }
}

static void
access_count_io(unsigned int cpu)
{
    unsigned int i;

    for (i = 0; i < vcpus[cpu].nr_open; i++) {
        tags[vcpus[cpu].open[i]]->cpus[cpu].nr_io++;
    }
}

/* Record an access and, if it straddles two lines, the second one. */
static void
access_record_lines(struct access *access, qemu_plugin_meminfo_t info)
{
    uint64_t line, size, second, pa;

    if (!access_locate(info, access->va, &access->pa)) {
        access_count_io(access->cpu);
        return;
    }

    pa = access->pa;
    access->first = true;
    access_record(access);

    line = UINT64_C(1) << config.line_shift;
    size = UINT64_C(1) << qemu_plugin_mem_size_shift(info);
    second = (access->va | (line - 1)) + 1;
    if ((access->va & (line - 1)) + size <= line) {
        return;
    }
    access->first = false;
    access->pa = pa + (second - access->va);
    access->va = second;
    if ((second & 0xfff) != 0 || access_locate(info, second, &access->pa)) {
        access_record(access);
    }
}

/*
 * A locked instruction shows as one callback for both, as a read and then a
 * write, or as plain load and store: its store always comes and stands for
 * the whole.
 */
static void
access_note(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t va,
            uint64_t pc, bool locked)
{
    struct access access;
    bool store;

    store = qemu_plugin_mem_is_store(info);
    if (locked && !store) {
        return;
    }

    access = (struct access){
        .va = va,
        .pc = pc,
        .cpu = cpu,
        .kind = locked  ? ACCESS_RMW
                : store ? ACCESS_WRITE
                        : ACCESS_READ,
        /*
         * Where user code seems to reach the kernel's half it is the
         * processor, at its tables or delivering an exception.
         */
        .ring = (pc | va) >> 63 ? RING_KERNEL : RING_USER,
    };
    if (config.only == RING_ALL || config.only == access.ring) {
        access_record_lines(&access, info);
    }
}

static void
plugin_access(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t va,
              void *pc)
{
    if (vcpus[cpu].nr_open != 0) {
        access_note(cpu, info, va, (uintptr_t)pc, false);
    }
}

static void
plugin_access_locked(unsigned int cpu, qemu_plugin_meminfo_t info, uint64_t va,
                     void *pc)
{
    if (vcpus[cpu].nr_open != 0) {
        access_note(cpu, info, va, (uintptr_t)pc, true);
    }
}

/* -------------------------------------------------------------- markers */

static void
marker_begin(unsigned int cpu, unsigned int number, struct tag *tag)
{
    struct cpu_tag *of_cpu;

    of_cpu = &tag->cpus[cpu];
    if (of_cpu->open) {
        return;
    }
    of_cpu->open = true;
    of_cpu->nr_begins++;
    memcpy(of_cpu->insns_at_begin, vcpus[cpu].insns,
           sizeof(of_cpu->insns_at_begin));
    tag->unreported = true;
    vcpu_begin(cpu, number);
}

static void
marker_end(unsigned int cpu, unsigned int number, struct tag *tag)
{
    struct cpu_tag *of_cpu;
    enum ring ring;

    of_cpu = &tag->cpus[cpu];
    if (!of_cpu->open) {
        return;
    }
    of_cpu->open = false;
    for (ring = RING_USER; ring < NR_RINGS; ring++) {
        of_cpu->insns[ring] += vcpus[cpu].insns[ring] -
                               of_cpu->insns_at_begin[ring];
    }
    vcpu_end(cpu, number);
}

static void
plugin_marker(unsigned int cpu, void *data)
{
    unsigned int number;
    struct tag *tag;

    number = (uintptr_t)data & 0xff;
    tag = tag_get(number);
    switch ((uintptr_t)data >> 8) {
    case MARKER_BEGIN:
        marker_begin(cpu, number, tag);
        break;
    case MARKER_END:
        marker_end(cpu, number, tag);
        break;
    case MARKER_REPORT:
        report_print(number);
        break;
    case MARKER_RESET:
        tag_reset(tag);
        break;
    case MARKER_OP:
        tag->cpus[cpu].nr_ops += tag->cpus[cpu].open;
        break;
    default:
        break;
    }
}

/* ---------------------------------------------------------- translation */

static void
plugin_user_insn(unsigned int cpu, void *data)
{
    (void)data;
    if (__atomic_load_n(&vcpus[cpu].attention, __ATOMIC_RELAXED) != 0) {
        vcpu_attend(cpu, RING_USER);
    }
}

static void
plugin_kernel_insn(unsigned int cpu, void *data)
{
    (void)data;
    if (__atomic_load_n(&vcpus[cpu].attention, __ATOMIC_RELAXED) != 0) {
        vcpu_attend(cpu, RING_KERNEL);
    }
}

/* Whether a byte is a prefix that does not lock. */
static bool
insn_is_prefix(uint8_t byte)
{
    return byte != 0 &&
           memchr("\x66\x67\xf2\xf3\x2e\x36\x3e\x26\x64\x65", byte, 10) != NULL;
}

/* A LOCK prefix, or XCHG with memory, which locks without. */
static bool
insn_is_locked(const uint8_t *bytes, size_t size)
{
    size_t i;

    for (i = 0; i < size && insn_is_prefix(bytes[i]); i++) {
    }
    if (i < size && bytes[i] == 0xf0) {
        return true;
    }
    if (i < size && (bytes[i] & 0xf0) == 0x40) {
        i++; /* REX */
    }
    return i + 1 < size && (bytes[i] & 0xfe) == 0x86 && bytes[i + 1] >> 6 != 3;
}

static bool
insn_is_marker(const uint8_t *bytes, size_t size)
{
    return size == MARKER_SIZE && memcmp(bytes, "\x0f\x1f\x84", 4) == 0 &&
           bytes[6] == 0x53 && bytes[7] == 0x4c;
}

static size_t
insn_read(struct qemu_plugin_insn *insn, uint8_t *bytes)
{
    size_t size;

    size = qemu_plugin_insn_size(insn);
    size = size < INSN_MAX ? size : INSN_MAX;
    if (insn_data_v3 != NULL) {
        return insn_data_v3(insn, bytes, size);
    }
    memcpy(bytes, insn_data_v1(insn), size);
    return size;
}

static void
plugin_instrument(struct qemu_plugin_insn *insn)
{
    uint8_t bytes[INSN_MAX];
    size_t size;
    uint64_t pc;

    size = insn_read(insn, bytes);
    if (insn_is_marker(bytes, size)) {
        /* It is not itself counted. */
        qemu_plugin_register_vcpu_insn_exec_cb(
            insn, plugin_marker, QEMU_PLUGIN_CB_NO_REGS,
            (void *)(uintptr_t)(bytes[5] << 8 | bytes[4]));
        return;
    }

    pc = qemu_plugin_insn_vaddr(insn);
    qemu_plugin_register_vcpu_insn_exec_cb(insn,
                                           pc >> 63 ? plugin_kernel_insn
                                                    : plugin_user_insn,
                                           QEMU_PLUGIN_CB_NO_REGS, NULL);
    qemu_plugin_register_vcpu_mem_cb(
        insn,
        insn_is_locked(bytes, size) ? plugin_access_locked : plugin_access,
        QEMU_PLUGIN_CB_NO_REGS, QEMU_PLUGIN_MEM_RW, (void *)(uintptr_t)pc);
}

static void
plugin_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    size_t n, i;

    (void)id;
    n = qemu_plugin_tb_n_insns(tb);
    for (i = 0; i < n; i++) {
        plugin_instrument(qemu_plugin_tb_get_insn(tb, i));
    }
}

/* --------------------------------------------------------- installation */

static void
plugin_idle(qemu_plugin_id_t id, unsigned int cpu)
{
    (void)id;
    if (cpu < config.nr_cpus) {
        vcpu_sleep(cpu);
    }
}

static void
plugin_resume(qemu_plugin_id_t id, unsigned int cpu)
{
    (void)id;
    if (cpu < config.nr_cpus) {
        vcpu_wake(cpu);
    }
}

static void
plugin_exit(qemu_plugin_id_t id, void *data)
{
    unsigned int i;

    (void)id;
    (void)data;
    for (i = 0; i < NR_TAGS; i++) {
        if (tags[i] != NULL && tags[i]->unreported) {
            report_print(i);
        }
    }
}

static bool
plugin_number(const char *key, const char *value)
{
    unsigned long long n;
    char *end;

    n = strtoull(value, &end, 0);
    if (end == value || *end != '\0') {
        return false;
    }

    if (strcmp(key, "top") == 0) {
        config.top = (unsigned int)n;
    } else if (strcmp(key, "hot") == 0) {
        config.hot = n;
    } else if (strcmp(key, "quantum") == 0) {
        config.quantum = n;
    } else if (strcmp(key, "line") == 0) {
        config.line_shift = (unsigned int)__builtin_ctzll(n | 4096);
        return n >= 16 && n <= 4096 && (n & (n - 1)) == 0;
    } else {
        return false;
    }
    return true;
}

/* One argument, "key=value". */
static bool
plugin_argument(const char *text)
{
    char key[16];
    const char *value;

    value = strchr(text, '=');
    if (value == NULL || (size_t)(value - text) >= sizeof(key)) {
        return false;
    }
    memcpy(key, text, (size_t)(value - text));
    key[value - text] = '\0';
    value++;

    if (strcmp(key, "out") == 0) {
        config.out = fopen(value, "w");
        return config.out != NULL;
    }
    if (strcmp(key, "mode") == 0) {
        config.only = strcmp(value, "user") == 0     ? RING_USER
                      : strcmp(value, "kernel") == 0 ? RING_KERNEL
                                                     : RING_ALL;
        return config.only != RING_ALL || strcmp(value, "all") == 0;
    }
    return plugin_number(key, value);
}

static bool
plugin_configure(const struct qemu_info *info, int argc, char **argv)
{
    int i;

    if (!info->system_emulation || strcmp(info->target_name, "x86_64") != 0) {
        fprintf(stderr, "lineshare: needs qemu-system-x86_64\n");
        return false;
    }
    if (info->system.max_vcpus < 1 || info->system.max_vcpus > MAX_CPUS) {
        fprintf(stderr, "lineshare: %d CPUs, at most %d\n",
                info->system.max_vcpus, MAX_CPUS);
        return false;
    }

    config.api = info->version.cur;
    config.nr_cpus = (unsigned int)info->system.max_vcpus;
    for (i = 0; i < argc; i++) {
        if (!plugin_argument(argv[i])) {
            fprintf(stderr,
                    "lineshare: bad argument '%s'; there are\n"
                    "  out=FILE mode=all|kernel|user top=N hot=N quantum=N "
                    "line=BYTES\n",
                    argv[i]);
            return false;
        }
    }
    return true;
}

QEMU_EXPORT int
qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc,
                    char **argv)
{
    unsigned int i;

    if (!plugin_configure(info, argc, argv)) {
        return -1;
    }

    for (i = 0; i < config.nr_cpus; i++) {
        vcpus[i].attention = ATTENTION_NEW;
        vcpus[i].idle = true;
        vcpus[i].left = config.quantum;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, plugin_translate);
    qemu_plugin_register_vcpu_idle_cb(id, plugin_idle);
    qemu_plugin_register_vcpu_resume_cb(id, plugin_resume);
    qemu_plugin_register_atexit_cb(id, plugin_exit, NULL);
    return 0;
}
