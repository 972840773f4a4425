/* SPDX-License-Identifier: MIT */
/*
 * What the compilers call in KASAN builds, and what is between the files here.
 *
 * Context of all: any
 *
 * Source: LLVM, compiler-rt/lib/asan/asan_interface_internal.h.
 */
#ifndef KERN_SAN_KASAN_H
#define KERN_SAN_KASAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kern/sanitizer.h>

/* A variable and the red zone behind it, as the compilers describe it. */
struct kasan_global {
    const void *ptr;
    size_t size;
    size_t size_with_redzone;
    const void *name;
    const void *module;
    uintptr_t is_dynamic;
    const void *location;
    uintptr_t odr_indicator;
};

/* An access that must not be. */
struct kasan_access {
    uintptr_t addr;
    size_t size;
    bool is_write;
};

/*
 * Report an access, unless its place was reported before.
 *
 * @bad  the first of its bytes that must not be touched
 */
void kasan_report(const struct kasan_access *access, uintptr_t bad,
                  const struct sanitizer_place *place);

/* Report that an object is freed which is free. */
void kasan_report_free(uintptr_t addr, const struct sanitizer_place *place);

/* Whether the shadow has something against a range; @bad: its first byte. */
bool kasan_find_bad(uintptr_t addr, size_t size, uintptr_t *bad);

/*
 * Called before a load or a store of so many bytes.
 */
void __asan_load1_noabort(uintptr_t addr);
void __asan_load2_noabort(uintptr_t addr);
void __asan_load4_noabort(uintptr_t addr);
void __asan_load8_noabort(uintptr_t addr);
void __asan_load16_noabort(uintptr_t addr);
void __asan_loadN_noabort(uintptr_t addr, size_t size);
void __asan_store1_noabort(uintptr_t addr);
void __asan_store2_noabort(uintptr_t addr);
void __asan_store4_noabort(uintptr_t addr);
void __asan_store8_noabort(uintptr_t addr);
void __asan_store16_noabort(uintptr_t addr);
void __asan_storeN_noabort(uintptr_t addr, size_t size);

/* Called by a constructor of each file: mark the red zones. */
void __asan_register_globals(const struct kasan_global *globals, size_t nr);

/* Called by a destructor; there is no end here. */
void __asan_unregister_globals(const struct kasan_global *globals, size_t nr);

/* Called before a function that does not return: its frames stay marked. */
void __asan_handle_no_return(void);

/* The scope of a local variable begins and ends. */
void __asan_unpoison_stack_memory(uintptr_t addr, size_t size);
void __asan_poison_stack_memory(uintptr_t addr, size_t size);

/* An array of variable length comes and goes. */
void __asan_alloca_poison(uintptr_t addr, size_t size);
void __asan_allocas_unpoison(uintptr_t top, uintptr_t bottom);

/* Write many bytes of shadow of a stack frame, by value. */
void __asan_set_shadow_00(uintptr_t shadow, size_t size);
void __asan_set_shadow_f1(uintptr_t shadow, size_t size);
void __asan_set_shadow_f2(uintptr_t shadow, size_t size);
void __asan_set_shadow_f3(uintptr_t shadow, size_t size);
void __asan_set_shadow_f5(uintptr_t shadow, size_t size);
void __asan_set_shadow_f8(uintptr_t shadow, size_t size);

/* lib/string.c's functions without checks. */
void *__memcpy(void *dst, const void *src, size_t n);
void *__memmove(void *dst, const void *src, size_t n);
void *__memset(void *dst, int value, size_t n);

#endif /* KERN_SAN_KASAN_H */
