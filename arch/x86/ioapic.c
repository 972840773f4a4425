/* SPDX-License-Identifier: MIT */
/*
 * IOAPICs: from interrupt lines of devices to vectors.
 *
 * All lines are masked at the start.
 *
 * Source: Intel, "82093AA I/O Advanced Programmable Interrupt Controller".
 */
#include <kern/bootmem.h>
#include <kern/cpu.h>
#include <kern/init.h>
#include <kern/irq.h>
#include <kern/kva.h>
#include <kern/log.h>
#include <kern/spinlock.h>

#include "acpi.h"
#include "trap_frame.h"

#define IOAPIC_SELECT     0x00
#define IOAPIC_WINDOW     0x10
#define IOAPIC_VERSION    0x01
#define IOAPIC_ENTRY      0x10
#define IOAPIC_MASKED     (1U << 16)
#define IOAPIC_ACTIVE_LOW (1U << 13)
#define IOAPIC_LEVEL      (1U << 15)
#define IOAPIC_DEST_SHIFT 24
#define IOAPIC_DEST_MAX   254 /* 255 is all CPUs */
#define IOAPIC_LINES_MAX  240
#define IOAPIC_SIZE       0x20
#define IOAPIC_NR_MAX     16
#define IOAPIC_ISA_LINES  16

#define MPS_POLARITY      0x3
#define MPS_POLARITY_LOW  0x3
#define MPS_TRIGGER       0xc
#define MPS_TRIGGER_LEVEL 0xc

/*
 * Keys: [c] constant after ioapic_setup()   [I] ioapic_lock
 */
struct ioapic {
    volatile uint32_t *registers; /* [I] the window */
    uint32_t gsi_base;            /* [c] */
    uint32_t nr_lines;            /* [c] */
};

static struct spinlock ioapic_lock = SPINLOCK_INITIALIZER(LOCK_IRQ, "ioapic");
static struct ioapic ioapic_table[IOAPIC_NR_MAX];   /* [c] */
static unsigned ioapic_count;                       /* [c] */
static unsigned ioapic_next_vector = VECTOR_DEVICE; /* [I] */

static uint32_t
ioapic_read_locked(struct ioapic *ioapic, uint32_t reg)
{
    ioapic->registers[IOAPIC_SELECT / 4] = reg;
    return ioapic->registers[IOAPIC_WINDOW / 4];
}

static void
ioapic_write_locked(struct ioapic *ioapic, uint32_t reg, uint32_t value)
{
    ioapic->registers[IOAPIC_SELECT / 4] = reg;
    ioapic->registers[IOAPIC_WINDOW / 4] = value;
}

static void
ioapic_route_locked(struct ioapic *ioapic, uint32_t line, uint32_t low)
{
    uint32_t reg;

    reg = IOAPIC_ENTRY + 2 * line;
    ioapic_write_locked(ioapic, reg, IOAPIC_MASKED);
    ioapic_write_locked(ioapic, reg + 1,
                        cpu_table[0].hw_id << IOAPIC_DEST_SHIFT);
    ioapic_write_locked(ioapic, reg, low);
}

static bool
ioapic_is_masked_locked(struct ioapic *ioapic, uint32_t line)
{
    return ioapic_read_locked(ioapic, IOAPIC_ENTRY + 2 * line) & IOAPIC_MASKED;
}

static struct ioapic *
ioapic_find(uint32_t gsi)
{
    unsigned i;

    for (i = 0; i < ioapic_count; i++) {
        if (gsi - ioapic_table[i].gsi_base < ioapic_table[i].nr_lines) {
            return &ioapic_table[i];
        }
    }
    return NULL;
}

/* Where an ISA interrupt goes, and its polarity and trigger mode. */
static uint32_t
ioapic_resolve_isa(unsigned isa_irq, uint32_t *bits)
{
    const struct acpi_override *overrides;
    size_t count, i;

    *bits = 0;
    overrides = acpi_overrides(&count);
    for (i = 0; i < count; i++) {
        if (overrides[i].source != isa_irq) {
            continue;
        }
        if ((overrides[i].flags & MPS_POLARITY) == MPS_POLARITY_LOW) {
            *bits |= IOAPIC_ACTIVE_LOW;
        }
        if ((overrides[i].flags & MPS_TRIGGER) == MPS_TRIGGER_LEVEL) {
            *bits |= IOAPIC_LEVEL;
        }
        return overrides[i].gsi;
    }
    return isa_irq;
}

