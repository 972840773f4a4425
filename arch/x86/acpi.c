/* SPDX-License-Identifier: MIT */
/*
 * From tables to CPUs, interrupt controllers and memory nodes.
 *
 * The tables are read twice, first to count, then to fill arrays of that
 * size.  A second pass that finds more than the first (a hostile table in
 * memory that changes) is cut at the first's count.
 */
#include <arch/boot_info.h>
#include <arch/pmap.h>
#include <kern/bootmem.h>
#include <kern/console.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/log.h>
#include <kern/command.h>
#include <kern/numa.h>
#include <kern/option.h>
#include <lib/string.h>

#include "acpi.h"
#include "apic.h"
#include "cpuid.h"
#include "topology.h"

/* More CPUs than this are left out; bounds the time spent on bad tables. */
#define ACPI_CPU_MAX 4096

/* What is below is memory, or as old as the PC/AT. */
#define ACPI_PC_AT_END MIB(1)

/* All constant after acpi_setup(). */
static struct acpi_root acpi_root;
static bool acpi_has_root;
static struct acpi_info acpi_info;
static struct acpi_ioapic *acpi_ioapic_table;
static size_t acpi_nr_ioapics;
static struct acpi_override *acpi_override_table;
static size_t acpi_nr_overrides;
static uint32_t acpi_domains[NUMA_NODES_MAX];
static uint32_t acpi_nr_domains;
static uint64_t acpi_max_cpus = ACPI_CPU_MAX;
static uint32_t acpi_cpu_room;
static uint32_t acpi_nr_ignored_cpus;

const struct acpi_info *
acpi_info_get(void)
{
    return &acpi_info;
}

const struct acpi_ioapic *
acpi_ioapics(size_t *count)
{
    *count = acpi_nr_ioapics;
    return acpi_ioapic_table;
}

const struct acpi_override *
acpi_overrides(size_t *count)
{
    *count = acpi_nr_overrides;
    return acpi_override_table;
}

bool
acpi_has_i8042(void)
{
    return !acpi_info.fixed.present || acpi_info.fixed.has_i8042;
}

bool
acpi_is_device(uint64_t phys, uint64_t size)
{
    const struct boot_mem_range *range;
    const struct boot_info *boot;
    uint64_t end;
    size_t i;

    if (phys < ACPI_PC_AT_END || __builtin_add_overflow(phys, size, &end) ||
        end > UINT64_C(1) << cpuid_phys_bits()) {
        return false;
    }

    boot = boot_info_get();
    for (i = 0; i < boot->nr_mem; i++) {
        range = &boot->mem[i];
        if (range->type != BOOT_MEM_RESERVED && range->base < end &&
            phys < range->base + range->size) {
            return false;
        }
    }
    return true;
}

/*
 * The number of the node that the tables call @domain; nodes are numbered in
 * the order in which they are met.  What exceeds the table is node 0.
 */
static uint32_t
acpi_node_of(uint32_t domain)
{
    uint32_t node;

    for (node = 0; node < acpi_nr_domains; node++) {
        if (acpi_domains[node] == domain) {
            return node;
        }
    }
    if (acpi_nr_domains == NUMA_NODES_MAX || numa_add_node(node) != OK) {
        return 0;
    }

    acpi_domains[acpi_nr_domains++] = domain;
    return node;
}

static const void *
acpi_map(void *ctx __unused, uint64_t phys, size_t size)
{
    return pmap_direct_map(phys, size, PMAP_WB);
}

static void
acpi_report_problem(void *ctx __unused, const char signature[4],
                    enum acpi_problem problem, uint64_t value)
{
    log_warning("acpi: %.4s: %s %#lx", signature, acpi_problem_string(problem),
                value);
}

static bool
acpi_cpu_is_known(uint32_t hw_id)
{
    uint32_t cpu;

    for (cpu = 0; cpu < cpu_nr_possible; cpu++) {
        if (cpu_table[cpu].hw_id == hw_id) {
            return true;
        }
    }
    return false;
}

