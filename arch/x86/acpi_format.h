/* SPDX-License-Identifier: MIT */
/*
 * Layouts of ACPI tables, private to their readers.  Members are read with
 * memcpy() at their offset after a check of the length, never in place.
 *
 * Source, unless another is named: ACPI Specification 6.5, section "ACPI System
 * Description Tables"; titles below are those of its subsections.
 */
#ifndef ARCH_X86_ACPI_FORMAT_H
#define ARCH_X86_ACPI_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#include <lib/macros.h>

/* "Root System Description Pointer (RSDP)". */
struct acpi_raw_rsdp {
    char signature[8];
    uint8_t checksum;
    char oem_id[6];
    uint8_t revision;
    uint32_t rsdt_phys;
    /* From revision 2 on. */
    uint32_t length;
    uint64_t xsdt_phys;
    uint8_t extended_checksum;
    uint8_t reserved[3];
} __packed;

static_assert(offsetof(struct acpi_raw_rsdp, length) == 20, "ACPI 1.0");
static_assert(sizeof(struct acpi_raw_rsdp) == 36, "ACPI 2.0");

/* "System Description Table Header". */
struct acpi_raw_header {
    char signature[4];
    uint32_t length;
    uint8_t revision;
    uint8_t checksum;
    char oem_id[6];
    char oem_table_id[8];
    uint32_t oem_revision;
    uint32_t creator_id;
    uint32_t creator_revision;
} __packed;

static_assert(sizeof(struct acpi_raw_header) == 36, "fixed by ACPI");

/* "Generic Address Structure (GAS)". */
struct acpi_raw_gas {
    uint8_t space;
    uint8_t bit_width;
    uint8_t bit_offset;
    uint8_t access;
    uint64_t address;
} __packed;

static_assert(sizeof(struct acpi_raw_gas) == 12, "fixed by ACPI");

/* "Fixed ACPI Description Table (FADT)". */
struct acpi_raw_fadt {
    struct acpi_raw_header header;
    uint32_t facs_phys;
    uint32_t dsdt_phys;
    uint8_t reserved0;
    uint8_t pm_profile;
    uint16_t sci;
    uint32_t smi_command;
    uint8_t acpi_enable;
    uint8_t acpi_disable;
    uint8_t s4bios_request;
    uint8_t pstate_control;
    uint32_t pm1a_event;
    uint32_t pm1b_event;
    uint32_t pm1a_control;
    uint32_t pm1b_control;
    uint32_t pm2_control;
    uint32_t pm_timer;
    uint32_t gpe0;
    uint32_t gpe1;
    uint8_t pm1_event_length;
    uint8_t pm1_control_length;
    uint8_t pm2_control_length;
    uint8_t pm_timer_length;
    uint8_t gpe0_length;
    uint8_t gpe1_length;
    uint8_t gpe1_base;
    uint8_t cstate_control;
    uint16_t c2_latency;
    uint16_t c3_latency;
    uint16_t flush_size;
    uint16_t flush_stride;
    uint8_t duty_offset;
    uint8_t duty_width;
    uint8_t day_alarm;
    uint8_t month_alarm;
    uint8_t century;
    uint16_t boot_arch;
    uint8_t reserved1;
    uint32_t flags;
    /* From here on not in ACPI 1.0. */
    struct acpi_raw_gas reset;
    uint8_t reset_value;
    uint16_t arm_boot_arch;
    uint8_t minor_revision;
    uint64_t x_facs_phys;
    uint64_t x_dsdt_phys;
    struct acpi_raw_gas x_pm1a_event;
    struct acpi_raw_gas x_pm1b_event;
    struct acpi_raw_gas x_pm1a_control;
    struct acpi_raw_gas x_pm1b_control;
    struct acpi_raw_gas x_pm2_control;
    struct acpi_raw_gas x_pm_timer;
    struct acpi_raw_gas x_gpe0;
    struct acpi_raw_gas x_gpe1;
    struct acpi_raw_gas sleep_control;
    struct acpi_raw_gas sleep_status;
    uint64_t hypervisor;
} __packed;

