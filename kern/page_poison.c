/* SPDX-License-Identifier: MIT */
#include <stdint.h>

#include <kern/page_poison.h>
#include <kern/panic.h>
#include <lib/macros.h>

#define PAGE_POISON_WORD UINT64_C(0x6b6b6b6b6b6b6b6b)

void
page_check_poison(const struct page *page)
{
    const size_t nr = PAGE_SIZE / sizeof(uint64_t);
    const uint64_t *words = page_ptr(page);
    uint64_t common = UINT64_MAX, any = 0;
    size_t i;

    /* Interrupts may be disabled: with two instructions a word. */
    for (i = 0; i < nr; i += 8) {
        const uint64_t *w = &words[i];

        common &= w[0] & w[1] & w[2] & w[3] & w[4] & w[5] & w[6] & w[7];
    }
    for (i = 0; i < nr; i += 8) {
        const uint64_t *w = &words[i];

        any |= w[0] | w[1] | w[2] | w[3] | w[4] | w[5] | w[6] | w[7];
    }
    if (likely(common == PAGE_POISON_WORD && any == PAGE_POISON_WORD)) {
        return;
    }

    for (i = 0; i < nr - 1 && words[i] == PAGE_POISON_WORD; i++) {
    }
    panic("page: 0x%llx was written while free: 0x%llx at +0x%zx",
          (unsigned long long)page_phys(page), (unsigned long long)words[i],
          i * sizeof(*words));
}
