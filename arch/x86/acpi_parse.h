/* SPDX-License-Identifier: MIT */
/*
 * Readers of the static ACPI tables.
 *
 * Pure: also built for the host.  Tables are untrusted input: a table whose
 * length or checksum is wrong is reported and ignored, and nothing outside of
 * a table's length is read.  Tables need no alignment.
 *
 * What there can be any number of is passed to callbacks, in table order, so
 * that nothing here limits the number of CPUs: the first pass counts, the
 * second fills.
 */
#ifndef ARCH_X86_ACPI_PARSE_H
#define ARCH_X86_ACPI_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <lib/macros.h>
#include <lib/status.h>

#define ACPI_RSDP_OLD_SIZE 20
#define ACPI_RSDP_SIZE     36

/* Larger tables and further entries are refused: bounds the time spent. */
#define ACPI_TABLE_MAX_SIZE   MIB(8)
#define ACPI_TABLE_MAX_NUMBER 1024

/* As a processor UID: an interrupt goes to every processor. */
#define ACPI_UID_ALL UINT32_MAX

/* X(problem, text): the text reads well with the value, in hex, behind it. */
#define ACPI_PROBLEMS(X)                                                       \
    X(NONE, "good, at")                                                        \
    X(UNREADABLE, "cannot be read, at")                                        \
    X(SIGNATURE, "wrong signature, at")                                        \
    X(LENGTH, "bad length:")                                                   \
    X(CHECKSUM, "wrong checksum, at")                                          \
    X(DUPLICATE, "ignored, there is one already, at")                          \
    X(CYCLE, "a list of tables lists a list, at")                              \
    X(TOO_MANY, "too many tables:")                                            \
    X(NULL_ENTRY, "lists address 0, entry")                                    \
    X(ENTRY_LENGTH, "entry of bad length, table ignored from offset")          \
    X(ENTRY_SHORT, "entry too short for its type, offset")                     \
    X(TAIL, "ends inside an entry, offset")                                    \
    X(LOCALITIES, "bad number of localities:")                                 \
    X(ADDRESS, "bad address:")                                                 \
    X(NO_SLEEP_TYPE, "no sleep type to power off, table at")

#define ACPI_PROBLEM_ENUM(problem, text) ACPI_PROBLEM_##problem,
enum acpi_problem {
    ACPI_PROBLEMS(ACPI_PROBLEM_ENUM) ACPI_NR_PROBLEMS
};

/* How physical memory is read. */
struct acpi_memory {
    /*
     * Returns: where [phys, phys + size) can be read, with any alignment,
     *          while the tables are in use; NULL when it cannot
     */
    const void *(*map)(void *ctx, uint64_t phys, size_t size);
    void *ctx;
};

/* A table as listed; what could not be read is zero. */
struct acpi_table {
    uint64_t phys;
    const uint8_t *data; /* NULL unless good */
    uint32_t length;     /* bytes, header included */
    uint8_t revision;
    char signature[5];
    char oem_id[7];
    char oem_table_id[9];
    enum acpi_problem problem; /* ACPI_PROBLEM_NONE: good */
    uint64_t value;            /* of the problem */
};

enum acpi_space {
    ACPI_SPACE_MEMORY = 0,
    ACPI_SPACE_IO = 1,
    ACPI_SPACE_PCI = 2, /* address: device << 32 | function << 16 | offset */
};

/* A register of the hardware; address 0 means there is none. */
struct acpi_register {
    uint64_t address;
    uint8_t space; /* enum acpi_space, or one that is not known */
    uint8_t bit_width;
    uint8_t bit_offset;
    uint8_t access; /* 0 not given, else 1 << (access - 1) bytes */
};

/* From the fixed table (FADT). */
struct acpi_fixed {
    bool present;
    uint8_t revision;
    uint16_t sci; /* ISA or global interrupt of the system control */
    uint32_t flags;
    uint16_t boot_arch;  /* IAPC_BOOT_ARCH, valid if has_boot_arch */
    bool has_boot_arch;  /* else: a PC with all legacy devices */
    bool has_i8042;      /* there may be one */
    bool has_vga;        /* VGA may be probed */
    bool hw_reduced;     /* no PM timer, no PM1 registers */
    bool pm_timer_32bit; /* else 24 bits */
    struct acpi_register pm_timer;
    struct acpi_register pm1a_control;
    struct acpi_register pm1b_control;
    struct acpi_register sleep_control; /* instead of PM1 if hw_reduced */
    struct acpi_register sleep_status;
    struct acpi_register reset; /* none unless the flags say so */
    uint8_t reset_value;
    uint32_t smi_command; /* I/O port, 0: ACPI mode is on already */
    uint8_t acpi_enable;  /* value for that port */
    uint8_t century;      /* index in the real-time clock, 0: none */
    uint64_t dsdt_phys;   /* 0: none */
};

/* SLP_TYP values of the sleep state S5. */
struct acpi_sleep {
    bool present;
    uint8_t type_a; /* for PM1a control, or sleep control if hw_reduced */
    uint8_t type_b; /* for PM1b control */
};

