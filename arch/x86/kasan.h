/* SPDX-License-Identifier: MIT */
/*
 * The page tables of KASAN's shadow.  In builds without it all of this
 * vanishes.
 */
#ifndef X86_KASAN_H
#define X86_KASAN_H

#include <stdint.h>

#include <lib/macros.h>
#include <lib/status.h>
#include <arch/layout.h>

#include "pte.h"

#ifdef CONFIG_KASAN

/*
 * Make the shadow of the image, and one of zeros for everything else, and
 * mark what is between the image's variables.  Called by entry.S, before the
 * first instruction that looks at the shadow.
 *
 * Context: boot CPU, in the page tables of entry.S
 */
void kasan_early_setup(void);

/*
 * Enter the shadow, as far as it exists, into the kernel's top level.
 *
 * @top  where the shadow grows from now on
 *
 * Context: boot CPU
 */
void kasan_shadow_enter(pte_t *top);

/*
 * Have a shadow for all RAM in the direct map.
 *
 * Context: boot CPU, in the kernel's page tables, before page_setup()
 * Returns: OK or ERR_NO_MEMORY
 */
status_t kasan_shadow_setup_ram(void);

/* The first address from @va on that is not in the shadow. */
static inline uintptr_t
kasan_shadow_skip(uintptr_t va)
{
    return va >= KASAN_SHADOW_BASE && va < KASAN_SHADOW_END ? KASAN_SHADOW_END
                                                            : va;
}

#else

static inline void
kasan_shadow_enter(pte_t *top __unused)
{
}

static inline status_t
kasan_shadow_setup_ram(void)
{
    return OK;
}

static inline uintptr_t
kasan_shadow_skip(uintptr_t va)
{
    return va;
}

#endif /* CONFIG_KASAN */

#endif /* X86_KASAN_H */