static_assert(offsetof(struct acpi_raw_fadt, boot_arch) == 109, "ACPI");
static_assert(offsetof(struct acpi_raw_fadt, reset) == 116, "ACPI 1.0 ends");
static_assert(offsetof(struct acpi_raw_fadt, x_pm_timer) == 208, "ACPI");
static_assert(sizeof(struct acpi_raw_fadt) == 276, "ACPI 6.5");

/* FADT, "Fixed ACPI Description Table Fixed Feature Flags". */
#define ACPI_FADT_PM_TIMER_32BIT (1u << 8)
#define ACPI_FADT_RESET          (1u << 10)
#define ACPI_FADT_HW_REDUCED     (1u << 20)

/* FADT, "IA-PC Boot Architecture Flags". */
#define ACPI_BOOT_ARCH_I8042  (1u << 1)
#define ACPI_BOOT_ARCH_NO_VGA (1u << 2)

/* The head of every entry of a MADT or SRAT. */
struct acpi_raw_entry {
    uint8_t type;
    uint8_t length;
} __packed;

static_assert(sizeof(struct acpi_raw_entry) == 2, "fixed by ACPI");

/* "Multiple APIC Description Table (MADT)". */
struct acpi_raw_madt {
    struct acpi_raw_header header;
    uint32_t local_apic_phys;
    uint32_t flags;
} __packed;

static_assert(sizeof(struct acpi_raw_madt) == 44, "fixed by ACPI");

#define ACPI_MADT_PC_COMPATIBLE (1u << 0)

enum acpi_madt_type {
    ACPI_MADT_LAPIC = 0,
    ACPI_MADT_IOAPIC = 1,
    ACPI_MADT_OVERRIDE = 2,
    ACPI_MADT_NMI_SOURCE = 3,
    ACPI_MADT_LAPIC_NMI = 4,
    ACPI_MADT_LAPIC_ADDRESS = 5,
    ACPI_MADT_X2APIC = 9,
    ACPI_MADT_X2APIC_NMI = 10,
};

#define ACPI_MADT_CPU_ENABLED        (1u << 0)
#define ACPI_MADT_CPU_ONLINE_CAPABLE (1u << 1)

/* "Processor Local APIC Structure". */
struct acpi_raw_lapic {
    struct acpi_raw_entry entry;
    uint8_t uid;
    uint8_t apic_id;
    uint32_t flags;
} __packed;

static_assert(sizeof(struct acpi_raw_lapic) == 8, "fixed by ACPI");

/* "I/O APIC Structure". */
struct acpi_raw_ioapic {
    struct acpi_raw_entry entry;
    uint8_t id;
    uint8_t reserved;
    uint32_t phys;
    uint32_t gsi_base;
} __packed;

static_assert(sizeof(struct acpi_raw_ioapic) == 12, "fixed by ACPI");

/* "Interrupt Source Override Structure". */
struct acpi_raw_override {
    struct acpi_raw_entry entry;
    uint8_t bus;
    uint8_t source;
    uint32_t gsi;
    uint16_t flags;
} __packed;

static_assert(sizeof(struct acpi_raw_override) == 10, "fixed by ACPI");

/* "Non-Maskable Interrupt (NMI) Source Structure". */
struct acpi_raw_nmi_source {
    struct acpi_raw_entry entry;
    uint16_t flags;
    uint32_t gsi;
} __packed;

static_assert(sizeof(struct acpi_raw_nmi_source) == 8, "fixed by ACPI");

/* "Local APIC NMI Structure". */
struct acpi_raw_lapic_nmi {
    struct acpi_raw_entry entry;
    uint8_t uid;
    uint16_t flags;
    uint8_t lint;
} __packed;

static_assert(sizeof(struct acpi_raw_lapic_nmi) == 6, "fixed by ACPI");

/* "Local APIC Address Override Structure". */
struct acpi_raw_lapic_address {
    struct acpi_raw_entry entry;
    uint16_t reserved;
    uint64_t phys;
} __packed;

static_assert(sizeof(struct acpi_raw_lapic_address) == 12, "fixed by ACPI");