static void
acpi_add_cpu(void *ctx __unused, uint32_t apic_id, uint32_t acpi_uid __unused,
             bool enabled, bool online_capable __unused)
{
    if (!enabled || acpi_cpu_is_known(apic_id)) {
        return;
    }
    if (cpu_nr_possible >= acpi_cpu_room || cpu_nr_possible >= acpi_max_cpus) {
        acpi_nr_ignored_cpus++;
        return;
    }

    cpu_table[cpu_nr_possible].hw_id = apic_id;
    atomic_init(&cpu_table[cpu_nr_possible].state, CPU_POSSIBLE);
    cpu_nr_possible++;
}

static void
acpi_add_ioapic(void *ctx __unused, uint8_t id, uint64_t phys,
                uint32_t gsi_base)
{
    if (acpi_nr_ioapics < acpi_info.nr_ioapics) {
        acpi_ioapic_table[acpi_nr_ioapics++] = (struct acpi_ioapic){
            .phys = phys, .gsi_base = gsi_base, .id = id
        };
    }
}

static void
acpi_add_override(void *ctx __unused, uint8_t source, uint32_t gsi,
                  uint16_t flags)
{
    if (acpi_nr_overrides < acpi_info.nr_overrides) {
        acpi_override_table[acpi_nr_overrides++] = (struct acpi_override){
            .gsi = gsi, .flags = flags, .source = source
        };
    }
}

static void
acpi_add_lapic_nmi(void *ctx __unused, uint32_t acpi_uid __unused, uint8_t lint,
                   uint16_t flags)
{
    apic_set_nmi_line(lint, flags);
}

static void
acpi_add_memory(void *ctx __unused, uint64_t base, uint64_t size,
                uint32_t domain, bool hotplug __unused)
{
    status_t status;

    status = numa_add_range(base, size, acpi_node_of(domain));
    if (status != OK) {
        log_warning("acpi: SRAT: memory at %#lx: %s", base,
                    status_string(status));
    }
}

static void
acpi_set_cpu_node(void *ctx __unused, uint32_t apic_id, uint32_t domain)
{
    uint32_t cpu;

    for (cpu = 0; cpu < cpu_nr_possible; cpu++) {
        if (cpu_table[cpu].hw_id == apic_id) {
            cpu_table[cpu].node = acpi_node_of(domain);
        }
    }
}

static void
acpi_set_distance(void *ctx __unused, uint32_t from, uint32_t to,
                  uint8_t distance)
{
    if (numa_set_distance(acpi_node_of(from), acpi_node_of(to), distance) !=
        OK) {
        log_warning("acpi: SLIT: bad distance %u from %u to %u", distance, from,
                    to);
    }
}

/* The order matters: nodes are known before distances between them. */
static const struct acpi_visitor acpi_fill_visitor = {
    .cpu = acpi_add_cpu,
    .ioapic = acpi_add_ioapic,
    .override_ = acpi_add_override,
    .lapic_nmi = acpi_add_lapic_nmi,
    .srat_mem = acpi_add_memory,
};

static const struct acpi_visitor acpi_node_visitor = {
    .srat_cpu = acpi_set_cpu_node,
    .distance = acpi_set_distance,
};

static bool
acpi_find_root(void)
{
    struct acpi_memory memory = { .map = acpi_map };
    const struct acpi_visitor visitor = { .problem = acpi_report_problem };
    const struct boot_info *boot;
    uint8_t rsdp[ACPI_RSDP_SIZE];
    size_t size;

    boot = boot_info_get();
    size = boot->rsdp_size;
    memcpy(rsdp, boot->rsdp, sizeof(rsdp));
    if (size == 0 && boot->rsdp_phys != 0) {
        const void *found = acpi_map(NULL, boot->rsdp_phys, ACPI_RSDP_SIZE);

        if (found != NULL) {
            memcpy(rsdp, found, sizeof(rsdp));
            size = ACPI_RSDP_SIZE;
        }
    }
    if (size == 0 && boot->efi_system_table == 0 &&
        acpi_rsdp_find(&memory, rsdp) != 0) {
        size = ACPI_RSDP_SIZE;
    }
    if (size == 0) {
        return false;
    }

    return acpi_root_parse(&acpi_root, &memory, rsdp, size, &visitor) == OK;
}

