/* SPDX-License-Identifier: MIT */
#include <arch/cpu.h>
#include <kern/irq.h>
#include <test/test.h>

/* Vectors that nothing else uses; a handler is attached for good. */
#define IRQ_TEST_VECTOR 0xe1
#define IRQ_TEST_NOBODY 0xe2

static unsigned irq_test_calls;
static void *irq_test_ctx;
static bool irq_test_was_enabled;

static void
irq_test_handle(void *ctx)
{
    irq_test_calls++;
    irq_test_ctx = ctx;
    irq_test_was_enabled = cpu_irq_is_enabled();
}

/* As the trap code does. */
static void
irq_test_dispatch(unsigned vector)
{
    uint64_t flags;

    flags = cpu_irq_save();
    irq_dispatch(vector);
    cpu_irq_restore(flags);
}

TEST(irq, handler_gets_its_context)
{
    static bool attached;

    if (!attached) {
        irq_attach_vector(IRQ_TEST_VECTOR, "test", irq_test_handle,
                          &irq_test_calls);
        attached = true;
    }
    irq_test_calls = 0;
    irq_test_dispatch(IRQ_TEST_VECTOR);
    EXPECT_EQ(irq_test_calls, 1);
    EXPECT(irq_test_ctx == &irq_test_calls);
    EXPECT(!irq_test_was_enabled);
}

TEST(irq, unknown_vector_is_counted)
{
    uint64_t before;
    unsigned i;

    before = irq_nr_spurious();
    for (i = 0; i < 5; i++) {
        irq_test_dispatch(IRQ_TEST_NOBODY);
    }
    EXPECT_EQ(irq_nr_spurious(), before + 5);
}

TEST(irq, isa_line_out_of_range_is_refused)
{
    EXPECT_EQ(irq_attach_isa(16, "test", irq_test_handle, NULL), ERR_RANGE);
    EXPECT_EQ(irq_attach_isa(~0U, "test", irq_test_handle, NULL), ERR_RANGE);
}