struct acpi_hpet {
    bool present;
    struct acpi_register base;
    uint32_t block_id;
    uint16_t min_tick; /* for periodic mode, clock ticks */
    uint8_t number;
};

/* All that is of fixed size, and how often each callback was due. */
struct acpi_info {
    uint64_t local_apic_phys; /* 0: no MADT */
    bool has_madt;
    bool has_pic; /* dual 8259s must be masked */
    struct acpi_fixed fixed;
    struct acpi_sleep s5;
    struct acpi_hpet hpet;
    size_t nr_cpus; /* also those that are neither enabled nor online-capable */
    size_t nr_cpus_enabled;
    size_t nr_ioapics;
    size_t nr_overrides;
    size_t nr_nmi_sources;
    size_t nr_lapic_nmis;
    size_t nr_srat_cpus;
    size_t nr_srat_mem;
    size_t nr_localities; /* of the SLIT, 0: none */
    size_t nr_segments;   /* of the MCFG */
    size_t nr_problems;
};

/*
 * What is found.  Any callback may be NULL.  @flags of interrupts are the MPS
 * INTI flags: bits 0-1 polarity, bits 2-3 trigger mode.
 */
struct acpi_visitor {
    void *ctx;
    /* Some firmware lists a processor twice: as LAPIC and as x2APIC. */
    void (*cpu)(void *ctx, uint32_t apic_id, uint32_t acpi_uid, bool enabled,
                bool online_capable);
    void (*ioapic)(void *ctx, uint8_t id, uint64_t phys, uint32_t gsi_base);
    void (*override_)(void *ctx, uint8_t source, uint32_t gsi, uint16_t flags);
    void (*nmi_source)(void *ctx, uint32_t gsi, uint16_t flags);
    void (*lapic_nmi)(void *ctx, uint32_t acpi_uid, uint8_t lint,
                      uint16_t flags);
    void (*srat_cpu)(void *ctx, uint32_t apic_id, uint32_t domain);
    void (*srat_mem)(void *ctx, uint64_t base, uint64_t size, uint32_t domain,
                     bool hotplug);
    /* For each pair of proximity domains; 10 is near, 255 unreachable. */
    void (*distance)(void *ctx, uint32_t from, uint32_t to, uint8_t distance);
    /* @base is the configuration space of bus 0, also if @first is not 0. */
    void (*segment)(void *ctx, uint64_t base, uint16_t segment, uint8_t first,
                    uint8_t last);
    void (*problem)(void *ctx, const char signature[4],
                    enum acpi_problem problem, uint64_t value);
};

/* Where the tables are; made by acpi_root_parse(). */
struct acpi_root {
    struct acpi_memory memory;
    uint64_t phys;       /* of the XSDT or RSDT */
    uint32_t entry_size; /* 8 or 4 bytes */
    uint8_t revision;    /* of the root pointer */
};

typedef void (*acpi_table_fn_t)(void *ctx, const struct acpi_table *table);

/*
 * Look for the root pointer where a BIOS puts it: in the first KiB of the
 * extended BIOS data area, then from 0xe0000 to 0xfffff.  For loaders that do
 * not say where it is; wrong on UEFI.
 *
 * @rsdp  ACPI_RSDP_SIZE bytes, filled on success
 *
 * Returns: its physical address; 0, there is none with a good checksum
 */
uint64_t acpi_rsdp_find(const struct acpi_memory *memory, uint8_t *rsdp);

/*
 * Verify the root pointer and choose the list of tables: the XSDT if there is a
 * good one, else the RSDT.
 *
 * @root       set on success
 * @memory     copied
 * @rsdp       the root pointer or a copy of it, as the loader gave it
 * @rsdp_size  bytes of @rsdp, 20 or more
 * @visitor    told about problems; may be NULL
 *
 * Returns: OK; ERR_NOT_FOUND, there are no tables that can be trusted
 */
status_t acpi_root_parse(struct acpi_root *root,
                         const struct acpi_memory *memory, const void *rsdp,
                         size_t rsdp_size, const struct acpi_visitor *visitor);

/*
 * Visit every table that is listed, good or bad, first the root, last the DSDT.
 * A table listed twice is visited twice, the second time as bad.
 *
 * @fn  its argument lives during the call only
 */
void acpi_for_each_table(const struct acpi_root *root, acpi_table_fn_t fn,
                         void *ctx);

/*
 * Find a good table.
 *
 * @signature  4 characters
 * @table      set on success
 *
 * Returns: true, @table is the first of that signature; false, there is none
 */
bool acpi_table_find(const struct acpi_root *root, const char *signature,
                     struct acpi_table *table);

/*
 * Read all tables that the kernel uses.  Of tables that may exist once only the
 * first good one counts.
 *
 * @info     overwritten as a whole
 * @visitor  told what is found; may be NULL
 */
void acpi_parse(const struct acpi_root *root, struct acpi_info *info,
                const struct acpi_visitor *visitor);

/*
 * The text of a problem, for people; the value goes behind it.
 *
 * Returns: a constant string, "unknown problem:" for a bad one
 */
const char *acpi_problem_string(enum acpi_problem problem);

#endif /* ARCH_X86_ACPI_PARSE_H */