status_t
irq_attach_isa(unsigned isa_irq, const char *name, irq_fn_t fn, void *ctx)
{
    struct ioapic *ioapic;
    uint32_t gsi, bits, line;
    uint64_t flags;
    status_t status;

    if (isa_irq >= IOAPIC_ISA_LINES) {
        return ERR_RANGE;
    }
    if (cpu_table[0].hw_id > IOAPIC_DEST_MAX) {
        return ERR_UNSUPPORTED;
    }

    gsi = ioapic_resolve_isa(isa_irq, &bits);
    ioapic = ioapic_find(gsi);
    if (ioapic == NULL) {
        return ERR_NOT_FOUND;
    }

    line = gsi - ioapic->gsi_base;
    flags = spinlock_lock_irqsave(&ioapic_lock);
    if (!ioapic_is_masked_locked(ioapic, line)) {
        status = ERR_BUSY;
    } else if (ioapic_next_vector == VECTOR_LOCAL) {
        status = ERR_NO_MEMORY;
    } else {
        irq_attach_vector(ioapic_next_vector, name, fn, ctx);
        ioapic_route_locked(ioapic, line, bits | ioapic_next_vector);
        ioapic_next_vector++;
        status = OK;
    }
    spinlock_unlock_irqrestore(&ioapic_lock, flags);
    return status;
}

/*
 * Take an IOAPIC into use, all lines masked.
 *
 * Returns: OK; ERR_INVALID, there is none; ERR_NO_MEMORY
 */
static status_t
ioapic_add(const struct acpi_ioapic *found)
{
    struct ioapic *ioapic;
    uint64_t flags;
    uint32_t line, version;

    if (!acpi_is_device(found->phys, IOAPIC_SIZE)) {
        return ERR_INVALID;
    }

    ioapic = &ioapic_table[ioapic_count];
    ioapic->registers =
        kva_map_mmio(found->phys, IOAPIC_SIZE, PMAP_UC, "IOAPIC");
    if (ioapic->registers == NULL) {
        return ERR_NO_MEMORY;
    }

    flags = spinlock_lock_irqsave(&ioapic_lock);
    version = ioapic_read_locked(ioapic, IOAPIC_VERSION);
    ioapic->gsi_base = found->gsi_base;
    ioapic->nr_lines = ((version >> 16) & 0xff) + 1;
    if (version == 0 || ioapic->nr_lines > IOAPIC_LINES_MAX) {
        spinlock_unlock_irqrestore(&ioapic_lock, flags);
        kva_free((void *)(uintptr_t)ioapic->registers);
        return ERR_INVALID;
    }
    for (line = 0; line < ioapic->nr_lines; line++) {
        ioapic_write_locked(ioapic, IOAPIC_ENTRY + 2 * line, IOAPIC_MASKED);
    }
    spinlock_unlock_irqrestore(&ioapic_lock, flags);
    ioapic_count++;
    log_info("ioapic: %u at %#lx, %u lines from %u", found->id, found->phys,
             ioapic->nr_lines, ioapic->gsi_base);
    return OK;
}

static status_t
ioapic_setup(void)
{
    const struct acpi_ioapic *found;
    status_t status;
    size_t count, i;

    found = acpi_ioapics(&count);
    for (i = 0; i < count && ioapic_count < IOAPIC_NR_MAX; i++) {
        status = ioapic_add(&found[i]);
        if (status != OK) {
            log_warning("ioapic: %u at %#lx is ignored: %s", found[i].id,
                        found[i].phys, status_string(status));
        }
    }
    if (ioapic_count == 0) {
        log_warning("ioapic: none, devices are polled");
    }
    return OK;
}

INIT_OP(ioapic_setup, INIT_BOOT_CPU, AFTER(apic_setup));