static void *
acpi_alloc(size_t count, size_t size)
{
    paddr_t phys;

    if (count == 0) {
        return NULL;
    }

    phys = bootmem_alloc(count * size, CACHE_LINE, BOOTMEM_ANYWHERE);
    return phys == PADDR_NONE ? NULL : pmap_direct_ptr(phys);
}

static status_t
acpi_make_tables(void)
{
    size_t room;

    room = MIN(acpi_info.nr_cpus_enabled + 1, (size_t)ACPI_CPU_MAX);
    cpu_table = acpi_alloc(room, sizeof(*cpu_table));
    acpi_ioapic_table =
        acpi_alloc(acpi_info.nr_ioapics, sizeof(*acpi_ioapic_table));
    acpi_override_table =
        acpi_alloc(acpi_info.nr_overrides, sizeof(*acpi_override_table));
    if (cpu_table == NULL ||
        (acpi_ioapic_table == NULL && acpi_info.nr_ioapics != 0) ||
        (acpi_override_table == NULL && acpi_info.nr_overrides != 0)) {
        return ERR_NO_MEMORY;
    }

    acpi_cpu_room = (uint32_t)room;
    cpu_table[0].hw_id = topology_own_hw_id();
    atomic_init(&cpu_table[0].state, CPU_ONLINE);
    return OK;
}

static status_t
acpi_setup(void)
{
    const struct acpi_visitor visitor = { .problem = acpi_report_problem };
    status_t status;

    acpi_has_root = acpi_find_root();
    if (acpi_has_root) {
        acpi_parse(&acpi_root, &acpi_info, &visitor);
    } else {
        log_warning("acpi: no tables, going on with one CPU");
    }

    status = acpi_make_tables();
    if (status != OK || !acpi_has_root) {
        return status;
    }

    acpi_parse(&acpi_root, &acpi_info, &acpi_fill_visitor);
    acpi_parse(&acpi_root, &acpi_info, &acpi_node_visitor);
    log_info("acpi: revision %u, %zu CPUs, %zu IOAPICs, %zu overrides",
             acpi_root.revision, acpi_info.nr_cpus_enabled, acpi_nr_ioapics,
             acpi_nr_overrides);
    if (acpi_nr_ignored_cpus != 0) {
        log_notice("acpi: %u CPUs are left out", acpi_nr_ignored_cpus);
    }
    return OK;
}

INIT_OP(acpi_setup, INIT_BOOT_CPU, AFTER(pmap_setup), AFTER(smp_reserve));

static status_t
acpi_option_maxcpus(const char *value)
{
    uint64_t number;
    status_t status;

    status = option_number(value, UINT32_MAX, &number);
    if (status != OK) {
        return status;
    }
    if (number == 0) {
        return ERR_RANGE;
    }

    acpi_max_cpus = number;
    return OK;
}

OPTION(maxcpus, "1..4096", "start at most so many CPUs", acpi_option_maxcpus);

static void
acpi_print_table(void *ctx __unused, const struct acpi_table *table)
{
    console_printf("%-4s 0x%012lx %7u rev %u %-6s %-8s %s\n", table->signature,
                   table->phys, table->length, table->revision, table->oem_id,
                   table->oem_table_id,
                   table->problem == ACPI_PROBLEM_NONE
                       ? "ok"
                       : acpi_problem_string(table->problem));
}

static void
acpi_command(int argc __unused, char **argv __unused)
{
    size_t i;

    if (!acpi_has_root) {
        console_printf("no ACPI tables\n");
        return;
    }

    acpi_for_each_table(&acpi_root, acpi_print_table, NULL);
    for (i = 0; i < acpi_nr_ioapics; i++) {
        console_printf("ioapic %u at %#lx, from interrupt %u\n",
                       acpi_ioapic_table[i].id, acpi_ioapic_table[i].phys,
                       acpi_ioapic_table[i].gsi_base);
    }
    for (i = 0; i < acpi_nr_overrides; i++) {
        console_printf("isa interrupt %u is interrupt %u, flags %#x\n",
                       acpi_override_table[i].source,
                       acpi_override_table[i].gsi,
                       acpi_override_table[i].flags);
    }
}

MONITOR_COMMAND(acpi, "", "tables of the firmware", acpi_command);