/* "Processor Local x2APIC Structure". */
struct acpi_raw_x2apic {
    struct acpi_raw_entry entry;
    uint16_t reserved;
    uint32_t apic_id;
    uint32_t flags;
    uint32_t uid;
} __packed;

static_assert(sizeof(struct acpi_raw_x2apic) == 16, "fixed by ACPI");

/* "Local x2APIC NMI Structure". */
struct acpi_raw_x2apic_nmi {
    struct acpi_raw_entry entry;
    uint16_t flags;
    uint32_t uid;
    uint8_t lint;
    uint8_t reserved[3];
} __packed;

static_assert(sizeof(struct acpi_raw_x2apic_nmi) == 12, "fixed by ACPI");

/* "System Resource Affinity Table (SRAT)". */
struct acpi_raw_srat {
    struct acpi_raw_header header;
    uint32_t reserved0;
    uint64_t reserved1;
} __packed;

static_assert(sizeof(struct acpi_raw_srat) == 48, "fixed by ACPI");

enum acpi_srat_type {
    ACPI_SRAT_LAPIC = 0,
    ACPI_SRAT_MEMORY = 1,
    ACPI_SRAT_X2APIC = 2,
};

#define ACPI_SRAT_ENABLED     (1u << 0)
#define ACPI_SRAT_MEM_HOTPLUG (1u << 1)

/* "Processor Local APIC/SAPIC Affinity Structure". */
struct acpi_raw_srat_lapic {
    struct acpi_raw_entry entry;
    uint8_t domain_low;
    uint8_t apic_id;
    uint32_t flags;
    uint8_t sapic_eid;
    uint8_t domain_high[3]; /* from table revision 2 on */
    uint32_t clock_domain;
} __packed;

static_assert(sizeof(struct acpi_raw_srat_lapic) == 16, "fixed by ACPI");

/* "Memory Affinity Structure". */
struct acpi_raw_srat_memory {
    struct acpi_raw_entry entry;
    uint32_t domain; /* in table revision 1 the low 8 bits only */
    uint16_t reserved0;
    uint64_t base;
    uint64_t size;
    uint32_t reserved1;
    uint32_t flags;
    uint64_t reserved2;
} __packed;

static_assert(sizeof(struct acpi_raw_srat_memory) == 40, "fixed by ACPI");

/* "Processor Local x2APIC Affinity Structure". */
struct acpi_raw_srat_x2apic {
    struct acpi_raw_entry entry;
    uint16_t reserved0;
    uint32_t domain;
    uint32_t apic_id;
    uint32_t flags;
    uint32_t clock_domain;
    uint32_t reserved1;
} __packed;

static_assert(sizeof(struct acpi_raw_srat_x2apic) == 24, "fixed by ACPI");

/* "System Locality Information Table (SLIT)"; the matrix follows. */
struct acpi_raw_slit {
    struct acpi_raw_header header;
    uint64_t nr_localities;
} __packed;

static_assert(sizeof(struct acpi_raw_slit) == 44, "fixed by ACPI");

/* IA-PC HPET Specification, "The ACPI 2.0 HPET Description Table (HPET)". */
struct acpi_raw_hpet {
    struct acpi_raw_header header;
    uint32_t block_id;
    struct acpi_raw_gas base;
    uint8_t number;
    uint16_t min_tick;
    uint8_t protection;
} __packed;

static_assert(sizeof(struct acpi_raw_hpet) == 56, "fixed by the specification");

/* PCI Firmware Specification, "MCFG Table Description"; entries follow. */
struct acpi_raw_mcfg {
    struct acpi_raw_header header;
    uint64_t reserved;
} __packed;

static_assert(sizeof(struct acpi_raw_mcfg) == 44, "fixed by the specification");

struct acpi_raw_mcfg_entry {
    uint64_t base;
    uint16_t segment;
    uint8_t first_bus;
    uint8_t last_bus;
    uint32_t reserved;
} __packed;

static_assert(sizeof(struct acpi_raw_mcfg_entry) == 16,
              "fixed by the specification");

#endif /* ARCH_X86_ACPI_FORMAT_H */
